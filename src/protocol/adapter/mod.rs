//! The wire of the classic Redis adapter: channel names, broadcasts, requests and answers. Pure.
//!
//! Servers of this kind share one Redis and publish to each other what their own clients may not be alone in getting. This is the
//! wire of `@socket.io/redis-adapter` and of what came before it, down to the first ones with a uid in the payload, and of the
//! emitters of all languages that speak it.
//!
//! | on the channel | is | read by | made by |
//! |---|---|---|---|
//! | `K#N#`, `K#N#R#` | a broadcast | [`decode`] | [`encode`], [`encode_emitted`] |
//! | `K-request#N#` | a question to all servers, or an order | [`decode_request`] | [`encode_all_rooms`] and its neighbours |
//! | `K-response#N#`, `K-response#N#U#` | the answer of one server | [`decode_response`] | [`Asker`] |
//!
//! `K` is a prefix that all have in common, `N` the namespace, `R` a room, `U` the uid of a server; see [`Channels`].
//!
//! What others publish is read with every tolerance that is known to be needed, and refused with a [`Junk`] otherwise: it never
//! panics, takes time linear in its length and is nested no deeper than [`MAX_DEPTH`]. What we publish is what the strictest
//! of the readers survives: some end their process on bytes they do not expect.
//!
//! Reading order: `channels`, `opts`, `broadcast`; then `request` and `response` with their encoders; `walk` and `values` are the
//! tools below, `legacy` is the oldest dialect.

mod broadcast;
mod channels;
mod json_out;
mod junk;
mod legacy;
mod opts;
mod request;
mod request_decode;
mod request_encode;
mod response;
mod response_encode;
#[cfg(test)]
mod tests;
mod values;
mod walk;

pub use broadcast::{Broadcast, decode, encode, encode_emitted, is_duplicate};
pub use channels::{Channels, Target};
pub use junk::{Junk, Unpublishable};
pub use opts::{Names, OptFlags, Opts};
pub use request::{BroadcastEvent, Incoming, Request, is_reserved_server_event};
pub use request_decode::decode_request;
pub use request_encode::{
    encode_all_rooms, encode_broadcast, encode_disconnect, encode_fetch, encode_join, encode_leave,
    encode_server_side_emit, encode_sockets,
};
pub use response::{Answer, AnswerBody, FetchedSocket, decode_response};
pub use response_encode::Asker;

/// How deep arrays and objects may be nested inside one argument, both ways. `notepack.io` and `JSON.stringify` of the reference
/// overflow their stack at a few thousand.
pub const MAX_DEPTH: usize = 1000;

/// The uid of everything that publishes and is no server.
pub const EMITTER: &str = "emitter";
