//! Requests of other servers and emitters: questions to all, and orders.

use bytestring::ByteString;

use super::{Asker, Names, Opts};
use crate::protocol::socketio::{Args, is_reserved_event};

/// A request, and who made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The uid of the server that asks. Servers before 7.1 and emitters mostly leave it out.
    pub uid: Option<ByteString>,
    /// What it wants.
    pub request: Request,
}

/// What is wanted. Those with an [`Asker`] are answered through it, exactly once, unless the variant says otherwise; the others
/// are never answered.
///
/// Three numberings of types exist; here they are one. The asker knows which it was.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Request {
    /// The ids of the sockets in any of these rooms, or of all. [`Asker::sockets`].
    Sockets {
        /// Who gets the answer.
        asker: Asker,
        /// Which rooms; all sockets if none.
        rooms: Names,
    },
    /// The rooms of one socket. [`Asker::rooms`], from the server that has this socket; no other answers.
    SocketRooms {
        /// Who gets the answer.
        asker: Asker,
        /// Which socket.
        socket: ByteString,
    },
    /// All rooms. [`Asker::rooms`].
    AllRooms {
        /// Who gets the answer.
        asker: Asker,
    },
    /// One socket joins a room. [`Asker::done`], from the server that has this socket; no other answers.
    JoinOne {
        /// Who gets the answer.
        asker: Asker,
        /// Which socket.
        socket: ByteString,
        /// Which room.
        room: ByteString,
    },
    /// One socket leaves a room. Answered as [`Self::JoinOne`].
    LeaveOne {
        /// Who gets the answer.
        asker: Asker,
        /// Which socket.
        socket: ByteString,
        /// Which room.
        room: ByteString,
    },
    /// One socket is disconnected. Answered as [`Self::JoinOne`].
    DisconnectOne {
        /// Who gets the answer.
        asker: Asker,
        /// Which socket.
        socket: ByteString,
        /// Whether its session ends too.
        close: bool,
    },
    /// Sockets join rooms. Servers of the reference obey their own copy; who has acted already has to ignore its own uid.
    Join {
        /// Which sockets.
        opts: Opts,
        /// Which rooms.
        rooms: Names,
    },
    /// Sockets leave rooms. As [`Self::Join`].
    Leave {
        /// Which sockets.
        opts: Opts,
        /// Which rooms.
        rooms: Names,
    },
    /// Sockets are disconnected. As [`Self::Join`].
    Disconnect {
        /// Which sockets.
        opts: Opts,
        /// Whether their sessions end too.
        close: bool,
    },
    /// Sockets with all that is public about them. [`Asker::fetched`].
    Fetch {
        /// Who gets the answer.
        asker: Asker,
        /// Which sockets.
        opts: Opts,
    },
    /// An event for the servers themselves. Never [reserved](is_reserved_server_event).
    ServerSideEmit {
        /// Who gets an answer, [`Asker::emitted`], if one is wanted and a handler gives one.
        asker: Option<Asker>,
        /// The name of the event.
        name: ByteString,
        /// Its arguments.
        args: Args,
    },
    /// What an application of old made of it. [`Asker::custom`].
    Custom {
        /// Who gets the answer.
        asker: Asker,
        /// The one argument.
        data: Args,
    },
    /// A broadcast whose acknowledgements are collected. [`Asker::client_count`] at once, then so many [`Asker::ack`]s.
    Broadcast {
        /// Who gets the answers.
        asker: Asker,
        /// The event.
        event: Box<BroadcastEvent>,
    },
}

/// The event of a [`Request::Broadcast`].
#[derive(Debug, Clone, PartialEq)]
pub struct BroadcastEvent {
    /// The namespace; `None` means `/`. What is for another one than the channel's is not for us.
    pub nsp: Option<ByteString>,
    /// The name of the event; never a reserved one.
    pub name: ByteString,
    /// Its arguments.
    pub args: Args,
    /// Whom it is for, and how long acknowledgements are waited for.
    pub opts: Opts,
}

/// Whether an event between servers may not have this name. Servers of the reference refuse to emit the first three, and obey
/// them when a Redis client does it: `connection` would call the handlers for new sockets.
///
/// **Source** `RESERVED_EVENTS` in `packages/socket.io/lib/namespace.ts`.
#[must_use]
pub fn is_reserved_server_event(name: &str) -> bool {
    matches!(name, "connect" | "connection" | "new_namespace") || is_reserved_event(name)
}
