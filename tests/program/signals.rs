//! The program as service managers and people at a terminal meet it: signals, and what it ends with.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::program::DEADLINE;
use crate::support::program::Program;

/// The program with these settings.
fn greenroom(settings: &str) -> (Program, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), settings).unwrap();
    (start(folder.path()), folder)
}

fn start(folder: &Path) -> Program {
    Program::greenroom(folder, &[], &[])
}

/// A session that nobody polls: it waits for one poll more when the server ends.
fn session(program: &Program) -> String {
    let (status, opened) = program.ask("GET", "", "");
    assert_eq!(status, 200, "{opened}");
    opened.split('"').nth(3).unwrap().to_owned()
}

/// A program with many sessions, and the one that ends last when it ends: some three seconds later.
fn crowded() -> (Program, String, tempfile::TempDir) {
    let (program, folder) = greenroom("[server]\nworkers = 1");
    for _ in 0..60 {
        session(&program);
    }
    let last = session(&program);
    (program, last, folder)
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
    let (mut program, sid, _folder) = crowded();
    program.signal("TERM");
    program.logged("sessions end sessions=61");
    let (status, body) = program.ask("GET", &format!("&sid={sid}"), "");
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
    // Each adds 50 ms: ten seconds, in which the second signal comes.
    let settings =
        "[shutdown]\ntimeout = \"20m\"\nspread = \"10m\"\n[socketio]\nconnect_timeout = \"1h\"";
    let (mut program, _folder) = greenroom(settings);
    for _ in 0..200 {
        session(&program);
    }
    program.signal("TERM");
    program.logged("sessions end");
    program.signal("INT");
    assert_eq!(program.ended().code(), Some(3));
    program.logged("greenroom: a second signal ends it at once; sessions cut off: ");
}

// --- SIGHUP ---

/// Changes the file, and has the program read it.
fn reload(program: &Program, folder: &tempfile::TempDir, settings: &str) {
    std::fs::write(folder.path().join("config.toml"), settings).unwrap();
    program.signal("HUP");
}

