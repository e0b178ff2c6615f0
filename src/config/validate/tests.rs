//! Values at the ends of their ranges and beyond.

use super::*;

fn problem(change: impl FnOnce(&mut Config)) -> String {
    let mut config = Config::default();
    change(&mut config);
    config
        .validated()
        .expect_err("a value is wrong")
        .to_string()
}

#[test]
fn values_outside_their_range_are_refused_by_name() {
    let none = Duration::ZERO;
    let ages = Duration::from_secs(86_401);
    let cookie = |change: fn(&mut CookieConfig)| {
        move |config: &mut Config| change(config.engine.cookie.insert(CookieConfig::default()))
    };
    for (key, message) in [
        ("server.host", problem(|config| config.server.host.clear())),
        (
            "server.workers",
            problem(|config| config.server.workers = 1025),
        ),
        (
            "server.backlog",
            problem(|config| config.server.backlog = 0),
        ),
        (
            "shutdown.timeout",
            problem(|config| config.shutdown.timeout = ages),
        ),
        (
            "shutdown.spread",
            problem(|config| config.shutdown.spread = config.shutdown.timeout),
        ),
        (
            "shutdown.notice_event",
            problem(|config| config.shutdown.notice_event = "x".repeat(256)),
        ),
        (
            "engine.ping_interval",
            problem(|config| config.engine.ping_interval = none),
        ),
        (
            "engine.ping_timeout",
            problem(|config| config.engine.ping_timeout = ages),
        ),
        (
            "engine.upgrade_timeout",
            problem(|config| config.engine.upgrade_timeout = none),
        ),
        (
            "engine.max_http_buffer_size",
            problem(|config| config.engine.max_http_buffer_size = 0),
        ),
        (
            "engine.transports",
            problem(|config| {
                config.engine.transports.polling = false;
                config.engine.transports.websocket = false;
            }),
        ),
        (
            "engine.per_message_deflate.level",
            problem(|config| config.engine.per_message_deflate.level = 10),
        ),
        (
            "engine.http_compression.level",
            problem(|config| config.engine.http_compression.level = 10),
        ),
        (
            "engine.sid_prefix",
            problem(|config| config.engine.sid_prefix = "a/b".to_owned()),
        ),
        (
            "engine.sid_prefix",
            problem(|config| config.engine.sid_prefix = "a".repeat(25)),
        ),
        (
            "engine.cookie.name",
            problem(cookie(|cookie| cookie.name = "a b".to_owned())),
        ),
        (
            "engine.cookie.name",
            problem(cookie(|cookie| cookie.name.clear())),
        ),
        (
            "engine.cookie.path",
            problem(cookie(|cookie| cookie.path = "/;x".to_owned())),
        ),
        (
            "engine.cookie.domain",
            problem(cookie(|cookie| cookie.domain = Some(String::new()))),
        ),
        (
            "socketio.connect_timeout",
            problem(|config| config.socketio.connect_timeout = none),
        ),
        (
            "socketio.default_ack_timeout",
            problem(|config| config.socketio.default_ack_timeout = ages),
        ),
        (
            "recovery.max_disconnection_duration",
            problem(|config| {
                config.recovery.max_disconnection_duration = none;
            }),
        ),
        (
            "cors.methods",
            problem(|config| config.cors.methods.push("GET,PUT".to_owned())),
        ),
        (
            "cors.allowed_headers",
            problem(|config| config.cors.allowed_headers.push(String::new())),
        ),
        (
            "cors.exposed_headers",
            problem(|config| config.cors.exposed_headers.push("a\r\nb".to_owned())),
        ),
        (
            "cors.options_success_status",
            problem(|config| config.cors.options_success_status = 404),
        ),
        (
            "limits.time_to_complete_packet",
            problem(|config| config.limits.time_to_complete_packet = none),
        ),
        (
            "limits.time_to_complete_head",
            problem(|config| config.limits.time_to_complete_head = none),
        ),
    ] {
        assert!(message.starts_with(&format!("{key} ")), "{key}: {message}");
    }
}

#[test]
fn a_path_needs_a_name_and_loses_its_slash() {
    let path = |text: &str| {
        let mut config = Config::default();
        config.server.path = text.to_owned();
        config.validated().map(|config| config.server.path).ok()
    };
    assert_eq!(path("/socket.io").as_deref(), Some("/socket.io"));
    assert_eq!(path("/a/b//").as_deref(), Some("/a/b"));
    for wrong in [
        "",
        "/",
        "//",
        "socket.io",
        "/{id}",
        "/a b",
        "/a?b",
        "/a#b",
        "/a//b",
        "/ä",
        "/a%2f",
    ] {
        assert_eq!(path(wrong), None, "{wrong}");
    }
}

#[test]
fn an_origin_that_would_never_match_is_refused() {
    assert!(
        problem(|config| config.cors.origins = Origins::One("https://a.example/".to_owned()))
            .contains("a.example/")
    );
    assert!(
        problem(|config| config.cors.origins = Origins::One("https://*.a".to_owned()))
            .contains("*.a")
    );
}

#[test]
fn origins_are_compared_in_lower_case() {
    let mut config = Config::default();
    config.cors.origins = Origins::List(vec!["HTTPS://Example.com".to_owned()]);
    let config = config.validated().unwrap();
    assert_eq!(
        config.cors.origins,
        Origins::List(vec!["https://example.com".to_owned()])
    );
}

#[test]
fn a_limit_of_zero_is_no_limit() {
    let mut config = Config::default();
    config.limits.outbox_bytes = 0;
    config.recovery.max_sessions = 0;
    let config = config.validated().unwrap();
    assert_eq!(config.limits.outbox_bytes, usize::MAX);
    assert_eq!(config.recovery.max_sessions, usize::MAX);
}
