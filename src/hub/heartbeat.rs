//! Timers of the sessions: one ordered set and one sleeping task per worker, not one timer per client.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use super::{Heartbeat, Hub, SeatKey};
use crate::config::EngineConfig;
use crate::hub::Dialect;
use crate::session;

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The next ping, or the end without one; the seat says which.
    Heartbeat,
    /// Joining a first namespace.
    Connect,
    /// The end of an upgrade.
    Upgrade,
    /// The rest of a packet or message whose beginning has arrived.
    Packet,
    /// The poll that takes the close packet with it.
    Close,
    /// The end of a session of a server that ends.
    Drain,
    /// The next noop that hurries an upgrade.
    Noop,
    /// The end of a token.
    Token,
    /// A poll, after an upgrade whose client has gone.
    Orphan,
}

/// How far apart heartbeats are due at least. Those of a tick leave with one system call, and their pongs wake the worker
/// once: a ping of its own costs three times as much.
const TICK: Duration = Duration::from_millis(50);

/// The moments at which heartbeats are due.
#[derive(Debug)]
pub(super) struct Ticks {
    begin: Instant,
    apart_ns: u64,
}

impl Ticks {
    pub(super) fn new(engine: &EngineConfig) -> Self {
        // Who wants many pings wants them in time.
        let apart = TICK.min(engine.ping_interval.min(engine.ping_timeout) / 256);
        Self {
            begin: Instant::now(),
            apart_ns: u64::try_from(apart.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// The first one that is not before `at`.
    fn next(&self, at: Instant) -> Instant {
        let since = at.saturating_duration_since(self.begin).as_nanos();
        let past = u64::try_from(since).unwrap_or(u64::MAX) % self.apart_ns;
        match past {
            0 => at,
            past => at + Duration::from_nanos(self.apart_ns - past),
        }
    }
}

/// Fires what is due, sleeps until the next.
pub(super) async fn run(hub: Weak<RefCell<Hub>>) {
    let Some(changed) = hub.upgrade().map(|hub| Rc::clone(&hub.borrow().timer_set)) else {
        return;
    };
    loop {
        let next = match hub.upgrade() {
            Some(hub) => hub.borrow_mut().fire(Instant::now()),
            None => return,
        };
        match next {
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at.into()) => {}
                () = changed.notified() => {}
            },
            None => changed.notified().await,
        }
    }
}

impl Hub {
    /// Has the session told when `timer` is due. Whoever is told looks whether it still matters.
    pub(crate) fn set_timer(&mut self, seat: SeatKey, timer: Timer, at: Instant) {
        let is_first = self.timers.first().is_none_or(|(first, ..)| at < *first);
        self.timers.insert((at, seat, timer));
        if is_first {
            self.timer_set.notify_one();
        }
    }

    /// As [`Hub::set_timer`], in the place of one that was set for `before`.
    pub(crate) fn move_timer(
        &mut self,
        seat: SeatKey,
        timer: Timer,
        before: Option<Instant>,
        at: Instant,
    ) {
        if let Some(before) = before {
            self.take_timer(seat, timer, before);
        }
        self.set_timer(seat, timer, at);
    }

    /// Takes back one that was set for `at`, if it is not due yet. Where a thousand sessions a second come and go, those that
    /// all of them had would be megabytes.
    pub(crate) fn take_timer(&mut self, seat: SeatKey, timer: Timer, at: Instant) {
        self.timers.remove(&(at, seat, timer));
    }

    /// How many timers of a kind are set.
    #[cfg(test)]
    pub(crate) fn n_timers(&self, kind: Timer) -> usize {
        let of_kind = self.timers.iter().filter(|(_, _, timer)| *timer == kind);
        of_kind.count()
    }

