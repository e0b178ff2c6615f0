//! The server as a program: the chat and its page, set up by `config.toml`, and commands for its cluster.

mod cli;

use std::error::Error as _;
use std::process::ExitCode;

use greenroom::config::Config;
use greenroom::handlers::chat;
use greenroom::{Error, Server, pages};

use cli::{CommandLine, Failure};

/// glibc's allocator grows and shrinks its arenas with every burst of polls: a system call per six of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match CommandLine::read().run(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("greenroom: {}", explain(&failure));
            failure.exit_code().into()
        }
    }
}

fn serve(config: Config) -> Result<(), Error> {
    let filter = env_logger::Env::default().default_filter_or(&config.log.filter);
    env_logger::Builder::from_env(filter).init();
    let folder = config.server.static_dir.clone();
    let chat = chat::handlers(&config);
    Server::builder()
        .config(config)
        .namespace("/", chat)
        .build()?
        .run_with(move |app| {
            app.service(pages(&folder));
        })
}

/// An error and its causes in one line.
fn explain(err: &Failure) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        let next = err.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = err.source();
    }
    text
}
