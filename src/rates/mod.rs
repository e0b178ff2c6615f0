//! # Rates
//!
//! Token buckets: how far a client is over what it may send, and what follows. Pure, time is a parameter; only the buckets
//! of addresses are shared, in [`Addresses`].

mod addresses;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::config::{Rate, RatesConfig};
use addresses::{Address, Addresses};

/// Nanoseconds since the first call, by which buckets measure.
pub(crate) fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What follows for who sends, from the mildest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Pass,
    Warn,
    Drop,
    Disconnect,
}

impl Verdict {
    /// As clients and logs read it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Drop => "drop",
            Self::Disconnect => "disconnect",
        }
    }
}

/// A rate with its ladder, in nanoseconds of debt.
///
/// A bucket is the moment at which it is full again: what lies ahead of now is the debt of who sends. So it is one number,
/// and time alone refills it.
#[derive(Clone, Copy, Debug)]
struct Limit {
    cost: u64,
    warn_at: u64,
    drop_at: u64,
    disconnect_at: u64,
    /// Nothing makes a debt larger than this: who waits so long has a full bucket.
    ceiling: u64,
}

impl Limit {
    fn new(
        rate: Rate,
        warn_over: u32,
        drop_over: Option<u32>,
        disconnect_over: Option<u32>,
    ) -> Self {
        let cost = rate.cost();
        let burst = cost.saturating_mul(rate.burst.into());
        let at = |percent: u32| {
            let debt = burst.saturating_mul(100 + u128::from(percent)) / 100;
            // Far from the end of 64 bits, so that adding to it is safe.
            u64::try_from(debt).unwrap_or(u64::MAX).min(u64::MAX / 4)
        };
        let never = u64::MAX;
        let (drop_at, disconnect_at) = (
            drop_over.map_or(never, at),
            disconnect_over.map_or(never, at),
        );
        let ceiling = match (drop_at, disconnect_at) {
            (u64::MAX, u64::MAX) => at(warn_over),
            (drop_at, u64::MAX) => drop_at,
            (_, disconnect_at) => disconnect_at.saturating_mul(2),
        };
        Self {
            cost: u64::try_from(cost).unwrap_or(u64::MAX),
            warn_at: at(warn_over),
            drop_at,
            disconnect_at,
            ceiling,
        }
    }

    /// The bucket after `n` more, and what follows.
    fn charge(&self, full_at: u64, now: u64, n: u64) -> (u64, Verdict) {
        let debt = full_at
            .saturating_sub(now)
            .saturating_add(self.cost.saturating_mul(n));
        let verdict = if debt > self.disconnect_at {
            Verdict::Disconnect
        } else if debt > self.drop_at {
            Verdict::Drop
        } else if debt > self.warn_at {
            Verdict::Warn
        } else {
            Verdict::Pass
        };
        if verdict == Verdict::Drop && self.disconnect_at == u64::MAX {
            // It leads nowhere, so it costs nothing: who goes on a little too fast gets what the rate allows.
            return (full_at, verdict);
        }
        (now.saturating_add(debt.min(self.ceiling)), verdict)
    }

    /// How long until one more is not dropped.
    fn wait(&self, full_at: u64, now: u64) -> Duration {
        let debt = full_at.saturating_sub(now).saturating_add(self.cost);
        Duration::from_nanos(debt.saturating_sub(self.drop_at))
    }

    fn charge_shared(&self, full_at: &AtomicU64, now: u64, n: u64) -> Verdict {
        let mut verdict = Verdict::Pass;
        // Never refused: the closure always has a value.
        let _ = full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let (full_at, said) = self.charge(full_at, now, n);
            verdict = said;
            Some(full_at)
        });
        verdict
    }
}

/// The rates of a server as they are now.
#[derive(Debug, Default)]
pub(crate) struct RatesNow {
    /// As they are written.
    config: RatesConfig,
    /// None if all are off.
    rates: Option<Arc<Rates>>,
}

impl RatesNow {
    /// Those of settings that are validated.
    pub(crate) fn new(config: &RatesConfig) -> Self {
        Self {
            config: config.clone(),
            rates: Rates::new(config),
        }
    }

    /// Whether these are them already: then the buckets of addresses stay as they are.
    pub(crate) fn is_of(&self, config: &RatesConfig) -> bool {
        self.config == *config
    }

    pub(crate) const fn get(&self) -> Option<&Arc<Rates>> {
        self.rates.as_ref()
    }
}

/// The rates of a server.
#[derive(Debug)]
pub(crate) struct Rates {
    notice_event: String,
    events: Option<Limit>,
    bytes: Option<Limit>,
    /// By the name of the event: the place of its bucket in [`Meters`].
    names: HashMap<String, usize, foldhash::fast::RandomState>,
    named: Vec<Limit>,
    address_events: Option<Limit>,
    address_handshakes: Option<Limit>,
    addresses: Addresses,
}

