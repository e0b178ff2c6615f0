//! The program, as a process of its own.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod backends_tls;
mod bench;
mod cli;
mod commands;
mod open_files;
mod signals;
#[path = "../support/mod.rs"]
mod support;
