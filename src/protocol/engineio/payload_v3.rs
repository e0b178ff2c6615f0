//! The v3 payload in its two forms: lengths in characters within a string, or lengths in bytes within binary.
//!
//! Source: v3.md, "Payload", and the reference's `parser-v3`. The document's example of the binary form counts
//! characters and leaves out the type of the binary packet; the implementations, and its own test suite, count bytes
//! and write the type.

use std::fmt::Write;

use memchr::memchr;

use super::{
    DecodeError, Packet, PacketType, ProtocolVersion,
    packet::{append_base64, base64_packet_len, decode_binary, decode_text},
};

/// Ends the length of the string form.
const COLON: u8 = b':';

/// Ends the length of the binary form.
const LENGTH_END: u8 = 0xff;

/// The kinds of the binary form.
const STRING: u8 = 0;
const BINARY: u8 = 1;

/// At most so many bytes stand in front of a packet of `n_bytes` bytes, in either form.
pub(super) const fn header_len(n_bytes: usize) -> usize {
    let digits = match n_bytes.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    };
    digits + 2
}

/// UTF-16 code units of a text: the "characters" of the string form.
pub(super) fn utf16_len(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    // Every character has one byte that is no continuation, and two units if that byte announces
    // four bytes.
    text.bytes()
        .map(|byte| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0))
        .sum()
}

/// Splits a text after `n_units` UTF-16 code units, unless it is shorter or the cut is within a character.
fn split_at_utf16(text: &str, n_units: usize) -> Option<(&str, &str)> {
    if text.as_bytes().get(..n_units)?.is_ascii() {
        return Some(text.split_at(n_units));
    }
    let mut n_left = n_units;
    for (at, character) in text.char_indices() {
        if n_left == 0 {
            return Some(text.split_at(at));
        }
        n_left = n_left.checked_sub(character.len_utf16())?;
    }
    (n_left == 0).then_some((text, ""))
}

/// Reads a length from its digits (0 to 9, not ASCII).
fn length_of(mut digits: impl ExactSizeIterator<Item = u8>) -> Result<usize, DecodeError> {
    if digits.len() == 0 {
        return Err(DecodeError::InvalidLength);
    }
    digits
        .try_fold(0usize, |length, digit| {
            (digit <= 9)
                .then(|| length.checked_mul(10)?.checked_add(usize::from(digit)))
                .flatten()
        })
        .ok_or(DecodeError::InvalidLength)
}

/// Takes the next packet off the string form.
///
/// Packets of length 0 (`0:`, the reference's encoding of no packets at all) are skipped.
pub(super) fn next_of_string<'a>(rest: &mut &'a str) -> Option<Result<Packet<'a>, DecodeError>> {
    while !rest.is_empty() {
        match take_string(rest) {
            Ok("") => {}
            Ok(packet) => return Some(decode_text(ProtocolVersion::V3, packet)),
            Err(err) => return Some(Err(err)),
        }
    }
    None
}

fn take_string<'a>(rest: &mut &'a str) -> Result<&'a str, DecodeError> {
    let colon = memchr(COLON, rest.as_bytes()).ok_or(DecodeError::InvalidLength)?;
    let length = length_of(
        rest.as_bytes()[..colon]
            .iter()
            .map(|digit| digit.wrapping_sub(b'0')),
    )?;
    let (packet, behind) =
        split_at_utf16(&rest[colon + 1..], length).ok_or(DecodeError::LengthMismatch)?;
    *rest = behind;
    Ok(packet)
}

/// Takes the next packet off the binary form. No bytes at all are no packets, as in the reference.
pub(super) fn next_of_binary<'a>(rest: &mut &'a [u8]) -> Option<Result<Packet<'a>, DecodeError>> {
    (!rest.is_empty()).then(|| match take_binary(rest)? {
        (STRING, packet) => {
            let text = str::from_utf8(packet).map_err(|_| DecodeError::InvalidUtf8)?;
            decode_text(ProtocolVersion::V3, text)
        }
        (_, packet) => decode_binary(ProtocolVersion::V3, packet),
    })
}

