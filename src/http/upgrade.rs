//! WebSocket handshakes, on both carriers.

use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::Endpoint;
use super::arrivals::TOO_MANY;
use super::headers::Headers;
use super::request::Facts;
use crate::carrier;
use crate::carrier::raw::{self, Io, WebSocketRoute};
use crate::carrier::{Direct, Shortcut, mounted};
use crate::hub;
use crate::metrics::Counter;
use crate::namespace::Handshake;
use crate::protocol::engineio::{
    Admission, BadRequest, HandshakeError, ProtocolVersion, Query, Sid,
};
use crate::protocol::websocket::{self, Negotiated};
use crate::session::{self, Command, Offer, Opening, Session, Wire};
use crate::throttle::throttled;

/// Whether a request wants to leave HTTP for WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    let values = |name| headers.get_all(name).map(HeaderValue::as_bytes);
    websocket::has_token(values(header::CONNECTION), "upgrade")
        && websocket::has_token(values(header::UPGRADE), "websocket")
}

/// What a WebSocket request turned out to be.
enum Accepted {
    New {
        handshake: Arc<Handshake>,
        version: ProtocolVersion,
        sid: Sid,
        is_base64: bool,
    },
    Upgrade {
        sid: Sid,
    },
}

/// A handshake that will be answered with 101.
struct Admitted {
    accepted: Accepted,
    accept_key: [u8; 28],
    negotiated: Option<Negotiated>,
    headers: HeaderMap,
}

/// Everything that may refuse a WebSocket, in the order of the reference.
async fn admit(endpoint: &Endpoint, facts: &Facts<'_>) -> Result<Admitted, HandshakeError> {
    let shared = &endpoint.shared;
    let query = Query::parse(facts.query);
    let (admission, sid) = endpoint.verify(facts, &query, true).await?;
    let (accept_key, negotiated) = accept(endpoint, facts.headers)
        .map_err(|_| HandshakeError::BadRequest(BadRequest::MissingUpgrade))?;
    let accepted = match (admission, sid) {
        (Admission::Session(_), Some(sid)) => Accepted::Upgrade { sid },
        (Admission::Session(_) | Admission::Handshake(_), _) => {
            let handshake = facts.remember(shared, &query);
            shared.admit_address(&handshake)?;
            if let Some(allow) = &shared.hooks.allow_request {
                allow(Arc::clone(&handshake))
                    .await
                    .map_err(|refusal| HandshakeError::Forbidden(Some(refusal.message)))?;
            }
            let version = query.version(shared.config.engine.allow_eio3)?;
            if !shared.admit_connection(&handshake) {
                return Err(HandshakeError::Unavailable(shared.why_refused()));
            }
            let sid = Sid::generate(&shared.sid_prefix, hub::here(shared).borrow().index);
            Accepted::New {
                handshake,
                version,
                sid,
                is_base64: !query.is_binary_supported(),
            }
        }
    };
    let mut extra = HeaderMap::new();
    let new_sid = match &accepted {
        Accepted::New { sid, .. } => Some(sid.as_str()),
        Accepted::Upgrade { .. } => None,
    };
    endpoint.decorate(&mut extra, facts, new_sid);
    Ok(Admitted {
        accepted,
        accept_key,
        negotiated,
        headers: extra,
    })
}

/// What is said to a WebSocket handshake as such: the answer to its key, and the extension.
fn accept(
    endpoint: &Endpoint,
    headers: Headers<'_>,
) -> Result<([u8; 28], Option<Negotiated>), websocket::HandshakeError> {
    let accept_key =
        websocket::accept_upgrade(|name| headers.get_all(HeaderName::from_static(name)))?;
    let negotiated = if endpoint.shared.config.engine.per_message_deflate.enabled {
        websocket::negotiate(headers.texts(header::SEC_WEBSOCKET_EXTENSIONS))?
    } else {
        None
    };
    Ok((accept_key, negotiated))
}

/// Whether there is a WebSocket without an engine at `path`.
pub(super) fn is_raw(endpoints: &[Endpoint], path: &str) -> bool {
    raw_at(endpoints, path).is_some()
}

fn raw_at<'a>(endpoints: &'a [Endpoint], path: &str) -> Option<(&'a Endpoint, &'a WebSocketRoute)> {
    endpoints.iter().find_map(|endpoint| {
        let mut routes = endpoint.shared.websockets.iter();
        Some((endpoint, routes.find(|route| route.path == path)?))
    })
}

