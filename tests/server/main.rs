//! What a server does with its clients: in the process of the test, and over TCP.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod acks;
mod chat;
mod connection;
mod handlers;
mod hooks;
mod ordering;
mod rates;
mod recovery;
mod regression;
mod rooms;
#[path = "../support/mod.rs"]
mod support;
