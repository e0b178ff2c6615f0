//! The dialect of `msgpack-js` 0.3, in which servers before 3.0 and emitters before 2.0 write.

use bytes::Bytes;

use super::broadcast;
use crate::protocol::socketio::msgpack;

/// The same values in standard `MessagePack`; `None` for bytes that this dialect does not have, and for those that mean the
/// same in both.
///
/// | lead | here | in the standard |
/// |---|---|---|
/// | `c4` | `undefined` | binary up to 255 bytes |
/// | `d8` | binary behind a 16-bit length | extension of 16 bytes |
/// | `d9` | binary behind a 32-bit length | text up to 255 bytes |
/// | `c1`, `c5` to `c9`, `d4` to `d7` | nothing | extensions, longer binary |
///
/// One symbol after the other, so depth costs nothing; the result has at most three times the length.
///
/// **Source** `encode` and `decode` in `msgpack.js` of `msgpack-js` 0.3.0.
pub(super) fn translate(payload: &[u8]) -> Option<Bytes> {
    if !broadcast::is_array(payload) {
        return None;
    }
    let mut out = Vec::with_capacity(payload.len() + 16);
    let mut is_changed = false;
    let mut rest = payload;
    while let Some((&lead, behind)) = rest.split_first() {
        // Bytes behind the lead that belong to this symbol, of which the last are content.
        let n_behind = match lead {
            0x00..=0xbf | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => text_len(lead),
            0xc4 => {
                is_changed = true;
                out.extend_from_slice(&UNDEFINED);
                rest = behind;
                continue;
            }
            0xd8 | 0xd9 => {
                is_changed = true;
                let (len, content) = length(behind, if lead == 0xd8 { 2 } else { 4 })?;
                let (bytes, after) = content.split_at_checked(len)?;
                msgpack::write_bin(&mut out, bytes);
                rest = after;
                continue;
            }
            0xda | 0xdb => {
                let width = if lead == 0xda { 2 } else { 4 };
                width + length(behind, width)?.0
            }
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 | 0xdc | 0xde => 2,
            0xca | 0xce | 0xd2 | 0xdd | 0xdf => 4,
            0xcb | 0xcf | 0xd3 => 8,
            0xc1 | 0xc5..=0xc9 | 0xd4..=0xd7 => return None,
        };
        let (symbol, after) = rest.split_at_checked(1 + n_behind)?;
        out.extend_from_slice(symbol);
        rest = after;
    }
    is_changed.then(|| out.into())
}

/// `undefined` as `notepack.io` 2 writes it, which drops a member and is null elsewhere.
const UNDEFINED: [u8; 3] = [0xd4, 0, 0];

/// The length of a short text that its lead byte holds; nothing else has content.
fn text_len(lead: u8) -> usize {
    if matches!(lead, 0xa0..=0xbf) {
        usize::from(lead & 0x1f)
    } else {
        0
    }
}

/// A big-endian length of 2 or 4 bytes, and what follows.
fn length(bytes: &[u8], width: usize) -> Option<(usize, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(width)?;
    let len = digits
        .iter()
        .fold(0, |len, digit| len << 8 | usize::from(*digit));
    Some((len, rest))
}
