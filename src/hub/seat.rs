//! A session's place on a worker: its outbox and the transport it has now.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use actix::Addr;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::member::MemberKey;
use super::parcel::{Body, Deflate, Dialect, Parcel};
use crate::carrier::outgoing::{self, Piece};
use crate::carrier::{Connection, Direct, Outlet, Written};
use crate::protocol::engineio::{EncodedPayload, PayloadEncoder, ProtocolVersion, Sid, Transport};
use crate::session::{PollAnswer, Session};

slotmap::new_key_type! {
    /// Names a seat for as long as its session lives.
    pub(crate) struct SeatKey;
}

/// What answers a poll: the payload, and whether HTTP compression is welcome.
#[derive(Debug)]
pub(crate) struct PollReply {
    pub(crate) payload: EncodedPayload,
    pub(crate) compress: bool,
}

impl PollReply {
    /// Sends a poll home with nothing in it.
    pub(crate) fn noop(version: ProtocolVersion) -> Self {
        let mut payload = PayloadEncoder::new(version, false, usize::MAX);
        let _ = payload.push_text("6");
        Self {
            payload: payload.finish(),
            compress: false,
        }
    }
}

/// The transport a session has now.
#[derive(Debug)]
pub(crate) enum Link {
    /// HTTP long-polling, with the request that waits for packets, if one does.
    Polling(Option<oneshot::Sender<PollAnswer>>),
    /// A WebSocket whose TCP stream this worker reads and writes itself.
    Direct(Rc<Direct>),
    /// A WebSocket inside somebody's actix-web `App`, perhaps on another worker.
    Mounted(std::sync::Arc<Outlet>),
    /// The transport is gone; the session is ending.
    Gone,
}

impl Link {
    pub(crate) fn transport(&self) -> Transport {
        match self {
            Self::Polling(_) => Transport::Polling,
            Self::Direct(_) | Self::Mounted(_) | Self::Gone => Transport::Websocket,
        }
    }
}

/// Where a session stands between two heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heartbeat {
    /// Revision 4: nothing is outstanding; a ping leaves at this time.
    PingAt(Instant),
    /// Revision 4: a ping is out, or revision 3: the client has to ping, until this time.
    DeadAt(Instant),
}

impl Heartbeat {
    pub(crate) const fn at(self) -> Instant {
        match self {
            Self::PingAt(at) | Self::DeadAt(at) => at,
        }
    }
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) sid: Sid,
    pub(crate) session: Addr<Session>,
    pub(crate) dialect: Dialect,
    /// Polls get base64 (revision 3 with `b64=1`).
    pub(crate) link: Link,
    /// Set when permessage-deflate was negotiated.
    pub(crate) deflate: Option<Deflate>,
    pub(crate) heartbeat: Heartbeat,
    /// When the timer that looks at it is due.
    pub(crate) armed: Option<Instant>,
    /// The sockets of this session on this worker, for a disconnect of them all.
    pub(crate) members: SmallVec<[MemberKey; 1]>,
    /// The outbox overflowed or the transport broke: nothing more is queued, the session was told.
    pub(crate) doomed: bool,
    /// The session waits for a poll to say goodbye.
    pub(crate) closing: bool,
    /// How many polls there were.
    pub(crate) n_polls: u32,
    /// A POST is being received: a second one is an overlap.
    pub(crate) posting: Option<oneshot::Sender<()>>,
    /// This seat waits in the hub's list for the flush at the end of the round.
    pub(crate) dirty: bool,
    /// The carrier took less than we had; somebody waits until it takes more.
    pub(crate) blocked: bool,
    queue: VecDeque<Rc<Parcel>>,
    queued_bytes: usize,
    /// How much of the frame at the front has left already.
    front_written: usize,
}

/// What became of a packet that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits for the flush at the end of the round.
    Queued,
    /// The outbox is full: the session has to go.
    Full,
}

impl Seat {
    pub(crate) fn new(
        sid: Sid,
        session: Addr<Session>,
        dialect: Dialect,
        link: Link,
        heartbeat: Heartbeat,
    ) -> Self {
        Self {
            sid,
            session,
            dialect,
            link,
            deflate: None,
            heartbeat,
            armed: None,
            members: SmallVec::new(),
            doomed: false,
            closing: false,
            n_polls: 0,
            posting: None,
            dirty: false,
            blocked: false,
            queue: VecDeque::new(),
            queued_bytes: 0,
            front_written: 0,
        }
    }

    // Hot: one reference count and one push, no allocation once the queue has its size.
    pub(crate) fn push(&mut self, parcel: Rc<Parcel>, limit: usize) -> Pushed {
        // One packet always fits, however large.
        let backlog = self.backlog_bytes();
        if backlog > 0 && backlog + parcel.len() > limit {
            return Pushed::Full;
        }
        self.queued_bytes += parcel.len();
        self.queue.push_back(parcel);
        Pushed::Queued
    }

    /// As [`Seat::push`], for the packet that ends it: there is always room for that.
    pub(crate) fn push_last(&mut self, parcel: Rc<Parcel>) {
        self.queued_bytes += parcel.len();
        self.queue.push_back(parcel);
    }

    /// Whether a volatile packet would leave at once, as the reference's `transport.writable`.
    pub(crate) fn is_writable(&self) -> bool {
        self.queue.is_empty()
            && match &self.link {
                Link::Polling(poll) => poll.is_some(),
                Link::Direct(_) => !self.blocked,
                Link::Mounted(outlet) => outlet.is_empty(),
                Link::Gone => false,
            }
    }