/// A request that wants to leave HTTP, and its connection, with what came behind the request.
pub(super) async fn taken_over(
    endpoints: &[Endpoint],
    path: &str,
    facts: &Facts<'_>,
    stream: Rc<Direct>,
    early: Vec<u8>,
) {
    if let Some((endpoint, route)) = raw_at(endpoints, path) {
        return direct_raw(endpoint, route, facts, stream, early);
    }
    match Endpoint::at(endpoints, path) {
        Some(endpoint) => direct(endpoint, facts, stream, early).await,
        None => {
            let answer = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            stream.end(vec![answer.into()], true);
        }
    }
}

/// A WebSocket on a stream that we have taken over.
async fn direct(endpoint: &Endpoint, facts: &Facts<'_>, stream: Rc<Direct>, early: Vec<u8>) {
    let shared = &endpoint.shared;
    let admitted = match admit(endpoint, facts).await {
        Ok(admitted) => admitted,
        Err(err) => {
            shared.metrics.count_refused(err.code());
            log::debug!(
                "a websocket is refused code={} why={}",
                err.code(),
                err.cause()
            );
            return stream.end(vec![carrier::refusal(&err)], true);
        }
    };
    let head = switching(&admitted.accept_key, admitted.negotiated, &admitted.headers);
    let negotiated = admitted.negotiated;
    match admitted.accepted {
        Accepted::New {
            handshake,
            version,
            sid,
            is_base64,
        } => {
            let wire = Wire::Direct {
                stream,
                head: Some(head),
                early,
                negotiated,
            };
            let opening = Opening {
                handshake,
                version,
                sid,
                is_base64,
                wire: Some(wire),
            };
            Session::open(&hub::here(shared), opening);
        }
        Accepted::Upgrade { sid } => {
            // Nobody else has it yet.
            let Some(stream) = stream.into_stream() else {
                return;
            };
            match stream.into_std() {
                Ok(stream) => {
                    let offer = Offer::Direct {
                        stream,
                        head,
                        early,
                        negotiated,
                        metrics: Arc::clone(&shared.metrics),
                    };
                    endpoint.to_session(&sid, Command::Upgrade(offer));
                }
                Err(err) => throttled!(
                    warn,
                    "a connection cannot be moved to its session err={err}"
                ),
            }
        }
    }
}

