//! # Hub
//! Owns: the seats (outboxes) and the sockets of one worker, the rooms they are in, their heartbeats.
//! Runs: one per HTTP worker, on it.
//! Receives: [`Command`]. Sends: [`crate::session::Command`] to the sessions of this worker.
//! Stops: with its worker. Never: awaits, talks to Redis, parses a packet.

mod heartbeat;
mod member;
mod parcel;
mod polling;
mod seat;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use tokio::sync::Notify;

pub(crate) use heartbeat::Timer;
pub(crate) use member::{Held, Member, MemberKey, Selection, Space};
pub(crate) use parcel::{Body, Deflate, Dialect, Parcel, Parcels};
pub(crate) use polling::Polling;
pub(crate) use seat::{Heartbeat, Link, PollReply, Pushed, Seat, SeatKey};

use crate::carrier::Written;
use crate::metrics::Counter;
use crate::namespace::{BroadcastAcks, Room, Socket};
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::Sid;
use crate::protocol::socketio::Encoded;
use crate::server::Shared;
use crate::session;

/// What anybody may ask of a hub; applied at once on the hub's own thread, sent to it from others.
#[derive(Debug)]
pub(crate) enum Command {
    /// A packet for one socket.
    Emit {
        member: MemberKey,
        packet: Encoded,
        flags: Flags,
    },
    /// A packet for many.
    Fanout(Arc<Fanout>),
    Join {
        member: MemberKey,
        rooms: Vec<Room>,
    },
    Leave {
        member: MemberKey,
        room: Room,
    },
    /// Ends a socket, or with `close` the whole session it belongs to.
    Disconnect {
        member: MemberKey,
        close: bool,
    },
    /// Makes all selected sockets join, leave, or go.
    Change {
        nsp: u32,
        selection: Selection,
        change: Change,
    },
    /// A message of a session without Socket.IO on top.
    Message {
        seat: SeatKey,
        body: MessageBody,
    },
    /// Something for the session with this id, from another worker.
    Session {
        sid: Sid,
        command: session::Command,
    },
    /// A question of a request to the session with this id.
    Polling {
        sid: Sid,
        question: Polling,
    },
    /// For a session of this worker whose seat is known.
    ToSession {
        seat: SeatKey,
        command: session::Command,
    },
    /// Ends the session of a socket without a word in the namespaces.
    DropTransport {
        member: MemberKey,
    },
    /// The server ends.
    Shutdown,
}

impl Message for Command {
    type Result = ();
}

/// A raw Engine.IO message.
#[derive(Clone, Debug)]
pub(crate) enum MessageBody {
    Text(bytestring::ByteString),
    Binary(bytes::Bytes),
}

/// What [`Command::Change`] does to each selected socket.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Join(Vec<Room>),
    Leave(Vec<Room>),
    Disconnect { close: bool },
}

/// How a packet may be treated on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) volatile: bool,
    pub(crate) compress: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            volatile: false,
            compress: true,
        }
    }
}

/// A broadcast, encoded once for the whole process.
#[derive(Debug)]
pub(crate) struct Fanout {
    pub(crate) nsp: u32,
    pub(crate) selection: Selection,
    pub(crate) packet: Encoded,
    pub(crate) flags: Flags,
    /// Who collects the answers, under which ack id.
    pub(crate) acks: Option<(u64, Arc<BroadcastAcks>)>,
    /// The number of this packet in the log of connection state recovery; 0 without one.
    pub(crate) logged: u64,
}

/// The way to a hub, from any thread.
#[derive(Debug)]
pub(crate) struct HubHandle {
    server: usize,
    pub(crate) index: u16,
    addr: Addr<HubActor>,
}

type Local = Rc<RefCell<Hub>>;

thread_local! {
    /// The hubs of this thread: one per server that has sessions here.
    static LOCAL: RefCell<Vec<(usize, Local)>> = const { RefCell::new(Vec::new()) };
}

/// The hub of a server on this thread, if it has one.
pub(crate) fn local(server: usize) -> Option<Local> {
    LOCAL.with_borrow(|hubs| {
        hubs.iter()
            .find(|(id, _)| *id == server)
            .map(|(_, hub)| Rc::clone(hub))
    })
}

