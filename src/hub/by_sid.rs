//! From the id of a session to its seat.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use slotmap::SlotMap;

use super::{Seat, SeatKey};
use crate::protocol::engineio::Sid;

/// An index of keys alone: the seats have their ids, which as keys of a map would be in memory twice, and most of it.
#[derive(Debug, Default)]
pub(super) struct BySid {
    keys: HashTable<SeatKey>,
    hasher: RandomState,
}

type Seats = SlotMap<SeatKey, Seat>;

impl BySid {
    pub(super) fn get(&self, sid: &Sid, seats: &Seats) -> Option<SeatKey> {
        let is_it = |key: &SeatKey| seats.get(*key).is_some_and(|seat| seat.sid == *sid);
        self.keys.find(self.hasher.hash_one(sid), is_it).copied()
    }

    /// `key` has just been given to a seat.
    pub(super) fn insert(&mut self, key: SeatKey, seats: &Seats) {
        // All keys are those of seats.
        let hash = |key: &SeatKey| match seats.get(*key) {
            Some(seat) => self.hasher.hash_one(seat.sid),
            None => 0,
        };
        self.keys.insert_unique(hash(&key), key, hash);
    }

    /// The seat is not there any more, or soon.
    pub(super) fn remove(&mut self, sid: &Sid, key: SeatKey) {
        let hash = self.hasher.hash_one(sid);
        if let Ok(entry) = self.keys.find_entry(hash, |other| *other == key) {
            entry.remove();
        }
    }
}
