//! The index itself: per namespace, who is there and who is in which room.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use actix::Recipient;
use foldhash::quality::RandomState;
use rustc_hash::FxHashMap;

use crate::SocketId;
use crate::clock::now_ms;
use crate::hub::Selection;
use crate::namespace::{Room, RoomEvent, SocketInner};
use crate::registry::Occupancy;

/// All namespaces of this node.
#[derive(Default)]
pub(super) struct Membership {
    spaces: FxHashMap<u32, Space>,
    /// Who is told of the occupancy of rooms on this node.
    watcher: Option<Recipient<Occupancy>>,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership")
            .field("spaces", &self.spaces)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Space {
    /// Everybody. A socket's own room has no entry in `rooms`: this map stands for it.
    sockets: HashMap<SocketId, Arc<SocketInner>, RandomState>,
    rooms: HashMap<Room, HashSet<SocketId, RandomState>, RandomState>,
    watchers: Vec<Recipient<RoomEvent>>,
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space")
            .field("n_sockets", &self.sockets.len())
            .finish_non_exhaustive()
    }
}

impl Space {
    fn tell(&mut self, event: impl FnOnce() -> RoomEvent) {
        if self.watchers.is_empty() {
            return;
        }
        let event = event();
        self.watchers.retain(Recipient::connected);
        for watcher in &self.watchers {
            watcher.do_send(event.clone());
        }
    }

    fn own(&self, room: &Room) -> Option<&SocketId> {
        let (id, socket) = self.sockets.get_key_value::<str>(room)?;
        socket.is_in_own_room().then_some(id)
    }

    fn members(&self, room: &Room) -> impl Iterator<Item = &SocketId> {
        self.rooms
            .get(room)
            .into_iter()
            .flatten()
            .chain(self.own(room))
    }

    fn is_unused(&self) -> bool {
        self.sockets.is_empty() && self.watchers.is_empty()
    }
}

impl Membership {
    /// How many rooms each namespace has.
    pub(super) fn n_rooms(&self) -> impl Iterator<Item = (u32, usize)> {
        self.spaces
            .iter()
            .map(|(nsp, space)| (*nsp, space.rooms.len()))
    }

    pub(super) fn new(watcher: Option<Recipient<Occupancy>>) -> Self {
        Self {
            watcher,
            ..Self::default()
        }
    }

    pub(super) fn join(&mut self, socket: &Arc<SocketInner>, rooms: Vec<Room>) {
        let Self { spaces, watcher } = self;
        let space = spaces.entry(socket.namespace().index).or_default();
        let id = socket.id();
        space.sockets.insert(id.clone(), Arc::clone(socket));
        for room in rooms {
            let is_own = *room == *id.as_str();
            let is_new = !space.rooms.contains_key(&room) && (is_own || space.own(&room).is_none());
            let has_joined = is_own
                || space
                    .rooms
                    .entry(room.clone())
                    .or_default()
                    .insert(id.clone());
            if is_new {
                space.tell(|| RoomEvent::Created(room.clone()));
                if !is_own {
                    tell_edge(watcher.as_ref(), socket, &room, true);
                }
            }
            if has_joined {
                space.tell(|| RoomEvent::Joined(room, id.clone()));
            }
        }
    }

    pub(super) fn leave(&mut self, socket: &Arc<SocketInner>, room: &Room) {
        let id = socket.id();
        let Some(space) = self.spaces.get_mut(&socket.namespace().index) else {
            return;
        };
        if !space
            .sockets
            .get(id)
            .is_some_and(|known| Arc::ptr_eq(known, socket))
        {
            return;
        }
        let is_own = **room == *id.as_str();
        let has_left = is_own
            || space
                .rooms
                .get_mut(room)
                .is_some_and(|members| members.remove(id));
        if has_left {
            space.tell(|| RoomEvent::Left(room.clone(), id.clone()));
        }
        if space.rooms.get(room).is_some_and(HashSet::is_empty) {
            space.rooms.remove(room);
        }
        let is_empty = !space.rooms.contains_key(room) && (is_own || space.own(room).is_none());
        if has_left && is_empty {
            space.tell(|| RoomEvent::Deleted(room.clone()));
            if !is_own {
                tell_edge(self.watcher.as_ref(), socket, room, false);
            }
        }
    }

