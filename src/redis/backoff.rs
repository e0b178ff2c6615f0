//! How long to wait before the next dial.

use std::time::Duration;

/// Delays between dials: the first is none, then exponential with full jitter, for ever.
///
/// Jitter keeps the nodes of a cluster from dialing a Redis that comes back all at once. A Redis that is back is
/// used again within a second, dial included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    n_failures: u32,
}

/// The first delay is up to this long.
const FIRST: Duration = Duration::from_millis(50);
/// No delay is longer; the rest of the second is for the dial itself.
const LONGEST: Duration = Duration::from_millis(800);

impl Backoff {
    /// How long to wait before the next dial.
    pub(crate) fn next(&mut self) -> Duration {
        let n_failures = self.n_failures;
        self.n_failures = n_failures.saturating_add(1);
        let Some(exponent) = n_failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let most = FIRST.saturating_mul(1 << exponent.min(16)).min(LONGEST);
        // Without random numbers the full delay is right too, only less polite.
        let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        most.mul_f64(share)
    }

    /// Says that a dial worked: the next one after it is at once again.
    pub(crate) fn reset(&mut self) {
        self.n_failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dial_is_at_once_and_none_waits_longer_than_the_last() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(), Duration::ZERO);
        let mut delays: Vec<_> = (0..1000).map(|_| backoff.next()).collect();
        assert!(delays[0] <= FIRST && delays[1] <= FIRST * 2 && delays[2] <= FIRST * 4);
        assert!(delays.iter().all(|delay| *delay <= LONGEST));
        delays.sort();
        delays.dedup();
        assert!(delays.len() > 900, "delays have no jitter");
        assert!(delays[delays.len() - 1] > LONGEST.mul_f64(0.9));
        assert!(delays[0] < LONGEST.mul_f64(0.1));
        backoff.reset();
        assert_eq!(backoff.next(), Duration::ZERO);
    }

    #[test]
    fn it_goes_on_for_ever() {
        let mut backoff = Backoff {
            n_failures: u32::MAX - 1,
        };
        for _ in 0..3 {
            assert!(backoff.next() <= LONGEST);
        }
    }
}
