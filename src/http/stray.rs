//! Requests for sessions of other nodes: counted, and told to the operator once in a while.

use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// While such requests keep coming, there is one line in this time.
const BETWEEN_LINES: Duration = Duration::from_mins(1);

type Owner = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What a server remembers of requests that should have gone to other nodes. One for all workers.
pub(crate) struct Strays {
    /// The name of the node with this route, if it is known.
    owner: Box<Owner>,
    throttle: Mutex<Throttle>,
}

impl fmt::Debug for Strays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strays").finish_non_exhaustive()
    }
}

impl Strays {
    /// `owner` gives the name of the node that a route leads to. It is asked at most once a minute, and may be asked on
    /// any worker, so it must not block.
    pub(crate) fn new(owner: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            owner: Box::new(owner),
            throttle: Mutex::default(),
        }
    }

    /// One more request, for a session with this route. Gives what to log about it and those before, if it is time.
    pub(crate) fn seen(&self, route: &str, now: Instant) -> Option<String> {
        let n_requests = self.throttle.lock().pass(now)?;
        Some(match (self.owner)(route) {
            Some(node) => format!(
                "the load balancer sends requests for sessions of another node here, it is not sticky route={route} node={node} n_requests={n_requests}"
            ),
            // A client of a node that has stopped asks once more, also with a balancer that does all it should.
            None => format!(
                "the load balancer sends requests for sessions of another node here, it is not sticky or the node has gone route={route} node=unknown n_requests={n_requests}"
            ),
        })
    }
}

/// Lets the first through at once, and then one per minute, which knows how many there were since.
#[derive(Debug, Default)]
struct Throttle {
    last: Option<Instant>,
    /// Those that were not let through since then.
    n_held: u64,
}

impl Throttle {
    /// `Some(n)`: this one may pass, and stands for `n`.
    fn pass(&mut self, now: Instant) -> Option<u64> {
        self.n_held = self.n_held.saturating_add(1);
        // Threads take their time before they ask for the lock, so `now` may be before the last.
        if let Some(last) = self.last
            && now.saturating_duration_since(last) < BETWEEN_LINES
        {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.n_held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_passes_at_once_and_then_one_per_minute() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
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
        let mut throttle = Throttle::default();
        assert_eq!(throttle.pass(start), Some(1));
        assert_eq!(throttle.pass(start - Duration::from_secs(500)), None);
        assert_eq!(throttle.pass(start + BETWEEN_LINES), Some(2));
    }

    #[test]
    fn the_line_names_route_and_node() {
        let strays = Strays::new(|route| (route == "b.").then(|| "web2".to_owned()));
        let now = Instant::now();
        let line = strays.seen("b.", now).unwrap();
        assert!(
            line.ends_with(" is not sticky route=b. node=web2 n_requests=1"),
            "{line}"
        );
        assert_eq!(strays.seen("c.", now), None);
        let line = strays.seen("c.", now + BETWEEN_LINES).unwrap();
        assert!(
            line.ends_with(" or the node has gone route=c. node=unknown n_requests=2"),
            "{line}"
        );
    }
}
