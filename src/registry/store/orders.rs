//! The commands of one flush.
//!
//! The order that matters, since we may die in between, and Redis may go away or fail over and lose the end: an entry
//! is there before the SETs of its socket, and goes after them; a room is in the SET of a socket before the socket is
//! in that of the room, and goes after it. So whatever is left behind has a name under which it is found.

use std::collections::HashMap;

use foldhash::quality::RandomState;
use redis::Cmd;

use super::keys::{Entry, Keys, is_id_shaped};
use super::occupancy;
use crate::SocketId;
use crate::namespace::Room;

/// How many members one command takes at most: a script cannot unpack more than 8000, and Redis does nothing
/// else meanwhile.
const MEMBERS_PER_COMMAND: usize = 512;

/// Adds to a room that may be a socket: not if the SET says it is.
const GUARDED_ADD: &str = "if redis.call('SISMEMBER',KEYS[1],ARGV[1])==1 then return 0 end \
     return redis.call('SADD',KEYS[1],unpack(ARGV,2))";

const GUARDED_REMOVE: &str = "if redis.call('SISMEMBER',KEYS[1],ARGV[1])==1 then return 0 end \
     return redis.call('SREM',KEYS[1],unpack(ARGV,2))";

/// What changes in the SET of a room.
#[derive(Debug)]
struct RoomOrder {
    /// The entry of one of its sockets: it says in which namespace it is.
    of: Entry,
    room: Room,
    add: Vec<SocketId>,
    remove: Vec<SocketId>,
}

/// What has to be written, in phases.
#[derive(Debug, Default)]
pub(super) struct Orders {
    appeared: Vec<Entry>,
    /// What the SETs of sockets get, before those of rooms.
    gained: Vec<Cmd>,
    /// What they lose, after those of rooms.
    lost: Vec<Cmd>,
    rooms: HashMap<String, RoomOrder, RandomState>,
    vanished: Vec<Entry>,
    n_members: usize,
    /// Somebody wants to know which rooms are in use.
    is_watched: bool,
}

impl RoomOrder {
    /// The commands that also tell whether the room has got its first member, or lost its last.
    fn watched(&self, verb: &str, key: &str, members: &[SocketId], commands: &mut Vec<Cmd>) {
        let (nsp, is_guarded) = (self.of.namespace(), self.is_guarded());
        commands.extend(
            members
                .chunks(MEMBERS_PER_COMMAND)
                .map(|members| occupancy::change(verb, key, is_guarded, &nsp, &self.room, members)),
        );
    }

    /// Whether it is called as a socket could be.
    fn is_guarded(&self) -> bool {
        is_id_shaped(&self.room)
    }
}

/// One command for as many members as it takes.
pub(super) fn each(verb: &str, key: &str, members: &[impl AsRef<str>], commands: &mut Vec<Cmd>) {
    for chunk in members.chunks(MEMBERS_PER_COMMAND) {
        let mut command = Cmd::new();
        command.arg(verb).arg(key);
        for member in chunk {
            command.arg(member.as_ref());
        }
        commands.push(command);
    }
}

/// The same for the SET of a room that may be a socket's.
fn each_guarded(
    script: &str,
    key: &str,
    name: &Room,
    members: &[SocketId],
    commands: &mut Vec<Cmd>,
) {
    for chunk in members.chunks(MEMBERS_PER_COMMAND) {
        let mut command = Cmd::new();
        command.arg("EVAL").arg(script).arg(1).arg(key).arg(&**name);
        for member in chunk {
            command.arg(member.as_str());
        }
        commands.push(command);
    }
}

fn with_id<'a>(entry: &'a Entry, rooms: &'a [Room]) -> Vec<&'a str> {
    let rooms = rooms.iter().map(|room| &**room);
    std::iter::once(entry.id()).chain(rooms).collect()
}

