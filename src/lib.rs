//! Greenroom: an actor-based Socket.IO server.

mod carrier;
pub mod config;
pub mod engine;
mod error;
pub mod handlers;
mod http;
mod hub;
mod metrics;
mod namespace;
pub mod protocol;
mod recovery;
mod registry;
mod server;
mod session;
pub mod testing;

pub use carrier::raw::{WebSocket, WebSocketMessage, WebSocketRoute};
pub use error::{AckError, ArgsError, EmitError, EncodeError, Error, Refusal, to_value};
pub use http::{HeaderHook, RequestHead, pages::pages};
pub use namespace::{
    Ack, Answer, Answers, Broadcast, Connect, Disconnect, Disconnecting, Event, Handlers,
    Handshake, IntoRooms, Namespace, On, RemoteSocket, Room, RoomEvent, Socket, per_worker, shared,
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
        Namespace, On, Refusal, Room, Server, Socket, SocketId, Value, per_worker, shared,
    };
    pub use actix::prelude::*;
    pub use serde::{Deserialize, Serialize};
}
