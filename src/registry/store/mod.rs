//! # Store
//! Owns: the data connection to Redis, and what Redis has of the membership of this node.
//! Runs: as one task on the registry's arbiter. Told by the registry: joined, left, gone.
//! Stops: with [`Store::close`], which leaves nothing behind; dropped it leaves its entries to the lease.
//! Never: stands on the delivery path; grows while Redis is away.
//!
//! # What is stored
//!
//! The SETs of the seed: of a socket, created with one record, its id, and then its rooms; of a room, the ids of
//! its sockets. `keys` says how they are called, and what else there is for the bookkeeping.
//!
//! The SET of a socket exists as long as the socket. Its own room is the same key, and the record in it says that
//! the socket exists: so joining and leaving one's own room writes nothing.
//!
//! A room that is called as a socket has no SET while there is such a socket: its key is the socket's. Who joins it
//! has the room in his own SET; that of the other is left alone. (When the other goes, the room has no SET until it
//! is joined again.)
//!
//! # How
//!
//! `changes` holds what has to be looked at, makes the difference to what Redis has, and gives it as `orders`.
//! `writer` carries them out. `lease` says that this node lives and finds out who does not; `reaper` tidies up
//! after those.

mod answers;
mod changes;
mod check;
mod gc;
mod keys;
mod lease;
mod occupancy;
mod orders;
mod reaper;
mod state;
mod stats;
mod writer;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::namespace::{Room, SocketInner};
use changes::{Changes, Occupant};
use state::Shared;

pub(crate) use check::check_data;
pub use gc::{DeadNode, GcError, GcReport, gc};
pub(crate) use state::{Peers, StoreSettings};
pub(crate) use stats::StoreStats;

impl Occupant for SocketInner {
    fn nsp(&self) -> &str {
        self.namespace().name()
    }

    fn id(&self) -> &str {
        self.id().as_str()
    }

    fn rooms(&self) -> Vec<Room> {
        self.rooms()
    }

    fn is_back(&self) -> bool {
        self.recovered
    }
}

/// See the module documentation.
pub(crate) struct Store {
    shared: Rc<Shared>,
    task: JoinHandle<()>,
    end: watch::Receiver<Option<bool>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("stats", &self.shared.stats)
            .finish_non_exhaustive()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Store {
    /// Starts on this thread, which has to run tasks that stay on it. It dials until it is closed.
    pub(crate) fn start(settings: StoreSettings) -> Self {
        let shared = Rc::new(Shared::new(settings));
        let (told, end) = watch::channel(None);
        let task = {
            let shared = Rc::clone(&shared);
            actix_rt::spawn(async move {
                let is_clean = writer::run(shared).await;
                told.send_replace(Some(is_clean));
            })
        };
        Self { shared, task, end }
    }

    /// A socket is there, or has joined rooms. Told after it has: the store asks the socket.
    pub(crate) fn joined(&self, socket: &Arc<SocketInner>) {
        self.tell(Changes::joined, Arc::clone(socket) as _);
    }

    /// A socket has left a room.
    pub(crate) fn left(&self, socket: &Arc<SocketInner>) {
        self.tell(Changes::left, Arc::clone(socket) as _);
    }

    /// A socket has gone.
    pub(crate) fn gone(&self, socket: &Arc<SocketInner>) {
        self.tell(Changes::gone, Arc::clone(socket) as _);
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller makes it for this call"
    )]
    fn tell(&self, tell: fn(&mut Changes, &Arc<dyn Occupant>), socket: Arc<dyn Occupant>) {
        self.shared.tell(tell, &socket);
    }

    /// Resolves when everything that was told before is in Redis, however long that takes: with `false` if the
    /// store ends first. Nothing is asked of Redis for it.
    pub(crate) fn settled(&self) -> impl Future<Output = bool> + use<> {
        let settled = self.shared.settled();
        async move {
            match settled {
                None => true,
                Some(settled) => settled.await.is_ok(),
            }
        }
    }

    /// Removes everything of this node, within `budget`: whether all of it was removed. What is left is reaped by
    /// others when the lease has expired. Nothing that is told from now on is heard. Can be said twice.
    pub(crate) fn close(&self, budget: Duration) -> impl Future<Output = bool> + use<> {
        self.shared.close();
        let (mut end, task) = (self.end.clone(), self.task.abort_handle());
        async move {
            let ended = tokio::time::timeout(budget, end.wait_for(Option::is_some)).await;
            let is_clean = matches!(ended, Ok(Ok(end)) if *end == Some(true));
            task.abort();
            is_clean
        }
    }

    /// The other nodes that keep memberships, as of the last renewal of the lease.
    pub(crate) fn peers(&self) -> watch::Receiver<Peers> {
        self.shared.peers.subscribe()
    }

    /// Counters and gauges, for any thread.
    pub(crate) fn stats(&self) -> Arc<StoreStats> {
        Arc::clone(&self.shared.stats)
    }
}

#[cfg(test)]
mod tests;
