//! Whom a message is for, and how it is to be delivered.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use smallvec::SmallVec;

use super::{
    Junk,
    json_out::Object,
    walk::{self, Walk},
};
use crate::protocol::socketio::msgpack::{self, Reader, Token};

/// Names of rooms: mostly one.
pub type Names = SmallVec<[ByteString; 1]>;

/// The longest timeout that a timer of the reference can wait for; what is longer counts as this.
const MAX_TIMEOUT_MS: u64 = i32::MAX as u64;

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opts {
    /// The sockets that are in any of these rooms; all sockets if there are none.
    pub rooms: Names,
    /// Without those that are in any of these.
    pub except: Names,
    /// How a broadcast is to be delivered.
    pub flags: OptFlags,
}

/// How a broadcast is to be delivered. Flags that we do not know are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OptFlags {
    /// Not to clients that are not ready for it.
    pub volatile: bool,
    /// Whether to compress it, if somebody said so.
    pub compress: Option<bool>,
    /// How long acknowledgements are waited for.
    pub timeout: Option<Duration>,
    /// Meant for one socket, which answers alone.
    pub expect_single_response: bool,
}

impl Opts {
    /// The one room this is for, if it is for exactly one: then the channel is the room's own.
    #[must_use]
    pub fn only_room(&self) -> Option<&ByteString> {
        match &*self.rooms {
            [room] => Some(room),
            _ => None,
        }
    }

    /// Reads the options in a value that was passed, and says whether they are doubtful; `None` if it is no map.
    ///
    /// Missing, null and empty mean no rooms, no exceptions, no flags.
    pub(super) fn read(payload: &Bytes, value: &[u8]) -> Result<Option<(Self, bool)>, Junk> {
        if !matches!(Reader::new(value).token(), Ok(Token::Map(_))) {
            return Ok(None);
        }
        let mut walk = Walk::new(value);
        let [rooms, except, flags] = walk.members([b"rooms", b"except", b"flags"])?;
        let opts = Self {
            rooms: names(payload, rooms)?,
            except: names(payload, except)?,
            flags: flags.map_or_else(OptFlags::default, OptFlags::read),
        };
        Ok(Some((opts, walk.is_doubtful)))
    }

    /// Appends the options as `MessagePack`, in the order of the reference.
    pub(super) fn write_msgpack(&self, out: &mut Vec<u8>) {
        msgpack::write_map_len(out, 3);
        write_names(out, "rooms", &self.rooms);
        write_names(out, "except", &self.except);
        self.flags.write_msgpack(out);
    }

    /// The same in the order of the emitters.
    pub(super) fn write_emitted(&self, out: &mut Vec<u8>) {
        msgpack::write_map_len(out, 3);
        write_names(out, "rooms", &self.rooms);
        self.flags.write_msgpack(out);
        write_names(out, "except", &self.except);
    }

    /// The options as JSON, with or without the flags.
    pub(super) fn to_json(&self, has_flags: bool) -> String {
        let mut object = Object::new();
        object.member("rooms", &*self.rooms);
        object.member("except", &*self.except);
        if has_flags {
            let mut flags = Object::new();
            for (name, flag) in self.flags.listed() {
                match flag {
                    Flag::Bool(value) => flags.member(name, &value),
                    Flag::Ms(value) => flags.member(name, &value),
                }
            }
            object.raw("flags", &flags.text());
        }
        object.text()
    }
}

fn write_names(out: &mut Vec<u8>, key: &str, names: &Names) {
    msgpack::write_str(out, key);
    msgpack::write_array_len(out, names.len());
    for name in names {
        msgpack::write_str(out, name);
    }
}

/// The value of a flag on the wire.
enum Flag {
    Bool(bool),
    Ms(u64),
}

impl OptFlags {
    /// The flags that are set, in the order in which they mostly appear.
    fn listed(self) -> SmallVec<[(&'static str, Flag); 4]> {
        let ms = |timeout: Duration| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let single = self
            .expect_single_response
            .then_some(("expectSingleResponse", Flag::Bool(true)));
        let volatile = self.volatile.then_some(("volatile", Flag::Bool(true)));
        let compress = self.compress.map(|on| ("compress", Flag::Bool(on)));
        let timeout = self
            .timeout
            .map(|timeout| ("timeout", Flag::Ms(ms(timeout).min(MAX_TIMEOUT_MS))));
        [single, volatile, compress, timeout]
            .into_iter()
            .flatten()
            .collect()
    }

    fn write_msgpack(self, out: &mut Vec<u8>) {
        msgpack::write_str(out, "flags");
        let flags = self.listed();
        msgpack::write_map_len(out, flags.len());
        for (name, flag) in flags {
            msgpack::write_str(out, name);
            match flag {
                Flag::Bool(value) => msgpack::write_bool(out, value),
                Flag::Ms(value) => msgpack::write_uint(out, value),
            }
        }
    }

    /// Reads the flags in a value that was passed; none if it is no map.
    fn read(value: &[u8]) -> Self {
        let Ok([volatile, compress, timeout, single]) = Walk::new(value).members([
            b"volatile",
            b"compress",
            b"timeout",
            b"expectSingleResponse",
        ]) else {
            return Self::default();
        };
        Self {
            volatile: volatile.is_some_and(walk::is_truthy),
            compress: compress.and_then(|value| match Reader::new(value).token() {
                Ok(Token::Bool(value)) => Some(value),
                _ => None,
            }),
            timeout: timeout
                .and_then(walk::whole_ms)
                .map(|ms| Duration::from_millis(ms.min(MAX_TIMEOUT_MS))),
            expect_single_response: single.is_some_and(walk::is_truthy),
        }
    }
}

/// The names in a value: null, `undefined` and the empty text are none, numbers are their text.
///
/// A text or number without an array around it is one room. JavaScript makes a set of its letters, which nobody can mean. An item
/// that is no name is an error: without it the message might be for everybody.
pub(super) fn names(payload: &Bytes, value: Option<&[u8]>) -> Result<Names, Junk> {
    let Some(value) = value.filter(|value| !walk::is_nothing(value)) else {
        return Ok(Names::new());
    };
    let mut reader = Reader::new(value);
    let name = |token| walk::name_of(payload, token).ok_or(Junk::Rooms);
    match reader.token().map_err(walk::junk)? {
        Token::Array(n_items) => (0..n_items)
            .map(|_| name(reader.token().map_err(walk::junk)?))
            .collect(),
        token => Ok(std::iter::once(name(token)?).collect()),
    }
}
