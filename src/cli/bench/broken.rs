//! Why a run is not begun, and why a connection ends.

use std::io;

use super::tally::shortened;

/// Why nothing is measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// Not understood.
    #[error(
        "{0:?} is not the URL of a server: http://HOST:PORT or https://HOST:PORT, with ?KEY=VALUE for the handshake; the \
         namespace is --namespace, the path of the server --path"
    )]
    Url(String),
    /// No request can have it.
    #[error("{0:?} is no path")]
    Path(String),
    /// Nobody knows it.
    #[error("the host {host} is not found")]
    Host {
        /// As it was given.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// TLS without anybody to believe.
    #[error("the certificates of the system cannot be read")]
    Certificates(#[source] io::Error),
    /// An option.
    #[error("{0}")]
    Option(String),
    /// Each connection is a file.
    #[error(
        "{wanted} files have to be open for that many connections, and this process may have {limit}: raise the limit \
         (ulimit -Hn, LimitNOFILE=), or ask for fewer"
    )]
    Files {
        /// For the connections and what else there is.
        wanted: u64,
        /// The hard limit.
        limit: u64,
    },
    /// It is not there, or not for us to see.
    #[error("the process {pid} cannot be looked at")]
    Process {
        /// Its number.
        pid: u32,
        /// What the system says.
        source: io::Error,
    },
    /// The system has none.
    #[error("no thread, or no timer, can be had")]
    System(#[source] io::Error),
}

impl PlanError {
    /// Whether other words would have been understood.
    pub(crate) const fn is_of_the_command_line(&self) -> bool {
        match self {
            Self::Url(_)
            | Self::Path(_)
            | Self::Option(_)
            | Self::Files { .. }
            | Self::Process { .. } => true,
            Self::Host { .. } | Self::Certificates(_) | Self::System(_) => false,
        }
    }
}

/// Why a connection is not there, or not any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// No TCP.
    #[error("not connected: {}", explained(.0))]
    Connect(io::Error),
    /// No TLS.
    #[error("no TLS: {0}")]
    Tls(io::Error),
    /// The handshake or a poll was answered, but not as hoped for.
    #[error("answered with HTTP {status}{}", behind(.body))]
    Http {
        /// The status.
        status: u16,
        /// What it says besides.
        body: String,
    },
    /// The namespace was not granted.
    #[error("the namespace was refused: {}", shortened(.0))]
    Refused(String),
    /// Nobody says anything any more.
    #[error("no answer within the timeout")]
    Timeout,
    /// No heartbeat of the server.
    #[error("no ping came for as long as the server said that it would take at most")]
    Silent,
    /// Closed by the server.
    #[error("closed by the server{}", behind(.0))]
    Closed(String),
    /// Left by the server.
    #[error("the server disconnected the socket")]
    Disconnected,
    /// Ended by something in between, or the system.
    #[error("the connection broke: {}", shortened(.0))]
    Transport(String),
    /// It is no Socket.IO, or not of this revision.
    #[error("not understood: {}", shortened(.0))]
    Garbage(String),
    /// The run is over.
    #[error("interrupted")]
    Interrupted,
}

fn behind(why: &str) -> String {
    match why {
        "" => String::new(),
        why => format!(": {}", shortened(why)),
    }
}

/// What the system says, and what one can do if this side has run out of something.
fn explained(err: &io::Error) -> String {
    let advice = match err.kind() {
        io::ErrorKind::AddrNotAvailable => " (no port is left on this side? see --source)",
        io::ErrorKind::ConnectionRefused => " (is the server there?)",
        _ => "",
    };
    format!("{err}{advice}")
}
