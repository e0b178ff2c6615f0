//! What anybody may ask of a hub.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{MemberKey, Polling, ReportTo, SeatKey, Selection};
use crate::locals::{Coming, Locals};
use crate::namespace::{BroadcastAcks, Room, ServerEvent};
use crate::protocol::engineio::Sid;
use crate::protocol::socketio::Encoded;
use crate::session;

/// What anybody may ask of a hub; applied at once on the hub's own thread, sent to it from others.
#[derive(Debug)]
pub(crate) enum Command {
    /// A packet for one socket.
    Emit {
        member: MemberKey,
        packet: Encoded,
        flags: Flags,
    },
    /// A packet for many.
    Fanout(Arc<Fanout>),
    Join {
        nsp: u32,
        member: MemberKey,
        rooms: Vec<Room>,
        /// Of one that is on its way; see [`Command::set_out`].
        coming: Option<Coming>,
    },
    Leave {
        nsp: u32,
        member: MemberKey,
        room: Room,
    },
    /// Ends a socket, or with `close` the whole session it belongs to.
    Disconnect { member: MemberKey, close: bool },
    /// Makes all selected sockets join, leave, or go.
    Change {
        nsp: u32,
        selection: Selection,
        change: Change,
        /// As above.
        coming: Option<Coming>,
    },
    /// A message of a session without Socket.IO on top.
    Message { seat: SeatKey, body: MessageBody },
    /// Something for the session with this id, from another worker.
    Session { sid: Sid, command: session::Command },
    /// A question of a request to the session with this id.
    Polling { sid: Sid, question: Polling },
    /// For a session of this worker whose seat is known.
    ToSession {
        seat: SeatKey,
        command: session::Command,
    },
    /// Ends the session of a socket without a word in the namespaces.
    DropTransport { member: MemberKey },
    /// An event of another server, for the handler of its namespace on this worker.
    ServerEvent(Box<ServerEvent>),
    /// Say when what was joined before is subscribed to.
    Confirm(oneshot::Sender<()>),
    /// Another limit of what waits for a session.
    OutboxLimit(usize),
    /// The server ends: so do its sessions, one after the other within this time.
    Drain(Duration),
    /// Say what you have counted, and how much you have.
    Report(ReportTo),
    /// The server ends now.
    Shutdown,
}

impl Command {
    /// Says that it is on its way to a hub. What is sent to the rooms that it has somebody join is sent to that hub too
    /// from now on, although nobody there is in them yet.
    pub(super) fn set_out(&mut self, locals: &Arc<Locals>) {
        let (Self::Join {
            nsp, rooms, coming, ..
        }
        | Self::Change {
            nsp,
            change: Change::Join(rooms),
            coming,
            ..
        }) = self
        else {
            return;
        };
        *coming = Some(Coming::new(locals, *nsp, rooms));
    }
}

/// A raw Engine.IO message.
#[derive(Clone, Debug)]
pub(crate) enum MessageBody {
    Text(bytestring::ByteString),
    Binary(bytes::Bytes),
}

/// What [`Command::Change`] does to each selected socket.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Join(Vec<Room>),
    Leave(Vec<Room>),
    Disconnect { close: bool },
}

/// How a packet may be treated on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) volatile: bool,
    pub(crate) compress: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            volatile: false,
            compress: true,
        }
    }
}

/// A broadcast, encoded once for the whole process.
#[derive(Debug)]
pub(crate) struct Fanout {
    pub(crate) nsp: u32,
    pub(crate) selection: Selection,
    pub(crate) packet: Encoded,
    pub(crate) flags: Flags,
    /// Who collects the answers, under which ack id.
    pub(crate) acks: Option<(u64, Arc<BroadcastAcks>)>,
    /// The number of this packet in the log of connection state recovery; 0 without one.
    pub(crate) logged: u64,
}
