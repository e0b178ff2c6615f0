//! JSON as text: validation without values, and strings with their escapes.

use std::{borrow::Cow, fmt};

use memchr::memchr;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{DecodeError, json_plain};

/// A valid JSON array, seen from outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ArrayShape<'a> {
    /// The text of the first item, without blanks around it.
    pub(super) first: Option<&'a str>,
    /// What follows the comma behind the first item, without the closing bracket.
    pub(super) rest: &'a str,
    /// Everything between the brackets.
    pub(super) joined: &'a str,
    /// Number of items, the first one included.
    pub(super) n_items: usize,
}

/// Validates `text` as a JSON array; no value is built.
pub(super) fn array(text: &str) -> Result<ArrayShape<'_>, DecodeError> {
    json_plain::array(text).map_or_else(|| any_array(text), Ok)
}

/// The same of any text: by the skipper of `serde_json`.
pub(super) fn any_array(text: &str) -> Result<ArrayShape<'_>, DecodeError> {
    let counted: Counted<'_> =
        serde_json::from_str(text).map_err(|_| DecodeError::InvalidPayload)?;
    let trimmed = trim(text);
    let joined = trimmed
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or(DecodeError::InvalidPayload)?;
    let joined = trim(joined);
    let first = counted.first.map(RawValue::get);
    let rest = joined.get(first.map_or(0, str::len)..).unwrap_or_default();
    let rest = trim(rest);
    Ok(ArrayShape {
        first,
        rest: trim(rest.strip_prefix(',').unwrap_or(rest)),
        joined,
        n_items: counted.n_items,
    })
}

/// Validates `text` as one JSON value and returns it without the blanks around it.
pub(in crate::protocol) fn value(text: &str) -> Result<&str, DecodeError> {
    serde_json::from_str::<&RawValue>(text)
        .map(RawValue::get)
        .map_err(|_| DecodeError::InvalidPayload)
}

/// Whether there is nothing but blanks.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

/// `text` without JSON's blanks on both sides.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// Deserializes the outline of an array: its first item as text and the number of items.
struct Counted<'a> {
    first: Option<&'a RawValue>,
    n_items: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Counted<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Outline;

        impl<'de> Visitor<'de> for Outline {
            type Value = Counted<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let first = items.next_element::<&RawValue>()?;
                let mut n_items = usize::from(first.is_some());
                while items.next_element::<IgnoredAny>()?.is_some() {
                    n_items += 1;
                }
                Ok(Counted { first, n_items })
            }
        }

        deserializer.deserialize_seq(Outline)
    }
}

/// The content of a quoted, escaped JSON string. Lone surrogates become U+FFFD.
pub(super) fn unescape(quoted: &str) -> Cow<'_, str> {
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(quoted);
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(quoted)
        .or_else(|_| serde_json::from_str(&without_lone_surrogates(quoted)))
        .map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// Replaces the escapes of lone surrogates (`\ud800`), which no Rust string can hold, by `\ufffd`.
pub(in crate::protocol) fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text
        .get(at..)
        .and_then(|rest| memchr(b'\\', rest.as_bytes()))
    {
        at += found;
        match unit(text, at) {
            None => at += 2,
            Some(0xd800..=0xdbff) if matches!(unit(text, at + 6), Some(0xdc00..=0xdfff)) => {
                at += 12;
            }
            Some(0xd800..=0xdfff) => {
                replaced.push_str(text.get(copied..at).unwrap_or_default());
                replaced.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            Some(_) => at += 6,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    replaced.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(replaced)
}

/// The code unit of the escape `\uXXXX` at this position, if there is one.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

/// What stands between the quotes when `text` is written as a JSON string; borrowed if nothing needs an escape.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    if text.as_bytes().iter().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = serde_json::Value::from(text).to_string();
    escaped.pop();
    escaped.remove(0);
    Cow::Owned(escaped)
}

/// Appends `text` as a JSON string with its quotes.
pub(in crate::protocol) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    out.push_str(&escape(text));
    out.push('"');
}
