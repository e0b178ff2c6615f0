//! Which rooms have members on this node: asked for each message of the cluster before it is decoded.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::RandomState;
use indexmap::{Equivalent, IndexMap};
use parking_lot::RwLock;

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

#[cfg(test)]
mod tests {
    use super::*;

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
