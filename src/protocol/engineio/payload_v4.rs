//! The v4 payload: packets joined by a record separator, binary as base64.
//!
//! Source: v4-current.md, "Packet encoding", "HTTP long-polling".

use memchr::memchr;

use super::{
    DecodeError, Packet, ProtocolVersion,
    packet::{append_base64, decode_text},
};

/// Stands between two packets. Data must not contain it; JSON never does.
const SEPARATOR: char = '\x1e';

/// Takes the next packet off a payload; the rest is `None` after the last one.
// Hot: one memchr, nothing copied but base64.
pub(super) fn next<'a>(rest: &mut Option<&'a str>) -> Option<Result<Packet<'a>, DecodeError>> {
    let body = (*rest)?;
    let packet = match memchr(SEPARATOR as u8, body.as_bytes()) {
        Some(at) => {
            *rest = Some(&body[at + 1..]);
            &body[..at]
        }
        None => {
            *rest = None;
            body
        }
    };
    Some(decode_text(ProtocolVersion::V4, packet))
}

fn append_separator(payload: &mut String) {
    if !payload.is_empty() {
        payload.push(SEPARATOR);
    }
}

/// Appends a text packet (`4hello`) to a v4 payload, with the separator if it is not the first.
pub fn append_v4_text(payload: &mut String, packet: &str) {
    append_separator(payload);
    payload.push_str(packet);
}

/// Appends a binary message to a v4 payload: `b`, then base64 written in place.
pub fn append_v4_binary(payload: &mut String, message: &[u8]) {
    append_separator(payload);
    append_base64(payload, ProtocolVersion::V4, message);
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::protocol::engineio::{Body, Data, PacketType, decode_payload};

    fn decode(body: &str) -> (Vec<Packet<'_>>, Option<DecodeError>) {
        let mut packets = Vec::new();
        for item in decode_payload(ProtocolVersion::V4, Body::Text(body), 10) {
            match item {
                Ok(packet) => packets.push(packet),
                Err(err) => return (packets, Some(err)),
            }
        }
        (packets, None)
    }

    fn message(data: &str) -> Packet<'_> {
        Packet::text(PacketType::Message, data)
    }

    #[test]
    fn payloads_of_the_document_and_of_the_public_suite() {
        let binary = Packet {
            kind: PacketType::Message,
            data: Data::Binary(Cow::Borrowed(&[1, 2, 3, 4])),
        };
        let table = [
            (
                "4hello\x1e2\x1e4world",
                vec![
                    message("hello"),
                    Packet::text(PacketType::Ping, ""),
                    message("world"),
                ],
            ),
            ("4hello\x1ebAQIDBA==", vec![message("hello"), binary]),
            ("4hello", vec![message("hello")]),
            (
                "4test1\x1e4test2\x1e4test3",
                vec![message("test1"), message("test2"), message("test3")],
            ),
            ("1", vec![Packet::text(PacketType::Close, "")]),
            ("3", vec![Packet::text(PacketType::Pong, "")]),
        ];
        for (body, packets) in table {
            assert_eq!(decode(body), (packets.clone(), None), "{body:?}");
            let mut payload = String::new();
            for packet in &packets {
                match &packet.data {
                    Data::Text(data) => {
                        append_v4_text(&mut payload, &format!("{}{data}", packet.kind.as_text()))
                    }
                    Data::Binary(data) => append_v4_binary(&mut payload, data),
                }
            }
            assert_eq!(payload, body);
        }
    }

    // Each row was run through the reference's parser, which answers with the same packets and then its error packet.
    #[test]
    fn a_damaged_payload_gives_what_is_in_front_of_the_damage() {
        let a = || vec![message("a")];
        let table = [
            ("", vec![], DecodeError::EmptyPacket),
            ("abc", vec![], DecodeError::UnknownType(b'a')),
            ("4a\x1e", a(), DecodeError::EmptyPacket),
            ("\x1e4a", vec![], DecodeError::EmptyPacket),
            ("4a\x1e7\x1e4b", a(), DecodeError::UnknownType(b'7')),
            ("4a\x1e\u{1f}", a(), DecodeError::UnknownType(0x1f)),
        ];
        for (body, packets, err) in table {
            assert_eq!(decode(body), (packets, Some(err)), "{body:?}");
        }
    }
}
