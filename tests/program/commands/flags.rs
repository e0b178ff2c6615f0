//! Flags and variables.

use greenroom::config::Config;

use super::{handshake, printed, run};
use crate::support::program::Program;

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
