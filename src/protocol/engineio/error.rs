//! What can be wrong with a peer's bytes, a handshake or a configured sid prefix.

use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

/// A packet or payload that breaks the protocol.
///
/// The session that sent it ends with the reason `parse error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A packet without type: an empty text frame, an empty v3 binary frame, nothing between two separators.
    #[error("empty packet")]
    EmptyPacket,
    /// The first byte is no packet type of this form.
    #[error("unknown packet type 0x{0:02x}")]
    UnknownType(u8),
    /// Base64 with a symbol of no alphabet, or cut within a byte.
    #[error("invalid base64")]
    InvalidBase64,
    /// A string packet of the v3 binary form is not UTF-8.
    #[error("invalid utf-8")]
    InvalidUtf8,
    /// A v3 payload without a single byte.
    #[error("empty payload")]
    EmptyPayload,
    /// The length in front of a v3 packet is missing, no number, or not ended.
    #[error("invalid packet length")]
    InvalidLength,
    /// A v3 packet is shorter than its length, or its length ends within a character.
    #[error("packet does not match its length")]
    LengthMismatch,
    /// The kind in front of a packet of the v3 binary form is neither 0 (string) nor 1 (binary).
    #[error("unknown packet kind 0x{0:02x}")]
    UnknownKind(u8),
    /// A v4 payload came as `application/octet-stream`.
    #[error("binary payload in protocol version 4")]
    BinaryPayload,
    /// More packets in one payload than the server takes.
    #[error("more than {max} packets in one payload")]
    TooManyPackets {
        /// The cap that was exceeded.
        max: usize,
    },
}

/// A handshake, or a request for a session, that is refused before any session sees it.
///
/// `Display` is for the log. The client sees [`Self::message`] within [`Self::body`]:
///
/// | code | message                      | status | variant                        |
/// |------|------------------------------|--------|--------------------------------|
/// | 0    | Transport unknown            | 400    | [`Self::UnknownTransport`]     |
/// | 1    | Session ID unknown           | 400    | [`Self::UnknownSid`]           |
/// | 2    | Bad handshake method         | 400    | [`Self::BadHandshakeMethod`]   |
/// | 3    | Bad request                  | 400    | [`Self::BadRequest`]           |
/// | 4    | Forbidden, or a text of the application | 403 | [`Self::Forbidden`]     |
/// | 5    | Unsupported protocol version | 400    | [`Self::UnsupportedVersion`]   |
///
/// Three more are ours, without numbers of their own, with code 4: [`Self::OriginNotAllowed`] with status 403,
/// [`Self::TooManyRequests`] with 429, and [`Self::Unavailable`] with 503, so that a load balancer tries another node.
///
/// Source: `errors`, `errorMessages`, `abortRequest` and `abortUpgrade` in `engine.io/lib/server.ts`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// `transport` is missing, unknown or not offered by this server.
    #[error("transport unknown")]
    UnknownTransport,
    /// No session of this server has that `sid`.
    #[error("session id unknown")]
    UnknownSid,
    /// A request without `sid` that is not a GET.
    #[error("bad handshake method")]
    BadHandshakeMethod,
    /// Anything else that contradicts the protocol.
    #[error("bad request: {0}")]
    BadRequest(BadRequest),
    /// The application refused, with its own words if it has some.
    #[error("forbidden: {}", .0.as_deref().unwrap_or("no reason given"))]
    Forbidden(Option<String>),
    /// The request comes from a page of another origin.
    #[error("origin not allowed")]
    OriginNotAllowed,
    /// The address has opened too many sessions in a short time. It may open another after this time.
    #[error("too many requests")]
    TooManyRequests(Duration),
    /// `EIO` is neither 4 nor, where that is allowed, 3 or missing.
    #[error("unsupported protocol version")]
    UnsupportedVersion,
    /// This server takes no session now, for this reason; another may.
    #[error("unavailable: {0}")]
    Unavailable(&'static str),
}

/// Why a request is a [`HandshakeError::BadRequest`]. The client is not told, the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadRequest {
    /// The `Origin` header holds a control character.
    #[error("invalid origin header")]
    InvalidOrigin,
    /// A plain request names another transport than its session uses.
    #[error("transport does not match the session")]
    TransportMismatch,
    /// `transport=websocket` without a WebSocket handshake.
    #[error("websocket transport without upgrade")]
    MissingUpgrade,
    /// A WebSocket handshake for a transport that has none.
    #[error("upgrade to a transport that is no websocket")]
    UnexpectedUpgrade,
    /// A hook or an earlier layer of the server failed.
    #[error("middleware failure")]
    Middleware,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u8,
    message: &'a str,
}

