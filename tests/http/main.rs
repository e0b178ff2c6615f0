//! What is around the sessions: the API, backends, tokens, limits, figures, TLS.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod api;
mod api_manual;
mod backends;
mod jwt;
mod limits;
mod metrics;
mod monitoring;
mod security;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod webhooks;
