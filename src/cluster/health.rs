//! Whether Redis can be reached, and whether what is published comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// One of the connections to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Publish,
    Subscribe,
    Data,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Publish, Self::Subscribe, Self::Data];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Data => "data",
        }
    }
}

/// The state of the connections, told by those who own them.
///
/// An outage is one line in the log when the first connection breaks and one when the last is back.
#[derive(Debug)]
pub(crate) struct Health {
    state: Mutex<State>,
    /// Messages that were not published, or may not have been.
    lost: AtomicU64,
    /// How old the last canary may be.
    patience: Duration,
    since: Instant,
}

#[derive(Debug)]
struct State {
    up: [bool; Part::ALL.len()],
    /// Since when not all are up, once that was told.
    away_since: Option<Instant>,
    lost_before: u64,
    /// Of this outage somebody was told that only an operator can end it.
    told_operator: bool,
    /// When the connections were complete again after an outage.
    back_since: Option<Instant>,
    canary: Option<Instant>,
}

impl Health {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            state: Mutex::new(State {
                up: [false; Part::ALL.len()],
                away_since: None,
                lost_before: 0,
                told_operator: false,
                back_since: None,
                canary: None,
            }),
            lost: AtomicU64::new(0),
            patience,
            since: Instant::now(),
        }
    }

    /// A connection is there.
    pub(crate) fn up(&self, part: Part) {
        let mut state = self.state.lock();
        let was_up = std::mem::replace(&mut state.up[part as usize], true);
        if was_up || !state.up.iter().all(|up| *up) {
            return;
        }
        match state.away_since.take() {
            None => log::info!("redis is connected"),
            Some(since) => {
                state.back_since = Some(Instant::now());
                log::info!(
                    "redis is back after_ms={} lost_messages={}",
                    since.elapsed().as_millis(),
                    self.lost() - state.lost_before
                );
            }
        }
    }

    /// A connection is not there, or has broken; `why` has no secrets in it.
    ///
    /// With `needs_operator` it will not get better by itself: a wrong password, a full memory.
    pub(crate) fn down(&self, part: Part, why: &dyn std::fmt::Display, needs_operator: bool) {
        let mut state = self.state.lock();
        state.up[part as usize] = false;
        let is_new = state.away_since.is_none();
        if is_new {
            state.away_since = Some(Instant::now());
            state.lost_before = self.lost();
            state.told_operator = false;
        }
        if needs_operator && !std::mem::replace(&mut state.told_operator, true) {
            log::error!(
                "redis refuses this server, local delivery goes on connection={} err={why}",
                part.name()
            );
        } else if is_new {
            log::warn!(
                "redis is away, local delivery goes on connection={} err={why}",
                part.name()
            );
        } else {
            log::debug!("redis is still away connection={} err={why}", part.name());
        }
    }

    /// Messages that Redis has not got, or of which nobody knows.
    pub(crate) fn lose(&self, n_messages: usize) {
        self.lost.fetch_add(n_messages as u64, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// What we published ourselves has come back.
    pub(crate) fn heard_canary(&self, now: Instant) {
        self.state.lock().canary = Some(now);
    }

    pub(crate) fn is_up(&self, part: Part) -> bool {
        self.state.lock().up[part as usize]
    }

    /// Whether the last outage is so long ago.
    pub(crate) fn is_settled(&self, now: Instant, time: Duration) -> bool {
        let state = self.state.lock();
        let is_back = |since| now.saturating_duration_since(since) >= time;
        state.away_since.is_none() && state.back_since.is_none_or(is_back)
    }

    /// How long ago a canary came back; before the first, how long there has been none.
    pub(crate) fn canary_age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.canary().unwrap_or(self.since))
    }

    /// When a canary came back the last time.
    pub(crate) fn canary(&self) -> Option<Instant> {
        self.state.lock().canary
    }

    /// Why this node is not to be sent clients, if so.
    pub(crate) fn trouble(&self, now: Instant) -> Option<String> {
        let state = self.state.lock();
        let down: Vec<_> = Part::ALL
            .into_iter()
            .filter(|part| !state.up[*part as usize])
            .map(Part::name)
            .collect();
        if !down.is_empty() {
            return Some(format!("redis: no connection to {}", down.join(", ")));
        }
        match state.canary {
            None => Some("redis: no canary has come back yet".to_owned()),
            Some(at) if now.saturating_duration_since(at) > self.patience => Some(format!(
                "redis: the last canary came back {} ms ago",
                now.saturating_duration_since(at).as_millis()
            )),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_well_while_all_connections_stand_and_the_canary_returns() {
        let (health, start) = (Health::new(Duration::from_secs(9)), Instant::now());
        health.up(Part::Publish);
        health.up(Part::Subscribe);
        assert_eq!(
            health.trouble(start).as_deref(),
            Some("redis: no connection to data")
        );
        health.up(Part::Data);
        assert!(health.trouble(start).is_some(), "no canary yet");
        health.heard_canary(start);
        assert_eq!(health.trouble(start), None);
        assert_eq!(health.trouble(start + Duration::from_secs(9)), None);
        assert!(
            health
                .trouble(start + Duration::from_secs(10))
                .is_some_and(|why| why.contains("canary"))
        );
        health.heard_canary(start + Duration::from_secs(10));
        health.down(Part::Subscribe, &"reset", false);
        health.lose(2);
        assert_eq!(
            health.trouble(start + Duration::from_secs(10)).as_deref(),
            Some("redis: no connection to subscribe")
        );
        assert_eq!(health.lost(), 2);
    }
}