/// The answer to a handshake from another origin, with its head.
fn headers(program: &Program) -> String {
    let mut stream = TcpStream::connect(program.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nOrigin: http://a.example\r\n\
                   Connection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_lowercase()
}

#[test]
fn a_hangup_has_the_settings_read_again() {
    let (mut program, folder) = greenroom("");
    session(&program);
    assert!(headers(&program).starts_with("http/1.1 403"));
    session(&program);
    let settings = "[limits]\nconnections = 3\n[cors]\norigins = \"http://a.example\"\n[log]\nfilter = \"debug\"";
    reload(&program, &folder, settings);
    program.logged(
        "read again changed=cors.origins,limits.connections,log.filter wait_for_a_restart=nothing",
    );
    assert!(headers(&program).contains("access-control-allow-origin: http://a.example"));
    // The fourth.
    assert_eq!(program.ask("GET", "", "").0, 503);
    program.logged("a connection is refused why=connections limit=3");

    // Back to the defaults, which is a change as well.
    reload(&program, &folder, "");
    let again = || {
        let lines = program.log();
        let of_reload =
            |line: &&String| line.contains("changed=cors.origins,limits.connections,log.filter");
        lines.iter().filter(of_reload).count() == 2
    };
    let deadline = Instant::now() + DEADLINE;
    while !again() {
        assert!(Instant::now() < deadline, "it is not read again");
    }
    assert_eq!(program.ask("GET", "", "").0, 200);
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_hangup_says_what_waits_for_a_restart() {
    let (mut program, folder) = greenroom("[limits]\nhalf_open = 5");
    let settings = "[engine]\nping_interval = \"10s\"\n[limits]\nhalf_open = 6\nhandler_queue = 7";
    reload(&program, &folder, settings);
    let fixed = "wait_for_a_restart=engine.ping_interval,limits.handler_queue";
    program.logged(&format!("changed=limits.half_open {fixed}"));
    // It is said as long as it is so.
    program.signal("HUP");
    program.logged(&format!("changed=nothing {fixed}"));
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn of_tokens_a_hangup_takes_over_the_rules_and_names_the_rest() {
    let section = "[auth.jwt]\nnamespaces = \"/\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n";
    let (mut program, folder) = greenroom(section);
    let proxies = "[security]\ntrusted_proxies = \"10.0.0.0/8\"\n";
    let rules =
        "audience = \"us\"\nissuer = \"them\"\nleeway = \"1s\"\ngrace = \"2s\"\ntoken = \"jwt\"\n";
    reload(&program, &folder, &format!("{proxies}{section}{rules}"));
    program.logged(
        "changed=auth.jwt.audience,auth.jwt.grace,auth.jwt.issuer,auth.jwt.leeway \
         wait_for_a_restart=auth.jwt.token,security.trusted_proxies",
    );
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_file_that_is_wrong_is_refused_and_told_in_one_line() {
    let (mut program, folder) = greenroom("[limits]\nconnections = 1");
    for (settings, why) in [
        // The first: what other errors begin with too.
        ("[limits", "TOML parse error"),
        (
            "[limits]\nconections = 1",
            "unknown key `conections`: did you mean `connections`?",
        ),
        (
            "[limits]\nconnections = 5\n[server]\nworkers = 5000",
            "server.workers is 5000",
        ),
    ] {
        reload(&program, &folder, settings);
        let line = program.logged(why);
        assert!(line.contains("ERROR"), "{line}");
        assert!(line.contains("the configuration stays as it was"), "{line}");
    }
    std::fs::remove_file(folder.path().join("config.toml")).unwrap();
    // A half of it is not taken over either.
    session(&program);
    assert_eq!(program.ask("GET", "", "").0, 503);
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn flags_outlive_a_hangup_and_a_named_file_has_to_stay() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my.toml"), "[limits]\nconnections = 9").unwrap();
    let words = [
        "-c",
        "my.toml",
        "serve",
        "--set",
        "limits.connections=1",
        "--log",
        "debug",
    ];
    let mut program = Program::greenroom(folder.path(), &words, &[]);
    std::fs::write(folder.path().join("my.toml"), "[limits]\nconnections = 8").unwrap();
    program.signal("HUP");
    program.logged("changed=nothing wait_for_a_restart=nothing");
    session(&program);
    assert_eq!(program.ask("GET", "", "").0, 503);
    std::fs::remove_file(folder.path().join("my.toml")).unwrap();
    program.signal("HUP");
    program.logged("the new one is wrong: cannot read my.toml");
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_hangup_does_not_end_a_server_that_is_ending() {
    let (mut program, sid, _folder) = crowded();
    program.signal("TERM");
    program.logged("sessions end");
    program.signal("HUP");
    let (status, body) = program.ask("GET", &format!("&sid={sid}"), "");
    assert_eq!((status, &*body), (200, "1"));
    assert_eq!(program.ended().code(), Some(0));
}

#[test]
fn a_hangup_exchanges_the_keys_of_the_api() {
    let keys = |key: &str| format!("[api]\nkeys = [\"{key}\"]");
    let (mut program, folder) = greenroom(&keys("the-old-key-0123456789"));
    let status = |key: &str| {
        let mut stream = TcpStream::connect(program.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(
            stream,
            "GET /api/v1/nodes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status("the-old-key-0123456789"), "200");
    reload(&program, &folder, &keys("the-new-key-0123456789"));
    let line = program.logged("changed=api.keys wait_for_a_restart=nothing");
    assert!(!line.contains("the-new-key"), "{line}");
    assert_eq!(status("the-old-key-0123456789"), "401");
    assert_eq!(status("the-new-key-0123456789"), "200");
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn a_hangup_lets_pages_of_other_origins_in() {
    let (mut program, folder) = greenroom("");
    assert!(headers(&program).starts_with("http/1.1 403"));
    let settings = "[security]\nallowed_origins = [\"http://a.example\"]";
    reload(&program, &folder, settings);
    program.logged("changed=security.allowed_origins wait_for_a_restart=nothing");
    assert!(headers(&program).starts_with("http/1.1 200"));
    assert_eq!(program.end().code(), Some(0));
}

// --- systemd ---

#[test]
fn systemd_is_told_that_it_is_ready_that_it_works_and_that_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "300000"),
    ];
    let mut program = Program::greenroom(folder.path(), &[], &variables);
    let told = || {
        let mut buffer = [0; 100];
        let n = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..n]).trim().to_owned()
    };
    assert_eq!(told(), "READY=1");
    for _ in 0..3 {
        assert_eq!(told(), "WATCHDOG=1");
    }
    program.signal("TERM");
    while told() != "STOPPING=1" {}
    assert_eq!(program.ended().code(), Some(0));
}
