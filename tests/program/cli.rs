//! The command line: `greenroom emit` as it is typed, `greenroom gc`, exit codes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use greenroom::Value;
use greenroom::protocol::adapter;

use crate::support::servers::Redis;

const DEADLINE: Duration = Duration::from_secs(30);

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command
        .args(words)
        .env_clear()
        // Without a config.toml: the defaults hold.
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null());
    command
}

fn run_at(redis: &Redis, words: &[&str]) -> Output {
    let mut command = command(words);
    command.env("REDIS_URL", redis.url());
    command.output().unwrap()
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// What a command printed that has to end well, and say nothing besides.
fn printed(output: &Output) -> String {
    let (stdout, stderr) = texts(output);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
    stdout
}

/// Hears all that is published.
fn spy(redis: &Redis) -> redis::Connection {
    let client = redis::Client::open(redis.url()).unwrap();
    let connection = client.get_connection().unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    connection
}

#[test]
fn an_event_is_sent_as_it_was_typed() {
    let redis = Redis::start();
    let mut connection = spy(&redis);
    let mut spy = connection.as_pubsub();
    spy.psubscribe("*").unwrap();

    // The same bytes as those of `@socket.io/redis-emitter` 5.1.0.
    let typed = ["emit", "hello", "1", r#"{"a":"b"}"#];
    assert_eq!(printed(&run_at(&redis, &typed)), "");
    let message = spy.get_message().unwrap();
    assert_eq!(message.get_channel_name(), "socket.io#/#");
    let captured =
        b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x93\xa5hello\x01\x81\xa1a\xa1b\xa3nsp\xa1/\
        \x83\xa5rooms\x90\xa5flags\x80\xa6except\x90";
    assert_eq!(message.get_payload_bytes(), captured);

    // All that can be said about an event, in any order; what follows `--` is no flag.
    let typed = "emit --to a say --key k --except b 1.5 --to c true --nsp /chat --volatile -- --to";
    let typed: Vec<&str> = typed.split(' ').collect();
    let mut emit = command(&[&typed[..], &["two words", "null", "[1"]].concat());
    emit.env("GREENROOM_REDIS__URI", redis.url());
    printed(&emit.output().unwrap());
    let message = spy.get_message().unwrap();
    assert_eq!(message.get_channel_name(), "k#/chat#");
    let payload = Bytes::copy_from_slice(message.get_payload_bytes());
    let heard = adapter::decode(&payload).unwrap();
    assert_eq!(heard.nsp.as_deref(), Some("/chat"));
    assert_eq!(heard.name, "say");
    let json = r#"[1.5,true,"--to","two words",null,"[1"]"#;
    let values: Vec<Value> = serde_json::from_str(json).unwrap();
    assert_eq!(heard.args.to_values().unwrap(), values);
    let opts = &heard.opts;
    assert_eq!(
        (&*opts.rooms, &*opts.except),
        (&["a".into(), "c".into()][..], &["b".into()][..])
    );
    assert!(opts.flags.volatile);

    // Binary from two files, and from a pipe.
    let files: Vec<_> = ["one", "two"].map(|name| redis.folder().join(name)).into();
    std::fs::write(&files[0], [0, 255]).unwrap();
    std::fs::write(&files[1], "").unwrap();
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let typed = [
        "emit", "x", "--binary", files[0], "--binary", files[1], "last?",
    ];
    printed(&run_at(&redis, &typed));
    let values = |spy: &mut redis::PubSub<'_>| {
        let message = spy.get_message().unwrap();
        let payload = Bytes::copy_from_slice(message.get_payload_bytes());
        let heard = adapter::decode(&payload).unwrap();
        heard.args.to_values().unwrap()
    };
    let binary = |bytes: &[u8]| Value::Binary(Bytes::copy_from_slice(bytes));
    let text = Value::String("last?".to_owned());
    assert_eq!(values(&mut spy), [text, binary(&[0, 255]), binary(&[])]);
    let mut emit = command(&["emit", "--redis", &redis.url(), "x", "--binary-stdin"]);
    // What a flag says has the last word.
    emit.env("GREENROOM_REDIS__SOCKET", "/nowhere");
    let mut emit = emit.stdin(Stdio::piped()).spawn().unwrap();
    emit.stdin.take().unwrap().write_all(&[7; 70_000]).unwrap();
    assert!(emit.wait().unwrap().success());
    assert_eq!(values(&mut spy), [binary(&[7; 70_000])]);
}

#[test]
fn a_wrong_command_line_is_told_from_a_redis_that_is_away() {
    let redis = Redis::with(&["--requirepass", "s3cret"]);
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port());
    let (right, wrong) = (url("s3cret"), url("wr0ng"));
    let nobody = "redis://:wr0ng@127.0.0.1:1";
    let table: &[(&[&str], i32, &str)] = &[
        (&["emit", "--redis", &right, "x"], 0, ""),
        (&["gc", "--redis", &right], 0, ""),
        (
            &["emit", "--redis", &wrong, "x"],
            1,
            "wrong or missing user name or password",
        ),
        (
            &["gc", "--redis", &wrong],
            1,
            "wrong or missing user name or password",
        ),
        (&["emit", "--redis", nobody, "x"], 1, "not reachable"),
        (&["gc", "--redis", nobody], 1, "not reachable"),
        (&["emit", "x"], 2, "no Redis is configured"),
        (&["gc"], 2, "no Redis is configured"),
        (&["emit", "--redis", "redis:/wr0ng", "x"], 2, "redis.uri"),
        (&["gc", "--redis", &right, "--key", ""], 2, "redis.key"),
        (
            &["gc", "--config", "nowhere.toml"],
            2,
            "cannot read nowhere.toml",
        ),
        (&["--config", "nowhere.toml"], 2, "cannot read nowhere.toml"),
        (
            &["emit", "--redis", &right, "connect"],
            2,
            "reserved event name",
        ),
        (
            &["emit", "--redis", &right, "--server-side", "connection"],
            2,
            "reserved event name",
        ),
        (
            &["emit", "--redis", &right, "x", "--binary", "nowhere"],
            2,
            "cannot read nowhere",
        ),
        (&["emit", "--redis", &right], 2, "required"),
        (
            &["emit", "--redis", &right, "--join", "a", "x"],
            2,
            "cannot be used with",
        ),
        (
            &["emit", "--redis", &right, "--join", "a", "--disconnect"],
            2,
            "cannot be used with",
        ),
        (
            &["emit", "--redis", &right, "--join", "a", "--volatile"],
            2,
            "cannot be used with",
        ),
        (
            &["emit", "--redis", &right, "--join", "a", "--close"],
            2,
            "cannot be used with",
        ),
        (
            &["emit", "--redis", &right, "--server-side", "x", "--to", "a"],
            2,
            "cannot be used with",
        ),
        (&["emit", "--redis", &right, "--to", "", "x"], 2, "--to"),
        (&["nothing"], 2, "unrecognized"),
    ];
    for (words, code, expected) in table {
        let output = command(words).output().unwrap();
        let (_, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(*code), "{words:?}: {stderr}");
        assert!(stderr.contains(expected), "{words:?}: {stderr}");
        let shows = stderr.contains("s3cret") || stderr.contains("wr0ng");
        // clap repeats what was typed only where it could not read it.
        assert!(!shows, "{words:?}: {stderr}");
    }
}

