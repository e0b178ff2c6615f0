//! `genconfig` and `check`.

use std::net::TcpListener;

use greenroom::config::Config;
use serde_json::Value;

use super::{command_in, ended, printed, run};
use crate::support::servers::Redis;

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