impl Orders {
    /// A socket that is new. Whatever is under its key is older than it: somebody has joined a room of this
    /// name before there was such a socket.
    pub(super) fn create(&mut self, keys: &Keys, entry: &Entry, rooms: &[Room]) {
        let key = keys.socket(entry);
        self.gained.push(redis::cmd("DEL").arg(&key).to_owned());
        self.add_members(&key, entry, rooms);
    }

    /// A socket that is written, but nobody knows how well.
    pub(super) fn repair(&mut self, keys: &Keys, entry: &Entry, rooms: &[Room], stale: &[Room]) {
        let key = keys.socket(entry);
        each("SREM", &key, stale, &mut self.lost);
        self.n_members += stale.len();
        self.add_members(&key, entry, rooms);
    }

    fn add_members(&mut self, key: &str, entry: &Entry, rooms: &[Room]) {
        self.appeared.push(entry.clone());
        each("SADD", key, &with_id(entry, rooms), &mut self.gained);
        self.n_members += rooms.len() + 1;
    }

    /// A socket has joined and left rooms.
    pub(super) fn change(&mut self, keys: &Keys, entry: &Entry, fresh: &[Room], stale: &[Room]) {
        if fresh.is_empty() && stale.is_empty() {
            return;
        }
        let key = keys.socket(entry);
        each("SREM", &key, stale, &mut self.lost);
        each("SADD", &key, fresh, &mut self.gained);
        self.n_members += fresh.len() + stale.len();
    }

    /// A socket has gone.
    pub(super) fn delete(&mut self, keys: &Keys, entry: &Entry) {
        let command = redis::cmd("DEL").arg(keys.socket(entry)).to_owned();
        self.lost.push(command);
        self.vanished.push(entry.clone());
        self.n_members += 1;
    }

    /// An entry that stands for nothing.
    pub(super) fn forget(&mut self, entry: &Entry) {
        self.vanished.push(entry.clone());
        self.n_members += 1;
    }

    /// The socket is in a room, or is not.
    pub(super) fn room(&mut self, keys: &Keys, entry: &Entry, room: &Room, adds: bool) {
        let order = self
            .rooms
            .entry(keys.room(entry, room))
            .or_insert_with(|| RoomOrder {
                of: entry.clone(),
                room: room.clone(),
                add: Vec::new(),
                remove: Vec::new(),
            });
        let members = if adds {
            &mut order.add
        } else {
            &mut order.remove
        };
        members.push(SocketId::from(entry.id()));
        self.n_members += 1;
    }

    /// The answers to the commands will tell of the occupancy of rooms.
    pub(super) const fn watch(&mut self, is_watched: bool) {
        self.is_watched = is_watched;
    }

    /// About how much it is.
    pub(super) const fn n_members(&self) -> usize {
        self.n_members
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.n_members == 0
    }

    /// The commands: each phase has to be done before the next begins.
    pub(super) fn phases(self, node: &str) -> [Vec<Cmd>; 5] {
        let (mut appeared, mut rooms, mut vanished) = (Vec::new(), Vec::new(), Vec::new());
        let (mut gained, mut lost) = (self.gained, self.lost);
        each("SADD", node, &self.appeared, &mut appeared);
        for (key, order) in self.rooms {
            if self.is_watched && !order.is_guarded() {
                // Who comes is added before who goes is removed: a room that some leave while others come stays in use.
                order.watched("SADD", &key, &order.add, &mut rooms);
                order.watched("SREM", &key, &order.remove, &mut rooms);
            } else if self.is_watched {
                order.watched("SREM", &key, &order.remove, &mut gained);
                order.watched("SADD", &key, &order.add, &mut lost);
            } else if order.is_guarded() {
                let name = &order.room;
                each_guarded(GUARDED_REMOVE, &key, name, &order.remove, &mut gained);
                // Behind the end of a socket that is called like the room.
                each_guarded(GUARDED_ADD, &key, name, &order.add, &mut lost);
            } else {
                each("SREM", &key, &order.remove, &mut gained);
                each("SADD", &key, &order.add, &mut lost);
            }
        }
        each("SREM", node, &self.vanished, &mut vanished);
        [appeared, gained, rooms, lost, vanished]
    }
}
