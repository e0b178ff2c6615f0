//! `[rates]`: how fast clients may go.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de};

/// `[rates]`: how fast clients may go. All are off by default.
///
/// Each rate is a token bucket: `"50/s burst 100"` lets 100 through at once, and 50 in each second after that. A client that
/// is over it climbs a ladder: first it is noted, then what it sends is dropped, in the end it is disconnected. What is
/// dropped counts too, so a client that goes on climbs on, and one that waits comes down.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RatesConfig {
    /// Packets of one session: events above all; of Engine.IO without Socket.IO, messages.
    ///
    /// Default off.
    #[serde(deserialize_with = "counts")]
    pub session_events: Option<Rate>,
    /// Bytes of the packets of one session.
    ///
    /// Default off.
    #[serde(deserialize_with = "bytes")]
    pub session_bytes: Option<Rate>,
    /// Handshakes of one IP address, of IPv6 per network of 64 bits. There is no ladder: what is over it is answered 429.
    ///
    /// Default off. Behind a proxy it needs [`security.trusted_proxies`](super::SecurityConfig::trusted_proxies).
    #[serde(deserialize_with = "counts")]
    pub address_handshakes: Option<Rate>,
    /// Packets of all sessions of one IP address.
    ///
    /// Default off. As [`address_handshakes`](Self::address_handshakes).
    #[serde(deserialize_with = "counts")]
    pub address_events: Option<Rate>,
    /// Events of one session by their name, besides [`session_events`](Self::session_events).
    ///
    /// Default none.
    #[serde(deserialize_with = "named")]
    pub events: BTreeMap<String, Rate>,
    /// How far over a rate a client is noted, in percent of the burst: counted as `rate_warned`.
    ///
    /// Default 0. Range 0 to 10000.
    pub warn_over: u32,
    /// How far over a rate packets are dropped, in percent of the burst; an ack that they ask for is refused.
    ///
    /// Default 50. Range 0 to 10000; `None`, in the file `"never"`: not at all.
    #[serde(deserialize_with = "step")]
    pub drop_over: Option<u32>,
    /// How far over a rate a session is closed, in percent of the burst.
    ///
    /// Default 400. Range 0 to 10000; `None`, in the file `"never"`: not at all.
    #[serde(deserialize_with = "step")]
    pub disconnect_over: Option<u32>,
    /// Event that a client gets when it is noted, when the first of its packets is dropped and before it is disconnected.
    ///
    /// Default `""`: none. Its argument is `{"limit": "session_events", "action": "drop"}`.
    pub notice_event: String,
}

impl Default for RatesConfig {
    fn default() -> Self {
        Self {
            session_events: None,
            session_bytes: None,
            address_handshakes: None,
            address_events: None,
            events: BTreeMap::new(),
            warn_over: 0,
            drop_over: Some(50),
            disconnect_over: Some(400),
            notice_event: String::new(),
        }
    }
}

/// How much in which time, and how much at once.
///
/// **Shape**: in the file `"50/s"`, `"50/s burst 100"`, with `s`, `m` or `h`; of bytes `"1MB/s burst 4MB"`. Without a burst
/// it is the amount itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub(crate) amount: u64,
    pub(crate) per: Duration,
    pub(crate) burst: u64,
}

impl Rate {
    /// So much in this time, and as much at once.
    #[must_use]
    pub const fn new(amount: u64, per: Duration) -> Self {
        Self {
            amount,
            per,
            burst: amount,
        }
    }

    /// So much at once.
    #[must_use]
    pub const fn burst(mut self, burst: u64) -> Self {
        self.burst = burst;
        self
    }

    fn parse(text: &str, number: fn(&str) -> Option<u64>) -> Option<Self> {
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(number(burst.trim())?)),
            None => (text, None),
        };
        let (amount, unit) = rate.split_once('/')?;
        let per = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        let rate = Self::new(number(amount.trim())?, Duration::from_secs(per));
        Some(burst.map_or(rate, |burst| rate.burst(burst)))
    }

    /// What one costs, in nanoseconds.
    pub(crate) fn cost(self) -> u128 {
        self.per.as_nanos() / u128::from(self.amount.max(1))
    }

    /// What is wrong with it.
    pub(super) fn problem(self) -> Option<&'static str> {
        const DAY: u128 = 24 * 60 * 60 * 1_000_000_000;
        if self.amount == 0 || self.burst == 0 {
            Some("has a zero in it; to turn it off write \"off\"")
        } else if self.cost() == 0 {
            Some("is more than one in a nanosecond; to turn it off write \"off\"")
        } else if self.cost().saturating_mul(self.burst.into()) > DAY {
            Some("has a burst that needs more than 24 hours to come back")
        } else {
            None
        }
    }
}

