//! Frames for a client (RFC 6455 section 5.2). A server never masks.

use std::fmt;
use std::ops::Deref;

use bytes::{BufMut, Bytes, BytesMut};

use super::error::close_code;
use super::header::{MAX_CONTROL_BYTES, Opcode};

/// Two bytes and eight of length.
pub(super) const MAX_HEADER_BYTES: usize = 10;

/// The header of a frame, two to ten bytes, for those who write header and payload as separate slices.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderBytes {
    bytes: [u8; MAX_HEADER_BYTES],
    len: u8,
}

impl Deref for HeaderBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for HeaderBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x?}", &**self)
    }
}

/// The header of a complete frame with `payload_len` bytes; `is_compressed` sets RSV1.
///
/// A ping, pong or close frame must not exceed 125 bytes and is never compressed: the caller sees to it.
#[must_use]
pub fn header(opcode: Opcode, payload_len: usize, is_compressed: bool) -> HeaderBytes {
    let first = 0x80 | u8::from(is_compressed) << 6 | opcode as u8;
    let mut bytes = [0; MAX_HEADER_BYTES];
    bytes[0] = first;
    let len = match (u8::try_from(payload_len), u16::try_from(payload_len)) {
        (Ok(short @ ..=125), _) => {
            bytes[1] = short;
            2
        }
        (_, Ok(medium)) => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&medium.to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
            10
        }
    };
    HeaderBytes { bytes, len }
}

/// A complete frame.
///
/// ```
/// use greenroom::protocol::websocket::{Opcode, frame};
///
/// assert_eq!(frame(Opcode::Pong, b"hi")[..], *b"\x8a\x02hi");
/// ```
#[must_use]
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    frame_of(opcode, &[payload])
}

/// A complete frame whose payload is the given parts, in one allocation.
///
/// ```
/// use greenroom::protocol::websocket::{Opcode, frame_of};
///
/// assert_eq!(frame_of(Opcode::Text, &[b"4", b"2[\"hi\"]"])[..], *b"\x81\x0842[\"hi\"]");
/// ```
#[must_use]
pub fn frame_of(opcode: Opcode, parts: &[&[u8]]) -> Bytes {
    let payload_len = parts.iter().map(|part| part.len()).sum();
    let header = header(opcode, payload_len, false);
    let mut frame = BytesMut::with_capacity(header.len() + payload_len);
    frame.put_slice(&header);
    for part in parts {
        frame.put_slice(part);
    }
    frame.freeze()
}

/// A close frame.
///
/// The reason is cut to 123 bytes, at a whole code point. A code that must not be sent, such as
/// [`NO_STATUS`](close_code::NO_STATUS), makes a frame without code and reason.
///
/// **Source**: RFC 6455 sections 5.5.1 and 7.4.
#[must_use]
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    if !close_code::may_be_sent(code) {
        return frame(Opcode::Close, &[]);
    }
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL_BYTES - 2)];
    frame_of(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()])
}

/// The answer to a close frame: its code, if it had one.
///
/// **Source**: RFC 6455 section 5.5.1.
#[must_use]
pub fn close_reply(received: Option<(u16, &str)>) -> Bytes {
    close_frame(received.map_or(close_code::NO_STATUS, |(code, _)| code), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_section_5_7() {
        assert_eq!(frame(Opcode::Text, b"Hello")[..], *b"\x81\x05Hello");
        assert_eq!(frame(Opcode::Ping, b"Hello")[..], *b"\x89\x05Hello");
        assert_eq!(
            header(Opcode::Binary, 256, false)[..],
            [0x82, 0x7e, 0x01, 0x00]
        );
        assert_eq!(
            header(Opcode::Binary, 65_536, false)[..],
            [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }

    #[test]
    fn lengths_take_the_fewest_bytes() {
        let table: [(usize, &[u8]); 6] = [
            (0, b"\xc1\x00"),
            (125, b"\xc1\x7d"),
            (126, b"\xc1\x7e\x00\x7e"),
            (255, b"\xc1\x7e\x00\xff"),
            (65_535, b"\xc1\x7e\xff\xff"),
            (65_536, b"\xc1\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ];
        for (len, bytes) in table {
            assert_eq!(header(Opcode::Text, len, true)[..], *bytes, "{len}");
        }
    }

    #[test]
    fn close_frames_stay_within_the_rules() {
        assert_eq!(close_frame(1000, "")[..], *b"\x88\x02\x03\xe8");
        assert_eq!(close_frame(1009, "big")[..], *b"\x88\x05\x03\xf1big");
        for never in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            assert_eq!(close_frame(never, "lost")[..], *b"\x88\x00", "{never}");
        }
        let long = close_frame(1000, &"ä".repeat(100)); // 200 bytes
        assert_eq!(long.len(), 2 + 2 + 122);
        assert!(str::from_utf8(&long[4..]).is_ok());
    }

    #[test]
    fn close_is_answered_with_its_code() {
        assert_eq!(close_reply(None)[..], *b"\x88\x00");
        assert_eq!(close_reply(Some((3000, "bye")))[..], *b"\x88\x02\x0b\xb8");
    }
}
