//! `[api]`: the HTTP API for backends.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer};

use super::values;

/// `[api]`: the HTTP API for backends, below `/api/v1` ([`crate::api`]).
///
/// There is none unless it has keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ApiConfig {
    /// The keys that let a backend in, each as good as the others: to change one, add the new, then take the old away.
    /// A list, or one text with white space or commas between the keys, as in a file or a variable.
    ///
    /// Default none, which turns the API off. A key has 16 to 256 printable characters of ASCII without comma and space.
    /// Neither errors nor `Debug` show them.
    #[serde(deserialize_with = "keys")]
    pub keys: Vec<ApiKey>,
    /// Bytes of the body of a request.
    ///
    /// Default `"1MB"`, range 1 to 1 GiB. Exceeded: 413.
    #[serde(deserialize_with = "values::size")]
    pub body_bytes: usize,
    /// Commands of one batch.
    ///
    /// Default 100, range 1 to 10000. Exceeded: 422, and none is carried out.
    pub commands_per_batch: usize,
    /// Rooms or sockets of one page, and users that are asked about at once.
    ///
    /// Default 1000, range 1 to 100000. Exceeded: 422.
    pub page_size: usize,
    /// The longest that clients may be given to answer.
    ///
    /// Default `"30s"`, range 1 millisecond to 24 hours. Exceeded: 422.
    #[serde(deserialize_with = "values::duration")]
    pub max_timeout: Duration,
    /// Answers of clients that one request collects; those of a batch share them.
    ///
    /// Default 10000, range 1 to 10000000. Exceeded: what comes later is counted and left out.
    pub answers: usize,
    /// Bytes of the answers that one request collects; those of a batch share them.
    ///
    /// Default `"16MB"`, range 1 to 1 GiB. Exceeded: what comes later is counted and left out.
    #[serde(deserialize_with = "values::size")]
    pub answer_bytes: usize,
    /// Requests that are carried out at once.
    ///
    /// Default 256, range 1 to 1000000. Exceeded: 503.
    pub concurrent_requests: usize,
    /// How long the answer to a request with an `Idempotency-Key` is kept, on this node.
    ///
    /// Default `"10m"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub idempotency_window: Duration,
    /// Bytes of the answers that are kept so.
    ///
    /// Default `"16MB"`, range 1 to 1 GiB. Exceeded: the oldest go before their time.
    #[serde(deserialize_with = "values::size")]
    pub idempotency_bytes: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            body_bytes: 1_000_000,
            commands_per_batch: 100,
            page_size: 1000,
            max_timeout: Duration::from_secs(30),
            answers: 10_000,
            answer_bytes: 16_000_000,
            concurrent_requests: 256,
            idempotency_window: Duration::from_secs(600),
            idempotency_bytes: 16_000_000,
        }
    }
}

/// A key of the HTTP API. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key; whether it is one is judged with the settings.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn is_sound(&self) -> bool {
        let is_printable = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b',';
        (16..=256).contains(&self.0.len()) && self.0.bytes().all(is_printable)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

/// One text with all keys, or a list.
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ApiKey>, D::Error> {
    // Not what serde says about a value of another type: it would show the value.
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "keys are texts: one, or a list")]
    enum Keys {
        One(String),
        Many(Vec<String>),
    }
    let is_between = |symbol: char| symbol == ',' || symbol.is_whitespace();
    Ok(match Keys::deserialize(deserializer)? {
        Keys::One(text) => text
            .split(is_between)
            .filter(|key| !key.is_empty())
            .map(ApiKey::new)
            .collect(),
        Keys::Many(keys) => keys.into_iter().map(ApiKey).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<ApiConfig, String> {
        let config = Config::from_toml(&format!("[api]\n{text}"));
        config
            .map(|config| config.api)
            .map_err(|err| err.to_string())
    }

    #[test]
    fn keys_are_a_list_or_a_text() {
        for text in [
            "keys = ['0123456789abcdef', 'fedcba9876543210']",
            "keys = '0123456789abcdef, fedcba9876543210'",
            "keys = \"0123456789abcdef\\nfedcba9876543210\\n\"",
        ] {
            let keys = read(text).unwrap().keys;
            let plain: Vec<_> = keys.iter().map(ApiKey::expose).collect();
            assert_eq!(plain, ["0123456789abcdef", "fedcba9876543210"], "{text}");
        }
        assert_eq!(read("keys = ''").unwrap(), ApiConfig::default());
        assert_eq!(read("keys = []").unwrap(), ApiConfig::default());
    }

    #[test]
    fn nobody_is_shown_a_key() {
        for wrong in [
            "keys = ['s3cret']",
            "keys = ['s3cret s3cret s3cret']",
            "keys = ['s3crét-s3crét-s3crét']",
            "keys = [12345678901234567]",
            "keys = [\n'0123456789abcdef-s3cret',\n5]",
            "keys = [\n'0123456789abcdef-s3cret\n]",
            "keys = 's3cret-s3cret-s3cret",
            "keys = s3cret-s3cret-s3cret",
            "keys = { s3cret = 1 }",
            "keys = ['a']\nkeys = ['s3cret-s3cret-s3cret']",
        ] {
            let message = read(wrong).expect_err(wrong);
            for part in ["s3", "cret", "123456789"] {
                assert!(!message.contains(part), "{message}");
            }
        }
        let config = read("keys = 's3cret-s3cret-s3cret'").unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for (text, key) in [
            ("body_bytes = 0", "api.body_bytes"),
            ("commands_per_batch = 0", "api.commands_per_batch"),
            ("page_size = 0", "api.page_size"),
            ("max_timeout = '0s'", "api.max_timeout"),
            ("answers = 0", "api.answers"),
            ("answer_bytes = '2GiB'", "api.answer_bytes"),
            ("concurrent_requests = 0", "api.concurrent_requests"),
            ("idempotency_window = '25h'", "api.idempotency_window"),
            ("idempotency_bytes = 0", "api.idempotency_bytes"),
        ] {
            let message = read(text).expect_err(text);
            assert!(message.starts_with(key), "{message}");
        }
    }
}
