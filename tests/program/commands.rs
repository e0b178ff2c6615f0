//! The commands that look: what is configured, whether it would work, what the servers say; and the flags of the server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::program::DEADLINE;
use crate::support::program::Program;
use crate::support::servers::Redis;
use greenroom::config::Config;
use serde_json::{Value, json};

/// A command in a folder.
fn command_in(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command
        .args(words)
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// A command without a config.toml: the defaults hold.
fn command(words: &[&str]) -> Command {
    command_in(Path::new(env!("CARGO_TARGET_TMPDIR")), words)
}

/// Exit code, standard output and standard error.
fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

fn run(words: &[&str]) -> (i32, String, String) {
    ended(&command(words).output().unwrap())
}

fn printed(words: &[&str]) -> String {
    let (code, stdout, stderr) = run(words);
    assert_eq!((code, &*stderr), (0, ""), "{words:?}");
    stdout
}

// --- flags ---

#[test]
fn the_help_names_variable_and_default_of_each_flag() {
    let default = Config::default();
    for words in [&["--help"][..], &["serve", "--help"]] {
        let help = printed(words);
        // As wide as the terminal is: lines are broken anywhere.
        let help: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for (flag, variables, default) in [
            (
                "--host",
                "GREENROOM_SERVER__HOST, HOST",
                default.server.host.clone(),
            ),
            (
                "--port",
                "GREENROOM_SERVER__PORT, PORT",
                default.server.port.to_string(),
            ),
            (
                "--workers",
                "GREENROOM_SERVER__WORKERS",
                default.server.workers.to_string(),
            ),
            (
                "--static-dir",
                "GREENROOM_SERVER__STATIC_DIR",
                default.server.static_dir.display().to_string(),
            ),
            (
                "--redis",
                "GREENROOM_REDIS__URI, REDIS_URL",
                "none".to_owned(),
            ),
            (
                "--node",
                "GREENROOM_REDIS__NODE",
                "made from host name and port".to_owned(),
            ),
            (
                "--log",
                "GREENROOM_LOG__FILTER; RUST_LOG is stronger",
                default.log.filter.clone(),
            ),
        ] {
            let entry = help.split_once(&format!(" {flag} <")).unwrap().1;
            let entry = entry.split_once(" --").map_or(entry, |(entry, _)| entry);
            let expected = format!("[env: {variables}] [default: {default}]");
            assert!(entry.contains(&expected), "{flag} {entry}");
        }
    }
}

#[test]
fn a_flag_is_stronger_than_a_variable_and_that_than_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        "[server]\nport = 1\nworkers = 1\nstatic_dir = \"nowhere\"\n[limits]\nconnections = 1";
    std::fs::write(folder.path().join("config.toml"), settings).unwrap();
    let words = [
        "-p",
        "0",
        "serve",
        "-a",
        "127.0.0.1",
        "--workers",
        "2",
        "--set",
        "limits.connections=5",
    ];
    let variables = [
        ("GREENROOM_SERVER__PORT", "2"),
        ("HOST", "nowhere"),
        ("GREENROOM_LIMITS__CONNECTIONS", "0"),
        ("GREENROOM_LIMITS__HALF_OPEN", "3"),
    ];
    let program = Program::greenroom(folder.path(), &words, &variables);
    program.logged("workers=2");
    // 3 of the variable: 5 of the flag would let more in, and 1 of the file fewer.
    let statuses: Vec<u16> = (0..4).map(|_| handshake(&program).0).collect();
    assert_eq!(statuses, [200, 200, 200, 503]);
}

#[test]
fn wrong_flags_are_told() {
    for (words, expected) in [
        (&["--port", "many"][..], "the setting server.port is wrong"),
        (
            &["--set", "engine.ping_intervall=1s"],
            "did you mean engine.ping_interval?",
        ),
        (
            &["--set", "engine.ping_interval"],
            "engine.ping_interval=10s",
        ),
        (&["serve", "--workers", "5000"], "server.workers is 5000"),
        (&["--port", "0", "emit", "x"], "flags of the server"),
        (&["--redis", "nowhere:port"], "redis.uri"),
    ] {
        let (code, _, stderr) = run(words);
        assert_eq!(code, 2, "{words:?}: {stderr}");
        assert!(stderr.contains(expected), "{words:?}: {stderr}");
    }
}

/// A session of a client that says nothing: status and sid.
fn handshake(program: &Program) -> (u16, String) {
    program.ask("GET", "", "")
}

// --- genconfig and check ---

#[test]
fn the_printed_configuration_is_the_defaults() {
    let text = printed(&["genconfig"]);
    assert_eq!(Config::from_toml(&text).unwrap(), Config::default());
    assert!(text.contains("# Address to listen on."));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    let check = command_in(
        folder.path(),
        &[
            "check",
            "--set",
            "server.port=0",
            "--set",
            "limits.connections=1",
        ],
    );
    let (code, stdout, stderr) = ended(&{ check }.output().unwrap());
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.contains("ok: settings: config.toml\n"), "{stdout}");
    assert!(stdout.contains("ok: redis: none"), "{stdout}");
    assert!(printed(&["genconfig", "--markdown"]).starts_with("# Configuration\n"));
}

