//! A socket as a query found it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;

use super::broadcast::{Broadcast, IntoRooms};
use super::handshake::HandshakeObject;
use super::socket::{Room, Socket};
use super::socket_state::SocketInner;
use crate::SocketId;
use crate::error::{ArgsError, EmitError};
use crate::protocol::socketio::{Args, Value};

/// A socket that [`Broadcast::fetch_sockets`] found: what was true of it then, and the means to address
/// it now.
///
/// Shape (serialized): `{"id", "handshake", "rooms", "data"}`, as servers of a cluster exchange it.
#[derive(Clone, Debug)]
pub struct RemoteSocket {
    socket: Arc<SocketInner>,
    rooms: Vec<Room>,
    data: Value,
}

impl RemoteSocket {
    pub(crate) fn new(socket: Arc<SocketInner>) -> Self {
        Self {
            rooms: socket.rooms(),
            data: socket.data(),
            socket,
        }
    }

    /// The id of the socket.
    #[must_use]
    pub fn id(&self) -> &SocketId {
        self.socket.id()
    }

    /// The rooms it was in.
    #[must_use]
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// Its data, parsed.
    ///
    /// # Errors
    /// It has another shape.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        Args::from_vec(vec![self.data.clone()]).first()
    }

    /// The request that opened its session.
    #[must_use]
    pub fn handshake(&self) -> &super::Handshake {
        &self.socket.handshake
    }

    /// The auth payload it came with; see [`Socket::auth`].
    ///
    /// # Errors
    /// It has another shape.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        Socket::from(Arc::clone(&self.socket)).auth()
    }

    fn address(&self) -> Broadcast {
        Broadcast::new(Arc::clone(&self.socket.nsp)).to(self.socket.id())
    }

    /// Emits to it; see [`Socket::emit`].
    pub fn emit<T: Serialize>(&self, name: &str, values: T) {
        self.address().emit(name, values);
    }

    /// As [`RemoteSocket::emit`].
    ///
    /// # Errors
    /// The values cannot be serialized, or the name is reserved or too long.
    pub fn try_emit<T: Serialize>(&self, name: &str, values: T) -> Result<(), EmitError> {
        self.address().try_emit(name, values)
    }

    /// Emits to it and waits for the answer; see [`Socket::emit_with_ack`].
    pub fn emit_with_ack<T: Serialize>(&self, name: &str, values: T) -> super::Answer {
        Socket::from(Arc::clone(&self.socket)).emit_with_ack(name, values)
    }

    /// As [`RemoteSocket::emit_with_ack`], waiting so long.
    pub fn emit_with_ack_within<T: Serialize>(
        &self,
        timeout: Duration,
        name: &str,
        values: T,
    ) -> super::Answer {
        Socket::from(Arc::clone(&self.socket))
            .timeout(timeout)
            .emit_with_ack(name, values)
    }

    /// Makes it join rooms.
    pub fn join(&self, rooms: impl IntoRooms) {
        self.address().sockets_join(rooms);
    }

    /// Makes it leave rooms.
    pub fn leave(&self, rooms: impl IntoRooms) {
        self.address().sockets_leave(rooms);
    }

    /// Disconnects it, with `close` its whole session.
    pub fn disconnect(&self, close: bool) {
        self.address().disconnect_sockets(close);
    }
}

impl Serialize for RemoteSocket {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("RemoteSocket", 4)?;
        map.serialize_field("id", self.socket.id())?;
        map.serialize_field("handshake", &HandshakeObject::new(&self.socket))?;
        map.serialize_field("rooms", &self.rooms)?;
        map.serialize_field("data", &self.data)?;
        map.end()
    }
}
