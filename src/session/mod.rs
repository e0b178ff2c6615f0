//! # Session
//! Owns: one client's Engine.IO session: its state, its upgrade, its sockets, what it has begun to send.
//! Runs: one per client, on the worker that answered its handshake.
//! Receives: [`Command`]; frames, from the stream it reads. Sends: packets into its seat at the hub;
//! events to handler actors; membership to the registry.
//! Stops: through [`Session::end`], whatever ends it. Never: runs inside a response body, awaits Redis.

mod close;
mod events;
mod packets;
mod polling;
mod rates;
mod reader;
mod request_id;
mod sockets;
mod token;
mod upgrade;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use actix::prelude::*;
use bytes::Bytes;
use tokio::sync::oneshot;

pub(crate) use polling::{PollAnswer, PostAnswer};
pub(crate) use reader::{Frame, Inbound, Read, outlet, read_mounted};
pub(crate) use upgrade::{Offer, Wire};

use crate::engine;
use crate::hub::{
    self, Body, Dialect, Heartbeat, Hub, Link, MemberKey, Parcel, Seat, SeatKey, Timer,
};
use crate::metrics::Counter;
use crate::namespace::Handshake;
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::{self, Open, PacketType, ProtocolVersion, Sid, Transport};
use crate::protocol::websocket::{self, WsError};
use crate::rates::Meters;
use crate::server::{Shared, Upper};
use request_id::RequestId;
use sockets::Sockets;
use upgrade::Upgrade;

/// How long the first packet of a revision 3 client follows the answer to its handshake.
const HEAD_START: Duration = Duration::from_millis(5);

/// What a session is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// The body of a POST is complete.
    Post {
        body: Bytes,
        is_binary: bool,
        /// The request, for applications that want to know.
        request: Option<Arc<Handshake>>,
        answer: oneshot::Sender<PostAnswer>,
    },
    /// The body of a POST did not become complete.
    PostAborted { is_too_large: bool },
    /// A WebSocket for this session.
    Upgrade(Offer),
    /// Frames from a connection that another task reads.
    Frames(Read),
    /// Requests of a polling client overlapped, or one was broken off.
    Broken(&'static str),
    /// The connection cannot be used any more.
    TransportError(&'static str),
    /// Nothing was heard for too long.
    PingTimeout,
    /// A timer has run out.
    Due(Timer),
    /// Sockets were disconnected by the server, with `close` the session too.
    Kicked {
        members: Vec<MemberKey>,
        close: bool,
    },
    /// The program closes the session.
    Close,
    /// The server ends.
    Shutdown,
}

impl Message for Command {
    type Result = ();
}

impl Command {
    /// Answers in place of a session that is not there.
    pub(crate) fn refuse(self) {
        let unknown = engineio::HandshakeError::UnknownSid;
        match self {
            // Whoever asked may have gone.
            Self::Post { answer, .. } => drop(answer.send(PostAnswer::Refused(unknown))),
            Self::Upgrade(offer) => offer.refuse(&unknown),
            Self::PostAborted { .. }
            | Self::Broken(_)
            | Self::Frames(_)
            | Self::TransportError(_)
            | Self::PingTimeout
            | Self::Due(_)
            | Self::Kicked { .. }
            | Self::Close
            | Self::Shutdown => {}
        }
    }
}

/// Whether packets are still exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// We wait for a poll that takes the close packet with it.
    Closing(DisconnectReason),
    Closed,
}

/// What is on top of Engine.IO.
enum Application {
    SocketIo(Sockets),
    Raw(Box<dyn engine::Connection>),
}

/// See the module documentation.
// Among a thousand others a session is read from memory with each message: what a message needs comes first, together.
#[repr(C)]
pub(crate) struct Session {
    hub: Rc<RefCell<Hub>>,
    seat: SeatKey,
    server: Arc<Shared>,
    /// Its token buckets, if a rate is set.
    meters: Option<Box<Meters>>,
    /// The number of the connection that carries the session; frames of others are old.
    carrier: u32,
    version: ProtocolVersion,
    /// What carries it, as its messages are counted.
    transport: Transport,
    state: State,
    /// A handler or a middleware has to finish before the next packet is looked at.
    is_blocked: bool,
    /// Since when a WebSocket message has been incomplete.
    message_since: Option<Instant>,
    /// Since when a Socket.IO packet has been waiting for attachments.
    packet_since: Option<Instant>,
    application: Application,
    upgrade: Option<Upgrade>,