impl Rates {
    /// Those of settings that are validated; `None` if all are off.
    fn new(config: &RatesConfig) -> Option<Arc<Self>> {
        let limit = |rate| {
            Limit::new(
                rate,
                config.warn_over,
                config.drop_over,
                config.disconnect_over,
            )
        };
        let names = config.events.keys().cloned();
        let rates = Self {
            notice_event: config.notice_event.clone(),
            events: config.session_events.map(limit),
            bytes: config.session_bytes.map(limit),
            names: names.enumerate().map(|(at, name)| (name, at)).collect(),
            named: config.events.values().copied().map(limit).collect(),
            address_events: config.address_events.map(limit),
            // No ladder: it is served or not.
            address_handshakes: config
                .address_handshakes
                .map(|rate| Limit::new(rate, 0, Some(0), None)),
            addresses: Addresses::default(),
        };
        let is_on = rates.meters_sessions() || rates.address_handshakes.is_some();
        is_on.then(|| Arc::new(rates))
    }

    fn meters_sessions(&self) -> bool {
        self.events.is_some()
            || self.bytes.is_some()
            || self.address_events.is_some()
            || !self.named.is_empty()
    }

    /// Lets this address open one more session.
    ///
    /// # Errors
    /// It has opened too many; when it may open the next.
    pub(crate) fn admit(&self, address: Option<IpAddr>, now: u64) -> Result<(), Duration> {
        let (Some(limit), Some(address)) = (&self.address_handshakes, address) else {
            return Ok(());
        };
        let address = self.addresses.get(address, now);
        match limit.charge_shared(&address.handshakes, now, 1) {
            Verdict::Pass | Verdict::Warn => Ok(()),
            Verdict::Drop | Verdict::Disconnect => {
                let full_at = address.handshakes.load(Ordering::Relaxed);
                Err(limit.wait(full_at, now))
            }
        }
    }

    /// The buckets of a new session; `None` if it needs none.
    pub(crate) fn meters(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Box<Meters>> {
        self.meters_sessions().then(|| {
            let address = address.filter(|_| self.address_events.is_some());
            Box::new(Meters {
                rates: Arc::clone(self),
                events: 0,
                bytes: 0,
                named: vec![0; self.named.len()].into(),
                address: address.map(|address| self.addresses.get(address, now())),
                n_bytes: 0,
                last: Verdict::Pass,
            })
        })
    }
}

/// The buckets of a session, which keeps the rates under which it began.
#[derive(Debug)]
pub(crate) struct Meters {
    rates: Arc<Rates>,
    events: u64,
    bytes: u64,
    named: Box<[u64]>,
    address: Option<Arc<Address>>,
    /// What came since the last packet was complete.
    n_bytes: u64,
    last: Verdict,
}

/// What a packet met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// The key of the limit that said so.
    pub(crate) limit: &'static str,
    /// The packet before met less: now somebody should be told.
    pub(crate) is_news: bool,
}

impl Meters {
    /// The event that a client gets when it enters a step of the ladder; empty if none.
    pub(crate) fn notice_event(&self) -> &str {
        &self.rates.notice_event
    }

    /// Bytes have come that belong to the next packet.
    pub(crate) const fn add_bytes(&mut self, n: usize) {
        self.n_bytes = self.n_bytes.saturating_add(n as u64);
    }

    /// A packet is complete; `event`: the name, if it is one.
    // Hot if a rate is on: integers, and one hash of the name if names have rates.
    pub(crate) fn charge(&mut self, event: Option<&str>, now: u64) -> Judged {
        let rates = &*self.rates;
        let mut worst = (Verdict::Pass, "");
        let mut note = |verdict: Verdict, limit| {
            if verdict > worst.0 {
                worst = (verdict, limit);
            }
        };
        if let Some(limit) = &rates.events {
            let verdict;
            (self.events, verdict) = limit.charge(self.events, now, 1);
            note(verdict, "session_events");
        }
        if let Some(limit) = &rates.bytes {
            let verdict;
            (self.bytes, verdict) = limit.charge(self.bytes, now, self.n_bytes);
            note(verdict, "session_bytes");
        }
        self.n_bytes = 0;
        if let (Some(limit), Some(address)) = (&rates.address_events, &self.address) {
            note(
                limit.charge_shared(&address.events, now, 1),
                "address_events",
            );
        }
        if !rates.named.is_empty()
            && let Some(at) = event.and_then(|name| rates.names.get(name))
        {
            let verdict;
            (self.named[*at], verdict) = rates.named[*at].charge(self.named[*at], now, 1);
            note(verdict, "events");
        }
        let (verdict, limit) = worst;
        let is_news = verdict > std::mem::replace(&mut self.last, verdict);
        Judged {
            verdict,
            limit,
            is_news,
        }
    }
}

#[cfg(test)]
mod tests;
