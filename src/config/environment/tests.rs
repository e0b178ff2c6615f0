//! Tests of settings in environment variables.

use std::{fs, time::Duration};

use super::*;
use crate::config::{Config, Origins, Source, Transports};

/// Settings from the text of a file and from variables.
fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    if !file.is_empty() {
        fs::write(&path, file).unwrap();
    }
    let variables = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let read = Source::default().read_from(&path, variables);
    read.map(|settings| settings.config)
        .map_err(|err| err.to_string())
}

fn wrong(variables: &[(&str, &str)]) -> String {
    load("", variables).expect_err(variables[0].0)
}

#[test]
fn host_and_port_win_over_the_file_and_the_long_names_over_them() {
    let file = "[server]\nhost = \"::1\"\nport = 80";
    for (variables, host, port) in [
        (&[][..], "::1", 80),
        (&[("HOST", "0.0.0.0"), ("PORT", "8080")], "0.0.0.0", 8080),
        (&[("HOST", ""), ("PORT", "")], "::1", 80),
        (
            &[("GREENROOM_SERVER__PORT", "81"), ("PORT", "8080")],
            "::1",
            81,
        ),
        (
            &[("PORT", "8080"), ("GREENROOM_SERVER__PORT", "")],
            "::1",
            8080,
        ),
    ] {
        let server = load(file, variables).unwrap().server;
        assert_eq!((server.host.as_str(), server.port), (host, port));
    }
    let message = wrong(&[("PORT", "tcp://10.0.0.1:80")]);
    assert!(
        message.starts_with("environment variable PORT is wrong: "),
        "{message}"
    );
}

