//! Between the two forms of arguments: JSON text with attachments, and `MessagePack`. Neither direction recurses.

use std::{
    borrow::Cow,
    fmt::{Display, Write},
};

use bytes::Bytes;

use super::{
    extension::Extension,
    json,
    json_tokens::{Token, Tokens},
    msgpack::{self, Reader},
    packet::js_number,
    placeholders::{self, Container},
};

/// JSON values joined by commas, as `MessagePack` values one behind the other; also says how many they are.
///
/// **Shape** What `notepack.io` would write for the same JavaScript values: whole numbers as the shortest integer, placeholders
/// as the `bin` they stand for, lone surrogates as U+FFFD. Integers of up to 64 bits keep all their digits.
pub(super) fn json_to_msgpack(joined: &str, attachments: &[Bytes]) -> (Vec<u8>, usize) {
    // Hot: two passes over the text, because heads need counts.
    let n_binary: usize = attachments.iter().map(|bytes| bytes.len() + 5).sum();
    let mut out = Vec::with_capacity(joined.len() + n_binary);
    let mut containers = placeholders::containers(joined, attachments.len())
        .found
        .into_iter();
    let mut tokens = Tokens::new(joined);
    let (mut depth, mut n_values) = (0_usize, 0);
    while let Some(token) = tokens.next() {
        n_values += usize::from(depth == 0);
        match token {
            Token::ArrayStart | Token::ObjectStart => match containers.next() {
                Some(Container::Placeholder(num)) => {
                    msgpack::write_bin(&mut out, attachments.get(num).map_or(&[], |bytes| bytes));
                    let n_inside = tokens.leave();
                    containers.by_ref().take(n_inside).for_each(drop);
                }
                items => {
                    let n_items = if let Some(Container::Items(n_items)) = items {
                        n_items as usize
                    } else {
                        0
                    };
                    if token == Token::ArrayStart {
                        msgpack::write_array_len(&mut out, n_items);
                    } else {
                        msgpack::write_map_len(&mut out, n_items);
                    }
                    depth += 1;
                }
            },
            Token::ArrayEnd | Token::ObjectEnd => depth = depth.saturating_sub(1),
            Token::Key(text) | Token::Str(text) => {
                msgpack::write_str(&mut out, &json::unescape(text));
            }
            Token::Number(number) => write_number(&mut out, number),
            Token::True => msgpack::write_bool(&mut out, true),
            Token::False => msgpack::write_bool(&mut out, false),
            Token::Null => msgpack::write_nil(&mut out),
        }
    }
    (out, n_values)
}

fn write_number(out: &mut Vec<u8>, number: &str) {
    if let Ok(value) = number.parse::<u64>() {
        msgpack::write_uint(out, value);
    } else if let Ok(value) = number.parse::<i64>() {
        msgpack::write_int(out, value);
    } else {
        msgpack::write_float(out, number.parse().unwrap_or_default());
    }
}

/// Validated `MessagePack` values one behind the other, as JSON joined by commas, with their binary as attachments.
///
/// **Shape** What `JSON.stringify` would write for the values that `notepack.io` reads: dates as ISO 8601, `undefined`, NaN and
/// Infinity as null (members that are `undefined` are left out), unknown extensions as `[type, bytes]`, invalid UTF-8 as U+FFFD.
pub(super) fn msgpack_to_json(values: &Bytes) -> (String, Vec<Bytes>) {
    let mut json = JsonWriter {
        values,
        out: String::with_capacity(values.len() + values.len() / 4 + 16),
        attachments: Vec::new(),
        open: Vec::new(),
    };
    let mut reader = Reader::new(values);
    // The values were validated when the arguments were made, so this ends where they end.
    while let Ok(token) = reader.token() {
        if json.is_at_key() {
            let mut behind = reader.clone();
            if behind
                .token()
                .is_ok_and(|value| matches!(value, msgpack::Token::FixExt(0, [_])))
            {
                reader = behind;
                json.leave_out_member();
            } else {
                json.key(token);
            }
        } else {
            json.value(token);
        }
    }
    (json.out, json.attachments)
}

/// Whether [`msgpack_to_json`] would give attachments.
pub(super) fn has_binary(values: &[u8]) -> bool {
    any(values, |token| match token {
        msgpack::Token::Bin(_) => true,
        msgpack::Token::Ext(..) | msgpack::Token::FixExt(..) => {
            matches!(Extension::of(token), Extension::Buffer | Extension::Unknown)
        }
        _ => false,
    })
}

