//! What is counted and measured, by each thread for itself and together at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counts::Counts;
use super::schedule::Due;
use super::times::Times;

/// The run in so many pieces, for what is shown over time.
pub(super) const SLOTS: u32 = 60;

/// More kinds of failures than these are counted as one: servers may put anything into what they say.
const MOST_REASONS: usize = 30;

/// What is measured: all that was due in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Since the start; what was due before is the warm-up.
    pub(super) begin: Duration,
    pub(super) length: Duration,
}

impl Window {
    /// The piece of the run to which what was due then belongs. `None` for the warm-up.
    fn slot(&self, due: Duration) -> Option<usize> {
        let since = due.checked_sub(self.begin)?;
        let slot = since.as_nanos() / self.piece().as_nanos();
        let last = SLOTS as usize - 1;
        Some(usize::try_from(slot).map_or(last, |slot| slot.min(last)))
    }

    /// How long a piece is.
    pub(super) fn piece(&self) -> Duration {
        (self.length / SLOTS).max(Duration::from_nanos(1))
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) window: Window,
    /// Whether what is shown over time are messages, not connections.
    is_of_messages: bool,
    /// From the time a connection was due until its CONNECT was answered.
    pub(super) connect: Times,
    /// When the last of them was, since the start.
    pub(super) last_connected: Duration,
    pub(super) n_connected: u64,
    /// Connections that failed after they were there.
    pub(super) n_dropped: u64,
    /// Connections of clients that do not read, and how many of them the server has ended.
    pub(super) n_stalled: u64,
    pub(super) n_stalled_gone: u64,
    /// Why connections failed, before and after.
    pub(super) failures: BTreeMap<String, u64>,
    pub(super) warm_up: Counts,
    pub(super) measured: Counts,
    pub(super) latency: Times,
    /// The same (without messages: `connect`), by the time at which they were due.
    pub(super) slots: Vec<Times>,
    /// How late messages were sent for no reason but this program.
    pub(super) lag: Times,
    /// Answers that do not have the payload in them.
    pub(super) n_other_answers: u64,
    /// The first of them.
    pub(super) other_answer: Option<String>,
}

impl Tally {
    pub(super) fn new(window: Window, is_of_messages: bool) -> Self {
        Self {
            window,
            is_of_messages,
            connect: Times::default(),
            last_connected: Duration::ZERO,
            n_connected: 0,
            n_dropped: 0,
            n_stalled: 0,
            n_stalled_gone: 0,
            failures: BTreeMap::new(),
            warm_up: Counts::default(),
            measured: Counts::default(),
            latency: Times::default(),
            // They are for the eye, and many.
            slots: vec![Times::exact_to(2); SLOTS as usize],
            lag: Times::default(),
            n_other_answers: 0,
            other_answer: None,
        }
    }

    /// A connection that was due then is there, at this time since the start.
    pub(super) fn connected(&mut self, due: Duration, at: Duration) {
        let took = at.saturating_sub(due);
        self.n_connected += 1;
        self.connect.record(took);
        self.last_connected = self.last_connected.max(at);
        if !self.is_of_messages {
            self.show(due, took);
        }
    }

    fn show(&mut self, due: Duration, took: Duration) {
        let slot = self.window.slot(due);
        if let Some(times) = slot.and_then(|slot| self.slots.get_mut(slot)) {
            times.record(took);
        }
    }

    pub(super) fn failed(&mut self, reason: String) {
        self.count_failures(reason, 1);
    }

    fn count_failures(&mut self, reason: String, n: u64) {
        let is_known = self.failures.contains_key(&reason);
        let reason = match is_known || self.failures.len() < MOST_REASONS {
            true => reason,
            false => "other reasons".to_owned(),
        };
        *self.failures.entry(reason).or_default() += n;
    }

    pub(super) const fn counts(&mut self, is_measured: bool) -> &mut Counts {
        match is_measured {
            true => &mut self.measured,
            false => &mut self.warm_up,
        }
    }

    pub(super) fn sent(&mut self, due: &Due, n_receivers: u64, lag: Duration) {
        let counts = self.counts(due.is_measured);
        counts.sent += 1;
        counts.expected += n_receivers;
        if due.is_measured {
            self.lag.record(lag);
        }
    }

