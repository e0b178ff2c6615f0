//! # Registry
//! Owns: which socket of this node is in which room.
//! Runs: one per process and server, on its own arbiter.
//! Receives: [`Joined`], [`Left`], [`Gone`]; the questions [`FetchSockets`], [`AllRooms`], [`RoomSize`].
//! Sends: [`RoomEvent`] to those who watch. Stops: with its arbiter. Never: stands on the delivery path.

mod membership;
mod store;

use std::sync::Arc;

use actix::prelude::*;

use crate::hub::Selection;
use crate::namespace::{Room, RoomEvent, SocketInner};
use membership::Membership;

/// A socket has joined rooms.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) socket: Arc<SocketInner>,
    pub(crate) rooms: Vec<Room>,
}

/// A socket has left a room.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) socket: Arc<SocketInner>,
    pub(crate) room: Room,
}

/// A socket has gone, and with it its membership in `rooms`.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) socket: Arc<SocketInner>,
    pub(crate) rooms: Vec<Room>,
}

/// Which sockets does this selection address?
#[derive(Debug)]
pub(crate) struct FetchSockets {
    pub(crate) nsp: u32,
    pub(crate) selection: Selection,
}

/// Which rooms are there?
#[derive(Debug)]
pub(crate) struct AllRooms {
    pub(crate) nsp: u32,
}

/// How many sockets are in this room?
#[derive(Debug)]
pub(crate) struct RoomSize {
    pub(crate) nsp: u32,
    pub(crate) room: Room,
}

/// Tell me what happens to the rooms of a namespace.
pub(crate) struct WatchRooms {
    pub(crate) nsp: u32,
    pub(crate) watcher: Recipient<RoomEvent>,
}

macro_rules! messages {
    ($($message:ty => $answer:ty,)*) => {
        $(impl Message for $message { type Result = $answer; })*
    };
}

messages! {
    Joined => (),
    Left => (),
    Gone => (),
    WatchRooms => (),
    FetchSockets => Vec<Arc<SocketInner>>,
    AllRooms => Vec<Room>,
    RoomSize => usize,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(crate) struct Registry(Membership);

impl Actor for Registry {
    type Context = Context<Self>;
}

impl Handler<Joined> for Registry {
    type Result = ();

    fn handle(&mut self, Joined { socket, rooms }: Joined, _: &mut Context<Self>) {
        self.0.join(&socket, rooms);
    }
}

impl Handler<Left> for Registry {
    type Result = ();

    fn handle(&mut self, Left { socket, room }: Left, _: &mut Context<Self>) {
        self.0.leave(&socket, &room);
    }
}

impl Handler<Gone> for Registry {
    type Result = ();

    fn handle(&mut self, Gone { socket, rooms }: Gone, _: &mut Context<Self>) {
        self.0.remove(&socket, &rooms);
    }
}

impl Handler<WatchRooms> for Registry {
    type Result = ();

    fn handle(&mut self, WatchRooms { nsp, watcher }: WatchRooms, _: &mut Context<Self>) {
        self.0.watch(nsp, watcher);
    }
}

impl Handler<FetchSockets> for Registry {
    type Result = MessageResult<FetchSockets>;

    fn handle(&mut self, question: FetchSockets, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.0.select(question.nsp, &question.selection))
    }
}

impl Handler<AllRooms> for Registry {
    type Result = MessageResult<AllRooms>;

    fn handle(&mut self, AllRooms { nsp }: AllRooms, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.0.rooms(nsp))
    }
}

impl Handler<RoomSize> for Registry {
    type Result = usize;

    fn handle(&mut self, RoomSize { nsp, room }: RoomSize, _: &mut Context<Self>) -> usize {
        self.0.room_size(nsp, &room)
    }
}
