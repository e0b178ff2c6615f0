//! JSON objects, member by member, as `JSON.stringify` writes them.

use std::io;

use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::Formatter;

use crate::protocol::socketio::{json, placeholders};

/// An object that grows.
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Self {
        Self {
            text: String::from("{"),
        }
    }

    /// Appends a member.
    pub(super) fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.raw(name, &to_json(value));
    }

    /// Appends a member whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.text.push_str(json);
    }

    /// Appends a member that is an array of what is JSON already.
    pub(super) fn array(&mut self, name: &str, items: impl IntoIterator<Item = impl AsRef<str>>) {
        self.name(name);
        self.text.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            self.text.push_str(item.as_ref());
        }
        self.text.push(']');
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        json::push_string(&mut self.text, name);
        self.text.push(':');
    }

    /// The whole object.
    pub(super) fn text(mut self) -> String {
        self.text.push('}');
        self.text
    }

    /// The same, ready to be published.
    pub(super) fn bytes(self) -> Bytes {
        self.text().into()
    }
}

/// A value as JSON; null if it has none.
pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Vec::with_capacity(64);
    let mut json = serde_json::Serializer::with_formatter(&mut out, Buffers);
    match value.serialize(&mut json) {
        Ok(()) => String::from_utf8(out).unwrap_or_default(),
        Err(_) => "null".to_owned(),
    }
}

/// Compact JSON with bytes as `Buffer.prototype.toJSON` gives them.
struct Buffers;

impl Formatter for Buffers {
    fn write_byte_array<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> io::Result<()> {
        let mut text = String::with_capacity(4 * value.len() + 27);
        placeholders::push_buffer(&mut text, value);
        writer.write_all(text.as_bytes())
    }
}
