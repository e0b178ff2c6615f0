//! The server as a program: the chat and its page, set up by `config.toml`, and commands for its cluster.

mod cli;

use std::error::Error as _;
use std::path::Path;
use std::process::ExitCode;

use greenroom::config::Source;
use greenroom::handlers::chat;
use greenroom::{Error, Server, backend, pages};

use cli::{CommandLine, Failure, filter, logging};

/// glibc's allocator grows and shrinks its arenas with every burst of polls: a system call per six of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // What little a session has lies scattered: huge pages would hold more of it than it needs, by half.
    #[cfg(target_os = "linux")]
    if let Err(err) = rustix::thread::disable_transparent_huge_pages(true) {
        // Very old kernels, and some sandboxes.
        log::debug!("huge pages stay why={err}");
    }
    match CommandLine::read().run(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            logging::last_words(&explain(&failure));
            failure.exit_code().into()
        }
    }
}

fn serve(source: &Source) -> Result<(), Error> {
    let settings = source.read()?;
    let config = &settings.config;
    filter::start(&config.log, logging::logger);
    logging::begin(&config.log);
    let folder = config.server.static_dir.clone();
    let (file, log) = (settings.file.clone(), config.log.clone());
    let mut builder = Server::builder();
    for settings in &config.backends {
        let handlers = backend::handlers(settings, config)?;
        builder = builder.namespace(&settings.namespace, handlers);
    }
    // Who has a backend for the root namespace has an application, and no use for the chat.
    if !config
        .backends
        .iter()
        .any(|backend| backend.namespace == "/")
    {
        builder = builder.namespace("/", chat::handlers(config));
    }
    let server = builder
        .settings(settings, move |config| {
            let mut log = log.clone();
            log.filter.clone_from(&config.log.filter);
            filter::change(&log);
        })
        .build()?;
    say_hello(&server, file.as_deref());
    server.run_with(move |app| {
        app.service(pages(&folder));
    })
}

/// The first line of the log: all that one asks first of a server whose log one reads.
fn say_hello(server: &Server, file: Option<&Path>) {
    let config = &server.config().server;
    let file = file.map_or("none".into(), Path::to_string_lossy);
    let inside = config.internal_port.map_or("none".to_owned(), |port| {
        format!("{}:{port}", config.internal_host)
    });
    log::info!(
        "greenroom {} starts pid={} mode={} node={} address={}:{} internal={inside} workers={} config={file}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        if server.node().is_some() {
            "redis"
        } else {
            "memory"
        },
        server.node().unwrap_or("none"),
        config.host,
        config.port,
        config.n_workers(),
    );
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
