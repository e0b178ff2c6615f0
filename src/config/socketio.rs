//! `[socketio]` and `[recovery]`: Socket.IO on top of the engine.

use std::time::Duration;

use serde::Deserialize;

use super::values;

/// `[socketio]`: Socket.IO on top of Engine.IO.
///
/// **Source**: `socket.io/lib/index.ts`, `ServerOptions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SocketIoConfig {
    /// How long a client may stay without having joined a namespace; after that its session is closed.
    ///
    /// Default `"45s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub connect_timeout: Duration,
    /// Encoding of the packets; the clients must use the same: `"json"` or `"msgpack"`.
    ///
    /// Default `"json"`.
    pub parser: Parser,
    /// Whether a namespace that a pattern created is dropped when its last socket leaves.
    ///
    /// Default `false`, as in the reference.
    pub cleanup_empty_child_namespaces: bool,
    /// How long an emit waits for its acknowledgement when the caller does not say.
    ///
    /// Default `"10s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub default_ack_timeout: Duration,
}

impl Default for SocketIoConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            parser: Parser::Json,
            cleanup_empty_child_namespaces: false,
            default_ack_timeout: Duration::from_secs(10),
        }
    }
}

/// Encoding of Socket.IO packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Parser {
    /// Text with binary attachments: the default parser of every client.
    #[default]
    Json,
    /// MessagePack: the npm package `socket.io-msgpack-parser`.
    Msgpack,
}

/// `[recovery]`: connection state recovery.
///
/// A client that comes back within the window gets its id, rooms, data and missed packets back.
/// **Source**: `socket.io/lib/index.ts`, `connectionStateRecovery`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RecoveryConfig {
    /// Whether sessions can be recovered.
    ///
    /// Default `false`.
    pub enabled: bool,
    /// How long the session of a client that went away, and the packets it misses, are kept.
    ///
    /// Default `"2m"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub max_disconnection_duration: Duration,
    /// Whether a recovered socket goes past the middlewares of its namespace.
    ///
    /// Default `true`. With `false` every return is judged like a new connection.
    pub skip_middlewares: bool,
    /// Packets kept for replay, per namespace.
    ///
    /// Default 10000. When exceeded, the oldest is dropped; a client that misses a dropped packet starts anew
    /// (`recovered` is false). Zero is no limit.
    pub max_packets: usize,
    /// Bytes of the arguments and attachments of those packets, per namespace.
    ///
    /// Default `"64MB"`. When exceeded, the oldest are dropped, as above. Zero is no limit.
    #[serde(deserialize_with = "values::size")]
    pub max_bytes: usize,
    /// Sessions kept for clients that went away, in the whole process.
    ///
    /// Default 50000. When exceeded, the one that left first is dropped and starts anew. Zero is no limit.
    pub max_sessions: usize,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            max_disconnection_duration: Duration::from_secs(120),
            skip_middlewares: true,
            max_packets: 10_000,
            max_bytes: 64_000_000,
            max_sessions: 50_000,
        }
    }
}
