//! The program as service managers and people at a terminal meet it: signals, and what it ends with.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod programs;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use programs::DEADLINE;
use programs::program::Program;

/// The program with these settings.
fn greenroom(settings: &str) -> (Program, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), settings).unwrap();
    (start(folder.path()), folder)
}

fn start(folder: &Path) -> Program {
    Program::greenroom(folder, &[], &[])
}

/// A request to the engine: status and body of the answer.
fn ask(program: &Program, method: &str, query: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(program.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// A session that nobody polls: it waits for one poll more when the server ends.
fn session(program: &Program) -> String {
    let (status, opened) = ask(program, "GET", "", "");
    assert_eq!(status, 200, "{opened}");
    opened.split('"').nth(3).unwrap().to_owned()
}

#[test]
fn it_ends_at_once_without_sessions() {
    for signal in ["TERM", "INT"] {
        let (mut program, _folder) = greenroom("");
        let begin = Instant::now();
        program.signal(signal);
        assert_eq!(program.ended().code(), Some(0));
        assert!(begin.elapsed() < Duration::from_secs(8));
        program.logged("greenroom has ended");
    }
}

#[test]
fn a_connection_that_is_kept_and_not_used_does_not_hold_it() {
    for carrier in ["direct", "mounted"] {
        let (mut program, _folder) = greenroom(&format!("[server]\ncarrier = \"{carrier}\""));
        let mut stream = TcpStream::connect(program.address()).unwrap();
        stream
            .write_all(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut first = [0];
        stream.read_exact(&mut first).unwrap();
        let begin = Instant::now();
        assert_eq!(program.end().code(), Some(0));
        // It would be kept for five seconds.
        assert!(
            begin.elapsed() < Duration::from_secs(4),
            "{:?}",
            begin.elapsed()
        );
    }
}

#[test]
fn who_polls_is_seen_off() {
    let (mut program, _folder) = greenroom("");
    let sid = session(&program);
    program.signal("TERM");
    program.logged("sessions end sessions=1");
    let (status, body) = ask(&program, "GET", &format!("&sid={sid}"), "");
    assert_eq!((status, &*body), (200, "1"));
    assert_eq!(program.ended().code(), Some(0));
}

#[test]
fn a_limit_that_is_met_has_a_code_of_its_own() {
    let (mut program, _folder) = greenroom("[shutdown]\ntimeout = \"200ms\"\nspread = \"0s\"");
    session(&program);
    session(&program);
    assert_eq!(program.end().code(), Some(3));
    program.logged("greenroom: shutdown.timeout is over; sessions cut off: 2");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // So many that the first would take its ten minutes.
    let settings =
        "[shutdown]\ntimeout = \"20m\"\nspread = \"10m\"\n[socketio]\nconnect_timeout = \"1h\"";
    let (mut program, _folder) = greenroom(settings);
    for _ in 0..4 {
        session(&program);
    }
    // Each of them waits for a poll for a second.
    program.signal("TERM");
    program.logged("sessions end");
    program.signal("INT");
    assert_eq!(program.ended().code(), Some(3));
    program.logged("greenroom: a second signal ends it at once; sessions cut off: ");
}
