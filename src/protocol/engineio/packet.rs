//! One packet: one WebSocket frame, or one piece of a polling payload.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

use super::{DecodeError, ProtocolVersion, base64};

/// What a client and a server say to each other on a transport under trial: `2probe`, `3probe`.
///
/// Source: v4-current.md, "Upgrade"; v3.md, "Transport upgrading".
pub const PROBE: &str = "probe";

/// The first symbol of a binary packet that travels as text.
const BASE64_MARK: u8 = b'b';

/// The packet types of both revisions.
///
/// Source: v4-current.md, "Protocol"; v3.md, "Packet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// The handshake.
    Open = 0,
    /// The transport is being closed.
    Close = 1,
    /// The question of the heartbeat.
    Ping = 2,
    /// Its answer.
    Pong = 3,
    /// A message of the application.
    Message = 4,
    /// The client takes the transport under trial.
    Upgrade = 5,
    /// Nothing; ends a pending poll.
    Noop = 6,
}

impl PacketType {
    /// All types, in the order of their ids.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Close,
        Self::Ping,
        Self::Pong,
        Self::Message,
        Self::Upgrade,
        Self::Noop,
    ];

    /// The type with this id, 0 to 6.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::Open),
            1 => Some(Self::Close),
            2 => Some(Self::Ping),
            3 => Some(Self::Pong),
            4 => Some(Self::Message),
            5 => Some(Self::Upgrade),
            6 => Some(Self::Noop),
            _ => None,
        }
    }

    /// The id on the wire, 0 to 6.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The whole text packet of this type without data: `0` to `6`.
    #[must_use]
    pub const fn as_text(self) -> &'static str {
        match self {
            Self::Open => "0",
            Self::Close => "1",
            Self::Ping => "2",
            Self::Pong => "3",
            Self::Message => "4",
            Self::Upgrade => "5",
            Self::Noop => "6",
        }
    }

    /// The protocol's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Message => "message",
            Self::Upgrade => "upgrade",
            Self::Noop => "noop",
        }
    }
}

/// A packet that arrived, borrowed from its frame or payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: PacketType,
    /// What it carries; an absent text is the empty text, as on the wire.
    pub data: Data<'a>,
}

/// The data of a [`Packet`].
///
/// The text is a slice of what was decoded, and so is binary unless it came as base64: with the frame in a `Bytes` or
/// `ByteString`, `frame.slice_ref(slice)` turns it into an owned value without a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data<'a> {
    /// Text, maybe empty.
    Text(&'a str),
    /// Binary, maybe empty.
    Binary(Cow<'a, [u8]>),
}

impl<'a> Packet<'a> {
    pub(super) const fn text(kind: PacketType, data: &'a str) -> Self {
        Self {
            kind,
            data: Data::Text(data),
        }
    }

    /// Is it `2probe` or `3probe`, the packet that tries a transport?
    #[must_use]
    pub fn is_probe(&self) -> bool {
        matches!(self.kind, PacketType::Ping | PacketType::Pong) && self.data == Data::Text(PROBE)
    }
}

/// Decodes a text frame, or one packet of a textual payload.
///
/// Shape: `4hello`; binary as text is `bAQIDBA==` in v4 and `b4AQIDBA==` in v3.
///
/// # Errors
/// [`DecodeError::EmptyPacket`], [`DecodeError::UnknownType`], [`DecodeError::InvalidBase64`].
// Hot: one byte is looked at, nothing is copied but base64.
pub fn decode_text(version: ProtocolVersion, frame: &str) -> Result<Packet<'_>, DecodeError> {
    let &first = frame.as_bytes().first().ok_or(DecodeError::EmptyPacket)?;
    if first == BASE64_MARK {
        return decode_base64(version, &frame[1..]);
    }
    let kind = type_of_digit(first)?;
    Ok(Packet::text(kind, &frame[1..]))
}

/// Decodes a binary frame, or one binary packet of a v3 payload.
///
/// Shape: in v4 the whole frame is the message; in v3 its first byte is the type (`04`, not the digit `34`).
///
/// # Errors
/// In v3 [`DecodeError::EmptyPacket`] and [`DecodeError::UnknownType`]; in v4 none.
pub fn decode_binary(version: ProtocolVersion, frame: &[u8]) -> Result<Packet<'_>, DecodeError> {
    let (kind, data) = match version {
        ProtocolVersion::V4 => (PacketType::Message, frame),
        ProtocolVersion::V3 => {
            let (&id, data) = frame.split_first().ok_or(DecodeError::EmptyPacket)?;
            (
                PacketType::from_id(id).ok_or(DecodeError::UnknownType(id))?,
                data,
            )
        }
    };
    Ok(Packet {
        kind,
        data: Data::Binary(Cow::Borrowed(data)),
    })
}

fn decode_base64(version: ProtocolVersion, text: &str) -> Result<Packet<'static>, DecodeError> {
    let (kind, symbols) = match version {
        ProtocolVersion::V4 => (PacketType::Message, text),
        ProtocolVersion::V3 => {
            let &digit = text.as_bytes().first().ok_or(DecodeError::EmptyPacket)?;
            (type_of_digit(digit)?, &text[1..])
        }
    };
    Ok(Packet {
        kind,
        data: Data::Binary(Cow::Owned(base64::decode(symbols)?)),
    })
}

