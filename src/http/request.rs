//! From an HTTP request to a handshake.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix_web::http::header::HeaderMap;

use super::RequestHead;
use crate::namespace::Handshake;
use crate::protocol::engineio::Query;
use crate::server::Shared;

/// What a session remembers of its first request.
pub(crate) fn handshake(
    shared: &Shared,
    head: &RequestHead<'_>,
    query: &Query<'_>,
    peer: Option<SocketAddr>,
    secure: bool,
) -> Arc<Handshake> {
    Arc::new(Handshake {
        headers: headers(head.headers, shared.config.limits.headers_bytes),
        url: head.url.into(),
        query: query
            .pairs()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        address: peer.map(|peer| peer.ip()),
        secure,
        issued: now(),
    })
}

/// The headers as Node has them: lower-case names, repeated ones joined; as many as `limit` bytes hold.
fn headers(map: &HeaderMap, limit: usize) -> Box<[(Box<str>, Box<str>)]> {
    let mut headers: Vec<(Box<str>, Box<str>)> = Vec::with_capacity(map.len());
    let mut bytes = 0;
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes());
        bytes += name.as_str().len() + value.len();
        if bytes > limit {
            break;
        }
        match headers
            .iter_mut()
            .find(|(known, _)| **known == *name.as_str())
        {
            Some((_, known)) => *known = format!("{known}, {value}").into(),
            None => headers.push((name.as_str().into(), value.into())),
        }
    }
    headers.into()
}

#[expect(
    clippy::disallowed_methods,
    reason = "handshakes carry the time of day"
)]
fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
