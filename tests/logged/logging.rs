//! What the program logs: its first line, lines for programs, the last line of a session, and no secrets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::log::{alone, logged, n_logged};
use crate::support::{DEADLINE, counter, lobby, within};

/// The program with its log on a pipe.
struct Program {
    child: Child,
    lines: Receiver<String>,
    /// What was read before.
    log: Vec<String>,
    folder: TempDir,
}

impl Program {
    /// Runs it in a folder of its own.
    fn start(variables: &[(&str, &str)], config: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        if let Some(text) = config {
            std::fs::write(folder.path().join("config.toml"), text).unwrap();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_greenroom"))
            .env_clear()
            .envs([("HOST", "127.0.0.1"), ("PORT", "0")])
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                // The test may be over; the program has to be read all the same.
                let _ = sender.send(line);
            }
        });
        Self {
            child,
            lines,
            log: Vec::new(),
            folder,
        }
    }

    /// Reads until a line that has all these parts.
    fn line(&mut self, parts: &[&str]) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(DEADLINE) else {
                panic!("no {parts:?} in:\n{}", self.log.join("\n"));
            };
            self.log.push(line.clone());
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }

    /// Where it listens.
    fn address(&mut self) -> SocketAddr {
        let line = self.line(&["listening on: "]);
        let (_, address) = line.split_once("listening on: ").unwrap();
        let is_part = |symbol: char| symbol.is_ascii_digit() || ".:".contains(symbol);
        let end = address.find(|symbol| !is_part(symbol));
        address[..end.unwrap_or(address.len())].parse().unwrap()
    }

    /// Ends it, and gives all that it has logged.
    fn end(mut self) -> Vec<String> {
        let kill = ["-TERM", &self.child.id().to_string()].map(str::to_owned);
        assert!(Command::new("kill").args(kill).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        let mut log = std::mem::take(&mut self.log);
        log.extend(self.lines.iter());
        log
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request, on a connection of its own: the body of the answer.
fn ask(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{head}Host: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{answer}");
    body.to_owned()
}

/// Opens a polling session, joins, says goodbye: its sid.
fn visit(address: SocketAddr, headers: &str, query: &str, auth: &str) -> String {
    let path = "/socket.io/?EIO=4&transport=polling";
    let open = ask(
        address,
        &format!("GET {path}{query} HTTP/1.1\r\n{headers}"),
        "",
    );
    let open: Value = serde_json::from_str(&open[1..]).unwrap();
    let sid = open["sid"].as_str().unwrap().to_owned();
    let post = format!("POST {path}&sid={sid} HTTP/1.1\r\n");
    assert_eq!(ask(address, &post, &format!("40{auth}")), "ok");
    assert_eq!(ask(address, &post, "1"), "ok");
    sid
}

#[test]
fn through_a_pipe_each_line_is_an_object() {
    let mut program = Program::start(&[("RUST_LOG", "debug")], None);
    let address = program.address();
    visit(address, "", "", "{}");
    program.line(&["a session has ended"]);
    let log = program.end();
    assert!(log.len() > 5, "{log:?}");
    for line in &log {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line}"));
        let keys: Vec<_> = object.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["ts", "level", "target", "msg"], "{line}");
        let ts = object["ts"].as_str().unwrap();
        assert!(
            ts.ends_with('Z') && ts.len() == "2026-01-01T00:00:00.000Z".len(),
            "{ts}"
        );
        let level = object["level"].as_str().unwrap();
        assert!(
            ["error", "warn", "info", "debug"].contains(&level),
            "{line}"
        );
    }
}

#[test]
fn the_reason_of_an_end_is_an_object_too() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut program = Program::start(&[("PORT", &port), ("RUST_LOG", "off")], None);
    let line = program.line(&["cannot listen on"]);
    assert_eq!(program.log, std::slice::from_ref(&line));
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["level"], "error");
    assert!(object["msg"].as_str().unwrap().contains(&port), "{line}");
    assert_eq!(program.child.wait().unwrap().code(), Some(1));
    // Before it is known who reads, it is for people.
    let mut program = Program::start(&[("GREENROOM_LOG__FORMAT", "xml")], None);
    let line = program.line(&["GREENROOM_LOG__FORMAT"]);
    assert!(line.starts_with("greenroom: "), "{line}");
    assert_eq!(program.child.wait().unwrap().code(), Some(2));
}

