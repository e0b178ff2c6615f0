//! Socket.IO packets: events to their handlers, acks to those who wait, the rest to the sockets.

use std::sync::Arc;

use actix::prelude::*;
use bytes::Bytes;
use bytestring::ByteString;
use tokio::sync::oneshot;

use super::{Application, Inbound, Session};
use crate::metrics::Counter;
use crate::namespace::{Ack, Delivery, Event, Socket};
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::ProtocolVersion;
use crate::protocol::socketio::{self, Args, Body, DecodeError, Packet};

impl Session {
    pub(super) fn socketio_text(&mut self, text: &str, ctx: &mut Context<Self>) {
        if let Some(meters) = &mut self.meters {
            meters.add_bytes(text.len());
        }
        let limits = self.server.packet_limits();
        let Some(sockets) = self.sockets() else {
            return;
        };
        let packet = sockets.decoder.text(text, &limits);
        self.decoded(packet, ctx);
    }

    pub(super) fn socketio_binary(&mut self, bytes: Bytes, ctx: &mut Context<Self>) {
        if let Some(meters) = &mut self.meters {
            meters.add_bytes(bytes.len());
        }
        let limits = self.server.packet_limits();
        let Some(sockets) = self.sockets() else {
            return;
        };
        let packet = sockets.decoder.binary(bytes, &limits);
        self.decoded(packet, ctx);
    }

    /// A packet is there: it is counted, and before it what other workers have sent is carried out.
    fn catch_up(&self, packet: &Packet) {
        let mut hub = self.hub.borrow_mut();
        hub.tally.socketio[packet.kind() as usize] += 1;
        if !hub.handle.has_mail() {
            return;
        }
        let handle = Arc::clone(&hub.handle);
        drop(hub);
        handle.take_mail(&self.hub);
    }

    fn decoded(&mut self, packet: Result<Option<Packet>, DecodeError>, ctx: &mut Context<Self>) {
        match packet {
            Ok(Some(packet)) => {
                self.catch_up(&packet);
                self.note_partial_packet(false);
                if self.meters.is_some() && !self.is_within_rates(&packet, ctx) {
                    return;
                }
                self.socketio_packet(packet, ctx);
            }
            // Attachments follow.
            Ok(None) => self.note_partial_packet(true),
            Err(err) => {
                self.server.metrics.count(Counter::ParseError);
                log::debug!("what came is no packet sid={} why={err}", self.sid());
                self.close_saying(&err.to_string(), DisconnectReason::ForcedClose, ctx);
            }
        }
    }

    // Hot: finds the socket by comparing names (most sessions have one), hands the event over.
    pub(super) fn socketio_packet(&mut self, packet: Packet, ctx: &mut Context<Self>) {
        let Application::SocketIo(sockets) = &mut self.application else {
            return;
        };
        let (nsp, query) = match self.version {
            ProtocolVersion::V4 => (&*packet.nsp, ""),
            ProtocolVersion::V3 => socketio::split_query(&packet.nsp),
        };
        let index = sockets.position(nsp);
        let is_connected = index.is_some_and(|index| sockets.seated[index].is_connected);
        if let (Some(_), false, Body::Event { .. } | Body::Ack { .. }) =
            (index, is_connected, &packet.body)
        {
            // A handler takes its time, and clients of revision 3 do not know that anybody is asked.
            return self.wait_for_verdict(packet, ctx);
        }
        match (packet.body, index) {
            (Body::Connect { auth }, None) => {
                let auth = match self.version {
                    ProtocolVersion::V4 => auth,
                    ProtocolVersion::V3 => socketio::query_auth(query),
                };
                let nsp = ByteString::from(nsp);
                self.connect(&nsp, auth, ctx);
            }
            (Body::Event { id, name, args }, Some(index)) => self.event(index, id, name, args, ctx),
            (Body::Ack { id, args }, Some(index)) => {
                let answered = id.and_then(|id| sockets.seated[index].socket.resolve_ack(id, args));
                if let Some(time) = answered {
                    self.hub.borrow_mut().tally.acks.add(time);
                } else {
                    self.server.metrics.count(Counter::UnknownAck);
                    log::debug!("nobody waits for an ack sid={} ack={id:?}", self.sid());
                }
            }
            (Body::Disconnect, Some(index)) => {
                self.disconnect_at(index, DisconnectReason::ClientNamespaceDisconnect);
            }
            (Body::Empty, Some(_)) => {}
            // In the root namespace of revision 3 already.
            (Body::Connect { .. }, Some(_))
                if self.version == ProtocolVersion::V3 && nsp == "/" => {}
            (
                Body::Connect { .. }
                | Body::Disconnect
                | Body::Event { .. }
                | Body::Ack { .. }
                | Body::Empty
                | Body::ConnectError { .. },
                _,
            ) => {
                self.server.metrics.count(Counter::ParseError);
                let why = "the packet does not fit the state of its namespace";
                log::debug!("a session is closed sid={} why={why}", self.sid());
                self.close_saying(why, DisconnectReason::ForcedServerClose, ctx);
            }
        }
    }

