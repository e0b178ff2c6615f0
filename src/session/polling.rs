//! HTTP long-polling: one request that waits, one that brings packets.

use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::Session;
use crate::hub::{Link, Parcel, PollReply};
use crate::metrics::Counter;
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::{self, HandshakeError, ProtocolVersion};

/// What a poll gets.
#[derive(Debug)]
pub(crate) enum PollAnswer {
    /// Packets.
    Payload(PollReply),
    /// An error.
    Refused(HandshakeError),
    /// It overlaps with another; the session ends.
    Overlap,
}

/// What a POST gets.
#[derive(Debug)]
pub(crate) enum PostAnswer {
    /// `ok`, whatever became of the packets.
    Done,
    /// The body may come; the receiver fails when the session ends before it has.
    Begun(oneshot::Receiver<()>),
    /// An error.
    Refused(HandshakeError),
    /// It overlaps with another, or has a form that the revision does not know; the session ends.
    Overlap,
}

/// How long a poll may be later than the goodbye that was sent behind it.
const LATE_POLL: Duration = Duration::from_millis(10);

impl Session {
    /// A POST has come.
    ///
    /// A client that says goodbye mostly polls at the same time, and a server with one thread meets the poll first,
    /// which then goes home with a noop. Here the two come over two connections, perhaps to two workers, and the poll
    /// may be on its way still: the goodbye waits for it a moment.
    pub(super) fn post(
        &mut self,
        body: &Bytes,
        is_binary: bool,
        answer: oneshot::Sender<PostAnswer>,
        ctx: &mut Context<Self>,
    ) {
        let is_goodbye = matches!(&**body, b"1" | b"1:1");
        if is_goodbye && self.is_polling_idly() {
            let body = body.clone();
            ctx.run_later(LATE_POLL, move |session, ctx| {
                session.take_post(&body, is_binary, answer, ctx);
            });
        } else {
            self.take_post(body, is_binary, answer, ctx);
        }
    }

    fn take_post(
        &mut self,
        body: &Bytes,
        is_binary: bool,
        answer: oneshot::Sender<PostAnswer>,
        ctx: &mut Context<Self>,
    ) {
        if is_binary && self.version == ProtocolVersion::V4 {
            // Whoever posted may have gone.
            let _ = answer.send(PostAnswer::Overlap);
            return self.broken("a binary body in revision 4", ctx);
        }
        let limit = self.server.limits().packets_per_payload;
        let lossy;
        let body = if is_binary {
            engineio::Body::Binary(body)
        } else {
            lossy = String::from_utf8_lossy(body);
            engineio::Body::Text(&lossy)
        };
        self.post_answer = Some(answer);
        for packet in engineio::decode_payload(self.version, body, limit) {
            if self.is_blocked {
                self.inbox.push_back(Self::keep(packet));
            } else {
                self.packet(packet, ctx);
            }
        }
        if self.inbox.is_empty() && !self.is_blocked {
            self.posted();
        }
    }

    /// The packets of a POST have all been looked at.
    pub(super) fn posted(&mut self) {
        if let Some(answer) = self.post_answer.take() {
            if let Some(seat) = self.hub.borrow_mut().seats.get_mut(self.seat) {
                seat.posting = None;
            }
            // Whoever posted may have gone.
            let _ = answer.send(PostAnswer::Done);
        }
    }

    pub(super) fn post_aborted(&mut self, is_too_large: bool, ctx: &mut Context<Self>) {
        if let Some(seat) = self.hub.borrow_mut().seats.get_mut(self.seat) {
            seat.posting = None;
        }
        if is_too_large {
            // As in the reference, the session goes on.
            self.server.metrics.count(Counter::TooLarge);
            log::debug!(
                "a body is too large sid={} limit={}",
                self.sid(),
                self.server.config.engine.max_http_buffer_size
            );
        } else {
            self.broken("a post was broken off", ctx);
        }
    }

    pub(super) fn broken(&mut self, why: &str, ctx: &mut Context<Self>) {
        self.server.metrics.count(Counter::PollingBroken);
        log::debug!("polling is broken sid={} why={why}", self.sid());
        self.end(DisconnectReason::TransportError, ctx);
    }

    /// Lets a waiting poll go home, so that the client can change to its new transport.
    pub(super) fn noop_due(&mut self) {
        let Some(upgrade) = &self.upgrade else { return };
        if !upgrade.is_probed() {
            return;
        }
        let mut hub = self.hub.borrow_mut();
        let is_idle = hub
            .seats
            .get(self.seat)
            .is_some_and(|seat| seat.is_empty() && matches!(&seat.link, Link::Polling(Some(_))));
        if is_idle {
            hub.push(self.seat, Parcel::text("6"));
        }
        hub.set_timer(
            self.seat,
            crate::hub::Timer::Noop,
            std::time::Instant::now() + super::upgrade::NOOP_INTERVAL,
        );
    }
}
