//! Why a command ends badly.

use std::io;
use std::path::PathBuf;

use greenroom::config::ConfigError;
use greenroom::protocol::socketio::{ArgsError, DecodeError};
use greenroom::redis::LinkError;
use greenroom::{EmitterError, Error, GcError};

use super::bench::PlanError;

/// Why a command ends badly. None of the texts has a password in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A command needs a Redis.
    #[error("no Redis is configured: set redis.uri in the file, REDIS_URL, or --redis")]
    NoRedis,
    /// The server did not start, or ended badly.
    #[error(transparent)]
    Server(#[from] Error),
    /// It was not sent.
    #[error("not sent")]
    Emitter(#[from] EmitterError),
    /// The arguments of an event cannot be put together.
    #[error("the arguments cannot be read")]
    Args(#[from] ArgsError),
    /// The same.
    #[error("the arguments cannot be read")]
    Json(#[from] DecodeError),
    /// What dead nodes have left is there still.
    #[error("not tidied up")]
    Gc(#[from] GcError),
    /// Servers cannot be asked.
    #[error("the servers cannot be asked")]
    Redis(#[from] LinkError),
    /// What was checked is not as it should be; it was printed.
    #[error("not everything is as it should be")]
    Check,
    /// A server is not well.
    #[error("{why}")]
    Unwell {
        /// What it said, if anything.
        why: String,
    },
    /// A file that was named.
    #[error("cannot read {}", .path.display())]
    File {
        /// Its name.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that was to be written.
    #[error("cannot write {}", .path.display())]
    Unwritten {
        /// Its name.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A load cannot be made as it was asked for.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A load was made, and what came of it was printed.
    #[error("not all clients were served, or not all messages came once")]
    Bench,
    /// Nothing can be printed.
    #[error("cannot write to the standard output")]
    Output(#[source] io::Error),
}

impl Failure {
    /// What the program ends with. The numbers are in the help of the program.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Server(Error::Cut { .. }) => 3,
            // clap ends with the same.
            _ if self.is_of_the_settings() => 2,
            _ => 1,
        }
    }

    /// Whether it can be mended where the command was typed or the settings were written.
    fn is_of_the_settings(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::NoRedis
            | Self::Server(Error::Config(_))
            | Self::Args(_)
            | Self::Json(_)
            | Self::File { .. }
            | Self::Unwritten { .. } => true,
            Self::Plan(err) => err.is_of_the_command_line(),
            Self::Emitter(err) => !matches!(err, EmitterError::Redis(_)),
            Self::Server(_)
            | Self::Gc(_)
            | Self::Redis(_)
            | Self::Check
            | Self::Unwell { .. }
            | Self::Bench
            | Self::Output(_) => false,
        }
    }
}
