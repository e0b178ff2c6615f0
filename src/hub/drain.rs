//! The ends of all sessions of a worker, one after the other.

use std::time::{Duration, Instant};

use super::{Hub, SeatKey, Timer};

impl Hub {
    /// Gives every session its moment within that time, in which it ends: each a part of it of its own, and in that part
    /// a moment by chance. So ends are as evenly spread as can be, and those of several workers do not fall together.
    pub(super) fn drain(&mut self, within: Duration) {
        let now = Instant::now();
        let seats: Vec<SeatKey> = self.seats.keys().collect();
        let part = within / u32::try_from(seats.len().max(1)).unwrap_or(u32::MAX);
        for (n, seat) in (0..).zip(seats) {
            self.set_timer(seat, Timer::Drain, now + part * n + part.mul_f64(chance()));
        }
    }
}

/// A number from 0 to 1. Without random bytes it is 0, which costs the jitter and nothing else.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
