//! Greenroom: an actor-based Socket.IO cluster server.
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
//! | make several servers one | [`config::RedisConfig`], [`Gathered`], [`ServerEvent`], [`Socket::join_confirmed`] |
//! | handle events in another language | [`backend`] |
//! | emit from a program that is no server | [`Emitter`], or over HTTP the [`api()`] |
//! | ask the servers from one | [`Observer`] |
//! | test a handler | [`testing`] |
//! | mount it into an actix-web `App` | [`Server::routes`] |
//! | end it | [`Server::stop`], [`Server::drain`] |
//! | watch it | [`monitoring`], [`Server::counters`], [`Server::trouble`] |
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
//! way a WebSocket reaches us; a **fan-out** is a broadcast on its way to the hubs. In a cluster a **node** is one
//! server; a **lease** is the key in Redis that says that it lives; an **entry** is a socket in the list of what it
//! has stored; the **canary** is a message to itself that shows whether it hears.
//!
//! ## Who owns what
//!
//! | actor | how many, where | owns | never |
//! |---|---|---|---|
//! | `Session` (`src/session`) | one per client, on the worker that answered its handshake | the state of the session, its sockets, its upgrade; reads its WebSocket | runs inside a response body |
//! | `Hub` (`src/hub`) | one per worker and server | seats, outboxes, this worker's rooms, heartbeats; writes to the clients | awaits; parses a packet |
//! | `Registry` (`src/registry`) | one per server, on its own thread | which socket of this node is in which room; the data connection; questions to the cluster and their answers | stands on the delivery path |
//! | `Publisher` (`src/publisher.rs`) | one per server, if it has a Redis, on a thread with the next (of one worker: on it) | the publish connection (its own or, with RESP3, that of the next), what waits for it | blocks a sender |
//! | `Subscriber` (`src/subscriber`) | one per server, beside the publisher | the subscribe connection, which channels are wanted | delivers to a session itself |
//! | handler actors | one per worker, or one for all: the author's choice | the application | are known by type in our code |
//!
//! The truth about a socket (its rooms, data, outstanding acks) is in the socket itself, which handles
//! share; hub and registry keep indexes of it, told of each join and leave in the same order. The registry hears of what
//! happened in a round of a worker's event loop at its end, and of everything before a question: it has a thread of its
//! own, and waking that for each join was a quarter of what a client costs that comes and goes.
//!
//! ## Journeys
//!
//! 1. **An event and its ack.** The session's task reads the stream into the worker's one buffer, decodes
//!    the frame where it lies, and copies the packet's text once, into what the handler will own. One
//!    message to the handler. `ack.send` encodes once, straight into the outbox of the client if it sits on
//!    the same worker. When everything that was ready has run, the hub writes the outboxes that have something in them: one
//!    `send` for a single one, and one call of io_uring for up to 256 (`carrier/ring`).
//! 2. **A broadcast.** Encoded once, on the caller's thread. One message to each hub of another worker that has one of
//!    the rooms, as `Locals` knows without a lock; the own one is called. A hub makes the frame once and puts the same
//!    parcel into the outbox of each member that its rooms name.
//! 3. **A poll** is answered from the outbox without waking the session; what a POST brings goes through the
//!    session as frames do.
//! 4. **A broadcast in a cluster.** On the caller's thread it is also encoded for the other servers and queued for
//!    the publisher, which writes what has gathered since its last write at once; on the thread of a single worker before the
//!    hub writes to its own clients. The subscriber of another node drops
//!    what is its own and what is for rooms without members there before it decodes anything; of the rest it transcodes
//!    the arguments into the packet of its clients, and makes one fan-out. Nobody waits for Redis on this way.
//! 5. **A join.** If there are other workers or a cluster, the hub tells `Locals` of the first member of a room; with exact
//!    subscriptions the subscriber hears of it from there. An order to join that is on its way to a hub is known there too:
//!    what is sent after it goes to all. In a cluster the registry's store writes the difference between what a socket is in and what
//!    Redis has, in batches, one on its way at a time.
//! 6. **A question to the cluster** is asked by the registry: it counts who listens, publishes, and collects answers until
//!    all are there or the time is up. What is there then is the answer, with the names of the silent.
//! 7. **The end.** Whatever ends a session goes through one function, `Session::finish`: handlers are told
//!    (rooms still readable), hub and registry forget, the transport gets a last word.
//! 8. **The end of a server** is [`Server::drain`]: each hub gives each of its sessions a moment in which it ends so. A signal
//!    or [`Server::stop`] begins it for a server that [runs](Server::run); with its actix system all its threads end.
//!
//! ## Two carriers
//!
//! *Direct*: the listener of [`Server::run`] reads requests to the engine itself (`http/connection`), answers polls, and
//! keeps the TCP stream of a WebSocket; an upgrade that lands on another worker moves its stream to the session. What is
//! not for the engine, or not plain, goes to actix-http with its connection: of a poll, half of what the process did was
//! there. *Mounted*: inside anybody's `App`, actix-web keeps the stream, and the response body is the outbox; with
//! [`Server::on_connect`] the hub writes past it, by a second descriptor of the connection, to whom takes what he gets
//! (`carrier/shortcut`: a third less CPU). Both decode
//! with [`protocol::websocket`], in the session's own task. Only the frames of a mounted upgrade, whose stream may be polled on
//! another worker, reach the session in messages, one chunk at a time. `actix_web_actors` answers the mounted
//! handshake; its codec is not used, since it hides the bits that compression needs and leaves fragments unjoined.
//!
//! ## Programs elsewhere
//!
//! [`backend`] is a handler as anybody could write one: a relay per worker, which posts what sockets do and carries out the
//! answers. Webhooks are told by session and registry, whatever the handlers are; a courier on a thread of its own delivers
//! them. Both go through `outbound`, the one place that makes requests. Neither is on the delivery path. The [`api()`] is
//! the other way round: commands of a backend, carried out by [`Server`], [`Namespace`] and [`Broadcast`] as anybody would.
//! [`Observer`] asks a cluster without being a server of it.
//!
//! ## Who comes in
//!
//! In this order, and the first refusal ends it: the number of connections that are silent (`http/arrivals`), a PROXY
//! header or TLS where they are on, the origin of the page, the address's rate, the hooks of the program, the caps on
//! connections; then for each namespace its token (`auth`), middleware and handler. An address is that of the client only if
//! `http/proxies` believes who says so. `rates` weighs each packet before it is looked at, with buckets that the session
//! owns; those of an address are shared by its sessions.
//!
//! ## From start to end
//!
//! [`config::Source`] says where settings are from, so that SIGHUP can read them again: what may change is in `server/reload`,
//! behind pointers that are swapped; the rest is as it was at the start. `http/ending` hears the signals, `server/drain` is the
//! end, step by step. [`monitoring`] tells others how it goes, and `http/systemd` the service manager.
//!
//! ## Redis
//!
//! Three tasks with three owners: to publish, to hear, to store. Where publishing and hearing go to one server that speaks
//! RESP3, they share a connection (`cluster/lent`), else each has its own. None of them is needed for anything between the clients of one node: away, slow or
//! broken, it costs the messages between nodes (counted as `publish_lost`) and nothing else. Each owner dials again for
//! ever; `Health` makes one line in the log of it when the first breaks and one when the last is back.
//!
//! The wire is that of `@socket.io/redis-adapter` ([`protocol::adapter`]), read with all tolerances that are known to be
//! needed and written so that every peer survives it. `Cluster` is the seam: it names operations, and other wires (the
//! sharded adapter, streams) would take their place there and in the subscriber.
//!
//! What is stored are the SETs of the first Redis adapters, kept true: a lease for each node, which others reap when it
//! has run out; a comparison with what is true after each break, flush or restart (`registry/store`).
//!
//! ## Order
//!
//! 1. Packets of one session reach a given handler in the order of their arrival.
//! 2. Everything one handler actor sends to one socket (emits, broadcasts, acks) arrives in the order of the
//!    calls. A thread always takes the same way to a hub: a call if the hub is its own, a message if not.
//! 3. From one node to another: the order of publishing. Between nodes none.
//!
//! ## Bounds
//!
//! Every buffer that a peer can fill has a cap in [`config::Limits`], and one that a backend can fill in
//! [`config::ApiConfig`]. A client whose handler is full is not read until there is room; one that does not read is ended
//! when its outbox is full. Refusals are counted by cause ([`Server::counters`]). What is frequent (packets, events,
//! deliveries) each hub counts for itself, in plain numbers; hubs are asked for them when somebody reads [the
//! metrics](monitoring).
//!
//! ## What is hot
//!
//! `Reader::decode`, `Session::packet`, `json_plain::array`, `Session::event`, `Space::select`, `Hub::fan_out`, `Seat::push`,
//! `Hub::write_together`, `Ring::send`, `Seat::flush`, `Direct::poll_read`, `Direct::write`; for polls `Head::take` and `Wire::write`; in a cluster `adapter::encode`, `Publications::push`,
//! `Link::pipeline`, `Subscriber::incoming`, `Locals::concerned`, `adapter::decode`. Each begins with a `// Hot:` comment that says what it
//! costs. `Ring::send` is the only unsafe code: what a system call costs before and after its work is up to a quarter of a
//! broadcast. It waits for nothing, and what it could not write goes the ordinary way. `benches/` counts them, in instructions; the figures are in `docs/performance.md`. The socket write is most of a delivery:
//! elsewhere clarity wins.

