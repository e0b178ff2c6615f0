//! The text form of a packet: type, attachment count, namespace, acknowledgement id, JSON payload.

use std::borrow::Cow;

use super::{DecodeError, json};

/// What a packet is for.
///
/// **Source** protocol document, "Exchange protocol".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Asks for a namespace, or grants it.
    Connect = 0,
    /// Leaves a namespace.
    Disconnect = 1,
    /// An event with its arguments.
    Event = 2,
    /// The answer to an event that carried an id.
    Ack = 3,
    /// Refuses a namespace. Called `ERROR` up to revision 4.
    ConnectError = 4,
    /// An event whose payload has placeholders; the attachments follow.
    BinaryEvent = 5,
    /// An acknowledgement whose payload has placeholders; the attachments follow.
    BinaryAck = 6,
}

impl PacketType {
    /// All types, each at the place of its number.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Disconnect,
        Self::Event,
        Self::Ack,
        Self::ConnectError,
        Self::BinaryEvent,
        Self::BinaryAck,
    ];

    /// The type for the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number on the wire as an ASCII digit.
    #[must_use]
    pub fn digit(self) -> char {
        char::from(b'0' + self as u8)
    }

    /// Its name in the protocol document, in small letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Event => "event",
            Self::Ack => "ack",
            Self::ConnectError => "connect_error",
            Self::BinaryEvent => "binary_event",
            Self::BinaryAck => "binary_ack",
        }
    }

    /// Whether attachments may follow.
    #[must_use]
    pub fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }
}

/// Whether an event may not have this name because the reference gives it another meaning. Such a packet is a parse error,
/// and `emit` has to refuse the name.
///
/// **Source** `RESERVED_EVENTS` in `packages/socket.io-parser/lib/index.ts`.
#[must_use]
pub fn is_reserved_event(name: &str) -> bool {
    matches!(
        name,
        "connect"
            | "connect_error"
            | "disconnect"
            | "disconnecting"
            | "newListener"
            | "removeListener"
    )
}

/// A decoded text packet that borrows from the message.
///
/// **Shape** `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`, e.g. `51-/admin,456["project:delete",{"_placeholder":true,"num":0}]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// The type as it came, so [`PacketType::BinaryEvent`] stays visible.
    pub kind: PacketType,
    /// Number of binary messages that belong to this packet.
    pub n_attachments: usize,
    /// The namespace with its slash and, from Engine.IO 3 clients, with `?query` (see [`super::split_query`]).
    pub nsp: &'a str,
    /// The acknowledgement id.
    pub id: Option<u64>,
    /// The payload: valid JSON of the shape that the type demands.
    pub payload: RawPayload<'a>,
}

/// The payload of a [`RawPacket`], as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPayload<'a> {
    /// Nothing follows the head. The reference accepts this for every type.
    Absent,
    /// Of CONNECT (an object) and `CONNECT_ERROR` (an object or a string).
    Value(&'a str),
    /// Of an acknowledgement.
    Args(RawArgs<'a>),
    /// Of an event.
    Event {
        /// Unescaped; borrowed unless it contains escapes or is a number.
        name: Cow<'a, str>,
        /// What follows the name.
        args: RawArgs<'a>,
    },
}

/// Arguments as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawArgs<'a> {
    /// The values, joined by commas, without the brackets of the array.
    pub joined: &'a str,
    /// How many they are.
    pub n_args: usize,
}

