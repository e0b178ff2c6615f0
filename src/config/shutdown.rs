//! `[shutdown]`: how a server ends that is told to.

use std::time::Duration;

use serde::Deserialize;

use super::values;

/// `[shutdown]`: how a server ends that is told to ([`Server::drain`](crate::Server::drain)).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ShutdownConfig {
    /// How long all of it may take. Who is still there then is cut off.
    ///
    /// Default `"25s"`, range 1 millisecond to 24 hours: less than the 30 seconds after which Kubernetes and others kill.
    /// Exceeded: the program ends with code 3.
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
    /// The time over which the ends of the sessions are spread, so that their clients do not all come back at once.
    ///
    /// Default `"10s"`, less than [`timeout`](Self::timeout). Few sessions take less: 50 milliseconds each. Zero: all at
    /// once.
    #[serde(deserialize_with = "values::duration")]
    pub spread: Duration,
    /// Name of an event that all sockets get when it begins, with one argument: the milliseconds within which their
    /// sessions end.
    ///
    /// Default `""`, none. A name that a server may emit, of at most 255 bytes.
    pub notice_event: String,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(25),
            spread: Duration::from_secs(10),
            notice_event: String::new(),
        }
    }
}
