//! # Registry
//! Owns: which socket of this node is in which room; the data connection to Redis (through [`Store`]).
//! Runs: one per process and server, on its own arbiter.
//! Receives: [`Changes`], [`Close`]; the question [`Settled`], those to the whole cluster
//! (`queries`) and those of other servers (`answers`).
//! Sends: [`RoomEvent`] to those who watch. Stops: with its arbiter. Never: stands on the delivery path.

mod answers;
mod membership;
mod nodes;
mod queries;
pub(crate) mod store;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytestring::ByteString;

pub(crate) use store::check_data;
pub use store::{DeadNode, GcError, GcReport, gc};

pub(crate) use answers::AnswerRequest;
pub(crate) use nodes::{AskNodes, NODES_EVENT};
pub(crate) use queries::{
    AllRooms, AskServers, CountForAcks, CountServers, FetchSockets, SocketIds,
};

use crate::cluster::{Cluster, Part};
use crate::namespace::{Room, RoomEvent, SocketInner};
use membership::Membership;
use store::{Store, StoreSettings};

/// What has happened to the rooms of sockets, in order.
#[derive(Debug)]
pub(crate) struct Changes(pub(crate) Vec<Change>);

#[derive(Debug)]
pub(crate) enum Change {
    /// A socket has joined rooms.
    Joined {
        socket: Arc<SocketInner>,
        rooms: Vec<Room>,
    },
    /// A socket has left a room.
    Left {
        socket: Arc<SocketInner>,
        room: Room,
    },
    /// A socket has gone, and with it its membership in `rooms`.
    Gone {
        socket: Arc<SocketInner>,
        rooms: Vec<Room>,
    },
}

/// Tell me what happens to the rooms of a namespace.
pub(crate) struct WatchRooms {
    pub(crate) nsp: u32,
    pub(crate) watcher: Recipient<RoomEvent>,
}

/// The first socket is in a room, or the last has left it: in the cluster, if the membership is in Redis, else here. A
/// socket's own room is not told of.
#[derive(Debug)]
pub(crate) struct Occupancy {
    pub(crate) nsp: ByteString,
    pub(crate) room: Room,
    pub(crate) is_occupied: bool,
    /// Since the Unix epoch; of the clock of Redis, if it is there.
    pub(crate) at_ms: u64,
}

/// Is everything that was said before in Redis? Answered when it is; `false`: it will not be. `true` at once
/// without a Redis.
#[derive(Debug)]
pub(crate) struct Settled;

/// How many rooms has each namespace of this node, by its index? The own rooms of sockets are not counted.
#[derive(Debug)]
pub(crate) struct CountRooms;

/// Take this node's membership out of Redis, within this time: whether nothing is left of it.
#[derive(Debug)]
pub(crate) struct Close(pub(crate) Duration);

macro_rules! messages {
    ($($message:ty => $answer:ty,)*) => {
        $(impl Message for $message { type Result = $answer; })*
    };
}

messages! {
    Changes => (),
    WatchRooms => (),
    Occupancy => (),
    Settled => bool,
    CountRooms => Vec<(u32, usize)>,
    Close => bool,
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Registry {
    membership: Membership,
    cluster: Option<Arc<Cluster>>,
    /// Keeps the membership in Redis too.
    store: Option<Store>,
}

impl Registry {
    /// To be called on its arbiter. `watcher` is told of the occupancy of rooms.
    pub(crate) fn new(
        cluster: Option<Arc<Cluster>>,
        watcher: Option<Recipient<Occupancy>>,
    ) -> Self {
        let of_store = watcher.clone();
        let store = cluster.as_ref().and_then(|cluster| {
            if cluster.settings.store_membership {
                let store = Store::start(settings(cluster, of_store));
                let stats = store.stats();
                cluster.set_gauges(Box::new(move || stats.read()));
                return Some(store);
            }
            cluster.health.unwanted(Part::Data);
            None
        });
        // What the store tells of is true for all servers.
        let watcher = watcher.filter(|_| store.is_none());
        Self {
            membership: Membership::new(watcher),
            cluster,
            store,
        }
    }
}

fn settings(cluster: &Cluster, watcher: Option<Recipient<Occupancy>>) -> StoreSettings {
    StoreSettings {
        endpoint: cluster.endpoints.data.clone(),
        key: cluster.settings.key.clone(),
        uid: cluster.uid.to_string(),
        node: cluster.announcement(),
        lease: cluster.settings.lease,
        timeout: cluster.settings.connect_timeout,
        health: Arc::clone(&cluster.health),
        watcher,
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (Some(cluster), Some(store)) = (&self.cluster, &self.store) else {
            return;
        };
        let (cluster, mut peers) = (Arc::clone(cluster), store.peers());
        let follow = async move {
            while peers.changed().await.is_ok() {
                let now = Arc::clone(&peers.borrow_and_update());
                cluster.set_peers(&now);
            }
        };
        ctx.spawn(follow.into_actor(self));
    }
}

impl Handler<Changes> for Registry {
    type Result = ();

    fn handle(&mut self, Changes(changes): Changes, _: &mut Context<Self>) {
        for change in changes {
            match change {
                Change::Joined { socket, rooms } => {
                    self.membership.join(&socket, rooms);
                    if let Some(store) = &self.store {
                        store.joined(&socket);
                    }
                }
                Change::Left { socket, room } => {
                    self.membership.leave(&socket, &room);
                    if let Some(store) = &self.store {
                        store.left(&socket);
                    }
                }
                Change::Gone { socket, rooms } => {
                    self.membership.remove(&socket, &rooms);
                    if let Some(store) = &self.store {
                        store.gone(&socket);
                    }
                }
            }
        }
    }
}

impl Handler<WatchRooms> for Registry {
    type Result = ();

    fn handle(&mut self, WatchRooms { nsp, watcher }: WatchRooms, _: &mut Context<Self>) {
        self.membership.watch(nsp, watcher);
    }
}

impl Handler<Settled> for Registry {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: Settled, _: &mut Context<Self>) -> Self::Result {
        match &self.store {
            Some(store) => Box::pin(store.settled()),
            None => Box::pin(std::future::ready(true)),
        }
    }
}

impl Handler<CountRooms> for Registry {
    type Result = MessageResult<CountRooms>;

    fn handle(&mut self, _: CountRooms, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.membership.n_rooms().collect())
    }
}

impl Handler<Close> for Registry {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, Close(budget): Close, _: &mut Context<Self>) -> Self::Result {
        match &self.store {
            Some(store) => Box::pin(store.close(budget)),
            None => Box::pin(std::future::ready(true)),
        }
    }
}