    // Seldom.
    handshake: Arc<Handshake>,
    opened: Instant,
    /// What arrived while the session was blocked.
    inbox: VecDeque<Inbound>,
    /// Whom to tell when the inbox is empty.
    post_answer: Option<oneshot::Sender<PostAnswer>>,
    frames_done: Option<oneshot::Sender<()>>,
    /// Wakes the task that reads the stream when the session is blocked no more.
    reader: Option<Waker>,
    /// What to read from when the actor has started.
    wire: Option<Wire>,
    /// The number of the last connection.
    last_carrier: u32,
    is_watching_completion: bool,
    /// How many polls there were when an upgrade broke off after its probe.
    polls_before_orphan: Option<u32>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// How a session begins.
pub(crate) struct Opening {
    pub(crate) handshake: Arc<Handshake>,
    pub(crate) version: ProtocolVersion,
    pub(crate) sid: Sid,
    /// Binary packets are sent as base64 (revision 3).
    pub(crate) is_base64: bool,
    /// The WebSocket it begins on; with polling there is none.
    pub(crate) wire: Option<Wire>,
}

impl Session {
    /// Opens a session on this worker: its seat, with the first packets in the outbox.
    pub(crate) fn open(hub: &Rc<RefCell<Hub>>, opening: Opening) -> SeatKey {
        let Opening {
            handshake,
            version,
            sid,
            is_base64,
            mut wire,
        } = opening;
        let context = Context::new();
        let now = Instant::now();
        let mut state = hub.borrow_mut();
        let server = Arc::clone(&state.server);
        let engine = &server.config.engine;
        let heartbeat = match version {
            ProtocolVersion::V4 => Heartbeat::PingAt(now + engine.ping_interval),
            ProtocolVersion::V3 => Heartbeat::DeadAt(now + engine.longest_silence()),
        };
        let (link, deflate, transport) = match &wire {
            None => (Link::Polling(None), None, Transport::Polling),
            Some(wire) => (wire.link(), wire.deflate(engine), Transport::Websocket),
        };
        let dialect = Dialect::new(version, is_base64);
        let mut seat = Seat::new(sid, context.address(), dialect, link, heartbeat);
        seat.deflate = deflate;
        let key = state.add_seat(seat);
        state.tally.opened[hub::place(transport)] += 1;
        if version == ProtocolVersion::V3
            && let Some(wire) = &mut wire
        {
            // Clients of that age attach their listeners when the handshake is answered: what comes in the
            // same segment would be lost on them. A moment is enough.
            wire.send_head();
            hub::delay_flush(&mut state, key, hub, HEAD_START);
        }
        if let Some(head) = wire.as_ref().and_then(Wire::head) {
            state.push(key, Parcel::new(Body::Raw(head), false));
        }
        let open = Open {
            sid: &sid,
            upgrades: transport.upgrades(server.transports(), engine.allow_upgrades),
            ping_interval_ms: u64::try_from(engine.ping_interval.as_millis()).unwrap_or(u64::MAX),
            ping_timeout_ms: u64::try_from(engine.ping_timeout.as_millis()).unwrap_or(u64::MAX),
            max_payload_bytes: engine.max_http_buffer_size,
        };
        state.push(key, Parcel::text(&*open.packet()));
        if let Some(packet) = &engine.initial_packet {
            state.push(
                key,
                Parcel::text(&*engineio::encode_text(PacketType::Message, packet)),
            );
        }
        let application = match &server.upper {
            Upper::SocketIo(_) => {
                state.set_timer(
                    key,
                    Timer::Connect,
                    now + server.config.socketio.connect_timeout,
                );
                Application::SocketIo(Sockets::new(&server))
            }
            Upper::Raw(application) => {
                let client = engine::Client::new(Arc::clone(&state.handle), key, version);
                Application::Raw(application.connect(client, &handshake))
            }
        };
        drop(state);
        let address = handshake.counted_address();
        let rates = server.rates();
        let meters = rates.get().and_then(|rates| rates.meters(address));
        drop(rates);
        let session = Self {
            meters,
            hub: Rc::clone(hub),
            seat: key,
            server,
            handshake,
            opened: now,
            version,
            transport,
            state: State::Open,
            application,
            upgrade: None,
            is_blocked: false,
            inbox: VecDeque::new(),
            post_answer: None,
            frames_done: None,
            reader: None,
            wire,
            carrier: 0,
            last_carrier: 0,
            message_since: None,
            packet_since: None,
            is_watching_completion: false,
            polls_before_orphan: None,
        };
        log::debug!(
            "a session is open sid={sid} request={} transport={transport} eio={version}",
            RequestId::new(&session.handshake, &sid)
        );
        let _ = context.run(session);
        key
    }

