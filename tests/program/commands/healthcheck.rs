//! `healthcheck`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{handshake, run};
use crate::support::program::Program;

/// Answers every request with this, and gives the first line of the request back.
fn stub(answer: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let n = stream.read(&mut request).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        let request = String::from_utf8_lossy(&request[..n]).into_owned();
        request.lines().next().unwrap().to_owned()
    });
    (address, server)
}

#[test]
fn a_health_check_ends_as_the_server_is() {
    for (flags, path, answer, code, said) in [
        (
            &[][..],
            "/healthz",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            0,
            "",
        ),
        (
            &["--ready"],
            "/readyz",
            "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false,\"reasons\":[\"shutting down\"]}",
            1,
            "/readyz is answered 503 {\"ready\":false,\"reasons\":[\"shutting down\"]}",
        ),
        (
            &[],
            "/healthz",
            "HTTP/1.1 404 Not Found\r\n\r\n",
            1,
            "is answered 404",
        ),
        (&[], "/healthz", "200 ", 1, "is answered "),
        (&[], "/healthz", "", 1, "is answered "),
    ] {
        let (address, server) = stub(answer);
        let (got, _, stderr) = run(&[&["healthcheck", "--address", &address], flags].concat());
        assert_eq!(got, code, "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
        assert_eq!(server.join().unwrap(), format!("GET {path} HTTP/1.1"));
    }
}

#[test]
fn a_health_check_finds_the_server_by_its_settings() {
    let (address, server) = stub("HTTP/1.1 200 OK\r\n\r\n");
    let port = address.rsplit_once(':').unwrap().1;
    let port = format!("server.port={port}");
    let (code, _, stderr) = run(&[
        "healthcheck",
        "--set",
        "server.host=0.0.0.0",
        "--set",
        &port,
    ]);
    assert_eq!(code, 0, "{stderr}");
    server.join().unwrap();
    // The internal listener, where there is one.
    let (address, server) = stub("HTTP/1.1 200 OK\r\n\r\n");
    let port = address.rsplit_once(':').unwrap().1;
    let port = format!("server.internal_port={port}");
    let (code, _, stderr) = run(&["healthcheck", "--set", "server.port=1", "--set", &port]);
    assert_eq!(code, 0, "{stderr}");
    server.join().unwrap();
    let begin = Instant::now();
    let (code, _, stderr) = run(&["healthcheck", "--set", "server.port=1"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("http://127.0.0.1:1/healthz is not answered"),
        "{stderr}"
    );
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_running_server_is_well_until_it_ends() {
    let program = Program::greenroom(Path::new(env!("CARGO_TARGET_TMPDIR")), &[], &[]);
    let address = program.address().to_string();
    for ready in [&[][..], &["--ready"]] {
        let (code, _, stderr) = run(&[&["healthcheck", "--address", &address], ready].concat());
        assert_eq!(code, 0, "{stderr}");
    }
    // Each adds 50 ms: the server is there long enough to be asked.
    for _ in 0..200 {
        assert_eq!(handshake(&program).0, 200);
    }
    program.signal("TERM");
    program.logged("sessions end");
    let (code, _, stderr) = run(&["healthcheck", "--ready", "--address", &address]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("/readyz is answered 503"), "{stderr}");
}
