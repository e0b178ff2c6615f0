//! From polling to WebSocket within a session: offer, probe, upgrade.

use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use actix_rt::net::TcpStream;
use bytes::Bytes;

use super::reader::Seen;
use super::{Session, State};
use crate::carrier::{self, Direct, Outlet, direct};
use crate::config::EngineConfig;
use crate::hub::{Deflate, Link, Timer};
use crate::metrics::{Counter, Metrics};
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::{self, HandshakeError, PacketType, Transport};
use crate::protocol::websocket::{self, Negotiated, Opcode, close_code};
use crate::throttle::throttled;

/// How often an upgrade that was probed sends a waiting poll home.
///
/// Source: `packages/engine.io/lib/socket.ts`, `_maybeUpgrade`.
pub(super) const NOOP_INTERVAL: Duration = Duration::from_millis(100);

/// How long a client whose upgrade broke off after the probe may take to poll again.
const ORPHAN_TIMEOUT: Duration = Duration::from_secs(3);

/// How much may wait for a connection that is being probed: pongs, and the answer to the probe.
const PROBE_BACKLOG_BYTES: usize = 64 * 1024;

/// A WebSocket connection on the worker of its session.
pub(crate) enum Wire {
    /// We have the stream.
    Direct {
        stream: Rc<Direct>,
        /// The answer to the handshake, which leaves in front of the first packet.
        head: Option<Bytes>,
        /// What followed the request in the same read.
        early: Vec<u8>,
        negotiated: Option<Negotiated>,
    },
    /// actix-web has it.
    Mounted {
        outlet: Arc<Outlet>,
        /// What comes in, if it comes in on this worker.
        payload: Option<actix_web::web::Payload>,
        negotiated: Option<Negotiated>,
    },
}

impl Wire {
    pub(super) fn link(&self) -> Link {
        match self {
            Self::Direct { stream, .. } => Link::Direct(Rc::clone(stream)),
            Self::Mounted { outlet, .. } => Link::Mounted(Arc::clone(outlet)),
        }
    }

    pub(super) const fn negotiated(&self) -> Option<Negotiated> {
        match self {
            Self::Direct { negotiated, .. } | Self::Mounted { negotiated, .. } => *negotiated,
        }
    }

    pub(super) fn deflate(&self, engine: &EngineConfig) -> Option<Deflate> {
        self.negotiated()
            .map(|_| Deflate::new(&engine.per_message_deflate))
    }

    /// Answers the handshake now, if that is left to us.
    pub(super) fn send_head(&mut self) {
        if let Self::Direct { stream, head, .. } = self {
            // If it does not fit into the empty send buffer, what follows will show it.
            let _ = stream.write_now(head.take().as_slice());
        }
    }

    pub(super) fn head(&self) -> Option<Bytes> {
        match self {
            Self::Direct { head, .. } => head.clone(),
            Self::Mounted { .. } => None,
        }
    }
}

/// Who listens to what comes in on a connection, and the number under which.
pub(crate) type Listener = (u32, Addr<Session>);

/// A WebSocket connection for a session that may be on another worker.
#[derive(Debug)]
pub(crate) enum Offer {
    /// The stream, taken out of the reactor of the worker that accepted it.
    Direct {
        stream: std::net::TcpStream,
        head: Bytes,
        early: Vec<u8>,
        negotiated: Option<Negotiated>,
        /// Where a refusal is counted: nobody waits for the outcome.
        metrics: Arc<Metrics>,
    },
    /// The outlet of a response that waits for `accepted` to be answered; without a listener it says what is
    /// in the outlet, and nothing is read.
    Mounted {
        outlet: Arc<Outlet>,
        accepted: tokio::sync::oneshot::Sender<Result<Option<Listener>, HandshakeError>>,
        negotiated: Option<Negotiated>,
    },
}

impl Offer {
    /// Answers the handshake with an error.
    pub(crate) fn refuse(self, err: &HandshakeError) {
        match self {
            Self::Direct {
                mut stream,
                metrics,
                ..
            } => {
                metrics.count_refused(err.code());
                log::debug!(
                    "a websocket is refused code={} why={}",
                    err.code(),
                    err.cause()
                );
                // The stream does not block; an answer this short fits, and if not, the peer is gone.
                let _ = stream.write_all(&carrier::refusal(err));
                let _ = stream.shutdown(std::net::Shutdown::Write);
            }
            // Whoever waits may have gone.
            Self::Mounted { accepted, .. } => drop(accepted.send(Err(err.clone()))),
        }
    }
}