fn type_of_digit(digit: u8) -> Result<PacketType, DecodeError> {
    PacketType::from_id(digit.wrapping_sub(b'0')).ok_or(DecodeError::UnknownType(digit))
}

/// Encodes a text packet: a whole text frame, and what [`super::PayloadEncoder::push_text`] takes.
///
/// Shape: `4hello`. Without data nothing is allocated.
#[must_use]
pub fn encode_text(kind: PacketType, data: &str) -> ByteString {
    if data.is_empty() {
        return ByteString::from_static(kind.as_text());
    }
    let mut packet = String::with_capacity(1 + data.len());
    packet.push_str(kind.as_text());
    packet.push_str(data);
    packet.into()
}

/// Encodes a binary message as a v3 binary frame. In v4 the frame is the message itself.
///
/// Shape: `04`, then the message.
#[must_use]
pub fn encode_binary_v3(message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(1 + message.len());
    frame.push(PacketType::Message.id());
    frame.extend_from_slice(message);
    frame.into()
}

/// Encodes a binary message as a text packet, for clients that asked for `b64`, on a WebSocket too.
///
/// Shape: `bAQIDBA==` in v4, `b4AQIDBA==` in v3.
#[must_use]
pub fn encode_base64(version: ProtocolVersion, message: &[u8]) -> ByteString {
    let mut packet = String::with_capacity(base64_packet_len(version, message));
    append_base64(&mut packet, version, message);
    packet.into()
}

pub(super) fn append_base64(out: &mut String, version: ProtocolVersion, message: &[u8]) {
    out.push(char::from(BASE64_MARK));
    if version == ProtocolVersion::V3 {
        out.push_str(PacketType::Message.as_text());
    }
    base64::append(out, message);
}

