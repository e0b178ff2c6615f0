//! The handshake: who is let in, and the packet that opens a session.

use std::fmt::Write;

use bytestring::ByteString;

use super::{BadRequest, HandshakeError, PacketType, Query, Sid, Transport, Transports};

/// The data of the open packet, the same in both revisions.
///
/// Shape: `{"sid":"…","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`.
///
/// Source: v4-current.md, "Handshake"; `onOpen` in `engine.io/lib/socket.ts` (v3 has `maxPayload` there too).
#[derive(Debug, Clone, Copy)]
pub struct Open<'a> {
    /// The private id of the session.
    pub sid: &'a Sid,
    /// See [`Transport::upgrades`].
    pub upgrades: &'a [Transport],
    /// Milliseconds.
    pub ping_interval_ms: u64,
    /// Milliseconds.
    pub ping_timeout_ms: u64,
    /// Bytes; `max_http_buffer_size` of the server.
    pub max_payload_bytes: usize,
}

impl Open<'_> {
    /// The whole packet: `0{"sid":…}`.
    #[must_use]
    pub fn packet(&self) -> ByteString {
        let mut packet = String::with_capacity(160);
        packet.push_str(PacketType::Open.as_text());
        self.write_json(&mut packet)
            .expect("a string takes every write");
        packet.into()
    }

    fn write_json(&self, out: &mut String) -> std::fmt::Result {
        let Self {
            sid,
            upgrades,
            ping_interval_ms,
            ping_timeout_ms,
            max_payload_bytes,
        } = self;
        // A sid and the names of transports hold no character that JSON escapes.
        write!(out, r#"{{"sid":"{}","upgrades":["#, sid.as_str())?;
        for (n, transport) in upgrades.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(out, r#"{comma}"{transport}""#)?;
        }
        write!(
            out,
            r#"],"pingInterval":{ping_interval_ms},"pingTimeout":{ping_timeout_ms},"maxPayload":{max_payload_bytes}}}"#
        )
    }
}

/// What [`verify`] has to know about an HTTP request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The parsed query string.
    pub query: &'a Query<'a>,
    /// The HTTP method, in capitals as on the wire.
    pub method: &'a str,
    /// Is it a WebSocket handshake?
    pub is_upgrade: bool,
    /// The `Origin` header, if there is one.
    pub origin: Option<&'a [u8]>,
    /// The transports that this server offers.
    pub enabled: Transports,
    /// Which transport the session of [`Query::sid`] uses now; `None` if this server does not know that session.
    pub session: Option<Transport>,
}

/// What a request that passed [`verify`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// A new session on this transport. Still to be asked, in this order: the application
    /// ([`HandshakeError::Forbidden`]), then [`Query::version`].
    Handshake(Transport),
    /// The known session: a poll, a POST, or the WebSocket of an upgrade. Whether the session has an upgrade already
    /// (then the WebSocket is closed) and whether the method suits (neither GET nor POST: 500) is for the session.
    Session(Transport),
}

/// Judges a request before any session sees it.
///
/// In this order, the first that applies:
///
/// | condition                                                | refusal                                  |
/// |----------------------------------------------------------|------------------------------------------|
/// | `transport` missing, unknown or not offered              | [`HandshakeError::UnknownTransport`]     |
/// | control character in `Origin`                            | [`BadRequest::InvalidOrigin`]            |
/// | `sid` given, session unknown                             | [`HandshakeError::UnknownSid`]           |
/// | `sid` given, no upgrade, session uses another transport  | [`BadRequest::TransportMismatch`]        |
/// | no `sid`, method is not GET                              | [`HandshakeError::BadHandshakeMethod`]   |
/// | no `sid`, `websocket`, no upgrade                        | [`BadRequest::MissingUpgrade`]           |
/// | upgrade, `polling`                                       | [`BadRequest::UnexpectedUpgrade`]        |
///
/// The last row is a WebSocket that opens and closes at once in the reference; here it does not open.
///
/// # Errors
/// As in the table.
///
/// Source: `verify`, `onWebSocket` and `checkInvalidHeaderChar` in `engine.io/lib/server.ts`.
pub fn verify(request: &Request<'_>) -> Result<Admission, HandshakeError> {
    let transport = request
        .query
        .transport()
        .and_then(|name| name.parse().ok())
        .filter(|&transport| request.enabled.contains(transport))
        .ok_or(HandshakeError::UnknownTransport)?;
    if request
        .origin
        .is_some_and(|origin| !is_header_value(origin))
    {
        return Err(HandshakeError::BadRequest(BadRequest::InvalidOrigin));
    }
    let admission = if request.query.sid().is_some() {
        let current = request.session.ok_or(HandshakeError::UnknownSid)?;
        if !request.is_upgrade && current != transport {
            return Err(HandshakeError::BadRequest(BadRequest::TransportMismatch));
        }
        Admission::Session(transport)
    } else {
        if request.method != "GET" {
            return Err(HandshakeError::BadHandshakeMethod);
        }
        if transport == Transport::Websocket && !request.is_upgrade {
            return Err(HandshakeError::BadRequest(BadRequest::MissingUpgrade));
        }
        Admission::Handshake(transport)
    };
    if request.is_upgrade && transport != Transport::Websocket {
        return Err(HandshakeError::BadRequest(BadRequest::UnexpectedUpgrade));
    }
    Ok(admission)
}