impl HubHandle {
    /// Applies `command` at once if this is the hub's thread, else sends it there. One thread always
    /// takes the same way to one hub, so what it says arrives in the order it was said.
    pub(crate) fn send(&self, command: Command) {
        if let Some(hub) = local(self.server)
            && let Ok(mut hub) = hub.try_borrow_mut()
            && hub.index == self.index
        {
            let after = hub.apply(command);
            drop(hub);
            return after.run();
        }
        self.addr.do_send(command);
    }
}

/// What has to happen once the hub is no longer borrowed, since it comes back to the hub.
#[derive(Debug, Default)]
enum After {
    #[default]
    Nothing,
    Change(Vec<Socket>, Change),
}

impl After {
    fn run(self) {
        let Self::Change(sockets, change) = self else {
            return;
        };
        for socket in sockets {
            match &change {
                Change::Join(rooms) => socket.join(rooms),
                Change::Leave(rooms) => rooms.iter().for_each(|room| socket.leave(room.clone())),
                Change::Disconnect { close } => socket.disconnect(*close),
            }
        }
    }
}

/// The state of a worker; see the module documentation.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) index: u16,
    pub(crate) handle: Arc<HubHandle>,
    pub(crate) server: Arc<Shared>,
    pub(crate) seats: SlotMap<SeatKey, Seat>,
    pub(crate) members: SlotMap<MemberKey, Member>,
    by_sid: HashMap<Sid, SeatKey, foldhash::quality::RandomState>,
    spaces: FxHashMap<u32, Space>,
    /// All hubs of the server, and the generation of that list.
    pub(crate) peers: RefCell<(u64, Rc<Vec<Arc<HubHandle>>>)>,
    timers: BTreeSet<(Instant, SeatKey, Timer)>,
    timer_set: Rc<Notify>,
    dirty: Vec<SeatKey>,
    flush: Rc<Notify>,
    stamp: u64,
    outbox_limit: usize,
    /// The packets that are the same for everybody.
    ping: Rc<Parcel>,
    pong: Rc<Parcel>,
}

/// The actor that receives what other threads send; its state is [`Hub`].
#[derive(Debug)]
pub(crate) struct HubActor(Option<Local>);

impl Actor for HubActor {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        if let Some(hub) = self.0.take() {
            let (server, index) = (Arc::clone(&hub.borrow().server), hub.borrow().index);
            LOCAL.with_borrow_mut(|hubs| hubs.retain(|(_, other)| !Rc::ptr_eq(other, &hub)));
            server.remove_hub(index);
        }
    }
}

impl Handler<Command> for HubActor {
    type Result = ();

    fn handle(&mut self, command: Command, _: &mut Context<Self>) {
        if let Some(hub) = &self.0 {
            let after = hub.borrow_mut().apply(command);
            after.run();
        }
    }
}

/// The hub of `server` on this worker, started if it is not there yet.
pub(crate) fn here(server: &Arc<Shared>) -> Local {
    if let Some(hub) = local(server.id) {
        return hub;
    }
    let context = Context::new();
    let addr = context.address();
    let hub = server.add_hub(|index| {
        let handle = Arc::new(HubHandle {
            server: server.id,
            index,
            addr,
        });
        Rc::new(RefCell::new(Hub {
            index,
            handle,
            server: Arc::clone(server),
            seats: SlotMap::with_key(),
            members: SlotMap::with_key(),
            by_sid: HashMap::default(),
            spaces: FxHashMap::default(),
            peers: RefCell::default(),
            timers: BTreeSet::new(),
            timer_set: Rc::new(Notify::new()),
            dirty: Vec::new(),
            flush: Rc::new(Notify::new()),
            stamp: 0,
            outbox_limit: server.config.limits.outbox_bytes,
            ping: Parcel::text("2"),
            pong: Parcel::text("3"),
        }))
    });
    LOCAL.with_borrow_mut(|hubs| hubs.push((server.id, Rc::clone(&hub))));
    let _ = context.run(HubActor(Some(Rc::clone(&hub))));
    actix_rt::spawn(flush_rounds(Rc::downgrade(&hub)));
    actix_rt::spawn(heartbeat::run(Rc::downgrade(&hub)));
    hub
}

