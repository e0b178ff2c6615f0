//! `[engine]`: the options of Engine.IO, under the reference's names in snake case.

use std::time::Duration;

use serde::Deserialize;

use super::values;

/// `[engine]`: Engine.IO, under the reference's names in snake case.
///
/// **Source**: `engine.io/lib/server.ts`, `ServerOptions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EngineConfig {
    /// Time between two pings to a client (from the client, with Engine.IO 3). Announced in the handshake. Those of many
    /// clients leave together, so that one may be up to 50 milliseconds late; less if 1/256 of this or of the timeout is.
    ///
    /// Default `"25s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub ping_interval: Duration,
    /// How long a pong may take; after that the session ends with `ping timeout`. Announced in the handshake.
    ///
    /// Default `"20s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub ping_timeout: Duration,
    /// How long a started upgrade may take; after that its WebSocket is closed and polling goes on.
    ///
    /// Default `"10s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub upgrade_timeout: Duration,
    /// Largest POST body and largest WebSocket message (all its fragments together) that a client may send.
    ///
    /// Announced as `maxPayload`. Exceeding it: HTTP 413, WebSocket close 1009; the session ends.
    /// Default 1000000 bytes, range 1 byte to 1 GiB.
    #[serde(deserialize_with = "values::size")]
    pub max_http_buffer_size: usize,
    /// Transports that a session may use.
    ///
    /// Default `["polling", "websocket"]`; at least one.
    pub transports: Transports,
    /// Whether a polling session may become a WebSocket one.
    ///
    /// Default `true`.
    pub allow_upgrades: bool,
    /// Whether clients of Engine.IO 3 (Socket.IO 1 and 2) are served too; then a missing `EIO` parameter means 3.
    ///
    /// Default `false`.
    pub allow_eio3: bool,
    /// Whether the endpoint is `/socket.io/` (`true`) or `/socket.io` without the slash.
    ///
    /// Default `true`.
    pub add_trailing_slash: bool,
    /// Cookie that carries the session id, set by the handshake, for load balancers that stick by cookie.
    ///
    /// Default none. An empty table gives `io=<sid>; Path=/; HttpOnly; SameSite=Lax`.
    pub cookie: Option<CookieConfig>,
    /// Compression of WebSocket messages (permessage-deflate, RFC 7692).
    pub per_message_deflate: DeflateConfig,
    /// Compression of polling responses (gzip, deflate).
    pub http_compression: CompressionConfig,
    /// Message that every session is sent directly after its handshake.
    ///
    /// Default none.
    pub initial_packet: Option<String>,
    /// The route of this node: text before every session id, by which a load balancer finds the node that has the session.
    ///
    /// Default empty: of a node that is given a name ([`RedisConfig::node`](super::RedisConfig::node)) the route is made
    /// of it; else the session ids name no node, and one node needs none. At most 24 characters of `A` to `Z`, `a` to
    /// `z`, `0` to `9`, `-`, `.`, `_` and `~`, with a dot at the end and different on each node: `"a."`, `"b."`.
    pub sid_prefix: String,
}

impl EngineConfig {
    /// How long a client may be silent before it is gone.
    pub(crate) fn longest_silence(&self) -> Duration {
        self.ping_interval + self.ping_timeout
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_http_buffer_size: 1_000_000,
            transports: Transports::default(),
            allow_upgrades: true,
            allow_eio3: false,
            add_trailing_slash: true,
            cookie: None,
            per_message_deflate: DeflateConfig::default(),
            http_compression: CompressionConfig::default(),
            initial_packet: None,
            sid_prefix: String::new(),
        }
    }
}

/// Transports that a session may use.
///
/// **Shape**: in the file a list of the names `"polling"` and `"websocket"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<TransportName>")]
pub struct Transports {
    /// HTTP long-polling.
    pub polling: bool,
    /// WebSocket.
    pub websocket: bool,
}

impl Default for Transports {
    fn default() -> Self {
        Self {
            polling: true,
            websocket: true,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TransportName {
    Polling,
    Websocket,
}

impl TryFrom<Vec<TransportName>> for Transports {
    type Error = &'static str;

    fn try_from(names: Vec<TransportName>) -> Result<Self, Self::Error> {
        if names.is_empty() {
            return Err("at least one transport is needed: \"polling\", \"websocket\" or both");
        }
        Ok(Self {
            polling: names.contains(&TransportName::Polling),
            websocket: names.contains(&TransportName::Websocket),
        })
    }
}

/// `[engine.cookie]`: the cookie that carries the session id.
///
/// **Source**: `engine.io/lib/server.ts`, `cookie`; attributes as in RFC 6265.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CookieConfig {
    /// Name of the cookie, a token in the sense of RFC 6265.
    ///
    /// Default `"io"`. Not empty.
    pub name: String,
    /// `Path`: below which paths the browser sends it.
    ///
    /// Default `"/"`. Empty leaves the attribute out.
    pub path: String,
    /// `HttpOnly`: hidden from scripts.
    ///
    /// Default `true`.
    pub http_only: bool,
    /// `SameSite`: whether requests from other sites carry it: `"strict"`, `"lax"` or `"none"`.
    ///
    /// Default `"lax"`. Browsers take `"none"` only together with [`secure`](Self::secure).
    pub same_site: SameSite,
    /// `Secure`: sent over HTTPS only.
    ///
    /// Default `false`.
    pub secure: bool,
    /// `Max-Age`: how long the browser keeps it, in whole seconds.
    ///
    /// Default none: until the browser is closed. Zero deletes it at once.
    #[serde(deserialize_with = "values::some_duration")]
    pub max_age: Option<Duration>,
    /// `Domain`: the host, with its subdomains, that it is sent to.
    ///
    /// Default none: only the host that set it.
    pub domain: Option<String>,
}

impl Default for CookieConfig {
    fn default() -> Self {
        Self {
            name: "io".to_owned(),
            path: "/".to_owned(),
            http_only: true,
            same_site: SameSite::Lax,
            secure: false,
            max_age: None,
            domain: None,
        }
    }
}

/// Whether requests from other sites carry a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Never.
    Strict,
    /// Only when the user follows a link.
    #[default]
    Lax,
    /// Always.
    None,
}

/// `[engine.per_message_deflate]`: compression of WebSocket messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DeflateConfig {
    /// Whether the extension is accepted when a client offers it.
    ///
    /// Default `false`, as in the reference: it costs CPU and memory per connection.
    pub enabled: bool,
    /// Messages smaller than this are sent as they are.
    ///
    /// Default 1024 bytes. Zero compresses everything.
    #[serde(deserialize_with = "values::size")]
    pub threshold: usize,
    /// Effort, from 1 (fast) to 9 (small).
    ///
    /// Default 6. Zero stores without compressing.
    pub level: u32,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            threshold: 1024,
            level: 6,
        }
    }
}

/// `[engine.http_compression]`: compression of polling responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CompressionConfig {
    /// Whether responses are compressed for clients that accept gzip or deflate.
    ///
    /// Default `true`.
    pub enabled: bool,
    /// Bodies smaller than this are sent as they are.
    ///
    /// Default 1024 bytes. Zero compresses everything.
    #[serde(deserialize_with = "values::size")]
    pub threshold: usize,
    /// Effort, from 1 (fast) to 9 (small).
    ///
    /// Default 6. Zero stores without compressing.
    pub level: u32,
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            threshold: 1024,
            level: 6,
        }
    }
}
