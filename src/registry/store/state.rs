//! What the tasks of the store share, all of them on the registry's thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::Recipient;
use tokio::sync::{Notify, oneshot, watch};

use super::answers::Trouble;
use super::changes::{Changes, Occupant};
use super::keys::{Entry, Keys};
use super::stats::{StoreStats, count};
use crate::cluster::{Health, Part};
use crate::redis::Endpoint;
use crate::registry::Occupancy;

/// The other nodes of the cluster that keep memberships: their names by their uids.
pub(crate) type Peers = Arc<BTreeMap<String, String>>;

/// How the memberships of this node are kept.
#[derive(Clone)]
pub(crate) struct StoreSettings {
    /// Where.
    pub(crate) endpoint: Endpoint,
    /// What all keys begin with.
    pub(crate) key: String,
    /// The uid of this node: a new one in each process.
    pub(crate) uid: String,
    /// What other nodes show for it.
    pub(crate) node: String,
    /// Within this time after the end of a node that could not say good-bye, its entries are gone.
    pub(crate) lease: Duration,
    /// How long a connection may take, and an answer.
    pub(crate) timeout: Duration,
    /// Who is told whether the connection stands.
    pub(crate) health: Arc<Health>,
    /// Who is told of the occupancy of rooms in the cluster.
    pub(crate) watcher: Option<Recipient<Occupancy>>,
}

impl StoreSettings {
    /// How often the lease is renewed and other nodes are looked after.
    pub(super) fn tick(&self) -> Duration {
        self.lease / 6
    }

    /// How long a lease holds. What is left of `lease` when it has expired, a third, is for the next look of
    /// another node (a sixth at most) and for its work. A node that is frozen for as long as this, or that
    /// misses four renewals, is taken for dead; it writes everything anew when it comes back.
    pub(super) fn ttl(&self) -> Duration {
        self.lease * 2 / 3
    }

    pub(super) fn ttl_ms(&self) -> String {
        self.ttl().as_millis().max(1).to_string()
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) changes: Changes,
    /// Who waits until what was told is in Redis, and for which count of [`Changes::n_taken`].
    waiters: VecDeque<(u64, oneshot::Sender<()>)>,
    /// Redis is there and has everything, but for what is in the queue or on its way.
    pub(super) is_synced: bool,
    /// Of a rewrite: the count of [`Changes::n_taken`] with which it is done.
    pub(super) synced_with: Option<u64>,
    pub(super) is_in_flight: bool,
    /// Since when something is in the queue, and since when that has been waiting which is on its way.
    told: Option<Instant>,
    flying: Option<Instant>,
    pub(super) is_rewrite_wanted: bool,
    /// Nothing more will be told; what is written has to go.
    pub(super) is_closing: bool,
    /// A refused command was logged since the last outage.
    pub(super) was_refused: bool,
}

pub(super) struct Shared {
    pub(super) settings: StoreSettings,
    pub(super) keys: Keys,
    pub(super) state: RefCell<State>,
    pub(super) stats: Arc<StoreStats>,
    pub(super) peers: watch::Sender<Peers>,
    /// Wakes the writer.
    pub(super) wake: Notify,
    /// Nodes whose lease is gone, as of the last look.
    pub(super) dead: RefCell<BTreeSet<String>>,
    /// Wakes the reaper.
    pub(super) has_dead: Notify,
}

impl Shared {
    pub(super) fn new(settings: StoreSettings) -> Self {
        Self {
            keys: Keys::new(&settings.key),
            settings,
            state: RefCell::default(),
            stats: Arc::default(),
            peers: watch::Sender::default(),
            wake: Notify::new(),
            dead: RefCell::default(),
            has_dead: Notify::new(),
        }
    }

    pub(super) fn tell(
        &self,
        tell: impl FnOnce(&mut Changes, &Arc<dyn Occupant>),
        of: &Arc<dyn Occupant>,
    ) {
        let mut state = self.state.borrow_mut();
        if state.is_closing {
            return;
        }
        tell(&mut state.changes, of);
        if state.changes.n_pending() > 0 || !state.is_synced {
            state.told.get_or_insert_with(Instant::now);
        }
        self.publish(&state);
        self.wake.notify_one();
    }

