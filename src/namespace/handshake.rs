//! What a client said when it came.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::pairs::Pairs;
use super::socket_state::SocketInner;
use crate::protocol::socketio::Value;

/// The HTTP request that opened a session, as handlers and hooks see it.
///
/// Shape (serialized, with the `auth` of the socket it belongs to): the `handshake` object of the
/// reference, `{headers, time, address, xdomain, secure, issued, url, query, auth}`, and `claims` if it has a token.
///
/// Source: `packages/socket.io/lib/socket-types.ts`, `Handshake`.
#[derive(Clone, Debug)]
pub struct Handshake {
    pub(crate) headers: Pairs,
    pub(crate) url: Box<str>,
    pub(crate) query: Pairs,
    pub(crate) address: Option<IpAddr>,
    pub(crate) secure: bool,
    pub(crate) issued: Duration,
}

impl Handshake {
    /// That of a client without a connection.
    pub(crate) fn of_nobody() -> Self {
        Self {
            headers: Pairs::default(),
            url: "/".into(),
            query: Pairs::default(),
            address: None,
            secure: false,
            issued: Duration::ZERO,
        }
    }

    /// The value of a header, by its lower-case name. Repeated headers are joined with `, `.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// All headers, names in lower case, as far as the limit `headers_bytes` kept them.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter()
    }

    /// The value of a query parameter of the handshake URL.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }

    /// All query parameters, in their order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter()
    }

    /// Path and query of the request.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of the client: that of the peer of the TCP connection, or what a proxy in `security.trusted_proxies`
    /// says.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// What limits per address count as one: an address, of IPv6 the network of 64 bits, all of which one customer has.
    pub(crate) fn counted_address(&self) -> Option<IpAddr> {
        self.address.map(|ip| match ip.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// Whether the connection is encrypted (TLS in this process).
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the request named an origin, which browsers do across domains.
    #[must_use]
    pub fn is_cross_domain(&self) -> bool {
        self.header("origin").is_some()
    }

    /// When it came, since the Unix epoch.
    #[must_use]
    pub const fn issued(&self) -> Duration {
        self.issued
    }
}

/// A handshake with the auth payload of one socket, as the object of the reference.
#[derive(Clone, Debug)]
pub(crate) struct HandshakeObject {
    handshake: Arc<Handshake>,
    auth: Value,
    /// Of its token, `null` without one. Ours alone; other servers ignore it.
    claims: Value,
}

impl HandshakeObject {
    pub(crate) fn new(socket: &SocketInner) -> Self {
        let auth = socket.auth.first().unwrap_or(Value::Null);
        let auth = if auth == Value::Null {
            Value::Object(IndexMap::new())
        } else {
            auth
        };
        Self {
            handshake: Arc::clone(&socket.handshake),
            auth,
            claims: socket
                .claims()
                .map_or(Value::Null, |claims| claims.all.clone()),
        }
    }

    /// From what another server says of one of its sockets. What is missing or of another type is empty:
    /// servers that are no Node.js send less.
    pub(crate) fn of_another_server(object: &Value) -> Self {
        let text = |key| object.member(key).and_then(Value::as_str);
        let pairs = |key| match object.member(key) {
            Some(Value::Object(members)) => members
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
                .collect(),
            _ => Pairs::default(),
        };
        let issued = match object.member("issued") {
            Some(Value::Number(ms)) => Duration::from_millis(ms.as_u64().unwrap_or_default()),
            _ => Duration::ZERO,
        };
        let handshake = Handshake {
            headers: pairs("headers"),
            url: text("url").unwrap_or_default().into(),
            query: pairs("query"),
            address: text("address").and_then(|address| address.parse().ok()),
            secure: object.member("secure") == Some(&Value::Bool(true)),
            issued,
        };
        Self {
            handshake: Arc::new(handshake),
            auth: object
                .member("auth")
                .cloned()
                .unwrap_or_else(|| Value::Object(IndexMap::new())),
            claims: object.member("claims").cloned().unwrap_or_default(),
        }
    }

    pub(crate) fn request(&self) -> &Handshake {
        &self.handshake
    }

    pub(crate) const fn claims(&self) -> &Value {
        &self.claims
    }

    pub(crate) const fn auth(&self) -> &Value {
        &self.auth
    }
}

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl Serialize for HandshakeObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let handshake = &*self.handshake;
        let has_claims = self.claims != Value::Null;
        let mut map = serializer.serialize_map(Some(9 + usize::from(has_claims)))?;
        map.serialize_entry("headers", &handshake.headers)?;
        map.serialize_entry("time", &http_date(handshake.issued))?;
        map.serialize_entry("address", &handshake.address.map(|ip| ip.to_string()))?;
        map.serialize_entry("xdomain", &handshake.is_cross_domain())?;
        map.serialize_entry("secure", &handshake.secure)?;
        map.serialize_entry(
            "issued",
            &u64::try_from(handshake.issued.as_millis()).unwrap_or(u64::MAX),
        )?;
        map.serialize_entry("url", &handshake.url)?;
        map.serialize_entry("query", &handshake.query)?;
        map.serialize_entry("auth", &self.auth)?;
        if has_claims {
            map.serialize_entry("claims", &self.claims)?;
        }
        map.end()
    }
}