impl Offer {
    /// Accepts the connection and closes it again, as the reference does when the session cannot use it.
    fn close(self, why: &str) {
        let goodbye = websocket::close_frame(close_code::NORMAL, why);
        match self {
            Self::Direct {
                mut stream, head, ..
            } => {
                // As in `refuse`.
                let _ = stream.write_all(&[head, goodbye].concat());
                let _ = stream.shutdown(std::net::Shutdown::Write);
            }
            Self::Mounted {
                outlet, accepted, ..
            } => {
                outlet.send([goodbye]);
                outlet.close();
                // Whoever waits may have gone.
                let _ = accepted.send(Ok(None));
            }
        }
    }
}

/// An upgrade that is under way.
pub(super) struct Upgrade {
    link: Link,
    negotiated: Option<Negotiated>,
    pub(super) carrier: u32,
    started: Instant,
    is_probed: bool,
}

impl Upgrade {
    pub(super) const fn is_probed(&self) -> bool {
        self.is_probed
    }
}

impl Session {
    /// A client wants to go on over a WebSocket.
    pub(super) fn offered(&mut self, offer: Offer, ctx: &mut Context<Self>) {
        if self.state != State::Open || !self.is_polling() || self.upgrade.is_some() {
            let why = if self.state != State::Open {
                "the session ends"
            } else if self.is_polling() {
                "an upgrade is under way"
            } else {
                "the session has a websocket"
            };
            log::debug!("an upgrade is refused sid={} why={why}", self.sid());
            self.server.metrics.count(Counter::UpgradeFailed);
            return offer.close(why);
        }
        let engine = &self.server.config.engine;
        self.last_carrier += 1;
        let carrier = self.last_carrier;
        let wire = match offer {
            Offer::Direct {
                stream,
                head,
                early,
                negotiated,
                ..
            } => match TcpStream::from_std(stream) {
                Ok(stream) => {
                    direct::prepare(&stream, engine.longest_silence());
                    let stream = Direct::new(stream);
                    // If it does not fit into the empty send buffer, what follows will show it.
                    let _ = stream.write_now(&[head]);
                    Wire::Direct {
                        stream,
                        head: None,
                        early,
                        negotiated,
                    }
                }
                Err(err) => {
                    throttled!(
                        warn,
                        "a connection cannot be moved to its session err={err}"
                    );
                    return self.server.metrics.count(Counter::UpgradeFailed);
                }
            },
            Offer::Mounted {
                outlet,
                accepted,
                negotiated,
            } => {
                if accepted.send(Ok(Some((carrier, ctx.address())))).is_err() {
                    log::debug!("an upgrade has failed sid={} why=it is gone", self.sid());
                    return self.server.metrics.count(Counter::UpgradeFailed);
                }
                Wire::Mounted {
                    outlet,
                    payload: None,
                    negotiated,
                }
            }
        };
        let now = Instant::now();
        self.upgrade = Some(Upgrade {
            link: wire.link(),
            negotiated: wire.negotiated(),
            carrier,
            started: now,
            is_probed: false,
        });
        self.hub
            .borrow_mut()
            .set_timer(self.seat, Timer::Upgrade, now + engine.upgrade_timeout);
        self.read_from(wire, carrier, ctx);
    }

    /// Something arrived on the connection that is being probed.
    pub(super) fn probe_frame(&mut self, seen: &Seen<'_>) {
        let packet = match seen {
            Seen::Text(text) => engineio::decode_text(self.version, text).ok(),
            Seen::Ping(payload) => {
                return self.answer_probe(websocket::frame(Opcode::Pong, payload));
            }
            Seen::Pong => return,
            Seen::Violation(err) => {
                self.count_violation(*err);
                return self.abandon_upgrade(err.close_code(), "");
            }
            Seen::Binary(_) | Seen::Close(_) | Seen::End { .. } => None,
        };
        match packet {
            Some(packet) if packet.kind == PacketType::Ping && packet.is_probe() => {
                self.answer_probe(websocket::frame(Opcode::Text, b"3probe"));
                if let Some(upgrade) = &mut self.upgrade
                    && !std::mem::replace(&mut upgrade.is_probed, true)
                {
                    self.hub.borrow_mut().set_timer(
                        self.seat,
                        Timer::Noop,
                        Instant::now() + NOOP_INTERVAL,
                    );
                }
            }
            Some(packet) if packet.kind == PacketType::Upgrade => self.upgraded(),
            _ => {
                let has_gone = matches!(seen, Seen::Close(_) | Seen::End { .. });
                let is_probed = self.upgrade.as_ref().is_some_and(Upgrade::is_probed);
                let why = if has_gone {
                    "the client has gone"
                } else {
                    "not a probe"
                };
                self.abandon_upgrade(close_code::POLICY_VIOLATION, why);
                if has_gone && is_probed {
                    self.expect_poll();
                }
            }
        }
    }