    /// A packet for a socket that is not let in yet, and all that follow it, wait until its namespace has decided.
    fn wait_for_verdict(&mut self, packet: Packet, ctx: &mut Context<Self>) {
        let Application::SocketIo(sockets) = &mut self.application else {
            return;
        };
        let (decided, verdict) = oneshot::channel();
        sockets.decided = Some(decided);
        self.inbox.push_front(Inbound::Socketio(packet));
        self.block_on(verdict.into_actor(self).map(|_, _, _| ()), ctx);
    }

    // Hot: one message to the handler, whose arguments are a slice of what arrived.
    fn event(
        &mut self,
        index: usize,
        id: Option<u64>,
        name: ByteString,
        args: Args,
        ctx: &mut Context<Self>,
    ) {
        let Application::SocketIo(sockets) = &self.application else {
            return;
        };
        let seated = &sockets.seated[index];
        let mut hub = self.hub.borrow_mut();
        hub.tally.event(seated.socket.namespace().index);
        hub.tally.acks_wanted += u64::from(id.is_some());
        drop(hub);
        let socket = Socket::from(Arc::clone(&seated.socket));
        let ack = id.map_or_else(Ack::none, |id| Ack::new(socket.clone(), id));
        if self.server.auth.is_some() && self.is_refresh(&seated.socket, &name) {
            let socket = Arc::clone(&seated.socket);
            return self.refresh_token(socket, &args, ack, ctx);
        }
        if name.len() > self.server.limits().event_name_bytes {
            self.server.metrics.count(Counter::EventRefused);
            log::debug!(
                "an event name is too long sid={} bytes={}",
                self.sid(),
                name.len()
            );
            return ack.refuse("the event name is too long");
        }
        let event = Event::new(socket, name, args, ack);
        let of_namespace = &seated.socket.nsp.definition.event_middleware;
        let of_socket = seated.socket.middleware();
        if of_namespace.is_empty() && of_socket.is_empty() {
            if let Delivery::Waiting(waiting) = seated.dispatch.event(event) {
                self.block_on(waiting.into_actor(self), ctx);
            }
            return;
        }
        let middleware: Vec<_> = of_namespace.iter().cloned().chain(of_socket).collect();
        let (dispatch, metrics) = (
            std::rc::Rc::clone(&seated.dispatch),
            Arc::clone(&self.server.metrics),
        );
        let run = async move {
            for middleware in middleware {
                if let Err(refusal) = middleware(&event).await {
                    metrics.count(Counter::EventRefused);
                    log::debug!("an event is refused event={} why={refusal}", event.name());
                    return event.ack.refuse(&refusal.message);
                }
            }
            if !event.socket.is_connected() {
                // It was disconnected meanwhile, and its handler has been told.
                return event.ack.forget();
            }
            if let Delivery::Waiting(waiting) = dispatch.event(event) {
                waiting.await;
            }
        };
        // In a task of its own: a panic in a middleware drops the event, and so refuses its ack, not the session.
        let run = actix_rt::spawn(run);
        let metrics = Arc::clone(&self.server.metrics);
        let done = async move {
            if run.await.is_err() {
                metrics.count(Counter::EventRefused);
                log::debug!("an event is refused why=a middleware has panicked");
            }
        };
        self.block_on(done.into_actor(self), ctx);
    }
}
