//! Which values make sense: the one place that judges them.

mod security;

use std::{ops::RangeInclusive, time::Duration};

use super::{
    ApiConfig, BackendConfig, Config, ConfigError, CookieConfig, CorsConfig, EngineConfig, Limits,
    Origins, RecoveryConfig, RedisConfig, ServerConfig, ShutdownConfig, SocketIoConfig,
    WebhooksConfig,
    syntax::{is_free_event, is_http_url, is_origin, is_token},
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
        backends(&self.backends)?;
        webhooks(&self.webhooks)?;
        api(&self.api)?;
        cors(&mut self.cors)?;
        security::all(&mut self)?;
        limits(&mut self.limits)?;
        shutdown(&self.shutdown)?;
        Ok(self)
    }
}

fn server(server: &mut ServerConfig) -> Checked {
    ensure(
        !server.host.is_empty(),
        "server.host",
        "is empty; it is an address such as \"127.0.0.1\" or \"0.0.0.0\"",
    )?;
    ensure(
        !server.internal_host.is_empty(),
        "server.internal_host",
        "is empty; it is an address such as \"127.0.0.1\" or \"0.0.0.0\"",
    )?;
    ensure(
        !(server.internal_port == Some(server.port)
            && server.port != 0
            && server.internal_host == server.host),
        "server.internal_port",
        "is server.port; without one, /metrics and its siblings are answered there",
    )?;
    within("server.workers", server.workers, 0..=1024)?;
    within("server.backlog", server.backlog, 1..=65_535)?;
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

fn backends(backends: &[BackendConfig]) -> Checked {
    for (n, backend) in backends.iter().enumerate() {
        let name = &backend.namespace;
        ensure(
            name.starts_with('/'),
            "backends.namespace",
            format!("is `{name}`; it begins with a slash"),
        )?;
        ensure(
            backends[..n].iter().all(|other| other.namespace != *name),
            "backends.namespace",
            format!("is `{name}` twice; a namespace has one backend"),
        )?;
        url("backends.url", &backend.url)?;
        let is_told = backend.connect || backend.disconnect || !backend.events.is_empty();
        ensure(
            is_told && backend.events.iter().all(|event| !event.is_empty()),
            "backends.events",
            format!(
                "is {:?}; it has names of events or \"*\", and is empty only with connect or disconnect",
                backend.events
            ),
        )?;
        lasts("backends.timeout", backend.timeout, SHORTEST)?;
        within("backends.concurrency", backend.concurrency, 1..=10_000)?;
        within(
            "backends.max_answer_bytes",
            backend.max_answer_bytes,
            1..=1 << 30,
        )?;
    }
    Ok(())
}

fn webhooks(webhooks: &WebhooksConfig) -> Checked {
    if !webhooks.url.is_empty() {
        url("webhooks.url", &webhooks.url)?;
    }
    ensure(
        !webhooks.events.is_empty(),
        "webhooks.events",
        "is empty; without an address nothing is told",
    )?;
    lasts("webhooks.timeout", webhooks.timeout, SHORTEST)?;
    lasts("webhooks.retry_for", webhooks.retry_for, Duration::ZERO)?;
    within("webhooks.queue", webhooks.queue, 1..=10_000_000)?;
    within("webhooks.concurrency", webhooks.concurrency, 1..=10_000)
}

fn url(key: &'static str, url: &str) -> Checked {
    ensure(
        is_http_url(url),
        key,
        format!(
            "is `{}`; it is `http://host/path` or `https://host/path`, without user, password and fragment",
            super::secrets::hidden(url)
        ),
    )
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

fn api(api: &ApiConfig) -> Checked {
    let is_sound = api.keys.iter().all(super::ApiKey::is_sound);
    ensure(
        is_sound,
        "api.keys",
        "has one that is no key; a key has 16 to 256 printable characters of ASCII without comma and space",
    )?;
    within("api.body_bytes", api.body_bytes, 1..=1 << 30)?;
    within("api.commands_per_batch", api.commands_per_batch, 1..=10_000)?;
    within("api.page_size", api.page_size, 1..=100_000)?;
    lasts("api.max_timeout", api.max_timeout, SHORTEST)?;
    within("api.answers", api.answers, 1..=10_000_000)?;
    within("api.answer_bytes", api.answer_bytes, 1..=1 << 30)?;
    within(
        "api.concurrent_requests",
        api.concurrent_requests,
        1..=1_000_000,
    )?;
    lasts("api.idempotency_window", api.idempotency_window, SHORTEST)?;
    within("api.idempotency_bytes", api.idempotency_bytes, 1..=1 << 30)
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

fn shutdown(shutdown: &ShutdownConfig) -> Checked {
    lasts("shutdown.timeout", shutdown.timeout, SHORTEST)?;
    ensure(
        shutdown.spread < shutdown.timeout,
        "shutdown.spread",
        format!(
            "is {:?}; it is less than shutdown.timeout, which is {:?}",
            shutdown.spread, shutdown.timeout
        ),
    )?;
    let event = &shutdown.notice_event;
    ensure(
        event.is_empty() || is_free_event(event),
        "shutdown.notice_event",
        format!("is {event:?}; it is a name of at most 255 bytes that the protocol has not taken"),
    )
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
mod tests;
