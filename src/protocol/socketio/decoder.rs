//! Messages into packets: a text and the binary messages that belong to it.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Args, DecodeError, Dialect, MAIN_NAMESPACE, PacketType, RawPacket, RawPayload, json_tokens,
    msgpack_packet, names, packet, placeholders,
};

/// What one packet may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Binary messages per packet. Default 10, as in the reference.
    pub max_attachments: usize,
    /// Bytes of text and attachments together. Default 10 MB.
    pub max_bytes: usize,
    /// Arrays and objects inside each other. Default 10,000; no stack depends on it.
    pub max_depth: usize,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_attachments: 10,
        max_bytes: 10_000_000,
        max_depth: 10_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A packet whose attachments are complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// The namespace with its slash; from Engine.IO 3 clients with `?query` behind it (see [`super::split_query`]).
    pub nsp: ByteString,
    /// What it says.
    pub body: Body,
}

impl Packet {
    /// What it is. In `MessagePack` events and answers with binary are like others.
    #[must_use]
    pub fn kind(&self) -> PacketType {
        match &self.body {
            Body::Connect { .. } => PacketType::Connect,
            Body::Disconnect => PacketType::Disconnect,
            Body::Event { args, .. } if !args.attachments().is_empty() => PacketType::BinaryEvent,
            Body::Event { .. } | Body::Empty => PacketType::Event,
            Body::Ack { args, .. } if !args.attachments().is_empty() => PacketType::BinaryAck,
            Body::Ack { .. } => PacketType::Ack,
            Body::ConnectError { .. } => PacketType::ConnectError,
        }
    }
}

/// What a packet says. Binary events and acknowledgements are not told apart from others.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// The client asks for the namespace.
    Connect {
        /// One argument, an object, or none.
        auth: Args,
    },
    /// The client leaves the namespace.
    Disconnect,
    /// An event.
    Event {
        /// Present if the client wants an acknowledgement.
        id: Option<u64>,
        /// Never a reserved name.
        name: ByteString,
        /// What follows the name.
        args: Args,
    },
    /// The answer to an event.
    Ack {
        /// The id of that event. An answer without one belongs to nothing and is ignored.
        id: Option<u64>,
        /// The values of the answer.
        args: Args,
    },
    /// Only servers send this; from a client the reference treats it as a violation.
    ConnectError {
        /// One argument, a text or an object, or none.
        data: Args,
    },
    /// An event without payload (`42`). The reference lets it pass, if the namespace is connected, and nobody hears it.
    Empty,
}

/// Puts the packets of one session together. Two words while nothing is pending.
///
/// After an error the session has to end (`parse error`); the decoder has forgotten what it had by then.
///
/// **Source** `Decoder` in `packages/socket.io-parser/lib/index.ts`; `Decoder` of `socket.io-msgpack-parser`.
#[derive(Debug)]
pub struct Decoder {
    dialect: Dialect,
    pending: Option<Box<Pending>>,
}

/// A packet that waits for attachments.
#[derive(Debug)]
struct Pending {
    text: ByteString,
    attachments: Vec<Bytes>,
    n_attachments: usize,
    n_bytes: usize,
}

