//! A walk over the `MessagePack` of another server, one look at each symbol.

use bytes::Bytes;
use bytestring::ByteString;
use smallvec::SmallVec;

use super::{Junk, MAX_DEPTH, values};
use crate::protocol::socketio::{
    Args, DecodeError, js_number,
    msgpack::{Reader, Token},
};

/// Containers around an argument: the array of the message, the packet, its data; in a request its map.
const ENVELOPE: usize = 4;

/// How `notepack.io` 2 writes `undefined`.
const UNDEFINED: [u8; 3] = [0xd4, 0, 0];

/// A reader that takes note of what it passes.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
    /// Whether something was met that is well-formed, but that no encoder of this dialect writes: the bytes may be `msgpack-js`.
    pub(super) is_doubtful: bool,
    /// Whether extensions were met that [`values::modernized`] replaces.
    has_old_extensions: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            reader: Reader::new(bytes),
            is_doubtful: false,
            has_old_extensions: false,
        }
    }

    /// The number of items of the array that begins here. Anything else is a verdict on the whole payload.
    pub(super) fn array(&mut self) -> Result<usize, Junk> {
        match self.reader.token() {
            Ok(Token::Array(n_items)) => Ok(n_items),
            Ok(Token::Map(_)) => Err(Junk::Foreign),
            other => Err(self.scalar(other)),
        }
    }

    /// The values of the members that are asked for, of a map with any members. Those that are `undefined` are absent.
    pub(super) fn members<const N: usize>(
        &mut self,
        names: [&[u8]; N],
    ) -> Result<[Option<&'a [u8]>; N], Junk> {
        let is_inside = self.reader.position() > 0;
        let n_pairs = match self.reader.token() {
            Ok(Token::Map(n_pairs)) => n_pairs,
            Ok(Token::Array(_)) => return Err(Junk::Shape),
            Ok(_) if is_inside => return Err(Junk::Shape),
            other => return Err(self.scalar(other)),
        };
        let mut members = [None; N];
        for _ in 0..n_pairs {
            let key = self.reader.token().map_err(junk)?;
            let Token::Str(key) = key else {
                return Err(Junk::Malformed);
            };
            let value = self.value()?;
            match names.iter().position(|name| *name == key) {
                Some(place) => {
                    if let Some(member) = members.get_mut(place) {
                        *member = Some(value).filter(|value| *value != UNDEFINED);
                    }
                }
                None => self.is_doubtful = true,
            }
        }
        Ok(members)
    }

    /// The verdict on a payload that begins with neither array nor map: text does too, and is more than one scalar.
    fn scalar(&self, token: Result<Token<'_>, DecodeError>) -> Junk {
        if token.is_ok() && self.reader.is_empty() {
            Junk::Shape
        } else {
            Junk::Malformed
        }
    }

    /// Passes one whole value and gives its bytes.
    pub(super) fn value(&mut self) -> Result<&'a [u8], Junk> {
        // Hot: the only pass over the arguments of a broadcast from another node. The stack is on ours.
        let start = self.reader.position();
        let mut open: SmallVec<[(usize, bool); 8]> = SmallVec::new();
        loop {
            let token = self.reader.token().map_err(junk)?;
            let is_key = matches!(open.last(), Some((left, true)) if left.is_multiple_of(2));
            if is_key {
                match token {
                    Token::Str(_) => {}
                    Token::Array(_)
                    | Token::Map(_)
                    | Token::Bin(_)
                    | Token::Ext(..)
                    | Token::FixExt(..) => {
                        return Err(Junk::Malformed);
                    }
                    _ => self.is_doubtful = true,
                }
            }
            match token {
                Token::Array(left) => open.push((left, false)),
                Token::Map(n_pairs) => open.push((2 * n_pairs, true)),
                _ => {
                    if let Token::Ext(..) | Token::FixExt(..) = token {
                        self.is_doubtful |=
                            matches!(token, Token::FixExt(0, content) if content.len() == 16);
                        self.has_old_extensions |= values::is_old_extension(token);
                    }
                    if let Some((left, _)) = open.last_mut() {
                        *left -= 1;
                    }
                }
            }
            if open.len() > MAX_DEPTH + ENVELOPE {
                return Err(Junk::TooDeep);
            }
            while let Some((0, _)) = open.last() {
                open.pop();
                if let Some((left, _)) = open.last_mut() {
                    *left -= 1;
                }
            }
            if open.is_empty() {
                return self
                    .bytes
                    .get(start..self.reader.position())
                    .ok_or(Junk::Malformed);
            }
        }
    }

    /// Checks that nothing follows.
    pub(super) fn end(&self) -> Result<(), Junk> {
        if self.reader.is_empty() {
            Ok(())
        } else {
            Err(Junk::Malformed)
        }
    }

    /// One value that was passed, as one argument. `payload` is what the walk is over.
    pub(super) fn arg(&self, payload: &Bytes, value: &[u8]) -> Args {
        Args::from_msgpack(self.share(payload, value), 1)
    }

    /// The name and the arguments of an event whose data was passed.
    pub(super) fn event(&self, payload: &Bytes, data: &[u8]) -> Result<(ByteString, Args), Junk> {
        let data = self.share(payload, data);
        let mut reader = Reader::new(&data);
        let n_items = match reader.token() {
            Ok(Token::Array(n_items)) if n_items > 0 => n_items,
            _ => return Err(Junk::NoEvent),
        };
        let name = reader.token().map_err(junk)?;
        let name = name_of(&data, name).ok_or(Junk::NoEvent)?;
        let args = Args::from_msgpack(data.slice(reader.position()..), n_items - 1);
        Ok((name, args))
    }

    /// A value that was passed, in the extensions of today. Shares the payload's memory unless there are others.
    fn share(&self, payload: &Bytes, value: &[u8]) -> Bytes {
        if self.has_old_extensions {
            values::modernized(value).into()
        } else {
            payload.slice_ref(value)
        }
    }
}

