//! Timers of the sessions: one ordered set and one sleeping task per worker, not one timer per client.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Instant;

use super::{Heartbeat, Hub, SeatKey};
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
    /// The next noop that hurries an upgrade.
    Noop,
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
    /// Has the session told when `timer` is due. There is no way to take it back: whoever is told looks
    /// whether it still matters.
    pub(crate) fn set_timer(&mut self, seat: SeatKey, timer: Timer, at: Instant) {
        let is_first = self.timers.first().is_none_or(|(first, ..)| at < *first);
        self.timers.insert((at, seat, timer));
        if is_first {
            self.timer_set.notify_one();
        }
    }

    /// Sets what the seat waits for; the timer of before then finds nothing to do.
    pub(crate) fn set_heartbeat(&mut self, key: SeatKey, heartbeat: Heartbeat) {
        if let Some(seat) = self.seats.get_mut(key) {
            seat.heartbeat = heartbeat;
            let (Heartbeat::PingAt(at) | Heartbeat::DeadAt(at)) = heartbeat;
            self.set_timer(key, Timer::Heartbeat, at);
        }
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
            let until = now + engine.ping_interval + engine.ping_timeout;
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
            let Some(seat) = self.seats.get(key) else {
                continue;
            };
            match (timer, seat.heartbeat) {
                (Timer::Heartbeat, Heartbeat::PingAt(due)) if due == at => {
                    let dead_at = now + self.server.config.engine.ping_timeout;
                    let ping = Rc::clone(&self.ping);
                    self.push(key, ping);
                    self.set_heartbeat(key, Heartbeat::DeadAt(dead_at));
                }
                (Timer::Heartbeat, Heartbeat::DeadAt(due)) if due == at => {
                    seat.session.do_send(session::Command::PingTimeout);
                }
                // Moved since: the entry for the new time is in the set.
                (Timer::Heartbeat, _) => {}
                (timer, _) => seat.session.do_send(session::Command::Due(timer)),
            }
        }
        None
    }
}