fn count(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn size(text: &str) -> Option<u64> {
    text.parse::<ByteSize>().ok().map(|size| size.as_u64())
}

fn rate<E: de::Error>(
    text: &str,
    number: fn(&str) -> Option<u64>,
    example: &str,
) -> Result<Option<Rate>, E> {
    if text == "off" {
        return Ok(None);
    }
    Rate::parse(text, number).map(Some).ok_or_else(|| {
        E::custom(format_args!(
            "`{text}` is no rate: write \"{example}\" or \"off\""
        ))
    })
}

const OF_COUNTS: &str = "50/s burst 100";

fn counts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rate>, D::Error> {
    rate(&String::deserialize(deserializer)?, count, OF_COUNTS)
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rate>, D::Error> {
    rate(&String::deserialize(deserializer)?, size, "1MB/s burst 4MB")
}

fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Rate>, D::Error> {
    let mut rates = BTreeMap::new();
    for (name, text) in BTreeMap::<String, String>::deserialize(deserializer)? {
        if let Some(rate) = rate(&text, count, OF_COUNTS)? {
            rates.insert(name, rate);
        }
    }
    Ok(rates)
}

/// Percent, or `"never"`.
fn step<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Option<u32>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("percent, or \"never\"")
        }

        fn visit_i64<E: de::Error>(self, percent: i64) -> Result<Self::Value, E> {
            u32::try_from(percent)
                .map(Some)
                .map_err(|_| E::invalid_value(de::Unexpected::Signed(percent), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            match text {
                "never" => Ok(None),
                _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            }
        }
    }

    deserializer.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(line: &str) -> Result<RatesConfig, String> {
        Config::from_toml(&format!("[rates]\n{line}"))
            .map(|config| config.rates)
            .map_err(|err| err.to_string())
    }

    #[test]
    fn a_rate_is_a_text() {
        let second = Duration::from_secs(1);
        for (text, expected) in [
            ("off", None),
            ("50/s", Some(Rate::new(50, second))),
            ("50/s burst 100", Some(Rate::new(50, second).burst(100))),
            ("30/m", Some(Rate::new(30, 60 * second))),
            ("5/h burst 1", Some(Rate::new(5, 3600 * second).burst(1))),
        ] {
            let rates = read(&format!("session_events = \"{text}\"")).unwrap();
            assert_eq!(rates.session_events, expected, "{text}");
        }
        let bytes = read("session_bytes = \"1MB/s burst 4MiB\"").unwrap();
        let expected = Rate::new(1_000_000, second).burst(4 << 20);
        assert_eq!(bytes.session_bytes, Some(expected));
        let named = read("events = { say = \"5/s\", typing = \"1/s burst 2\" }").unwrap();
        assert_eq!(named.events["typing"], Rate::new(1, second).burst(2));
        let never = read("drop_over = \"never\"\ndisconnect_over = 0").unwrap();
        assert_eq!((never.drop_over, never.disconnect_over), (None, Some(0)));
    }

    #[test]
    fn what_is_no_rate_is_an_error() {
        for (line, why) in [
            ("session_events = \"50\"", "`50` is no rate"),
            ("session_events = \"50/d\"", "`50/d` is no rate"),
            ("session_events = \"-1/s\"", "`-1/s` is no rate"),
            ("session_events = \"1MB/s\"", "`1MB/s` is no rate"),
            ("session_events = \"50/s burst\"", "is no rate"),
            ("session_events = 50", "expected a string"),
            (
                "session_events = \"0/s\"",
                "rates.session_events has a zero",
            ),
            (
                "session_events = \"5/s burst 0\"",
                "rates.session_events has a zero",
            ),
            ("session_bytes = \"1TB/s\"", "more than one in a nanosecond"),
            (
                "address_events = \"1/h burst 25\"",
                "needs more than 24 hours",
            ),
            ("events = { say = \"0/s\" }", "rates.events has a zero"),
            ("disconnect_over = \"always\"", "percent, or \"never\""),
            ("disconnect_over = -1", "percent, or \"never\""),
            ("disconnect_over = 10001", "rates.disconnect_over is 10001"),
            ("notice_event = \"connect\"", "rates.notice_event"),
        ] {
            let err = read(line).expect_err(line);
            assert!(err.contains(why), "{err}");
        }
    }
}