#[test]
fn the_settings_are_those_of_the_server() {
    let redis = Redis::start();
    let mut connection = spy(&redis);
    let mut spy = connection.as_pubsub();
    spy.psubscribe("*").unwrap();
    let file = redis.folder().join("other.toml");
    std::fs::write(
        &file,
        format!("[redis]\nuri = \"{}\"\nkey = \"of-the-file\"", redis.url()),
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let mut heard_on = |emit: &mut Command| {
        printed(&emit.output().unwrap());
        spy.get_message().unwrap().get_channel_name().to_owned()
    };
    assert_eq!(
        heard_on(&mut command(&["emit", "--config", file, "x"])),
        "of-the-file#/#"
    );
    let mut emit = command(&["--config", file, "emit", "x"]);
    emit.env("GREENROOM_REDIS__KEY", "of-the-environment");
    assert_eq!(heard_on(&mut emit), "of-the-environment#/#");
    emit.args(["--key", "of-the-line"]);
    assert_eq!(heard_on(&mut emit), "of-the-line#/#");
}

#[test]
fn the_version_is_printed_and_nobody_has_to_read_it() {
    let expected = concat!("greenroom ", env!("CARGO_PKG_VERSION"), "\n");
    for words in ["version", "--version"] {
        assert_eq!(printed(&command(&[words]).output().unwrap()), expected);
    }
    let mut unread = command(&["version"]);
    unread.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut unread = unread.spawn().unwrap();
    drop(unread.stdout.take());
    let output = unread.wait_with_output().unwrap();
    assert_eq!(printed(&output), "");
}

#[test]
fn the_help_names_the_variables() {
    for words in [["emit", "--help"], ["gc", "--help"]] {
        let help = printed(&command(&words).output().unwrap());
        for name in ["GREENROOM_REDIS__URI", "REDIS_URL", "GREENROOM_REDIS__KEY"] {
            assert!(help.contains(name), "{help}");
        }
    }
}

// --- gc ---

/// A node that serves the chat. Killed at the end of the test.
struct Node {
    child: Child,
    address: SocketAddr,
}

impl Node {
    fn start(redis: &Redis) -> Self {
        let mut child = command(&[])
            .envs([("HOST", "127.0.0.1"), ("PORT", "0"), ("RUST_LOG", "info")])
            .env("GREENROOM_LOG__FORMAT", "human")
            .env("REDIS_URL", redis.url())
            .env("GREENROOM_REDIS__LEASE", "300ms")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (ready, listens) = mpsc::channel();
        // Read to the end, so that the node never waits for us.
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on: ") {
                    // Nobody may wait any more.
                    let _ = ready.send(address.trim().parse().unwrap());
                }
            }
        });
        let Ok(address) = listens.recv_timeout(DEADLINE) else {
            let _ = child.kill();
            panic!("the node does not listen");
        };
        Self { child, address }
    }

    /// The body of the answer to a request.
    fn ask(&self, method: &str, query: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(
            stream,
            "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.0\r\nHost: a\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{head}");
        body.to_owned()
    }

    /// Connects a socket that stays as long as the node.
    fn connect(&self) {
        let opened = self.ask("GET", "", "");
        let sid = opened.split('"').nth(3).unwrap();
        let packet = r#"40{"token":"0123456789abcdef","name":"Ann"}"#;
        assert_eq!(self.ask("POST", &format!("&sid={sid}"), packet), "ok");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that a Redis holds: texts, and sets as their sorted members.
fn dump(redis: &Redis) -> BTreeMap<String, Vec<String>> {
    let lines = |words: &[&str]| -> Vec<String> {
        let mut lines: Vec<_> = redis.cli(words).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let content = |key: &String| match &*redis.cli(&["TYPE", key]) {
        "set" => lines(&["SMEMBERS", key]),
        "string" => lines(&["GET", key]),
        other => panic!("{key} is a {other}"),
    };
    lines(&["KEYS", "*"])
        .into_iter()
        .map(|key| (key.clone(), content(&key)))
        .collect()
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
    }
}

#[test]
fn what_a_killed_node_has_left_is_removed_and_nothing_else() {
    let redis = Redis::start();
    // Somebody else's, and a node that lives for as long as the test.
    for key in ["socket.io#their", "socket.io-their", "their"] {
        redis.cli(&["SADD", key, "something"]);
    }
    let (living, socket) = ("livingNodeAAAAAAAAAA", "livingSocketAAAAAAAA");
    redis.cli(&["SADD", "socket.io-nodes", living]);
    redis.cli(&["SET", &format!("socket.io-lease#{living}"), "it"]);
    redis.cli(&[
        "SADD",
        &format!("socket.io-node#{living}"),
        &format!("#{socket}"),
    ]);
    redis.cli(&["SADD", &format!("socket.io#{socket}"), socket, "red"]);
    redis.cli(&["SADD", "socket.io#red", socket]);
    let before = dump(&redis);
    assert_eq!(
        printed(&run_at(&redis, &["gc"])),
        "nothing to remove; 1 living node\n"
    );

    let node = Node::start(&redis);
    node.connect();
    node.connect();
    let nodes = || {
        let nodes = redis.cli(&["SMEMBERS", "socket.io-nodes"]);
        let dead = nodes.lines().find(|uid| *uid != living);
        dead.map(str::to_owned)
    };
    eventually("the sockets are stored", || {
        nodes().is_some_and(|uid| redis.cli(&["SCARD", &format!("socket.io-node#{uid}")]) == "2")
    });
    let uid = nodes().unwrap();
    // A node that lives is left alone.
    assert_eq!(
        printed(&run_at(&redis, &["gc"])),
        "nothing to remove; 2 living nodes\n"
    );
    drop(node);
    let lease = format!("socket.io-lease#{uid}");
    eventually("the lease runs out", || {
        redis.cli(&["EXISTS", &lease]) == "0"
    });
    let left = dump(&redis);
    assert!(left.len() >= before.len() + 3, "{left:?}");

    // A rehearsal changes nothing.
    let found = printed(&run_at(&redis, &["gc", "--dry-run"]));
    assert_eq!(
        found,
        format!("dead node {uid}: 2 sockets would be removed\n1 living node\n")
    );
    let json = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap() };
    let found = json(&printed(&run_at(&redis, &["gc", "--dry-run", "--json"])));
    let dead =
        |is_removed: bool| serde_json::json!([{ "uid": uid, "sockets": 2, "removed": is_removed }]);
    let expected = serde_json::json!({ "dry_run": true, "alive": 1, "dead": dead(false) });
    assert_eq!(found, expected);
    assert_eq!(dump(&redis), left);

    // Other keys are other nodes.
    let other = printed(&run_at(&redis, &["gc", "--key", "other"]));
    assert_eq!(other, "nothing to remove; 0 living nodes\n");
    assert_eq!(dump(&redis), left);

    let done = json(&printed(&run_at(&redis, &["gc", "--json"])));
    let expected = serde_json::json!({ "dry_run": false, "alive": 1, "dead": dead(true) });
    assert_eq!(done, expected);
    assert_eq!(dump(&redis), before);
    assert_eq!(
        printed(&run_at(&redis, &["gc"])),
        "nothing to remove; 1 living node\n"
    );
}

#[test]
fn a_dead_node_is_told_of_in_words() {
    let redis = Redis::start();
    redis.cli(&["SADD", "socket.io-nodes", "u1", "u2"]);
    redis.cli(&["SADD", "socket.io-node#u1", "#a", "/chat#b"]);
    redis.cli(&["SADD", "socket.io#a", "a"]);
    redis.cli(&["SADD", "socket.io/chat#b", "b"]);
    // Another is at this one.
    redis.cli(&["SADD", "socket.io-node#u2", "#c"]);
    redis.cli(&["SET", "socket.io-reap#u2", "somebody"]);
    let expected = "dead node u1: 2 sockets removed\n\
                    dead node u2: 1 socket left to another node, which is removing them\n\
                    0 living nodes\n";
    assert_eq!(printed(&run_at(&redis, &["gc"])), expected);
    let keys: Vec<String> = dump(&redis).into_keys().collect();
    assert_eq!(
        keys,
        ["socket.io-node#u2", "socket.io-nodes", "socket.io-reap#u2"]
    );
}