impl Decoder {
    /// A decoder for one session.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            pending: None,
        }
    }

    /// Whether attachments are due.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes a text message, without the engine's prefix. Gives the packet, or nothing if attachments have to follow.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; also for any text in the `MessagePack` dialect.
    pub fn text(&mut self, text: &str, limits: &Limits) -> Result<Option<Packet>, DecodeError> {
        if self.pending.take().is_some() || self.dialect == Dialect::Msgpack {
            return Err(DecodeError::UnexpectedText);
        }
        if text.len() > limits.max_bytes {
            return Err(DecodeError::TooLarge);
        }
        let raw = packet::decode(text, limits.max_attachments)?;
        // A container takes two bytes, so only long texts have to be measured.
        if text.len() / 2 > limits.max_depth && depth(&raw.payload) > limits.max_depth {
            return Err(DecodeError::TooDeep);
        }
        if raw.n_attachments == 0 {
            return Ok(Some(own(&raw, Vec::new())));
        }
        // Nothing is reserved: the number is only a claim, and the limit may be high.
        self.pending = Some(Box::new(Pending {
            text: text.into(),
            attachments: Vec::new(),
            n_attachments: raw.n_attachments,
            n_bytes: text.len(),
        }));
        Ok(None)
    }

    /// Takes a binary message. Gives the packet if it is complete now.
    ///
    /// # Errors
    ///
    /// [`DecodeError`].
    pub fn binary(&mut self, data: Bytes, limits: &Limits) -> Result<Option<Packet>, DecodeError> {
        if self.dialect == Dialect::Msgpack {
            if data.len() > limits.max_bytes {
                return Err(DecodeError::TooLarge);
            }
            return msgpack_packet::decode(&data, limits.max_depth).map(Some);
        }
        let mut pending = self.pending.take().ok_or(DecodeError::UnexpectedBinary)?;
        pending.n_bytes = pending.n_bytes.saturating_add(data.len());
        if pending.n_bytes > limits.max_bytes {
            return Err(DecodeError::TooLarge);
        }
        pending.attachments.push(data);
        if pending.attachments.len() < pending.n_attachments {
            self.pending = Some(pending);
            return Ok(None);
        }
        // The head is read again rather than kept: packets with attachments are rare, and this way nothing borrows.
        let raw = packet::decode(&pending.text, pending.n_attachments)?;
        let joined = match &raw.payload {
            RawPayload::Args(args) | RawPayload::Event { args, .. } => args.joined,
            RawPayload::Value(_) | RawPayload::Absent => "",
        };
        if !placeholders::containers(joined, pending.n_attachments).are_legal {
            return Err(DecodeError::IllegalAttachments);
        }
        Ok(Some(own(&raw, pending.attachments)))
    }
}

/// How deep a payload is nested, the array of the arguments included.
fn depth(payload: &RawPayload<'_>) -> usize {
    match payload {
        RawPayload::Args(args) | RawPayload::Event { args, .. } => {
            json_tokens::depth(args.joined) + 1
        }
        RawPayload::Value(value) => json_tokens::depth(value),
        RawPayload::Absent => 0,
    }
}

/// Takes out of a text what the packet needs.
// Hot: one allocation, for the arguments; names are shared.
fn own(raw: &RawPacket<'_>, attachments: Vec<Bytes>) -> Packet {
    let nsp = if raw.nsp == MAIN_NAMESPACE {
        ByteString::from_static(MAIN_NAMESPACE)
    } else {
        names::shared(raw.nsp)
    };
    let args = |joined: &str, n_args| Args::from_joined(joined.into(), attachments.into(), n_args);
    let body = match (raw.kind, &raw.payload) {
        (
            _,
            RawPayload::Event {
                name,
                args: raw_args,
            },
        ) => Body::Event {
            id: raw.id,
            name: names::shared(name),
            args: args(raw_args.joined, raw_args.n_args),
        },
        (_, RawPayload::Args(raw_args)) => Body::Ack {
            id: raw.id,
            args: args(raw_args.joined, raw_args.n_args),
        },
        (PacketType::ConnectError, RawPayload::Value(value)) => Body::ConnectError {
            data: args(value, 1),
        },
        (_, RawPayload::Value(value)) => Body::Connect {
            auth: args(value, 1),
        },
        (PacketType::Connect, RawPayload::Absent) => Body::Connect { auth: Args::none() },
        (PacketType::Disconnect, RawPayload::Absent) => Body::Disconnect,
        (PacketType::ConnectError, RawPayload::Absent) => Body::ConnectError { data: Args::none() },
        (PacketType::Ack | PacketType::BinaryAck, RawPayload::Absent) => Body::Ack {
            id: raw.id,
            args: Args::none(),
        },
        (PacketType::Event | PacketType::BinaryEvent, RawPayload::Absent) => Body::Empty,
    };
    Packet { nsp, body }
}
