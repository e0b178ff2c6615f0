//! Engine.IO packets: what each one does to the session.

use std::time::Instant;

use actix::prelude::*;
use bytes::Bytes;
use bytestring::ByteString;

use super::reader::{Inbound, OwnedData};
use super::{Application, Session, State};
use crate::engine::Message;
use crate::hub::{Timer, place};
use crate::metrics::Counter;
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::{
    Data, DecodeError, Packet, PacketType, ProtocolVersion, Transport,
};
use crate::protocol::websocket::close_code;

impl Session {
    // Hot: one match, and nothing is copied.
    pub(super) fn packet(
        &mut self,
        packet: Result<Packet<'_>, DecodeError>,
        ctx: &mut Context<Self>,
    ) {
        if self.state != State::Open {
            return;
        }
        let packet = match packet {
            Ok(packet) => packet,
            Err(err) => return self.parse_error(&err, ctx),
        };
        let n_bytes = match &packet.data {
            // With the digit of its type, as it is counted on the way out.
            Data::Text(text) => text.len() + 1,
            Data::Binary(bytes) => bytes.len(),
        };
        self.hub.borrow_mut().tally.received[place(self.transport)].add(1, n_bytes);
        match (packet.kind, self.version) {
            (PacketType::Message, _) => match packet.data {
                Data::Text(text) => self.text(text, ctx),
                Data::Binary(bytes) => self.binary(&bytes, ctx),
            },
            (PacketType::Ping, ProtocolVersion::V3) => {
                let mut hub = self.hub.borrow_mut();
                hub.heard(self.seat, Instant::now());
                hub.pong(self.seat);
            }
            (PacketType::Pong, ProtocolVersion::V4) => {
                self.hub.borrow_mut().ponged(self.seat, Instant::now())
            }
            (PacketType::Ping, ProtocolVersion::V4) | (PacketType::Pong, ProtocolVersion::V3) => {
                let why = "a heartbeat went the wrong way";
                log::debug!("what came is no packet sid={} why={why}", self.sid());
                self.server.metrics.count(Counter::ParseError);
                let close = Some((close_code::POLICY_VIOLATION, why.to_owned()));
                self.finish_with_code(DisconnectReason::TransportError, close);
                ctx.stop();
            }
            (PacketType::Close, _) => self.end(DisconnectReason::TransportClose, ctx),
            (PacketType::Open | PacketType::Upgrade | PacketType::Noop, _) => {}
        }
    }

    pub(super) fn parse_error(&mut self, err: &DecodeError, ctx: &mut Context<Self>) {
        log::debug!("what came is no packet sid={} why={err}", self.sid());
        self.server.metrics.count(Counter::ParseError);
        self.end(DisconnectReason::ParseError, ctx);
    }

    fn text(&mut self, text: &str, ctx: &mut Context<Self>) {
        if self.is_metered_raw() && !self.is_message_within_rates(text.len(), ctx) {
            return;
        }
        match &mut self.application {
            Application::SocketIo(_) => self.socketio_text(text, ctx),
            Application::Raw(connection) => connection.message(Message::Text(text)),
        }
    }

    /// Of Socket.IO, packets are metered when they are complete.
    const fn is_metered_raw(&self) -> bool {
        self.meters.is_some() && matches!(self.application, Application::Raw(_))
    }

    fn binary(&mut self, bytes: &[u8], ctx: &mut Context<Self>) {
        if self.is_metered_raw() && !self.is_message_within_rates(bytes.len(), ctx) {
            return;
        }
        match &mut self.application {
            Application::SocketIo(_) => self.socketio_binary(Bytes::copy_from_slice(bytes), ctx),
            Application::Raw(connection) => connection.message(Message::Binary(bytes)),
        }
    }

