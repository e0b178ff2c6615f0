//! The sockets of a worker and the rooms they are in: who gets a broadcast.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::quality::RandomState;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use slotmap::SlotMap;

use super::parcel::{Parcel, Parcels};
use super::seat::SeatKey;
use crate::namespace::{OwnNamespace, Room, SocketInner};
use crate::protocol::engineio::SocketId;

slotmap::new_key_type! {
    /// Names a socket on its worker for as long as it is connected.
    pub(crate) struct MemberKey;
}

/// A socket on this worker.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) socket: Arc<SocketInner>,
    pub(crate) seat: SeatKey,
    /// The last selection that met this member, so that one in several rooms is met once.
    stamp: u64,
    entry: Entry,
    /// The server wants it gone as soon as it is in, with `true` the session too.
    pub(crate) disconnect_then: Option<bool>,
    /// Broadcasts up to this number were replayed when the connection state was recovered.
    pub(crate) replayed_up_to: u64,
}

/// How far a socket has got into its namespace.
#[derive(Debug)]
enum Entry {
    /// A middleware has not decided. What is emitted to it waits: the answer to CONNECT has to be the
    /// first packet. Broadcasts pass it by.
    Judged(Vec<Rc<Parcel>>, usize),
    /// Its handler has it, or it comes back: broadcasts wait as well.
    Entering(Vec<Rc<Parcel>>, usize),
    Connected,
}

/// Whether packets for a socket wait until it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It is in.
    No,
    Yes,
    /// More than an outbox may hold: the session has to go.
    TooMuch,
}

impl Member {
    pub(crate) fn new(socket: Arc<SocketInner>, seat: SeatKey) -> Self {
        Self {
            socket,
            seat,
            stamp: 0,
            entry: Entry::Judged(Vec::new(), 0),
            disconnect_then: None,
            replayed_up_to: 0,
        }
    }

    pub(crate) const fn is_connected(&self) -> bool {
        matches!(self.entry, Entry::Connected)
    }

    /// Whether broadcasts concern it.
    pub(crate) const fn is_listening(&self) -> bool {
        matches!(self.entry, Entry::Connected | Entry::Entering(..))
    }

    /// From now on broadcasts concern it.
    pub(crate) fn enter(&mut self) {
        if let Entry::Judged(held, bytes) = &mut self.entry {
            self.entry = Entry::Entering(std::mem::take(held), *bytes);
        }
    }

    /// Keeps packets until the answer to CONNECT has gone.
    pub(crate) fn hold(&mut self, parcels: &Parcels, limit: usize) -> Held {
        let (Entry::Judged(held, bytes) | Entry::Entering(held, bytes)) = &mut self.entry else {
            return Held::No;
        };
        for parcel in parcels.as_slice() {
            *bytes += parcel.len();
            if *bytes > limit {
                held.clear();
                return Held::TooMuch;
            }
            held.push(Rc::clone(parcel));
        }
        Held::Yes
    }

    /// It is in: what was kept for it.
    pub(crate) fn release(&mut self) -> Vec<Rc<Parcel>> {
        match std::mem::replace(&mut self.entry, Entry::Connected) {
            Entry::Judged(held, _) | Entry::Entering(held, _) => held,
            Entry::Connected => Vec::new(),
        }
    }
}

type Members = IndexSet<MemberKey, FxBuildHasher>;

/// One namespace on this worker.
#[derive(Debug)]
pub(crate) struct Space {
    pub(super) nsp: OwnNamespace,
    all: Members,
    by_id: HashMap<SocketId, MemberKey, RandomState>,
    /// Rooms other than the socket's own, which `by_id` stands for: an index set per socket would cost
    /// more memory than all the rest of the socket.
    rooms: HashMap<Room, Members, RandomState>,
}

/// Whom a broadcast addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// The union of these; everybody if empty.
    pub(crate) rooms: smallvec::SmallVec<[Room; 1]>,
    /// Without the members of these.
    pub(crate) except: smallvec::SmallVec<[Room; 1]>,
}

impl Space {
    pub(super) fn new(nsp: OwnNamespace) -> Self {
        Self {
            nsp,
            all: Members::default(),
            by_id: HashMap::default(),
            rooms: HashMap::default(),
        }
    }

    pub(crate) fn insert(&mut self, id: SocketId, key: MemberKey) {
        self.all.insert(key);
        self.by_id.insert(id, key);
    }

    /// Takes a socket out of the namespace and of `rooms`; `emptied` hears of those it was the last in.
    pub(crate) fn remove(
        &mut self,
        id: &SocketId,
        key: MemberKey,
        rooms: &[Room],
        emptied: impl Fn(&Room),
    ) {
        self.all.swap_remove(&key);
        // A recovered session may have given the id to a newer socket.
        if self.by_id.get(id) == Some(&key) {
            self.by_id.remove(id);
        }
        for room in rooms {
            if self.leave(key, room) {
                emptied(room);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Puts a socket into a room; `true` if it is the first.
    pub(crate) fn join(&mut self, key: MemberKey, room: &Room) -> bool {
        let members = self.rooms.entry(room.clone()).or_default();
        let is_first = members.is_empty();
        members.insert(key);
        is_first
    }

    /// Takes a socket out of a room; `true` if it was the last.
    pub(crate) fn leave(&mut self, key: MemberKey, room: &Room) -> bool {
        let Some(members) = self.rooms.get_mut(room) else {
            return false;
        };
        members.swap_remove(&key);
        let is_empty = members.is_empty();
        if is_empty {
            self.rooms.remove(room);
        }
        is_empty
    }

    /// Calls `visit` once for each member that `selection` addresses.
    // Hot: one pass over dense key sets; a stamp in the member stands for a set of those met already.
    pub(crate) fn select(
        &self,
        members: &mut SlotMap<MemberKey, Member>,
        stamp: u64,
        selection: &Selection,
        mut visit: impl FnMut(MemberKey, &mut Member),
    ) {
        for room in &selection.except {
            for key in self.in_room(members, room) {
                if let Some(member) = members.get_mut(key) {
                    member.stamp = stamp;
                }
            }
        }
        let mut meet = |members: &mut SlotMap<MemberKey, Member>, key| {
            if let Some(member) = members.get_mut(key)
                && member.stamp != stamp
            {
                member.stamp = stamp;
                visit(key, member);
            }
        };
        if selection.rooms.is_empty() {
            for &key in &self.all {
                meet(members, key);
            }
        }
        for room in &selection.rooms {
            for &key in self.rooms.get(room).into_iter().flatten() {
                meet(members, key);
            }
            if let Some(key) = self.own(members, room) {
                meet(members, key);
            }
        }
    }

    fn in_room(
        &self,
        members: &SlotMap<MemberKey, Member>,
        room: &Room,
    ) -> smallvec::SmallVec<[MemberKey; 4]> {
        self.rooms
            .get(room)
            .into_iter()
            .flatten()
            .copied()
            .chain(self.own(members, room))
            .collect()
    }

    /// The socket whose own room this is, unless it has left it.
    fn own(&self, members: &SlotMap<MemberKey, Member>, room: &Room) -> Option<MemberKey> {
        let key = *self.by_id.get::<str>(room)?;
        members
            .get(key)
            .filter(|member| member.socket.is_in_own_room())?;
        Some(key)
    }
}
