//! What the threads of a run share: its phases, and how far it is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Where a run is. It goes forward only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// Connections are opened.
    Connecting,
    /// Messages are sent, from this moment on.
    Traffic(Instant),
    /// Nothing more becomes due; what is on its way may arrive.
    Draining,
    /// Everybody goes.
    Over,
}

impl Phase {
    pub(super) const fn is_ending(&self) -> bool {
        matches!(self, Self::Draining | Self::Over)
    }

    pub(super) fn is_over(&self) -> bool {
        *self == Self::Over
    }
}

/// A number that all threads add to.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Release);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// How far a run is.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Clients that are connected and in their rooms.
    pub(super) ready: Count,
    /// Clients that did not get so far.
    pub(super) failed: Count,
    /// Clients that did, and are gone.
    pub(super) dropped: Count,
    /// Clients that did, and do not read.
    pub(super) stalled: Count,
    /// Messages whose time has come.
    pub(super) due: Count,
    pub(super) sent: Count,
    pub(super) expected: Count,
    pub(super) received: Count,
    /// Threads that have nothing more to hand out.
    pub(super) idle_threads: Count,
    /// When the first message is due. Receivers may need it before their own thread has heard that it begins.
    pub(super) epoch: OnceLock<Instant>,
    /// How many clients are in each room; in a broadcast all are in the one that there is.
    pub(super) members: Vec<Count>,
}

impl Shared {
    pub(super) fn new(n_rooms: usize) -> Self {
        Self {
            members: (0..n_rooms).map(|_| Count::default()).collect(),
            ..Self::default()
        }
    }

    /// Whether nobody waits for anything any more.
    pub(super) fn is_quiet(&self) -> bool {
        let is_sent = self.sent.get() == self.due.get();
        (is_sent && self.received.get() >= self.expected.get())
            || self.dropped.get() + self.stalled.get() == self.ready.get()
    }
}