/// Clients only show this text; the HTTP date is one that every language reads.
fn http_date(since_epoch: Duration) -> String {
    actix_web::http::header::HttpDate::from(SystemTime::UNIX_EPOCH + since_epoch).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_server_says_is_read_as_far_as_it_goes() {
        let node: Value = serde_json::from_value(serde_json::json!({
            "headers": {"host": "a", "set": ["b"]},
            "time": "Mon Nov 23 2026 09:01:19 GMT+0000 (Coordinated Universal Time)",
            "address": "::1",
            "xdomain": false,
            "secure": true,
            "issued": 1_763_000_000_123_u64,
            "url": "/socket.io/?EIO=4",
            "query": {"EIO": "4"},
            "auth": {"token": "t"},
        }))
        .unwrap();
        let object = HandshakeObject::of_another_server(&node);
        let request = object.request();
        assert_eq!(request.header("host"), Some("a"));
        assert_eq!(request.query("EIO"), Some("4"));
        assert_eq!(request.url(), "/socket.io/?EIO=4");
        assert_eq!(request.address(), Some([0, 0, 0, 0, 0, 0, 0, 1].into()));
        assert!(request.is_secure());
        assert_eq!(request.issued(), Duration::from_millis(1_763_000_000_123));
        assert_eq!(
            object.auth().member("token").and_then(Value::as_str),
            Some("t")
        );
        for less in [
            Value::Null,
            Value::from(1),
            serde_json::from_str("{}").unwrap(),
        ] {
            let object = HandshakeObject::of_another_server(&less);
            assert_eq!(object.request().url(), "");
            assert_eq!(*object.auth(), Value::Object(IndexMap::new()));
        }
    }

    #[test]
    fn it_has_the_shape_of_the_reference() {
        let handshake = Handshake {
            headers: [("host", "a"), ("origin", "http://b")]
                .into_iter()
                .collect(),
            url: "/socket.io/?EIO=4".into(),
            query: [("EIO", "4")].into_iter().collect(),
            address: Some([127, 0, 0, 1].into()),
            secure: false,
            issued: Duration::from_millis(1_763_000_000_123),
        };
        assert_eq!(
            serde_json::to_value(HandshakeObject {
                handshake: Arc::new(handshake),
                auth: Value::Null,
                claims: Value::Null,
            })
            .unwrap(),
            serde_json::json!({
                "headers": {"host": "a", "origin": "http://b"},
                "time": "Thu, 13 Nov 2025 02:13:20 GMT",
                "address": "127.0.0.1",
                "xdomain": true,
                "secure": false,
                "issued": 1_763_000_000_123_u64,
                "url": "/socket.io/?EIO=4",
                "query": {"EIO": "4"},
                "auth": null,
            })
        );
    }
}
