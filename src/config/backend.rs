//! `[[backends]]`: namespaces whose events a program elsewhere answers, over HTTP.

use std::time::Duration;

use serde::Deserialize;

use super::{Secret, values};

/// `[[backends]]`: a namespace whose events are answered by a program elsewhere, over HTTP ([`crate::backend`]).
///
/// There may be one for each namespace. In the environment all of them are one list:
/// `GREENROOM_BACKENDS='[{ namespace = "/", url = "http://127.0.0.1:8000/" }]'`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BackendConfig {
    /// The namespace; each has one backend at most.
    ///
    /// Default `"/"`. Begins with a slash.
    pub namespace: String,
    /// Where the backend is: each call is a POST to this address.
    ///
    /// No default. `http://` or `https://`, without user, password and fragment; redirects are not followed.
    pub url: String,
    /// The events that it answers; `"*"` stands for all.
    ///
    /// Default `["*"]`. Any other event is refused. Empty: none, the backend only hears who comes and goes.
    pub events: Vec<String>,
    /// Whether it is asked about each client that wants to join the namespace.
    ///
    /// Default `false`: everybody may.
    pub connect: bool,
    /// Whether it is told of each client that has left, once.
    ///
    /// Default `false`.
    pub disconnect: bool,
    /// How long a call may take, from the moment it is its turn to the last byte of the answer; and how long it may wait for
    /// its turn.
    ///
    /// Default `"3s"`, range 1 millisecond to 24 hours. Exceeded: the event, or the client, is refused.
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// What the calls are signed with, so that the backend knows who makes them.
    ///
    /// Default that of `[webhooks]`. Without any they are not signed. Neither errors nor `Debug` show it.
    pub secret: Secret,
    /// Calls that are made at once. Others wait for their turn.
    ///
    /// Default 64, range 1 to 10000.
    pub concurrency: usize,
    /// Bytes of an answer.
    ///
    /// Default `"1MB"`, range 1 to 1 GiB. Exceeded: the event, or the client, is refused.
    #[serde(deserialize_with = "values::size")]
    pub max_answer_bytes: usize,
}

impl Default for BackendConfig {
    fn default() -> Self {
        Self {
            namespace: "/".to_owned(),
            url: String::new(),
            events: vec!["*".to_owned()],
            connect: false,
            disconnect: false,
            timeout: Duration::from_secs(3),
            secret: Secret::default(),
            concurrency: 64,
            max_answer_bytes: 1_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<Vec<BackendConfig>, String> {
        let config = Config::from_toml(text);
        config
            .map(|config| config.backends)
            .map_err(|err| err.to_string())
    }

    #[test]
    fn a_backend_needs_an_address_and_nothing_else() {
        let read = read("[[backends]]\nurl = 'http://a/x?y'").unwrap();
        let expected = BackendConfig {
            url: "http://a/x?y".to_owned(),
            ..BackendConfig::default()
        };
        assert_eq!(read, [expected]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, problem) in [
            ("", "backends.url is ``"),
            ("url = 'a.example/x'", "backends.url is `a.example/x`"),
            ("url = 'ftp://a/'", "backends.url"),
            ("url = 'http://'", "backends.url"),
            ("url = 'http://user:p@a/'", "backends.url"),
            ("url = 'http://a/#x'", "backends.url"),
            ("url = 'http://a/ b'", "backends.url"),
            ("url = 'http://a'\nnamespace = 'x'", "backends.namespace"),
            ("url = 'http://a'\ntimeout = '0s'", "backends.timeout"),
            ("url = 'http://a'\nconcurrency = 0", "backends.concurrency"),
            (
                "url = 'http://a'\nmax_answer_bytes = 0",
                "backends.max_answer_bytes",
            ),
            ("url = 'http://a'\nevents = ['']", "backends.events"),
            ("url = 'http://a'\nevents = []", "backends.events"),
            ("uri = 'http://a'", "did you mean `url`?"),
        ] {
            let message = read(&format!("[[backends]]\n{text}")).expect_err(text);
            assert!(message.contains(problem), "{text}: {message}");
            assert!(!message.contains("user:p"), "{message}");
        }
        let twice = "[[backends]]\nurl = 'http://a'\n".repeat(2);
        let message = read(&twice).expect_err("two for one namespace");
        assert!(message.contains("backends.namespace"), "{message}");
    }

    #[test]
    fn nobody_is_shown_a_secret() {
        let right = "[[backends]]\nurl = 'http://a'\nsecret = 's3cret'";
        let config = Config::from_toml(right).unwrap();
        assert_eq!(config.backends[0].secret.expose(), "s3cret");
        assert!(!format!("{config:?}").contains("s3cret"));
        for wrong in [
            "secret = 's3cret",
            "secret = ['s3cret']",
            "secret = { s3cret = 1 }",
            "'secret'   = [\"s3cret\"",
        ] {
            let message = read(&format!("[[backends]]\n{wrong}")).expect_err(wrong);
            assert!(!message.contains("s3cret"), "{message}");
        }
    }
}
