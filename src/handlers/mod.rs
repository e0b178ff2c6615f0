//! The handlers that the binary ships, written against the public face of the crate alone.

pub mod chat;
