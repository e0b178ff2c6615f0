//! What is logged when something is wrong; most of these tests run one after the other, since the log is one.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod api_bad_input;
mod bad_input;
mod cluster_failover;
mod logging;
mod route;
#[path = "../support/mod.rs"]
mod support;
