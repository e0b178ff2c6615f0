//! Values as they may be published, and values of old encoders as they are understood today.

use bytes::Bytes;

use super::{MAX_DEPTH, Unpublishable};
use crate::protocol::socketio::{
    Args, Dialect,
    extension::timestamp_ms,
    msgpack::{self, Reader, Token},
};

/// The largest integer that JavaScript tells from its neighbours.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// What was found in arguments that are to be published.
#[derive(Default)]
struct Found {
    /// Extensions, keys that are no text, text that is no UTF-8: other servers read them differently, or end on them.
    foreign: bool,
    /// Integers that other servers would round, and write in a way that their own readers take for something else.
    wide: bool,
}

/// The values of arguments as `MessagePack` that every server of the reference can read, and their number.
///
/// Dates go out as ISO 8601, because versions disagree about extensions; integers beyond 2^53 as floats.
pub(super) fn publishable(args: &Args) -> Result<(Bytes, usize), Unpublishable> {
    let (values, n_values) = args.msgpack_values();
    let found = survey(&values)?;
    if found.foreign {
        // Through JSON, where none of that exists.
        let (plain, n_values) = args
            .to_dialect(Dialect::Json)
            .to_dialect(Dialect::Msgpack)
            .msgpack_values();
        return Ok((rewritten(&plain, float_if_wide).into(), n_values));
    }
    if found.wide {
        return Ok((rewritten(&values, float_if_wide).into(), n_values));
    }
    Ok((values, n_values))
}

/// Refuses arguments that are nested too deep.
pub(super) fn check_depth(args: &Args) -> Result<(), Unpublishable> {
    if args.is_deeper_than(MAX_DEPTH) {
        Err(Unpublishable::TooDeep)
    } else {
        Ok(())
    }
}

/// Looks at all symbols of valid values once.
fn survey(values: &[u8]) -> Result<Found, Unpublishable> {
    // Hot: once per broadcast that leaves this node.
    let mut found = Found::default();
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut reader = Reader::new(values);
    while let Ok(token) = reader.token() {
        if let Some((left, is_map)) = open.last_mut() {
            found.foreign |= *is_map && left.is_multiple_of(2) && !matches!(token, Token::Str(_));
            *left -= 1;
        }
        match token {
            Token::Array(left) => open.push((left, false)),
            Token::Map(n_pairs) => open.push((2 * n_pairs, true)),
            Token::Ext(..) | Token::FixExt(..) => found.foreign = true,
            Token::Str(text) => found.foreign |= std::str::from_utf8(text).is_err(),
            Token::Uint(value) => found.wide |= value > MAX_SAFE_INTEGER,
            Token::Int(value) => found.wide |= value.unsigned_abs() > MAX_SAFE_INTEGER,
            Token::Nil | Token::Bool(_) | Token::Float(_) | Token::Bin(_) => {}
        }
        if open.len() > MAX_DEPTH {
            return Err(Unpublishable::TooDeep);
        }
        while let Some((0, _)) = open.last() {
            open.pop();
        }
    }
    Ok(found)
}

/// A 64-bit float in the place of an integer that JavaScript could not hold.
#[expect(clippy::cast_precision_loss, reason = "what JavaScript makes of it")]
fn float_if_wide(token: Token<'_>, out: &mut Vec<u8>) -> bool {
    let float = match token {
        Token::Uint(value) if value > MAX_SAFE_INTEGER => value as f64,
        Token::Int(value) if value.unsigned_abs() > MAX_SAFE_INTEGER => value as f64,
        _ => return false,
    };
    // Not `write_float`, which makes integers of whole numbers.
    out.push(0xcb);
    out.extend_from_slice(&float.to_be_bytes());
    true
}

/// The same values with each symbol replaced for which `replace` writes something and says so.
fn rewritten(values: &[u8], replace: impl Fn(Token<'_>, &mut Vec<u8>) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len());
    let mut reader = Reader::new(values);
    let mut start = 0;
    while let Ok(token) = reader.token() {
        if !replace(token, &mut out) {
            out.extend_from_slice(values.get(start..reader.position()).unwrap_or_default());
        }
        start = reader.position();
    }
    out
}

/// Whether a symbol is an extension that clients and our own readers do not know.
pub(super) fn is_old_extension(token: Token<'_>) -> bool {
    matches!(
        token,
        Token::Ext(-1 | 0x0d | 0x11..=0x1d, _) | Token::FixExt(-1 | 0x0d | 0x11..=0x1d, _)
    )
}

/// Values in which dates are those of `notepack.io` 2, which is what clients with the msgpack parser read, and binary is `bin`.
///
/// **Source** types 0x0d and 0x11 to 0x1d: `ext-packer.js` of `msgpack-lite`. Type -1: the timestamp of the specification, as
/// `notepack.io` 3 writes it.
pub(super) fn modernized(values: &[u8]) -> Vec<u8> {
    rewritten(values, |token, out| {
        let (Token::Ext(kind, content) | Token::FixExt(kind, content)) = token else {
            return false;
        };
        match kind {
            -1 if matches!(content.len(), 4 | 8 | 12) => write_date(out, timestamp_ms(content)),
            0x0d => write_date(out, ms(content)),
            0x11..=0x1d => msgpack::write_bin(out, content),
            _ => return false,
        }
        true
    })
}

/// Milliseconds in the nested number that is the content of a `msgpack-lite` date.
#[expect(clippy::cast_possible_truncation, reason = "in range")]
fn ms(content: &[u8]) -> Option<i64> {
    match Reader::new(content).token().ok()? {
        Token::Uint(value) => i64::try_from(value).ok(),
        Token::Int(value) => Some(value),
        // The range of JavaScript's dates.
        Token::Float(value) if value.abs() <= 8.64e15 => Some(value as i64),
        _ => None,
    }
}

/// A date as `notepack.io` 2 writes it; null for one that is none.
fn write_date(out: &mut Vec<u8>, ms: Option<i64>) {
    match ms {
        Some(ms) => {
            out.extend_from_slice(&[0xd7, 0]);
            out.extend_from_slice(&ms.to_be_bytes());
        }
        None => msgpack::write_nil(out),
    }
}
