//! Whether Redis can be reached, and whether what is published comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

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

/// What is known of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is not there.
    Down,
    /// It was there, but another one has broken since. An idle connection does not notice that its peer has gone.
    Doubted,
    /// It is there.
    Up,
    /// Nobody wants it, so it is not missed.
    Unwanted,
}

/// The state of the connections, told by those who own them.
///
/// An outage is one line in the log when the first connection breaks and one when the last is back. So when one breaks,
/// the others are doubted: their owners find out whether they still stand, and until then nobody says that all is well.
#[derive(Debug)]
pub(crate) struct Health {
    state: Mutex<State>,
    /// Wakes the owner of a connection that is doubted.
    doubts: [Notify; Part::ALL.len()],
    /// Messages that were not published, or may not have been.
    lost: AtomicU64,
    /// How old the last canary may be.
    patience: Duration,
    since: Instant,
}

#[derive(Debug)]
struct State {
    parts: [Standing; Part::ALL.len()],
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
                parts: [Standing::Down; Part::ALL.len()],
                away_since: None,
                lost_before: 0,
                told_operator: false,
                back_since: None,
                canary: None,
            }),
            doubts: Default::default(),
            lost: AtomicU64::new(0),
            patience,
            since: Instant::now(),
        }
    }

    /// A connection is there.
    pub(crate) fn up(&self, part: Part) {
        self.stands(&mut self.state.lock(), part, Standing::Up);
    }

    /// A connection will never be made.
    pub(crate) fn unwanted(&self, part: Part) {
        self.stands(&mut self.state.lock(), part, Standing::Unwanted);
    }

    /// A connection that was [doubted](Self::doubted) works. Says nothing about one that is down.
    pub(crate) fn works(&self, part: Part) {
        let mut state = self.state.lock();
        if state.parts[part as usize] == Standing::Doubted {
            self.stands(&mut state, part, Standing::Up);
        }
    }

    fn stands(&self, state: &mut State, part: Part, standing: Standing) {
        let is_well = |standing| matches!(standing, Standing::Up | Standing::Unwanted);
        let before = std::mem::replace(&mut state.parts[part as usize], standing);
        if is_well(before) || !state.parts.into_iter().all(is_well) {
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
        state.parts[part as usize] = Standing::Down;
        for (other, doubt) in state.parts.iter_mut().zip(&self.doubts) {
            if matches!(other, Standing::Up | Standing::Doubted) {
                *other = Standing::Doubted;
                doubt.notify_one();
            }
        }
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

    /// Another connection has broken: does this one still work? Its owner says so with [`works`](Self::works).
    pub(crate) async fn doubted(&self, part: Part) {
        self.doubts[part as usize].notified().await;
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
        self.works(Part::Subscribe);
    }

    pub(crate) fn is_up(&self, part: Part) -> bool {
        self.state.lock().parts[part as usize] != Standing::Down
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
            .filter(|part| state.parts[*part as usize] == Standing::Down)
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
    use futures_util::FutureExt;

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

    #[test]
    fn an_outage_ends_when_those_that_did_not_break_have_been_tried_too() {
        let (health, now) = (Health::new(Duration::from_secs(9)), Instant::now());
        let is_over = || health.is_settled(now + Duration::from_secs(99), Duration::ZERO);
        for part in Part::ALL {
            health.works(part);
            assert!(!health.is_up(part), "nobody has made it yet");
            health.up(part);
        }
        health.down(Part::Subscribe, &"reset", false);
        health.up(Part::Subscribe);
        assert!(!is_over(), "the other two may have gone with it");
        assert!(health.is_up(Part::Publish), "as far as is known");
        health.works(Part::Publish);
        health.down(Part::Data, &"reset", false);
        health.works(Part::Data);
        health.works(Part::Publish);
        health.heard_canary(now);
        assert!(!is_over());
        health.up(Part::Data);
        assert!(is_over());
    }

    #[test]
    fn what_nobody_wants_is_neither_missed_nor_doubted() {
        let (health, now) = (Health::new(Duration::from_secs(9)), Instant::now());
        health.unwanted(Part::Data);
        health.up(Part::Publish);
        health.up(Part::Subscribe);
        health.down(Part::Publish, &"reset", false);
        health.up(Part::Publish);
        health.heard_canary(now);
        assert!(health.is_settled(now + Duration::from_secs(9), Duration::ZERO));
        assert_eq!(health.trouble(now), None);
    }

    #[test]
    fn owners_of_connections_that_stand_are_asked() {
        let health = Health::new(Duration::from_secs(9));
        let is_asked = |part| health.doubted(part).now_or_never().is_some();
        health.up(Part::Publish);
        health.down(Part::Subscribe, &"reset", false);
        assert!(is_asked(Part::Publish));
        assert!(!is_asked(Part::Publish), "once");
        assert!(!is_asked(Part::Subscribe), "it is known to be down");
        assert!(!is_asked(Part::Data), "it was never there");
    }
}