/// Flushes the dirty seats once per round of the event loop: the task is woken by the first push of a
/// round and so runs after everything that was ready before.
async fn flush_rounds(hub: std::rc::Weak<RefCell<Hub>>) {
    let Some(flush) = hub.upgrade().map(|hub| Rc::clone(&hub.borrow().flush)) else {
        return;
    };
    loop {
        flush.notified().await;
        let Some(hub) = hub.upgrade() else { return };
        hub.borrow_mut().flush_dirty(&hub);
    }
}

impl Hub {
    fn apply(&mut self, command: Command) -> After {
        match command {
            Command::Emit {
                member,
                packet,
                flags,
            } => self.emit(member, packet, flags),
            Command::Fanout(fanout) => self.fan_out(&fanout),
            Command::Join { member, rooms } => {
                if let Some(space) = self.space_of(member) {
                    rooms.into_iter().for_each(|room| space.join(member, room));
                }
            }
            Command::Leave { member, room } => {
                if let Some(space) = self.space_of(member) {
                    space.leave(member, &room);
                }
            }
            Command::Disconnect { member, close } => self.disconnect(member, close),
            Command::Change {
                nsp,
                selection,
                change,
            } => {
                let mut sockets = Vec::new();
                self.stamp += 1;
                if let Some(space) = self.spaces.get(&nsp) {
                    space.select(&mut self.members, self.stamp, &selection, |_, member| {
                        if member.is_connected() {
                            sockets.push(Socket::from(Arc::clone(&member.socket)));
                        }
                    });
                }
                return After::Change(sockets, change);
            }
            Command::Message { seat, body } => {
                let body = match body {
                    MessageBody::Text(text) => Body::Text(format!("4{text}").into()),
                    MessageBody::Binary(bytes) => Body::Binary(bytes),
                };
                self.push(seat, Parcel::new(body, true));
            }
            Command::Session { sid, command } => match self.by_sid.get(&sid) {
                Some(seat) => self.seats[*seat].session.do_send(command),
                None => command.refuse(),
            },
            Command::ToSession { seat, command } => match self.seats.get(seat) {
                Some(seat) => seat.session.do_send(command),
                None => command.refuse(),
            },
            Command::Polling { sid, question } => self.polling(&sid, question),
            Command::Shutdown => session::shut_down_all(self),
            Command::DropTransport { member } => {
                if let Some(seat) = self
                    .members
                    .get(member)
                    .and_then(|member| self.seats.get(member.seat))
                {
                    seat.session.do_send(session::Command::Close);
                }
            }
        }
        After::Nothing
    }

    fn space_of(&mut self, member: MemberKey) -> Option<&mut Space> {
        let nsp = self.members.get(member)?.socket.namespace().index;
        self.spaces.get_mut(&nsp)
    }

    // Hot: two lookups, one push.
    fn emit(&mut self, member: MemberKey, packet: Encoded, flags: Flags) {
        let Some(member) = self.members.get_mut(member) else {
            return;
        };
        let parcels = Parcel::of(packet, flags.compress);
        let key = member.seat;
        match member.hold(&parcels, self.outbox_limit) {
            Held::Yes => {}
            Held::No => self.push_all(key, &parcels, flags.volatile),
            Held::TooMuch => {
                if let Some(seat) = self.seats.get_mut(key) {
                    overflow(seat, &self.server);
                }
            }
        }
    }

    // Hot: for each member two lookups in dense slabs and one push of a shared parcel; nothing is
    // allocated, encoded or locked per member.
    fn fan_out(&mut self, fanout: &Fanout) {
        self.stamp += 1;
        let Self {
            spaces,
            members,
            seats,
            dirty,
            flush,
            outbox_limit,
            server,
            ..
        } = self;
        let Some(space) = spaces.get(&fanout.nsp) else {
            if let Some((_, acks)) = &fanout.acks {
                acks.hub_done(0);
            }
            return;
        };
        let parcels = Parcel::of(fanout.packet.clone(), fanout.flags.compress);
        let mut reached = 0;
        space.select(members, self.stamp, &fanout.selection, |_, member| {
            let was_replayed = fanout.logged != 0 && fanout.logged <= member.replayed_up_to;
            if was_replayed || !member.is_listening() {
                return;
            }
            reached += 1;
            if let Some((id, acks)) = &fanout.acks {
                member.socket.await_broadcast_ack(*id, acks);
            }
            let Some(seat) = seats.get_mut(member.seat) else {
                return;
            };
            match member.hold(&parcels, *outbox_limit) {
                Held::Yes => {}
                Held::TooMuch => overflow(seat, server),
                Held::No => {
                    enqueue(
                        seat,
                        member.seat,
                        &parcels,
                        fanout.flags.volatile,
                        *outbox_limit,
                        dirty,
                        flush,
                        server,
                    );
                }
            }
        });
        if let Some((_, acks)) = &fanout.acks {
            acks.hub_done(reached);
        }
    }

