//! What is wrong with a message of others, and what we refuse to publish.

/// Why a message on a channel of the adapter is ignored. Each is counted under its [`Self::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Junk {
    /// Neither JSON nor `MessagePack` of any dialect: cut off, trailing bytes, text.
    #[error("malformed message")]
    Malformed,
    /// A map where a broadcast should be: the streams adapter shares our prefix and channel names.
    #[error("message of another adapter on the same prefix")]
    Foreign,
    /// Well-formed, and not the array or map that belongs on this channel.
    #[error("unexpected shape")]
    Shape,
    /// A packet that is no event. Passed on, some would disconnect every client.
    #[error("packet is no event")]
    PacketType,
    /// The packet's namespace is null or no text.
    #[error("invalid namespace")]
    Namespace,
    /// The data of an event is no array, empty, or does not begin with a name.
    #[error("event without name")]
    NoEvent,
    /// An event with a name that means something else, as `connection` does.
    #[error("reserved event name")]
    ReservedEvent,
    /// Rooms that are none: whom the message is for cannot be said.
    #[error("invalid rooms")]
    Rooms,
    /// Nested deeper than [`super::MAX_DEPTH`].
    #[error("nested too deep")]
    TooDeep,
    /// A request of a type that no version has.
    #[error("unknown request type")]
    RequestType,
    /// A request or an answer without a member that its type needs, its id above all.
    #[error("incomplete message")]
    Incomplete,
}

impl Junk {
    /// All of them, for the labels of a counter.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::Foreign,
        Self::Shape,
        Self::PacketType,
        Self::Namespace,
        Self::NoEvent,
        Self::ReservedEvent,
        Self::Rooms,
        Self::TooDeep,
        Self::RequestType,
        Self::Incomplete,
    ];

    /// The label of a counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Foreign => "foreign",
            Self::Shape => "shape",
            Self::PacketType => "packet_type",
            Self::Namespace => "namespace",
            Self::NoEvent => "no_event",
            Self::ReservedEvent => "reserved_event",
            Self::Rooms => "rooms",
            Self::TooDeep => "too_deep",
            Self::RequestType => "request_type",
            Self::Incomplete => "incomplete",
        }
    }
}

/// What must not be published, because servers or clients of the reference would not survive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unpublishable {
    /// The event has a name that means something else.
    #[error("reserved event name")]
    ReservedEvent,
    /// An argument is nested deeper than [`super::MAX_DEPTH`].
    #[error("argument nested too deep")]
    TooDeep,
}
