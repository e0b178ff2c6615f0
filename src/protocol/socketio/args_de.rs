//! Arguments into types: which argument goes where.

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_json::Error;

use super::{ArgsError, Value};

/// Reads `T` from arguments that are JSON text without attachments.
pub(super) fn from_joined<T: DeserializeOwned>(joined: &str) -> Result<T, ArgsError> {
    read(Joined(joined))
}

/// Reads `T` from values.
pub(super) fn from_values<T: DeserializeOwned>(values: Vec<Value>) -> Result<T, ArgsError> {
    read(values.into_iter())
}

fn read<'de, T: DeserializeOwned>(mut source: impl Source<'de>) -> Result<T, ArgsError> {
    let mut taken = 0;
    let arguments = Arguments {
        source: &mut source,
        taken: &mut taken,
    };
    T::deserialize(arguments).map_err(|source| ArgsError {
        index: taken.saturating_sub(1),
        source,
    })
}

/// Where the arguments come from, one after the other; behind the last one there is only null.
trait Source<'de> {
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error>;
}

/// Valid JSON values joined by commas.
struct Joined<'de>(&'de str);

impl<'de> Source<'de> for Joined<'de> {
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let text = self.0.trim_start_matches([' ', '\t', '\n', '\r', ',']);
        if text.is_empty() {
            return seed.deserialize(Value::Null);
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = seed.deserialize(&mut deserializer)?;
        let end = deserializer.into_iter::<IgnoredAny>().byte_offset();
        self.0 = text.get(end..).unwrap_or_default();
        Ok(value)
    }
}

impl<'de> Source<'de> for std::vec::IntoIter<Value> {
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(Iterator::next(self).unwrap_or_default())
    }
}

/// The list of arguments as a deserializer: tuples take the list, `()` takes nothing, anything else the first argument.
struct Arguments<'s, S> {
    source: &'s mut S,
    taken: &'s mut usize,
}

impl<'de, S: Source<'de>> Arguments<'_, S> {
    fn take<D: DeserializeSeed<'de>>(&mut self, seed: D) -> Result<D::Value, Error> {
        *self.taken += 1;
        self.source.next(seed)
    }
}

macro_rules! first_argument {
    ($($method:ident($($name:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(mut self, $($name: $type,)* visitor: V) -> Result<V::Value, Error> {
            struct First<V>(V, $($type),*);

            impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for First<V> {
                type Value = V::Value;

                fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
                    let Self(visitor, $($name),*) = self;
                    deserializer.$method($($name,)* visitor)
                }
            }

            self.take(First(visitor, $($name),*))
        })*
    };
}

impl<'de, S: Source<'de>> Deserializer<'de> for Arguments<'_, S> {
    type Error = Error;

    first_argument! {
        deserialize_any()
        deserialize_bool()
        deserialize_i8()
        deserialize_i16()
        deserialize_i32()
        deserialize_i64()
        deserialize_i128()
        deserialize_u8()
        deserialize_u16()
        deserialize_u32()
        deserialize_u64()
        deserialize_u128()
        deserialize_f32()
        deserialize_f64()
        deserialize_char()
        deserialize_str()
        deserialize_string()
        deserialize_bytes()
        deserialize_byte_buf()
        deserialize_option()
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq()
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Listed {
            arguments: self,
            left: len,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { identifier ignored_any }
}

/// As many arguments as a tuple has places; null for those that are missing.
struct Listed<'s, S> {
    arguments: Arguments<'s, S>,
    left: usize,
}

impl<'de, S: Source<'de>> SeqAccess<'de> for Listed<'_, S> {
    type Error = Error;

    fn next_element_seed<D: DeserializeSeed<'de>>(
        &mut self,
        seed: D,
    ) -> Result<Option<D::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.arguments.take(seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}
