//! The arguments of an event or an acknowledgement, carried as they came and parsed only by those who read them.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    ArgsError, Attachments, DecodeError, Dialect, EncodeError, Value, args_de, args_ser, json,
    json_tokens,
    msgpack::{self, Reader},
    placeholders, transcode,
};

/// The arguments of an event (without its name) or of an acknowledgement. Immutable; cloning counts references.
///
/// **Shape** Either JSON text plus attachments, or `MessagePack`, whichever the packet came in or was made as. Sending them on
/// in the same dialect is a copy of that text, in the other one a transcoding. Both are validated: whoever holds `Args`
/// can send them to anybody.
///
/// Arguments that came as `MessagePack` are slices of the message they came in, and keep all of it alive.
///
/// ```text
/// let args = Args::from_values(&("hello", 42, Binary::from(vec![1, 2])))?;
/// let (text, number): (String, u32) = args.parse()?;
/// ```
#[derive(Clone, PartialEq)]
pub struct Args {
    repr: Repr,
    n_args: usize,
}

#[derive(Clone, PartialEq)]
enum Repr {
    /// Valid JSON values joined by commas.
    Json {
        joined: ByteString,
        attachments: Attachments,
    },
    /// Valid `MessagePack` values one behind the other.
    Msgpack(Bytes),
}

