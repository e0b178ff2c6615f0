//! Several servers and a Redis.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod acl;
mod api;
mod drain;
mod emitter;
mod faults;
mod nodes;
#[path = "../support/mod.rs"]
mod support;
mod wire;