impl HandshakeError {
    /// The number in the body, 0 to 5.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSid => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest(_) => 3,
            Self::Forbidden(_)
            | Self::OriginNotAllowed
            | Self::TooManyRequests(_)
            | Self::Unavailable(_) => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    /// The HTTP status of a plain request. A refused WebSocket handshake is 400 whatever the error, but for
    /// the three that are ours; see [`Self::websocket_status`].
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Forbidden(_) | Self::OriginNotAllowed => 403,
            Self::TooManyRequests(_) => 429,
            Self::Unavailable(_) => 503,
            Self::UnknownTransport
            | Self::UnknownSid
            | Self::BadHandshakeMethod
            | Self::BadRequest(_)
            | Self::UnsupportedVersion => 400,
        }
    }

    /// The HTTP status of a refused WebSocket handshake.
    #[must_use]
    pub const fn websocket_status(&self) -> u16 {
        match self {
            Self::OriginNotAllowed | Self::TooManyRequests(_) | Self::Unavailable(_) => {
                self.status()
            }
            Self::Forbidden(_)
            | Self::UnknownTransport
            | Self::UnknownSid
            | Self::BadHandshakeMethod
            | Self::BadRequest(_)
            | Self::UnsupportedVersion => 400,
        }
    }

    /// The value of `Retry-After`, in seconds: when it is worth trying again, if that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests(wait) => {
                // Who comes after that is not too early.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Some(seconds.max(1))
            }
            _ => None,
        }
    }

    /// What the client is told. It is also the whole body (`text/html`) of a refused WebSocket handshake.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest(_) => "Bad request",
            Self::Forbidden(Some(message)) if !message.is_empty() => message,
            Self::Forbidden(_) => "Forbidden",
            Self::OriginNotAllowed => "Origin not allowed",
            Self::TooManyRequests(_) => "Too many requests",
            Self::UnsupportedVersion => "Unsupported protocol version",
            Self::Unavailable(why) => why,
        }
    }

    /// The body of a refused plain request, `application/json`.
    ///
    /// Shape: `{"code":0,"message":"Transport unknown"}`.
    #[must_use]
    pub fn body(&self) -> String {
        serde_json::to_string(&ErrorBody {
            code: self.code(),
            message: self.message(),
        })
        .expect("a number and a string always serialize")
    }

    /// A fixed word per cause, to count refusals by.
    #[must_use]
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::UnknownTransport => "unknown_transport",
            Self::UnknownSid => "unknown_sid",
            Self::BadHandshakeMethod => "bad_handshake_method",
            Self::BadRequest(BadRequest::InvalidOrigin) => "invalid_origin",
            Self::BadRequest(BadRequest::TransportMismatch) => "transport_mismatch",
            Self::BadRequest(BadRequest::MissingUpgrade) => "missing_upgrade",
            Self::BadRequest(BadRequest::UnexpectedUpgrade) => "unexpected_upgrade",
            Self::BadRequest(BadRequest::Middleware) => "middleware",
            Self::Forbidden(_) => "forbidden",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::TooManyRequests(_) => "too_many_requests",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// A configured sid prefix that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SidPrefixError {
    /// Longer than a sid has room for.
    #[error("sid prefix of {len} bytes, at most {max} are possible")]
    TooLong {
        /// Bytes given.
        len: usize,
        /// Bytes possible.
        max: usize,
    },
    /// A character that would have to be escaped in a URL or a cookie.
    #[error("sid prefix with {0:?}, only letters, digits, '-', '.', '_' and '~' are possible")]
    Character(char),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_the_body_and_status_of_the_reference() {
        let table = [
            (
                HandshakeError::UnknownTransport,
                400,
                r#"{"code":0,"message":"Transport unknown"}"#,
            ),
            (
                HandshakeError::UnknownSid,
                400,
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (
                HandshakeError::BadHandshakeMethod,
                400,
                r#"{"code":2,"message":"Bad handshake method"}"#,
            ),
            (
                HandshakeError::BadRequest(BadRequest::TransportMismatch),
                400,
                r#"{"code":3,"message":"Bad request"}"#,
            ),
            (
                HandshakeError::Forbidden(None),
                403,
                r#"{"code":4,"message":"Forbidden"}"#,
            ),
            (
                HandshakeError::Forbidden(Some(String::new())),
                403,
                r#"{"code":4,"message":"Forbidden"}"#,
            ),
            (
                HandshakeError::Forbidden(Some("Thou \"shall\" not pass".into())),
                403,
                r#"{"code":4,"message":"Thou \"shall\" not pass"}"#,
            ),
            (
                HandshakeError::UnsupportedVersion,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
        ];
        for (err, status, body) in table {
            assert_eq!((err.status(), err.body().as_str()), (status, body));
        }
    }

    #[test]
    fn the_log_learns_the_cause_that_the_client_does_not() {
        let err = HandshakeError::BadRequest(BadRequest::InvalidOrigin);
        assert_eq!(err.message(), "Bad request");
        assert_eq!(err.to_string(), "bad request: invalid origin header");
        assert_eq!(err.cause(), "invalid_origin");
    }
}