mod api;
mod auth;
pub mod backend;
mod carrier;
mod clock;
mod cluster;
pub mod config;
mod emitter;
pub mod engine;
mod error;
pub mod handlers;
#[cfg(feature = "_bench")]
#[doc(hidden)]
pub mod hot;
mod http;
mod hub;
mod locals;
mod metrics;
mod namespace;
mod observer;
mod outbound;
pub mod protocol;
mod publisher;
mod rates;
mod recovery;
pub mod redis;
mod registry;
mod server;
mod session;
mod subscriber;
pub mod testing;
mod throttle;
mod webhooks;

pub use api::api;
pub use carrier::raw::{WebSocket, WebSocketMessage, WebSocketRoute};
pub use emitter::{Emitter, EmitterBroadcast, EmitterError};
pub use error::{AckError, ArgsError, EmitError, EncodeError, Error, JoinError, Refusal, to_value};
pub use http::{HeaderHook, RequestHead, monitor::monitoring, pages::pages};
pub use namespace::{
    Ack, Answer, Answers, Broadcast, Connect, Disconnect, Disconnecting, Event, Gathered, Handlers,
    Handshake, IntoRooms, Namespace, On, RemoteSocket, Room, RoomEvent, ServerAck, ServerEvent,
    Silent, Socket, per_worker, shared, user_room,
};
pub use observer::{Check, Observer};
pub use protocol::DisconnectReason;
pub use protocol::engineio::{ProtocolVersion, SocketId, Transport};
pub use protocol::socketio::{Args, Binary, Value};
pub use registry::{DeadNode, GcError, GcReport, gc};
pub use server::{Node, Nodes, Server, ServerBuilder};

// The code of the guide is compiled and run by the tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/handlers.md")]
struct HandlersGuide;

#[cfg(doctest)]
#[doc = include_str!("../docs/load-testing.md")]
struct LoadTestingGuide;

/// What most programs need: `use greenroom::prelude::*;`.
pub mod prelude {
    pub use crate::config::Config;
    pub use crate::{
        Ack, Args, Binary, Broadcast, Connect, Disconnect, DisconnectReason, Disconnecting, Event,
        Namespace, On, Refusal, Room, Server, ServerEvent, Socket, SocketId, Value, per_worker,
        shared,
    };
    pub use actix::prelude::*;
    pub use serde::{Deserialize, Serialize};
}
