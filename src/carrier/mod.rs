//! # Carriers
//!
//! The two ways a WebSocket reaches a session, one seam: frames in, outbox out.
//!
//! | carrier | who has the TCP stream | used by |
//! |---|---|---|
//! | [`direct`] | we: read into one scratch buffer per worker, written by the hub's own loop, many with one call ([`ring`]) | [`crate::Server::run`] |
//! | [`mounted`] | actix-web: we get the request's payload and are its response body, which the hub writes past where it can ([`shortcut`]) | [`crate::Server::routes`] in anybody's `App` |
//!
//! Both decode with [`crate::protocol::websocket`]; neither knows what a packet is.

pub(crate) mod direct;
pub(crate) mod mounted;
pub(crate) mod outgoing;
pub(crate) mod raw;
#[cfg_attr(not(target_os = "linux"), path = "no_ring.rs")]
pub(crate) mod ring;
pub(crate) mod shortcut;

use std::any::Any;
use std::time::Duration;

use actix_rt::net::TcpStream;
use actix_web::dev::Extensions;
use actix_web::http::StatusCode;
use bytes::Bytes;

pub(crate) use direct::Direct;
pub(crate) use direct::n_goodbyes;
pub(crate) use mounted::Outlet;
pub(crate) use ring::{Ring, Send};
pub(crate) use shortcut::Shortcut;

use crate::protocol::engineio::HandshakeError;

/// A connection that a hub writes to itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Connection<'a> {
    /// Ours.
    Direct(&'a Direct),
    /// That of a response body.
    Shortcut(&'a Shortcut),
}

impl<'a> Connection<'a> {
    /// One write of a batch.
    pub(crate) fn send(self, bytes: &'a [u8]) -> Send<'a> {
        match self {
            Self::Direct(stream) => stream.send(bytes),
            Self::Shortcut(shortcut) => shortcut.send(bytes),
        }
    }
}

/// Prepares a connection that actix-web has accepted, if it is a plain TCP stream.
pub(crate) fn on_connect(connection: &dyn Any, data: &mut Extensions, heartbeat: Duration) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        direct::prepare(stream, heartbeat);
        shortcut::keep(stream, data);
    }
}

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
