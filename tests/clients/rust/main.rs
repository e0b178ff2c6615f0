//! The `rust_socketio` client against the fixture, and with it what each example promises. Both are processes of their own: this
//! knows nothing of the crate.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod client;
mod examples;
mod peer;
#[path = "../../support/program.rs"]
mod program;
