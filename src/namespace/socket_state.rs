//! What a socket is made of: the state that all its handles share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytestring::ByteString;
use indexmap::IndexMap;
use parking_lot::Mutex;

use super::ack::AckTable;
use super::broadcast_acks::BroadcastAcks;
use super::event::Event;
use super::handshake::Handshake;
use super::socket::Room;
use super::table::{NamespaceInner, OwnNamespace};
use crate::auth::Claims;
use crate::error::Refusal;
use crate::hub::{HubHandle, MemberKey};
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::{ProtocolVersion, SocketId, Transport};
use crate::protocol::socketio::{Args, Value};

/// What runs before each event of a socket; see [`Socket::use_middleware`].
pub(crate) type SocketMiddleware = Arc<
    dyn Fn(&Event) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>
        + Send
        + Sync,
>;

// What each event needs comes first, beside the counters of the `Arc`: it is read from memory, among a thousand others.
#[repr(C)]
pub(crate) struct SocketInner {
    pub(crate) nsp: OwnNamespace,
    pub(crate) hub: Arc<HubHandle>,
    pub(super) member: Mutex<Option<MemberKey>>,
    pub(super) connected: AtomicBool,
    pub(super) has_middleware: AtomicBool,
    /// [`Transport`] of the session, which an upgrade changes for all its sockets.
    is_websocket: AtomicBool,
    /// Set while the socket is in the room of its own id, which is no entry of `rooms`.
    pub(super) own_room: AtomicBool,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) recovered: bool,

    // Seldom.
    pub(crate) id: SocketId,
    pub(crate) pid: Option<ByteString>,
    pub(crate) handshake: Arc<Handshake>,
    pub(crate) auth: Args,
    pub(super) end_reason: Mutex<Option<DisconnectReason>>,
    /// The truth about rooms; hub and registry hold indexes of it, told in the same order under this lock.
    pub(super) rooms: Mutex<Rooms>,
    /// An empty object until it is set: most sockets have none.
    pub(super) data: Mutex<Option<Box<Value>>>,
    pub(super) acks: Mutex<AckTable>,
    /// Of its token, if its namespace requires one.
    pub(super) claims: Mutex<Option<Arc<Claims>>>,
    pub(super) middleware: Mutex<Box<[SocketMiddleware]>>,
}

impl std::fmt::Debug for SocketInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketInner")
            .field("id", &self.id)
            .field("nsp", &self.nsp.name())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(super) struct Rooms {
    pub(super) joined: BTreeSet<Room>,
    /// After the end: nothing can be joined.
    pub(super) closed: bool,
}

/// What a socket starts with.
pub(crate) struct Opening {
    pub(crate) id: SocketId,
    pub(crate) pid: Option<ByteString>,
    pub(crate) nsp: OwnNamespace,
    pub(crate) hub: Arc<HubHandle>,
    pub(crate) handshake: Arc<Handshake>,
    pub(crate) auth: Args,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) transport: Transport,
    pub(crate) recovered: bool,
    pub(crate) data: Option<Value>,
}

impl SocketInner {
    pub(crate) fn new(opening: Opening) -> Arc<Self> {
        let Opening {
            id,
            pid,
            nsp,
            hub,
            handshake,
            auth,
            protocol,
            transport,
            recovered,
            data,
        } = opening;
        Arc::new(Self {
            id,
            pid,
            nsp,
            hub,
            member: Mutex::new(None),
            handshake,
            auth,
            protocol,
            recovered,
            is_websocket: AtomicBool::new(transport == Transport::Websocket),
            connected: AtomicBool::new(false),
            end_reason: Mutex::new(None),
            own_room: AtomicBool::new(false),
            rooms: Mutex::default(),
            data: Mutex::new(data.map(Box::new)),
            acks: Mutex::default(),
            claims: Mutex::default(),
            has_middleware: AtomicBool::new(false),
            middleware: Mutex::default(),
        })
    }

    pub(crate) const fn id(&self) -> &SocketId {
        &self.id
    }

    pub(crate) fn namespace(&self) -> &NamespaceInner {
        &self.nsp
    }

    pub(crate) fn is_in_own_room(&self) -> bool {
        self.own_room.load(Ordering::Relaxed)
    }

    pub(crate) fn transport(&self) -> Transport {
        match self.is_websocket.load(Ordering::Relaxed) {
            false => Transport::Polling,
            true => Transport::Websocket,
        }
    }

    pub(crate) fn set_transport(&self, transport: Transport) {
        let is_websocket = transport == Transport::Websocket;
        self.is_websocket.store(is_websocket, Ordering::Relaxed);
    }

    pub(crate) fn seat_at(&self, member: MemberKey) {
        *self.member.lock() = Some(member);
    }

    pub(crate) fn set_connected(&self) {
        self.connected.store(true, Ordering::Release);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// No rooms can be joined any more, and nobody will answer: the rooms of before, which stay
    /// readable until [`SocketInner::forget_rooms`].
    pub(crate) fn close(&self, reason: DisconnectReason) -> Vec<Room> {
        self.connected.store(false, Ordering::Release);
        self.end_reason.lock().get_or_insert(reason);
        self.acks.lock().clear();
        let mut rooms = self.rooms.lock();
        rooms.closed = true;
        *self.member.lock() = None;
        rooms.joined.iter().cloned().collect()
    }

    pub(crate) fn forget_rooms(&self) {
        self.rooms.lock().joined.clear();
        self.own_room.store(false, Ordering::Relaxed);
    }

    /// Hands over an answer: how long it took. `None` if nobody waits for it (any more).
    pub(crate) fn resolve_ack(&self, id: u64, args: Args) -> Option<Duration> {
        let mut acks = self.acks.lock();
        acks.resolve(id, args)
    }

    pub(crate) fn await_broadcast_ack(&self, id: u64, acks: &Arc<BroadcastAcks>) {
        self.acks.lock().wait_broadcast(id, Arc::clone(acks));
    }

    pub(crate) fn data(&self) -> Value {
        match &*self.data.lock() {
            Some(data) => Value::clone(data),
            None => Value::Object(IndexMap::new()),
        }
    }

    pub(crate) fn rooms(&self) -> Vec<Room> {
        let own = self.is_in_own_room().then(|| Room::from(self.id.as_str()));
        own.into_iter()
            .chain(self.rooms.lock().joined.iter().cloned())
            .collect()
    }

    /// The middleware that runs before each event, if there is any.
    pub(crate) fn middleware(&self) -> Vec<SocketMiddleware> {
        if self.has_middleware.load(Ordering::Acquire) {
            self.middleware.lock().to_vec()
        } else {
            Vec::new()
        }
    }
}
