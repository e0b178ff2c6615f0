//! Lines of the log that somebody else can cause without end: the first at once, and then one in a minute.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// While such lines keep coming, there is one in this time.
pub(crate) const BETWEEN_LINES: Duration = Duration::from_mins(1);

/// Lets the first through at once, and then one per minute, which knows how many there were since.
#[derive(Debug)]
pub(crate) struct Throttle(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Option<Instant>,
    /// Those that were not let through since then.
    n_held: u64,
}

impl Throttle {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State {
            last: None,
            n_held: 0,
        }))
    }

    /// `Some(n)`: this one may pass, and stands for `n`.
    pub(crate) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
        state.n_held = state.n_held.saturating_add(1);
        // Threads take their time before they ask for the lock, so `now` may be before the last.
        if let Some(last) = state.last
            && now.saturating_duration_since(last) < BETWEEN_LINES
        {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.n_held))
    }
}

/// `throttled!(warn, "text key={value}")`: as `log::warn!`, for lines that a client, another server or a mistake in a
/// program can repeat without end. Each place in the code is throttled by itself; a line that stands for others says for
/// how many.
macro_rules! throttled {
    ($level:ident, $($text:tt)+) => {{
        static THROTTLE: $crate::throttle::Throttle = $crate::throttle::Throttle::new();
        match THROTTLE.pass(std::time::Instant::now()) {
            None => {}
            Some(1) => log::$level!($($text)+),
            Some(n_times) => log::$level!("{} n_times={n_times}", format_args!($($text)+)),
        }
    }};
}

pub(crate) use throttled;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_passes_at_once_and_then_one_per_minute() {
        let start = Instant::now();
        let throttle = Throttle::new();
        let passed: Vec<_> = [0, 0, 1, 59, 60, 61, 119, 120, 121, 1000, 1001]
            .map(|seconds| throttle.pass(start + Duration::from_secs(seconds)))
            .into();
        let (no, yes) = (None, Some);
        assert_eq!(
            passed,
            [yes(1), no, no, no, yes(4), no, no, yes(3), no, yes(2), no]
        );
    }

    #[test]
    fn a_clock_reading_from_before_does_not_pass() {
        let start = Instant::now() + Duration::from_secs(1000);
        let throttle = Throttle::new();
        assert_eq!(throttle.pass(start), Some(1));
        assert_eq!(throttle.pass(start - Duration::from_secs(500)), None);
        assert_eq!(throttle.pass(start + BETWEEN_LINES), Some(2));
    }
}
