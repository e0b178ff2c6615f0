//! A client's presence in one namespace.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::smallvec;

use super::ack::Answer;
use super::broadcast::{Broadcast, IntoRooms};
use super::event::Event;
use super::handshake::{Handshake, HandshakeObject};
use super::socket_state::SocketInner;
use crate::error::{AckError, ArgsError, EmitError, JoinError, Refusal, to_value};
use crate::hub::{Command, Fanout, Flags, Selection};
use crate::metrics::Counter;
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::{ProtocolVersion, SocketId, Transport};
use crate::protocol::socketio::{Args, Value};
use crate::registry;
use crate::server::Shared;

/// The name of a room.
pub type Room = ByteString;

/// One client in one namespace: a handle that is cheap to clone and may be used from any thread.
///
/// What is asked of it is answered at once and without asking anybody, and shows what was just done:
/// after `socket.join("a")`, `socket.is_in("a")` is true, and a broadcast to `a` reaches it.
#[derive(Clone, Debug)]
pub struct Socket {
    inner: Arc<SocketInner>,
    flags: Flags,
    timeout: Option<Duration>,
}

impl From<Arc<SocketInner>> for Socket {
    fn from(inner: Arc<SocketInner>) -> Self {
        Self {
            inner,
            flags: Flags::default(),
            timeout: None,
        }
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        self.inner.id == other.inner.id && self.inner.nsp.index == other.inner.nsp.index
    }
}

impl Eq for Socket {}

impl Socket {
    /// The public id: what other clients may see. Never the id of the Engine.IO session.
    #[must_use]
    pub fn id(&self) -> &SocketId {
        &self.inner.id
    }

    /// The name of the namespace, `/` or `/chat`.
    #[must_use]
    pub fn namespace_name(&self) -> &str {
        self.inner.nsp.name()
    }

    /// The namespace, to emit to all of it.
    #[must_use]
    pub fn namespace(&self) -> super::Namespace {
        super::Namespace::new(Arc::clone(&self.inner.nsp))
    }