/// A check that is about Redis alone.
fn check(words: &[&str]) -> (i32, String, String) {
    let own = [
        "check",
        "--set",
        "server.port=0",
        "--set",
        "limits.connections=1",
    ];
    run(&[&own[..], words].concat())
}

#[test]
fn a_redis_that_can_do_everything_is_well_and_left_as_it_was() {
    let redis = Redis::start();
    let at = format!("redis.uri={}", redis.url());
    let (code, stdout, stderr) = check(&["--strict", "--set", &at]);
    assert_eq!((code, &*stderr), (0, ""), "{stdout}");
    assert!(
        stdout.contains("ok: redis: publish, and hear it\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("ok: redis: store who is in which room\n"),
        "{stdout}"
    );
    assert_eq!(redis.cli(&["KEYS", "*"]), "");
}

#[test]
fn what_redis_refuses_is_named() {
    let redis = Redis::start();
    let user = |name: &str, rules: &[&str]| {
        let all = [
            &["ACL", "SETUSER", name, "on", ">pw", "~*", "&*", "+@all"][..],
            rules,
        ]
        .concat();
        assert_eq!(redis.cli(&all), "OK");
        format!("redis.uri=redis://{name}:pw@127.0.0.1:{}", redis.port())
    };
    let cases = [
        (
            user("mute", &["-publish"]),
            "cannot publish, and hear it",
            "publish",
        ),
        (
            user("deaf", &["-subscribe"]),
            "cannot publish, and hear it",
            "subscribe",
        ),
        (
            user("partial", &["-psubscribe"]),
            "cannot publish, and hear it",
            "psubscribe",
        ),
        (
            user("elsewhere", &["resetchannels", "&other*"]),
            "cannot publish, and hear it",
            "channel",
        ),
        (
            user("readonly", &["-@write"]),
            "cannot store who is in which room",
            "set",
        ),
        (
            user("scriptless", &["-eval"]),
            "cannot store who is in which room",
            "eval",
        ),
    ];
    for (at, what, why) in cases {
        let (code, stdout, stderr) = check(&["--set", &at]);
        assert_eq!(code, 1, "{at}: {stdout}");
        let line = stdout
            .lines()
            .find(|line| line.starts_with("error: redis"))
            .unwrap();
        assert!(line.contains(what) && line.contains(why), "{at}: {line}");
        assert!(
            !stdout.contains("pw@") && !stderr.contains("pw@"),
            "{stdout}{stderr}"
        );
    }
    // The time is asked for those who are told of rooms.
    let at = user("timeless", &["-time"]);
    let (code, stdout, _) = check(&["--set", &at]);
    assert_eq!(code, 0, "{stdout}");
    let hooks = |events: &str| {
        let events = format!("webhooks.events={events}");
        let url = "webhooks.url=http://127.0.0.1:1/";
        check(&["--set", &at, "--set", url, "--set", &events])
    };
    let (code, stdout, _) = hooks(r#"["connected"]"#);
    assert_eq!(code, 0, "{stdout}");
    let (code, stdout, _) = hooks(r#"["connected", "room_vacated"]"#);
    assert_eq!(code, 1, "{stdout}");
    let refused = "error: redis: cannot store who is in which room: ";
    let line = stdout.lines().find_map(|line| line.strip_prefix(refused));
    assert!(line.unwrap().contains("'time'"), "{stdout}");
    // What is not stored needs no permission.
    let at = user("readonly", &["-@write"]);
    let (code, stdout, _) = check(&["--set", &at, "--set", "redis.store_membership=false"]);
    assert_eq!(code, 0, "{stdout}");
    assert_eq!(redis.cli(&["KEYS", "*"]), "");
}

#[test]
fn a_redis_that_is_away_or_two_that_are_not_one_fail_the_check() {
    let (code, stdout, _) = check(&["--set", "redis.uri=redis://127.0.0.1:1"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("not reachable"), "{stdout}");
    let (one, other) = (Redis::start(), Redis::start());
    let publish = format!("redis.uri={}", one.url());
    let subscribe = format!("redis.subscribe_uri={}", other.url());
    let (code, stdout, _) = check(&["--set", &publish, "--set", &subscribe]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("are they one Redis?"), "{stdout}");
}

#[test]
fn warnings_fail_only_a_strict_check() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("server.port={}", taken.local_addr().unwrap().port());
    let words = [
        "check",
        "--json",
        "--set",
        &port,
        "--set",
        "limits.connections=99999999999",
    ];
    let (code, stdout, _) = run(&words);
    assert_eq!(code, 0, "{stdout}");
    let found: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(found["ok"], true);
    let warned: Vec<_> = found["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["outcome"] == "warning")
        .map(|check| check["what"].as_str().unwrap())
        .collect();
    // Where there is no limit on open files, none is too low.
    let unlimited = found
        .to_string()
        .contains(&format!("{} files may be open", usize::MAX));
    let expected = ["server.host, server.port", "limits.connections"];
    assert_eq!(warned, expected[..if unlimited { 1 } else { 2 }]);
    let (code, stdout, stderr) = run(&[&words[..], &["--strict"]].concat());
    assert_eq!(code, 1, "{stdout}");
    assert_eq!(stderr, "greenroom: not everything is as it should be\n");
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["ok"], false);
}

#[test]
fn an_address_of_another_machine_is_an_error_and_wrong_settings_are_of_another_kind() {
    let (code, stdout, _) = run(&["check", "--set", "server.host=203.0.113.1"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(
        stdout.contains("error: server.host, server.port: cannot listen on 203.0.113.1:3000"),
        "{stdout}"
    );
    let (code, _, stderr) = run(&["check", "--set", "server.workers=5000"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("server.workers is 5000"), "{stderr}");
}

// --- rooms and sockets ---

/// A server of a cluster with two sockets.
fn node(redis: &Redis) -> Program {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = Program::greenroom(folder, &[], &[("REDIS_URL", &redis.url())]);
    for name in ["Ann", "Bob"] {
        let opened = handshake(&program).1;
        let sid = opened.split('"').nth(3).unwrap();
        let packet = format!("40{{\"token\":\"0123456789abcdef\",\"name\":\"{name}\"}}");
        let (status, body) = program.ask("POST", &format!("&sid={sid}"), &packet);
        assert_eq!((status, &*body), (200, "ok"));
    }
    program
}

/// Looks again until it is so: what the command prints.
fn eventually(words: &[&str], is_so: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (code, stdout, stderr) = run(words);
        if code == 0 && is_so(&stdout) {
            return stdout;
        }
        assert!(Instant::now() < deadline, "{words:?}: {stdout}{stderr}");
    }
}

#[test]
fn the_servers_of_a_cluster_tell_their_rooms_and_sockets() {
    let redis = Redis::start();
    let url = redis.url();
    let one = node(&redis);
    let _other = node(&redis);
    let sockets = ["sockets", "--redis", &url, "--json"];
    let of = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let found = eventually(&sockets, |text| {
        of(text)["sockets"].as_array().unwrap().len() == 4
    });
    let found = of(&found);
    assert_eq!(found["silent"], 0);
    let ids: Vec<&str> = found["sockets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|socket| socket["id"].as_str().unwrap())
        .collect();
    for socket in found["sockets"].as_array().unwrap() {
        assert!(
            socket["rooms"].as_array().unwrap().contains(&socket["id"]),
            "{socket}"
        );
        assert_eq!(
            socket["handshake"]["auth"]["token"], "0123456789abcdef",
            "{socket}"
        );
    }
    // One alone, in words.
    let (code, stdout, stderr) = run(&["sockets", "--redis", &url, "--", ids[1]]);
    assert_eq!((code, &*stderr), (0, ""));
    assert_eq!(stdout.lines().count(), 1);
    assert!(stdout.starts_with(ids[1]), "{stdout}");

    let rooms = printed(&["rooms", "--redis", &url]);
    assert!(
        ids.iter().all(|id| rooms.lines().any(|room| room == *id)),
        "{rooms}"
    );
    let listed = of(&printed(&["rooms", "--redis", &url, "--json"]));
    let names: Vec<&str> = rooms.lines().collect();
    assert_eq!(listed, json!({ "rooms": names, "silent": 0 }));
    assert_eq!(printed(&["rooms", "--redis", &url, "--nsp", "/nobody"]), "");
    drop(one);
}

#[test]
fn who_does_not_answer_is_counted_and_the_rest_is_told() {
    let redis = Redis::start();
    let url = redis.url();
    let _node = node(&redis);
    eventually(&["sockets", "--redis", &url], |text| {
        text.lines().count() == 2
    });
    // Hears questions, and has nothing to say.
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let mut mute = connection.as_pubsub();
    mute.subscribe("socket.io-request#/#").unwrap();
    let words = [
        "sockets",
        "--redis",
        &url,
        "--set",
        "redis.requests_timeout=300ms",
    ];
    let (code, stdout, stderr) = run(&words);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout.lines().count(), 2);
    assert_eq!(stderr, "greenroom: servers that have not answered: 1\n");
    let (_, stdout, _) = run(&[&words[..], &["--json"]].concat());
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap()["silent"], 1);
}

#[test]
fn servers_cannot_be_asked_without_a_redis() {
    for name in ["rooms", "sockets"] {
        let (code, _, stderr) = run(&[name]);
        assert_eq!(code, 2);
        assert!(stderr.contains("no Redis is configured"), "{stderr}");
        let (code, _, stderr) = run(&[name, "--redis", "redis://:s3cret@127.0.0.1:1"]);
        assert_eq!(code, 1);
        assert!(stderr.contains("the servers cannot be asked"), "{stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
}

// --- healthcheck ---

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