/// Visible characters, spaces and tabs, and bytes above ASCII.
fn is_header_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        Transport::{Polling, Websocket},
        *,
    };

    #[test]
    fn the_open_packet_is_the_json_of_the_reference_in_its_order() {
        let sid: Sid = "lv_VI97HAXpY6yYWAAAC0".parse().unwrap();
        for upgrades in [&[Websocket][..], &[], &[Websocket, Polling]] {
            let open = Open {
                sid: &sid,
                upgrades,
                ping_interval_ms: 25000,
                ping_timeout_ms: 20000,
                max_payload_bytes: 1_000_000,
            };
            let names: Vec<_> = upgrades
                .iter()
                .map(|transport| transport.as_str())
                .collect();
            let json = json!({
                "sid": "lv_VI97HAXpY6yYWAAAC0",
                "upgrades": names,
                "pingInterval": 25000,
                "pingTimeout": 20000,
                "maxPayload": 1_000_000,
            });
            assert_eq!(open.packet(), format!("0{json}"));
        }
    }

    struct Case {
        query: &'static str,
        method: &'static str,
        is_upgrade: bool,
        origin: Option<&'static [u8]>,
        session: Option<Transport>,
        enabled: Transports,
    }

    const GET: Case = Case {
        query: "EIO=4&transport=polling",
        method: "GET",
        is_upgrade: false,
        origin: None,
        session: None,
        enabled: Transports {
            polling: true,
            websocket: true,
        },
    };
    const UPGRADE: Case = Case {
        query: "EIO=4&transport=websocket",
        is_upgrade: true,
        ..GET
    };
    const POLL: Case = Case {
        query: "EIO=4&transport=polling&sid=x",
        session: Some(Polling),
        ..GET
    };
    const POLLING_ONLY: Transports = Transports {
        polling: true,
        websocket: false,
    };

    fn judge(case: &Case) -> Result<Admission, HandshakeError> {
        verify(&Request {
            query: &Query::parse(case.query),
            method: case.method,
            is_upgrade: case.is_upgrade,
            origin: case.origin,
            enabled: case.enabled,
            session: case.session,
        })
    }

    #[test]
    fn requests_that_are_let_in() {
        for (case, admission) in [
            (GET, Admission::Handshake(Polling)),
            (UPGRADE, Admission::Handshake(Websocket)),
            // The version is no matter of this judgement.
            (
                Case {
                    query: "transport=polling",
                    ..GET
                },
                Admission::Handshake(Polling),
            ),
            (
                Case {
                    origin: Some(b"http://example.com:80"),
                    ..GET
                },
                Admission::Handshake(Polling),
            ),
            (
                Case {
                    origin: Some("\u{e9}\t ".as_bytes()),
                    ..GET
                },
                Admission::Handshake(Polling),
            ),
            (
                Case {
                    origin: Some(b""),
                    ..GET
                },
                Admission::Handshake(Polling),
            ),
            (
                Case {
                    enabled: POLLING_ONLY,
                    ..GET
                },
                Admission::Handshake(Polling),
            ),
            (POLL, Admission::Session(Polling)),
            (
                Case {
                    method: "POST",
                    ..POLL
                },
                Admission::Session(Polling),
            ),
            (
                Case {
                    query: "transport=websocket&sid=x",
                    session: Some(Polling),
                    ..UPGRADE
                },
                Admission::Session(Websocket),
            ),
            (
                Case {
                    query: "transport=websocket&sid=x",
                    session: Some(Websocket),
                    ..UPGRADE
                },
                Admission::Session(Websocket),
            ),
        ] {
            assert_eq!(
                judge(&case),
                Ok(admission),
                "{} {}",
                case.method,
                case.query
            );
        }
    }

    #[test]
    fn requests_that_are_refused() {
        let bad = HandshakeError::BadRequest;
        for (case, err) in [
            (
                Case {
                    query: "EIO=4",
                    ..GET
                },
                HandshakeError::UnknownTransport,
            ),
            (
                Case {
                    query: "EIO=4&transport=abc",
                    ..GET
                },
                HandshakeError::UnknownTransport,
            ),
            (
                Case {
                    query: "EIO=4&transport=tobi",
                    ..GET
                },
                HandshakeError::UnknownTransport,
            ),
            (
                Case {
                    query: "transport=webtransport",
                    ..GET
                },
                HandshakeError::UnknownTransport,
            ),
            (
                Case {
                    query: "transport=constructor",
                    ..GET
                },
                HandshakeError::UnknownTransport,
            ),
            (
                Case {
                    enabled: POLLING_ONLY,
                    ..UPGRADE
                },
                HandshakeError::UnknownTransport,
            ),
            (
                Case {
                    origin: Some(b"http://a\0"),
                    ..GET
                },
                bad(BadRequest::InvalidOrigin),
            ),
            (
                Case {
                    origin: Some(b"\x7f"),
                    ..GET
                },
                bad(BadRequest::InvalidOrigin),
            ),
            (
                Case {
                    origin: Some(b"\n"),
                    ..POLL
                },
                bad(BadRequest::InvalidOrigin),
            ),
            (
                Case {
                    session: None,
                    ..POLL
                },
                HandshakeError::UnknownSid,
            ),
            (
                Case {
                    query: "transport=websocket&sid=x",
                    ..UPGRADE
                },
                HandshakeError::UnknownSid,
            ),
            (
                Case {
                    session: Some(Websocket),
                    ..POLL
                },
                bad(BadRequest::TransportMismatch),
            ),
            (
                Case {
                    query: "transport=websocket&sid=x",
                    session: Some(Polling),
                    ..GET
                },
                bad(BadRequest::TransportMismatch),
            ),
            (
                Case {
                    method: "POST",
                    ..GET
                },
                HandshakeError::BadHandshakeMethod,
            ),
            (
                Case {
                    method: "PUT",
                    ..GET
                },
                HandshakeError::BadHandshakeMethod,
            ),
            (
                Case {
                    method: "OPTIONS",
                    ..GET
                },
                HandshakeError::BadHandshakeMethod,
            ),
            (
                Case {
                    query: "transport=polling&sid=",
                    method: "POST",
                    ..GET
                },
                HandshakeError::BadHandshakeMethod,
            ),
            (
                Case {
                    is_upgrade: false,
                    ..UPGRADE
                },
                bad(BadRequest::MissingUpgrade),
            ),
            (
                Case {
                    is_upgrade: true,
                    ..GET
                },
                bad(BadRequest::UnexpectedUpgrade),
            ),
            (
                Case {
                    is_upgrade: true,
                    ..POLL
                },
                bad(BadRequest::UnexpectedUpgrade),
            ),
        ] {
            assert_eq!(judge(&case), Err(err), "{} {}", case.method, case.query);
        }
    }

    #[test]
    fn the_first_reason_in_the_order_of_the_reference_counts() {
        let everything = Case {
            query: "transport=abc&sid=x",
            method: "PUT",
            origin: Some(b"\0"),
            session: None,
            ..GET
        };
        assert_eq!(judge(&everything), Err(HandshakeError::UnknownTransport));
        let known_transport = Case {
            query: "transport=websocket&sid=x",
            ..everything
        };
        assert_eq!(
            judge(&known_transport),
            Err(HandshakeError::BadRequest(BadRequest::InvalidOrigin))
        );
        let good_origin = Case {
            origin: None,
            ..known_transport
        };
        assert_eq!(judge(&good_origin), Err(HandshakeError::UnknownSid));
        let no_sid = Case {
            query: "transport=websocket",
            ..good_origin
        };
        assert_eq!(judge(&no_sid), Err(HandshakeError::BadHandshakeMethod));
    }
}
