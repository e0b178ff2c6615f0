//! What can be wrong with settings.

use std::{io, path::PathBuf};

/// What can be wrong with settings.
///
/// The text says which key, what was found and what would be right; it is meant for the person who wrote the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something in a file is wrong.
    #[error("{path}: {problem}", path = path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong; it is part of the text already and therefore not a source.
        problem: Box<Self>,
    },
    /// The text is not TOML, has a key nobody knows or a value of the wrong type.
    #[error("{message}")]
    Parse {
        /// Line, key and advice.
        message: String,
    },
    /// A value is outside its range.
    #[error("{key} {problem}")]
    Value {
        /// Path of the key, such as `engine.ping_interval`.
        key: &'static str,
        /// What is wrong with its value, and the range.
        problem: String,
    },
    /// A key that was said on the command line, or in code, is unknown, or has a value that cannot be used.
    #[error("the setting {name} {problem}")]
    Said {
        /// The key, as it was said.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An environment variable is unknown, or has a value that cannot be used.
    #[error("environment variable {name} {problem}")]
    Environment {
        /// Name of the variable.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}
