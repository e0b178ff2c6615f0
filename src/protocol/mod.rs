//! The protocols, pure: bytes and time in, packets and effects out. No actix, no redis, no clock.

pub mod adapter;
pub(crate) mod binary_json;
pub mod engineio;
mod reason;
pub mod socketio;
pub mod websocket;

pub use reason::DisconnectReason;
