//! Failures of one receiver in the log: a line when they begin, one now and then while they last, one when they are over.

use std::fmt::Display;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two lines about one receiver; what happens in between is counted.
const PACE: Duration = Duration::from_secs(10);

/// How a receiver fares.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_failing: bool,
    /// Since the last line.
    n_failures: u64,
    last_line: Option<Instant>,
}

/// A query may have a token in it.
fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(place, _)| place)
}

/// What is to be logged, with the failures since the last line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Failing(u64),
    Well(u64),
}

impl Outage {
    /// A request to `url` has failed.
    pub(crate) fn failed(&self, url: &str, why: &dyn Display) {
        if let Some(Line::Failing(n_failures)) = self.turn(true, Instant::now()) {
            let url = without_query(url);
            log::warn!("requests fail url={url} failures={n_failures} err={why}");
        }
    }

    /// A request to `url` has been answered as it should.
    pub(crate) fn succeeded(&self, url: &str) {
        if let Some(Line::Well(n_failures)) = self.turn(false, Instant::now()) {
            let url = without_query(url);
            log::info!("requests are answered again url={url} failures={n_failures}");
        }
    }

    fn turn(&self, has_failed: bool, now: Instant) -> Option<Line> {
        let mut state = self.0.lock();
        state.n_failures += u64::from(has_failed);
        let is_news = has_failed || state.is_failing;
        let is_due = state
            .last_line
            .is_none_or(|last| now.saturating_duration_since(last) >= PACE);
        // A receiver that fails now and then is not well before it has been so for a while.
        if !is_news || !is_due {
            return None;
        }
        state.is_failing = has_failed;
        state.last_line = Some(now);
        let n_failures = std::mem::take(&mut state.n_failures);
        Some(match has_failed {
            true => Line::Failing(n_failures),
            false => Line::Well(n_failures),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_a_line_now_and_then_and_one_at_its_end() {
        let (outage, start) = (Outage::default(), Instant::now());
        let turn =
            |has_failed, seconds| outage.turn(has_failed, start + Duration::from_secs(seconds));
        assert_eq!(turn(false, 0), None);
        assert_eq!(turn(true, 1), Some(Line::Failing(1)));
        for _ in 0..1000 {
            assert_eq!(turn(true, 2), None);
            assert_eq!(turn(false, 3), None);
        }
        assert_eq!(turn(true, 11), Some(Line::Failing(1001)));
        assert_eq!(turn(false, 12), None);
        assert_eq!(turn(false, 21), Some(Line::Well(0)));
        assert_eq!(turn(false, 99), None);
        assert_eq!(turn(true, 100), Some(Line::Failing(1)));
    }

    #[test]
    fn a_token_in_a_query_is_not_logged() {
        assert_eq!(without_query("https://a/b?token=s3cret"), "https://a/b");
        assert_eq!(without_query("https://a/b"), "https://a/b");
    }
}
