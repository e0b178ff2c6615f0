//! What is counted: refusals and failures by cause, named once; and how long things take that are done now and then.
//!
//! None of these is on the delivery path: a counter that all workers write would be a cache line that
//! all workers share.

mod durations;

use std::sync::atomic::{AtomicU64, Ordering};

use bytestring::ByteString;

pub(crate) use durations::{BOUNDS_MS, Durations, Timings};

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// A cause that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Counter { $($(#[$doc])* $variant,)* }

        impl Counter {
            /// Its name.
            pub(crate) const fn name(self) -> &'static str {
                NAMES[self as usize]
            }
        }

        const NAMES: &[&str] = &[$($name),*];
    };
}

counters! {
    /// Handshakes refused with one of the six numbered errors.
    HandshakeRefused => "handshake_refused",
    /// Of them: requests of pages of other origins.
    OriginRefused => "origin_refused",
    /// Requests for sessions of other nodes; refused with the error 1.
    ForeignSession => "foreign_session",
    /// Connections and handshakes refused because a cap on connections was met, or the server ends.
    ConnectionRefused => "connection_refused",
    /// Connections closed because no whole head of a request came in time.
    NoRequest => "no_request",
    /// Connections of proxies closed because they did not begin with a PROXY header.
    NoProxyHeader => "no_proxy_header",
    /// Connections closed because no TLS came of them.
    TlsFailed => "tls_failed",
    /// Sessions ended because the client sent what is no packet.
    ParseError => "parse_error",
    /// Sessions ended because a packet or message did not become complete in time.
    IncompletePacket => "incomplete_packet",
    /// Handshakes of which headers were left out, because they were too large to be kept.
    HeadersLeftOut => "headers_left_out",
    /// Sessions ended because nothing was heard of the client.
    PingTimeout => "ping_timeout",
    /// Sessions ended because they joined no namespace in time.
    ConnectTimeout => "connect_timeout",
    /// Upgrades that did not end in time or went wrong.
    UpgradeFailed => "upgrade_failed",
    /// Sessions ended because two polls or two posts overlapped, or one was broken off.
    PollingBroken => "polling_broken",
    /// Messages or bodies larger than the limit.
    TooLarge => "too_large",
    /// WebSocket connections ended for a violation of RFC 6455.
    WebsocketViolation => "websocket_violation",
    /// Sessions ended because the client did not read what waited for it.
    SlowConsumer => "slow_consumer",
    /// Namespaces refused: unknown, or too many.
    NamespaceRefused => "namespace_refused",
    /// Sockets refused by a middleware or a handler.
    SocketRefused => "socket_refused",
    /// Tokens refused, of those who came and of those who sent a fresh one.
    TokenRefused => "token_refused",
    /// Sockets disconnected because their token had expired.
    TokenExpired => "token_expired",
    /// Times that the keys of tokens could not be read.
    JwksFailed => "jwks_failed",
    /// Rooms refused by a limit.
    RoomRefused => "room_refused",
    /// Events refused by a middleware or for their name.
    EventRefused => "event_refused",
    /// Packets that came while their client was over a rate, and passed.
    RateWarned => "rate_warned",
    /// Packets dropped because their client was over a rate.
    RateDropped => "rate_dropped",
    /// Sessions closed because their client was over a rate.
    RateDisconnected => "rate_disconnected",
    /// Handshakes refused because their address was over its rate.
    RateHandshake => "rate_handshake",
    /// Events nobody handles.
    UnhandledEvent => "unhandled_event",
    /// Events whose arguments do not parse.
    ArgumentsRefused => "arguments_refused",
    /// Events that waited because the queue of their handler was full.
    HandlerFull => "handler_full",
    /// Events refused because their handler had stopped.
    HandlerGone => "handler_gone",
    /// Handlers started anew after they stopped.
    HandlerRestarted => "handler_restarted",
    /// Acks that a handler dropped.
    ForgottenAck => "forgotten_ack",
    /// Answers of clients that came too late or that nobody asked for.
    UnknownAck => "unknown_ack",
    /// Emits with ack refused because the client owed too many.
    AckRefused => "ack_refused",
    /// Clients that did not answer in time.
    AckTimeout => "ack_timeout",
    /// Connection states restored.
    Recovered => "recovered",
    /// Events of other servers that nobody handles.
    UnhandledServerEvent => "unhandled_server_event",
    /// Messages of the cluster that make no sense.
    ClusterJunk => "cluster_junk",
    /// Messages of other wires on our channels.
    ClusterForeign => "cluster_foreign",
    /// Answers of other servers that came too late or that nobody asked for.
    UnknownAnswer => "unknown_answer",
    /// Calls that a backend did not answer in time.
    BackendTimeout => "backend_timeout",
    /// Calls of a backend whose turn did not come in time.
    BackendBusy => "backend_busy",
    /// Calls that did not reach a backend, or whose connection broke.
    BackendUnreachable => "backend_unreachable",
    /// Calls that a backend answered with a status that is none of success.
    BackendStatus => "backend_status",
    /// Calls that a backend answered with more than it may.
    BackendTooLarge => "backend_too_large",
    /// Calls that a backend answered with what makes no sense.
    BackendGarbage => "backend_garbage",
    /// Tries to deliver a webhook that failed.
    WebhookFailed => "webhook_failed",
    /// Webhooks that were given up.
    WebhookDead => "webhook_dead",
    /// Webhooks that were not sent because their queue was full.
    WebhookDropped => "webhook_dropped",
    /// Requests of backends that were refused.
    ApiRefused => "api_refused",
}

