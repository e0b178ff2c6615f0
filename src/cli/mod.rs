//! The command line: what can be said on it, and the commands that are not the server.

mod asks;
mod bench;
mod check;
mod emit;
mod failure;
pub(crate) mod filter;
mod gc;
mod genconfig;
mod healthcheck;
pub(crate) mod logging;
mod serve;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use greenroom::config::{Config, Source};
use greenroom::redis::Endpoints;

pub(crate) use failure::Failure;

/// A Socket.IO server of actors. Without a command it serves, until SIGTERM or ctrl-c.
///
/// Settings come, from the strongest to the weakest, from the flags; from the environment, where each key of the
/// configuration is GREENROOM_<SECTION>__<KEY>, with HOST, PORT and REDIS_URL for server.host, server.port and redis.uri,
/// and with _FILE behind its name a variable names the file that has the value; from config.toml in the working
/// directory; from the defaults. RUST_LOG says what is logged, whatever log.filter says.
///
/// Signals: SIGTERM and ctrl-c see the clients off, as [shutdown] in the configuration says; a second one ends at once.
/// SIGHUP reads the settings again, and takes over limits, origins, keys, the log filter and what is in the files of certificates.
///
/// Exit codes: 0 done, 1 failed (Redis cannot be reached, the port is taken), 2 wrong settings or a wrong command line, 3
/// told to end, and cut off who was still there when the time (shutdown.timeout) was over, or at a second signal.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct CommandLine {
    /// Read the settings from this file [default: config.toml, if it is there]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key of the configuration: --set engine.ping_interval=10s; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    serve: serve::Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Genconfig(genconfig::Genconfig),
    Emit(emit::Emit),
    Rooms(asks::Rooms),
    Sockets(asks::Sockets),
    Gc(gc::Gc),
    Healthcheck(healthcheck::Healthcheck),
    Bench(Box<bench::Bench>),
    /// Print the version
    Version,
}

impl CommandLine {
    /// What was typed. Ends the process, with help or an error, if it is no command.
    pub(crate) fn read() -> Self {
        let typed = Self::parse();
        let is_serving = matches!(typed.command, None | Some(Command::Serve(_)));
        if !is_serving && !typed.serve.is_empty() {
            let what = "flags of the server come after `serve`, or without a command";
            let mut command = Self::command();
            command.error(ErrorKind::ArgumentConflict, what).exit();
        }
        typed
    }

    /// Carries it out; `serve` is what is done without a command.
    pub(crate) fn run(
        self,
        serve: impl FnOnce(&Source) -> Result<(), greenroom::Error>,
    ) -> Result<(), Failure> {
        let source = match self.config {
            Some(file) => Source::file(file),
            None => Source::default(),
        };
        let said = self.set.iter();
        let source = said.fold(source, |source, (key, value)| source.set(key, value));
        match self.command {
            None => Ok(serve(&self.serve.on_top_of(source))?),
            Some(Command::Serve(more)) => Ok(serve(&more.on_top_of(self.serve.on_top_of(source)))?),
            Some(Command::Check(check)) => check.run(&source),
            Some(Command::Genconfig(genconfig)) => genconfig.run(),
            Some(Command::Emit(emit)) => emit.run(source),
            Some(Command::Rooms(rooms)) => rooms.run(source),
            Some(Command::Sockets(sockets)) => sockets.run(source),
            Some(Command::Healthcheck(healthcheck)) => healthcheck.run(&source),
            Some(Command::Gc(gc)) => gc.run(source),
            Some(Command::Bench(bench)) => bench.run(),
            Some(Command::Version) => print(concat!("greenroom ", env!("CARGO_PKG_VERSION"))),
        }
    }
}

/// `engine.ping_interval=10s`.
fn key_and_value(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text
        .split_once('=')
        .ok_or("a key, =, and its value: engine.ping_interval=10s")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Which Redis a command is about.
#[derive(Debug, clap::Args)]
struct Which {
    /// Address of the Redis that the servers share; others see it in the list of processes, so
    /// better set one with a password in the file or the environment [env: GREENROOM_REDIS__URI,
    /// REDIS_URL] [default: none]
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// What the names of all channels and keys begin with [env: GREENROOM_REDIS__KEY] [default: socket.io]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl Which {
    /// The settings with this on top, and the connections that they name.
    fn settings(self, mut source: Source) -> Result<(Config, Endpoints), Failure> {
        if let Some(url) = self.redis {
            source = at_redis(source, &url);
        }
        if let Some(key) = self.key {
            source = source.set("redis.key", &key);
        }
        let config = source.read()?.config;
        let endpoints = config.redis.endpoints()?.ok_or(Failure::NoRedis)?;
        Ok((config, endpoints))
    }
}

/// One address for all connections, whatever the settings say.
fn at_redis(source: Source, url: &str) -> Source {
    let roles = ["redis.publish_uri", "redis.subscribe_uri", "redis.data_uri"];
    roles
        .iter()
        .fold(source.set("redis.uri", url), |source, role| {
            source.set(role, "")
        })
}

/// A line for whoever reads the output; that nobody does any more is no error.
fn print(line: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{line}").and_then(|()| output.flush()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(err)),
        _ => Ok(()),
    }
}
