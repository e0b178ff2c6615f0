//! The server as a program: the chat and its page, set up by `config.toml`.

use std::error::Error as _;
use std::process::ExitCode;

use greenroom::config::Config;
use greenroom::handlers::chat;
use greenroom::{Error, Server, pages};

/// glibc's allocator grows and shrinks its arenas with every burst of polls: a system call per six of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Something in the configuration is wrong.
const EXIT_CONFIG: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("greenroom: {}", explain(&err));
            match err {
                Error::Config(_) => EXIT_CONFIG.into(),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run() -> Result<(), Error> {
    let config = Config::load()?;
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
fn explain(err: &Error) -> String {
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