/// Bytes (all ASCII) of what [`append_base64`] writes.
pub(super) const fn base64_packet_len(version: ProtocolVersion, message: &[u8]) -> usize {
    let mark = match version {
        ProtocolVersion::V4 => 1,
        ProtocolVersion::V3 => 2,
    };
    base64::encoded_len(message.len()).saturating_add(mark)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        ProtocolVersion::{V3, V4},
        *,
    };

    fn binary(kind: PacketType, bytes: &[u8]) -> Packet<'_> {
        Packet {
            kind,
            data: Data::Binary(Cow::Borrowed(bytes)),
        }
    }

    // v4-current.md, "Protocol"; v3.md, "Packet".
    #[test]
    fn the_types_have_the_ids_and_names_of_the_documents() {
        let names = [
            "open", "close", "ping", "pong", "message", "upgrade", "noop",
        ];
        for (id, name) in (0..).zip(names) {
            let kind = PacketType::from_id(id).unwrap();
            assert_eq!(
                (kind.id(), kind.name(), kind.as_text()),
                (id, name, id.to_string().as_str())
            );
            assert_eq!(PacketType::ALL[usize::from(id)], kind);
        }
        assert_eq!(PacketType::from_id(7), None);
    }

    // v4-current.md, "WebSocket" and "Upgrade"; v3.md, "Sample session" and "Packet".
    #[test]
    fn text_frames_of_the_documents() {
        for version in [V3, V4] {
            for (frame, kind, data) in [
                ("4hello", PacketType::Message, "hello"),
                ("4HelloWorld", PacketType::Message, "HelloWorld"),
                ("4", PacketType::Message, ""),
                ("4€", PacketType::Message, "€"),
                ("4b", PacketType::Message, "b"),
                ("2", PacketType::Ping, ""),
                ("3", PacketType::Pong, ""),
                ("2probe", PacketType::Ping, "probe"),
                ("3probe", PacketType::Pong, "probe"),
                ("5", PacketType::Upgrade, ""),
                ("1", PacketType::Close, ""),
                ("6", PacketType::Noop, ""),
                (r#"0{"sid":"x"}"#, PacketType::Open, r#"{"sid":"x"}"#),
            ] {
                assert_eq!(
                    decode_text(version, frame),
                    Ok(Packet::text(kind, data)),
                    "{frame}"
                );
                assert_eq!(encode_text(kind, data), frame);
            }
        }
    }

    // The public test suites send `abc` to be closed for it; the other rows were run through the reference's parsers.
    #[test]
    fn text_frames_without_a_type_are_errors() {
        for version in [V3, V4] {
            for (frame, err) in [
                ("", DecodeError::EmptyPacket),
                ("abc", DecodeError::UnknownType(b'a')),
                ("7", DecodeError::UnknownType(b'7')),
                ("-1", DecodeError::UnknownType(b'-')),
                ("/", DecodeError::UnknownType(b'/')),
                (":", DecodeError::UnknownType(b':')),
                ("B", DecodeError::UnknownType(b'B')),
                (" 4", DecodeError::UnknownType(b' ')),
                ("\u{4}", DecodeError::UnknownType(4)),
                ("é", DecodeError::UnknownType(0xc3)),
            ] {
                assert_eq!(decode_text(version, frame), Err(err), "{frame:?}");
            }
        }
        assert_eq!(decode_text(V3, "b"), Err(DecodeError::EmptyPacket));
        assert_eq!(
            decode_text(V3, "b7AQ=="),
            Err(DecodeError::UnknownType(b'7'))
        );
        assert_eq!(decode_text(V3, "bé"), Err(DecodeError::UnknownType(0xc3)));
    }

    #[test]
    fn binary_frames_of_both_revisions() {
        // Public test suites: v4 echoes 01 02 03 04, v3 echoes 04 01 02 03 04.
        assert_eq!(
            decode_binary(V4, &[1, 2, 3, 4]),
            Ok(binary(PacketType::Message, &[1, 2, 3, 4]))
        );
        assert_eq!(decode_binary(V4, &[]), Ok(binary(PacketType::Message, &[])));
        assert_eq!(
            decode_binary(V3, &[4, 1, 2, 3, 4]),
            Ok(binary(PacketType::Message, &[1, 2, 3, 4]))
        );
        // v3.md, "Packet": 4|0|1|2|3|4|5.
        assert_eq!(
            decode_binary(V3, &[4, 0, 1, 2, 3, 4, 5]),
            Ok(binary(PacketType::Message, &[0, 1, 2, 3, 4, 5]))
        );
        assert_eq!(
            decode_binary(V3, &[4]),
            Ok(binary(PacketType::Message, &[]))
        );
        assert_eq!(decode_binary(V3, &[1]), Ok(binary(PacketType::Close, &[])));
        assert_eq!(decode_binary(V3, &[]), Err(DecodeError::EmptyPacket));
        assert_eq!(decode_binary(V3, &[7, 1]), Err(DecodeError::UnknownType(7)));
        assert_eq!(
            decode_binary(V3, b"4hello"),
            Err(DecodeError::UnknownType(b'4'))
        );
        assert_eq!(encode_binary_v3(&[1, 2, 3, 4]), [4, 1, 2, 3, 4].as_slice());
    }

    #[test]
    fn binary_as_text_in_both_revisions() {
        assert_eq!(
            decode_text(V4, "bAQIDBA=="),
            Ok(binary(PacketType::Message, &[1, 2, 3, 4]))
        );
        assert_eq!(decode_text(V4, "b"), Ok(binary(PacketType::Message, &[])));
        assert_eq!(
            decode_text(V3, "b4AQIDBA=="),
            Ok(binary(PacketType::Message, &[1, 2, 3, 4]))
        );
        assert_eq!(decode_text(V3, "b4"), Ok(binary(PacketType::Message, &[])));
        assert_eq!(
            decode_text(V3, "b2cHJvYmU="),
            Ok(binary(PacketType::Ping, b"probe"))
        );
        assert_eq!(decode_text(V4, "b%"), Err(DecodeError::InvalidBase64));
        assert_eq!(encode_base64(V4, &[1, 2, 3, 4]), "bAQIDBA==");
        assert_eq!(encode_base64(V3, &[1, 2, 3, 4]), "b4AQIDBA==");
    }

    #[test]
    fn a_probe_is_a_text_ping_or_pong() {
        for (frame, is_probe) in [
            ("2probe", true),
            ("3probe", true),
            ("2", false),
            ("4probe", false),
            ("2Probe", false),
            ("b2cHJvYmU=", false),
        ] {
            assert_eq!(
                decode_text(V3, frame).unwrap().is_probe(),
                is_probe,
                "{frame}"
            );
        }
    }

    #[test]
    fn decoded_data_can_be_sliced_from_its_frame() {
        let frame = ByteString::from_static("4hello");
        let Data::Text(text) = decode_text(V4, &frame).unwrap().data else {
            panic!("text expected")
        };
        assert_eq!(frame.slice_ref(text), "hello");
    }

    proptest! {
        #[test]
        fn any_packet_survives_a_frame(id in 0u8..7, text: String, bytes: Vec<u8>) {
            let kind = PacketType::from_id(id).unwrap();
            for version in [V3, V4] {
                let frame = encode_text(kind, &text);
                prop_assert_eq!(decode_text(version, &frame), Ok(Packet::text(kind, &text)));
                let expected = Ok(binary(PacketType::Message, &bytes));
                let as_text = encode_base64(version, &bytes);
                prop_assert_eq!(as_text.len(), base64_packet_len(version, &bytes));
                prop_assert_eq!(&decode_text(version, &as_text), &expected);
                let frame = if version == V3 { encode_binary_v3(&bytes) } else { bytes.clone().into() };
                prop_assert_eq!(&decode_binary(version, &frame), &expected);
            }
        }

        #[test]
        fn any_frame_is_decoded_or_refused(text: String, bytes: Vec<u8>) {
            for version in [V3, V4] {
                if let Ok(Packet { kind, data: Data::Text(data) }) = decode_text(version, &text) {
                    prop_assert_eq!(encode_text(kind, data), text.as_str());
                }
                let _ = decode_text(version, &format!("b{text}"));
                let _ = decode_binary(version, &bytes);
            }
        }
    }
}
