//! When what is sent: a pace that does not ask whether anybody keeps up with it.

use std::time::Duration;

/// Who sends when. A *lane* is one client that sends at the rate; the lanes are spread evenly over the time between two
/// messages of a lane, so that they do not all send at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    n_lanes: u32,
    /// Messages per second and lane.
    rate: f64,
    warm_up: Duration,
    /// Warm-up included.
    length: Duration,
}

/// A message that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Since the start.
    pub(super) at: Duration,
    pub(super) lane: u32,
    /// Which message of its lane this is.
    pub(super) seq: u32,
    /// Whether it counts; those of the warm-up do not.
    pub(super) is_measured: bool,
}

impl Schedule {
    pub(super) const fn new(
        n_lanes: u32,
        rate: f64,
        warm_up: Duration,
        measured: Duration,
    ) -> Self {
        Self {
            n_lanes,
            rate,
            warm_up,
            length: warm_up.saturating_add(measured),
        }
    }

    pub(super) const fn warm_up(&self) -> Duration {
        self.warm_up
    }

    pub(super) const fn length(&self) -> Duration {
        self.length
    }

    /// Messages per second of all lanes.
    pub(super) fn total_rate(&self) -> f64 {
        self.rate * f64::from(self.n_lanes)
    }

    /// All messages of some lanes, which are given in rising order, in the order of their times.
    pub(super) fn of(self, lanes: &[u32]) -> impl Iterator<Item = Due> {
        (0..u32::MAX)
            .take_while(move |&seq| self.at(0, seq).is_some())
            .flat_map(move |seq| {
                lanes.iter().filter_map(move |&lane| {
                    let at = self.at(lane, seq)?;
                    let is_measured = at >= self.warm_up;
                    Some(Due {
                        at,
                        lane,
                        seq,
                        is_measured,
                    })
                })
            })
    }

    /// The time of a message, if it is not after the end. From its number, so that nothing adds up over a long run.
    fn at(&self, lane: u32, seq: u32) -> Option<Duration> {
        let place = f64::from(seq) + f64::from(lane) / f64::from(self.n_lanes.max(1));
        let at = Duration::try_from_secs_f64(place / self.rate).ok()?;
        (at < self.length).then_some(at)
    }
}

/// When the connection with this number is opened, at so many per second.
pub(super) fn opening(number: usize, rate: f64) -> Duration {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Duration::try_from_secs_f64(f64::from(number) / rate).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn lanes_take_turns_within_their_period() {
        let schedule = Schedule::new(4, 2.0, Duration::ZERO, SECOND);
        let found: Vec<_> = schedule
            .of(&[0, 1, 2, 3])
            .map(|due| (due.at.as_millis(), due.lane, due.seq))
            .collect();
        let expected = [
            (0, 0, 0),
            (125, 1, 0),
            (250, 2, 0),
            (375, 3, 0),
            (500, 0, 1),
            (625, 1, 1),
            (750, 2, 1),
            (875, 3, 1),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn threads_share_the_lanes_and_nothing_is_lost_or_sent_twice() {
        let schedule = Schedule::new(7, 13.0, SECOND / 3, SECOND);
        let all: Vec<Due> = schedule.of(&[0, 1, 2, 3, 4, 5, 6]).collect();
        let mut parts: Vec<Due> = schedule
            .of(&[0, 3, 6])
            .chain(schedule.of(&[1, 4]))
            .chain(schedule.of(&[2, 5]))
            .collect();
        parts.sort_by_key(|due| due.at);
        assert_eq!(parts, all);
        assert!(all.is_sorted_by_key(|due| due.at));
    }

    #[test]
    fn the_warm_up_does_not_count_and_the_rest_is_all_that_was_asked_for() {
        let schedule = Schedule::new(10, 5.0, 2 * SECOND, 3 * SECOND);
        let lanes: Vec<u32> = (0..10).collect();
        let (measured, warm): (Vec<Due>, Vec<Due>) =
            schedule.of(&lanes).partition(|due| due.is_measured);
        assert_eq!((warm.len(), measured.len()), (100, 150));
        assert_eq!(measured[0].at, 2 * SECOND);
    }

    #[test]
    fn slow_and_fast_rates_end() {
        let slow = Schedule::new(3, 0.001, Duration::ZERO, SECOND);
        assert_eq!(slow.of(&[0, 1, 2]).count(), 1);
        let none = Schedule::new(3, 1.0, Duration::ZERO, Duration::ZERO);
        assert_eq!(none.of(&[0, 1, 2]).count(), 0);
        let fast = Schedule::new(1, 1e6, Duration::ZERO, SECOND / 10);
        assert_eq!(fast.of(&[0]).count(), 100_000);
    }

    #[test]
    fn connections_are_opened_one_after_the_other() {
        assert_eq!(opening(0, 100.0), Duration::ZERO);
        assert_eq!(opening(250, 100.0), Duration::from_millis(2500));
        assert_eq!(opening(1, 1e-300), Duration::MAX);
    }
}