    fn push(&self, parcel: Rc<Parcel>) {
        self.hub.borrow_mut().push(self.seat, parcel);
    }

    fn set_transport(&mut self, transport: Transport) {
        self.transport = transport;
        if let Application::SocketIo(sockets) = &self.application {
            for seated in &sockets.seated {
                seated.socket.set_transport(transport);
            }
        }
    }

    /// The sid as logs show it.
    fn sid(&self) -> String {
        self.hub
            .borrow()
            .seats
            .get(self.seat)
            .map(|seat| seat.sid.to_string())
            .unwrap_or_default()
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if let Some(wire) = self.wire.take() {
            self.last_carrier += 1;
            self.carrier = self.last_carrier;
            self.read_from(wire, self.carrier, ctx);
        }
        // Clients of revision 3 are in the root namespace without asking.
        if self.version == ProtocolVersion::V3 {
            self.connect_v3(ctx);
        }
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        // The one exit for sessions that nobody ended: their worker stops.
        self.finish(DisconnectReason::ServerShuttingDown);
    }
}

impl Handler<Command> for Session {
    type Result = ();

    fn handle(&mut self, command: Command, ctx: &mut Context<Self>) {
        if self.state == State::Closed {
            return command.refuse();
        }
        match command {
            Command::Broken(why) => self.broken(why, ctx),
            Command::Post {
                body,
                is_binary,
                request,
                answer,
            } => {
                if let (Application::Raw(connection), Some(request)) =
                    (&mut self.application, request)
                {
                    connection.request(&request);
                }
                self.post(&body, is_binary, answer, ctx);
            }
            Command::PostAborted { is_too_large } => self.post_aborted(is_too_large, ctx),
            Command::Upgrade(offer) => self.offered(offer, ctx),
            Command::Frames(read) => self.frames(read, ctx),
            Command::TransportError(why) => {
                log::debug!("a transport failed sid={} why={why}", self.sid());
                self.end(DisconnectReason::TransportError, ctx);
            }
            Command::PingTimeout => self.ping_timeout(ctx),
            Command::Due(timer) => self.due(timer, ctx),
            Command::Kicked { members, close } => self.kicked(&members, close, ctx),
            Command::Close => self.close(DisconnectReason::ForcedClose, ctx),
            Command::Shutdown => self.end(DisconnectReason::ServerShuttingDown, ctx),
        }
    }
}

impl Session {
    fn due(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match timer {
            Timer::Connect => self.connect_due(ctx),
            Timer::Upgrade => self.upgrade_due(ctx),
            Timer::Noop => self.noop_due(),
            Timer::Orphan => self.orphan_due(ctx),
            Timer::Token => self.token_due(),
            Timer::Packet => self.packet_due(ctx),
            Timer::Close => {
                if let State::Closing(reason) = self.state {
                    self.end(reason, ctx);
                }
            }
            Timer::Drain => self.drained(ctx),
            Timer::Heartbeat => {}
        }
    }

    fn violation(&mut self, err: WsError, ctx: &mut Context<Self>) {
        self.count_violation(err);
        // The code alone, as the reference sends it; the log has the words.
        let close = (err.close_code(), String::new());
        self.finish_with_code(DisconnectReason::TransportError, Some(close));
        ctx.stop();
    }

    fn count_violation(&self, err: WsError) {
        let is_size = err.close_code() == websocket::close_code::MESSAGE_TOO_BIG;
        self.server.metrics.count(if is_size {
            Counter::TooLarge
        } else {
            Counter::WebsocketViolation
        });
        log::debug!(
            "a websocket is closed sid={} code={} why={err}",
            self.sid(),
            err.close_code()
        );
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The last net: after a panic in the code of a program, and when its worker ends, the actor does not
        // stop, it is dropped.
        if self.hub.try_borrow_mut().is_ok() {
            self.finish(if std::thread::panicking() {
                DisconnectReason::ForcedClose
            } else {
                DisconnectReason::ServerShuttingDown
            });
        }
    }
}

/// Ends all sessions of a hub, because their server ends.
pub(crate) fn shut_down_all(hub: &Hub) {
    for seat in hub.seats.values() {
        seat.session.do_send(Command::Shutdown);
    }
}
