//! How much of everything: what is announced to the pages, what is not, and how fast.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::images;
use crate::prelude::Config;

/// People who are known: here, or gone for less than [`FORGET_PERSON_AFTER`].
pub(super) const PEOPLE: usize = 10_000;
/// Private conversations; the one that was used least recently goes first.
pub(super) const PRIVATE: usize = 2_000;
/// Private conversations that a welcome lists.
pub(super) const PRIVATE_LISTED: usize = 50;
/// Messages kept of one conversation.
pub(super) const KEPT: usize = 200;
/// Bytes of text kept of one conversation: 50 messages of 2000 four-byte characters fit.
pub(super) const KEPT_BYTES: usize = 512 * 1024;
/// Bytes of pictures kept for all conversations together.
pub(super) const PICTURE_BYTES: usize = 64 * 1024 * 1024;
/// Message ids remembered of one person.
pub(super) const SENT: usize = 256;
/// A message is followed up with receipts if at most so many others are in its conversation.
pub(super) const RECEIPT_PEOPLE: usize = 64;

/// How long a person without a tab still counts as here: a reload is not a departure.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// How long a person without a tab is remembered.
pub(super) const FORGET_PERSON_AFTER: Duration = Duration::from_secs(60 * 60);
/// How long a room without people is kept.
pub(super) const FORGET_ROOM_AFTER: Duration = Duration::from_secs(10 * 60);
/// How long receipts are collected.
pub(super) const RECEIPT_TIMEOUT: Duration = Duration::from_secs(4);
/// How often counts are told and departures looked for.
pub(super) const TICK: Duration = Duration::from_millis(200);

/// The limits that a page has to know.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Limits {
    /// Characters of a person's name.
    pub(super) name_chars: usize,
    /// Characters of a room's name.
    pub(super) room_chars: usize,
    /// Characters of a message.
    pub(super) text_chars: usize,
    /// Bytes of a picture.
    pub(super) image_bytes: usize,
    /// Kinds of pictures.
    pub(super) image_types: &'static [&'static str],
    /// Messages sent at once.
    pub(super) history: usize,
    /// Rooms of one tab.
    pub(super) rooms_per_tab: usize,
    /// Rooms of all.
    pub(super) rooms: usize,
}

impl Limits {
    /// The limits that the server's own leave room for.
    pub(super) fn within(config: &Config) -> Self {
        // Over polling a picture travels as base64, in one payload with the packet it belongs to.
        let spare = config.engine.max_http_buffer_size.saturating_sub(16 * 1024);
        // Besides the rooms of the chat a tab is in that of its person.
        let joinable = config.limits.rooms_per_socket.saturating_sub(2);
        Self {
            image_bytes: 700_000.min(spare / 4 * 3),
            rooms_per_tab: 20.min(joinable),
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            name_chars: 24,
            room_chars: 32,
            text_chars: 2000,
            image_bytes: 700_000,
            image_types: &images::TYPES,
            history: 50,
            rooms_per_tab: 20,
            rooms: 500,
        }
    }
}

/// So many at once, then one per interval.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u32,
    interval: Duration,
}

impl Rate {
    const fn new(burst: u32, interval_ms: u64) -> Self {
        Self {
            burst,
            interval: Duration::from_millis(interval_ms),
        }
    }
}

/// A token bucket, kept as the time at which it will be full again.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: Rate,
    full_at: Instant,
}

impl Bucket {
    const fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, full_at: now }
    }

    /// Takes one token. `Err`: how long until there is one.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let Rate { burst, interval } = self.rate;
        let missing = self.full_at.saturating_duration_since(now);
        let wait = missing.saturating_sub(interval * (burst - 1));
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = now + missing + interval;
        Ok(())
    }
}

/// How fast one person may be.
#[derive(Clone, Debug)]
pub(super) struct Rates([Bucket; 5]);

/// What a rate is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// A message, with a picture or without.
    Say,
    /// A message with a picture, besides.
    Show,
    /// Fetching a picture.
    Picture,
    /// Typing.
    Typing,
    /// Everything else.
    Other,
}

impl Rates {
    pub(super) fn new(now: Instant) -> Self {
        let rates = [
            Rate::new(20, 200),
            Rate::new(5, 2000),
            Rate::new(60, 100),
            Rate::new(4, 500),
            Rate::new(40, 100),
        ];
        Self(rates.map(|rate| Bucket::new(rate, now)))
    }

    /// Counts one. `Err`: how long to wait.
    pub(super) fn take(&mut self, pace: Pace, now: Instant) -> Result<(), Duration> {
        self.0[pace as usize].take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pace_has_its_burst_and_its_interval() {
        let start = Instant::now();
        for (pace, burst, interval_ms) in [
            (Pace::Say, 20, 200),
            (Pace::Show, 5, 2000),
            (Pace::Picture, 60, 100),
            (Pace::Typing, 4, 500),
            (Pace::Other, 40, 100),
        ] {
            let interval = Duration::from_millis(interval_ms);
            let mut rates = Rates::new(start);
            for _ in 0..burst {
                rates.take(pace, start).unwrap();
            }
            assert_eq!(rates.take(pace, start), Err(interval), "{pace:?}");
            let almost = start + interval - Duration::from_millis(1);
            assert_eq!(rates.take(pace, almost), Err(Duration::from_millis(1)));
            rates.take(pace, start + interval).unwrap();
            assert_eq!(rates.take(pace, start + interval), Err(interval));
        }
    }

    #[test]
    fn a_long_silence_fills_the_bucket_and_no_more() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        for _ in 0..20 {
            rates.take(Pace::Say, start).unwrap();
        }
        let later = start + Duration::from_secs(3600);
        let n = (0..100)
            .filter(|_| rates.take(Pace::Say, later).is_ok())
            .count();
        assert_eq!(n, 20);
    }

    #[test]
    fn a_refusal_costs_nothing() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        for _ in 0..1000 {
            let _ = rates.take(Pace::Show, start);
        }
        rates
            .take(Pace::Show, start + Duration::from_secs(2))
            .unwrap();
    }

    #[test]
    fn a_smaller_server_announces_smaller_limits() {
        assert_eq!(Limits::within(&Config::default()).image_bytes, 700_000);
        assert_eq!(Limits::within(&Config::default()).rooms_per_tab, 20);
        let mut config = Config::default();
        config.engine.max_http_buffer_size = 100_000;
        config.limits.rooms_per_socket = 5;
        let limits = Limits::within(&config);
        assert!(limits.image_bytes / 3 * 4 + 8_000 < 100_000);
        assert_eq!(limits.rooms_per_tab, 3);
        config.engine.max_http_buffer_size = 1;
        assert_eq!(Limits::within(&config).image_bytes, 0);
    }
}