impl Args {
    /// No arguments.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            repr: Repr::Json {
                joined: ByteString::new(),
                attachments: Attachments::none(),
            },
            n_args: 0,
        }
    }

    /// Serializes arguments: a tuple, tuple struct or fixed array becomes several, `()` and unit structs none, and anything
    /// else (a `Vec` too) is one.
    ///
    /// Bytes at any depth ([`super::Binary`], `bytes::Bytes`, `serde_bytes`) become attachments. NaN and Infinity become null,
    /// numbers and booleans as map keys become text, as in JSON.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if a map has other keys, or an implementation of `Serialize` fails.
    pub fn from_values<T: Serialize + ?Sized>(values: &T) -> Result<Self, EncodeError> {
        let serialized = args_ser::serialize(values)?;
        let text = ByteString::try_from(serialized.text).unwrap_or_default();
        let attachments = serialized.attachments.into();
        Ok(match serialized.spread {
            Some(n_args) => Self::from_joined(inner(&text), attachments, n_args),
            None => Self::from_joined(text, attachments, 1),
        })
    }

    /// Arguments whose number and types are known only at run time. Binary is not copied.
    #[must_use]
    pub fn from_vec(values: Vec<Value>) -> Self {
        let n_args = values.len();
        let mut joined = String::with_capacity(16 * n_args);
        let mut attachments = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                joined.push(',');
            }
            value.write_json(&mut joined, &mut attachments);
        }
        Self::from_joined(joined.into(), attachments.into(), n_args)
    }

    /// Arguments from the text of a JSON array. Objects that look like placeholders are ordinary objects.
    ///
    /// # Errors
    ///
    /// [`DecodeError::InvalidPayload`] if it is no valid JSON array.
    pub fn from_json(array: &ByteString) -> Result<Self, DecodeError> {
        let shape = json::array(array)?;
        Ok(Self::from_joined(
            array.slice_ref(shape.joined),
            Attachments::none(),
            shape.n_items,
        ))
    }

    /// Arguments from valid JSON values joined by commas.
    pub(in crate::protocol) fn from_joined(
        joined: ByteString,
        attachments: Attachments,
        n_args: usize,
    ) -> Self {
        Self {
            repr: Repr::Json {
                joined,
                attachments,
            },
            n_args,
        }
    }

    /// Arguments from valid `MessagePack` values one behind the other.
    pub(in crate::protocol) fn from_msgpack(values: Bytes, n_args: usize) -> Self {
        Self {
            repr: Repr::Msgpack(values),
            n_args,
        }
    }

    /// Number of arguments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n_args
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n_args == 0
    }

    /// Reads the arguments as `T`, the mirror of [`Self::from_values`]: a tuple, tuple struct or fixed array takes one
    /// argument per place, `()` takes none, and anything else is read from the first argument.
    ///
    /// As in JavaScript, arguments beyond the last place are ignored, and those that are missing read as null, which suits an
    /// `Option`. Attachments arrive wherever `T` asks for bytes. In text that is not Unicode (lone surrogates, invalid UTF-8)
    /// the offending parts read as U+FFFD.
    ///
    /// # Errors
    ///
    /// [`ArgsError`] if an argument has another shape, or is nested more than 128 deep.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        // Hot: without attachments, straight from the text into `T`.
        match &self.repr {
            Repr::Json {
                joined,
                attachments,
            } if attachments.is_empty() => args_de::from_joined(joined).or_else(|err| {
                match json::without_lone_surrogates(joined) {
                    Cow::Borrowed(_) => Err(err),
                    Cow::Owned(joined) => args_de::from_joined(&joined),
                }
            }),
            _ => args_de::from_values(self.to_values()?),
        }
    }

    /// Reads the first argument alone; a `T` that is a tuple is read from an array inside it.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn first<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        self.get(0)
    }

    /// Reads one argument alone; a missing one reads as null.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, ArgsError> {
        let (one,) = self
            .nth(index)
            .unwrap_or_default()
            .parse()
            .map_err(|err: ArgsError| ArgsError { index, ..err })?;
        Ok(one)
    }

    /// One argument, with the attachments it refers to and no others. `None` behind the last.
    #[must_use]
    pub fn nth(&self, index: usize) -> Option<Self> {
        if index >= self.n_args {
            return None;
        }
        match &self.repr {
            Repr::Json {
                joined,
                attachments,
            } => {
                let value = json_tokens::values(joined).nth(index)?;
                if attachments.is_empty() {
                    return Some(Self::from_joined(
                        joined.slice_ref(value),
                        Attachments::none(),
                        1,
                    ));
                }
                let (value, attachments) = placeholders::renumbered(value, attachments);
                Some(Self::from_joined(value.into(), attachments.into(), 1))
            }
            Repr::Msgpack(values) => {
                let mut reader = Reader::new(values);
                for _ in 0..index {
                    reader.skip(usize::MAX).ok()?;
                }
                let value = reader.skip(usize::MAX).ok()?;
                Some(Self::from_msgpack(values.slice_ref(value), 1))
            }
        }
    }

    /// All arguments as values.
    ///
    /// # Errors
    ///
    /// [`ArgsError`] if one is nested more than 128 deep.
    pub fn to_values(&self) -> Result<Vec<Value>, ArgsError> {
        let json = self.to_dialect(Dialect::Json);
        let Repr::Json {
            joined,
            attachments,
        } = &json.repr
        else {
            return Ok(Vec::new());
        };
        let mut values = Vec::with_capacity(self.n_args);
        for (index, text) in json_tokens::values(joined).enumerate() {
            let mut value: Value = serde_json::from_str(text)
                .or_else(|_| serde_json::from_str(&json::without_lone_surrogates(text)))
                .map_err(|source| ArgsError { index, source })?;
            if !attachments.is_empty() {
                value.substitute(attachments);
            }
            values.push(value);
        }
        Ok(values)
    }

    /// The arguments as the text of a JSON array, with placeholders where binary is.
    #[must_use]
    pub fn raw_json(&self) -> ByteString {
        let joined = self.joined();
        let mut array = String::with_capacity(joined.len() + 2);
        array.push('[');
        array.push_str(&joined);
        array.push(']');
        array.into()
    }

    /// These arguments and one more, a text. For the offset of connection state recovery.
    #[must_use]
    pub fn with_appended(&self, text: &str) -> Self {
        let repr = match &self.repr {
            Repr::Json {
                joined,
                attachments,
            } => {
                let text = json::escape(text);
                let mut longer = String::with_capacity(joined.len() + text.len() + 3);
                longer.push_str(joined);
                longer.push_str(if self.is_empty() { "\"" } else { ",\"" });
                longer.push_str(&text);
                longer.push('"');
                Repr::Json {
                    joined: longer.into(),
                    attachments: attachments.clone(),
                }
            }
            Repr::Msgpack(values) => {
                let mut longer = Vec::with_capacity(values.len() + text.len() + 5);
                longer.extend_from_slice(values);
                msgpack::write_str(&mut longer, text);
                Repr::Msgpack(longer.into())
            }
        };
        Self {
            repr,
            n_args: self.n_args + 1,
        }
    }

    /// The binary messages that belong to the JSON form; in `MessagePack` binary is inline and this is empty.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        match &self.repr {
            Repr::Json { attachments, .. } => attachments,
            Repr::Msgpack(_) => &[],
        }
    }

    /// Bytes of the text, or the `MessagePack`, and of the binary.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        match &self.repr {
            Repr::Json {
                joined,
                attachments,
            } => joined.len() + attachments.iter().map(Bytes::len).sum::<usize>(),
            Repr::Msgpack(values) => values.len(),
        }
    }

    /// Whether there is binary in any argument.
    #[must_use]
    pub fn has_binary(&self) -> bool {
        match &self.repr {
            Repr::Json { attachments, .. } => !attachments.is_empty(),
            Repr::Msgpack(values) => transcode::has_binary(values),
        }
    }

    /// Whether arrays and objects are nested deeper than this. `JSON.stringify` and `notepack.io` of the reference overflow
    /// their stack at a few thousand, so nothing deeper than 1000 should be published to Node servers.
    #[must_use]
    pub fn is_deeper_than(&self, max_depth: usize) -> bool {
        match &self.repr {
            // A container takes two bytes, so short texts need not be measured.
            Repr::Json { joined, .. } => {
                joined.len() / 2 > max_depth && json_tokens::depth(joined) > max_depth
            }
            Repr::Msgpack(values) => {
                let mut reader = Reader::new(values);
                (0..self.n_args).any(|_| reader.skip(max_depth) == Err(DecodeError::TooDeep))
            }
        }
    }

    /// The form these arguments have now.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.repr {
            Repr::Json { .. } => Dialect::Json,
            Repr::Msgpack(_) => Dialect::Msgpack,
        }
    }

    /// The same arguments in the given form; a clone if they have it already.
    #[must_use]
    pub fn to_dialect(&self, dialect: Dialect) -> Self {
        match (&self.repr, dialect) {
            (
                Repr::Json {
                    joined,
                    attachments,
                },
                Dialect::Msgpack,
            ) => {
                let (values, n_args) = transcode::json_to_msgpack(joined, attachments);
                Self::from_msgpack(values.into(), n_args)
            }
            (Repr::Msgpack(values), Dialect::Json) => {
                let (joined, attachments) = transcode::msgpack_to_json(values);
                Self::from_joined(joined.into(), attachments.into(), self.n_args)
            }
            _ => self.clone(),
        }
    }

    /// The same arguments without the private extensions that `MessagePack` clients use (`undefined`, dates, `ArrayBuffer`s): what
    /// may be published to other servers, whose decoders know other ones. A clone unless there are some.
    #[must_use]
    pub fn without_extensions(&self) -> Self {
        match &self.repr {
            Repr::Msgpack(values) if transcode::has_extension(values) => {
                self.to_dialect(Dialect::Json).to_dialect(Dialect::Msgpack)
            }
            _ => self.clone(),
        }
    }

    /// The JSON values joined by commas, for splicing.
    pub(in crate::protocol) fn joined(&self) -> Cow<'_, str> {
        self.json_parts().0
    }

    /// The JSON form in its two parts.
    // Hot: of JSON nothing is copied or counted.
    pub(super) fn json_parts(&self) -> (Cow<'_, str>, Attachments) {
        match &self.repr {
            Repr::Json {
                joined,
                attachments,
            } => (Cow::Borrowed(joined), attachments.clone()),
            Repr::Msgpack(values) => {
                let (joined, attachments) = transcode::msgpack_to_json(values);
                (Cow::Owned(joined), attachments.into())
            }
        }
    }

    /// The JSON values joined by commas, with binary as `JSON.stringify` writes a `Buffer`: for wires that are JSON alone.
    pub(in crate::protocol) fn joined_with_buffers(&self) -> Cow<'_, str> {
        let (joined, attachments) = self.json_parts();
        if attachments.is_empty() {
            return joined;
        }
        placeholders::as_buffers(&joined, &attachments).into()
    }

    /// The `MessagePack` values and their number, for splicing.
    pub(in crate::protocol) fn msgpack_values(&self) -> (Bytes, usize) {
        match &self.repr {
            Repr::Json {
                joined,
                attachments,
            } => {
                let (values, n_values) = transcode::json_to_msgpack(joined, attachments);
                (values.into(), n_values)
            }
            Repr::Msgpack(values) => (values.clone(), self.n_args),
        }
    }
}

/// The text between the brackets of an array.
fn inner(array: &ByteString) -> ByteString {
    array
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .map_or_else(|| array.clone(), |inner| array.slice_ref(inner))
}

impl Default for Args {
    fn default() -> Self {
        Self::none()
    }
}

impl FromIterator<Value> for Args {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self::from_vec(values.into_iter().collect())
    }
}

/// Shows sizes only: payloads do not belong into logs.
impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Args")
            .field("dialect", &self.dialect())
            .field("n_args", &self.n_args)
            .field("n_bytes", &self.n_bytes())
            .field("n_attachments", &self.attachments().len())
            .finish()
    }
}
