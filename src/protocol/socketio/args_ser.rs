//! Types into arguments: JSON text with the binary taken out of it.

use std::io;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use super::EncodeError;

/// Serialized arguments: a JSON array in brackets, or one value without.
pub(super) struct Serialized {
    pub(super) text: Vec<u8>,
    pub(super) attachments: Vec<Bytes>,
    /// How many arguments a tuple was spread into; `None` for any other type, which is one argument.
    pub(super) spread: Option<usize>,
}

/// Serializes `values`, a tuple into several arguments.
pub(super) fn serialize<T: Serialize + ?Sized>(values: &T) -> Result<Serialized, EncodeError> {
    let mut done = Serialized {
        text: Vec::with_capacity(128),
        attachments: Vec::new(),
        spread: None,
    };
    let extract = Extract {
        attachments: &mut done.attachments,
    };
    let mut json = serde_json::Serializer::with_formatter(&mut done.text, extract);
    values.serialize(Outer {
        json: &mut json,
        spread: &mut done.spread,
    })?;
    Ok(done)
}

/// Compact JSON in which bytes are placeholders.
///
/// **Source** `deconstructPacket` in `packages/socket.io-parser/lib/binary.ts`.
struct Extract<'a> {
    attachments: &'a mut Vec<Bytes>,
}

impl Formatter for Extract<'_> {
    fn write_byte_array<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> io::Result<()> {
        let num = self.attachments.len();
        self.attachments.push(Bytes::copy_from_slice(value));
        write!(writer, r#"{{"_placeholder":true,"num":{num}}}"#)
    }
}

/// Passes everything on and notes whether the outermost type is a tuple.
struct Outer<'a, 'w> {
    json: &'a mut Json<'w>,
    spread: &'a mut Option<usize>,
}

type Json<'w> = serde_json::Serializer<&'w mut Vec<u8>, Extract<'w>>;

macro_rules! pass_on {
    ($($method:ident($($name:ident: $type:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $($name: $type),*) -> Result<$ok, Self::Error> {
            self.json.$method($($name),*)
        })*
    };
}

impl<'a, 'w> Serializer for Outer<'a, 'w> {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = <&'a mut Json<'w> as Serializer>::SerializeSeq;
    type SerializeTuple = <&'a mut Json<'w> as Serializer>::SerializeTuple;
    type SerializeTupleStruct = <&'a mut Json<'w> as Serializer>::SerializeTupleStruct;
    type SerializeTupleVariant = <&'a mut Json<'w> as Serializer>::SerializeTupleVariant;
    type SerializeMap = <&'a mut Json<'w> as Serializer>::SerializeMap;
    type SerializeStruct = <&'a mut Json<'w> as Serializer>::SerializeStruct;
    type SerializeStructVariant = <&'a mut Json<'w> as Serializer>::SerializeStructVariant;

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, Self::Error> {
        *self.spread = Some(len);
        self.json.serialize_tuple(len)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        *self.spread = Some(len);
        self.json.serialize_tuple_struct(name, len)
    }

    fn serialize_unit(self) -> Result<(), Self::Error> {
        self.serialize_tuple(0).map(drop)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Self::Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Self::Error> {
        self.json.serialize_some(value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Self::Error> {
        self.json.serialize_newtype_struct(name, value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Self::Error> {
        self.json
            .serialize_newtype_variant(name, index, variant, value)
    }

    pass_on! {
        serialize_bool(value: bool) -> ();
        serialize_i8(value: i8) -> ();
        serialize_i16(value: i16) -> ();
        serialize_i32(value: i32) -> ();
        serialize_i64(value: i64) -> ();
        serialize_i128(value: i128) -> ();
        serialize_u8(value: u8) -> ();
        serialize_u16(value: u16) -> ();
        serialize_u32(value: u32) -> ();
        serialize_u64(value: u64) -> ();
        serialize_u128(value: u128) -> ();
        serialize_f32(value: f32) -> ();
        serialize_f64(value: f64) -> ();
        serialize_char(value: char) -> ();
        serialize_str(value: &str) -> ();
        serialize_bytes(value: &[u8]) -> ();
        serialize_none() -> ();
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> ();
        serialize_seq(len: Option<usize>) -> Self::SerializeSeq;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Self::SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> Self::SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> Self::SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> Self::SerializeStructVariant;
    }
}
