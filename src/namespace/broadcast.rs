//! Sending to many: whom, how, and what became of it.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use serde::Serialize;
use tokio::sync::oneshot;

use super::broadcast_acks::{Answers, BroadcastAcks, Capacity};
use super::gathered::{Gathered, Silent};
use super::remote::RemoteSocket;
use super::socket::Room;
use super::table::OwnNamespace;
use crate::cluster::{Cluster, Question, opt_flags};
use crate::error::EmitError;
use crate::hub::{Change, Command, Fanout, Flags, Selection};
use crate::metrics::Counter;
use crate::protocol::socketio::Args;
use crate::registry;
use crate::throttle::throttled;

/// One room or several: `"a"`, `["a", "b"]`, a `Vec`, an iterator's `Vec`.
pub trait IntoRooms {
    /// The names.
    fn into_rooms(self) -> impl Iterator<Item = Room>;
}

impl IntoRooms for &str {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        std::iter::once(self.into())
    }
}

impl IntoRooms for String {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        std::iter::once(self.into())
    }
}

impl IntoRooms for &String {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        std::iter::once(self.as_str().into())
    }
}

impl IntoRooms for Room {
    fn into_rooms(self) -> impl Iterator<Item = Self> {
        std::iter::once(self)
    }
}

impl IntoRooms for &Room {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        std::iter::once(self.clone())
    }
}

impl IntoRooms for &crate::SocketId {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        std::iter::once(self.as_str().into())
    }
}

impl<T: Into<Room>> IntoRooms for Vec<T> {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        self.into_iter().map(Into::into)
    }
}

impl<T: Into<Room>, const N: usize> IntoRooms for [T; N] {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        self.into_iter().map(Into::into)
    }
}

impl IntoRooms for &[Room] {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        self.iter().cloned()
    }
}

impl IntoRooms for &Vec<Room> {
    fn into_rooms(self) -> impl Iterator<Item = Room> {
        self.iter().cloned()
    }
}

/// A broadcast in the making: whom it addresses and how it is sent.
///
/// Made by [`Namespace::to`](super::Namespace::to), [`Socket::to`](super::Socket::to) and their
/// siblings; each method narrows or widens it, and `emit` and the others use it. A socket that is
/// addressed several times gets one packet.
///
/// ```
/// # use greenroom::prelude::*;
/// # async fn example(socket: Socket) -> Result<(), greenroom::EmitError> {
/// socket.to(["red", "blue"]).except("muted").emit("news", ("hello", 1));
///
/// let answers = socket.namespace().to("red").emit_with_ack("vote", ()).await?;
/// let yes = answers.responses.iter().filter(|answer| answer.first().unwrap_or(false)).count();
/// println!("{yes} of {} said yes", answers.responses.len() + answers.missing);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a broadcast does nothing until it is emitted"]
pub struct Broadcast {
    nsp: OwnNamespace,
    selection: Selection,
    flags: Flags,
    is_local: bool,
    /// It addresses one socket by its id.
    expects_one: bool,
    timeout: Option<Duration>,
    capacity: Capacity,
}

impl Broadcast {
    pub(crate) fn new(nsp: OwnNamespace) -> Self {
        Self {
            nsp,
            selection: Selection::default(),
            flags: Flags::default(),
            is_local: false,
            expects_one: false,
            timeout: None,
            capacity: Capacity::UNLIMITED,
        }
    }

    pub(super) const fn expect_one(mut self) -> Self {
        self.expects_one = true;
        self
    }

    /// The other servers, if they are addressed too.
    fn cluster(&self) -> Option<&Cluster> {
        let cluster = self.nsp.shared().cluster.as_deref();
        cluster.filter(|_| !self.is_local)
    }

