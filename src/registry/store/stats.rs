//! What others can read about the store, from any thread.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Counters and gauges of the memberships in Redis.
#[derive(Debug)]
pub(crate) struct StoreStats {
    since: Instant,
    /// Milliseconds after `since` at which the oldest change was told that is not in Redis, plus one; 0: none.
    oldest: AtomicU64,
    pub(super) pending: AtomicUsize,
    pub(super) flushes: AtomicU64,
    pub(super) rewrites: AtomicU64,
    pub(super) reaped: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) is_synced: AtomicBool,
}

impl Default for StoreStats {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            oldest: AtomicU64::new(0),
            pending: AtomicUsize::new(0),
            flushes: AtomicU64::new(0),
            rewrites: AtomicU64::new(0),
            reaped: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            is_synced: AtomicBool::new(false),
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl StoreStats {
    /// Sockets of which something is not in Redis yet. While Redis is away this is not known: 0.
    pub(crate) fn n_pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// For how long the oldest change that is not in Redis has been waiting.
    pub(crate) fn lag(&self) -> Duration {
        match self.oldest.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            at => self
                .since
                .elapsed()
                .saturating_sub(Duration::from_millis(at - 1)),
        }
    }

    /// Batches of changes written.
    pub(crate) fn n_flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    /// How often everything was compared and written: at each connection, and whenever something was lost.
    pub(crate) fn n_rewrites(&self) -> u64 {
        self.rewrites.load(Ordering::Relaxed)
    }

    /// Sockets of dead nodes whose entries this node has removed.
    pub(crate) fn n_reaped(&self) -> u64 {
        self.reaped.load(Ordering::Relaxed)
    }

    /// Commands that Redis has refused, and connections that broke or were not made.
    pub(crate) fn n_errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Whether Redis is there and has everything, but for what is [pending](Self::n_pending).
    pub(crate) fn is_synced(&self) -> bool {
        self.is_synced.load(Ordering::Relaxed)
    }

    /// All of it, by name.
    pub(crate) fn read(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("membership_pending", self.n_pending() as u64),
            (
                "membership_lag_ms",
                u64::try_from(self.lag().as_millis()).unwrap_or(u64::MAX),
            ),
            ("membership_flushes", self.n_flushes()),
            ("membership_rewrites", self.n_rewrites()),
            ("membership_reaped", self.n_reaped()),
            ("membership_errors", self.n_errors()),
            ("membership_synced", u64::from(self.is_synced())),
        ]
    }

    /// Since when something waits to be written.
    pub(super) fn set_oldest(&self, since: Option<Instant>) {
        let at = since.map_or(0, |since| {
            let at = since.saturating_duration_since(self.since).as_millis();
            u64::try_from(at).unwrap_or(u64::MAX - 1) + 1
        });
        self.oldest.store(at, Ordering::Relaxed);
    }
}