    /// The request that opened the session.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        &self.inner.handshake
    }

    /// The handshake as the object of the reference, the auth payload included, to be serialized.
    ///
    /// Shape: `{headers, time, address, xdomain, secure, issued, url, query, auth}`.
    #[must_use]
    pub fn handshake_object(&self) -> impl Serialize + use<> {
        HandshakeObject::new(&self.inner)
    }

    /// The server it is connected to.
    #[must_use]
    pub fn server(&self) -> crate::Server {
        crate::Server::from(Arc::clone(self.shared()))
    }

    /// The auth payload of CONNECT, parsed.
    ///
    /// Shape: what the client gave as `auth`; for revision 3 clients the query of the namespace, an
    /// object of strings. `{}` when there was none.
    ///
    /// # Errors
    /// It has another shape.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        if self.inner.auth.is_empty() {
            return Args::from_vec(vec![Value::Object(indexmap::IndexMap::new())]).first();
        }
        self.inner.auth.first()
    }

    /// The auth payload as it came: no or one argument, which can be emitted without being parsed.
    #[must_use]
    pub fn auth_args(&self) -> &Args {
        &self.inner.auth
    }

    /// Whether the socket is connected: after the handler accepted it, before it is told of the end.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// Whether this is an earlier socket that came back with its state.
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        self.inner.recovered
    }

    /// The transport its session has now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        if self.inner.transport.load(Ordering::Relaxed) == 0 {
            Transport::Polling
        } else {
            Transport::Websocket
        }
    }

    /// The revision of Engine.IO that the client speaks.
    #[must_use]
    pub fn protocol(&self) -> ProtocolVersion {
        self.inner.protocol
    }

    /// The rooms it is in, its own first.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        self.inner.rooms()
    }

    /// Whether it is in `room`.
    #[must_use]
    pub fn is_in(&self, room: &str) -> bool {
        (room == self.inner.id.as_str() && self.inner.is_in_own_room())
            || self.inner.rooms.lock().joined.contains(room)
    }

    /// The data that goes with this socket, as any server of the cluster sees it in `fetch_sockets`.
    ///
    /// # Errors
    /// It has another shape.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        Args::from_vec(vec![self.inner.data()]).first()
    }

    /// Replaces the data.
    ///
    /// # Errors
    /// `data` cannot be serialized.
    pub fn set_data<T: Serialize>(&self, data: &T) -> Result<(), EmitError> {
        *self.inner.data.lock() = to_value(data)?;
        Ok(())
    }

    /// Joins one room or several. Each is joined once, in call order with all that this thread emits.
    ///
    /// A room beyond the limit `rooms_per_socket`, or whose name is longer than `room_name_bytes`, is
    /// refused: logged, counted, not joined ([`Socket::is_in`] tells). Without effect after the end.
    pub fn join(&self, rooms: impl IntoRooms) {
        let inner = &self.inner;
        let limits = &inner.nsp.shared().config.limits;
        let mut state = inner.rooms.lock();
        if state.closed {
            return;
        }
        let mut fresh = Vec::new();
        for room in rooms.into_rooms() {
            if *room == *inner.id.as_str() {
                if !inner.own_room.swap(true, Ordering::Relaxed) {
                    fresh.push(room);
                }
            } else if state.joined.contains(&room) {
            } else if room.len() > limits.room_name_bytes
                || state.joined.len() >= limits.rooms_per_socket
            {
                inner.nsp.shared().metrics.count(Counter::RoomRefused);
                let is_too_long = room.len() > limits.room_name_bytes;
                log::debug!(
                    "a room is refused nsp={} id={} why={} bytes={} rooms={}",
                    inner.nsp.name(),
                    inner.id,
                    if is_too_long {
                        "its name is too long"
                    } else {
                        "too many rooms"
                    },
                    room.len(),
                    state.joined.len()
                );
            } else if state.joined.insert(room.clone()) {
                fresh.push(room);
            }
        }
        // Told under the lock, so that hub and registry hear of joins and leaves in the same order.
        let member = *inner.member.lock();
        if let Some(member) = member
            && !fresh.is_empty()
        {
            inner.nsp.shared().tell_registry(|| registry::Joined {
                socket: Arc::clone(inner),
                rooms: fresh.clone(),
            });
            fresh.retain(|room| *room != *inner.id.as_str());
            inner.hub.send(Command::Join {
                member,
                rooms: fresh,
            });
        }
    }

    /// As [`Socket::join`], and waits until the other servers know: until this one hears what is published for the
    /// rooms, and Redis has the membership. At once without a cluster.
    ///
    /// Local clients need not wait for it: what this server emits reaches the socket from the call on.
    ///
    /// # Errors
    /// [`JoinError`] after `redis.requests_timeout`: Redis is away or slow. The rooms are joined all the same, and
    /// Redis is told when it is back.
    pub fn join_confirmed<R: IntoRooms>(
        &self,
        rooms: R,
    ) -> impl Future<Output = Result<(), JoinError>> + Send + use<R> {
        self.join(rooms);
        let shared = Arc::clone(self.shared());
        let hub = Arc::clone(&self.inner.hub);
        let settled = shared.ask_registry(registry::Settled);
        async move {
            let Some(cluster) = &shared.cluster else {
                return Ok(());
            };
            let (confirm, stands) = tokio::sync::oneshot::channel();
            // Behind the join, which may be in the hub's mail.
            hub.send(Command::Confirm(confirm));
            let both = async { tokio::join!(stands, settled) };
            match tokio::time::timeout(cluster.settings.requests_timeout, both).await {
                Ok((Ok(()), Some(true))) => Ok(()),
                _ => Err(JoinError),
            }
        }
    }

    /// Leaves a room.
    pub fn leave(&self, room: impl Into<Room>) {
        let (inner, room) = (&self.inner, room.into());
        let mut state = inner.rooms.lock();
        let was_in = if room == *inner.id.as_str() {
            inner.own_room.swap(false, Ordering::Relaxed)
        } else {
            state.joined.remove(&room)
        };
        let member = *inner.member.lock();
        if let Some(member) = member
            && was_in
        {
            inner.nsp.shared().tell_registry(|| registry::Left {
                socket: Arc::clone(inner),
                room: room.clone(),
            });
            inner.hub.send(Command::Leave { member, room });
        }
    }

    /// Leaves all rooms but its own.
    pub fn leave_all(&self) {
        let rooms: Vec<_> = self.inner.rooms.lock().joined.iter().cloned().collect();
        rooms.into_iter().for_each(|room| self.leave(room));
    }

    /// The next emit may be lost: if the client is not ready to take it at once, it is dropped.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// Whether the next emit may be compressed (it is by default, where compression is on).
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.flags.compress = compress;
        self
    }

    /// How long the next [`Socket::emit_with_ack`] waits.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Emits an event to this client.
    ///
    /// Shape: a tuple is several arguments, `()` none, anything else one; bytes
    /// ([`bytes::Bytes`], [`crate::Binary`]) at any depth become binary attachments.
    /// What cannot be sent is logged; [`Socket::try_emit`] tells why.
    pub fn emit<T: Serialize>(&self, name: &str, values: T) {
        if let Err(err) = self.try_emit(name, values) {
            log::error!("an event was not sent event={name} err={err}");
        }
    }

    /// As [`Socket::emit`].
    ///
    /// # Errors
    /// The values cannot be serialized, or the name is reserved or too long.
    pub fn try_emit<T: Serialize>(&self, name: &str, values: T) -> Result<(), EmitError> {
        let args = Args::from_values(&values)?;
        self.emit_args(name, &args)
    }

    /// Emits arguments that are encoded already, for example those of an event: nothing is parsed.
    ///
    /// # Errors
    /// The name is reserved or too long.
    pub fn emit_args(&self, name: &str, args: &Args) -> Result<(), EmitError> {
        let shared = self.inner.nsp.shared();
        shared.check_event_name(name)?;
        let nsp = &self.inner.nsp;
        let own = || Selection {
            rooms: smallvec![Room::from(self.inner.id.as_str())],
            ..Selection::default()
        };
        let _order = nsp.in_order(&self.flags);
        let logged = nsp.log(&self.flags, name, args, own);
        let (number, args) = logged
            .as_ref()
            .map_or((0, args), |(number, args)| (*number, args));
        let packet = shared.dialect().event(nsp.name(), None, name, args);
        if number != 0 && self.inner.member.lock().is_none() {
            // The client has gone, and may have come back as another socket with this id.
            let selection = own();
            shared.fan_out(Fanout {
                nsp: nsp.index,
                selection,
                packet,
                flags: self.flags,
                acks: None,
                logged: number,
            });
        } else {
            self.send(packet);
        }
        Ok(())
    }

    /// Emits an event and waits for the client's answer: await the result.
    ///
    /// ```
    /// # use greenroom::prelude::*;
    /// # use std::time::Duration;
    /// async fn ask(socket: Socket) -> Result<bool, greenroom::AckError> {
    ///     let answer = socket.timeout(Duration::from_secs(5)).emit_with_ack("ready?", ()).await?;
    ///     Ok(answer.first().unwrap_or(false))
    /// }
    /// ```
    ///
    /// The arguments of the answer can be parsed or passed on.
    pub fn emit_with_ack<T: Serialize>(&self, name: &str, values: T) -> Answer {
        match Args::from_values(&values) {
            Ok(args) => self.emit_args_with_ack(name, &args),
            Err(err) => Answer::unsent(AckError::Unsent(err.into())),
        }
    }

    /// As [`Socket::emit_with_ack`], with arguments that are encoded already.
    pub fn emit_args_with_ack(&self, name: &str, args: &Args) -> Answer {
        let shared = self.inner.nsp.shared();
        if let Err(err) = shared.check_event_name(name) {
            return Answer::unsent(AckError::Unsent(err));
        }
        let id = self.inner.nsp.next_ack_id();
        let receiver = {
            let mut acks = self.inner.acks.lock();
            if acks.len() >= shared.config.limits.pending_acks_per_socket {
                acks.purge();
            }
            if acks.len() >= shared.config.limits.pending_acks_per_socket {
                shared.metrics.count(Counter::AckRefused);
                log::debug!(
                    "an emit is refused nsp={} id={} why=too many acks outstanding event={name} acks={}",
                    self.inner.nsp.name(),
                    self.inner.id,
                    acks.len()
                );
                return Answer::unsent(AckError::TooMany);
            }
            acks.wait(id)
        };
        if self.inner.member.lock().is_none() {
            return Answer::unsent(AckError::Disconnected);
        }
        self.send(
            shared
                .dialect()
                .event(self.inner.nsp.name(), Some(id), name, args),
        );
        Answer::new(
            self.clone(),
            id,
            receiver,
            self.timeout
                .unwrap_or(shared.config.socketio.default_ack_timeout),
        )
    }

    fn send(&self, packet: crate::protocol::socketio::Encoded) {
        let member = *self.inner.member.lock();
        if let Some(member) = member {
            self.inner.hub.send(Command::Emit {
                member,
                packet,
                flags: self.flags,
            });
        }
    }

    pub(crate) fn send_ack(&self, id: u64, args: &Args) {
        self.send(self.shared().dialect().ack(self.inner.nsp.name(), id, args));
    }

    pub(crate) fn forget_rooms(&self) {
        self.inner.forget_rooms();
    }

    /// Why it has gone, if it has.
    #[must_use]
    pub fn end_reason(&self) -> Option<DisconnectReason> {
        *self.inner.end_reason.lock()
    }

    pub(crate) fn forget_ack(&self, id: u64) {
        self.inner.acks.lock().forget(id);
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.inner.nsp.shared()
    }

    /// To everybody in the namespace but this socket.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(Arc::clone(&self.inner.nsp))
            .except(self.inner.id.as_str())
            .with_flags(self.flags)
    }

    /// To the sockets in a room, or in any of several, but this one.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().to(rooms)
    }

    /// As [`Socket::to`].
    pub fn within(&self, rooms: impl IntoRooms) -> Broadcast {
        self.to(rooms)
    }

    /// To everybody but this socket and those in the given rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().except(rooms)
    }

    /// To everybody on this server but this socket.
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }

    /// Disconnects: with `close` the whole session and all its sockets, else only this socket.
    pub fn disconnect(&self, close: bool) {
        let member = *self.inner.member.lock();
        if let Some(member) = member {
            self.inner.hub.send(Command::Disconnect { member, close });
        }
    }

    /// Closes the session without a word in the namespaces, as a network failure would.
    pub fn drop_transport(&self) {
        let member = *self.inner.member.lock();
        if let Some(member) = member {
            self.inner.hub.send(Command::DropTransport { member });
        }
    }

    /// Adds a middleware that runs before each event of this socket, in the order of adding, after
    /// those of the namespace. Events wait their turn: the next one starts after the last has been
    /// handed over. A refusal drops the event; the client's ack, if any, is refused with its message.
    pub fn use_middleware<F, Fut>(&self, middleware: F)
    where
        F: Fn(&Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.inner
            .middleware
            .lock()
            .push(Arc::new(move |event| Box::pin(middleware(event))));
        self.inner.has_middleware.store(true, Ordering::Release);
    }
}
