//! What handler authors see: sockets, events, acks, broadcasts, and how handlers are registered.

mod ack;
mod broadcast;
mod broadcast_acks;
mod dispatch;
mod event;
mod gathered;
mod handlers;
mod handshake;
mod pairs;
mod remote;
mod server_event;
mod server_side;
mod socket;
mod socket_rooms;
mod socket_state;
mod table;
mod token;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use serde::Serialize;

pub use ack::{Ack, Answer};
pub use broadcast::{Broadcast, IntoRooms};
pub use broadcast_acks::Answers;
pub(crate) use broadcast_acks::{BroadcastAcks, Relayed};
pub(crate) use dispatch::{Definition, Delivery, Dispatch};
pub use event::{Connect, Disconnect, Disconnecting, Event, On, RoomEvent};
pub use gathered::{Gathered, Silent};
pub use handlers::{Handlers, per_worker, shared};
pub use handshake::Handshake;
pub(crate) use pairs::Pairs;
pub use remote::RemoteSocket;
pub use server_event::{ServerAck, ServerEvent};
pub use socket::{Room, Socket, user_room};
pub(crate) use socket_state::{Opening, SocketInner};
pub(crate) use table::{Children, NamespaceInner, Namespaces, NotEntered, OwnNamespace, Predicate};
pub(crate) use token::{Fresh, require as require_token};

use crate::SocketId;
use crate::error::EmitError;
use crate::registry;

/// A namespace: emits to its sockets and asks about them, from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Namespace(OwnNamespace);

impl Namespace {
    pub(crate) fn new(inner: Arc<NamespaceInner>) -> Self {
        Self(OwnNamespace::new(inner))
    }

    fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.0.clone())
    }

    /// Its name, `/` or `/chat`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// How many sockets it has on this server, those included that are about to be let in.
    #[must_use]
    pub fn n_sockets(&self) -> usize {
        self.0.n_sockets()
    }

    /// To the sockets in a room, or in any of several.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().to(rooms)
    }

    /// As [`Namespace::to`].
    pub fn within(&self, rooms: impl IntoRooms) -> Broadcast {
        self.to(rooms)
    }

    /// To everybody but the sockets in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().except(rooms)
    }

    /// To everybody on this server.
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }

    /// To everybody who can take it at once.
    pub fn volatile(&self) -> Broadcast {
        self.broadcast().volatile()
    }

    /// To everybody, compressed or not.
    pub fn compress(&self, compress: bool) -> Broadcast {
        self.broadcast().compress(compress)
    }

    /// To everybody, waiting so long for answers.
    pub fn timeout(&self, timeout: Duration) -> Broadcast {
        self.broadcast().timeout(timeout)
    }

    /// To everybody: the broadcast itself, for flags that are known at run time.
    pub fn all(&self) -> Broadcast {
        self.broadcast()
    }

    /// Emits an event to everybody; see [`Broadcast::emit`].
    pub fn emit<T: Serialize>(&self, name: &str, values: T) {
        self.broadcast().emit(name, values);
    }

    /// As [`Namespace::emit`].
    ///
    /// # Errors
    /// The values cannot be serialized, or the name is reserved or too long.
    pub fn try_emit<T: Serialize>(&self, name: &str, values: T) -> Result<(), EmitError> {
        self.broadcast().try_emit(name, values)
    }

    /// Emits an event to everybody and collects the answers; see [`Broadcast::emit_with_ack`].
    ///
    /// # Errors
    /// As [`Namespace::try_emit`].
    pub fn emit_with_ack<T: Serialize>(
        &self,
        name: &str,
        values: T,
    ) -> impl Future<Output = Result<Answers, EmitError>> + Send + use<T> {
        self.broadcast().emit_with_ack(name, values)
    }

    /// All its sockets, in the whole cluster; see [`Broadcast::fetch_sockets`].
    pub fn fetch_sockets(
        &self,
    ) -> impl Future<Output = Gathered<Vec<RemoteSocket>>> + Send + use<> {
        self.broadcast().fetch_sockets()
    }

    /// Makes all its sockets join these rooms.
    pub fn sockets_join(&self, rooms: impl IntoRooms) {
        self.broadcast().sockets_join(rooms);
    }

    /// Makes all its sockets leave these rooms.
    pub fn sockets_leave(&self, rooms: impl IntoRooms) {
        self.broadcast().sockets_leave(rooms);
    }

    /// Disconnects all its sockets, with `close` their whole sessions.
    pub fn disconnect_sockets(&self, close: bool) {
        self.broadcast().disconnect_sockets(close);
    }

    /// The names of all rooms in the whole cluster, sorted, those of the sockets' own ids included. Asked at once.
    pub fn all_rooms(&self) -> impl Future<Output = Gathered<Vec<Room>>> + Send + use<> {
        let answer = self.0.shared().ask_registry(registry::AllRooms {
            index: self.0.index,
            nsp: self.0.name().into(),
        });
        async move { answer.await.unwrap_or_default() }
    }

    /// How many sockets are in a room, in the whole cluster. Asked at once.
    pub fn room_size(&self, room: &str) -> impl Future<Output = Gathered<usize>> + Send + use<> {
        let ids = self.ids(vec![room.into()]);
        async move {
            let ids = ids.await;
            Gathered::new(ids.found.len(), ids.silent)
        }
    }

    /// The ids of the sockets in any of these rooms in the whole cluster, or of all if no room is named, sorted. Asked
    /// at once. Much less has to be said for it than for [`Broadcast::fetch_sockets`].
    pub fn socket_ids<R: IntoRooms>(
        &self,
        rooms: R,
    ) -> impl Future<Output = Gathered<Vec<SocketId>>> + Send + use<R> {
        let ids = self.ids(rooms.into_rooms().collect());
        async move {
            let ids = ids.await;
            Gathered::new(ids.found.into_iter().collect(), ids.silent)
        }
    }

    fn ids(
        &self,
        rooms: Vec<Room>,
    ) -> impl Future<Output = Gathered<BTreeSet<SocketId>>> + Send + use<> {
        let answer = self.0.shared().ask_registry(registry::SocketIds {
            index: self.0.index,
            nsp: self.0.name().into(),
            rooms,
        });
        async move { answer.await.unwrap_or_default() }
    }

    /// How many servers have this namespace: this one, and those that Redis knows to listen to its requests.
    ///
    /// While Redis is away it is this one and those that were there before, which are
    /// [silent](Gathered::silent).
    pub fn server_count(&self) -> impl Future<Output = Gathered<usize>> + Send + use<> {
        let nsp = self.0.name().into();
        let answer = self.0.shared().ask_registry(registry::CountServers { nsp });
        async move { answer.await.unwrap_or(Gathered::alone(1)) }
    }

    /// The server it belongs to.
    #[must_use]
    pub fn server(&self) -> crate::Server {
        crate::Server::from(Arc::clone(self.0.shared()))
    }

    /// Tells `watcher` of each room that is created, joined, left, deleted, from now on.
    pub fn watch_rooms(&self, watcher: Recipient<RoomEvent>) {
        let nsp = self.0.index;
        self.0
            .shared()
            .tell_registry(|| registry::WatchRooms { nsp, watcher });
    }
}