    pub(crate) const fn with_flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// Also to the sockets in these rooms.
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        self.selection.rooms.extend(rooms.into_rooms());
        self
    }

    /// As [`Broadcast::to`].
    pub fn within(self, rooms: impl IntoRooms) -> Self {
        self.to(rooms)
    }

    /// Without the sockets in these rooms.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        self.selection.except.extend(rooms.into_rooms());
        self
    }

    /// Only to sockets of this server.
    pub const fn local(mut self) -> Self {
        self.is_local = true;
        self
    }

    /// Dropped for each client that cannot take it at once.
    pub const fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// Whether it may be compressed (it is by default, where compression is on).
    pub const fn compress(mut self, compress: bool) -> Self {
        self.flags.compress = compress;
        self
    }

    /// How long [`Broadcast::emit_with_ack`] waits.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many answers [`Broadcast::emit_with_ack`] keeps, and how many bytes of them. What comes later is
    /// [left out](Answers::left_out). Without it there is no limit but the number of clients.
    pub const fn max_answers(mut self, answers: usize, bytes: usize) -> Self {
        self.capacity = Capacity { answers, bytes };
        self
    }

    /// Emits an event to all it addresses; encoded once.
    ///
    /// Shape: as [`Socket::emit`](super::Socket::emit). What cannot be sent is logged.
    pub fn emit<T: Serialize>(self, name: &str, values: T) {
        if let Err(err) = self.try_emit(name, values) {
            throttled!(error, "a broadcast was not sent event={name} err={err}");
        }
    }

    /// As [`Broadcast::emit`].
    ///
    /// # Errors
    /// The values cannot be serialized, or the name is reserved or too long.
    pub fn try_emit<T: Serialize>(self, name: &str, values: T) -> Result<(), EmitError> {
        let args = Args::from_values(&values)?;
        self.emit_args(name, &args)
    }

    /// Emits arguments that are encoded already: nothing is parsed.
    ///
    /// # Errors
    /// The name is reserved or too long.
    pub fn emit_args(self, name: &str, args: &Args) -> Result<(), EmitError> {
        self.nsp.shared().check_event_name(name)?;
        // First, so that the other servers work while this one does.
        if let Some(cluster) = self.cluster() {
            let mut flags = opt_flags(self.flags);
            flags.expect_single_response = self.expects_one;
            cluster.broadcast(self.nsp.name(), &self.selection, flags, name, args);
        }
        self.nsp.deliver(self.selection, self.flags, name, args);
        Ok(())
    }

    /// Emits an event, at once, and collects the answers until all are there or the time is up.
    ///
    /// Errors of one client never hide the answers of the others: what is missing is counted. Await the
    /// result on a tokio runtime, which the timer needs.
    ///
    /// # Errors
    /// As [`Broadcast::try_emit`]; nothing was sent then.
    pub fn emit_with_ack<T: Serialize>(
        self,
        name: &str,
        values: T,
    ) -> impl Future<Output = Result<Answers, EmitError>> + Send + use<T> {
        let collected = match Args::from_values(&values) {
            Ok(args) => self.ask(name, &args),
            Err(err) => Err(err.into()),
        };
        collect(collected)
    }

    /// As [`Broadcast::emit_with_ack`], with arguments that are encoded already.
    ///
    /// # Errors
    /// The name is reserved or too long; nothing was sent then.
    pub fn emit_args_with_ack(
        self,
        name: &str,
        args: &Args,
    ) -> impl Future<Output = Result<Answers, EmitError>> + Send + use<> {
        collect(self.ask(name, args))
    }

    fn ask(self, name: &str, args: &Args) -> Result<Asked, EmitError> {
        let shared = self.nsp.shared();
        shared.check_event_name(name)?;
        let id = self.nsp.next_ack_id();
        let hubs = shared.hubs_with(self.nsp.index, &self.selection.rooms);
        let cluster = self.cluster();
        let (acks, done) = BroadcastAcks::new(hubs.len(), cluster.is_some(), self.capacity);
        let timeout = self
            .timeout
            .unwrap_or(shared.config.socketio.default_ack_timeout);
        let request = cluster.map(|cluster| {
            let mut flags = opt_flags(self.flags);
            flags.timeout = Some(timeout);
            flags.expect_single_response = self.expects_one;
            let id = cluster.pending.collect(&acks);
            let nsp = self.nsp.name();
            cluster.broadcast_with_ack(nsp, &id, &self.selection, flags, name, args);
            shared.tell_registry(|| registry::CountForAcks {
                nsp: nsp.into(),
                acks: Arc::clone(&acks),
            });
            id
        });
        let fanout = Arc::new(Fanout {
            nsp: self.nsp.index,
            packet: shared
                .dialect()
                .event(self.nsp.name(), Some(id), name, args),
            selection: self.selection,
            flags: self.flags,
            acks: Some((id, Arc::clone(&acks))),
            logged: 0,
        });
        hubs.tell(|| Command::Fanout(Arc::clone(&fanout)));
        Ok(Asked {
            acks,
            done,
            timeout,
            request,
            nsp: self.nsp,
        })
    }

    /// The sockets it addresses, with their rooms, data and handshakes, sorted by id. Asked at once.
    ///
    /// In a cluster all servers are asked. The answer comes when all have answered, or after
    /// `redis.requests_timeout` with what is there and the names of those that were silent.
    pub fn fetch_sockets(self) -> impl Future<Output = Gathered<Vec<RemoteSocket>>> + Send + use<> {
        let nsp = self.nsp;
        let question = registry::FetchSockets {
            index: nsp.index,
            nsp: nsp.name().into(),
            selection: self.selection,
            is_local: self.is_local,
        };
        let answer = nsp.shared().ask_registry(question);
        async move {
            let found = answer.await.unwrap_or_default();
            let (here, elsewhere) = found.found;
            let here = here.into_iter().map(RemoteSocket::here);
            let elsewhere = elsewhere
                .into_iter()
                .map(|socket| RemoteSocket::elsewhere(&nsp, socket));
            let mut sockets: Vec<_> = here.chain(elsewhere).collect();
            sockets.sort_by(|a, b| a.id().cmp(b.id()));
            // Of one that is moving from a server to another, both may say that it is theirs.
            sockets.dedup_by(|a, b| a.id() == b.id());
            Gathered::new(sockets, found.silent)
        }
    }

    /// Makes all sockets it addresses join these rooms.
    pub fn sockets_join(self, rooms: impl IntoRooms) {
        self.change(&Change::Join(rooms.into_rooms().collect()));
    }

    /// Makes all sockets it addresses leave these rooms.
    pub fn sockets_leave(self, rooms: impl IntoRooms) {
        self.change(&Change::Leave(rooms.into_rooms().collect()));
    }

    /// Disconnects all sockets it addresses, with `close` their whole sessions.
    pub fn disconnect_sockets(self, close: bool) {
        self.change(&Change::Disconnect { close });
    }

    fn change(self, change: &Change) {
        if let Some(cluster) = self.cluster() {
            cluster.change(self.nsp.name(), &self.selection, change);
        }
        let Self { nsp, selection, .. } = self;
        nsp.shared().change(nsp.index, &selection, change);
    }
}

