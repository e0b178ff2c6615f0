//! How many files the program may have open, and what it does with few.#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::support::program::DEADLINE;
use crate::support::program::Program;

const HANDSHAKE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The files of a process.
fn n_open(pid: i32) -> u64 {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    files.count().try_into().unwrap()
}

/// A client whose session is open.
fn client(program: &Program) -> TcpStream {
    let mut stream = TcpStream::connect(program.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(HANDSHAKE.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.windows(8).any(|part| part == br#"0{"sid":"#) {
        let mut chunk = [0; 512];
        let n = stream.read(&mut chunk).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..n]);
    }
    stream
}

/// Half of the limit is for those that have two descriptors: half as many.
#[test]
fn second_descriptors_take_no_place_from_connections() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[server]\nworkers = 1\ncarrier = \"mounted\"\n[limits]\nhalf_open = 1000";
    std::fs::write(folder.path().join("config.toml"), settings).unwrap();
    let program = Program::greenroom(folder.path(), &[], &[]);
    let pid = program.pid();
    // What is opened for the first of all is open.
    let _first = client(&program);
    let (before, room) = (n_open(pid), 200);
    let limit = Some(before + room);
    let limits = Rlimit {
        current: limit,
        maximum: limit,
    };
    prlimit(Pid::from_raw(pid), Resource::Nofile, limits).unwrap();

    let mut clients = vec![client(&program)];
    assert_eq!(n_open(pid), before + 2, "one of the first has two");
    // More than half of the room, which is what all would get if each had two.
    while clients.len() < 130 {
        clients.push(client(&program));
    }
    let with_two = n_open(pid) - before - 130;
    let most = room.div_ceil(4);
    assert!((20..=most).contains(&with_two), "{with_two} have two");
}
