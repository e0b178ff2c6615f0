//! What has to be written: pure, so that any order of events can be tried against a model.
//!
//! Kept per socket: the socket itself, while it is there, and what Redis has of it, as far as we know. An order
//! is the difference of the two at the moment it is made. So a join and a leave between two flushes come to
//! nothing, a flush holds at most one order per key and member, and what is told twice or late does no harm: the
//! socket is the truth, and the last word about it makes us look at it again.
//!
//! While Redis is away nothing is known and nothing is collected: what is kept is one slot per living socket,
//! however long it takes. Then everything is looked at, which is the same work with more of it: what Redis has
//! of a socket is read before the difference is made.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::keys::{Entry, Keys, is_id_shaped};
use super::orders::Orders;
use crate::namespace::Room;

/// A socket of this node, as far as its SETs are concerned.
pub(crate) trait Occupant: std::fmt::Debug {
    /// The name of its namespace.
    fn nsp(&self) -> &str;
    /// Its id.
    fn id(&self) -> &str;
    /// The rooms it is in now, with or without its own.
    fn rooms(&self) -> Vec<Room>;
    /// Whether it has had its id before, perhaps at another node: then Redis may have something of it.
    fn is_back(&self) -> bool;
}

/// What Redis has of a socket.
#[derive(Debug, PartialEq)]
enum Written {
    /// Nobody has looked.
    Unknown,
    /// Nothing: it has not been written yet.
    Absent,
    /// What was read there. An entry may be left without a SET, and a SET without its rooms' (a failover can
    /// lose any part of what was written last): everything has to be written once more.
    Read(Option<Vec<Room>>),
    /// What we have written: its rooms, sorted.
    Present(Vec<Room>),
}

#[derive(Debug)]
struct Slot {
    /// `None`: it has gone, and what is written of it has to go.
    occupant: Option<Arc<dyn Occupant>>,
    written: Written,
    is_queued: bool,
}

/// All sockets of this node, and which of them have to be looked at.
#[derive(Debug, Default)]
pub(super) struct Changes {
    slots: HashMap<Entry, Slot, RandomState>,
    queue: VecDeque<Entry>,
    /// How many were ever put into the queue, and how many have left it: what was told before a moment has been
    /// looked at when as many have left as were put in until then.
    n_queued: u64,
    n_taken: u64,
    /// How many of `slots` have been sampled in this round.
    sampled: usize,
    is_collecting: bool,
}

