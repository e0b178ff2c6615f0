//! From an HTTP request to a handshake.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::{Method, Uri};

use super::connection::Head;
use super::headers::Headers;
use super::proxies;
use super::tls::Encrypted;
use crate::clock;
use crate::metrics::Counter;
use crate::namespace::{Handshake, Pairs};
use crate::protocol::engineio::Query;
use crate::server::Shared;

/// What is known of a request, whoever took it in.
pub(crate) struct Facts<'a> {
    pub(crate) headers: Headers<'a>,
    /// Path and query.
    pub(crate) url: &'a str,
    pub(crate) method: &'a Method,
    /// The query string, without its question mark.
    pub(crate) query: &'a str,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) secure: bool,
}

impl<'a> Facts<'a> {
    /// Of a request inside an actix-web `App`.
    pub(crate) fn of_app(request: &'a HttpRequest) -> Self {
        Self {
            headers: Headers::Map(request.headers()),
            url: url(request.uri()),
            method: request.method(),
            query: request.query_string(),
            peer: request.peer_addr(),
            secure: request.app_config().secure() || request.conn_data::<Encrypted>().is_some(),
        }
    }

    /// Of a request that we have read ourselves.
    pub(crate) fn of_head(head: &'a Head, peer: Option<SocketAddr>) -> Self {
        Self {
            headers: Headers::Lines(head),
            url: head.target(),
            method: head.method(),
            query: head.query(),
            peer,
            secure: false,
        }
    }

    /// Of a request to our own listener that actix-http has read.
    pub(crate) fn of_listener(request: &'a actix_http::Request) -> Self {
        Self {
            headers: Headers::Map(&request.head().headers),
            url: url(request.uri()),
            method: request.method(),
            query: request.uri().query().unwrap_or_default(),
            peer: request.peer_addr(),
            secure: false,
        }
    }

    /// What a session remembers of its first request.
    pub(crate) fn remember(&self, shared: &Shared, query: &Query<'_>) -> Arc<Handshake> {
        Arc::new(Handshake {
            headers: kept_headers(self.headers, shared),
            url: self.url.into(),
            query: query.pairs().collect(),
            address: self.peer.map(|peer| {
                let proxies = &shared.config.security.trusted_proxies;
                proxies::client(proxies, peer.ip(), self.headers)
            }),
            secure: self.secure,
            issued: clock::now(),
        })
    }
}

fn url(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |url| url.as_str())
}

/// The headers as Node has them: lower-case names, repeated ones joined; as many as the limit holds.
fn kept_headers(all: Headers<'_>, shared: &Shared) -> Pairs {
    let limit = shared.limits().headers_bytes;
    let mut headers: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(16);
    let (mut bytes, mut n_left_out) = (0, 0_usize);
    for (name, value) in all.iter() {
        let value = String::from_utf8_lossy(value);
        let size = name.len() + value.len();
        if bytes + size > limit {
            n_left_out += 1;
            continue;
        }
        bytes += size;
        match headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = format!("{known}, {value}").into(),
            None => headers.push((name, value)),
        }
    }
    if n_left_out > 0 {
        shared.metrics.count(Counter::HeadersLeftOut);
        log::debug!("headers are left out why=too many bytes headers={n_left_out} limit={limit}");
    }
    headers.into_iter().collect()
}
