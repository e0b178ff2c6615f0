//! How long things took.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

/// The upper bounds of [`Durations`] in milliseconds: from somebody in the same building to one who is hardly there.
pub(crate) const BOUNDS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/// How long something took, each time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Durations {
    /// How many were at most as long as each bound, and longer than the one before; then the rest.
    pub(crate) counts: [u64; BOUNDS_MS.len() + 1],
    pub(crate) sum: Duration,
}

impl Durations {
    pub(crate) fn add(&mut self, time: Duration) {
        let is_in = |bound: &u64| time <= Duration::from_millis(*bound);
        let place = BOUNDS_MS.iter().position(is_in);
        self.counts[place.unwrap_or(BOUNDS_MS.len())] += 1;
        self.sum = self.sum.saturating_add(time);
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (sum, more) in self.counts.iter_mut().zip(other.counts) {
            *sum += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// How long things took that have labels. For what is done now and then, from any thread: it is behind a lock.
///
/// What has not been done yet is not there, so labels need not all be known. There may be few of them, and clients must not
/// choose any.
#[derive(Debug)]
pub(crate) struct Timings<K>(Mutex<BTreeMap<K, Durations>>);

impl<K> Default for Timings<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Timings<K> {
    pub(crate) fn add(&self, labels: K, time: Duration) {
        self.0.lock().entry(labels).or_default().add(time);
    }

    pub(crate) fn read(&self) -> Vec<(K, Durations)> {
        let all = self.0.lock();
        all.iter()
            .map(|(labels, durations)| (labels.clone(), durations.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_below_its_bound() {
        let mut durations = Durations::default();
        for ms in [0, 5, 6, 250, 10_000, 10_001, 90_000] {
            durations.add(Duration::from_millis(ms));
        }
        assert_eq!(durations.counts, [2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2]);
        assert_eq!(durations.sum, Duration::from_millis(110_262));
        let mut twice = durations.clone();
        twice.merge(&durations);
        assert_eq!(twice.counts, [4, 2, 0, 0, 0, 2, 0, 0, 0, 0, 2, 4]);
        assert_eq!(twice.sum, 2 * durations.sum);
    }

    #[test]
    fn labels_are_kept_apart_in_their_order() {
        let timings = Timings::default();
        assert_eq!(timings.read(), []);
        for labels in [("b", "ok"), ("a", "ok"), ("b", "ok"), ("a", "failed")] {
            timings.add(labels, Duration::from_secs(1));
        }
        let read = timings.read().into_iter();
        let read: Vec<_> = read
            .map(|(labels, all)| (labels, all.sum.as_secs()))
            .collect();
        assert_eq!(
            read,
            [(("a", "failed"), 1), (("a", "ok"), 1), (("b", "ok"), 2)]
        );
    }
}
