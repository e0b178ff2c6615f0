//! DEFLATE for messages, one message at a time (RFC 7692 section 7.2).
//!
//! No context outlives a message, in either direction: [`negotiate`](super::negotiate) sees to it.

use std::cell::RefCell;
use std::fmt;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::encoder::{MAX_HEADER_BYTES, frame_of, header};
use super::error::WsError;
use super::header::Opcode;

/// What a sync flush ends with, and what is left out on the wire (RFC 7692 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// zlib asks for room for its flush marker, lest it writes it twice.
const MIN_ROOM_BYTES: usize = 64;

/// Makes compressed frames. One serves every connection of its thread: it keeps nothing between messages.
///
/// It holds about 270 KB of zlib state, so have one per thread, not one per connection.
pub struct Compressor {
    deflate: Compress,
}

impl Compressor {
    /// `level` is zlib's, from 0 (none) to 9 (best); what is above counts as 9. Node's default is 6.
    #[must_use]
    pub fn new(level: u32) -> Self {
        Self {
            deflate: Compress::new(Compression::new(level.min(9)), false),
        }
    }

    /// A complete frame whose payload is the given parts, compressed, in one allocation (as a rule).
    ///
    /// Every client that negotiated the extension can read it, so a broadcast needs it once. A payload
    /// that does not become shorter is framed as it is, which RFC 7692 section 6 leaves to the sender.
    /// Control frames are never compressed.
    #[must_use]
    pub fn frame(&mut self, opcode: Opcode, parts: &[&[u8]]) -> Bytes {
        let n_bytes: usize = parts.iter().map(|part| part.len()).sum();
        if opcode.is_control() {
            return frame_of(opcode, parts);
        }
        // The header goes in front of the payload when the length of that is known.
        let mut out = Vec::with_capacity(MAX_HEADER_BYTES + n_bytes / 2 + MIN_ROOM_BYTES);
        out.resize(MAX_HEADER_BYTES, 0);
        let is_compressed = self.compress(parts, &mut out);
        let n_compressed = out.len() - MAX_HEADER_BYTES;
        if !is_compressed || n_compressed >= n_bytes {
            return frame_of(opcode, parts);
        }
        let header = header(opcode, n_compressed, true);
        let start = MAX_HEADER_BYTES - header.len();
        out[start..MAX_HEADER_BYTES].copy_from_slice(&header);
        Bytes::from(out).slice(start..)
    }