    /// Received, so long after it was due.
    pub(super) fn received(&mut self, due: Duration, latency: Duration) {
        if due < self.window.begin {
            self.warm_up.received += 1;
            return;
        }
        self.measured.received += 1;
        self.latency.record(latency);
        self.show(due, latency);
    }

    /// Received once more.
    pub(super) fn repeated(&mut self, due: Duration) {
        let is_measured = due >= self.window.begin;
        self.counts(is_measured).repeated += 1;
    }

    pub(super) fn answered_otherwise(&mut self, answer: &str) {
        self.n_other_answers += 1;
        self.other_answer.get_or_insert_with(|| shortened(answer));
    }

    pub(super) fn add(&mut self, other: Self) {
        self.connect.add(&other.connect);
        self.last_connected = self.last_connected.max(other.last_connected);
        self.n_connected += other.n_connected;
        self.n_dropped += other.n_dropped;
        self.n_stalled += other.n_stalled;
        self.n_stalled_gone += other.n_stalled_gone;
        for (reason, n) in other.failures {
            self.count_failures(reason, n);
        }
        self.warm_up.add(&other.warm_up);
        self.measured.add(&other.measured);
        self.latency.add(&other.latency);
        for (slot, times) in self.slots.iter_mut().zip(&other.slots) {
            slot.add(times);
        }
        self.lag.add(&other.lag);
        self.n_other_answers += other.n_other_answers;
        self.other_answer = self.other_answer.take().or(other.other_answer);
    }
}

/// So much of what a server says as fits into a line.
pub(super) fn shortened(text: &str) -> String {
    const MOST_CHARS: usize = 120;
    let is_plain = |symbol: &char| !symbol.is_control();
    let mut short: String = text.chars().filter(is_plain).take(MOST_CHARS).collect();
    if text.chars().nth(MOST_CHARS).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tally(begin: Duration, length: Duration) -> Tally {
        Tally::new(Window { begin, length }, true)
    }

    #[test]
    fn what_was_due_in_the_warm_up_does_not_count() {
        let mut tally = tally(SECOND, 6 * SECOND);
        tally.received(SECOND / 2, 9 * SECOND);
        tally.received(SECOND, SECOND / 100);
        tally.received(7 * SECOND, SECOND / 10);
        tally.repeated(SECOND / 2);
        assert_eq!((tally.warm_up.received, tally.measured.received), (1, 2));
        assert_eq!((tally.warm_up.repeated, tally.measured.repeated), (1, 0));
        assert_eq!(tally.latency.n(), 2);
        assert!(tally.latency.max() < SECOND);
        let filled = |slot: usize| tally.slots[slot].n();
        assert_eq!((filled(0), filled(SLOTS as usize - 1)), (1, 1));
    }

    #[test]
    fn tallies_of_threads_add_up() {
        let mut all = tally(Duration::ZERO, SECOND);
        for n in 1..=3_u32 {
            let mut one = tally(Duration::ZERO, SECOND);
            one.connected(Duration::ZERO, SECOND * n);
            one.failed("no".to_owned());
            one.measured.expected = 2;
            one.received(Duration::ZERO, SECOND * n);
            all.add(one);
        }
        assert_eq!((all.n_connected, all.failures["no"]), (3, 3));
        assert_eq!((all.measured.received, all.measured.missing()), (3, 3));
        assert_eq!(all.last_connected, 3 * SECOND);
        assert_eq!(all.latency.percentile(50.0).as_secs(), 2);
        assert_eq!(all.slots[0].n(), 3);
    }

    #[test]
    fn a_server_cannot_make_the_list_of_reasons_long() {
        let mut tally = tally(SECOND, SECOND);
        for n in 0..1000 {
            tally.failed(format!("HTTP {n}"));
        }
        assert_eq!(tally.failures.len(), MOST_REASONS + 1);
        assert_eq!(tally.failures["other reasons"], 1000 - MOST_REASONS as u64);
        assert_eq!(shortened("a\r\nb"), "ab");
        assert_eq!(shortened(&"ä".repeat(1000)).chars().count(), 121);
    }
}
