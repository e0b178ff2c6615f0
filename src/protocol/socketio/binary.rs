//! Binary data: inside typed arguments, and as the attachments of a packet.

use std::{fmt, ops::Deref, sync::Arc};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

/// Binary data in typed arguments: `struct Photo(String, Binary)`.
///
/// **Shape** On the wire an attachment (JSON) or a `bin` (`MessagePack`). Nothing else is accepted, no text either.
/// `bytes::Bytes` and `serde_bytes::ByteBuf` work too, and are less strict; `Vec<u8>` is an array of numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Binary(pub Bytes);

impl Deref for Binary {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for Binary {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyBytes;

        impl Visitor<'_> for OnlyBytes {
            type Value = Binary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("binary")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Binary, E> {
                Ok(Binary(Bytes::copy_from_slice(bytes)))
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
                Ok(Binary(bytes.into()))
            }
        }

        // Not `deserialize_bytes`: serde_json hands out the bytes of a text for that.
        deserializer.deserialize_any(OnlyBytes)
    }
}

/// The binary messages that follow a packet, in the order of their numbers. Cloning counts a reference; none costs nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attachments(Option<Arc<[Bytes]>>);

impl Attachments {
    /// No attachments.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }
}

impl Deref for Attachments {
    type Target = [Bytes];

    fn deref(&self) -> &[Bytes] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl From<Vec<Bytes>> for Attachments {
    fn from(attachments: Vec<Bytes>) -> Self {
        Self((!attachments.is_empty()).then(|| attachments.into()))
    }
}

impl fmt::Debug for Attachments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
