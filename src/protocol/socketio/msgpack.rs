//! `MessagePack`: a cursor that borrows; with it, under this name, the writers and the arguments in this form.
//!
//! Nothing here recurses and nothing is allocated from a length that the bytes only claim.
//!
//! **Source** the `MessagePack` specification; `notepack.io` 2.2 for the choice of forms and its private extensions.

use super::DecodeError;
pub use super::{
    msgpack_packet::{read_arg, read_args, read_event_data, write_args, write_event_data},
    msgpack_write::{
        write_array_len, write_bin, write_bool, write_float, write_int, write_map_len, write_nil,
        write_str, write_uint,
    },
};

/// One symbol: a scalar, or the head of a container whose items follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// `nil`.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that is not negative.
    Uint(u64),
    /// A negative integer.
    Int(i64),
    /// A float of either width.
    Float(f64),
    /// A text. Usually UTF-8, but nobody has checked.
    Str(&'a [u8]),
    /// Bytes.
    Bin(&'a [u8]),
    /// An array of so many items.
    Array(usize),
    /// A map of so many pairs.
    Map(usize),
    /// An extension of any length: its type and content.
    Ext(i8, &'a [u8]),
    /// An extension of 1, 2, 4, 8 or 16 bytes in the short form. `notepack.io` gives the same type numbers another meaning here.
    FixExt(i8, &'a [u8]),
}

/// A cursor over bytes. Every method leaves it behind what was read; after an error its position means nothing.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Number of bytes read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether all bytes are read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Reads one symbol.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MalformedMsgpack`] at the end, for the lead byte `c1`, and for a container that claims more
    /// items than there are bytes left.
    pub fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        let lead = self.uint(1)?;
        Ok(match lead {
            0x00..=0x7f => Token::Uint(lead),
            0x80..=0x8f => self.container(lead & 0x0f, Token::Map)?,
            0x90..=0x9f => self.container(lead & 0x0f, Token::Array)?,
            0xa0..=0xbf => Token::Str(self.take(lead & 0x1f)?),
            0xc0 => Token::Nil,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4..=0xc6 => Token::Bin(self.sized(lead - 0xc4)?),
            0xc7..=0xc9 => {
                let len = self.uint(1 << (lead - 0xc7))?;
                let (kind, content) = self.ext(len)?;
                Token::Ext(kind, content)
            }
            0xca => Token::Float(f64::from(f32::from_bits(low_u32(self.uint(4)?)))),
            0xcb => Token::Float(f64::from_bits(self.uint(8)?)),
            0xcc..=0xcf => Token::Uint(self.uint(1 << (lead - 0xcc))?),
            0xd0..=0xd3 => {
                let width = 1 << (lead - 0xd0);
                let unused = 64 - 8 * width;
                let value = (self.uint(width)? << unused).cast_signed() >> unused;
                u64::try_from(value).map_or(Token::Int(value), Token::Uint)
            }
            0xd4..=0xd8 => {
                let (kind, content) = self.ext(1 << (lead - 0xd4))?;
                Token::FixExt(kind, content)
            }
            0xd9..=0xdb => Token::Str(self.sized(lead - 0xd9)?),
            0xdc | 0xdd => {
                let n_items = self.uint(2 << (lead - 0xdc))?;
                self.container(n_items, Token::Array)?
            }
            0xde | 0xdf => {
                let n_pairs = self.uint(2 << (lead - 0xde))?;
                self.container(n_pairs, Token::Map)?
            }
            0xe0..=0xff => Token::Int(lead.cast_signed() - 0x100),
            _ => return Err(DecodeError::MalformedMsgpack),
        })
    }

    /// Reads the head of an array: its number of items.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MalformedMsgpack`] for anything else.
    pub fn array_len(&mut self) -> Result<usize, DecodeError> {
        match self.token()? {
            Token::Array(n_items) => Ok(n_items),
            _ => Err(DecodeError::MalformedMsgpack),
        }
    }

    /// Reads the head of a map: its number of pairs.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MalformedMsgpack`] for anything else.
    pub fn map_len(&mut self) -> Result<usize, DecodeError> {
        match self.token()? {
            Token::Map(n_pairs) => Ok(n_pairs),
            _ => Err(DecodeError::MalformedMsgpack),
        }
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MalformedMsgpack`] for anything else, and for bytes that are no UTF-8.
    pub fn str(&mut self) -> Result<&'a str, DecodeError> {
        match self.token()? {
            Token::Str(text) => {
                std::str::from_utf8(text).map_err(|_| DecodeError::MalformedMsgpack)
            }
            _ => Err(DecodeError::MalformedMsgpack),
        }
    }

    /// Passes one whole value, validates it, and returns its bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MalformedMsgpack`], also for map keys that are neither text nor scalar;
    /// [`DecodeError::TooDeep`] beyond `max_depth` containers inside each other.
    pub fn skip(&mut self, max_depth: usize) -> Result<&'a [u8], DecodeError> {
        // Hot: once per received value. The stack holds the containers around the current one.
        let start = self.at;
        let mut open: Vec<Open> = Vec::new();
        loop {
            let token = self.token()?;
            let is_key = open
                .last()
                .is_some_and(|open| open.is_map && open.left.is_multiple_of(2));
            match token {
                Token::Array(_)
                | Token::Map(_)
                | Token::Bin(_)
                | Token::Ext(..)
                | Token::FixExt(..)
                    if is_key =>
                {
                    return Err(DecodeError::MalformedMsgpack);
                }
                Token::Array(left) => open.push(Open {
                    left,
                    is_map: false,
                }),
                Token::Map(n_pairs) => open.push(Open {
                    left: 2 * n_pairs,
                    is_map: true,
                }),
                _ => {
                    if let Some(open) = open.last_mut() {
                        open.left -= 1;
                    }
                }
            }
            if open.len() > max_depth {
                return Err(DecodeError::TooDeep);
            }
            while let Some(Open { left: 0, .. }) = open.last() {
                open.pop();
                if let Some(outer) = open.last_mut() {
                    outer.left -= 1;
                }
            }
            if open.is_empty() {
                return self
                    .bytes
                    .get(start..self.at)
                    .ok_or(DecodeError::MalformedMsgpack);
            }
        }
    }

    /// A big-endian unsigned integer of 1, 2, 4 or 8 bytes.
    fn uint(&mut self, width: u64) -> Result<u64, DecodeError> {
        let bytes = self.take(width)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Bytes behind a length of 1, 2 or 4 bytes.
    fn sized(&mut self, log_width: u64) -> Result<&'a [u8], DecodeError> {
        let len = self.uint(1 << log_width)?;
        self.take(len)
    }

    /// The type and content of an extension.
    fn ext(&mut self, len: u64) -> Result<(i8, &'a [u8]), DecodeError> {
        let kind = self
            .take(1)?
            .first()
            .copied()
            .unwrap_or_default()
            .cast_signed();
        Ok((kind, self.take(len)?))
    }

    fn container(
        &self,
        n_items: u64,
        token: fn(usize) -> Token<'a>,
    ) -> Result<Token<'a>, DecodeError> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(n_items) {
            Ok(n_items) if n_items <= left => Ok(token(n_items)),
            _ => Err(DecodeError::MalformedMsgpack),
        }
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(len).map_err(|_| DecodeError::MalformedMsgpack)?;
        let end = self
            .at
            .checked_add(len)
            .ok_or(DecodeError::MalformedMsgpack)?;
        let taken = self
            .bytes
            .get(self.at..end)
            .ok_or(DecodeError::MalformedMsgpack)?;
        self.at = end;
        Ok(taken)
    }
}

/// A container that [`Reader::skip`] is inside: keys and values still to come.
struct Open {
    left: usize,
    is_map: bool,
}

#[expect(clippy::cast_possible_truncation, reason = "read from four bytes")]
fn low_u32(value: u64) -> u32 {
    value as u32
}