    /// Appends the compressed parts to `out`, or says that zlib would not.
    fn compress(&mut self, parts: &[&[u8]], out: &mut Vec<u8>) -> bool {
        self.deflate.reset();
        let steps = parts
            .iter()
            .map(|&part| (part, FlushCompress::None))
            .chain([(&[][..], FlushCompress::Sync)]);
        for (mut input, flush) in steps {
            loop {
                out.reserve(MIN_ROOM_BYTES);
                let before = self.deflate.total_in();
                if self.deflate.compress_vec(input, out, flush).is_err() {
                    return false;
                }
                input = &input[taken(before, self.deflate.total_in())..];
                if input.is_empty() && out.len() < out.capacity() {
                    break;
                }
            }
        }
        let has_tail = out.ends_with(&TAIL);
        out.truncate(out.len() - TAIL.len());
        has_tail
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

thread_local! {
    /// Reset for each message; 32 KiB of window and the tables, once per thread that needs it.
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// The message that was compressed, unless it is larger than `max_bytes`.
///
/// **Source**: RFC 7692 section 7.2.2; blocks with BFINAL set: section 7.2.3.4.
pub(super) fn inflate(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, WsError> {
    INFLATE.with_borrow_mut(|inflate| {
        inflate.reset(false);
        // One more than allowed, so that the message that is too large shows itself.
        let room = max_bytes.saturating_add(1);
        let mut out = Vec::with_capacity(room.min(compressed.len().saturating_mul(4)));
        for mut input in [compressed, &TAIL] {
            loop {
                if out.len() == out.capacity() {
                    let n_more = (room - out.len()).min(out.len().max(MIN_ROOM_BYTES));
                    out.reserve_exact(n_more);
                }
                let (before, n_out) = (inflate.total_in(), out.len());
                let status = inflate
                    .decompress_vec(input, &mut out, FlushDecompress::Sync)
                    .map_err(|_| WsError::InvalidDeflate)?;
                let n_taken = taken(before, inflate.total_in());
                input = &input[n_taken..];
                if out.len() > max_bytes {
                    return Err(WsError::MessageTooBig { max_bytes });
                }
                if status == Status::StreamEnd {
                    // A block with BFINAL set. The next one, if any, begins at the next byte.
                    inflate.reset(false);
                } else if out.len() < out.capacity() {
                    if input.is_empty() {
                        break;
                    }
                    if n_taken == 0 && out.len() == n_out {
                        return Err(WsError::InvalidDeflate);
                    }
                }
            }
        }
        Ok(out)
    })
}

/// How much of its input zlib took, by its counter of bytes.
fn taken(before: u64, after: u64) -> usize {
    usize::try_from(after - before).expect("zlib takes no more than the slice it was given")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The payload of a message as a client compresses it.
    pub(in super::super) fn deflated(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(Compressor::new(6).compress(&[payload], &mut out));
        out
    }

    /// The payload of a server's frame, inflated if need be.
    pub(in super::super) fn payload_of(frame: &[u8]) -> Vec<u8> {
        let start = match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let payload = &frame[start..];
        if frame[0] & 0x40 == 0 {
            payload.to_vec()
        } else {
            inflate(payload, usize::MAX - 1).unwrap()
        }
    }

    #[test]
    fn examples_of_section_7_2_3() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"Hello"),  // 7.2.3.1
            (b"\x00\x05\x00\xfa\xffHello\x00", b"Hello"), // 7.2.3.3, no compression
            (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"), // 7.2.3.4, BFINAL
            (
                b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
                b"Hello",
            ), // 7.2.3.5, two blocks
            (b"\x00", b""),                               // 7.2.3.6, empty
            (b"", b""),
        ];
        for (compressed, payload) in table {
            assert_eq!(
                inflate(compressed, 5).as_deref(),
                Ok(payload),
                "{compressed:x?}"
            );
        }
        // 7.2.3.2: without context takeover, the second "Hello" is the same bytes as the first.
        assert_eq!(deflated(b"Hello"), b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        assert_eq!(deflated(b""), b"\x00");
    }

    #[test]
    fn a_back_reference_to_the_last_message_is_refused() {
        // 7.2.3.2: the second "Hello" with context takeover.
        assert_eq!(
            inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", 100).as_deref(),
            Ok(&b"Hello"[..])
        );
        assert_eq!(
            inflate(b"\xf2\x00\x11\x00\x00", 100),
            Err(WsError::InvalidDeflate)
        );
    }

    #[test]
    fn blocks_go_on_after_a_final_one() {
        let hello = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
        let compressed = [&hello[..], hello, b"\xf2\x48\xcd\xc9\xc9\x07\x00"].concat();
        assert_eq!(
            inflate(&compressed, 15).as_deref(),
            Ok(&b"HelloHelloHello"[..])
        );
        assert_eq!(
            inflate(&compressed, 14),
            Err(WsError::MessageTooBig { max_bytes: 14 })
        );
    }

    #[test]
    fn garbage_is_refused() {
        for garbage in [&b"\xff\xff\xff"[..], b"\x07", b"\x00\x05\x00\x00\x00Hello"] {
            assert_eq!(inflate(garbage, 100), Err(WsError::InvalidDeflate));
        }
    }

    #[test]
    fn a_bomb_costs_no_more_than_its_limit() {
        let bomb = deflated(&vec![0; 5_000_000]);
        assert!(bomb.len() < 6_000);
        assert_eq!(
            inflate(&bomb, 1000),
            Err(WsError::MessageTooBig { max_bytes: 1000 })
        );
        assert_eq!(
            inflate(&bomb, 5_000_000).map(|bytes| bytes.len()),
            Ok(5_000_000)
        );
    }

    #[test]
    fn every_limit_is_exact() {
        for len in [0, 1, 63, 64, 65, 255, 256, 4096, 70_000] {
            let payload: Vec<u8> = (0..len)
                .map(|i| u8::try_from(i % 251).unwrap() ^ u8::try_from(i / 256 % 256).unwrap())
                .collect();
            let compressed = deflated(&payload);
            assert_eq!(inflate(&compressed, len).as_ref(), Ok(&payload));
            if len > 0 {
                assert_eq!(
                    inflate(&compressed, len - 1),
                    Err(WsError::MessageTooBig { max_bytes: len - 1 })
                );
            }
        }
    }

    #[test]
    fn frames_are_compressed_only_if_it_helps() {
        let mut compressor = Compressor::new(6);
        let long = "greenroom ".repeat(100);
        let frame = compressor.frame(Opcode::Text, &[b"4", long.as_bytes()]);
        assert_eq!(frame[0], 0xc1);
        assert!(frame.len() < 60);
        assert_eq!(payload_of(&frame), format!("4{long}").as_bytes());
        assert_eq!(
            compressor.frame(Opcode::Text, &[b"4", b"hi"])[..],
            *b"\x81\x034hi"
        );
        assert_eq!(
            compressor.frame(Opcode::Ping, &[&[b'x'; 125]])[..2],
            *b"\x89\x7d"
        );
    }

    #[test]
    fn large_and_incompressible_payloads_pass() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(1_000_000)
        .collect();
        let compressed = deflated(&noise);
        assert!(compressed.len() < 1_000_000 + 1_000_000 / 8 + 64);
        assert_eq!(inflate(&compressed, 1_000_000).as_ref(), Ok(&noise));
    }
}
