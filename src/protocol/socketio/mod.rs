//! Socket.IO packets: text or `MessagePack` in, packets out, and back. Pure.
//!
//! A session feeds its messages into a [`Decoder`] and gets [`Packet`]s, whose [`Args`] are slices of the message. To send, it
//! asks its [`Dialect`] for an [`Encoded`] packet, made once for any number of receivers.
//!
//! **Source** `docs/socket.io-protocol/v5-current.md` (Engine.IO 4 clients) and `v4.md` (Engine.IO 3 clients); behaviour that they
//! leave open follows `packages/socket.io-parser` and `socket.io-msgpack-parser`.
//!
//! Reading order: `packet` (the text form), `decoder` (attachments), `args` (what handlers get), `encode`; then `msgpack`,
//! `msgpack_packet` and `transcode` for the other dialect and the cluster's wire.

mod args;
mod args_de;
mod args_ser;
mod binary;
mod decoder;
mod encode;
mod error;
pub(in crate::protocol) mod extension;
pub(in crate::protocol) mod json;
mod json_plain;
mod json_tokens;
pub mod msgpack;
mod msgpack_packet;
mod msgpack_write;
mod names;
mod packet;
pub(in crate::protocol) mod placeholders;
mod query;
#[cfg(test)]
mod tests;
mod transcode;
mod value;
mod value_de;

pub(in crate::protocol) use packet::js_number;

pub use args::Args;
pub use binary::{Attachments, Binary};
pub use decoder::{Body, Decoder, Limits, Packet};
pub use encode::Encoded;
pub use error::{ArgsError, DecodeError, EncodeError};
pub use packet::{PacketType, RawArgs, RawPacket, RawPayload, decode, is_reserved_event};
pub use query::{query_auth, split_query};
pub use value::Value;

/// The namespace that is not named on the wire.
pub const MAIN_NAMESPACE: &str = "/";

/// How packets are written: the `parser` of the reference. One per server; all clients of a server speak the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// Text, with binary in messages of its own. The default parser.
    #[default]
    Json,
    /// One binary message per packet. `socket.io-msgpack-parser`.
    Msgpack,
}
