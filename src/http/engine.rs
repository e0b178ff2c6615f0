//! The engine endpoint: handshakes and polling, and WebSockets inside an actix-web `App`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_http::ConnectionType;
use actix_web::error::PayloadError;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::sync::oneshot;

use super::compression::Encoding;
use super::request::Facts;
use super::{Endpoint, upgrade};
use crate::hub::{self, PollReply, Polling};
use crate::metrics::Counter;
use crate::protocol::engineio::{
    Admission, EncodedPayload, HandshakeError, JsonpIndex, Query, Sid, body_is_binary,
    decode_jsonp_body, encode_jsonp,
};
use crate::session::{Command, Opening, PollAnswer, PostAnswer, Session};

/// Everything under the path of the engine, inside an actix-web `App`.
pub(super) async fn mounted(
    request: HttpRequest,
    payload: web::Payload,
    endpoint: web::Data<Endpoint>,
) -> HttpResponse {
    if upgrade::is_upgrade(request.headers()) {
        return upgrade::mounted(&request, payload, &endpoint).await;
    }
    serve(&Facts::of_app(&request), payload, &endpoint).await
}

/// Everything under the path of the engine but WebSockets.
pub(super) async fn serve(
    facts: &Facts<'_>,
    payload: impl Body,
    endpoint: &Endpoint,
) -> HttpResponse {
    if *facts.method == Method::OPTIONS
        && let Some(cors) = &*endpoint.shared.cors().get()
    {
        return cors.preflight(facts.head.headers);
    }
    let mut response = match answer(facts, payload, endpoint).await {
        Ok(response) => response,
        Err(err) => refusal(facts, endpoint, &err),
    };
    if endpoint.shared.is_ending.load(Ordering::Relaxed) {
        // Balancers keep no connection that would break under the next request.
        let head = response.head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    response
}

/// The body of a request.
pub(super) trait Body: Stream<Item = Result<Bytes, PayloadError>> + Unpin {}

impl<T: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Body for T {}

fn refusal(facts: &Facts<'_>, endpoint: &Endpoint, err: &HandshakeError) -> HttpResponse {
    endpoint.shared.metrics.count_refused(err.code());
    log::debug!(
        "a request is refused code={} why={}",
        err.code(),
        err.cause()
    );
    let status = StatusCode::from_u16(err.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = err.retry_after() {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    let mut response = response.content_type("application/json").body(err.body());
    if let Some(cors) = &*endpoint.shared.cors().get() {
        cors.decorate(facts.head.headers, response.headers_mut());
    }
    response
}

async fn answer(
    facts: &Facts<'_>,
    payload: impl Body,
    endpoint: &Endpoint,
) -> Result<HttpResponse, HandshakeError> {
    let query = Query::parse(facts.query);
    let (admission, sid) = endpoint.verify(facts, &query, false).await?;
    match (admission, sid) {
        (Admission::Handshake(_), _) | (Admission::Session(_), None) => {
            open(facts, &query, endpoint).await
        }
        (Admission::Session(_), Some(sid)) if *facts.method == Method::GET => {
            poll(facts, &query, endpoint, sid).await
        }
        (Admission::Session(_), Some(sid)) if *facts.method == Method::POST => {
            post(facts, payload, &query, endpoint, sid).await
        }
        (Admission::Session(_), Some(_)) => Ok(HttpResponse::InternalServerError().finish()),
    }
}

/// Opens a session on this worker.
async fn open(
    facts: &Facts<'_>,
    query: &Query<'_>,
    endpoint: &Endpoint,
) -> Result<HttpResponse, HandshakeError> {
    let shared = &endpoint.shared;
    let handshake = facts.remember(&endpoint.shared, query);
    shared.admit_address(&handshake)?;
    if let Some(allow) = &shared.hooks.allow_request {
        allow(Arc::clone(&handshake))
            .await
            .map_err(|refusal| HandshakeError::Forbidden(Some(refusal.message)))?;
    }
    let version = query.version(shared.config.engine.allow_eio3)?;
    if !shared.admit_connection(&handshake) {
        return Ok(HttpResponse::ServiceUnavailable().body(shared.why_refused()));
    }
    let hub = hub::here(shared);
    let sid = Sid::generate(&shared.sid_prefix, hub.borrow().index);
    let seat = Session::open(
        &hub,
        Opening {
            handshake,
            version,
            sid,
            is_base64: !query.is_binary_supported(),
            wire: None,
        },
    );
    let reply = hub.borrow_mut().first_payload(seat);
    let Some(reply) = reply else {
        return Err(HandshakeError::UnknownSid);
    };
    Ok(respond(facts, endpoint, query, reply, Some(sid.as_str())))
}

/// The response to a poll.
fn respond(
    facts: &Facts<'_>,
    endpoint: &Endpoint,
    query: &Query<'_>,
    reply: PollReply,
    sid: Option<&str>,
) -> HttpResponse {
    let compression = &endpoint.shared.config.engine.http_compression;
    let content_type = reply.payload.content_type();
    let body = match (reply.payload, query.jsonp()) {
        (EncodedPayload::Text(text), Some(index)) => Bytes::from(encode_jsonp(index, &text)),
        (payload, _) => payload.into_bytes(),
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, content_type));
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    let encoding = (compression.enabled && reply.compress && body.len() >= compression.threshold)
        .then(|| Encoding::accepted(facts.head.headers))
        .flatten();
    let mut response = match encoding {
        Some(encoding) => {
            response.insert_header((header::CONTENT_ENCODING, encoding.name()));
            response.body(encoding.compress(&body, compression.level))
        }
        None => response.body(body),
    };
    endpoint.decorate(response.headers_mut(), &facts.head, sid);
    response
}

/// Tells a session, unless disarmed, that a request of its client ended before its time.
struct Aborted<'a> {
    endpoint: &'a Endpoint,
    sid: Sid,
    then: Option<Then>,
}

enum Then {
    PollAborted,
    PostAborted { is_too_large: bool },
}

impl Aborted<'_> {
    fn disarm(mut self) {
        self.then = None;
    }
}

