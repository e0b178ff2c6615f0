//! # Engine.IO, the wire
//!
//! Pure functions and values for the two revisions that clients of today speak: packets, payloads, the handshake and
//! its refusals, JSONP, ids. Nothing here reads a socket, a clock or a configuration. What a session does with a
//! packet (heartbeat, upgrade, close) is decided one floor up.
//!
//! ## Packets
//!
//! One packet is one WebSocket frame. See [`decode_text`], [`decode_binary`], [`encode_text`].
//!
//! | type    | id | sent by           | data                                     |
//! |---------|----|-------------------|------------------------------------------|
//! | open    | 0  | server            | the handshake, JSON ([`Open`])           |
//! | close   | 1  | both              | none                                     |
//! | ping    | 2  | v4 server, v3 client | none, or `probe` on a transport under trial |
//! | pong    | 3  | v4 client, v3 server | as in the ping                        |
//! | message | 4  | both              | text or binary                           |
//! | upgrade | 5  | client            | none                                     |
//! | noop    | 6  | server            | none                                     |
//!
//! | frame              | v4                   | v3                             |
//! |--------------------|----------------------|--------------------------------|
//! | text               | `<id>[<data>]`       | `<id>[<data>]`                 |
//! | binary             | the message itself   | one byte `<id>`, then the data |
//! | binary as text     | `b<base64>`          | `b<id><base64>`                |
//!
//! ## Payloads
//!
//! What one polling request or response carries: several packets. See [`decode_payload`] and [`PayloadEncoder`].
//!
//! | form             | shape                                             | when                                      |
//! |------------------|---------------------------------------------------|-------------------------------------------|
//! | v4               | packets joined by `0x1e`                          | always                                    |
//! | v3, string form  | `<length>:<packet>…`, length in UTF-16 code units | no binary, or the client asked for `b64`  |
//! | v3, binary form  | `00`\|`01`, one byte per digit, `ff`, packet…     | `application/octet-stream`; lengths in bytes |
//!
//! ## Where we are stricter than the reference
//!
//! The reference hands on what is left of a damaged packet; we refuse it as a parse error, because half a message is
//! worse than none: lengths in JavaScript number syntax other than plain digits (`6e0:`, ` 1:`), a binary-form packet
//! shorter than its length, a binary-form kind byte other than 0 and 1, a length that cuts a surrogate pair, base64
//! with symbols of no alphabet (white space, both alphabets, missing and surplus padding are accepted), and a binary
//! packet of unknown type. Of a binary form that is damaged further on, the reference hands out nothing, we what is in
//! front of the damage, as both do with the other forms. Handshakes with an `EIO` other than 3 and 4 are refused; the reference takes them for 3.
//!
//! Source: `docs/engine.io-protocol/v4-current.md` and `v3.md`; `packages/engine.io-parser` and
//! `packages/engine.io/lib` for what the documents leave open.

mod base64;
mod error;
mod handshake;
mod jsonp;
mod packet;
mod payload;
mod payload_v3;
mod payload_v4;
mod query;
mod random;
mod route;
mod sid;
mod socket_id;
mod transport;

pub use error::{BadRequest, DecodeError, HandshakeError, SidPrefixError};
pub use handshake::{Admission, Open, Request, verify};
pub use jsonp::{JsonpIndex, decode_jsonp_body, encode_jsonp};
pub use packet::{
    Data, PROBE, Packet, PacketType, decode_binary, decode_text, encode_base64, encode_binary_v3,
    encode_text,
};
pub use payload::{Body, EncodedPayload, Payload, PayloadEncoder, body_is_binary, decode_payload};
pub use payload_v3::{
    append_v3_binary_binary, append_v3_binary_text, append_v3_string_binary, append_v3_string_text,
};
pub use payload_v4::{append_v4_binary, append_v4_text};
pub use query::Query;
pub use sid::{Sid, SidPrefix};
pub use socket_id::SocketId;
pub use transport::{ProtocolVersion, Transport, Transports};
