//! The commands that look: what is configured, whether it would work, what the servers say; and the flags of the server.

mod asks;
mod check;
mod flags;
mod healthcheck;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::program::Program;

/// A command in a folder.
fn command_in(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_greenroom"));
    command
        .args(words)
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// A command without a config.toml: the defaults hold.
fn command(words: &[&str]) -> Command {
    command_in(Path::new(env!("CARGO_TARGET_TMPDIR")), words)
}

/// Exit code, standard output and standard error.
fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

fn run(words: &[&str]) -> (i32, String, String) {
    ended(&command(words).output().unwrap())
}

fn printed(words: &[&str]) -> String {
    let (code, stdout, stderr) = run(words);
    assert_eq!((code, &*stderr), (0, ""), "{words:?}");
    stdout
}

/// A session of a client that says nothing: status and sid.
fn handshake(program: &Program) -> (u16, String) {
    program.ask("GET", "", "")
}
