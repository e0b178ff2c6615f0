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
use super::socket_state::{SocketInner, SocketMiddleware};
use crate::error::{AckError, ArgsError, EmitError, Refusal, to_value};
use crate::hub::{Command, Fanout, Flags, Selection};
use crate::metrics::Counter;
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::{ProtocolVersion, SocketId, Transport};
use crate::protocol::socketio::{Args, Value};
use crate::server::Shared;
use crate::throttle::throttled;

/// The name of a room.
pub type Room = ByteString;

/// The room of a user: who is in it are the sockets of that user, to the [HTTP API](crate::api) as to everybody. A handler
/// that knows who a socket belongs to lets it join.
///
/// Shape: `user:` and the id, in any namespace.
///
/// ```
/// use greenroom::{prelude::*, user_room};
///
/// fn logged_in(socket: &Socket, user: &str) {
///     socket.join(user_room(user));
/// }
/// # assert_eq!(user_room("42"), "user:42");
/// ```
#[must_use]
pub fn user_room(id: &str) -> Room {
    format!("user:{id}").into()
}

/// One client in one namespace: a handle that is cheap to clone and may be used from any thread.
///
/// What is asked of it is answered at once and without asking anybody, and shows what was just done:
/// after `socket.join("a")`, `socket.is_in("a")` is true, and a broadcast to `a` reaches it.
#[derive(Clone, Debug)]
pub struct Socket {
    pub(super) inner: Arc<SocketInner>,
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
        super::Namespace(self.inner.nsp.clone())
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
        self.inner.transport()
    }

    /// The revision of Engine.IO that the client speaks.
    #[must_use]
    pub fn protocol(&self) -> ProtocolVersion {
        self.inner.protocol
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
        *self.inner.data.lock() = Some(Box::new(to_value(data)?));
        Ok(())
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
            throttled!(error, "an event was not sent event={name} err={err}");
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
            let most = shared.limits().pending_acks_per_socket;
            let mut acks = self.inner.acks.lock();
            if acks.len() >= most {
                acks.purge();
            }
            if acks.len() >= most {
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
        Broadcast::new(self.inner.nsp.clone())
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
        let middleware: SocketMiddleware = Arc::new(move |event| Box::pin(middleware(event)));
        let mut all = self.inner.middleware.lock();
        *all = all.iter().cloned().chain([middleware]).collect();
        drop(all);
        self.inner.has_middleware.store(true, Ordering::Release);
    }
}
