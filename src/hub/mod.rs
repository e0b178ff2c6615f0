//! # Hub
//! Owns: the seats (outboxes) and the sockets of one worker, the rooms they are in, their heartbeats.
//! Runs: one per HTTP worker, on it.
//! Receives: [`Command`]. Sends: [`crate::session::Command`] to the sessions of this worker.
//! Stops: with its worker. Never: awaits, talks to Redis, parses a packet.

mod by_sid;
mod command;
mod delivery;
mod drain;
mod handle;
mod heartbeat;
mod member;
mod parcel;
mod polling;
mod seat;
mod tally;
mod together;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use tokio::sync::Notify;

use by_sid::BySid;
pub(crate) use command::{Change, Command, Fanout, Flags, MessageBody};
pub(crate) use delivery::delay_flush;
use handle::After;
pub(crate) use handle::{HubHandle, before_mail, end_of_round, here, local};
use heartbeat::Ticks;
pub(crate) use heartbeat::Timer;
pub(crate) use member::{Held, Member, MemberKey, Selection, Space};
pub(crate) use parcel::{Body, Deflate, Dialect, Parcel, Parcels};
pub(crate) use polling::Polling;
pub(crate) use seat::{Heartbeat, Link, PollReply, Pushed, Seat, SeatKey};
pub(crate) use tally::{ByType, Report, ReportTo, Tallies, Tally, place};
use together::Together;

use crate::namespace::{NamespaceInner, OwnNamespace, Room, Socket};
use crate::protocol::DisconnectReason;
use crate::protocol::socketio::Encoded;
use crate::server::Shared;
use crate::session;
use crate::subscriber::Confirm;

/// The state of a worker; see the module documentation.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) index: u16,
    pub(crate) handle: Arc<HubHandle>,
    pub(crate) server: Arc<Shared>,
    pub(crate) seats: SlotMap<SeatKey, Seat>,
    pub(crate) members: SlotMap<MemberKey, Member>,
    by_sid: BySid,
    spaces: FxHashMap<u32, Space>,
    /// All hubs of the server, and the generation of that list.
    pub(crate) peers: RefCell<(u64, Rc<Vec<Arc<HubHandle>>>)>,
    timers: BTreeSet<(Instant, SeatKey, Timer)>,
    timer_set: Rc<Notify>,
    ticks: Ticks,
    dirty: Vec<SeatKey>,
    flush: Rc<Notify>,
    /// The registry is told something at the end of the round.
    has_news: Cell<bool>,
    stamp: u64,
    /// What other threads have sent is being carried out.
    takes_mail: bool,
    pub(crate) tally: Tally,
    outbox_limit: usize,
    together: Together,
    /// The packets that are the same for everybody.
    ping: Rc<Parcel>,
    pong: Rc<Parcel>,
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
            Command::Join {
                nsp,
                member,
                rooms,
                coming: _coming,
            } => {
                if self.members.contains_key(member)
                    && let Some(space) = self.spaces.get_mut(&nsp)
                {
                    for room in rooms {
                        if space.join(member, &room)
                            && let Some(locals) = &self.handle.locals
                        {
                            locals.entered(nsp, room, self.index);
                        }
                    }
                }
            }
            Command::Leave { nsp, member, room } => {
                if let Some(space) = self.spaces.get_mut(&nsp)
                    && space.leave(member, &room)
                    && let Some(locals) = &self.handle.locals
                {
                    locals.left(nsp, room, self.index);
                }
            }
            Command::Disconnect { member, close } => self.disconnect(member, close),
            Command::Change {
                nsp,
                selection,
                change,
                coming,
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
                return After::Change(sockets, change, coming);
            }
            Command::Message { seat, body } => {
                let body = match body {
                    MessageBody::Text(text) => Body::Text(format!("4{text}").into()),
                    MessageBody::Binary(bytes) => Body::Binary(bytes),
                };
                self.push(seat, Parcel::new(body, true));
            }
            Command::Session { sid, command } => match self.by_sid.get(&sid, &self.seats) {
                Some(seat) => self.seats[seat].session.do_send(command),
                None => command.refuse(),
            },
            Command::ToSession { seat, command } => match self.seats.get(seat) {
                Some(seat) => seat.session.do_send(command),
                None => command.refuse(),
            },
            Command::Polling { sid, question } => self.polling(&sid, question),
            Command::ServerEvent(event) => return After::ServerEvent(event),
            Command::Confirm(confirm) => self.server.tell_subscriber(|| Confirm(confirm)),
            Command::OutboxLimit(bytes) => self.outbox_limit = bytes,
            Command::Drain(within) => self.drain(within),
            // Whoever asked may wait no more.
            Command::Report(to) => drop(to.send(self.report())),
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
        let heartbeat = seat.heartbeat;
        let key = self.seats.insert(seat);
        self.by_sid.insert(key, &self.seats);
        self.set_heartbeat(key, heartbeat);
        key
    }

    pub(crate) fn remove_seat(&mut self, key: SeatKey) -> Option<Seat> {
        let seat = self.seats.remove(key)?;
        self.by_sid.remove(&seat.sid, key);
        if let Some(at) = seat.armed {
            self.take_timer(key, Timer::Heartbeat, at);
        }
        Some(seat)
    }

    /// A namespace as the sockets of this worker have it.
    pub(crate) fn namespace(&self, nsp: &Arc<NamespaceInner>) -> OwnNamespace {
        match self.spaces.get(&nsp.index) {
            Some(space) => space.nsp.clone(),
            None => OwnNamespace::new(Arc::clone(nsp)),
        }
    }

    /// A new socket, which gets no broadcasts until [`Hub::accept`].
    pub(crate) fn add_member(&mut self, member: Member) -> MemberKey {
        let (seat, own, id) = (
            member.seat,
            member.socket.nsp.clone(),
            member.socket.id().clone(),
        );
        let nsp = own.index;
        let key = self.members.insert(member);
        if let Some(locals) = &self.handle.locals {
            locals.entered(nsp, id.as_str().into(), self.index);
        }
        let space = self.spaces.entry(nsp).or_insert_with(|| Space::new(own));
        space.insert(id, key);
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
            let (locals, index) = (self.handle.locals.as_deref(), self.index);
            let left = |room: &Room| {
                if let Some(locals) = locals {
                    locals.left(nsp, room.clone(), index);
                }
            };
            space.remove(member.socket.id(), key, rooms, left);
            if space.is_empty() {
                self.spaces.remove(&nsp);
            }
            if let Some(locals) = locals {
                locals.left(nsp, member.socket.id().as_str().into(), index);
            }
        }
        if let Some(seat) = self.seats.get_mut(member.seat) {
            seat.members.retain(|other| *other != key);
        }
        Some(member)
    }
}
