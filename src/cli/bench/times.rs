//! Many times, of which one wants to know percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;

/// No latency is longer: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// How often it took how long.
#[derive(Clone, Debug)]
pub(super) struct Times(Histogram<u64>);

impl Default for Times {
    /// Exact to three digits.
    fn default() -> Self {
        Self::exact_to(3)
    }
}

impl Times {
    pub(super) fn exact_to(digits: u8) -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, digits);
        Self(histogram.expect("the bounds are far apart, and the digits few"))
    }

    pub(super) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.max(1));
    }

    pub(super) fn add(&mut self, other: &Self) {
        let added = self.0.add(&other.0);
        added.expect("all of them have the same bounds");
    }

    pub(super) fn n(&self) -> u64 {
        self.0.len()
    }

    /// The time that so many of a hundred do not exceed.
    pub(super) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.0.value_at_percentile(percent))
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }

    pub(super) fn mean(&self) -> Duration {
        Duration::try_from_secs_f64(self.0.mean() / 1e6).unwrap_or_default()
    }
}
