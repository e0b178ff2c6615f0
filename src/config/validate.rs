//! Which values make sense: the one place that judges them.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    Carrier, Config, ConfigError, CookieConfig, CorsConfig, EngineConfig, JwtConfig, Limits,
    Origins, Rate, RatesConfig, RecoveryConfig, RedisConfig, SecurityConfig, ServerConfig,
    SocketIoConfig, TlsConfig,
    syntax::{is_free_event, is_origin, is_token},
};

type Checked = Result<(), ConfigError>;

/// No timer is longer: in milliseconds it has to fit the 32 bits of a browser's `setTimeout`, with room to add two.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST: Duration = Duration::from_millis(1);

impl Config {
    /// Checks every value and brings it into its final form: the path without slashes at its end, origins in lower
    /// case, a limit of 0 as `usize::MAX`.
    ///
    /// What comes from a file has been through this already; settings made in code go through it when the server
    /// starts. Doing it twice changes nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] for the first value that is outside its range.
    pub fn validated(mut self) -> Result<Self, ConfigError> {
        server(&mut self.server)?;
        engine(&self.engine)?;
        socketio(&self.socketio)?;
        recovery(&mut self.recovery)?;
        redis(&mut self.redis)?;
        cors(&mut self.cors)?;
        tls(&self.tls, &self.server)?;
        security(&mut self.security, &self.server, &self.tls)?;
        jwt(&self.auth.jwt)?;
        rates(&self.rates)?;
        limits(&mut self.limits)?;
        Ok(self)
    }
}

fn server(server: &mut ServerConfig) -> Checked {
    ensure(
        !server.host.is_empty(),
        "server.host",
        "is empty; it is an address such as \"127.0.0.1\" or \"0.0.0.0\"",
    )?;
    within("server.workers", server.workers, 0..=1024)?;
    within("server.backlog", server.backlog, 1..=65_535)?;
    lasts(
        "server.shutdown_timeout",
        server.shutdown_timeout,
        Duration::ZERO,
    )?;
    server
        .path
        .truncate(server.path.trim_end_matches('/').len());
    let is_path_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()+,;=:@".contains(&byte);
    ensure(
        server.path.starts_with('/')
            && server.path.bytes().all(is_path_byte)
            && !server.path.contains("//"),
        "server.path",
        format!(
            "is `{}`; it begins with a slash, names at least one folder and needs no escapes",
            server.path
        ),
    )
}

fn engine(engine: &EngineConfig) -> Checked {
    lasts("engine.ping_interval", engine.ping_interval, SHORTEST)?;
    lasts("engine.ping_timeout", engine.ping_timeout, SHORTEST)?;
    lasts("engine.upgrade_timeout", engine.upgrade_timeout, SHORTEST)?;
    within(
        "engine.max_http_buffer_size",
        engine.max_http_buffer_size,
        1..=1 << 30,
    )?;
    ensure(
        engine.transports.polling || engine.transports.websocket,
        "engine.transports",
        "is empty; it has \"polling\", \"websocket\" or both",
    )?;
    within(
        "engine.per_message_deflate.level",
        engine.per_message_deflate.level,
        0..=9,
    )?;
    within(
        "engine.http_compression.level",
        engine.http_compression.level,
        0..=9,
    )?;
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    ensure(
        engine.sid_prefix.len() <= 24 && engine.sid_prefix.bytes().all(is_unreserved),
        "engine.sid_prefix",
        format!(
            "is `{}`; it has at most 24 characters of A-Z, a-z, 0-9, `-`, `.`, `_` and `~`",
            engine.sid_prefix
        ),
    )?;
    engine.cookie.as_ref().map_or(Ok(()), cookie)
}

/// **Source**: RFC 6265, section 4.1.1.
fn cookie(cookie: &CookieConfig) -> Checked {
    ensure(
        is_token(&cookie.name),
        "engine.cookie.name",
        format!(
            "is `{}`; it is a word without spaces and separators",
            cookie.name
        ),
    )?;
    let is_attribute = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
    };
    ensure(
        is_attribute(&cookie.path),
        "engine.cookie.path",
        format!("is `{}`; it is plain text without `;`", cookie.path),
    )?;
    let domain = cookie.domain.as_deref().unwrap_or("localhost");
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    ensure(
        !domain.is_empty() && domain.bytes().all(is_host_byte),
        "engine.cookie.domain",
        format!("is `{domain}`; it is the name of a host"),
    )
}

fn socketio(socketio: &SocketIoConfig) -> Checked {
    lasts(
        "socketio.connect_timeout",
        socketio.connect_timeout,
        SHORTEST,
    )?;
    lasts(
        "socketio.default_ack_timeout",
        socketio.default_ack_timeout,
        SHORTEST,
    )
}