    /// Nothing will be told any more, and all that is written has to go.
    pub(super) fn close(&self) {
        let mut state = self.state.borrow_mut();
        if !std::mem::replace(&mut state.is_closing, true) {
            state.changes.vacate_all();
            self.publish(&state);
            self.wake.notify_one();
        }
    }

    /// Resolves when what was told before is in Redis; at once if it is there.
    pub(super) fn settled(&self) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state.borrow_mut();
        let is_done = state.is_synced && !state.is_in_flight && state.changes.n_pending() == 0;
        if is_done {
            return None;
        }
        if state.waiters.len().is_power_of_two() {
            state.waiters.retain(|(_, waiter)| !waiter.is_closed());
        }
        let (waiter, settled) = oneshot::channel();
        // What was told while Redis was away is in Redis when everything is.
        let until = if state.is_synced {
            state.changes.n_queued()
        } else {
            u64::MAX
        };
        state.waiters.push_back((until, waiter));
        Some(settled)
    }

    fn publish(&self, state: &State) {
        let (pending, stats) = (state.changes.n_pending(), &self.stats);
        stats.pending.store(pending, Ordering::Relaxed);
        stats.is_synced.store(state.is_synced, Ordering::Relaxed);
        stats.set_oldest(state.flying.or(state.told));
    }

    /// Redis is away, or refuses what has to be written.
    pub(super) fn suspend(&self, trouble: &Trouble) {
        count(&self.stats.errors);
        let mut state = self.state.borrow_mut();
        state.changes.suspend();
        state.unsettle();
        state.is_in_flight = false;
        state.was_refused = false;
        let since = state.flying.take().or(state.told);
        state.told = Some(since.unwrap_or_else(Instant::now));
        self.publish(&state);
        let needs_operator = trouble.cause().needs_operator();
        self.settings
            .health
            .down(Part::Data, trouble, needs_operator);
    }

    /// What is true has to be compared with what Redis has.
    pub(super) fn recall(&self) {
        let mut state = self.state.borrow_mut();
        state.is_rewrite_wanted = false;
        state.unsettle();
        state.changes.recall();
        state.told.get_or_insert_with(Instant::now);
        self.publish(&state);
    }

    /// All of it is in the queue.
    pub(super) fn recalled(&self) {
        let mut state = self.state.borrow_mut();
        state.synced_with = Some(state.changes.n_queued());
        drop(state);
        self.settle();
    }

    /// The next entries to write, if there are any.
    pub(super) fn take(&self, at_most: usize) -> Vec<Entry> {
        let mut state = self.state.borrow_mut();
        let batch = state.changes.next_batch(at_most);
        if !batch.is_empty() {
            state.is_in_flight = true;
            state.flying = state.told;
            if state.changes.n_pending() == 0 {
                state.told = None;
            }
        }
        batch
    }

    /// What was taken is written, and those who waited for no more than it are told.
    pub(super) fn settle(&self) {
        let mut state = self.state.borrow_mut();
        state.is_in_flight = false;
        state.flying = None;
        if state.changes.n_pending() > 0 {
            state.told.get_or_insert_with(Instant::now);
        }
        let n_taken = state.changes.n_taken();
        if state.synced_with.is_some_and(|until| until <= n_taken) {
            state.synced();
            self.settings.health.up(Part::Data);
        }
        if state.is_synced && state.changes.n_pending() == 0 {
            // What was compared was right.
            state.told = None;
        }
        while let Some((until, _)) = state.waiters.front()
            && *until <= n_taken
        {
            if let Some((_, waiter)) = state.waiters.pop_front() {
                let _ = waiter.send(());
            }
        }
        self.publish(&state);
    }
}

impl State {
    fn unsettle(&mut self) {
        self.is_synced = false;
        self.synced_with = None;
        for (until, _) in &mut self.waiters {
            *until = u64::MAX;
        }
    }

    fn synced(&mut self) {
        self.synced_with = None;
        self.is_synced = true;
        let until = self.changes.n_queued();
        for (waits_for, _) in &mut self.waiters {
            *waits_for = until;
        }
    }
}
