//! What HTTP long-polling asks of a seat. Only the packets of a POST concern the session itself: polls
//! are answered from the outbox without waking it.

use std::time::Instant;

use tokio::sync::oneshot;

use super::{Heartbeat, Hub, Link, PollReply, SeatKey, place};
use crate::protocol::engineio::{BadRequest, HandshakeError, Sid, Transport};
use crate::session::{self, PollAnswer, PostAnswer};

/// A question of a request to the session with some id.
#[derive(Debug)]
pub(crate) enum Polling {
    /// A client polls.
    Poll(oneshot::Sender<PollAnswer>),
    /// The connection of the poll that waits has ended.
    PollAborted,
    /// The body of a POST begins.
    PostBegins(oneshot::Sender<PostAnswer>),
}

impl Polling {
    // Whoever asked may have gone, so the outcome of each `send` is the same to us.
    pub(crate) fn refuse(self, err: HandshakeError) {
        match self {
            Self::Poll(answer) => drop(answer.send(PollAnswer::Refused(err))),
            Self::PostBegins(answer) => drop(answer.send(PostAnswer::Refused(err))),
            Self::PollAborted => {}
        }
    }
}

impl Hub {
    /// The body of the response to the handshake of a new session; `None` if it is gone already.
    pub(crate) fn first_payload(&mut self, key: SeatKey) -> Option<PollReply> {
        let seat = self.seats.get_mut(key)?;
        let (n_packets, n_bytes) = seat.queued();
        self.tally.sent[place(Transport::Polling)].add(n_packets, n_bytes);
        Some(seat.take_payload())
    }

    pub(super) fn polling(&mut self, sid: &Sid, question: Polling) {
        let Some(key) = self.by_sid.get(sid, &self.seats) else {
            return question.refuse(HandshakeError::UnknownSid);
        };
        let Some(seat) = self.seats.get_mut(key) else {
            return;
        };
        // To the millisecond, not to the grain of the timer: who comes after the deadline is too late.
        let is_dead = matches!(seat.heartbeat, Heartbeat::DeadAt(at) if at <= Instant::now());
        if seat.doomed || is_dead {
            return question.refuse(HandshakeError::UnknownSid);
        }
        let Link::Polling(waiting) = &mut seat.link else {
            return question.refuse(HandshakeError::BadRequest(BadRequest::TransportMismatch));
        };
        match question {
            Polling::Poll(answer) => {
                if waiting.as_ref().is_some_and(|poll| !poll.is_closed()) {
                    let _ = answer.send(PollAnswer::Overlap);
                    return self.broken(key, "polls overlap");
                }
                *waiting = Some(answer);
                seat.n_polls = seat.n_polls.wrapping_add(1);
                if seat.closing {
                    // The session waits for this poll to say goodbye.
                    seat.session
                        .do_send(session::Command::Due(super::Timer::Close));
                } else if !seat.is_empty() {
                    self.mark_dirty(key);
                }
            }
            Polling::PollAborted => {
                if waiting.as_ref().is_some_and(oneshot::Sender::is_closed) {
                    self.broken(key, "a poll was broken off");
                }
            }
            Polling::PostBegins(answer) => {
                if seat.posting.is_some() {
                    let _ = answer.send(PostAnswer::Overlap);
                    self.broken(key, "posts overlap");
                } else {
                    let (alive, ended) = oneshot::channel();
                    seat.posting = Some(alive);
                    let _ = answer.send(PostAnswer::Begun(ended));
                }
            }
        }
    }

    /// The session has to end; it answers nobody until it has.
    fn broken(&mut self, key: SeatKey, why: &'static str) {
        if let Some(seat) = self.seats.get_mut(key) {
            seat.doomed = true;
            seat.session.do_send(session::Command::Broken(why));
        }
    }
}