    fn push_all(&mut self, key: SeatKey, parcels: &Parcels, volatile: bool) {
        if let Some(seat) = self.seats.get_mut(key) {
            enqueue(
                seat,
                key,
                parcels,
                volatile,
                self.outbox_limit,
                &mut self.dirty,
                &self.flush,
                &self.server,
            );
        }
    }

    /// Puts a packet into the outbox of a session.
    pub(crate) fn push(&mut self, seat: SeatKey, parcel: Rc<Parcel>) {
        self.push_all(seat, &Parcels::One(parcel), false);
    }

    /// Puts a Socket.IO packet into the outbox of a session.
    pub(crate) fn push_packet(&mut self, seat: SeatKey, packet: Encoded) {
        self.push_all(seat, &Parcel::of(packet, true), false);
    }

    /// Ends a socket on behalf of the server: DISCONNECT leaves after what was emitted before.
    pub(crate) fn disconnect(&mut self, key: MemberKey, close: bool) {
        let Some(member) = self.members.get_mut(key) else {
            return;
        };
        if !member.is_connected() {
            // The answer to CONNECT comes first.
            member.disconnect_then = Some(close);
            return;
        }
        let seat_key = member.seat;
        let Some(seat) = self.seats.get(seat_key) else {
            return;
        };
        let session = seat.session.clone();
        let ended = if close {
            seat.members.to_vec()
        } else {
            vec![key]
        };
        for &key in &ended {
            let Some(member) = self.members.get(key) else {
                continue;
            };
            let socket = Arc::clone(&member.socket);
            if member.is_connected() {
                let packet = self.server.dialect().disconnect(socket.namespace().name());
                self.push_packet(seat_key, packet);
            }
            // At once, so that nothing that is emitted from now on follows the packet.
            let rooms = socket.close(DisconnectReason::ServerNamespaceDisconnect);
            self.remove_member(key, &rooms);
        }
        session.do_send(session::Command::Kicked {
            members: ended,
            close,
        });
    }

    /// A new session; the caller gives it its first packets.
    pub(crate) fn add_seat(&mut self, seat: Seat) -> SeatKey {
        let (sid, heartbeat) = (seat.sid, seat.heartbeat);
        let key = self.seats.insert(seat);
        self.by_sid.insert(sid, key);
        self.set_heartbeat(key, heartbeat);
        key
    }

    pub(crate) fn remove_seat(&mut self, key: SeatKey) -> Option<Seat> {
        let seat = self.seats.remove(key)?;
        self.by_sid.remove(&seat.sid);
        Some(seat)
    }