    /// Sets what the seat waits for. However often a client shows signs of life, it has one entry in the
    /// set, or two if this one is due earlier: an entry that finds that it is too early is set anew.
    pub(crate) fn set_heartbeat(&mut self, key: SeatKey, heartbeat: Heartbeat) {
        if let Some(seat) = self.seats.get_mut(key) {
            seat.heartbeat = heartbeat;
            let at = self.ticks.next(heartbeat.at());
            if seat.armed.is_none_or(|armed| at < armed) {
                seat.armed = Some(at);
                self.set_timer(key, Timer::Heartbeat, at);
            }
        }
    }

    /// The pong of a revision 4 client.
    pub(crate) fn ponged(&mut self, key: SeatKey, now: Instant) {
        // One that no ping has asked for tells nothing of the way.
        if let Some(Heartbeat::DeadAt(at)) = self.seats.get(key).map(|seat| seat.heartbeat)
            && let Some(asked) = at.checked_sub(self.server.config.engine.ping_timeout)
        {
            let time = now.saturating_duration_since(asked);
            self.tally.round_trips.add(time);
        }
        self.heard(key, now);
    }

    /// A sign of life: the pong of a revision 4 client, the ping of a revision 3 client (answered here).
    pub(crate) fn heard(&mut self, key: SeatKey, now: Instant) {
        let Some(seat) = self.seats.get(key) else {
            return;
        };
        let engine = &self.server.config.engine;
        if seat.dialect == Dialect::V4 {
            self.set_heartbeat(key, Heartbeat::PingAt(now + engine.ping_interval));
        } else {
            // The old entry stays in the set and finds that the seat lives longer.
            let until = now + engine.longest_silence();
            self.set_heartbeat(key, Heartbeat::DeadAt(until));
        }
    }

    /// Answers the ping of a revision 3 client.
    pub(crate) fn pong(&mut self, key: SeatKey) {
        let pong = Rc::clone(&self.pong);
        self.push(key, pong);
    }

    fn fire(&mut self, now: Instant) -> Option<Instant> {
        while let Some(&(at, key, timer)) = self.timers.first() {
            if at > now {
                return Some(at);
            }
            self.timers.pop_first();
            let Some(seat) = self.seats.get_mut(key) else {
                continue;
            };
            if timer != Timer::Heartbeat {
                seat.session.do_send(session::Command::Due(timer));
                continue;
            }
            if seat.armed != Some(at) {
                // An earlier one has taken its place.
                continue;
            }
            seat.armed = None;
            match seat.heartbeat {
                later if later.at() > at => self.set_heartbeat(key, later),
                Heartbeat::PingAt(_) => {
                    // From the time it was due, so that lateness does not add up.
                    let dead_at = at + self.server.config.engine.ping_timeout;
                    let ping = Rc::clone(&self.ping);
                    self.push(key, ping);
                    self.set_heartbeat(key, Heartbeat::DeadAt(dead_at));
                }
                Heartbeat::DeadAt(_) => seat.session.do_send(session::Command::PingTimeout),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::hub::here;
    use crate::server::Server;
    use crate::testing::Client;

    #[test]
    fn who_came_a_moment_apart_is_pinged_at_once() {
        actix::System::new().block_on(async {
            let server = Server::builder().build().unwrap();
            let begin = Instant::now();
            let mut clients = Vec::new();
            for _ in 0..200 {
                clients.push(Client::connect(&server).await.unwrap());
            }
            let took = begin.elapsed();
            let hub = here(server.shared());
            let hub = hub.borrow();
            let due: BTreeSet<_> = hub.seats.values().map(|seat| seat.armed.unwrap()).collect();
            let n_ticks = took.as_millis() / TICK.as_millis() + 2;
            assert!(due.len() as u128 <= n_ticks, "{} in {took:?}", due.len());
            // None too early, and none by more than a tick too late.
            for seat in hub.seats.values() {
                let late = seat.armed.unwrap() - seat.heartbeat.at();
                assert!(late < TICK, "{late:?}");
            }
        });
    }
}
