//! Which rooms have members on this node: asked for each message of the cluster before it is decoded.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::quality::RandomState;
use indexmap::{Equivalent, IndexMap};
use parking_lot::RwLock;

use super::Cluster;
use crate::namespace::Room;

/// A power of two, above the number of cores that join and leave at once.
const SHARDS: usize = 32;

/// How many workers have members in each room, the rooms of the sockets' own ids included. A socket that left and
/// may return ([`Held`](super::Held)) counts as one more.
///
/// Hubs write it when the first of their members joins a room and when the last one leaves; a join among
/// others touches nothing. In shards, so that workers rarely meet.
#[derive(Debug)]
pub(crate) struct Locals {
    hasher: RandomState,
    shards: [RwLock<Shard>; SHARDS],
    /// Rooms that sockets have been told to join by orders that are on their way to the hubs, and by how many.
    coming: RwLock<Shard>,
    /// How many rooms that are.
    n_coming: AtomicUsize,
}

type Shard = IndexMap<Key, u32, RandomState>;

#[derive(Debug, PartialEq, Eq)]
struct Key {
    nsp: u32,
    room: Room,
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
        let hasher = RandomState::default();
        Self {
            shards: std::array::from_fn(|_| RwLock::new(Shard::with_hasher(hasher.clone()))),
            coming: RwLock::new(Shard::with_hasher(hasher.clone())),
            n_coming: AtomicUsize::new(0),
            hasher,
        }
    }
}

impl Locals {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits are as good as the others"
    )]
    fn shard(&self, lookup: &Lookup<'_>) -> &RwLock<Shard> {
        &self.shards[self.hasher.hash_one(lookup) as usize % SHARDS]
    }

    /// A worker has got its first member of a room; `true` if the node had none.
    pub(crate) fn entered(&self, nsp: u32, room: &Room) -> bool {
        let lookup = Lookup { nsp, room };
        let mut shard = self.shard(&lookup).write();
        if let Some(workers) = shard.get_mut(&lookup) {
            *workers += 1;
            return false;
        }
        let room = room.clone();
        shard.insert(Key { nsp, room }, 1);
        true
    }

    /// A worker has lost its last member of a room; `true` if the node has none now.
    pub(crate) fn left(&self, nsp: u32, room: &str) -> bool {
        let lookup = Lookup { nsp, room };
        let mut shard = self.shard(&lookup).write();
        let Some(workers) = shard.get_mut(&lookup) else {
            return false;
        };
        *workers -= 1;
        let is_last = *workers == 0;
        if is_last {
            shard.swap_remove(&lookup);
        }
        is_last
    }

    /// Whether anybody on this node is in a room.
    // Hot: one hash and one shared lock per message of a room.
    pub(crate) fn has(&self, nsp: u32, room: &str) -> bool {
        let lookup = Lookup { nsp, room };
        self.shard(&lookup).read().contains_key(&lookup)
    }

    /// Whether anybody on this node is in a room, or will be once the hubs have done what they were told.
    // Hot: as `has`, and one read more.
    pub(crate) fn may_have(&self, nsp: u32, room: &str) -> bool {
        // First those that come: who has come since is in the room already.
        let lookup = Lookup { nsp, room };
        let is_coming =
            self.n_coming.load(Ordering::Acquire) > 0 && self.coming.read().contains_key(&lookup);
        is_coming || self.has(nsp, room)
    }

    fn expect(&self, nsp: u32, rooms: &[Room]) {
        let mut coming = self.coming.write();
        for room in rooms {
            let room = room.clone();
            *coming.entry(Key { nsp, room }).or_insert(0) += 1;
        }
        self.n_coming.store(coming.len(), Ordering::Release);
    }

    fn expect_no_more(&self, nsp: u32, rooms: &[Room]) {
        let mut coming = self.coming.write();
        for room in rooms {
            let lookup = Lookup { nsp, room };
            if let Some(n_orders) = coming.get_mut(&lookup) {
                *n_orders -= 1;
                if *n_orders == 0 {
                    coming.swap_remove(&lookup);
                }
            }
        }
        self.n_coming.store(coming.len(), Ordering::Release);
    }

    /// All rooms with members, those of a namespace.
    pub(crate) fn rooms(&self, nsp: u32) -> Vec<Room> {
        self.shards
            .iter()
            .flat_map(|shard| {
                let shard = shard.read();
                let rooms = shard.keys().filter(|key| key.nsp == nsp);
                rooms.map(|key| key.room.clone()).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// An order to join rooms, on its way to the hubs. Until the last of them has carried it out and drops this, a message
/// for these rooms is for us: another server said it after the order, and the members may not be there yet.
#[derive(Debug)]
pub(crate) struct Coming {
    cluster: Arc<Cluster>,
    nsp: u32,
    rooms: Vec<Room>,
}

impl Coming {
    pub(crate) fn new(cluster: &Arc<Cluster>, nsp: u32, rooms: &[Room]) -> Arc<Self> {
        cluster.locals.expect(nsp, rooms);
        Arc::new(Self {
            cluster: Arc::clone(cluster),
            nsp,
            rooms: rooms.to_owned(),
        })
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.cluster.locals.expect_no_more(self.nsp, &self.rooms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_may_have_members_while_an_order_is_on_its_way() {
        let locals = Locals::default();
        let rooms = [Room::from("a"), Room::from("b"), Room::from("a")];
        locals.expect(0, &rooms);
        locals.expect(0, &rooms[1..2]);
        assert!(locals.may_have(0, "a") && locals.may_have(0, "b"));
        assert!(!locals.has(0, "a") && !locals.may_have(1, "a") && !locals.may_have(0, "c"));
        locals.entered(0, &rooms[0]);
        locals.expect_no_more(0, &rooms);
        assert!(locals.may_have(0, "a") && locals.may_have(0, "b"));
        locals.left(0, "a");
        locals.expect_no_more(0, &rooms[1..2]);
        assert!(!locals.may_have(0, "a") && !locals.may_have(0, "b"));
        assert_eq!(locals.n_coming.load(Ordering::Acquire), 0);
    }

    #[test]
    fn a_room_is_there_from_its_first_worker_to_its_last() {
        let locals = Locals::default();
        let room = Room::from("a");
        assert!(locals.entered(0, &room));
        assert!(!locals.entered(0, &room));
        assert!(locals.entered(1, &room), "another namespace");
        assert!(!locals.left(0, "a"));
        assert!(locals.has(0, "a"));
        assert_eq!(locals.rooms(0), ["a"]);
        assert!(locals.left(0, "a"));
        assert!(!locals.has(0, "a") && locals.has(1, "a"));
        assert!(!locals.left(0, "a"), "nobody was there");
        assert!(locals.rooms(0).is_empty());
    }
}
