//! The engine endpoint: handshakes and polling, and WebSockets inside an actix-web `App`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::error::PayloadError;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::sync::oneshot;

use super::compression::Encoding;
use super::reply::Reply;
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
    serve(&Facts::of_app(&request), payload, &endpoint)
        .await
        .into()
}

/// Everything under the path of the engine but WebSockets.
pub(super) async fn serve(facts: &Facts<'_>, payload: impl Body, endpoint: &Endpoint) -> Reply {
    if *facts.method == Method::OPTIONS
        && let Some(cors) = &*endpoint.shared.cors().get()
    {
        return cors.preflight(facts.headers);
    }
    let mut reply = match answer(facts, payload, endpoint).await {
        Ok(reply) => reply,
        Err(err) => refusal(facts, endpoint, &err),
    };
    // Balancers keep no connection that would break under the next request.
    reply.is_last |= endpoint.shared.is_ending.load(Ordering::Relaxed);
    reply
}

/// The body of a request.
pub(super) trait Body: Stream<Item = Result<Bytes, PayloadError>> + Unpin {}

impl<T: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Body for T {}

fn refusal(facts: &Facts<'_>, endpoint: &Endpoint, err: &HandshakeError) -> Reply {
    endpoint.shared.metrics.count_refused(err.code());
    log::debug!(
        "a request is refused code={} why={}",
        err.code(),
        err.cause()
    );
    let status = StatusCode::from_u16(err.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut reply = Reply::new(status).body("application/json", err.body());
    if let Some(seconds) = err.retry_after() {
        reply.headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if let Some(cors) = &*endpoint.shared.cors().get() {
        cors.decorate(facts.headers, &mut reply.headers);
    }
    reply
}

async fn answer(
    facts: &Facts<'_>,
    payload: impl Body,
    endpoint: &Endpoint,
) -> Result<Reply, HandshakeError> {
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
        (Admission::Session(_), Some(_)) => Ok(Reply::new(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

/// Opens a session on this worker.
async fn open(
    facts: &Facts<'_>,
    query: &Query<'_>,
    endpoint: &Endpoint,
) -> Result<Reply, HandshakeError> {
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
        let reply = Reply::new(StatusCode::SERVICE_UNAVAILABLE);
        return Ok(reply.body("text/plain; charset=utf-8", shared.why_refused()));
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
    polled: PollReply,
    sid: Option<&str>,
) -> Reply {
    let compression = &endpoint.shared.config.engine.http_compression;
    let content_type = polled.payload.content_type();
    let body = match (polled.payload, query.jsonp()) {
        (EncodedPayload::Text(text), Some(index)) => Bytes::from(encode_jsonp(index, &text)),
        (payload, _) => payload.into_bytes(),
    };
    let encoding = (compression.enabled && polled.compress && body.len() >= compression.threshold)
        .then(|| Encoding::accepted(facts.headers))
        .flatten();
    let reply = Reply::new(StatusCode::OK).not_stored();
    let mut reply = match encoding {
        Some(encoding) => {
            let body = encoding.compress(&body, compression.level);
            let mut reply = reply.body(content_type, body);
            let name = HeaderValue::from_static(encoding.name());
            reply.headers.insert(header::CONTENT_ENCODING, name);
            reply
        }
        None => reply.body(content_type, body),
    };
    endpoint.decorate_reply(&mut reply, facts, sid);
    reply
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
) -> Result<Reply, HandshakeError> {
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
        Ok(PollAnswer::Overlap) => Ok(Reply::new(StatusCode::BAD_REQUEST)),
        Err(_) => Err(HandshakeError::UnknownSid),
    }
}

async fn post(
    facts: &Facts<'_>,
    mut payload: impl Body,
    query: &Query<'_>,
    endpoint: &Endpoint,
    sid: Sid,
) -> Result<Reply, HandshakeError> {
    let (answer, answered) = oneshot::channel();
    endpoint.ask(&sid, Polling::PostBegins(answer));
    let ended = match answered.await {
        Ok(PostAnswer::Begun(ended)) => ended,
        Ok(PostAnswer::Refused(err)) => return Err(err),
        Ok(PostAnswer::Overlap | PostAnswer::Done) => {
            return Ok(Reply::new(StatusCode::BAD_REQUEST));
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
                return Err(Reply::new(StatusCode::BAD_REQUEST));
            };
            if body.len() + chunk.len() > limit {
                return Err(Reply::new(StatusCode::PAYLOAD_TOO_LARGE).last());
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
            _ = ended => Err(Reply::new(StatusCode::BAD_REQUEST).last()),
        }
    };
    match tokio::time::timeout(limit, complete).await {
        Ok(Ok(())) => {}
        Ok(Err(reply)) => {
            let is_too_large = reply.status == StatusCode::PAYLOAD_TOO_LARGE;
            aborted.then = Some(Then::PostAborted { is_too_large });
            return Ok(reply);
        }
        Err(_) => {
            endpoint.shared.metrics.count(Counter::IncompletePacket);
            log::debug!("a post is refused sid={sid} why=its body did not become complete in time");
            return Ok(Reply::new(StatusCode::REQUEST_TIMEOUT).last());
        }
    }
    aborted.disarm();
    let content_type = facts.headers.text(header::CONTENT_TYPE);
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
            return Ok(Reply::new(StatusCode::BAD_REQUEST));
        }
    }
    // Not text/plain, which some browsers offer to download.
    let mut reply = Reply::new(StatusCode::OK)
        .not_stored()
        .body("text/html", "ok");
    endpoint.decorate_reply(&mut reply, facts, None);
    Ok(reply)
}

fn jsonp_body(jsonp: Option<JsonpIndex>, is_binary: bool, body: Bytes) -> Option<Bytes> {
    if jsonp.is_none() || is_binary {
        return Some(body);
    }
    decode_jsonp_body(&String::from_utf8_lossy(&body)).map(Bytes::from)
}