fn take_binary<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [u8]), DecodeError> {
    let (&kind, behind) = rest.split_first().ok_or(DecodeError::EmptyPayload)?;
    if kind != STRING && kind != BINARY {
        return Err(DecodeError::UnknownKind(kind));
    }
    let end = memchr(LENGTH_END, behind).ok_or(DecodeError::InvalidLength)?;
    let length = length_of(behind[..end].iter().copied())?;
    let (packet, behind) = behind[end + 1..]
        .split_at_checked(length)
        .ok_or(DecodeError::LengthMismatch)?;
    *rest = behind;
    Ok((kind, packet))
}

fn append_length(payload: &mut String, length: usize) {
    write!(payload, "{length}:").expect("a string takes every write");
}

/// Appends a text packet (`4hello`) to the string form: `6:4hello`.
pub fn append_v3_string_text(payload: &mut String, packet: &str) {
    append_length(payload, utf16_len(packet));
    payload.push_str(packet);
}

/// Appends a binary message to the string form: `10:b4AQIDBA==`.
pub fn append_v3_string_binary(payload: &mut String, message: &[u8]) {
    append_length(payload, base64_packet_len(ProtocolVersion::V3, message));
    append_base64(payload, ProtocolVersion::V3, message);
}

fn append_header(payload: &mut Vec<u8>, kind: u8, length: usize) {
    payload.push(kind);
    let place = length.checked_ilog10().unwrap_or(0);
    let digits = (0..=place).rev().map(|power| {
        u8::try_from(length / 10usize.pow(power) % 10).expect("a remainder of 10 is a byte")
    });
    payload.extend(digits);
    payload.push(LENGTH_END);
}

/// Appends a text packet (`4hello`) to the binary form: `00 06 ff`, then its bytes.
pub fn append_v3_binary_text(payload: &mut Vec<u8>, packet: &str) {
    append_header(payload, STRING, packet.len());
    payload.extend_from_slice(packet.as_bytes());
}

