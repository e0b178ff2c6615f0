//! Which rooms have members on this node, and on which of its workers.
//!
//! Who sends to a room looks here for the workers that have to be told; the subscriber asks for each message of the
//! cluster before it is decoded. A server alone with one worker has no need of it, and does not keep it.

mod coming;
mod held;

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::Recipient;
use bytestring::ByteString;
use foldhash::quality::RandomState;
use indexmap::{Equivalent, IndexMap};
use papaya::{Compute, HashMap, Operation, ResizeMode};
use parking_lot::RwLock;
use smallvec::SmallVec;

pub(crate) use coming::Coming;
pub(crate) use held::Held;

/// A room has got its first member on this node, or lost its last.
#[derive(Debug)]
pub(crate) struct RoomChanged {
    pub(crate) nsp: u32,
    pub(crate) room: ByteString,
}

impl actix::Message for RoomChanged {
    type Result = ();
}

/// On which workers rooms have members, the rooms of the sockets' own ids included. A socket that left and may return
/// ([`Held`]) counts as one on every worker.
///
/// Hubs write it when the first of their members joins a room and when the last one leaves; a join among others
/// touches nothing. Who reads writes to nothing that others read.
#[derive(Debug)]
pub(crate) struct Locals {
    rooms: HashMap<Key, Workers, RandomState>,
    /// Rooms that sockets have been told to join by orders that are on their way to the hubs, and by how many.
    coming: RwLock<IndexMap<Key, u32, RandomState>>,
    /// How many rooms that are.
    n_coming: AtomicUsize,
    /// Who hears of rooms; only with exact subscriptions.
    listener: OnceLock<Recipient<RoomChanged>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    nsp: u32,
    room: ByteString,
}

/// [`Key`] with a borrowed name.
#[derive(Hash)]
struct Lookup<'a> {
    nsp: u32,
    room: &'a str,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Lookup {
            nsp: self.nsp,
            room: &self.room,
        }
        .hash(state);
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.nsp == key.nsp && *self.room == *key.room
    }
}

impl Default for Locals {
    fn default() -> Self {
        // A table that grows step by step stays half grown when nobody writes, and a lookup costs ten times as much.
        let rooms = HashMap::builder().resize_mode(ResizeMode::Blocking);
        Self {
            rooms: rooms.hasher(RandomState::default()).build(),
            coming: RwLock::default(),
            n_coming: AtomicUsize::new(0),
            listener: OnceLock::new(),
        }
    }
}

/// Stands for every worker.
const EVERY: u16 = u16::MAX;

/// The workers that have members in a room, and how often each has said so: a room that has the name of a socket may have
/// other members as well, and many who left may return.
#[derive(Clone, Debug, Default)]
struct Workers(SmallVec<[(u16, u32); 2]>);

impl Workers {
    fn add(&mut self, worker: u16) {
        match self.0.iter_mut().find(|(known, _)| *known == worker) {
            Some((_, times)) => *times += 1,
            None => self.0.push((worker, 1)),
        }
    }

    fn remove(&mut self, worker: u16) {
        if let Some(at) = self.0.iter().position(|(known, _)| *known == worker) {
            self.0[at].1 -= 1;
            if self.0[at].1 == 0 {
                self.0.swap_remove(at);
            }
        }
    }
}

/// Some of the workers, or all of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Concerned {
    All,
    /// A bit for each.
    These(SmallVec<[u64; 2]>),
}

impl Concerned {
    pub(crate) fn has(&self, worker: u16) -> bool {
        let (word, bit) = place(worker);
        match self {
            Self::All => true,
            Self::These(words) => words.get(word).is_some_and(|word| word & bit != 0),
        }
    }
}

fn place(worker: u16) -> (usize, u64) {
    (usize::from(worker / 64), 1 << (worker % 64))
}

impl Locals {
    /// A worker has got its first member of a room.
    pub(crate) fn entered(&self, nsp: u32, room: ByteString, worker: u16) {
        let change = self.change(nsp, &room);
        let rooms = self.rooms.pin();
        let outcome = rooms.compute(Key { nsp, room }, |known| {
            let mut workers = known
                .map(|(_, workers)| workers.clone())
                .unwrap_or_default();
            workers.add(worker);
            Operation::Insert::<_, ()>(workers)
        });
        if let (Compute::Inserted(..), Some((listener, change))) = (outcome, change) {
            listener.do_send(change);
        }
    }

    /// A worker has lost its last member of a room.
    pub(crate) fn left(&self, nsp: u32, room: ByteString, worker: u16) {
        let change = self.change(nsp, &room);
        let rooms = self.rooms.pin();
        let outcome = rooms.compute(Key { nsp, room }, |known| {
            let Some((_, workers)) = known else {
                return Operation::Abort(());
            };
            let mut workers = workers.clone();
            workers.remove(worker);
            if workers.0.is_empty() {
                Operation::Remove
            } else {
                Operation::Insert(workers)
            }
        });
        if let (Compute::Removed(..), Some((listener, change))) = (outcome, change) {
            listener.do_send(change);
        }
    }

    /// From now on `listener` hears of rooms that get their first member on this node, or lose their last.
    pub(crate) fn tell(&self, listener: Recipient<RoomChanged>) {
        // Each server has one subscriber.
        let _ = self.listener.set(listener);
    }

    /// Whom to tell of a room, and what. A name is only shared if there is somebody: that costs an allocation.
    fn change(
        &self,
        nsp: u32,
        room: &ByteString,
    ) -> Option<(&Recipient<RoomChanged>, RoomChanged)> {
        let listener = self.listener.get()?;
        let room = room.clone();
        Some((listener, RoomChanged { nsp, room }))
    }

    /// Whether anybody on this node is in a room.
    // Hot: one hash and one lookup per message of a room.
    pub(crate) fn has(&self, nsp: u32, room: &str) -> bool {
        self.rooms.pin().contains_key(&Lookup { nsp, room })
    }

    /// Whether anybody on this node is in a room, or will be once the hubs have done what they were told.
    // Hot: as `has`, and one read more.
    pub(crate) fn may_have(&self, nsp: u32, room: &str) -> bool {
        // First those that come: who has come since is in the room already.
        self.is_coming(nsp, room) || self.has(nsp, room)
    }

    fn is_coming(&self, nsp: u32, room: &str) -> bool {
        self.n_coming.load(Ordering::Acquire) > 0
            && self.coming.read().contains_key(&Lookup { nsp, room })
    }

    /// The workers that may have members in one of these rooms, or are told to by orders that are on their way.
    // Hot: as `may_have` for each room.
    pub(crate) fn concerned(&self, nsp: u32, rooms: &[ByteString]) -> Concerned {
        // As above.
        if rooms.iter().any(|room| self.is_coming(nsp, room)) {
            return Concerned::All;
        }
        let known = self.rooms.pin();
        let mut words = SmallVec::new();
        for room in rooms {
            let workers = known.get(&Lookup { nsp, room });
            for &(worker, _) in workers.iter().flat_map(|workers| &workers.0) {
                if worker == EVERY {
                    return Concerned::All;
                }
                let (word, bit) = place(worker);
                if words.len() <= word {
                    words.resize(word + 1, 0);
                }
                words[word] |= bit;
            }
        }
        Concerned::These(words)
    }

    /// All rooms with members, those of a namespace.
    pub(crate) fn rooms(&self, nsp: u32) -> Vec<ByteString> {
        let rooms = self.rooms.pin();
        let keys = rooms.keys().filter(|key| key.nsp == nsp);
        keys.map(|key| key.room.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
