//! A socket as a query found it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;

use super::broadcast::{Broadcast, IntoRooms};
use super::handshake::{Handshake, HandshakeObject};
use super::socket::{Room, Socket};
use super::socket_state::SocketInner;
use super::table::OwnNamespace;
use crate::SocketId;
use crate::error::{AckError, ArgsError, EmitError, to_value};
use crate::protocol::adapter::FetchedSocket;
use crate::protocol::socketio::{Args, Value};

/// A socket that [`Broadcast::fetch_sockets`] found, on this server or another: what was true of it then, and
/// the means to address it now.
///
/// Shape (serialized): `{"id", "handshake", "rooms", "data"}`, as servers of a cluster exchange it.
#[derive(Clone, Debug)]
pub struct RemoteSocket {
    nsp: OwnNamespace,
    id: SocketId,
    rooms: Vec<Room>,
    data: Value,
    pub(super) handshake: HandshakeObject,
    /// Set if it is on this server.
    here: Option<Arc<SocketInner>>,
}

impl RemoteSocket {
    pub(crate) fn here(socket: Arc<SocketInner>) -> Self {
        Self {
            nsp: socket.nsp.clone(),
            id: socket.id().clone(),
            rooms: socket.rooms(),
            data: socket.data(),
            handshake: HandshakeObject::new(&socket),
            here: Some(socket),
        }
    }

    pub(crate) fn elsewhere(nsp: &OwnNamespace, fetched: FetchedSocket) -> Self {
        Self {
            nsp: nsp.clone(),
            id: SocketId::from(&*fetched.id),
            rooms: fetched.rooms,
            data: fetched.data,
            handshake: HandshakeObject::of_another_server(&fetched.handshake),
            here: None,
        }
    }

    /// Its rooms, data and handshake, as other servers get them.
    pub(crate) fn into_public(self) -> (Vec<Room>, Value, Value) {
        let handshake = to_value(&self.handshake).unwrap_or_default();
        (self.rooms, self.data, handshake)
    }

    /// The id of the socket.
    #[must_use]
    pub const fn id(&self) -> &SocketId {
        &self.id
    }

    /// The rooms it was in.
    #[must_use]
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// Whether it is connected to this very server.
    #[must_use]
    pub const fn is_here(&self) -> bool {
        self.here.is_some()
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
    pub fn handshake(&self) -> &Handshake {
        self.handshake.request()
    }

    /// The auth payload it came with; see [`Socket::auth`].
    ///
    /// # Errors
    /// It has another shape.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        Args::from_vec(vec![self.handshake.auth().clone()]).first()
    }

    fn address(&self) -> Broadcast {
        let address = Broadcast::new(self.nsp.clone()).to(&self.id);
        match &self.here {
            // As long as it is here, the other servers need not hear of it.
            Some(socket) if socket.is_connected() => address.local(),
            _ => address,
        }
    }

    /// Emits to it; see [`Socket::emit`].
    pub fn emit<T: Serialize>(&self, name: &str, values: T) {
        self.address().expect_one().emit(name, values);
    }

    /// As [`RemoteSocket::emit`].
    ///
    /// # Errors
    /// The values cannot be serialized, or the name is reserved or too long.
    pub fn try_emit<T: Serialize>(&self, name: &str, values: T) -> Result<(), EmitError> {
        self.address().expect_one().try_emit(name, values)
    }

    /// Emits to it and waits for the answer; see [`Socket::emit_with_ack`].
    pub fn emit_with_ack<T: Serialize>(&self, name: &str, values: T) -> super::Answer {
        let timeout = self.nsp.shared().config.socketio.default_ack_timeout;
        self.emit_with_ack_within(timeout, name, values)
    }

    /// As [`RemoteSocket::emit_with_ack`], waiting so long.
    pub fn emit_with_ack_within<T: Serialize>(
        &self,
        timeout: Duration,
        name: &str,
        values: T,
    ) -> super::Answer {
        match &self.here {
            Some(socket) => Socket::from(Arc::clone(socket))
                .timeout(timeout)
                .emit_with_ack(name, values),
            None => match Args::from_values(&values) {
                Ok(args) => {
                    let address = self.address().timeout(timeout).expect_one();
                    super::Answer::of_one(address.emit_args_with_ack(name, &args))
                }
                Err(err) => super::Answer::unsent(AckError::Unsent(err.into())),
            },
        }
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
        map.serialize_field("id", &self.id)?;
        map.serialize_field("handshake", &self.handshake)?;
        map.serialize_field("rooms", &self.rooms)?;
        map.serialize_field("data", &self.data)?;
        map.end()
    }
}