fn recovery(recovery: &mut RecoveryConfig) -> Checked {
    for limit in [
        &mut recovery.max_packets,
        &mut recovery.max_bytes,
        &mut recovery.max_sessions,
    ] {
        zero_is_unlimited(limit);
    }
    lasts(
        "recovery.max_disconnection_duration",
        recovery.max_disconnection_duration,
        SHORTEST,
    )
}

fn redis(redis: &mut RedisConfig) -> Checked {
    zero_is_unlimited(&mut redis.publish_queue_bytes);
    redis.urls()?;
    ensure(
        !redis.key.is_empty() && !redis.key.contains(char::is_control),
        "redis.key",
        format!(
            "is {:?}; it is a text such as \"socket.io\", without control characters",
            redis.key
        ),
    )?;
    ensure(
        redis.node.len() <= 64 && redis.node.bytes().all(|byte| byte.is_ascii_graphic()),
        "redis.node",
        format!(
            "is {:?}; it has at most 64 printable ASCII characters, and no spaces",
            redis.node
        ),
    )?;
    const TENTH: Duration = Duration::from_millis(100);
    lasts("redis.lease", redis.lease, TENTH)?;
    lasts("redis.requests_timeout", redis.requests_timeout, SHORTEST)?;
    lasts("redis.canary_interval", redis.canary_interval, TENTH)?;
    lasts("redis.connect_timeout", redis.connect_timeout, SHORTEST)
}

fn cors(cors: &mut CorsConfig) -> Checked {
    match &mut cors.origins {
        Origins::Off | Origins::Any | Origins::Reflect => {}
        Origins::One(origin) => {
            origin.make_ascii_lowercase();
            ensure(
                is_origin(origin) && !origin.contains('*'),
                "cors.origins",
                format!(
                    "has `{origin}`; an origin is `https://host` or `https://host:port`, without a path"
                ),
            )?;
        }
        Origins::List(list) => {
            origins("cors.origins", list)?;
        }
    }
    for method in &cors.methods {
        ensure(
            is_token(method),
            "cors.methods",
            format!("has `{method}`, which is not a method"),
        )?;
    }
    for name in &cors.allowed_headers {
        ensure(
            is_token(name),
            "cors.allowed_headers",
            format!("has `{name}`, which is not a header"),
        )?;
    }
    for name in &cors.exposed_headers {
        ensure(
            is_token(name),
            "cors.exposed_headers",
            format!("has `{name}`, which is not a header"),
        )?;
    }
    within(
        "cors.options_success_status",
        cors.options_success_status,
        200..=299,
    )
}

/// Origins and patterns of origins, brought into lower case.
fn origins(key: &'static str, list: &mut [String]) -> Checked {
    for origin in list {
        origin.make_ascii_lowercase();
        ensure(
            is_origin(origin),
            key,
            format!(
                "has `{origin}`; an origin is `https://host` or `https://host:port`, without a path, and `*` stands for \
                 its first label or for its port"
            ),
        )?;
    }
    Ok(())
}

fn tls(tls: &TlsConfig, server: &ServerConfig) -> Checked {
    let is_empty = |path: &std::path::Path| path.as_os_str().is_empty();
    ensure(
        is_empty(&tls.cert) == is_empty(&tls.key),
        if is_empty(&tls.key) {
            "tls.key"
        } else {
            "tls.cert"
        },
        "is empty; certificate and key are given together",
    )?;
    ensure(
        !tls.is_on() || server.carrier == Carrier::Mounted,
        "tls.cert",
        "needs server.carrier = \"mounted\": the direct carrier reads the TCP connection itself",
    )
}

fn security(security: &mut SecurityConfig, server: &ServerConfig, tls: &TlsConfig) -> Checked {
    origins("security.allowed_origins", &mut security.allowed_origins)?;
    ensure(
        !server.proxy_protocol || !security.trusted_proxies.is_empty(),
        "server.proxy_protocol",
        "is true, but security.trusted_proxies is empty: it says from which addresses the PROXY header is believed",
    )?;
    ensure(
        !server.proxy_protocol || server.carrier == Carrier::Direct || tls.is_on(),
        "server.proxy_protocol",
        "needs server.carrier = \"direct\", or tls",
    )
}