/// A broadcast whose answers are being collected.
struct Asked {
    acks: Arc<BroadcastAcks>,
    done: oneshot::Receiver<()>,
    timeout: Duration,
    /// Under which the other servers answer.
    request: Option<ByteString>,
    nsp: OwnNamespace,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let (Some(cluster), Some(id)) = (&self.nsp.shared().cluster, &self.request) {
            cluster.pending.forget(id);
        }
    }
}

async fn collect(asked: Result<Asked, EmitError>) -> Result<Answers, EmitError> {
    let mut asked = asked?;
    // At the deadline the answers so far are the result.
    let _ = tokio::time::timeout(asked.timeout, &mut asked.done).await;
    let shared = asked.nsp.shared();
    if let (Some(cluster), Some(time)) = (&shared.cluster, asked.acks.nodes_after())
        && asked.request.is_some()
    {
        cluster.questions.add(Question::BroadcastWithAck, time);
    }
    let answers = asked.acks.take(|expected, answered, from| {
        match (&asked.request, &shared.cluster, expected) {
            (None, _, _) | (_, None, _) => Silent::default(),
            (Some(_), Some(cluster), Some(expected)) => cluster.silent(expected, answered, from),
            (Some(_), Some(cluster), None) => cluster.all_silent(),
        }
    });
    for _ in 0..answers.missing {
        shared.metrics.count(Counter::AckTimeout);
    }
    if answers.missing > 0 {
        log::debug!(
            "clients did not answer a broadcast in time missing={}",
            answers.missing
        );
    }
    Ok(answers)
}
