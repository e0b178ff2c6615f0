//! The command line: what can be said on it, and the commands that are not the server.

mod emit;
mod failure;
mod gc;
pub(crate) mod logging;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use greenroom::config::{Config, ConfigError};
use greenroom::redis::Endpoints;

pub(crate) use failure::Failure;

/// A Socket.IO server of actors. Without a command it serves, until SIGTERM or ctrl-c.
///
/// Settings come from config.toml in the working directory, and from the environment: each key of the file as
/// GREENROOM_<SECTION>__<KEY>, and HOST, PORT and REDIS_URL for server.host, server.port and redis.uri; with _FILE
/// behind its name a variable names the file that has the value. RUST_LOG says what is logged.
///
/// Exit codes: 0 done, 1 failed (Redis cannot be reached, the port is taken), 2 wrong settings or a wrong command line,
/// 3 told to end, and cut off who was still there when the time (shutdown.timeout) was over, or at a second signal.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct CommandLine {
    /// Read the settings from this file, in the place of config.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Emit(emit::Emit),
    Gc(gc::Gc),
    /// Print the version
    Version,
}

impl CommandLine {
    /// What was typed. Ends the process, with help or an error, if it is no command.
    pub(crate) fn read() -> Self {
        Self::parse()
    }

    /// Carries it out; `serve` is what is done without a command, with the settings and the file that they are from.
    pub(crate) fn run(
        self,
        serve: impl FnOnce(Config, Option<&Path>) -> Result<(), greenroom::Error>,
    ) -> Result<(), Failure> {
        let config = self.config.as_deref();
        match self.command {
            None => {
                let usual = Path::new(Config::FILE);
                let file = config.or_else(|| usual.exists().then_some(usual));
                Ok(serve(settings(config)?, file)?)
            }
            Some(Command::Emit(emit)) => emit.run(config),
            Some(Command::Gc(gc)) => gc.run(config),
            Some(Command::Version) => print(concat!("greenroom ", env!("CARGO_PKG_VERSION"))),
        }
    }
}

/// Which Redis a command is about.
#[derive(Debug, clap::Args)]
struct Which {
    /// Address of the Redis that the servers share; others see it in the list of processes, so
    /// better set one with a password in the file or the environment [env: GREENROOM_REDIS__URI,
    /// REDIS_URL]
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// What the names of all channels and keys begin with [env: GREENROOM_REDIS__KEY]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl Which {
    /// The settings with this on top, and the connections that they name.
    fn settings(self, file: Option<&Path>) -> Result<(Config, Endpoints), Failure> {
        let mut config = settings(file)?;
        if let Some(url) = self.redis {
            let redis = &mut config.redis;
            for other in [
                &mut redis.host,
                &mut redis.socket,
                &mut redis.publish_uri,
                &mut redis.subscribe_uri,
                &mut redis.data_uri,
            ] {
                other.clear();
            }
            redis.port = 0;
            redis.uri = url;
        }
        if let Some(key) = self.key {
            config.redis.key = key;
        }
        let config = config.validated()?;
        let endpoints = config.redis.endpoints()?.ok_or(Failure::NoRedis)?;
        Ok((config, endpoints))
    }
}

fn settings(file: Option<&Path>) -> Result<Config, ConfigError> {
    match file {
        Some(file) => Config::load_file(file),
        None => Config::load(),
    }
}

/// A line for whoever reads the output; that nobody does any more is no error.
fn print(line: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(err)),
        _ => Ok(()),
    }
}