fn is_same(one: &Arc<dyn Occupant>, other: &Arc<dyn Occupant>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

fn entry_of(socket: &Arc<dyn Occupant>) -> Entry {
    Entry::new(socket.nsp(), socket.id())
}

impl Changes {
    /// A socket is there, or has joined one more room.
    pub(super) fn joined(&mut self, socket: &Arc<dyn Occupant>) {
        let entry = entry_of(socket);
        let slot = self.slots.entry(entry.clone()).or_insert_with(|| Slot {
            occupant: None,
            written: if socket.is_back() {
                Written::Unknown
            } else {
                Written::Absent
            },
            is_queued: false,
        });
        // An id that came back before its last bearer went: the difference is made to the new one.
        slot.occupant = Some(Arc::clone(socket));
        self.look_at(entry);
    }

    pub(super) fn left(&mut self, socket: &Arc<dyn Occupant>) {
        let entry = entry_of(socket);
        if self.has(&entry, socket) {
            self.look_at(entry);
        }
    }

    pub(super) fn gone(&mut self, socket: &Arc<dyn Occupant>) {
        let entry = entry_of(socket);
        if self.has(&entry, socket) {
            self.vacate(entry);
        }
    }

    fn has(&self, entry: &Entry, socket: &Arc<dyn Occupant>) -> bool {
        let slot = self.slots.get(entry);
        slot.and_then(|slot| slot.occupant.as_ref())
            .is_some_and(|known| is_same(known, socket))
    }

    fn vacate(&mut self, entry: Entry) {
        let Some(slot) = self.slots.get_mut(&entry) else {
            return;
        };
        slot.occupant = None;
        // What is being written was made `Present` when its order was made, so this is never in flight. A slot
        // that waits in the queue is dropped when its turn comes.
        if !self.is_collecting || (slot.written == Written::Absent && !slot.is_queued) {
            self.slots.remove(&entry);
        } else {
            self.look_at(entry);
        }
    }

    fn look_at(&mut self, entry: Entry) {
        if self.is_collecting
            && let Some(slot) = self.slots.get_mut(&entry)
            && !std::mem::replace(&mut slot.is_queued, true)
        {
            self.queue.push_back(entry);
            self.n_queued += 1;
        }
    }

    /// Redis is away, or refuses writes: nothing is collected, and nothing kept of those who are not here.
    pub(super) fn suspend(&mut self) {
        self.is_collecting = false;
        self.queue = VecDeque::new();
        self.n_taken = self.n_queued;
        self.slots.retain(|_, slot| slot.occupant.is_some());
        for slot in self.slots.values_mut() {
            slot.is_queued = false;
            slot.written = Written::Unknown;
        }
    }

    /// From now on changes are collected, and everything has to be looked at, in Redis and here.
    pub(super) fn recall(&mut self) {
        self.is_collecting = true;
        for (entry, slot) in &mut self.slots {
            slot.written = Written::Unknown;
            if !std::mem::replace(&mut slot.is_queued, true) {
                self.queue.push_back(entry.clone());
                self.n_queued += 1;
            }
        }
    }

    /// Redis has an entry of this node. If there is no such socket, what is written of it has to go.
    pub(super) fn found(&mut self, entry: Entry) {
        if !self.slots.contains_key(&entry) {
            let slot = Slot {
                occupant: None,
                written: Written::Unknown,
                is_queued: false,
            };
            self.slots.insert(entry.clone(), slot);
            self.look_at(entry);
        }
    }

    /// All sockets have gone: what is written of them has to go.
    pub(super) fn vacate_all(&mut self) {
        let all: Vec<_> = self.slots.keys().cloned().collect();
        all.into_iter().for_each(|entry| self.vacate(entry));
    }

    /// Some sockets that are in Redis as far as we know, others each time.
    pub(super) fn sample(&mut self, n_sockets: usize) -> Vec<Entry> {
        if self.sampled >= self.slots.len() {
            self.sampled = 0;
        }
        let next = self.slots.keys().skip(self.sampled).take(n_sockets);
        let sample = next.filter(|entry| self.is_written(entry)).cloned();
        let sample = sample.collect();
        self.sampled += n_sockets;
        sample
    }

    /// Whether the SET of this socket is in Redis, as far as we know.
    pub(super) fn is_written(&self, entry: &Entry) -> bool {
        let slot = self.slots.get(entry);
        slot.is_some_and(|slot| !slot.is_queued && matches!(slot.written, Written::Present(_)))
    }

    /// How many wait.
    pub(super) fn n_pending(&self) -> usize {
        self.queue.len()
    }

    /// Up to which count of [`Changes::n_taken`] has to be looked at what was told until now.
    pub(super) const fn n_queued(&self) -> u64 {
        self.n_queued
    }

    pub(super) const fn n_taken(&self) -> u64 {
        self.n_taken
    }

    /// How many sockets are kept.
    #[cfg(test)]
    pub(super) fn n_slots(&self) -> usize {
        self.slots.len()
    }

    /// The next entries to look at. Those of which Redis has to be asked first: see [`Changes::is_unknown`].
    pub(super) fn next_batch(&mut self, at_most: usize) -> Vec<Entry> {
        let n_next = self.queue.len().min(at_most);
        let batch: Vec<_> = self.queue.drain(..n_next).collect();
        self.n_taken += batch.len() as u64;
        for entry in &batch {
            if let Some(slot) = self.slots.get_mut(entry) {
                slot.is_queued = false;
            }
        }
        batch
    }

    /// Whether it has to be read what Redis has of this socket.
    pub(super) fn is_unknown(&self, entry: &Entry) -> bool {
        let slot = self.slots.get(entry);
        slot.is_some_and(|slot| slot.written == Written::Unknown)
    }

    /// Whether it is an entry without a socket of which nothing is known.
    pub(super) fn is_ghost(&self, entry: &Entry) -> bool {
        let slot = self.slots.get(entry);
        slot.is_some_and(|slot| slot.occupant.is_none() && slot.written == Written::Unknown)
    }

    /// What Redis has under the key of a socket. A SET without the socket's id is not its SET.
    pub(super) fn learn(&mut self, entry: &Entry, mut members: Vec<Room>) {
        if let Some(slot) = self.slots.get_mut(entry)
            && slot.written == Written::Unknown
        {
            let n_members = members.len();
            members.retain(|room| **room != *entry.id());
            members.sort_unstable();
            slot.written = Written::Read((members.len() < n_members).then_some(members));
        }
    }

    /// An entry without a socket has been removed from Redis. (A socket may have come for it meanwhile.)
    pub(super) fn removed(&mut self, entry: &Entry) {
        if let Some(slot) = self.slots.get_mut(entry) {
            slot.written = Written::Absent;
            if slot.occupant.is_none() {
                self.slots.remove(entry);
            }
        }
    }

    /// What has to be written for these entries. It counts as written from now on: if it fails, everything is
    /// looked at again. Entries beyond `max_members` stay in the queue, in front.
    pub(super) fn orders(&mut self, batch: Vec<Entry>, keys: &Keys, max_members: usize) -> Orders {
        let mut orders = Orders::default();
        let mut rest = Vec::new();
        for entry in batch {
            if orders.n_members() < max_members {
                self.order(&entry, keys, &mut orders);
            } else {
                rest.push(entry);
            }
        }
        for entry in rest.into_iter().rev() {
            if let Some(slot) = self.slots.get_mut(&entry)
                && !std::mem::replace(&mut slot.is_queued, true)
            {
                self.queue.push_front(entry);
                self.n_taken -= 1;
            }
        }
        orders
    }

    fn order(&mut self, entry: &Entry, keys: &Keys, orders: &mut Orders) {
        let Some(slot) = self.slots.get_mut(entry) else {
            return;
        };
        let Some(occupant) = &slot.occupant else {
            let written = std::mem::replace(&mut slot.written, Written::Absent);
            if !slot.is_queued {
                self.slots.remove(entry);
            }
            match written {
                Written::Unknown | Written::Absent => {}
                // What is under the key of the socket, if anything, is not its SET.
                Written::Read(None) => orders.forget(entry),
                Written::Read(Some(rooms)) | Written::Present(rooms) => {
                    orders.delete(keys, entry);
                    self.rooms(entry, &rooms, keys, orders, false);
                }
            }
            return;
        };
        let mut rooms = occupant.rooms();
        rooms.retain(|room| **room != *entry.id());
        rooms.sort_unstable();
        let before = std::mem::replace(&mut slot.written, Written::Present(rooms.clone()));
        match before {
            Written::Present(written) => {
                let (fresh, stale) = (without(&rooms, &written), without(&written, &rooms));
                orders.change(keys, entry, &fresh, &stale);
                self.rooms(entry, &stale, keys, orders, false);
                self.rooms(entry, &fresh, keys, orders, true);
            }
            Written::Read(Some(written)) => {
                let stale = without(&written, &rooms);
                orders.repair(keys, entry, &rooms, &stale);
                self.rooms(entry, &stale, keys, orders, false);
                self.rooms(entry, &rooms, keys, orders, true);
            }
            Written::Read(None) | Written::Absent | Written::Unknown => {
                orders.create(keys, entry, &rooms);
                self.rooms(entry, &rooms, keys, orders, true);
            }
        }
    }

    /// The other half: the SETs of the rooms.
    ///
    /// A room that is called as a socket has no SET of its own, its key is the socket's. One that this node has
    /// written we know; for any other Redis has to look.
    fn rooms(&self, entry: &Entry, rooms: &[Room], keys: &Keys, orders: &mut Orders, adds: bool) {
        for room in rooms {
            let is_guarded = is_id_shaped(room);
            let is_socket = || {
                let slot = self.slots.get(&entry.neighbour(room));
                slot.is_some_and(|slot| matches!(slot.written, Written::Present(_)))
            };
            if !(is_guarded && is_socket()) {
                orders.room(keys, entry, room, adds);
            }
        }
    }
}

/// What is in `all` and not in `other`, both sorted.
fn without(all: &[Room], other: &[Room]) -> Vec<Room> {
    let mut other = other.iter().peekable();
    let is_missing = |room: &&Room| {
        while other.next_if(|known| known < room).is_some() {}
        other.peek() != Some(room)
    };
    all.iter().filter(is_missing).cloned().collect()
}

#[cfg(test)]
mod tests;
