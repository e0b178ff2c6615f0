//! The ends of a session: in good order, at once, and what its transport is left with.

use std::time::{Duration, Instant};

use actix::prelude::*;

use super::{Application, PollAnswer, RequestId, Session, State};
use crate::hub::{Link, Parcel, Seat, Timer, place};
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::Transport;
use crate::protocol::websocket::{self, close_code};

/// How long a close packet waits for a poll that takes it.
///
/// Source: `packages/engine.io/lib/transports/polling.ts`, `closeTimeout`.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The same when the server ends: a client that is there polls again at once.
const FAREWELL: Duration = Duration::from_secs(1);

impl Session {
    /// Closes in good order: what is queued is sent first. The application hears of it at once if it is
    /// Socket.IO, at the end otherwise, as in the reference.
    pub(super) fn close(&mut self, reason: DisconnectReason, ctx: &mut Context<Self>) {
        self.close_saying("", reason, ctx);
    }

    /// As [`Session::close`], with words for the close frame, which a WebSocket has room for. The code stays
    /// that of a normal end, as the reference sends it.
    pub(super) fn close_saying(
        &mut self,
        why: &str,
        reason: DisconnectReason,
        ctx: &mut Context<Self>,
    ) {
        if self.state != State::Open {
            return;
        }
        if !self.is_polling_idly() {
            // The transport closes at once, so that is what the sockets hear of, as in the reference.
            let is_ours = reason == DisconnectReason::ForcedServerClose;
            let reason = if is_ours {
                DisconnectReason::ForcedClose
            } else {
                reason
            };
            self.finish_with_code(reason, Some((close_code::NORMAL, why.to_owned())));
            return ctx.stop();
        }
        self.close_with_next_poll(reason, CLOSE_TIMEOUT);
    }

    /// The server ends, and it is this session's turn. Who polls is between two polls now and then: the next one takes
    /// what is queued, and the close packet.
    pub(super) fn drained(&mut self, ctx: &mut Context<Self>) {
        let reason = DisconnectReason::ServerShuttingDown;
        if self.state != State::Open {
            // The poll that it waits for will come, or its time is up by itself.
        } else if self.is_polling_idly() {
            self.close_with_next_poll(reason, FAREWELL);
        } else {
            self.end(reason, ctx);
        }
    }

    /// Whether it is between two polls.
    pub(super) fn is_polling_idly(&self) -> bool {
        let hub = self.hub.borrow();
        hub.seats
            .get(self.seat)
            .is_some_and(|seat| matches!(seat.link, Link::Polling(None)))
    }

    fn close_with_next_poll(&mut self, reason: DisconnectReason, patience: Duration) {
        if let Application::SocketIo(_) = self.application {
            self.disconnect_all(reason);
        }
        self.state = State::Closing(reason);
        let mut hub = self.hub.borrow_mut();
        hub.set_timer(self.seat, Timer::Close, Instant::now() + patience);
        if let Some(seat) = hub.seats.get_mut(self.seat) {
            seat.closing = true;
        }
    }

    /// Ends now.
    pub(super) fn end(&mut self, reason: DisconnectReason, ctx: &mut Context<Self>) {
        self.finish(reason);
        ctx.stop();
    }

    /// The one exit door: tells the application, gives up the seat, ends the transport. Safe to run twice.
    pub(super) fn finish(&mut self, reason: DisconnectReason) {
        self.finish_with_code(reason, None);
    }