/// How many numbered errors Engine.IO has for handshakes.
pub(crate) const N_HANDSHAKE_CODES: usize = 6;

/// The counters of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    causes: [AtomicU64; NAMES.len()],
    /// Refused handshakes by the number of the error.
    refused: [AtomicU64; N_HANDSHAKE_CODES],
    /// Requests to the HTTP API: the command, the class of the status.
    pub(crate) api: Timings<(&'static str, &'static str)>,
    /// Calls of backends: the namespace that was configured, the result.
    pub(crate) backend: Timings<(ByteString, &'static str)>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            causes: [const { AtomicU64::new(0) }; NAMES.len()],
            refused: [const { AtomicU64::new(0) }; N_HANDSHAKE_CODES],
            api: Timings::default(),
            backend: Timings::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn count(&self, counter: Counter) {
        self.causes[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A handshake was refused with a numbered error.
    pub(crate) fn count_refused(&self, code: u8) {
        self.count(Counter::HandshakeRefused);
        if let Some(n) = self.refused.get(usize::from(code)) {
            n.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self, counter: Counter) -> u64 {
        self.causes[counter as usize].load(Ordering::Relaxed)
    }

    /// How many handshakes each numbered error has refused.
    pub(crate) fn refused(&self) -> [u64; N_HANDSHAKE_CODES] {
        std::array::from_fn(|code| self.refused[code].load(Ordering::Relaxed))
    }

    /// All counters with their names.
    pub(crate) fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.iter().copied().zip(
            self.causes
                .iter()
                .map(|counter| counter.load(Ordering::Relaxed)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_under_their_names() {
        let metrics = Metrics::default();
        metrics.count(Counter::ParseError);
        metrics.count(Counter::Recovered);
        metrics.count(Counter::Recovered);
        let counted: Vec<_> = metrics.read().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counted, [("parse_error", 1), ("recovered", 2)]);
    }

    #[test]
    fn refused_handshakes_are_counted_by_their_number_too() {
        let metrics = Metrics::default();
        for code in [1, 1, 5, 6] {
            metrics.count_refused(code);
        }
        assert_eq!(metrics.refused(), [0, 2, 0, 0, 0, 1]);
        assert_eq!(metrics.get(Counter::HandshakeRefused), 4);
    }
}
