//! Emitting from programs that are no servers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::config::{RedisUrl, RedisUrlError};
use crate::error::EncodeError;
use crate::namespace::{IntoRooms, Room};
use crate::protocol::adapter::{
    self, Channels, EMITTER, Opts, Unpublishable, encode_disconnect, encode_join, encode_leave,
};
use crate::protocol::socketio::Args;
use crate::redis::{Endpoint, Link, LinkError};

/// As for a server without other settings.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// As for a server without other settings.
const DEFAULT_KEY: &str = "socket.io";

/// Emits to the clients of a cluster from a program that is no server: a job, a web backend, a command.
///
/// It needs a tokio runtime and the Redis that the servers share, Greenroom and Node.js alike, and keeps one connection
/// to it. Clones share the connection.
///
/// Each call is done when Redis has the message. It fails if Redis cannot be reached or refuses; the next call dials
/// anew. A message whose connection broke may have been published all the same, and is never sent twice. Whether
/// anybody heard it is not known: there are no acks.
///
/// ```no_run
/// # async fn example() -> Result<(), greenroom::EmitterError> {
/// use greenroom::{Binary, Emitter};
///
/// let emitter = Emitter::connect("redis://127.0.0.1:6379").await?;
/// emitter.emit("news", ("hello", 1)).await?;
/// emitter.to(["red", "blue"]).except("muted").emit("image", Binary::from(vec![1, 2, 3])).await?;
///
/// let chat = emitter.of("/chat");
/// chat.to("red").sockets_join("purple").await?;
/// chat.server_side_emit("forget", "everything").await?;
/// # Ok(())
/// # }
/// ```
///
/// **Source** `lib/index.ts` of `@socket.io/redis-emitter` 5.
#[derive(Clone, Debug)]
pub struct Emitter {
    connection: Arc<Connection>,
    channels: Channels,
    timeout: Duration,
    nsp: ByteString,
}

