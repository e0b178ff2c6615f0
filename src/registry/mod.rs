//! # Registry
//! Owns: which socket of this node is in which room.
//! Runs: one per process and server, on its own arbiter.
//! Receives: [`Joined`], [`Left`], [`Gone`]; the questions in `queries`, and those of other servers in `answers`.
//! Sends: [`RoomEvent`] to those who watch. Stops: with its arbiter. Never: stands on the delivery path.

mod answers;
mod membership;
mod queries;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;

pub(crate) use answers::AnswerRequest;
pub(crate) use queries::{
    AllRooms, AskServers, CountForAcks, CountServers, FetchSockets, RoomSize,
};

use crate::cluster::Cluster;
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
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Registry {
    membership: Rc<RefCell<Membership>>,
    cluster: Option<Arc<Cluster>>,
}

impl Registry {
    pub(crate) fn new(cluster: Option<Arc<Cluster>>) -> Self {
        Self {
            membership: Rc::default(),
            cluster,
        }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;
}

impl Handler<Joined> for Registry {
    type Result = ();

    fn handle(&mut self, Joined { socket, rooms }: Joined, _: &mut Context<Self>) {
        self.membership.borrow_mut().join(&socket, rooms);
    }
}

impl Handler<Left> for Registry {
    type Result = ();

    fn handle(&mut self, Left { socket, room }: Left, _: &mut Context<Self>) {
        self.membership.borrow_mut().leave(&socket, &room);
    }
}

impl Handler<Gone> for Registry {
    type Result = ();

    fn handle(&mut self, Gone { socket, rooms }: Gone, _: &mut Context<Self>) {
        self.membership.borrow_mut().remove(&socket, &rooms);
    }
}

impl Handler<WatchRooms> for Registry {
    type Result = ();

    fn handle(&mut self, WatchRooms { nsp, watcher }: WatchRooms, _: &mut Context<Self>) {
        self.membership.borrow_mut().watch(nsp, watcher);
    }
}