fn jwt(jwt: &JwtConfig) -> Checked {
    let n_secret = jwt.secret.as_bytes().len();
    let n_keys = [
        n_secret > 0,
        !jwt.public_key.as_os_str().is_empty(),
        !jwt.jwks.is_empty(),
    ]
    .into_iter()
    .filter(|is_given| *is_given)
    .count();
    ensure(
        jwt.namespaces.is_empty() || n_keys > 0,
        "auth.jwt.namespaces",
        "needs a key: one of auth.jwt.secret, public_key and jwks",
    )?;
    ensure(
        n_keys < 2,
        "auth.jwt",
        "has several of secret, public_key and jwks; it has one",
    )?;
    for name in &jwt.namespaces {
        let plain = name.strip_suffix('*').unwrap_or(name);
        ensure(
            name == "*" || (plain.starts_with('/') && !plain.contains('*')),
            "auth.jwt.namespaces",
            format!("has `{name}`; it is `/`, `/chat`, `/game-*` or `*`"),
        )?;
    }
    // Source: RFC 7518, section 3.2.
    ensure(
        n_secret == 0 || n_secret >= 32,
        "auth.jwt.secret",
        format!("has {n_secret} bytes; it has at least 32"),
    )?;
    ensure(
        !jwt.token.is_empty(),
        "auth.jwt.token",
        "is empty; it names a member of the payload",
    )?;
    ensure(
        is_free_event(&jwt.refresh_event),
        "auth.jwt.refresh_event",
        format!(
            "is {:?}; it is a name of at most 255 bytes that the protocol has not taken",
            jwt.refresh_event
        ),
    )?;
    lasts(
        "auth.jwt.jwks_refresh",
        jwt.jwks_refresh,
        Duration::from_secs(1),
    )?;
    lasts("auth.jwt.jwks_cooldown", jwt.jwks_cooldown, SHORTEST)?;
    lasts("auth.jwt.leeway", jwt.leeway, Duration::ZERO)?;
    lasts("auth.jwt.grace", jwt.grace, Duration::ZERO)
}

fn rates(rates: &RatesConfig) -> Checked {
    let named = rates
        .events
        .values()
        .map(|rate| ("rates.events", Some(*rate)));
    let all = [
        ("rates.session_events", rates.session_events),
        ("rates.session_bytes", rates.session_bytes),
        ("rates.address_handshakes", rates.address_handshakes),
        ("rates.address_events", rates.address_events),
    ];
    for (key, rate) in all.into_iter().chain(named) {
        if let Some(problem) = rate.and_then(Rate::problem) {
            ensure(false, key, problem)?;
        }
    }
    for (key, percent) in [
        ("rates.warn_over", Some(rates.warn_over)),
        ("rates.drop_over", rates.drop_over),
        ("rates.disconnect_over", rates.disconnect_over),
    ] {
        within(key, percent.unwrap_or_default(), 0..=10_000)?;
    }
    let event = &rates.notice_event;
    ensure(
        event.is_empty() || is_free_event(event),
        "rates.notice_event",
        format!("is {event:?}; it is a name of at most 255 bytes that the protocol has not taken"),
    )
}

fn limits(limits: &mut Limits) -> Checked {
    lasts(
        "limits.time_to_complete_packet",
        limits.time_to_complete_packet,
        SHORTEST,
    )?;
    lasts(
        "limits.time_to_complete_head",
        limits.time_to_complete_head,
        SHORTEST,
    )?;
    for limit in [
        &mut limits.attachments_per_packet,
        &mut limits.message_fragments,
        &mut limits.packets_per_payload,
        &mut limits.namespaces_per_session,
        &mut limits.rooms_per_socket,
        &mut limits.room_name_bytes,
        &mut limits.event_name_bytes,
        &mut limits.namespace_name_bytes,
        &mut limits.child_namespaces,
        &mut limits.outbox_bytes,
        &mut limits.handler_queue,
        &mut limits.pending_acks_per_socket,
        &mut limits.connections,
        &mut limits.connections_per_ip,
        &mut limits.half_open,
        &mut limits.silent_connections,
        &mut limits.headers_bytes,
    ] {
        zero_is_unlimited(limit);
    }
    Ok(())
}

fn zero_is_unlimited(limit: &mut usize) {
    if *limit == 0 {
        *limit = usize::MAX;
    }
}

fn ensure(is_right: bool, key: &'static str, problem: impl Into<String>) -> Checked {
    if is_right {
        Ok(())
    } else {
        Err(ConfigError::Value {
            key,
            problem: problem.into(),
        })
    }
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Checked {
    let problem = format!(
        "is {value}; the range is {} to {}",
        range.start(),
        range.end()
    );
    ensure(range.contains(&value), key, problem)
}

fn lasts(key: &'static str, value: Duration, shortest: Duration) -> Checked {
    let problem = format!("is {value:?}; the range is {shortest:?} to 24 hours");
    ensure((shortest..=LONGEST).contains(&value), key, problem)
}

#[cfg(test)]
mod tests {
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
                "server.shutdown_timeout",
                problem(|config| config.server.shutdown_timeout = ages),
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
}
