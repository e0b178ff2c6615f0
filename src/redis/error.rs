//! What can go wrong with a connection to Redis.

use std::{fmt, sync::Arc, time::Duration};

use ::redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};

/// A connection to Redis that was not made, or that cannot be used any more.
///
/// The text is fit for the log: it names the address without passwords, and what a server says is searched for them
/// (one that does not know `HELLO` repeats all that came with it).
#[derive(Clone, Debug, thiserror::Error)]
#[error("{address}: {cause}{detail}")]
pub struct LinkError {
    address: Arc<str>,
    cause: Cause,
    detail: String,
}

/// Why a connection was not made, broke, or why a command was refused.
///
/// All of them are worth another try: passwords are corrected and memory is freed while we run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nobody answers at the address, or the connection ended.
    Unreachable,
    /// No answer in time.
    Timeout(Duration),
    /// The TLS handshake failed, or a certificate or key cannot be read.
    Tls,
    /// The server wants credentials, or others.
    Auth,
    /// The user may not do this.
    Permission,
    /// The server has no memory left.
    Memory,
    /// The server is a replica, or cannot write.
    ReadOnly,
    /// The server reads its data set and answers soon.
    Loading,
    /// The Cluster does not serve this now.
    Cluster,
    /// No sentinel names a master that is one.
    NoMaster,
    /// The server does not know the version of the protocol.
    Protocol,
    /// Something else.
    Other,
}

impl Cause {
    /// What an error of a single command means.
    pub(crate) fn of(err: &ServerError) -> Self {
        Self::of_code(err.code(), err.details().unwrap_or_default())
    }

    /// Whether waiting does not help, so that somebody has to act: worth the level `error` in the log.
    pub(crate) fn needs_operator(self) -> bool {
        match self {
            Self::Tls | Self::Auth | Self::Permission | Self::Memory | Self::Protocol => true,
            Self::Unreachable
            | Self::Timeout(_)
            | Self::ReadOnly
            | Self::Loading
            | Self::Cluster
            | Self::NoMaster
            | Self::Other => false,
        }
    }

    fn of_code(code: &str, details: &str) -> Self {
        match code {
            "NOAUTH" | "WRONGPASS" => Self::Auth,
            "NOPERM" => Self::Permission,
            "OOM" => Self::Memory,
            "READONLY" | "MISCONF" | "NOREPLICAS" => Self::ReadOnly,
            "LOADING" | "BUSY" => Self::Loading,
            "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "CROSSSLOT" | "MASTERDOWN" => {
                Self::Cluster
            }
            "NOPROTO" => Self::Protocol,
            // Redis 5 and older, which have passwords without users.
            "ERR" if details.contains("invalid password") => Self::Auth,
            "ERR" if details.contains("unknown command") && details.contains("HELLO") => {
                Self::Protocol
            }
            _ => Self::Other,
        }
    }

    fn of_error(err: &RedisError, timeout: Duration) -> Self {
        if err.is_timeout() {
            return Self::Timeout(timeout);
        }
        match err.kind() {
            ErrorKind::AuthenticationFailed => Self::Auth,
            ErrorKind::RESP3NotSupported => Self::Protocol,
            ErrorKind::ClusterConnectionNotFound => Self::Cluster,
            ErrorKind::Server(ServerErrorKind::ClusterDown) => Self::Cluster,
            // rustls and its certificates come wrapped into errors of I/O with a kind of their own.
            ErrorKind::Io if is_tls(err) => Self::Tls,
            ErrorKind::Io => Self::Unreachable,
            _ => Self::of_code(
                err.code().unwrap_or_default(),
                err.detail().unwrap_or_default(),
            ),
        }
    }
}

fn is_tls(err: &RedisError) -> bool {
    let text = err.to_string().to_ascii_lowercase();
    [
        "certificate",
        "tls",
        "received fatal alert",
        "invalid dns name",
        "corrupt message",
    ]
    .iter()
    .any(|word| text.contains(word))
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unreachable => "not reachable",
            Self::Timeout(timeout) => return write!(out, "no answer within {timeout:?}"),
            Self::Tls => "the TLS connection failed",
            Self::Auth => "wrong or missing user name or password",
            Self::Permission => "the user lacks a permission (ACL)",
            Self::Memory => "out of memory (maxmemory)",
            Self::ReadOnly => "not writable",
            Self::Loading => "busy or loading its data",
            Self::Cluster => "the Redis Cluster does not serve this now",
            Self::NoMaster => "no sentinel knows a working master",
            Self::Protocol => "does not speak this version of the protocol",
            Self::Other => "failed",
        })
    }
}

/// An address as errors name it, and the passwords that no error may name.
#[derive(Clone)]
pub(super) struct Redacted {
    address: Arc<str>,
    secrets: Arc<[String]>,
}

impl Redacted {
    pub(super) fn new(address: &str, secrets: impl IntoIterator<Item = String>) -> Self {
        Self {
            address: address.into(),
            secrets: secrets
                .into_iter()
                .filter(|secret| !secret.is_empty())
                .collect(),
        }
    }

    /// The same secrets at another address: a node of a Cluster, a sentinel.
    pub(super) fn at(&self, address: &str) -> Self {
        Self {
            address: format!("{} ({address})", self.address).into(),
            secrets: self.secrets.clone(),
        }
    }

    pub(super) fn error(&self, cause: Cause, detail: &str) -> LinkError {
        let mut detail = if detail.is_empty() {
            String::new()
        } else {
            format!(": {detail}")
        };
        for secret in &*self.secrets {
            detail = detail.replace(secret, "***");
        }
        LinkError {
            address: self.address.clone(),
            cause,
            detail,
        }
    }

    pub(super) fn timeout(&self, timeout: Duration) -> LinkError {
        self.error(Cause::Timeout(timeout), "")
    }

    pub(super) fn of(&self, err: &RedisError, timeout: Duration) -> LinkError {
        let cause = Cause::of_error(err, timeout);
        match cause {
            Cause::Timeout(_) => self.timeout(timeout),
            _ => self.error(cause, &err.to_string()),
        }
    }

    pub(super) fn server(&self, err: &ServerError) -> LinkError {
        let details = err.details().unwrap_or_default();
        self.error(Cause::of(err), &format!("{} {details}", err.code()))
    }
}

impl LinkError {
    /// There is no connection now.
    pub(crate) fn not_connected() -> Self {
        Redacted::new("redis", []).error(Cause::Unreachable, "not connected")
    }

    /// Why.
    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    /// Whether somebody has to act; see [`Cause::needs_operator`].
    pub(crate) fn needs_operator(&self) -> bool {
        self.cause.needs_operator()
    }
}