    /// A client that goes after its probe was answered, as a page that is reloaded does, has stopped
    /// polling and cannot say goodbye. Without this it would be here until its heartbeat fails.
    fn expect_poll(&mut self) {
        let mut hub = self.hub.borrow_mut();
        let Some(seat) = hub.seats.get(self.seat) else {
            return;
        };
        if matches!(seat.link, Link::Polling(None)) {
            self.polls_before_orphan = Some(seat.n_polls);
            let patience = ORPHAN_TIMEOUT.min(self.server.config.engine.ping_timeout);
            hub.set_timer(self.seat, Timer::Orphan, Instant::now() + patience);
        }
    }

    pub(super) fn orphan_due(&mut self, ctx: &mut Context<Self>) {
        let n_polls = self
            .hub
            .borrow()
            .seats
            .get(self.seat)
            .map(|seat| seat.n_polls);
        if self.polls_before_orphan.take() == n_polls && self.upgrade.is_none() && self.is_polling()
        {
            log::debug!(
                "a client has gone in the middle of an upgrade sid={}",
                self.sid()
            );
            self.end(DisconnectReason::TransportClose, ctx);
        }
    }

    /// Answers on the connection that is being probed. Who does not read the few bytes that this takes, is
    /// given up: nothing else bounds what is queued there.
    fn answer_probe(&mut self, frame: Bytes) {
        let is_taken = match self.upgrade.as_ref().map(|upgrade| &upgrade.link) {
            Some(Link::Direct(stream)) => stream.write_now(&[frame]),
            Some(Link::Mounted(outlet)) if outlet.queued_bytes() < PROBE_BACKLOG_BYTES => {
                outlet.send([frame]);
                true
            }
            Some(Link::Mounted(_)) => false,
            Some(Link::Polling(_) | Link::Gone) | None => true,
        };
        if !is_taken {
            self.server.metrics.count(Counter::SlowConsumer);
            self.abandon_upgrade(close_code::POLICY_VIOLATION, "the client does not read");
        }
    }

    /// The client has changed over: so does everything that is queued.
    fn upgraded(&mut self) {
        let Some(upgrade) = self.upgrade.take() else {
            return;
        };
        let mut hub = self.hub.borrow_mut();
        let Some(seat) = hub.seats.get_mut(self.seat) else {
            return;
        };
        if let Link::Mounted(outlet) = &upgrade.link {
            // It has answered our answer.
            outlet.open_shortcut();
        }
        if let Link::Polling(Some(poll)) = std::mem::replace(&mut seat.link, upgrade.link) {
            // A poll that still waits is sent home; what is queued goes over the WebSocket.
            let noop = crate::hub::PollReply::noop(self.version);
            let _ = poll.send(super::PollAnswer::Payload(noop));
        }
        seat.deflate = upgrade
            .negotiated
            .map(|_| Deflate::new(&self.server.config.engine.per_message_deflate));
        hub.mark_dirty(self.seat);
        hub.tally.upgraded += 1;
        drop(hub);
        self.carrier = upgrade.carrier;
        self.set_transport(Transport::Websocket);
        log::debug!("a session is upgraded sid={}", self.sid());
    }

    /// Gives the new connection up; the session goes on with polling.
    pub(super) fn abandon_upgrade(&mut self, code: u16, why: &str) {
        let Some(upgrade) = self.upgrade.take() else {
            return;
        };
        self.server.metrics.count(Counter::UpgradeFailed);
        log::debug!(
            "an upgrade has failed sid={} code={code} why={why}",
            self.sid()
        );
        let goodbye = websocket::close_frame(code, why);
        match upgrade.link {
            Link::Direct(stream) => stream.end(vec![goodbye], true),
            Link::Mounted(outlet) => {
                outlet.send([goodbye]);
                outlet.close();
            }
            Link::Polling(_) | Link::Gone => {}
        }
    }

    pub(super) fn upgrade_due(&mut self, _: &mut Context<Self>) {
        let limit = self.server.config.engine.upgrade_timeout;
        if self
            .upgrade
            .as_ref()
            .is_some_and(|upgrade| upgrade.started.elapsed() >= limit)
        {
            self.abandon_upgrade(close_code::POLICY_VIOLATION, "it did not end in time");
        }
    }
}
