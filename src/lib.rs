//! Greenroom: an actor-based Socket.IO server.
//!
//! A binary that serves a chat, and a crate: applications are handler actors, registered for a
//! namespace, that receive each event as a message. Real Socket.IO clients of every version connect to
//! it, over polling and WebSocket.
//!
//! ```
//! use greenroom::prelude::*;
//!
//! /// `socket.emit("say", room, text)` with an ack, from any Socket.IO client.
//! #[derive(Deserialize)]
//! struct Say(String, String);
//!
//! #[derive(Default)]
//! struct Chat;
//!
//! impl Actor for Chat {
//!     type Context = Context<Self>;
//! }
//!
//! impl Handler<On<Say>> for Chat {
//!     type Result = ();
//!
//!     fn handle(&mut self, On { args: Say(room, text), socket, ack, .. }: On<Say>, _: &mut Context<Self>) {
//!         if !socket.is_in(&room) {
//!             return ack.send("join first");
//!         }
//!         socket.to(&room).emit("said", (socket.id(), text));
//!         ack.send(());
//!     }
//! }
//!
//! # fn main() -> Result<(), greenroom::Error> {
//! let server = Server::builder()
//!     .namespace("/", per_worker(Chat::default).on::<Say>("say"))
//!     .build()?;
//! # let _ = || {
//! server.run()
//! # };
//! # Ok(())
//! # }
//! ```
//!
//! # Where to start
//!
//! | to | read |
//! |---|---|
//! | write a handler | [`Handlers`], [`Event`] and [`On`], [`Connect`], [`Ack`], [`Socket`] |
//! | emit from anywhere | [`Server`], [`Namespace`], [`Broadcast`] |
//! | test a handler | [`testing`] |
//! | mount it into an actix-web `App` | [`Server::routes`] |
//! | configure it | [`config`] |
//! | use Engine.IO, or WebSockets, alone | [`engine`], [`WebSocketRoute`] |
//! | understand the wire | [`protocol`] |
//!
//! # Architecture
//!
//! Three words that must not be mixed: a **session** is one Engine.IO session (one client, a private
//! sid, one transport at a time, two while upgrading); a **socket** is that session's presence in one
//! namespace (a public id that is never the sid); a **seat** is a session's place on a worker.
//!
//! Ours alone: a **hub** has the seats and rooms of one worker; an **outbox** is what waits to be written
//! to one client; a **parcel** is one packet in an outbox, shared by all that get it; a **carrier** is the
//! way a WebSocket reaches us; a **fan-out** is a broadcast on its way to the hubs.
//!
//! ## Who owns what
//!
//! | actor | how many, where | owns | never |
//! |---|---|---|---|
//! | `Session` (`src/session`) | one per client, on the worker that answered its handshake | the state of the session, its sockets, its upgrade; reads its WebSocket | runs inside a response body |
//! | `Hub` (`src/hub`) | one per worker and server | seats, outboxes, this worker's rooms, heartbeats; writes to the clients | awaits; parses a packet |
//! | `Registry` (`src/registry`) | one per server, on its own thread | which socket of this node is in which room, for those who ask | stands on the delivery path |
//! | handler actors | one per worker, or one for all: the author's choice | the application | are known by type in our code |
//!
//! The truth about a socket (its rooms, data, outstanding acks) is in the socket itself, which handles
//! share; hub and registry keep indexes of it, told of each join and leave in the same order.
//!
//! ## Journeys
//!
//! 1. **An event and its ack.** The session's task reads the stream into the worker's one buffer, decodes
//!    the frame where it lies, and copies the packet's text once, into what the handler will own. One
//!    message to the handler. `ack.send` encodes once, straight into the outbox of the client if it sits on
//!    the same worker. When everything that was ready has run, the hub writes each outbox that has
//!    something in it, with one system call.
//! 2. **A broadcast.** Encoded once, on the caller's thread. One message to each hub of another worker; the
//!    own one is called. A hub makes the frame once and puts the same parcel into the outbox of each member
//!    that its rooms name.
//! 3. **A poll** is answered from the outbox without waking the session; what a POST brings goes through the
//!    session as frames do.
//! 4. **The end.** Whatever ends a session goes through one function, `Session::finish`: handlers are told
//!    (rooms still readable), hub and registry forget, the transport gets a last word.
//!
//! ## Two carriers
//!
//! *Direct*: [`Server::run`] takes the TCP stream over after the handshake; an upgrade that lands on another
//! worker moves its stream to the session. *Mounted*: inside anybody's `App`, actix-web keeps the stream,
//! and the response body is the outbox. Both decode with [`protocol::websocket`]. The frames of a mounted
//! connection reach the session in messages, one chunk at a time, because its stream may be polled on
//! another worker. `actix_web_actors` answers the mounted handshake; its codec is not used, since it hides
//! the bits that compression needs and leaves fragments unjoined.
//!
//! ## Order
//!
//! 1. Packets of one session reach a given handler in the order of their arrival.
//! 2. Everything one handler actor sends to one socket (emits, broadcasts, acks) arrives in the order of the
//!    calls. A thread always takes the same way to a hub: a call if the hub is its own, a message if not.
//!
//! ## Bounds
//!
//! Every buffer that a peer can fill has a cap in [`config::Limits`]. A client whose handler is full is not
//! read until there is room; one that does not read is ended when its outbox is full. Refusals are counted by
//! cause ([`Server::counters`]).
//!
//! ## What is hot
//!
//! `Reader::decode`, `Session::packet`, `Session::event`, `Space::select`, `Hub::fan_out`, `Seat::push`,
//! `Seat::flush`, `Direct::poll_read`, `Direct::write`. Each begins with a `// Hot:` comment that says what it
//! costs. The socket write is most of a delivery: elsewhere clarity wins.

mod carrier;
mod cluster;
pub mod config;
pub mod engine;
mod error;
pub mod handlers;
mod http;
mod hub;
mod metrics;
mod namespace;
pub mod protocol;
mod publisher;
mod recovery;
pub mod redis;
mod registry;
mod server;
mod session;
mod subscriber;
pub mod testing;

pub use carrier::raw::{WebSocket, WebSocketMessage, WebSocketRoute};
pub use error::{AckError, ArgsError, EmitError, EncodeError, Error, JoinError, Refusal, to_value};
pub use http::{HeaderHook, RequestHead, pages::pages};
pub use namespace::{
    Ack, Answer, Answers, Broadcast, Connect, Disconnect, Disconnecting, Event, Gathered, Handlers,
    Handshake, IntoRooms, Namespace, On, RemoteSocket, Room, RoomEvent, ServerAck, ServerEvent,
    Silent, Socket, per_worker, shared,
};
pub use protocol::DisconnectReason;
pub use protocol::engineio::{ProtocolVersion, SocketId, Transport};
pub use protocol::socketio::{Args, Binary, Value};
pub use server::{Server, ServerBuilder};

/// What most programs need: `use greenroom::prelude::*;`.
pub mod prelude {
    pub use crate::config::Config;
    pub use crate::{
        Ack, Args, Binary, Broadcast, Connect, Disconnect, DisconnectReason, Disconnecting, Event,
        Namespace, On, Refusal, Room, Server, ServerEvent, Socket, SocketId, Value, per_worker, shared,
    };
    pub use actix::prelude::*;
    pub use serde::{Deserialize, Serialize};
}
