//! `[limits]`: a cap on everything that a peer can fill.

use std::time::Duration;

use serde::Deserialize;

use super::values;

/// `[limits]`: a cap on everything that a peer can fill.
///
/// What exceeds one is refused with a reason that the client can read, logged at debug and counted by cause
/// ([`Server::counters`](crate::Server::counters)).
/// In the file `0` is "no limit", which is `usize::MAX` here ([`Config::validated`](super::Config::validated) turns one
/// into the other); only the two times cannot be switched off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Binary attachments of one packet.
    ///
    /// Default 10, as in the reference (`socket.io-parser`). Exceeded: the session ends with `forced close`.
    pub attachments_per_packet: usize,
    /// Fragments of one WebSocket message.
    ///
    /// Default 16384: a message of `max_http_buffer_size` in pieces of 64 bytes. Exceeded: close 1008.
    pub message_fragments: usize,
    /// Time from the first piece of a message to its last: fragments of a WebSocket message, attachments of a packet,
    /// the body of a POST.
    ///
    /// Default `"60s"`, range 1 millisecond to 24 hours: a message of 1 MB on a line of 140 kbit/s. Exceeded: the session
    /// ends with `transport error` and close code 1008; a POST is answered 408.
    #[serde(deserialize_with = "values::duration")]
    pub time_to_complete_packet: Duration,
    /// Time that the head of a request may take, from the connection on.
    ///
    /// Default `"5s"`, range 1 millisecond to 24 hours. Exceeded: answered 408. Inside an `App` of your own it is that of
    /// your `HttpServer`.
    #[serde(deserialize_with = "values::duration")]
    pub time_to_complete_head: Duration,
    /// Packets of one polling payload.
    ///
    /// Default 10000: what a client that was cut off may have buffered. Exceeded: the session ends with `parse
    /// error`.
    pub packets_per_payload: usize,
    /// Namespaces that one session may be in at once, attempts included.
    ///
    /// Default 64. Exceeded: CONNECT is answered with CONNECT_ERROR.
    pub namespaces_per_session: usize,
    /// Rooms of one socket besides the one of its own id.
    ///
    /// Default 1000. Exceeded: the room is not joined, which is logged and counted; `Socket::is_in` tells.
    pub rooms_per_socket: usize,
    /// Bytes of a room's name.
    ///
    /// Default 255. Exceeded: the room is not joined, which is logged and counted; `Socket::is_in` tells.
    #[serde(deserialize_with = "values::size")]
    pub room_name_bytes: usize,
    /// Bytes of an event's name.
    ///
    /// Default 255. Exceeded: the event is refused, and so its acknowledgement if one was asked for.
    #[serde(deserialize_with = "values::size")]
    pub event_name_bytes: usize,
    /// Namespaces that clients made by asking for a name that a pattern matches, in the process.
    ///
    /// Default 10000. At it those that nobody is in are dropped; exceeded even so: CONNECT is answered with
    /// CONNECT_ERROR.
    pub child_namespaces: usize,
    /// Bytes of a namespace's name, its slash included.
    ///
    /// Default 255. Exceeded: CONNECT is answered with CONNECT_ERROR.
    #[serde(deserialize_with = "values::size")]
    pub namespace_name_bytes: usize,
    /// Bytes queued for one session that its client has not taken.
    ///
    /// Default `"4MB"`: four messages of `max_http_buffer_size`, or some seconds of a busy room for a client on a slow
    /// line. Exceeded: the session ends with `transport error`; the client may reconnect.
    #[serde(deserialize_with = "values::size")]
    pub outbox_bytes: usize,
    /// Messages that wait for one handler actor.
    ///
    /// Default 4096. Exceeded: nothing more is read from a client whose event does not fit, until it does.
    pub handler_queue: usize,
    /// Acknowledgements that one socket may owe us.
    ///
    /// Default 10000. Exceeded: the emit fails at once, with an error to the handler.
    pub pending_acks_per_socket: usize,
    /// Sessions of the process; and WebSockets without an engine ([`WebSocketRoute`](crate::WebSocketRoute)), of each path.
    ///
    /// Default 100000. Exceeded: the handshake is answered 503, with `too many connections`.
    pub connections: usize,
    /// Sessions per IP address, of IPv6 per network of 64 bits.
    ///
    /// Default 0. Behind a proxy it needs [`security.trusted_proxies`](super::SecurityConfig::trusted_proxies), or all clients
    /// have the address of the proxy. Exceeded: the handshake is answered 503, with `too many connections`.
    pub connections_per_ip: usize,
    /// Sessions that have not joined a namespace yet.
    ///
    /// Default 10000. Exceeded: the handshake is answered 503, with `too many connections`. `connect_timeout` empties it.
    pub half_open: usize,
    /// TCP connections of the process that have not sent a whole head of a request yet.
    ///
    /// Default 10000. Exceeded: answered 503, with `too many connections`. `time_to_complete_head` empties it. Inside an
    /// `App` of your own it does not hold.
    pub silent_connections: usize,
    /// Bytes of request headers that are kept of a handshake for handlers to read.
    ///
    /// Default `"16KiB"`. Exceeded: the headers that do not fit are left out.
    #[serde(deserialize_with = "values::size")]
    pub headers_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attachments_per_packet: 10,
            message_fragments: 16_384,
            time_to_complete_packet: Duration::from_secs(60),
            time_to_complete_head: Duration::from_secs(5),
            packets_per_payload: 10_000,
            namespaces_per_session: 64,
            rooms_per_socket: 1000,
            room_name_bytes: 255,
            event_name_bytes: 255,
            namespace_name_bytes: 255,
            child_namespaces: 10_000,
            outbox_bytes: 4_000_000,
            handler_queue: 4096,
            pending_acks_per_socket: 10_000,
            connections: 100_000,
            connections_per_ip: usize::MAX,
            half_open: 10_000,
            silent_connections: 10_000,
            headers_bytes: 16 * 1024,
        }
    }
}