    /// The socket has gone. One that came back under the same id meanwhile stays.
    pub(super) fn remove(&mut self, socket: &Arc<SocketInner>, rooms: &[Room]) {
        for room in rooms {
            self.leave(socket, room);
        }
        let nsp = socket.namespace().index;
        let Some(space) = self.spaces.get_mut(&nsp) else {
            return;
        };
        if space
            .sockets
            .get(socket.id())
            .is_some_and(|known| Arc::ptr_eq(known, socket))
        {
            space.sockets.remove(socket.id());
        }
        if space.is_unused() {
            self.spaces.remove(&nsp);
        }
    }

    pub(super) fn watch(&mut self, nsp: u32, watcher: Recipient<RoomEvent>) {
        self.spaces.entry(nsp).or_default().watchers.push(watcher);
    }

    /// All rooms, sorted.
    pub(super) fn rooms(&self, nsp: u32) -> Vec<Room> {
        let Some(space) = self.spaces.get(&nsp) else {
            return Vec::new();
        };
        let own = space
            .sockets
            .values()
            .filter(|socket| socket.is_in_own_room());
        let rooms: BTreeSet<_> = own
            .map(|socket| Room::from(socket.id().as_str()))
            .chain(space.rooms.keys().cloned())
            .collect();
        rooms.into_iter().collect()
    }

    /// The connected socket with this id.
    pub(super) fn socket(&self, nsp: u32, id: &str) -> Option<Arc<SocketInner>> {
        let socket = self.spaces.get(&nsp)?.sockets.get(id);
        socket.filter(|socket| socket.is_connected()).cloned()
    }

    /// Who is connected.
    pub(super) fn ids(&self, nsp: u32) -> impl Iterator<Item = &SocketId> {
        let sockets = self
            .spaces
            .get(&nsp)
            .into_iter()
            .flat_map(|space| &space.sockets);
        sockets
            .filter(|(_, socket)| socket.is_connected())
            .map(|(id, _)| id)
    }

    /// Who is in a room.
    pub(super) fn members(&self, nsp: u32, room: &Room) -> Vec<SocketId> {
        let space = self.spaces.get(&nsp);
        space
            .into_iter()
            .flat_map(|space| space.members(room).cloned())
            .collect()
    }

    /// The connected sockets that `selection` addresses, sorted by id.
    pub(super) fn select(&self, nsp: u32, selection: &Selection) -> Vec<Arc<SocketInner>> {
        let Some(space) = self.spaces.get(&nsp) else {
            return Vec::new();
        };
        let except: HashSet<_> = selection
            .except
            .iter()
            .flat_map(|room| space.members(room))
            .collect();
        let chosen: Box<dyn Iterator<Item = &SocketId>> = if selection.rooms.is_empty() {
            Box::new(space.sockets.keys())
        } else {
            Box::new(selection.rooms.iter().flat_map(|room| space.members(room)))
        };
        let sockets: BTreeMap<_, _> = chosen
            .filter(|id| !except.contains(id))
            .filter_map(|id| {
                Some((
                    id,
                    space
                        .sockets
                        .get(id)
                        .filter(|socket| socket.is_connected())?,
                ))
            })
            .collect();
        sockets.into_values().cloned().collect()
    }
}

/// A room of this server has got its first member, or lost its last.
fn tell_edge(
    watcher: Option<&Recipient<Occupancy>>,
    socket: &SocketInner,
    room: &Room,
    is_occupied: bool,
) {
    if let Some(watcher) = watcher {
        watcher.do_send(Occupancy {
            nsp: socket.namespace().name().into(),
            room: room.clone(),
            is_occupied,
            at_ms: now_ms(),
        });
    }
}