/// A text in a value that was passed.
pub(super) fn text(payload: &Bytes, value: &[u8]) -> Option<ByteString> {
    match Reader::new(value).token().ok()? {
        token @ (Token::Str(_) | Token::Bin(_)) => name_of(payload, token),
        _ => None,
    }
}

/// A text or a number as JavaScript makes a text of it: names of events and rooms may be either.
pub(super) fn name_of(payload: &Bytes, token: Token<'_>) -> Option<ByteString> {
    Some(match token {
        Token::Str(name) | Token::Bin(name) => {
            match ByteString::try_from(payload.slice_ref(name)) {
                Ok(name) => name,
                Err(_) => String::from_utf8_lossy(name).into_owned().into(),
            }
        }
        Token::Uint(name) => name.to_string().into(),
        Token::Int(name) => name.to_string().into(),
        Token::Float(name) if name.is_finite() => js_number(name).into(),
        _ => return None,
    })
}

/// The whole number in a value; JavaScript does not tell `1` from `1.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and in range"
)]
pub(super) fn whole(value: &[u8]) -> Option<u64> {
    match Reader::new(value).token().ok()? {
        Token::Uint(value) => Some(value),
        Token::Float(value) if value.fract() == 0.0 && (0.0..1e18).contains(&value) => {
            Some(value as u64)
        }
        _ => None,
    }
}

/// Milliseconds in a value, rounded down as timers do.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "in range"
)]
pub(super) fn whole_ms(value: &[u8]) -> Option<u64> {
    match Reader::new(value).token().ok()? {
        Token::Uint(value) => Some(value),
        Token::Float(value) if (0.0..1e18).contains(&value) => Some(value as u64),
        _ => None,
    }
}

/// Whether JavaScript takes a value for true.
pub(super) fn is_truthy(value: &[u8]) -> bool {
    match Reader::new(value).token() {
        Ok(Token::Bool(value)) => value,
        Ok(Token::Uint(value)) => value != 0,
        Ok(Token::Float(value)) => value != 0.0 && !value.is_nan(),
        Ok(Token::Str(text)) => !text.is_empty(),
        Ok(Token::Nil) | Err(_) => false,
        Ok(_) => value != UNDEFINED,
    }
}

/// Whether a value is what JavaScript code takes for no list: null, `undefined`, the empty text.
pub(super) fn is_nothing(value: &[u8]) -> bool {
    matches!(
        Reader::new(value).token(),
        Ok(Token::Nil | Token::Str([]) | Token::FixExt(0, [_]))
    )
}

/// What an error of the reader is on this wire.
pub(super) fn junk(err: DecodeError) -> Junk {
    match err {
        DecodeError::TooDeep => Junk::TooDeep,
        _ => Junk::Malformed,
    }
}