/// Whether there are extensions of any type.
pub(super) fn has_extension(values: &[u8]) -> bool {
    any(values, |token| {
        matches!(token, msgpack::Token::Ext(..) | msgpack::Token::FixExt(..))
    })
}

fn any(values: &[u8], is_wanted: impl Fn(msgpack::Token<'_>) -> bool) -> bool {
    let mut reader = Reader::new(values);
    std::iter::from_fn(|| reader.token().ok()).any(is_wanted)
}

/// JSON that grows by one `MessagePack` symbol after the other.
struct JsonWriter<'a> {
    values: &'a Bytes,
    out: String,
    attachments: Vec<Bytes>,
    open: Vec<Open>,
}

/// A container that is being written.
struct Open {
    /// Items, or members, to come.
    left: usize,
    is_empty: bool,
    /// The closing bracket.
    end: char,
    /// In a map, before a key.
    wants_key: bool,
}

impl JsonWriter<'_> {
    fn is_at_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.wants_key)
    }

    fn key(&mut self, token: msgpack::Token<'_>) {
        self.comma();
        json::push_string(&mut self.out, &key(token));
        self.out.push(':');
        if let Some(open) = self.open.last_mut() {
            open.wants_key = false;
        }
    }

    fn leave_out_member(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.left = open.left.saturating_sub(1);
        }
        self.close();
    }

    fn value(&mut self, token: msgpack::Token<'_>) {
        self.comma();
        match token {
            msgpack::Token::Array(left) => self.open('[', ']', left),
            msgpack::Token::Map(left) => self.open('{', '}', left),
            scalar => {
                self.scalar(scalar);
                self.done();
            }
        }
        self.close();
    }

    /// What separates an item from the one before; nothing between a key and its value.
    fn comma(&mut self) {
        match self.open.last_mut() {
            Some(open) if open.is_empty => open.is_empty = false,
            Some(open) if open.end == '}' && !open.wants_key => {}
            None if self.out.is_empty() => {}
            _ => self.out.push(','),
        }
    }

    fn open(&mut self, start: char, end: char, left: usize) {
        self.out.push(start);
        self.open.push(Open {
            left,
            is_empty: true,
            end,
            wants_key: end == '}',
        });
    }

    /// An item of the innermost container is complete.
    fn done(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.left = open.left.saturating_sub(1);
            open.wants_key = open.end == '}';
        }
    }

    /// Closes the containers that are complete.
    fn close(&mut self) {
        while let Some(Open { left: 0, end, .. }) = self.open.last() {
            self.out.push(*end);
            self.open.pop();
            self.done();
        }
    }

    fn scalar(&mut self, token: msgpack::Token<'_>) {
        match token {
            msgpack::Token::Str(text) => {
                json::push_string(&mut self.out, &String::from_utf8_lossy(text));
            }
            msgpack::Token::Uint(value) => push(&mut self.out, value),
            msgpack::Token::Int(value) => push(&mut self.out, value),
            msgpack::Token::Bool(value) => push(&mut self.out, value),
            msgpack::Token::Float(value) if value.is_finite() => {
                self.out.push_str(&js_number(value));
            }
            msgpack::Token::Bin(bytes) => self.attach(bytes),
            msgpack::Token::Ext(kind, content) | msgpack::Token::FixExt(kind, content) => {
                match Extension::of(token) {
                    Extension::Undefined | Extension::Date(None) => self.out.push_str("null"),
                    Extension::Date(Some(text)) => json::push_string(&mut self.out, &text),
                    Extension::Buffer => self.attach(content),
                    Extension::Unknown => {
                        self.out.push('[');
                        push(&mut self.out, kind);
                        self.out.push(',');
                        self.attach(content);
                        self.out.push(']');
                    }
                }
            }
            msgpack::Token::Float(_)
            | msgpack::Token::Nil
            | msgpack::Token::Array(_)
            | msgpack::Token::Map(_) => {
                self.out.push_str("null");
            }
        }
    }

    fn attach(&mut self, bytes: &[u8]) {
        placeholders::push(&mut self.out, self.attachments.len());
        self.attachments.push(self.values.slice_ref(bytes));
    }
}

/// The name that JavaScript makes of a map key.
fn key(token: msgpack::Token<'_>) -> Cow<'_, str> {
    match token {
        msgpack::Token::Str(text) => String::from_utf8_lossy(text),
        msgpack::Token::Uint(value) => value.to_string().into(),
        msgpack::Token::Int(value) => value.to_string().into(),
        msgpack::Token::Float(value) => js_number(value).into(),
        msgpack::Token::Bool(value) => value.to_string().into(),
        _ => "null".into(),
    }
}

fn push(out: &mut String, value: impl Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}
