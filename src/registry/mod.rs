//! # Registry
//! Owns: which socket of this node is in which room; the data connection to Redis (through [`Store`]).
//! Runs: one per process and server, on its own arbiter.
//! Receives: [`Joined`], [`Left`], [`Gone`], [`Close`]; the questions [`Settled`], [`FetchSockets`], [`AllRooms`], [`RoomSize`].
//! Sends: [`RoomEvent`] to those who watch. Stops: with its arbiter. Never: stands on the delivery path.

mod membership;
#[allow(
    dead_code,
    unused_imports,
    reason = "until a server with a Redis starts it"
)]
pub(crate) mod store;

use std::sync::Arc;

use actix::prelude::*;

use crate::hub::Selection;
use crate::namespace::{Room, RoomEvent, SocketInner};
use membership::Membership;
use store::Store;

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

/// Is everything that was said before in Redis? Answered when it is; `false`: it will not be. `true` at once
/// without a Redis.
#[derive(Debug)]
pub(crate) struct Settled;

/// Take this node's membership out of Redis, within this time: whether nothing is left of it.
#[derive(Debug)]
pub(crate) struct Close(pub(crate) std::time::Duration);

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
    Settled => bool,
    Close => bool,
    FetchSockets => Vec<Arc<SocketInner>>,
    AllRooms => Vec<Room>,
    RoomSize => usize,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(crate) struct Registry(Membership, Option<Store>);

impl Registry {
    /// One that keeps the membership in Redis too. To be called on its arbiter.
    #[allow(dead_code, reason = "until a server with a Redis starts it")]
    pub(crate) fn storing(settings: store::StoreSettings) -> Self {
        Self(Membership::default(), Some(Store::start(settings)))
    }

    /// The store, if there is one.
    #[allow(dead_code, reason = "until a server with a Redis starts it")]
    pub(crate) const fn store(&self) -> Option<&Store> {
        self.1.as_ref()
    }
}

impl Actor for Registry {
    type Context = Context<Self>;
}

impl Handler<Joined> for Registry {
    type Result = ();

    fn handle(&mut self, Joined { socket, rooms }: Joined, _: &mut Context<Self>) {
        self.0.join(&socket, rooms);
        if let Some(store) = &self.1 {
            store.joined(&socket);
        }
    }
}

impl Handler<Left> for Registry {
    type Result = ();

    fn handle(&mut self, Left { socket, room }: Left, _: &mut Context<Self>) {
        self.0.leave(&socket, &room);
        if let Some(store) = &self.1 {
            store.left(&socket);
        }
    }
}

impl Handler<Gone> for Registry {
    type Result = ();

    fn handle(&mut self, Gone { socket, rooms }: Gone, _: &mut Context<Self>) {
        self.0.remove(&socket, &rooms);
        if let Some(store) = &self.1 {
            store.gone(&socket);
        }
    }
}

impl Handler<Settled> for Registry {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: Settled, _: &mut Context<Self>) -> Self::Result {
        match &self.1 {
            Some(store) => Box::pin(store.settled()),
            None => Box::pin(std::future::ready(true)),
        }
    }
}

impl Handler<Close> for Registry {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, Close(budget): Close, _: &mut Context<Self>) -> Self::Result {
        match &self.1 {
            Some(store) => Box::pin(store.close(budget)),
            None => Box::pin(std::future::ready(true)),
        }
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
