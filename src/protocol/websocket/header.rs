//! The header of a client's frame (RFC 6455 section 5.2), and the rules that need nothing but it.

use super::error::WsError;

/// What a frame is.
///
/// **Source**: RFC 6455 section 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// One more fragment of the message that is under way.
    Continuation = 0,
    /// UTF-8 text, or its first fragment.
    Text = 1,
    /// Bytes, or their first fragment.
    Binary = 2,
    /// The end of the connection, with an optional code and reason.
    Close = 8,
    /// A question that a pong with the same payload answers.
    Ping = 9,
    /// The answer to a ping, or a sign of life that nobody asked for.
    Pong = 10,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Whether this is a close, ping or pong, which may stand between the fragments of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Two bytes, eight of length, four of key.
pub(super) const MAX_HEADER_BYTES: usize = 14;

/// The most a control frame may carry (RFC 6455 section 5.5).
pub(super) const MAX_CONTROL_BYTES: usize = 125;

/// What a client's frame says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) opcode: Opcode,
    pub(super) is_final: bool,
    pub(super) is_compressed: bool,
    pub(super) key: [u8; 4],
    pub(super) len: u64,
}

impl FrameHeader {
    /// The header at the front of `bytes` and its length, or `None` if more bytes are needed.
    ///
    /// RSV1 is reported as `is_compressed` on data frames: only the decoder knows whether it is allowed.
    /// A length that needs fewer bytes than it takes is let through, as every server does.
    ///
    /// # Errors
    ///
    /// Broken rules of sections 5.1, 5.2 and 5.5, as soon as the first two bytes are there.
    #[inline]
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, WsError> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        let opcode =
            Opcode::from_bits(first & 0x0f).ok_or(WsError::ReservedOpcode(first & 0x0f))?;
        let is_final = first & 0x80 != 0;
        let is_compressed = first & 0x40 != 0;
        let short_len = second & 0x7f;
        if first & 0x30 != 0 || is_compressed && !matches!(opcode, Opcode::Text | Opcode::Binary) {
            return Err(WsError::ReservedBits);
        }
        if opcode.is_control() {
            if !is_final {
                return Err(WsError::FragmentedControl);
            }
            if usize::from(short_len) > MAX_CONTROL_BYTES {
                return Err(WsError::LongControl);
            }
        }
        if second & 0x80 == 0 {
            return Err(WsError::Unmasked);
        }

        let (len, rest) = match short_len {
            126 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            short_len => (u64::from(short_len), rest),
        };
        if len >> 63 != 0 {
            return Err(WsError::LengthOverflow);
        }
        let Some((&key, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        let parsed = Self {
            opcode,
            is_final,
            is_compressed,
            key,
            len,
        };
        Ok(Some((parsed, bytes.len() - rest.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [1, 2, 3, 4];

    #[test]
    fn the_first_two_bytes_decide() {
        let table: [(&[u8], WsError); 12] = [
            (b"\x81\x05", WsError::Unmasked),
            (b"\x91\x80", WsError::ReservedBits),
            (b"\xa1\x80", WsError::ReservedBits),
            (b"\xc0\x80", WsError::ReservedBits), // RSV1 on a continuation
            (b"\xc9\x80", WsError::ReservedBits), // RSV1 on a ping
            (b"\x83\x80", WsError::ReservedOpcode(3)),
            (b"\x87\x80", WsError::ReservedOpcode(7)),
            (b"\x8b\x80", WsError::ReservedOpcode(11)),
            (b"\x8f\x80", WsError::ReservedOpcode(15)),
            (b"\x09\x80", WsError::FragmentedControl),
            (b"\x88\xfe", WsError::LongControl),
            (b"\x8a\xff", WsError::LongControl),
        ];
        for (bytes, err) in table {
            assert_eq!(FrameHeader::parse(bytes), Err(err), "{bytes:x?}");
        }
    }

    #[test]
    fn lengths_of_all_three_forms_are_read() {
        let table: [(&[u8], u64); 6] = [
            (b"\x81\x80", 0),
            (b"\x81\xfd", 125),
            (b"\x81\xfe\x00\x7e", 126),
            (b"\x81\xfe\x00\x01", 1), // not minimal
            (b"\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00", 65_536),
            (b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", i64::MAX as u64),
        ];
        for (bytes, len) in table {
            let whole = [bytes, &KEY, b"payload"].concat();
            let (header, n_bytes) = FrameHeader::parse(&whole).unwrap().unwrap();
            assert_eq!(
                (header.len, header.key, n_bytes),
                (len, KEY, bytes.len() + 4)
            );
            for cut in 0..n_bytes {
                assert_eq!(FrameHeader::parse(&whole[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn the_64th_bit_of_a_length_is_refused() {
        let bytes = b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00";
        assert_eq!(FrameHeader::parse(bytes), Err(WsError::LengthOverflow));
    }
}