/// The answer to a handshake that is accepted.
fn switching(accept_key: &[u8; 28], negotiated: Option<Negotiated>, extra: &HeaderMap) -> Bytes {
    let mut head = String::with_capacity(192);
    head.push_str(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    head.push_str(std::str::from_utf8(accept_key).unwrap_or_default());
    head.push_str("\r\n");
    if let Some(negotiated) = negotiated {
        // Writing to a string cannot fail.
        let _ = write!(
            head,
            "Sec-WebSocket-Extensions: {}\r\n",
            negotiated.header_value()
        );
    }
    let mut head = head.into_bytes();
    for (name, value) in extra {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}

/// A WebSocket inside an actix-web `App`.
pub(super) async fn mounted(
    request: &HttpRequest,
    payload: web::Payload,
    endpoint: &Endpoint,
) -> HttpResponse {
    let shared = &endpoint.shared;
    let facts = Facts::of_app(request);
    let refuse = |err: &HandshakeError| {
        shared.metrics.count_refused(err.code());
        log::debug!(
            "a websocket is refused code={} why={}",
            err.code(),
            err.cause()
        );
        let status =
            StatusCode::from_u16(err.websocket_status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = HttpResponse::build(status);
        if let Some(seconds) = err.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response
            .content_type("text/html")
            .force_close()
            .body(err.message().to_owned())
    };
    let admitted = match admit(endpoint, &facts).await {
        Ok(admitted) => admitted,
        Err(err) => return refuse(&err),
    };
    let Ok(mut response) = mounted::handshake(request) else {
        return refuse(&HandshakeError::BadRequest(BadRequest::MissingUpgrade));
    };
    if let Some(negotiated) = admitted.negotiated {
        response.insert_header(("sec-websocket-extensions", negotiated.header_value()));
    }
    for (name, value) in &admitted.headers {
        response.append_header((name.clone(), value.clone()));
    }
    let outlet = session::outlet(Shortcut::of(request));
    let negotiated = admitted.negotiated;
    match admitted.accepted {
        Accepted::New {
            handshake,
            version,
            sid,
            is_base64,
        } => {
            let wire = Wire::Mounted {
                outlet: Arc::clone(&outlet),
                payload: Some(payload),
                negotiated,
            };
            let opening = Opening {
                handshake,
                version,
                sid,
                is_base64,
                wire: Some(wire),
            };
            Session::open(&hub::here(shared), opening);
        }
        Accepted::Upgrade { sid } => {
            let (accepted, is_accepted) = oneshot::channel();
            let offer = Offer::Mounted {
                outlet: Arc::clone(&outlet),
                accepted,
                negotiated,
            };
            endpoint.to_session(&sid, Command::Upgrade(offer));
            match is_accepted.await {
                Ok(Ok(Some((carrier, session)))) => {
                    let decoder = websocket::Decoder::new(shared.websocket_limits(), negotiated);
                    session::read_mounted(payload, decoder, carrier, session);
                }
                // The outlet has a close frame, and nobody listens.
                Ok(Ok(None)) => {}
                Ok(Err(err)) => return refuse(&err),
                Err(_) => return refuse(&HandshakeError::UnknownSid),
            }
        }
    }
    response.streaming(mounted::Body(outlet))
}

fn raw_env(endpoint: &Endpoint) -> raw::Env {
    let limits = endpoint.shared.limits();
    raw::Env {
        metrics: Arc::clone(&endpoint.shared.metrics),
        time_to_complete: limits.time_to_complete_packet,
        max_connections: limits.connections,
    }
}

/// A WebSocket without an engine, on a stream that we have taken over.
fn direct_raw(
    endpoint: &Endpoint,
    route: &WebSocketRoute,
    facts: &Facts<'_>,
    stream: Rc<Direct>,
    early: Vec<u8>,
) {
    if let Err(err) = endpoint.check_origin(facts) {
        endpoint.shared.metrics.count(Counter::HandshakeRefused);
        return stream.end(vec![carrier::refusal(&err)], true);
    }
    match accept(endpoint, facts.headers) {
        Ok((accept_key, negotiated)) => {
            let env = raw_env(endpoint);
            let Some(place) = route.admit(&env) else {
                return stream.end(vec![TOO_MANY.into()], true);
            };
            // If it does not fit into the empty send buffer, what follows will show it.
            let _ = stream.write_now(&[switching(&accept_key, negotiated, &HeaderMap::new())]);
            route.start(Io::Direct(stream), early, negotiated, (env, place));
        }
        Err(err) => {
            endpoint.shared.metrics.count(Counter::HandshakeRefused);
            log::debug!("a raw websocket is refused why={err}");
            let mut answer = format!(
                "HTTP/1.1 {} {err}\r\nConnection: close\r\nContent-Length: 0\r\n",
                err.status()
            );
            for (name, value) in err.headers() {
                // Writing to a string cannot fail.
                let _ = write!(answer, "{name}: {value}\r\n");
            }
            answer.push_str("\r\n");
            stream.end(vec![answer.into()], true);
        }
    }
}

/// A WebSocket without an engine, inside an actix-web `App`.
pub(super) fn mounted_raw(
    request: &HttpRequest,
    payload: web::Payload,
    route: &WebSocketRoute,
    endpoint: &Endpoint,
) -> HttpResponse {
    if let Err(err) = endpoint.check_origin(&Facts::of_app(request)) {
        endpoint.shared.metrics.count(Counter::HandshakeRefused);
        return HttpResponse::Forbidden()
            .force_close()
            .body(err.message().to_owned());
    }
    let (admitted, response) = (
        accept(endpoint, Headers::Map(request.headers())),
        mounted::handshake(request),
    );
    let (Ok((_, negotiated)), Ok(mut response)) = (admitted, response) else {
        endpoint.shared.metrics.count(Counter::HandshakeRefused);
        log::debug!("a raw websocket is refused why=no websocket handshake");
        return HttpResponse::BadRequest().force_close().finish();
    };
    let env = raw_env(endpoint);
    let Some(place) = route.admit(&env) else {
        return HttpResponse::ServiceUnavailable()
            .force_close()
            .body("too many connections");
    };
    if let Some(negotiated) = negotiated {
        response.insert_header(("sec-websocket-extensions", negotiated.header_value()));
    }
    let outlet = session::outlet(None);
    let io = Io::Mounted {
        outlet: Arc::clone(&outlet),
        payload,
    };
    route.start(io, Vec::new(), negotiated, (env, place));
    response.streaming(mounted::Body(outlet))
}
