//! What other servers are asked.

/// A question to other servers, as it is called where its time is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    FetchSockets,
    AllRooms,
    SocketIds,
    /// Redis knows that.
    ServerCount,
    ServerSideEmit,
    Nodes,
    /// How many clients it was sent to; how long those take is another matter.
    BroadcastWithAck,
}

impl Question {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FetchSockets => "fetch_sockets",
            Self::AllRooms => "all_rooms",
            Self::SocketIds => "socket_ids",
            Self::ServerCount => "server_count",
            Self::ServerSideEmit => "server_side_emit",
            Self::Nodes => "nodes",
            Self::BroadcastWithAck => "broadcast_with_ack",
        }
    }
}