/// Appends a binary message to the binary form: `01 05 ff 04`, then its bytes.
pub fn append_v3_binary_binary(payload: &mut Vec<u8>, message: &[u8]) {
    append_header(payload, BINARY, message.len() + 1);
    payload.push(PacketType::Message.id());
    payload.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::engineio::{Body, Data, decode_payload};

    fn collect<'a>(body: Body<'a>) -> (Vec<Packet<'a>>, Option<DecodeError>) {
        let mut packets = Vec::new();
        for item in decode_payload(ProtocolVersion::V3, body, 10) {
            match item {
                Ok(packet) => packets.push(packet),
                Err(err) => return (packets, Some(err)),
            }
        }
        (packets, None)
    }

    fn text(data: &str) -> Packet<'_> {
        Packet::text(PacketType::Message, data)
    }

    fn bare(kind: PacketType) -> Packet<'static> {
        Packet::text(kind, "")
    }

    fn binary(data: &[u8]) -> Packet<'_> {
        Packet {
            kind: PacketType::Message,
            data: Data::Binary(Cow::Borrowed(data)),
        }
    }

    fn hex(digits: &str) -> Vec<u8> {
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect()
    }

    // v3.md, "Payload" and "Sample session"; its public suite; the reference's encoder for the rest.
    #[test]
    fn string_forms_of_the_document_and_of_the_reference() {
        let table = [
            ("6:4hello2:4€", vec![text("hello"), text("€")]),
            ("2:4€10:b4AQIDBA==", vec![text("€"), binary(&[1, 2, 3, 4])]),
            (
                "6:4hello10:b4AQIDBA==",
                vec![text("hello"), binary(&[1, 2, 3, 4])],
            ),
            ("4:4hey", vec![text("hey")]),
            ("6:4hello6:4world", vec![text("hello"), text("world")]),
            (
                "6:4test16:4test26:4test3",
                vec![text("test1"), text("test2"), text("test3")],
            ),
            ("1:2", vec![bare(PacketType::Ping)]),
            ("1:3", vec![bare(PacketType::Pong)]),
            ("1:1", vec![bare(PacketType::Close)]),
            ("1:6", vec![bare(PacketType::Noop)]),
            ("1:4", vec![text("")]),
            ("2:b4", vec![binary(&[])]),
            (
                "4:4😀é1:26:3probe",
                vec![
                    text("😀é"),
                    bare(PacketType::Ping),
                    Packet::text(PacketType::Pong, "probe"),
                ],
            ),
            ("4:4😀é6:b4/w==", vec![text("😀é"), binary(&[255])]),
            (
                r#"96:0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":5000}"#,
                vec![Packet::text(
                    PacketType::Open,
                    r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":5000}"#,
                )],
            ),
        ];
        for (body, packets) in table {
            assert_eq!(collect(Body::Text(body)), (packets.clone(), None), "{body}");
            let mut payload = String::new();
            for packet in &packets {
                match &packet.data {
                    Data::Text(data) => {
                        append_v3_string_text(
                            &mut payload,
                            &format!("{}{data}", packet.kind.as_text()),
                        );
                    }
                    Data::Binary(data) => append_v3_string_binary(&mut payload, data),
                }
            }
            assert_eq!(payload, body);
        }
    }

    // The public suite's vector, and the reference's encoder.
    #[test]
    fn binary_forms_of_the_reference() {
        let long = "x".repeat(123);
        let long_hex = format!(
            "00010204ff34{}010100ff04070707070707070707",
            "78".repeat(123)
        );
        let table = [
            (
                "0006ff3468656c6c6f0105ff0401020304",
                vec![text("hello"), binary(&[1, 2, 3, 4])],
            ),
            (
                "0004ff34e282ac0105ff0401020304",
                vec![text("€"), binary(&[1, 2, 3, 4])],
            ),
            ("0101ff04", vec![binary(&[])]),
            (
                "0007ff34f09f9880c3a90102ff04ff",
                vec![text("😀é"), binary(&[255])],
            ),
            (&long_hex, vec![text(&long), binary(&[7; 9])]),
        ];
        for (digits, packets) in table {
            let body = hex(digits);
            assert_eq!(
                collect(Body::Binary(&body)),
                (packets.clone(), None),
                "{digits}"
            );
            let mut payload = Vec::new();
            for packet in &packets {
                match &packet.data {
                    Data::Text(data) => append_v3_binary_text(&mut payload, &format!("4{data}")),
                    Data::Binary(data) => append_v3_binary_binary(&mut payload, data),
                }
            }
            assert_eq!(payload, body);
        }
    }

    // The reference's parser answers every row with the same packets, and with its error packet where we have an error.
    #[test]
    fn string_forms_that_the_reference_bears_or_refuses() {
        let table = [
            ("", vec![], Some(DecodeError::EmptyPayload)),
            ("0:", vec![], None),
            ("0:0:", vec![], None),
            ("0:1:20:", vec![bare(PacketType::Ping)], None),
            ("06:4hello", vec![text("hello")], None),
            (
                "1:21:1",
                vec![bare(PacketType::Ping), bare(PacketType::Close)],
                None,
            ),
            ("3:4😀", vec![text("😀")], None),
            ("abc", vec![], Some(DecodeError::InvalidLength)),
            ("a:4", vec![], Some(DecodeError::InvalidLength)),
            (":4", vec![], Some(DecodeError::InvalidLength)),
            ("-1:4", vec![], Some(DecodeError::InvalidLength)),
            ("6:4hell", vec![], Some(DecodeError::LengthMismatch)),
            ("7:b2cHJv", vec![], Some(DecodeError::LengthMismatch)),
            (
                "5:4hello",
                vec![text("hell")],
                Some(DecodeError::InvalidLength),
            ),
            (
                "6:4hello6",
                vec![text("hello")],
                Some(DecodeError::InvalidLength),
            ),
            (
                "6:4hello6:",
                vec![text("hello")],
                Some(DecodeError::LengthMismatch),
            ),
            ("1:7", vec![], Some(DecodeError::UnknownType(b'7'))),
            ("1:a", vec![], Some(DecodeError::UnknownType(b'a'))),
        ];
        for (body, packets, err) in table {
            assert_eq!(collect(Body::Text(body)), (packets, err), "{body:?}");
        }
    }

    // The reference takes these: it reads lengths as JavaScript numbers, cuts characters, ignores unknown types.
    #[test]
    fn string_forms_that_only_we_refuse() {
        let table = [
            ("6e0:4hello", DecodeError::InvalidLength),
            (" 1:4", DecodeError::InvalidLength),
            ("+1:4", DecodeError::InvalidLength),
            ("0x1:4", DecodeError::InvalidLength),
            ("1.0:4", DecodeError::InvalidLength),
            ("2:4😀", DecodeError::LengthMismatch),
            ("1:b", DecodeError::EmptyPacket),
            ("3:b7A", DecodeError::UnknownType(b'7')),
        ];
        for (body, err) in table {
            assert_eq!(collect(Body::Text(body)), (vec![], Some(err)), "{body:?}");
        }
        let huge = format!("{}:4", "9".repeat(400));
        assert_eq!(
            collect(Body::Text(&huge)).1,
            Some(DecodeError::InvalidLength)
        );
        let usize_max = format!("{}:4", usize::MAX);
        assert_eq!(
            collect(Body::Text(&usize_max)).1,
            Some(DecodeError::LengthMismatch)
        );
    }

    #[test]
    fn binary_forms_that_are_refused() {
        let table = [
            // The reference refuses these too.
            ("00", DecodeError::InvalidLength),
            ("0001", DecodeError::InvalidLength),
            ("0001ff", DecodeError::LengthMismatch),
            ("0000ff", DecodeError::EmptyPacket),
            ("0001ff37", DecodeError::UnknownType(b'7')),
            ("0003ff34ff41", DecodeError::InvalidUtf8),
            // The reference ignores these or hands on what there is.
            ("00ff", DecodeError::InvalidLength),
            ("0100ff", DecodeError::EmptyPacket),
            ("0101ff07", DecodeError::UnknownType(7)),
            ("0005ff34", DecodeError::LengthMismatch),
            ("0105ff04", DecodeError::LengthMismatch),
            ("000aff34", DecodeError::InvalidLength),
            ("0206ff3468656c6c6f", DecodeError::UnknownKind(2)),
            ("0004ff34eda080", DecodeError::InvalidUtf8),
        ];
        for (digits, err) in table {
            assert_eq!(
                collect(Body::Binary(&hex(digits))),
                (vec![], Some(err)),
                "{digits}"
            );
        }
        assert_eq!(collect(Body::Binary(&[])), (vec![], None));
        let zeros = [vec![0; 300], hex("01ff32")].concat();
        assert_eq!(
            collect(Body::Binary(&zeros)),
            (vec![bare(PacketType::Ping)], None)
        );
        let nines = [vec![0], vec![9; 400], hex("ff32")].concat();
        assert_eq!(
            collect(Body::Binary(&nines)).1,
            Some(DecodeError::InvalidLength)
        );
        // The document's own example, without the type: its first data byte 1 is then taken for a close.
        let close = Packet {
            kind: PacketType::Close,
            data: Data::Binary(Cow::Borrowed(&[2, 3, 4])),
        };
        assert_eq!(
            collect(Body::Binary(&hex("0004ff34e282ac0104ff01020304"))),
            (vec![text("€"), close], None)
        );
    }

    proptest! {
        #[test]
        fn lengths_are_those_of_the_standard_library(text: String) {
            prop_assert_eq!(utf16_len(&text), text.encode_utf16().count());
        }

        #[test]
        fn a_cut_is_where_utf16_is_cut(text: String, n_units in 0usize..40) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let expected = (n_units <= units.len())
                .then(|| {
                    let (left, right) = units.split_at(n_units);
                    Some((String::from_utf16(left).ok()?, String::from_utf16(right).ok()?))
                })
                .flatten();
            let cut = split_at_utf16(&text, n_units).map(|(left, right)| (left.to_owned(), right.to_owned()));
            prop_assert_eq!(cut, expected);
        }

        #[test]
        fn a_binary_header_is_its_decimal_digits(length: usize) {
            let mut payload = Vec::new();
            append_header(&mut payload, STRING, length);
            let digits: Vec<u8> = length.to_string().bytes().map(|digit| digit - b'0').collect();
            prop_assert_eq!(&payload[1..payload.len() - 1], digits);
            prop_assert_eq!(payload.len(), header_len(length));
        }
    }
}
