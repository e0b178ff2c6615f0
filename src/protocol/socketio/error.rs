//! What can be wrong with a packet, with its arguments, or with a value to be sent.

/// A packet that breaks the protocol. The session that received it ends with the reason `parse error`.
///
/// **Source** the texts of `packages/socket.io-parser/lib/index.ts` where the reference has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first character is not a packet type (0 to 6), or the `MessagePack` field `type` is not.
    #[error("unknown packet type")]
    UnknownType,
    /// The attachment count is missing or no number, or a placeholder refers to no attachment.
    #[error("illegal attachments")]
    IllegalAttachments,
    /// More attachments are announced than the limit allows.
    #[error("too many attachments")]
    TooManyAttachments,
    /// The namespace is missing or no string (`MessagePack` only).
    #[error("invalid namespace")]
    InvalidNamespace,
    /// The acknowledgement id is no unsigned 64-bit integer.
    #[error("invalid packet id")]
    InvalidId,
    /// The payload is not JSON, or not what its packet type demands.
    #[error("invalid payload")]
    InvalidPayload,
    /// The event has one of the names that mean something else, see [`super::is_reserved_event`].
    #[error("reserved event name")]
    ReservedEvent,
    /// A text came while attachments were due.
    #[error("got plaintext data when reconstructing a packet")]
    UnexpectedText,
    /// A binary message came while none was due.
    #[error("got binary data when not reconstructing a packet")]
    UnexpectedBinary,
    /// Text and attachments together exceed the limit.
    #[error("packet too large")]
    TooLarge,
    /// Arrays and objects are nested deeper than the limit.
    #[error("payload nested too deep")]
    TooDeep,
    /// The binary message is no `MessagePack`: cut off, trailing bytes, or an unknown lead byte.
    #[error("malformed messagepack")]
    MalformedMsgpack,
}

/// Arguments that do not have the shape a handler asked for.
///
/// The text names the argument and what is wrong with it, and never quotes the value: it may be sent back to the client.
#[derive(Debug, thiserror::Error)]
#[error("argument {index}: {source}")]
pub struct ArgsError {
    /// Position of the offending argument, the event name not counted.
    pub index: usize,
    /// What the deserializer had to say.
    #[source]
    pub source: serde_json::Error,
}

/// A value that cannot be sent, e.g. a map whose keys are maps, or a `Serialize` implementation that fails.
#[derive(Debug, thiserror::Error)]
#[error("value cannot be encoded: {source}")]
pub struct EncodeError {
    /// What the serializer had to say.
    #[from]
    pub source: serde_json::Error,
}