    /// Bytes that wait here and, on the mounted carrier, in the response body.
    pub(super) fn backlog_bytes(&self) -> usize {
        self.queued_bytes
            + match &self.link {
                Link::Mounted(outlet) => outlet.queued_bytes(),
                Link::Polling(_) | Link::Direct(_) | Link::Gone => 0,
            }
    }

    /// How many packets wait, and their bytes.
    pub(crate) fn queued(&self) -> (usize, usize) {
        (self.queue.len(), self.queued_bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Hands what is queued to the transport, in one write.
    // Hot: one system call for everything that is queued; frames are shared, not copied.
    pub(crate) fn flush(&mut self) -> Written {
        if self.queue.is_empty() {
            return Written::All;
        }
        let (dialect, deflate) = (self.dialect, self.deflate);
        match &mut self.link {
            Link::Gone => {
                self.clear();
                Written::All
            }
            Link::Polling(poll) => {
                // The request may have ended while the reply was made: then its session is about to
                // be closed, and nothing is lost that could still be delivered.
                if let Some(reply) = poll.take() {
                    let _ = reply.send(PollAnswer::Payload(self.take_payload()));
                }
                Written::All
            }
            Link::Mounted(_) if self.blocked => Written::Some,
            Link::Mounted(outlet) => {
                if let Some(shortcut) = outlet.shortcut() {
                    let written = outgoing::write(
                        &mut self.queue,
                        &mut self.front_written,
                        |parcel| parcel.frame(dialect, deflate),
                        |bytes| shortcut.write(bytes),
                    );
                    if written != Written::Some {
                        self.count_queued();
                        return written;
                    }
                }
                // The body has the patience.
                outlet.send(frames_left(
                    &mut self.queue,
                    &mut self.front_written,
                    (dialect, deflate),
                ));
                self.queued_bytes = 0;
                Written::All
            }
            Link::Direct(stream) => {
                if self.blocked {
                    return Written::Some;
                }
                let written = stream.write(&mut self.queue, &mut self.front_written, |parcel| {
                    parcel.frame(dialect, deflate)
                });
                self.count_queued();
                written
            }
        }
    }

    /// What the next write to its TCP stream takes, if it has one that takes something; see [`outgoing::next`].
    pub(super) fn next_write(&self, gathered: &mut Vec<u8>) -> Option<(Connection<'_>, Piece<'_>)> {
        let connection = match &self.link {
            Link::Direct(stream) => Connection::Direct(stream),
            Link::Mounted(outlet) => Connection::Shortcut(outlet.shortcut()?),
            Link::Polling(_) | Link::Gone => return None,
        };
        if self.blocked {
            return None;
        }
        let front = self.queue.front()?;
        let piece = outgoing::next(
            front,
            &self.queue,
            self.front_written,
            |parcel| parcel.frame(self.dialect, self.deflate),
            gathered,
        );
        Some((connection, piece))
    }

    /// So many bytes of the next write have been taken.
    pub(super) fn take_written(&mut self, n: usize) {
        let (dialect, deflate) = (self.dialect, self.deflate);
        outgoing::take_written(&mut self.queue, &mut self.front_written, n, |parcel| {
            parcel.frame(dialect, deflate)
        });
        self.count_queued();
    }

    fn count_queued(&mut self) {
        self.queued_bytes = self.queue.iter().map(|parcel| parcel.len()).sum();
    }

    /// Everything queued, as the payload of one poll.
    pub(crate) fn take_payload(&mut self) -> PollReply {
        let compress = self.queue.iter().any(|parcel| parcel.compress);
        let (version, is_base64) = match self.dialect {
            Dialect::V4 => (ProtocolVersion::V4, false),
            Dialect::V3 => (ProtocolVersion::V3, false),
            Dialect::V3Base64 => (ProtocolVersion::V3, true),
        };
        // Clients of Socket.IO 1 cannot read text beyond ASCII in the string form; all can in the other.
        let wants_binary_form = !is_base64
            && self.queue.iter().any(|parcel| match &parcel.body {
                Body::Text(text) => !text.is_ascii(),
                Body::Binary(_) => true,
                Body::Raw(_) => false,
            });
        let mut payload = PayloadEncoder::new(version, wants_binary_form, usize::MAX);
        for parcel in self.queue.drain(..) {
            match &parcel.body {
                Body::Text(text) => payload.push_text(text),
                Body::Binary(bytes) => payload.push_binary(bytes),
                Body::Raw(_) => true,
            };
        }
        self.queued_bytes = 0;
        PollReply {
            payload: payload.finish(),
            compress,
        }
    }

    /// The frames that have not left, for a carrier that ends; the outbox is empty afterwards.
    pub(crate) fn take_frames(&mut self) -> Vec<bytes::Bytes> {
        self.queued_bytes = 0;
        let form = (self.dialect, self.deflate);
        frames_left(&mut self.queue, &mut self.front_written, form).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
        self.front_written = 0;
    }
}

/// Takes out of `queue` the frames that have not left, the first without the part of it that has.
fn frames_left(
    queue: &mut VecDeque<Rc<Parcel>>,
    front_written: &mut usize,
    (dialect, deflate): (Dialect, Option<Deflate>),
) -> impl Iterator<Item = bytes::Bytes> {
    let mut skip = std::mem::take(front_written);
    queue.drain(..).map(move |parcel| {
        let frame = parcel.frame(dialect, deflate).into_owned();
        frame.slice(std::mem::take(&mut skip).min(frame.len())..)
    })
}
