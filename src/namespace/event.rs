//! What handler actors receive.

use std::sync::atomic::Ordering;

use actix::Message;
use bytestring::ByteString;

use super::ack::Ack;
use super::socket::{Room, Socket};
use crate::error::Refusal;
use crate::protocol::DisconnectReason;
use crate::protocol::socketio::Args;

/// A client asks to join the namespace. Answer `Ok(())` to let it in, or refuse with a message and data
/// that the client reads in its `connect_error`.
///
/// To await something first, answer with a future. What is emitted to the socket meanwhile follows the
/// answer; rooms can be joined.
///
/// ```
/// use greenroom::prelude::*;
///
/// struct Members;
/// # impl Actor for Members {
/// #     type Context = Context<Self>;
/// # }
///
/// async fn is_member(name: String) -> bool {
///     // a database, a file, another actor
/// #   name == "ada"
/// }
///
/// impl Handler<Connect> for Members {
///     type Result = ResponseFuture<Result<(), Refusal>>;
///
///     fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
///         let name = socket.handshake().query("name").unwrap_or_default().to_owned();
///         Box::pin(async move {
///             if is_member(name).await { Ok(()) } else { Err(Refusal::new("not a member")) }
///         })
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Connect {
    /// The socket, not connected yet.
    pub socket: Socket,
}

impl Message for Connect {
    type Result = Result<(), Refusal>;
}

/// An event for which no type was registered.
#[derive(Debug)]
pub struct Event {
    /// Who sent it.
    pub socket: Socket,
    /// The answer the client may have asked for.
    pub ack: Ack,
    name: ByteString,
    args: Args,
}

impl Message for Event {
    type Result = ();
}

impl Event {
    pub(crate) const fn new(socket: Socket, name: ByteString, args: Args, ack: Ack) -> Self {
        Self {
            socket,
            ack,
            name,
            args,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments, which are parsed when asked: `event.args().parse::<(Room, String)>()?`.
    #[must_use]
    pub const fn args(&self) -> &Args {
        &self.args
    }

    /// Takes it apart: socket, name, arguments, ack.
    pub fn into_parts(self) -> (Socket, ByteString, Args, Ack) {
        (self.socket, self.name, self.args, self.ack)
    }
}

/// An event whose arguments are a `T`; see [`Handlers::on`](super::Handlers::on).
///
/// Arguments that do not parse never get here: the ack, if one was asked for, is refused with the
/// reason, and a counter rises.
#[derive(Debug)]
#[non_exhaustive]
pub struct On<T> {
    /// The arguments.
    pub args: T,
    /// Who sent it.
    pub socket: Socket,
    /// The answer the client may have asked for.
    pub ack: Ack,
}

impl<T> On<T> {
    pub(crate) const fn new(args: T, socket: Socket, ack: Ack) -> Self {
        Self { args, socket, ack }
    }
}

impl<T: 'static> Message for On<T> {
    type Result = ();
}

/// A socket is about to leave its rooms: [`Socket::rooms`] still names them, until this is dropped.
///
/// A server that [ends](crate::Server::drain) waits for that too: who has to tell somebody else of the end keeps it until
/// that is done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Disconnecting {
    /// The socket, connected no more.
    pub socket: Socket,
    /// Why.
    pub reason: DisconnectReason,
}

impl Disconnecting {
    pub(crate) fn new(socket: Socket, reason: DisconnectReason) -> Self {
        socket.shared().n_leaving.fetch_add(1, Ordering::AcqRel);
        Self { socket, reason }
    }
}

impl Message for Disconnecting {
    type Result = ();
}

impl Drop for Disconnecting {
    fn drop(&mut self) {
        self.socket.forget_rooms();
        let n_leaving = &self.socket.shared().n_leaving;
        n_leaving.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A socket has gone. Follows [`Disconnecting`]; told once for each [`Connect`] that was let in.
#[derive(Debug)]
pub struct Disconnect {
    /// The socket, which is in no room any more.
    pub socket: Socket,
    /// Why.
    pub reason: DisconnectReason,
}

impl Message for Disconnect {
    type Result = ();
}

/// Something happened to a room; see [`Namespace::watch_rooms`](super::Namespace::watch_rooms).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// The first socket has joined it.
    Created(Room),
    /// A socket has joined it.
    Joined(Room, crate::SocketId),
    /// A socket has left it.
    Left(Room, crate::SocketId),
    /// The last socket has left it.
    Deleted(Room),
}

impl Message for RoomEvent {
    type Result = ();
}
