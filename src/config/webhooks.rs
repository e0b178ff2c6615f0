//! `[webhooks]`: what a program elsewhere is told over HTTP.

use std::{fmt, time::Duration};

use serde::Deserialize;

use super::values;

/// `[webhooks]`: what a program elsewhere is told over HTTP; `docs/backends.md` is the guide.
///
/// Nobody is told anything unless it has an address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WebhooksConfig {
    /// Where to POST to.
    ///
    /// Default `""`, which turns webhooks off. `http://` or `https://`, without user, password and fragment; redirects are
    /// not followed.
    pub url: String,
    /// What it is told of.
    ///
    /// Default all: `"connected"`, `"disconnected"`, `"room_occupied"` and `"room_vacated"`. Not empty.
    pub events: Vec<WebhookEvent>,
    /// What webhooks, and calls of backends without a secret of their own, are signed with.
    ///
    /// Default `""`: they are not signed. Neither errors nor `Debug` show it.
    pub secret: Secret,
    /// How long a try may take.
    ///
    /// Default `"5s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// How long it is tried again, with growing delays, from the moment it happened.
    ///
    /// Default `"1h"`, at most 24 hours. Exceeded: it is given up, counted and logged. Zero: it is tried once.
    #[serde(deserialize_with = "values::duration")]
    pub retry_for: Duration,
    /// Webhooks that wait.
    ///
    /// Default 10000, range 1 to 10000000. At it what happens is not told, but counted and logged.
    pub queue: usize,
    /// Webhooks that are sent at once, each of another room or socket.
    ///
    /// Default 16, range 1 to 10000.
    pub concurrency: usize,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            events: vec![
                WebhookEvent::Connected,
                WebhookEvent::Disconnected,
                WebhookEvent::RoomOccupied,
                WebhookEvent::RoomVacated,
            ],
            secret: Secret::default(),
            timeout: Duration::from_secs(5),
            retry_for: Duration::from_secs(3600),
            queue: 10_000,
            concurrency: 16,
        }
    }
}

impl WebhooksConfig {
    /// Whether somebody is told which rooms are in use.
    pub(crate) fn tells_of_rooms(&self) -> bool {
        let of_rooms = [WebhookEvent::RoomOccupied, WebhookEvent::RoomVacated];
        !self.url.is_empty() && of_rooms.iter().any(|event| self.events.contains(event))
    }
}

/// What a webhook tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WebhookEvent {
    /// A client has joined a namespace.
    Connected,
    /// A client has left a namespace.
    Disconnected,
    /// The first client has joined a room.
    RoomOccupied,
    /// The last client has left a room.
    RoomVacated,
}

/// What requests to a program elsewhere are signed with. `Debug` does not show it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret; empty is none.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() {
            "Secret()"
        } else {
            "Secret(***)"
        })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not what serde says about a value of another type: it would show the value.
        String::deserialize(deserializer)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("a secret is a text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<WebhooksConfig, String> {
        let config = Config::from_toml(&format!("[webhooks]\n{text}"));
        config
            .map(|config| config.webhooks)
            .map_err(|err| err.to_string())
    }

    #[test]
    fn they_are_off_without_an_address_and_tell_of_all_with_one() {
        assert_eq!(read("").unwrap(), WebhooksConfig::default());
        let some = read("url = 'https://a'\nevents = ['room_vacated']").unwrap();
        assert_eq!(some.events, [WebhookEvent::RoomVacated]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, problem) in [
            ("url = 'a'", "webhooks.url"),
            ("events = []", "webhooks.events"),
            ("events = ['vacated']", "room_vacated"),
            ("timeout = '0s'", "webhooks.timeout"),
            ("retry_for = '25h'", "webhooks.retry_for"),
            ("queue = 0", "webhooks.queue"),
            ("concurrency = 0", "webhooks.concurrency"),
        ] {
            let message = read(text).expect_err(text);
            assert!(message.contains(problem), "{text}: {message}");
        }
    }
}
