//! The log of the program: lines for people, or a JSON object a line for programs that collect them.

use std::io::{self, IsTerminal as _};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use env_logger::{Builder, Env, Logger};
use greenroom::config::{LogConfig, LogFormat};
use jiff::Timestamp;
use log::Level;
use serde::Serialize;

/// What comes out on the standard error is read by programs.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// A line for programs.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, in UTC.
    ts: String,
    level: &'a str,
    target: &'a str,
    msg: String,
}

impl Line<'_> {
    fn write(&self, output: &mut dyn io::Write) -> io::Result<()> {
        // In one go: lines of several threads and of the panic hook do not mix.
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        output.write_all(&line)
    }
}

/// A logger for these settings. `RUST_LOG` is stronger.
pub(crate) fn logger(config: &LogConfig) -> Logger {
    let mut builder = Builder::from_env(Env::default().default_filter_or(&config.filter));
    if is_json(config) {
        builder.format(|output, record| {
            let line = Line {
                ts: now(),
                level: name(record.level()),
                target: record.target(),
                msg: record.args().to_string(),
            };
            line.write(output)
        });
    }
    builder.build()
}

/// From now on what is said past the log has the form of these settings too.
pub(crate) fn begin(config: &LogConfig) {
    if is_json(config) {
        panic::set_hook(Box::new(panicked));
        IS_JSON.store(true, Ordering::Relaxed);
    }
}

fn is_json(config: &LogConfig) -> bool {
    match config.format {
        LogFormat::Human => false,
        LogFormat::Json => true,
        _ => !io::stderr().is_terminal(),
    }
}

/// Why the program ends, past the filter: in the form of the log if that has begun, else for people.
pub(crate) fn last_words(text: &str) {
    if !IS_JSON.load(Ordering::Relaxed) {
        return eprintln!("greenroom: {text}");
    }
    let line = Line {
        ts: now(),
        level: name(Level::Error),
        target: "greenroom",
        msg: text.to_owned(),
    };
    // Nobody is left to be told.
    let _ = line.write(&mut io::stderr().lock());
}

/// Past the filter: a panic is worth a line in any case. With its backtrace, if `RUST_BACKTRACE` asks for one.
fn panicked(info: &PanicHookInfo<'_>) {
    let why = info.payload_as_str().unwrap_or("no text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    let backtrace = std::backtrace::Backtrace::capture();
    let line = Line {
        ts: now(),
        level: name(Level::Error),
        target: "panic",
        msg: match backtrace.status() {
            std::backtrace::BacktraceStatus::Captured => {
                format!("panicked at {place}: {why}\n{backtrace}")
            }
            _ => format!(
                "panicked at {place}: {why} thread={}",
                thread.name().unwrap_or("unnamed")
            ),
        },
    };
    // Nobody is left to be told.
    let _ = line.write(&mut io::stderr().lock());
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}