#[test]
fn the_first_line_says_what_one_asks_first() {
    let mut program = Program::start(
        &[
            ("GREENROOM_SERVER__INTERNAL_PORT", "0"),
            ("GREENROOM_LOG__FORMAT", "json"),
        ],
        Some("[server]\nworkers = 1\n"),
    );
    program.address();
    let pid = program.child.id();
    let first: Value = serde_json::from_str(&program.log[0]).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        first["msg"],
        format!(
            "greenroom {version} starts pid={pid} mode=memory node=none address=127.0.0.1:0 \
             internal=127.0.0.1:0 workers=1 config=config.toml"
        )
    );
    assert_eq!(first["level"], "info");
    assert!(program.folder.path().join("config.toml").exists());
}

#[test]
fn people_get_lines_for_people() {
    let mut program = Program::start(
        &[
            ("GREENROOM_LOG__FORMAT", "human"),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            ("GREENROOM_REDIS__NODE", "web1"),
        ],
        None,
    );
    program.address();
    let first = &program.log[0];
    assert!(
        first.starts_with('[') && first.contains(" INFO "),
        "{first}"
    );
    assert!(first.contains(" mode=redis node=web1 "), "{first}");
    assert!(first.ends_with(" config=none"), "{first}");
}

#[test]
fn the_last_line_of_a_session_has_its_request_and_its_reason() {
    let mut program = Program::start(&[("RUST_LOG", "greenroom=debug,actix=info")], None);
    let address = program.address();
    let given = "X-Request-Id: 9f86d081-884c\r\n";
    visit(address, given, "", "{}");
    let last = program.line(&["a session has ended", "request=9f86d081-884c "]);
    assert!(last.contains(" transport=polling duration_ms="), "{last}");
    assert!(last.contains(" reason=transport close\""), "{last}");
    // One that would look like more than an id is not taken.
    let forged = "X-Request-Id: a reason=ping timeout\r\n";
    visit(address, forged, "", "{}");
    let open = program.line(&["a session is open"]);
    let request = open
        .split("request=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    assert!(
        request.len() == 12 && request.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{open}"
    );
    let last = program.line(&["a session has ended", &request]);
    assert!(!last.contains("ping timeout"), "{last}");
}

#[test]
fn secrets_are_in_no_line() {
    let mut program = Program::start(
        &[
            ("RUST_LOG", "debug"),
            ("REDIS_URL", "redis://user:s3cret-redis@127.0.0.1:1"),
        ],
        None,
    );
    let address = program.address();
    program.line(&["redis is away"]);
    let headers = "Authorization: Bearer s3cret-header\r\nCookie: s=s3cret-cookie\r\n";
    let sid = visit(
        address,
        headers,
        "&token=s3cret-query",
        r#"{"token":"s3cret-auth-0123"}"#,
    );
    program.line(&["a session has ended"]);
    for line in program.end() {
        assert!(!line.contains("s3cret"), "{line}");
        assert!(!line.contains(&sid), "a whole session id: {line}");
    }
}

#[test]
fn a_mistake_that_repeats_is_one_line_a_minute() {
    alone(async {
        let mut lobby = lobby(greenroom::config::Config::default());
        let (mut client, _socket) = lobby.join().await;
        let n = 50;
        for _ in 0..n {
            let forget = async { drop(lobby.hearing.event().await) };
            let asked = client.emit_with_ack("forgotten", ());
            let (refusal, ()) = within("a refusal", async { tokio::join!(asked, forget) }).await;
            refusal.unwrap();
        }
        assert_eq!(counter(&lobby.server, "forgotten_ack"), n);
        logged(&["an ack was dropped without an answer nsp=/"]).await;
        assert_eq!(n_logged("an ack was dropped"), 0, "one stands for all");
    });
}