impl Drop for Aborted<'_> {
    fn drop(&mut self) {
        match self.then.take() {
            Some(Then::PollAborted) => self.endpoint.ask(&self.sid, Polling::PollAborted),
            Some(Then::PostAborted { is_too_large }) => {
                self.endpoint
                    .to_session(&self.sid, Command::PostAborted { is_too_large });
            }
            None => {}
        }
    }
}

async fn poll(
    facts: &Facts<'_>,
    query: &Query<'_>,
    endpoint: &Endpoint,
    sid: Sid,
) -> Result<HttpResponse, HandshakeError> {
    // Made before the receiver, so dropped after it: the session then sees that nobody waits.
    let aborted = Aborted {
        endpoint,
        sid,
        then: Some(Then::PollAborted),
    };
    let (answer, answered) = oneshot::channel();
    endpoint.ask(&sid, Polling::Poll(answer));
    let answer = answered.await;
    aborted.disarm();
    match answer {
        Ok(PollAnswer::Payload(reply)) => Ok(respond(facts, endpoint, query, reply, None)),
        Ok(PollAnswer::Refused(err)) => Err(err),
        Ok(PollAnswer::Overlap) => Ok(HttpResponse::BadRequest().finish()),
        Err(_) => Err(HandshakeError::UnknownSid),
    }
}

async fn post(
    facts: &Facts<'_>,
    mut payload: impl Body,
    query: &Query<'_>,
    endpoint: &Endpoint,
    sid: Sid,
) -> Result<HttpResponse, HandshakeError> {
    let (answer, answered) = oneshot::channel();
    endpoint.ask(&sid, Polling::PostBegins(answer));
    let ended = match answered.await {
        Ok(PostAnswer::Begun(ended)) => ended,
        Ok(PostAnswer::Refused(err)) => return Err(err),
        Ok(PostAnswer::Overlap | PostAnswer::Done) => {
            return Ok(HttpResponse::BadRequest().finish());
        }
        Err(_) => return Err(HandshakeError::UnknownSid),
    };
    let mut aborted = Aborted {
        endpoint,
        sid,
        then: Some(Then::PostAborted {
            is_too_large: false,
        }),
    };
    let limit = endpoint.shared.config.engine.max_http_buffer_size;
    let mut body = BytesMut::new();
    let complete = async {
        while let Some(chunk) = payload.next().await {
            let Ok(chunk) = chunk else {
                return Err(HttpResponse::BadRequest().finish());
            };
            if body.len() + chunk.len() > limit {
                return Err(HttpResponse::PayloadTooLarge().force_close().finish());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    let limit = endpoint.shared.limits().time_to_complete_packet;
    let complete = async {
        tokio::select! {
            biased;
            complete = complete => complete,
            // The session has ended: its other requests do not wait for this body.
            _ = ended => Err(HttpResponse::BadRequest().force_close().finish()),
        }
    };
    match tokio::time::timeout(limit, complete).await {
        Ok(Ok(())) => {}
        Ok(Err(response)) => {
            let is_too_large = response.status() == StatusCode::PAYLOAD_TOO_LARGE;
            aborted.then = Some(Then::PostAborted { is_too_large });
            return Ok(response);
        }
        Err(_) => {
            endpoint.shared.metrics.count(Counter::IncompletePacket);
            log::debug!("a post is refused sid={sid} why=its body did not become complete in time");
            return Ok(HttpResponse::RequestTimeout().force_close().finish());
        }
    }
    aborted.disarm();
    let content_type = facts
        .head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_binary = body_is_binary(content_type);
    let body = match jsonp_body(query.jsonp(), is_binary, body.freeze()) {
        Some(body) => body,
        // A form without the field: nothing was sent.
        None => Bytes::new(),
    };
    let (answer, answered) = oneshot::channel();
    // Only an application without Socket.IO can ask which request brought a message.
    let request = endpoint
        .shared
        .namespaces()
        .is_none()
        .then(|| facts.remember(&endpoint.shared, query));
    let command = Command::Post {
        body,
        is_binary,
        request,
        answer,
    };
    endpoint.to_session(&sid, command);
    match answered.await {
        Ok(PostAnswer::Done) => {}
        Ok(PostAnswer::Refused(err)) => return Err(err),
        Ok(PostAnswer::Overlap | PostAnswer::Begun(_)) | Err(_) => {
            return Ok(HttpResponse::BadRequest().finish());
        }
    }
    let mut response = HttpResponse::Ok();
    // Not text/plain, which some browsers offer to download.
    response
        .insert_header((header::CONTENT_TYPE, "text/html"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    let mut response = response.body("ok");
    endpoint.decorate(response.headers_mut(), &facts.head, None);
    Ok(response)
}

fn jsonp_body(jsonp: Option<JsonpIndex>, is_binary: bool, body: Bytes) -> Option<Bytes> {
    if jsonp.is_none() || is_binary {
        return Some(body);
    }
    decode_jsonp_body(&String::from_utf8_lossy(&body)).map(Bytes::from)
}