    pub(super) fn finish_with_code(
        &mut self,
        reason: DisconnectReason,
        close: Option<(u16, String)>,
    ) {
        if self.state == State::Closed {
            return;
        }
        let sid = self.sid();
        self.state = State::Closed;
        self.disconnect_all(reason);
        if let Application::Raw(connection) = &mut self.application {
            connection.close(reason);
        }
        self.abandon_upgrade(close_code::NORMAL, "the session has ended");
        let mut hub = self.hub.borrow_mut();
        let seat = hub.remove_seat(self.seat);
        hub.tally.closed[reason as usize] += 1;
        if let Some(seat) = &seat
            && !is_cut_off(seat, reason, close.as_ref())
        {
            let (n_packets, n_bytes) = seat.queued();
            hub.tally.sent[place(seat.link.transport())].add(n_packets, n_bytes);
        }
        drop(hub);
        if let Some(seat) = seat {
            // The last line of a session, at debug as all of its life: with some hundred thousand clients, whoever
            // wants to read of each will say so.
            log::debug!(
                "a session has ended sid={sid} request={} transport={} duration_ms={} reason={reason}",
                RequestId::new(&self.handshake, &seat.sid),
                seat.link.transport(),
                self.opened.elapsed().as_millis()
            );
            end_transport(seat, reason, close);
        }
        self.server.connection_closed(&self.handshake);
        if let Application::SocketIo(sockets) = &self.application
            && !sockets.has_joined
        {
            self.server.joined_first();
            let mut hub = self.hub.borrow_mut();
            hub.take_timer(self.seat, Timer::Connect, self.join_until());
        }
        self.inbox.clear();
        self.frames_done = None;
        if let Some(answer) = self.post_answer.take() {
            // Whoever posted may have gone.
            let _ = answer.send(super::PostAnswer::Done);
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    pub(super) fn transport(&self) -> Transport {
        self.hub
            .borrow()
            .seats
            .get(self.seat)
            .map_or(Transport::Websocket, |seat| seat.link.transport())
    }
}

/// Whether what is queued for a client is lost with its transport.
fn is_cut_off(seat: &Seat, reason: DisconnectReason, close: Option<&(u16, String)>) -> bool {
    let is_broken = reason == DisconnectReason::TransportError && close.is_none();
    match &seat.link {
        Link::Gone | Link::Polling(None) => true,
        Link::Polling(Some(_)) => reason == DisconnectReason::TransportClose,
        Link::Direct(_) | Link::Mounted(_) => is_broken,
    }
}

/// Says goodbye on whatever transport the session had.
fn end_transport(mut seat: Seat, reason: DisconnectReason, close: Option<(u16, String)>) {
    let closed_by_client = reason == DisconnectReason::TransportClose;
    match std::mem::replace(&mut seat.link, Link::Gone) {
        Link::Gone | Link::Polling(None) => {}
        Link::Polling(Some(poll)) => {
            // The client that closed itself gets a noop, all others the close packet.
            if closed_by_client {
                seat.clear();
            }
            seat.push_last(Parcel::text(if closed_by_client { "6" } else { "1" }));
            // The request may have ended.
            let _ = poll.send(PollAnswer::Payload(seat.take_payload()));
        }
        Link::Direct(stream) => {
            let broken = reason == DisconnectReason::TransportError && close.is_none();
            let mut frames = if broken {
                Vec::new()
            } else {
                seat.take_frames()
            };
            frames.push(close_frame(reason, close));
            // A client that has sent its close frame waits for us to end the connection.
            stream.end(frames, !closed_by_client);
        }
        Link::Mounted(outlet) if reason == DisconnectReason::TransportError && close.is_none() => {
            outlet.abort()
        }
        Link::Mounted(outlet) => {
            let mut frames = seat.take_frames();
            frames.push(close_frame(reason, close));
            outlet.send(frames);
            outlet.close();
        }
    }
}

fn close_frame(reason: DisconnectReason, close: Option<(u16, String)>) -> bytes::Bytes {
    match (close, reason) {
        (Some((code, why)), _) => websocket::close_frame(code, &why),
        (None, DisconnectReason::ServerShuttingDown) => {
            websocket::close_frame(close_code::GOING_AWAY, reason.as_str())
        }
        (None, DisconnectReason::TransportError | DisconnectReason::ParseError) => {
            websocket::close_frame(close_code::POLICY_VIOLATION, reason.as_str())
        }
        (None, DisconnectReason::PingTimeout) => {
            websocket::close_frame(close_code::NORMAL, reason.as_str())
        }
        (None, _) => websocket::close_frame(close_code::NORMAL, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub;
    use crate::testing::Client;
    use crate::{Server, per_worker};

    struct Nobody;

    impl Actor for Nobody {
        type Context = Context<Self>;
    }

    /// How many timers there are of those that wait for a namespace to be joined, and of heartbeats.
    fn timers(server: &Server) -> [usize; 2] {
        let hub = hub::here(server.shared());
        let hub = hub.borrow();
        [Timer::Connect, Timer::Heartbeat].map(|timer| hub.n_timers(timer))
    }

    async fn until(server: &Server, expected: [usize; 2]) {
        let so_many = async {
            while timers(server) != expected {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(15), so_many).await;
        assert!(in_time.is_ok(), "{:?} are left", timers(server));
    }

    #[actix_rt::test]
    async fn who_has_joined_or_gone_leaves_no_timer() {
        let undecided = per_worker(|| Nobody).middleware(|_| std::future::pending());
        let builder = Server::builder().namespace("/undecided", undecided);
        let server = builder.build().unwrap();
        let stays = Client::connect(&server).await.unwrap();
        for _ in 0..10 {
            let goes = Client::connect(&server).await.unwrap();
            assert_eq!(timers(&server), [0, 2]);
            goes.close();
            until(&server, [0, 1]).await;
            let of_task = server.clone();
            let joins = actix_rt::spawn(async move {
                let joined = Client::connect_to(&of_task, "/undecided", ()).await;
                drop(joined.unwrap_err());
            });
            until(&server, [1, 2]).await;
            joins.abort();
            until(&server, [0, 1]).await;
        }
        drop(stays);
    }
}
