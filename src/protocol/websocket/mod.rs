//! The WebSocket protocol, server side: handshake, frames, permessage-deflate (RFC 6455, RFC 7692).
//!
//! Pure: bytes in, messages out; no sockets, no timers. Whoever owns the connection reads into a buffer
//! of its own, calls [`Decoder::decode`] on it until nothing comes out, and writes what the encoding
//! functions return.
//!
//! | to | use |
//! |---|---|
//! | answer the opening handshake | [`accept_upgrade`], [`negotiate`] |
//! | read what a client sends | [`Decoder`], which yields [`Incoming`] |
//! | write to a client | [`TextFrame`], [`frame`], [`frame_of`], [`header`], [`close_frame`], [`Compressor::frame`] |
//! | end a connection | [`WsError::close_code`], [`close_code`] |
//!
//! ```
//! use greenroom::protocol::websocket::{Decoder, Incoming, Limits, Opcode, frame};
//!
//! let mut decoder = Decoder::new(Limits { max_message_bytes: 1_000_000, max_fragments: 0 }, None);
//! // "Hello" from a client, as in RFC 6455 section 5.7, and the first byte of a next frame.
//! let mut scratch = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81";
//!
//! let mut at = 0;
//! let mut replies = Vec::new();
//! while let Some(incoming) = decoder.decode(&mut scratch[at..], &mut at)? {
//!     if let Incoming::Text(text) = incoming {
//!         replies.push(frame(Opcode::Text, text.as_bytes()));
//!     }
//! }
//!
//! assert_eq!(replies, [&b"\x81\x05Hello"[..]]);
//! assert!(decoder.is_partial());
//! # Ok::<(), greenroom::protocol::websocket::WsError>(())
//! ```

mod decoder;
mod deflate;
mod encoder;
mod error;
mod handshake;
mod header;
mod incoming;
mod mask;
mod message;
mod negotiation;
mod text;
mod text_frame;

#[cfg(test)]
mod autobahn;
#[cfg(test)]
mod client;
#[cfg(test)]
mod properties;

pub use self::decoder::{Decoder, Limits};
pub use self::deflate::Compressor;
pub use self::encoder::{HeaderBytes, close_frame, close_reply, frame, frame_of, header};
pub use self::error::{WsError, close_code};
pub(crate) use self::handshake::has_token;
pub use self::handshake::{HandshakeError, accept_key, accept_upgrade};
pub use self::header::Opcode;
pub use self::incoming::Incoming;
pub use self::negotiation::{Negotiated, negotiate};
pub use self::text_frame::TextFrame;