impl Emitter {
    /// An emitter for the Redis at a URL of the form of [`RedisUrl`]; connected.
    ///
    /// # Errors
    /// The URL is wrong, or the Redis cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, EmitterError> {
        let url: RedisUrl = url.parse()?;
        let emitter = Self::new(url);
        emitter.connection.link(emitter.timeout).await?;
        Ok(emitter)
    }

    /// An emitter that connects when it is first used: to a [`RedisUrl`], or with a client that this program made.
    pub fn new(endpoint: impl Into<Endpoint>) -> Self {
        Self {
            connection: Arc::new(Connection {
                endpoint: endpoint.into(),
                link: Mutex::default(),
            }),
            channels: Channels::new(DEFAULT_KEY, EMITTER),
            timeout: DEFAULT_TIMEOUT,
            nsp: "/".into(),
        }
    }

    /// With another prefix than `socket.io`: that of the servers, `redis.key` in the configuration of Greenroom.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.channels = Channels::new(key, EMITTER);
        self
    }

    /// How long connecting may take, and each answer of Redis on connections that are made from now on; 5 seconds at
    /// first.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same for another namespace than `/`. The `/` at the beginning may be left out.
    #[must_use]
    pub fn of(&self, nsp: &str) -> Self {
        let nsp = match nsp.strip_prefix('/') {
            Some(_) => nsp.into(),
            None => format!("/{nsp}").into(),
        };
        Self {
            nsp,
            ..self.clone()
        }
    }

    /// To all sockets of the namespace.
    pub fn all(&self) -> EmitterBroadcast {
        EmitterBroadcast {
            emitter: self.clone(),
            opts: Opts::default(),
        }
    }

    /// To the sockets in these rooms; the id of a socket is a room too.
    pub fn to(&self, rooms: impl IntoRooms) -> EmitterBroadcast {
        self.all().to(rooms)
    }

    /// As [`Emitter::to`].
    pub fn within(&self, rooms: impl IntoRooms) -> EmitterBroadcast {
        self.all().to(rooms)
    }

    /// To all but the sockets in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> EmitterBroadcast {
        self.all().except(rooms)
    }

    /// Dropped for each client that cannot take it at once.
    pub fn volatile(&self) -> EmitterBroadcast {
        self.all().volatile()
    }

    /// Whether it may be compressed.
    pub fn compress(&self, compress: bool) -> EmitterBroadcast {
        self.all().compress(compress)
    }

    /// Emits an event to all sockets of the namespace; see [`EmitterBroadcast::emit`].
    ///
    /// # Errors
    /// As there.
    pub fn emit<T: Serialize>(
        &self,
        name: &str,
        values: T,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<T> {
        self.all().emit(name, values)
    }

    /// Emits arguments that are encoded already to all sockets of the namespace.
    ///
    /// # Errors
    /// As [`EmitterBroadcast::emit_args`].
    pub fn emit_args(
        &self,
        name: &str,
        args: &Args,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<> {
        self.all().emit_args(name, args)
    }

    /// Makes all sockets of the namespace join these rooms.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub fn sockets_join<R: IntoRooms>(
        &self,
        rooms: R,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<R> {
        self.all().sockets_join(rooms)
    }

    /// Makes all sockets of the namespace leave these rooms.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub fn sockets_leave<R: IntoRooms>(
        &self,
        rooms: R,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<R> {
        self.all().sockets_leave(rooms)
    }

    /// Disconnects all sockets of the namespace, with `close` their whole sessions.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub fn disconnect_sockets(
        &self,
        close: bool,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<> {
        self.all().disconnect_sockets(close)
    }

    /// Emits an event to the servers themselves: to handlers of [`ServerEvent`](crate::ServerEvent), and to
    /// `io.on(name)` in Node.js.
    ///
    /// Shape: as [`EmitterBroadcast::emit`], but binary arrives as `{"type":"Buffer","data":[1,2,3]}`.
    ///
    /// # Errors
    /// The name is reserved, the values cannot be sent, or Redis cannot be reached or refuses.
    pub fn server_side_emit<T: Serialize>(
        &self,
        name: &str,
        values: T,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<T> {
        let encoded = Args::from_values(&values)
            .map_err(Into::into)
            .and_then(|args| server_side(name, &args));
        self.clone().send_request(encoded)
    }

    /// As [`Emitter::server_side_emit`], with arguments that are encoded already.
    ///
    /// # Errors
    /// As there.
    pub fn server_side_emit_args(
        &self,
        name: &str,
        args: &Args,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<> {
        self.clone().send_request(server_side(name, args))
    }

    async fn send_request(self, payload: Result<Bytes, EmitterError>) -> Result<(), EmitterError> {
        let channel = self.channels.request(&self.nsp);
        self.send(&channel, &payload?).await
    }

    async fn send(&self, channel: &str, payload: &[u8]) -> Result<(), EmitterError> {
        let link = self.connection.link(self.timeout).await?;
        Ok(link.publish(channel, payload).await?)
    }
}

fn server_side(name: &str, args: &Args) -> Result<Bytes, EmitterError> {
    adapter::encode_server_side_emit(EMITTER, None, name, args)
        .map_err(|err| EmitterError::of(err, name))
}

/// A message of an [`Emitter`] in the making: whom it addresses and how it is sent. A socket that is addressed several
/// times gets one packet.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until an event is emitted or an order given"]
pub struct EmitterBroadcast {
    emitter: Emitter,
    opts: Opts,
}

impl EmitterBroadcast {
    /// Also to the sockets in these rooms.
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        add(&mut self.opts.rooms, rooms);
        self
    }

    /// As [`EmitterBroadcast::to`].
    pub fn within(self, rooms: impl IntoRooms) -> Self {
        self.to(rooms)
    }

    /// Without the sockets in these rooms.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        add(&mut self.opts.except, rooms);
        self
    }

    /// Dropped for each client that cannot take it at once.
    pub const fn volatile(mut self) -> Self {
        self.opts.flags.volatile = true;
        self
    }

    /// Whether it may be compressed (it is by default, where compression is on).
    pub const fn compress(mut self, compress: bool) -> Self {
        self.opts.flags.compress = Some(compress);
        self
    }

    /// Emits an event to all it addresses.
    ///
    /// Shape: as [`Socket::emit`](crate::Socket::emit): the values of a tuple are several arguments. It is encoded at
    /// once, and sent when the future is awaited.
    ///
    /// # Errors
    /// The name is reserved, the values cannot be sent, or Redis cannot be reached or refuses.
    pub fn emit<T: Serialize>(
        self,
        name: &str,
        values: T,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<T> {
        let encoded = Args::from_values(&values)
            .map_err(Into::into)
            .and_then(|args| self.encode(name, &args));
        self.send(encoded)
    }

    /// As [`EmitterBroadcast::emit`], with arguments that are encoded already.
    ///
    /// # Errors
    /// As there.
    pub fn emit_args(
        self,
        name: &str,
        args: &Args,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<> {
        let encoded = self.encode(name, args);
        self.send(encoded)
    }

    fn encode(&self, name: &str, args: &Args) -> Result<Bytes, EmitterError> {
        adapter::encode_emitted(&self.emitter.nsp, name, args, &self.opts)
            .map_err(|err| EmitterError::of(err, name))
    }

    async fn send(self, payload: Result<Bytes, EmitterError>) -> Result<(), EmitterError> {
        let Self { emitter, opts } = self;
        let room = opts.only_room().map(|room| &**room);
        let channel = emitter.channels.broadcast(&emitter.nsp, room);
        emitter.send(&channel, &payload?).await
    }

    /// Makes all sockets it addresses join these rooms.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub fn sockets_join<R: IntoRooms>(
        self,
        rooms: R,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<R> {
        let rooms: Vec<Room> = rooms.into_rooms().collect();
        let request = encode_join(None, &self.opts, &rooms);
        self.emitter.send_request(Ok(request))
    }

    /// Makes all sockets it addresses leave these rooms.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub fn sockets_leave<R: IntoRooms>(
        self,
        rooms: R,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<R> {
        let rooms: Vec<Room> = rooms.into_rooms().collect();
        let request = encode_leave(None, &self.opts, &rooms);
        self.emitter.send_request(Ok(request))
    }

    /// Disconnects all sockets it addresses, with `close` their whole sessions.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub fn disconnect_sockets(
        self,
        close: bool,
    ) -> impl Future<Output = Result<(), EmitterError>> + Send + use<> {
        let request = encode_disconnect(None, &self.opts, close);
        self.emitter.send_request(Ok(request))
    }
}

/// Rooms are a set: a room that is named twice counts once, so that the channel is its own.
fn add(names: &mut adapter::Names, rooms: impl IntoRooms) {
    for room in rooms.into_rooms() {
        if !names.contains(&room) {
            names.push(room);
        }
    }
}

/// Why a message did not reach Redis, or why that is not known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmitterError {
    /// The URL is none of a Redis. The text shows no password.
    #[error("the URL {0}")]
    Url(#[from] RedisUrlError),
    /// The values cannot be serialized.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The name belongs to the protocol (`connect`, `disconnect`, …).
    #[error("{0:?} is a reserved event name")]
    Reserved(String),
    /// An argument is nested so deep that servers might not survive it.
    #[error("an argument is nested too deep")]
    TooDeep,
    /// Redis cannot be reached, did not answer in time, or refuses. The text shows no password.
    #[error(transparent)]
    Redis(#[from] LinkError),
}

impl EmitterError {
    fn of(err: Unpublishable, name: &str) -> Self {
        match err {
            Unpublishable::ReservedEvent => Self::Reserved(name.to_owned()),
            Unpublishable::TooDeep => Self::TooDeep,
        }
    }
}

/// The connection that clones share.
#[derive(Debug)]
struct Connection {
    endpoint: Endpoint,
    link: Mutex<Option<Link>>,
}

impl Connection {
    /// The connection as it stands, or a new one. Who comes while one is dialed waits for it.
    async fn link(&self, timeout: Duration) -> Result<Link, LinkError> {
        let mut known = self.link.lock().await;
        if let Some(link) = &*known
            && !link.is_broken()
        {
            return Ok(link.clone());
        }
        let link = self.endpoint.connect(timeout).await?;
        *known = Some(link.clone());
        Ok(link)
    }
}