#[test]
fn a_list_of_tables_can_be_written() {
    let backends = "[{ namespace = \"/a\", url = \"http://a\" }, { url = \"http://b\", events = [] , connect = true }]";
    let config = load("", &[("GREENROOM_BACKENDS", backends)]).unwrap();
    let found: Vec<_> = config
        .backends
        .iter()
        .map(|backend| (&*backend.namespace, &*backend.url, backend.connect))
        .collect();
    assert_eq!(found, [("/a", "http://a", false), ("/", "http://b", true)]);
    let message = wrong(&[("GREENROOM_BACKENDS", "[{ uri = \"http://a\" }]")]);
    assert!(message.contains("GREENROOM_BACKENDS"), "{message}");
    assert!(message.contains("uri"), "{message}");
    let message = wrong(&[("GREENROOM_BACKENDS", "[{ secret = [\"s3cret\"] }]")]);
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn every_kind_of_value_can_be_written() {
    let config = load(
        "",
        &[
            ("GREENROOM_ENGINE__PING_INTERVAL", "10s"),
            ("GREENROOM_ENGINE__PING_TIMEOUT", "\"1m 30s\""),
            ("GREENROOM_ENGINE__TRANSPORTS", "[\"websocket\"]"),
            ("GREENROOM_ENGINE__SID_PREFIX", "12"),
            ("GREENROOM_ENGINE__COOKIE__NAME", "true"),
            ("GREENROOM_ENGINE__PER_MESSAGE_DEFLATE__ENABLED", "true"),
            ("GREENROOM_CORS__ORIGINS", "*"),
            ("GREENROOM_LIMITS__OUTBOX_BYTES", "64KiB"),
            ("GREENROOM_LIMITS__CONNECTIONS", "7"),
            ("GREENROOM_LOG__FILTER", "info,greenroom::session=debug"),
            ("GREENROOM_REDIS__KEY", "07:32:00"),
            ("greenroom_server__port", "1"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.engine.ping_interval, Duration::from_secs(10));
    assert_eq!(config.engine.ping_timeout, Duration::from_secs(90));
    let only_websocket = Transports {
        polling: false,
        websocket: true,
    };
    assert_eq!(config.engine.transports, only_websocket);
    assert_eq!(config.engine.sid_prefix, "12");
    assert_eq!(config.engine.cookie.unwrap().name, "true");
    assert!(config.engine.per_message_deflate.enabled);
    assert_eq!(config.cors.origins, Origins::Any);
    assert_eq!(config.limits.outbox_bytes, 65_536);
    assert_eq!(config.limits.connections, 7);
    assert_eq!(config.log.filter, "info,greenroom::session=debug");
    assert_eq!(config.redis.key, "07:32:00");
    assert_eq!(config.server.port, 3000);
}

#[test]
fn each_key_has_a_variable() {
    let all = keys(&mut Vec::new());
    assert!(all.len() > 60, "{all:?}");
    for key in [
        "server__port",
        "engine__cookie__max_age",
        "redis__uri",
        "log__filter",
    ] {
        assert!(
            all.iter().any(|known| known == key),
            "{key} is not in {all:?}"
        );
    }
    for key in &all {
        let name = format!("{PREFIX}{}", key.to_ascii_uppercase());
        // A text, or what no key takes: then the error is about the value, told of the variable or of the key.
        if let Err(message) = load("", &[(&name, "[[[]]]")]) {
            let is_about_it = message.contains(&name) || message.contains(&key.replace("__", "."));
            assert!(is_about_it && !message.contains("unknown"), "{message}");
        }
    }
}

#[test]
fn an_unknown_variable_names_the_nearest() {
    for (name, meant) in [
        (
            "GREENROOM_ENGINE__PING_INTERVALL",
            "GREENROOM_ENGINE__PING_INTERVAL",
        ),
        (
            "GREENROOM_ENGINE_PING_INTERVAL",
            "GREENROOM_ENGINE__PING_INTERVAL",
        ),
        ("GREENROOM_PING_TIMEOUT", "GREENROOM_ENGINE__PING_TIMEOUT"),
        ("GREENROOM_REDIS_URI", "GREENROOM_REDIS__URI"),
        ("GREENROOM_REDIS__URL", "GREENROOM_REDIS__URI"),
        (
            "GREENROOM_REDIS__PUBLISHURI",
            "GREENROOM_REDIS__PUBLISH_URI",
        ),
        (
            "GREENROOM_ENGINE__COOKIE__HTTPONLY",
            "GREENROOM_ENGINE__COOKIE__HTTP_ONLY",
        ),
        (
            "GREENROOM_HOST",
            "GREENROOM_SERVER__HOST or GREENROOM_REDIS__HOST",
        ),
    ] {
        assert_eq!(
            wrong(&[(name, "1")]),
            format!("environment variable {name} is unknown: did you mean {meant}?")
        );
    }
    let message = wrong(&[("GREENROOM_", "1")]);
    assert!(message.contains("is unknown: "), "{message}");
}

#[test]
fn a_wrong_value_names_its_variable_and_what_would_be_right() {
    for (name, value, part) in [
        ("GREENROOM_ENGINE__PING_INTERVAL", "25", "such as \"25s\""),
        (
            "GREENROOM_ENGINE__PING_INTERVAL",
            "soon",
            "`soon` is not a duration",
        ),
        ("GREENROOM_SERVER__PORT", "70000", "70000"),
        (
            "GREENROOM_REDIS__SUBSCRIPTION",
            "all",
            "`pattern` or `exact`",
        ),
        ("GREENROOM_REDIS__URI__X", "1", "expected a string"),
    ] {
        let message = wrong(&[(name, value)]);
        assert!(
            message.starts_with(&format!("environment variable {name} is wrong: ")),
            "{message}"
        );
        assert!(message.contains(part), "{message}");
    }
    // What is out of range is told by its key, wherever it came from.
    let message = wrong(&[("GREENROOM_SERVER__WORKERS", "5000")]);
    assert_eq!(message, "server.workers is 5000; the range is 0 to 1024");
}

#[test]
fn a_variable_repairs_what_is_out_of_range_in_the_file() {
    let file = "[server]\nworkers = 5000";
    let config = load(file, &[("GREENROOM_SERVER__WORKERS", "2")]).unwrap();
    assert_eq!(config.server.workers, 2);
    let message = load("[server]\nworker = 1", &[("PORT", "1")]).expect_err("a typo");
    assert!(
        message.contains("did you mean `workers`?") && message.contains("line 2"),
        "{message}"
    );
}

#[test]
fn the_address_of_the_environment_replaces_that_of_the_file() {
    let uri = |file: &str, variables: &[(&str, &str)]| {
        let config = load(file, variables).unwrap();
        let urls = config.redis.urls().unwrap();
        urls.map_or_else(|| "none".to_owned(), |urls| urls.publish.to_string())
    };
    let file = "[redis]\nhost = \"file\"\nport = 1";
    for (variables, expected) in [
        (&[][..], "redis://file:1"),
        (&[("REDIS_URL", "redis://other")], "redis://other:6379"),
        (&[("REDIS_URL", "")], "redis://file:1"),
        (
            &[
                ("GREENROOM_REDIS__URI", "redis://long"),
                ("REDIS_URL", "redis://other"),
            ],
            "redis://long:6379",
        ),
        (
            &[
                ("GREENROOM_REDIS__SOCKET", "/a.sock"),
                ("REDIS_URL", "redis://other"),
            ],
            "unix:///a.sock",
        ),
        (&[("GREENROOM_REDIS__PORT", "2")], "redis://localhost:2"),
        (
            &[("REDIS_PORT", "tcp://10.0.0.1:6379"), ("REDIS_HOST", "x")],
            "redis://file:1",
        ),
    ] {
        assert_eq!(uri(file, variables), expected);
    }
    assert_eq!(uri("", &[]), "none");
}

#[test]
fn variables_of_kubernetes_are_not_ours() {
    load(
        "",
        &[
            ("GREENROOM_PORT", "tcp://10.0.0.1:3000"),
            ("GREENROOM_PORT_3000_TCP", "tcp://10.0.0.1:3000"),
            ("GREENROOM_PORT_3000_TCP_ADDR", "10.0.0.1"),
            ("GREENROOM_PORT_3000_TCP_PORT", "3000"),
            ("GREENROOM_PORT_3000_TCP_PROTO", "tcp"),
            ("GREENROOM_SERVICE_HOST", "10.0.0.1"),
            ("GREENROOM_SERVICE_PORT", "3000"),
            ("GREENROOM_SERVICE_PORT_HTTP", "3000"),
            ("GREENROOM_ADMIN_SERVICE_HOST", "10.0.0.1"),
            ("GREENROOM_ADMIN_PORT", "tcp://10.0.0.1:3001"),
        ],
    )
    .unwrap();
    assert!(wrong(&[("GREENROOM_PORT", "3000")]).contains("GREENROOM_SERVER__PORT"));
}

#[test]
fn no_error_shows_a_password() {
    for (name, value) in [
        ("REDIS_URL", "redis://:hunter2cret@h:x"),
        ("REDIS_URL", "http://user:hunter2cret@h"),
        (
            "REDIS_URL",
            "redis+sentinel://h/?sentinel_password=hunter2cret",
        ),
        ("GREENROOM_REDIS__URI", "redis://:hunter2/cret@h"),
        ("GREENROOM_REDIS__URI", "[\"redis://:hunter2cret@h\"]"),
        ("GREENROOM_REDIS__URL", "redis://:hunter2cret@h"),
        ("GREENROOM_REDIS__SUBSCRIPTION", "redis://:hunter2cret@h"),
        ("GREENROOM_REDIS__LEASE", "redis://:hunter2cret@h"),
        ("GREENROOM_REDIS__HOST", "user:hunter2cret@h"),
        ("GREENROOM_REDIS__SOCKET", "redis://:hunter2cret@h"),
    ] {
        let message = wrong(&[(name, value)]);
        assert!(
            !message.contains("hunter2") && !message.contains("cret@"),
            "{message}"
        );
    }
    for file in [
        "[redis]\nuri = \"redis://:hunter2cret@h",
        "[redis]\nurl = \"redis://:hunter2cret@h\"",
        "[redis]\nuri = [\"redis://:hunter2cret@h\"]",
        "[redis]\nlease = \"redis://:hunter2cret@h\"",
        "[redis]\nuri = \"redis://:hunter2cret@h:x\"",
        "[redis]\nuri = \"redis://:hunter2cret@h\"\nport = 1",
        "[redis]\ndata_uri = \"redis://:hunter2cret@h\"",
        "[redis]\npublish_uri = \"hunter2cret@h\"",
        "[redis]\nuri = redis://:hunter2cret@h",
    ] {
        for variables in [&[][..], &[("PORT", "1")]] {
            let message = load(file, variables).expect_err(file);
            assert!(
                !message.contains("hunter2") && !message.contains("cret@"),
                "{message}"
            );
        }
    }
    let config = load("", &[("REDIS_URL", "redis://:hunter2cret@h")]).unwrap();
    assert!(!format!("{config:?} {config:#?}").contains("hunter2cret"));
}

/// A file with this in it, and the value of a variable that names it.
fn file_with(text: impl AsRef<[u8]>) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    (file, path)
}

#[test]
fn a_variable_may_name_the_file_that_has_the_value() {
    let (_uri, uri) = file_with("redis://:s3cret@h:1\n");
    let (_port, port) = file_with("81\r\n");
    for name in ["GREENROOM_REDIS__URI_FILE", "REDIS_URL_FILE"] {
        let config = load("", &[(name, &uri), ("GREENROOM_SERVER__PORT_FILE", &port)]).unwrap();
        assert_eq!(config.redis.uri, "redis://:s3cret@h:1");
        assert_eq!(config.server.port, 81);
    }
    // As variables, in their order: over the file of the settings, and the long name over the short one.
    let file = "[redis]\nuri = \"redis://file\"";
    for (variables, host) in [
        (&[("REDIS_URL_FILE", &*uri)][..], "h:1"),
        (
            &[
                ("GREENROOM_REDIS__URI_FILE", &uri),
                ("REDIS_URL", "redis://x"),
            ],
            "h:1",
        ),
        (
            &[
                ("REDIS_URL_FILE", &uri),
                ("GREENROOM_REDIS__URI", "redis://x"),
            ],
            "x",
        ),
        (&[("GREENROOM_REDIS__URI_FILE", "")], "file"),
    ] {
        let uri = load(file, variables).unwrap().redis.uri;
        assert!(uri.ends_with(host), "{variables:?}: {uri}");
    }
}

#[test]
fn a_file_that_a_variable_names_in_vain_is_told() {
    let (_empty, empty) = file_with("\n");
    let (_large, large) = file_with(vec![b'x'; 70_000]);
    let (_bytes, bytes) = file_with([0xff]);
    let (_port, port) = file_with("many");
    let (_uri, uri) = file_with("redis://:s3cret@");
    for (name, value, part) in [
        ("REDIS_URL_FILE", "/does/not/exist", "cannot be read"),
        ("REDIS_URL_FILE", "/", "cannot be read"),
        ("REDIS_URL_FILE", &bytes, "cannot be read"),
        ("REDIS_URL_FILE", &empty, "is empty"),
        ("REDIS_URL_FILE", &large, "more than 65536 bytes"),
        ("GREENROOM_SERVER__PORT_FILE", &port, "is wrong"),
        ("GREENROOM_SERVER__PROT_FILE", &port, "is unknown"),
    ] {
        let message = wrong(&[(name, value)]);
        assert!(
            message.contains(name) && message.contains(part),
            "{message}"
        );
    }
    let message = wrong(&[("GREENROOM_REDIS__URI_FILE", &uri)]);
    assert!(!message.contains("s3cret"), "{message}");
    let both = [
        ("GREENROOM_LOG__FILTER", "info"),
        ("GREENROOM_LOG__FILTER_FILE", &*port),
    ];
    let message = wrong(&both);
    assert!(
        message.contains("says the same as GREENROOM_LOG__FILTER"),
        "{message}"
    );
}