    /// Takes the next packets out of the inbox until it is empty or one of them has to be waited for.
    pub(super) fn drain_inbox(&mut self, ctx: &mut Context<Self>) {
        while !self.is_blocked {
            match self.inbox.pop_front() {
                Some(Inbound::Packet(kind, OwnedData::Text(text))) => {
                    self.packet(
                        Ok(Packet {
                            kind,
                            data: Data::Text(&text),
                        }),
                        ctx,
                    );
                }
                Some(Inbound::Packet(kind, OwnedData::Binary(bytes))) => {
                    self.packet(
                        Ok(Packet {
                            kind,
                            data: Data::Binary((&bytes[..]).into()),
                        }),
                        ctx,
                    );
                }
                Some(Inbound::Socketio(packet)) if self.state == State::Open => {
                    self.socketio_packet(packet, ctx);
                }
                Some(Inbound::Socketio(_)) => {}
                Some(Inbound::Broken(err)) => self.packet(Err(err), ctx),
                Some(Inbound::Frame(carrier, frame)) => self.frame(carrier, frame.borrow(), ctx),
                None => {
                    if let Some(done) = self.frames_done.take() {
                        // The reader may have gone.
                        let _ = done.send(());
                    }
                    return self.posted();
                }
            }
        }
    }

    /// Nothing more is looked at until `waiting` is done.
    pub(super) fn block_on(
        &mut self,
        waiting: impl ActorFuture<Self, Output = ()> + 'static,
        ctx: &mut Context<Self>,
    ) {
        self.is_blocked = true;
        ctx.spawn(
            waiting.map(|(), session: &mut Self, ctx: &mut Context<Self>| {
                session.is_blocked = false;
                session.drain_inbox(ctx);
                if !session.is_blocked
                    && let Some(reader) = session.reader.take()
                {
                    reader.wake();
                }
            }),
        );
    }

    pub(super) fn ping_timeout(&mut self, ctx: &mut Context<Self>) {
        if self.is_blocked {
            // It is us who do not listen.
            return self.hub.borrow_mut().heard(self.seat, Instant::now());
        }
        self.server.metrics.count(Counter::PingTimeout);
        self.end(DisconnectReason::PingTimeout, ctx);
    }

    /// Notes whether a WebSocket message has begun and is not complete; `progress`: others have become
    /// complete since the last note, so this one is new.
    pub(super) fn note_partial_message(&mut self, is_partial: bool, progress: bool) {
        if progress || !is_partial {
            self.message_since = None;
        }
        if is_partial && self.message_since.is_none() {
            let now = Instant::now();
            self.message_since = Some(now);
            self.watch_completion(now);
        }
    }

    /// Notes whether a Socket.IO packet waits for its attachments.
    pub(super) fn note_partial_packet(&mut self, is_partial: bool) {
        if !is_partial {
            self.packet_since = None;
        } else if self.packet_since.is_none() {
            let now = Instant::now();
            self.packet_since = Some(now);
            self.watch_completion(now);
        }
    }

    /// One timer for both, which is set anew when it finds that it is too early.
    fn watch_completion(&mut self, since: Instant) {
        if !std::mem::replace(&mut self.is_watching_completion, true) {
            let limit = self.server.limits().time_to_complete_packet;
            self.hub
                .borrow_mut()
                .set_timer(self.seat, Timer::Packet, since + limit);
        }
    }

    pub(super) fn packet_due(&mut self, ctx: &mut Context<Self>) {
        self.is_watching_completion = false;
        let limit = self.server.limits().time_to_complete_packet;
        let Some(since) = self
            .message_since
            .into_iter()
            .chain(self.packet_since)
            .min()
        else {
            return;
        };
        if since.elapsed() < limit {
            return self.watch_completion(since);
        }
        let why = "a packet did not become complete in time";
        log::debug!("a session is closed sid={} why={why}", self.sid());
        self.server.metrics.count(Counter::IncompletePacket);
        let close = Some((close_code::POLICY_VIOLATION, why.to_owned()));
        self.finish_with_code(DisconnectReason::TransportError, close);
        ctx.stop();
    }

    /// Copies what a packet says, for later.
    pub(super) fn keep(packet: Result<Packet<'_>, DecodeError>) -> Inbound {
        match packet {
            Ok(Packet {
                kind,
                data: Data::Text(text),
            }) => Inbound::Packet(kind, OwnedData::Text(ByteString::from(text))),
            Ok(Packet {
                kind,
                data: Data::Binary(bytes),
            }) => Inbound::Packet(kind, OwnedData::Binary(bytes.into_owned().into())),
            Err(err) => Inbound::Broken(err),
        }
    }

    pub(super) fn is_polling(&self) -> bool {
        self.transport() == Transport::Polling
    }
}
