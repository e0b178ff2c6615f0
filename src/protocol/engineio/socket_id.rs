//! The public id of a socket.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::random;

/// Bytes that fit beside the length and the tag into 24 bytes.
const INLINE: usize = 22;

/// The public id of a socket: the name of its own room, free to be shown to other clients.
///
/// Ours are 20 random URL-safe symbols and have nothing to do with the [`super::Sid`]. Ids of other servers in the
/// cluster can be any text (Node names sockets of old clients `/nsp#…`), and are kept as they came.
///
/// Up to 22 bytes are kept in place and cloned without counting; longer ones are shared.
#[derive(Clone)]
pub struct SocketId(Repr);

#[derive(Clone)]
enum Repr {
    /// UTF-8, of which `len` bytes count.
    Inline {
        len: u8,
        bytes: [u8; INLINE],
    },
    Shared(Arc<str>),
}

impl SocketId {
    /// A new id.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    #[must_use]
    pub fn generate() -> Self {
        Self::inline(&random::symbols()).expect("20 symbols fit in place")
    }

    fn inline(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; INLINE];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(Repr::Inline {
            len: u8::try_from(text.len()).ok()?,
            bytes,
        }))
    }

    /// The id, as in rooms and on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline { len, bytes } => {
                str::from_utf8(&bytes[..usize::from(*len)]).expect("it was copied from a text")
            }
            Repr::Shared(text) => text,
        }
    }
}

impl From<&str> for SocketId {
    fn from(text: &str) -> Self {
        Self::inline(text.as_bytes()).unwrap_or_else(|| Self(Repr::Shared(text.into())))
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SocketId").field(&self.as_str()).finish()
    }
}

impl AsRef<str> for SocketId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for SocketId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for SocketId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SocketId {}

impl PartialEq<str> for SocketId {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for SocketId {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Hash for SocketId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Ord for SocketId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for SocketId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SocketId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = SocketId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a socket id")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SocketId, E> {
                Ok(text.into())
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn our_ids_are_20_symbols_in_place() {
        let id = SocketId::generate();
        assert_eq!(id.as_str().len(), 20);
        assert!(matches!(id.0, Repr::Inline { .. }));
        assert_eq!(size_of::<SocketId>(), 24);
        assert_eq!(
            (0..1000)
                .map(|_| SocketId::generate())
                .collect::<HashSet<_>>()
                .len(),
            1000
        );
    }

    #[test]
    fn a_printed_id_is_whole() {
        let id = SocketId::from("lv_VI97HAXpY6yYWAAAC");
        assert_eq!(id.to_string(), "lv_VI97HAXpY6yYWAAAC");
        assert_eq!(format!("{id:?}"), r#"SocketId("lv_VI97HAXpY6yYWAAAC")"#);
        assert_eq!(id, "lv_VI97HAXpY6yYWAAAC");
    }

    proptest! {
        #[test]
        fn an_id_behaves_as_its_text(one in ".{0,30}", other in ".{0,30}") {
            let (id, other_id) = (SocketId::from(one.as_str()), SocketId::from(other.as_str()));
            prop_assert_eq!(id.as_str(), &one);
            prop_assert_eq!(id.cmp(&other_id), one.cmp(&other));
            prop_assert_eq!(id == other_id, one == other);
            prop_assert_eq!(HashSet::from([id.clone()]).contains(one.as_str()), true);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&one).unwrap());
            prop_assert_eq!(serde_json::from_str::<SocketId>(&json).unwrap(), id.clone());
            prop_assert_eq!(serde_json::from_value::<SocketId>(one.into()).unwrap(), id);
        }
    }
}
