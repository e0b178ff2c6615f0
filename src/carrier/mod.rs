//! # Carriers
//!
//! The two ways a WebSocket reaches a session, one seam: frames in, outbox out.
//!
//! | carrier | who has the TCP stream | used by |
//! |---|---|---|
//! | [`direct`] | we: read into one scratch buffer per worker, written by the hub's own loop, many with one call ([`ring`]) | [`crate::Server::run`] |
//! | [`mounted`] | actix-web: we get the request's payload and are its response body | [`crate::Server::routes`] in anybody's `App` |
//!
//! Both decode with [`crate::protocol::websocket`]; neither knows what a packet is.

pub(crate) mod direct;
pub(crate) mod mounted;
pub(crate) mod outgoing;
pub(crate) mod raw;
#[cfg_attr(not(target_os = "linux"), path = "no_ring.rs")]
pub(crate) mod ring;

use actix_web::http::StatusCode;
use bytes::Bytes;

pub(crate) use direct::Direct;
pub(crate) use direct::n_goodbyes;
pub(crate) use mounted::Outlet;
pub(crate) use ring::{Ring, Send};

use crate::protocol::engineio::HandshakeError;

/// What a write left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Nothing is queued any more.
    All,
    /// The peer takes no more for now.
    Some,
    /// The connection is broken.
    Failed,
}

/// The answer to a handshake that is refused, as the reference writes it; what is unavailable here may be had elsewhere.
///
/// Source: `packages/engine.io/lib/server.ts`, `abortUpgrade`.
pub(crate) fn refusal(err: &HandshakeError) -> Bytes {
    let message = err.message();
    let status = StatusCode::from_u16(err.websocket_status()).unwrap_or(StatusCode::BAD_REQUEST);
    let retry_after = match err.retry_after() {
        Some(seconds) => format!("Retry-After: {seconds}\r\n"),
        None => String::new(),
    };
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{retry_after}Content-Type: text/html\r\nContent-Length: {}\r\n\r\n{message}",
        message.len()
    )
    .into()
}