    /// A new socket, which gets no broadcasts until [`Hub::accept`].
    pub(crate) fn add_member(&mut self, member: Member) -> MemberKey {
        let (seat, nsp, id) = (
            member.seat,
            member.socket.namespace().index,
            member.socket.id().clone(),
        );
        let key = self.members.insert(member);
        self.spaces.entry(nsp).or_default().insert(id, key);
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.members.push(key);
        }
        key
    }

    /// Sends `answer` (to CONNECT), then what was held back, and opens the socket to everything. Carries
    /// out a disconnection that was asked for meanwhile.
    pub(crate) fn accept(&mut self, key: MemberKey, answer: Encoded, replay: Vec<Encoded>) {
        let Some(member) = self.members.get_mut(key) else {
            return;
        };
        let (seat, disconnect) = (member.seat, member.disconnect_then.take());
        let held = member.release();
        self.push_packet(seat, answer);
        for packet in replay {
            self.push_packet(seat, packet);
        }
        for parcel in held {
            self.push(seat, parcel);
        }
        if let Some(close) = disconnect {
            self.disconnect(key, close);
        }
    }

    /// Takes a socket out of the namespace and of all its rooms.
    pub(crate) fn remove_member(&mut self, key: MemberKey, rooms: &[Room]) -> Option<Member> {
        let member = self.members.remove(key)?;
        let nsp = member.socket.namespace().index;
        if let Some(space) = self.spaces.get_mut(&nsp) {
            space.remove(member.socket.id(), key, rooms.iter());
            if space.is_empty() {
                self.spaces.remove(&nsp);
            }
        }
        if let Some(seat) = self.seats.get_mut(member.seat) {
            seat.members.retain(|other| *other != key);
        }
        Some(member)
    }

    /// Has the seat flushed at the end of the round even if nothing was pushed now.
    pub(crate) fn mark_dirty(&mut self, key: SeatKey) {
        if let Some(seat) = self.seats.get_mut(key) {
            mark(seat, key, &mut self.dirty, &self.flush);
        }
    }

    fn flush_dirty(&mut self, this: &Local) {
        for key in std::mem::take(&mut self.dirty) {
            self.flush_seat(key, this);
        }
    }

    fn flush_seat(&mut self, key: SeatKey, this: &Local) {
        let Some(seat) = self.seats.get_mut(key) else {
            return;
        };
        seat.dirty = false;
        match seat.flush() {
            Written::All => {}
            Written::Some if seat.blocked => {}
            Written::Some => {
                seat.blocked = true;
                if let Link::Direct(stream) = &seat.link {
                    actix_rt::spawn(resume(Rc::clone(stream), key, Rc::downgrade(this)));
                }
            }
            Written::Failed => {
                seat.doomed = true;
                seat.clear();
                seat.session
                    .do_send(session::Command::TransportError("write failed"));
            }
        }
    }
}

/// Keeps what is pushed to a seat for a moment.
pub(crate) fn delay_flush(hub: &mut Hub, key: SeatKey, this: &Local, delay: std::time::Duration) {
    if let Some(seat) = hub.seats.get_mut(key) {
        seat.blocked = true;
    }
    let this = Rc::downgrade(this);
    actix_rt::spawn(async move {
        tokio::time::sleep(delay).await;
        unblock(key, &this);
    });
}

/// Waits until a blocked stream takes more, and flushes again.
async fn resume(
    stream: Rc<crate::carrier::Direct>,
    key: SeatKey,
    hub: std::rc::Weak<RefCell<Hub>>,
) {
    // A broken stream is writable too: the write then says what is wrong.
    let _ = stream.writable().await;
    drop(stream);
    unblock(key, &hub);
}

fn unblock(key: SeatKey, hub: &std::rc::Weak<RefCell<Hub>>) {
    let Some(hub) = hub.upgrade() else { return };
    let mut state = hub.borrow_mut();
    if let Some(seat) = state.seats.get_mut(key) {
        seat.blocked = false;
    }
    state.flush_seat(key, &hub);
}

fn mark(seat: &mut Seat, key: SeatKey, dirty: &mut Vec<SeatKey>, flush: &Notify) {
    if !seat.dirty {
        seat.dirty = true;
        if dirty.is_empty() {
            flush.notify_one();
        }
        dirty.push(key);
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a hub that a fan-out borrows one by one"
)]
// Hot: see `Hub::fan_out`.
fn enqueue(
    seat: &mut Seat,
    key: SeatKey,
    parcels: &Parcels,
    volatile: bool,
    limit: usize,
    dirty: &mut Vec<SeatKey>,
    flush: &Notify,
    server: &Shared,
) {
    if seat.doomed || (volatile && !seat.is_writable()) {
        return;
    }
    for parcel in parcels.as_slice() {
        if seat.push(Rc::clone(parcel), limit) == Pushed::Full {
            return overflow(seat, server);
        }
    }
    mark(seat, key, dirty, flush);
}

/// A client did not take what was sent to it: its session ends.
fn overflow(seat: &mut Seat, server: &Shared) {
    if !std::mem::replace(&mut seat.doomed, true) {
        seat.clear();
        server.metrics.count(Counter::SlowConsumer);
        seat.session
            .do_send(session::Command::TransportError("outbox full"));
    }
}
