//! What can go wrong, for those who can do something about it.

use serde::Serialize;
use thiserror::Error;

use crate::protocol::socketio::{Args, Value};
pub use crate::protocol::socketio::{ArgsError, EncodeError};
use crate::throttle::throttled;

/// What keeps a server from starting or from ending well.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// A namespace was registered twice, or its name is no namespace.
    #[error("namespace {name:?}: {problem}")]
    Namespace {
        /// The name as it was given.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Host and port.
        address: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A backend or a receiver of webhooks is at an `https://` address, and there is nothing to judge it by.
    #[error("cannot read the certificates of the system")]
    Certificates(#[source] std::io::Error),
    /// The server ended with an error.
    #[error("the server ended")]
    Run(#[source] std::io::Error),
    /// The server was told to end, and somebody was cut off.
    #[error("{why}; sessions cut off: {n_sessions}")]
    Cut {
        /// The time was over, or there was a second signal.
        why: &'static str,
        /// How many sessions were still there. None, if it was only requests.
        n_sessions: usize,
    },
}

/// Why an event was not sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The values cannot be serialized.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The name belongs to the protocol (`connect`, `disconnect`, …).
    #[error("{0:?} is a reserved event name")]
    Reserved(String),
    /// The name is longer than the limit `event_name_bytes`.
    #[error("the event name has {0} bytes")]
    NameTooLong(usize),
}

/// Why there is no answer of a client.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AckError {
    /// The client did not answer in time.
    #[error("timeout")]
    Timeout,
    /// The client has gone.
    #[error("disconnected")]
    Disconnected,
    /// As many answers as the limit `pending_acks_per_socket` are outstanding.
    #[error("too many answers are outstanding")]
    TooMany,
    /// The event could not be sent.
    #[error("not sent")]
    Unsent(#[source] EmitError),
}

/// Redis was not told of a join in time.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the other servers were not told in time")]
pub struct JoinError;

/// Any value that serializes, as a dynamic one.
///
/// # Errors
/// It does not serialize.
pub fn to_value<T: Serialize>(value: &T) -> Result<Value, EncodeError> {
    // One argument, also if it is a tuple.
    let args = Args::from_values(&(value,))?;
    Ok(args.first().unwrap_or(Value::Null))
}

/// Why a client may not do what it asked for; it reads the message and the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl Refusal {
    /// A refusal with a message, `error.message` at the client.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
        }
    }

    /// Adds data, `error.data` at the client.
    ///
    /// What cannot be serialized is left out and logged.
    #[must_use]
    pub fn with_data<T: Serialize>(mut self, data: T) -> Self {
        match to_value(&data) {
            Ok(data) => self.data = Some(data),
            Err(err) => throttled!(
                error,
                "the data of a refusal cannot be serialized err={err}"
            ),
        }
        self
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}
