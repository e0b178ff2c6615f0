//! `rooms` and `sockets`.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::{handshake, printed, run};
use crate::support::program::DEADLINE;
use crate::support::program::Program;
use crate::support::servers::Redis;

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