/// Decodes one text packet, without the engine's prefix `4`.
///
/// The whole JSON is validated, so that its text can be spliced into other packets, but no value is built. As tolerant as the
/// reference decoder, with these differences: the type and the attachment count have to be plain digits (there, a blank
/// type means 0 and counts may be spelled `1e0`), blanks between head and payload do not make an id, and ids end at 2^64.
///
/// # Errors
///
/// [`DecodeError`]; the session has to end.
///
/// **Source** `decodeString` in `packages/socket.io-parser/lib/index.ts`.
pub fn decode(text: &str, max_attachments: usize) -> Result<RawPacket<'_>, DecodeError> {
    // Hot: one pass over the head, one over the JSON; no allocation for plain event names.
    let first = text.bytes().next().ok_or(DecodeError::UnknownType)?;
    let kind = PacketType::from_number(u64::from(first.wrapping_sub(b'0')))
        .ok_or(DecodeError::UnknownType)?;
    let mut rest = text.get(1..).unwrap_or_default();

    let mut n_attachments = 0;
    if kind.is_binary() {
        let (count, behind) = rest
            .split_once('-')
            .ok_or(DecodeError::IllegalAttachments)?;
        n_attachments = attachment_count(count, max_attachments)?;
        rest = behind;
    }

    let mut nsp = super::MAIN_NAMESPACE;
    if rest.starts_with('/') {
        (nsp, rest) = rest.split_once(',').unwrap_or((rest, ""));
    }

    let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, json) = rest.split_at(n_digits);
    let id = if digits.is_empty() {
        None
    } else {
        Some(digits.parse().map_err(|_| DecodeError::InvalidId)?)
    };

    let payload = payload(kind, json)?;
    Ok(RawPacket {
        kind,
        n_attachments,
        nsp,
        id,
        payload,
    })
}

/// A count of plain digits within the limit.
fn attachment_count(digits: &str, max_attachments: usize) -> Result<usize, DecodeError> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecodeError::IllegalAttachments);
    }
    match digits.parse() {
        Ok(count) if count <= max_attachments => Ok(count),
        _ => Err(DecodeError::TooManyAttachments),
    }
}

/// Validates the payload against its type.
fn payload(kind: PacketType, json: &str) -> Result<RawPayload<'_>, DecodeError> {
    if json::is_blank(json) {
        return Ok(RawPayload::Absent);
    }
    match kind {
        PacketType::Disconnect => Err(DecodeError::InvalidPayload),
        PacketType::Connect => {
            let value = json::value(json)?;
            if value.starts_with('{') {
                Ok(RawPayload::Value(value))
            } else {
                Err(DecodeError::InvalidPayload)
            }
        }
        PacketType::ConnectError => {
            let value = json::value(json)?;
            if value.starts_with(['{', '"']) {
                Ok(RawPayload::Value(value))
            } else {
                Err(DecodeError::InvalidPayload)
            }
        }
        PacketType::Event | PacketType::BinaryEvent => event(json),
        PacketType::Ack | PacketType::BinaryAck => {
            let array = json::array(json)?;
            Ok(RawPayload::Args(RawArgs {
                joined: array.joined,
                n_args: array.n_items,
            }))
        }
    }
}

/// The payload of an event: an array that starts with the name, a string or a number.
pub(super) fn event(json: &str) -> Result<RawPayload<'_>, DecodeError> {
    let array = json::array(json)?;
    let first = array.first.ok_or(DecodeError::InvalidPayload)?;
    let name = match first.bytes().next() {
        Some(b'"') => json::unescape(first),
        Some(b'-' | b'0'..=b'9') => Cow::Owned(number_name(first)?),
        _ => return Err(DecodeError::InvalidPayload),
    };
    if is_reserved_event(&name) {
        return Err(DecodeError::ReservedEvent);
    }
    Ok(RawPayload::Event {
        name,
        args: RawArgs {
            joined: array.rest,
            n_args: array.n_items - 1,
        },
    })
}

/// The name of an event that was given as a number: the number as JavaScript prints it.
fn number_name(number: &str) -> Result<String, DecodeError> {
    number
        .parse()
        .map(js_number)
        .map_err(|_| DecodeError::InvalidPayload)
}

/// A number as JavaScript's `String(number)` spells it.
///
/// **Source** ECMA-262, `Number::toString`.
pub(in crate::protocol) fn js_number(number: f64) -> String {
    if number == 0.0 {
        "0".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        }
    } else if (1e-6..1e21).contains(&number.abs()) {
        number.to_string()
    } else {
        let text = format!("{number:e}");
        if text.contains("e-") {
            text
        } else {
            text.replace('e', "e+")
        }
    }
}
