//! The buckets of IP addresses, which all workers share.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

const SHARDS: usize = 16;
/// Addresses that are kept in a shard. Above it those are forgotten that have no session and a full bucket; if that makes
/// no room, further addresses share one bucket.
pub(super) const PER_SHARD: usize = 4096;
/// Looking for those reads the whole shard, so not for each that comes while it is full. In ns.
const BETWEEN_SWEEPS: u64 = 100_000_000;

/// The buckets of one address.
#[derive(Debug, Default)]
pub(super) struct Address {
    pub(super) handshakes: AtomicU64,
    pub(super) events: AtomicU64,
}

impl Address {
    fn is_full(&self, now: u64) -> bool {
        let is_full = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed) <= now;
        is_full(&self.handshakes) && is_full(&self.events)
    }
}

#[derive(Debug, Default)]
struct Shard {
    known: HashMap<IpAddr, Arc<Address>, RandomState>,
    others: Arc<Address>,
    /// In ns of the same clock as the buckets.
    next_sweep: u64,
}

/// The addresses of clients. The lock of a shard is taken once for each session, never for an event.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

impl Addresses {
    pub(super) fn get(&self, address: IpAddr, now: u64) -> Arc<Address> {
        let hash = self.hasher.hash_one(address);
        // The remainder is less than the number of shards.
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let mut shard = self.shards[at].lock();
        if let Some(known) = shard.known.get(&address) {
            return Arc::clone(known);
        }
        if shard.known.len() >= PER_SHARD && now >= shard.next_sweep {
            shard.next_sweep = now.saturating_add(BETWEEN_SWEEPS);
            shard
                .known
                .retain(|_, address| Arc::strong_count(address) > 1 || !address.is_full(now));
        }
        if shard.known.len() >= PER_SHARD {
            return Arc::clone(&shard.others);
        }
        Arc::clone(shard.known.entry(address).or_default())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().known.len())
            .sum()
    }
}
