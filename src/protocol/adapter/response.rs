//! The answers of other servers.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Deserializer, de::Visitor};
use serde_json::value::RawValue;

use super::{
    Junk,
    walk::{self, Walk},
};
use crate::protocol::socketio::{Args, Attachments, Value, js_number, json};

/// The answer of one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The id of the question. What nobody waits for is an answer to somebody else, or late.
    pub request_id: ByteString,
    /// Who answers. Servers of the reference do not say.
    pub uid: Option<ByteString>,
    /// What it says.
    pub body: AnswerBody,
}

/// What an answer says. The question decides what is expected; some forms are shared by several.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AnswerBody {
    /// Ids of sockets, at least one unless the asker is older than 6.
    Sockets(Vec<ByteString>),
    /// Sockets with all that is public about them, possibly none. Nobody of these was asked for in vain: an empty list of
    /// [`Self::Sockets`] looks the same, and is this.
    Fetched(Vec<FetchedSocket>),
    /// Names of rooms.
    Rooms(Vec<ByteString>),
    /// It is done.
    Done,
    /// What a handler answered to an event between servers, or to a custom request: one argument.
    Emitted(Args),
    /// How many clients got the broadcast.
    ClientCount(u64),
    /// What one client answered: one argument.
    Ack(Args),
}

/// A socket of another server, as far as it is public.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchedSocket {
    /// Its id.
    pub id: ByteString,
    /// Headers, time, address, query, auth: as the server has them. Null if nested more than 128 deep.
    pub handshake: Value,
    /// The rooms it is in, its id among them.
    pub rooms: Vec<ByteString>,
    /// What the application attached to it. Null if nested more than 128 deep.
    pub data: Value,
}

/// Decodes an answer of any version, in JSON or `MessagePack`.
///
/// ```text
/// {"requestId":"fTjrGI","sockets":[{"id":"a","handshake":{...},"rooms":["a"],"data":{}}]}
/// {"requestId":"Nyzrf8","rooms":["a","r1"],"uid":"tk3fXw"}
/// {"type":6,"requestId":"z0bQNG","data":{"pong":1}}
/// {"type":8,"requestId":"W3CaBx","clientCount":2}
/// {"type":9,"requestId":"W3CaBx","packet":"ack"}
/// {"requestid":"vFk5GO","clients":["a"]}
/// ```
///
/// # Errors
///
/// [`Junk`] for everything else, and for ids that are no text: ours are.
///
/// **Source** `onresponse` in `lib/index.ts` of `@socket.io/redis-adapter`.
pub fn decode_response(payload: &Bytes) -> Result<Answer, Junk> {
    if payload.first() == Some(&b'{') {
        let text = std::str::from_utf8(payload).map_err(|_| Junk::Malformed)?;
        return from_json(text);
    }
    let mut walk = Walk::new(payload);
    let [kind, request_id, old_request_id, uid, packet] =
        walk.members([b"type", b"requestId", b"requestid", b"uid", b"packet"])?;
    walk.end()?;
    if kind.and_then(walk::whole) != Some(ACK) {
        // Nobody is known to do this; so it need not be fast.
        return from_json(&walk.arg(payload, payload).joined());
    }
    let request_id = request_id.or(old_request_id).ok_or(Junk::Incomplete)?;
    Ok(Answer {
        request_id: walk::text(payload, request_id).ok_or(Junk::Incomplete)?,
        uid: uid.and_then(|uid| walk::text(payload, uid)),
        body: AnswerBody::Ack(packet.map_or_else(null, |packet| walk.arg(payload, packet))),
    })
}

const EMITTED: f64 = 6.0;
const CLIENT_COUNT: f64 = 8.0;
/// The type of acknowledgements, the only answers that servers give in `MessagePack`.
const ACK: u64 = 9;

/// The members of an answer. Those that are null count as there.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(rename = "type")]
    kind: Option<f64>,
    #[serde(rename = "requestId", alias = "requestid")]
    request_id: Option<String>,
    uid: Option<String>,
    #[serde(borrow)]
    sockets: Option<&'a RawValue>,
    clients: Option<Vec<Name>>,
    rooms: Option<Vec<Name>>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(rename = "clientCount")]
    client_count: Option<f64>,
    #[serde(borrow, default, deserialize_with = "present")]
    packet: Option<&'a RawValue>,
}

/// A value that may be null, unlike one that is missing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn from_json(text: &str) -> Result<Answer, Junk> {
    // A room's name may be any string of JavaScript.
    let text: Cow<'_, str> = json::without_lone_surrogates(text);
    let members: Members<'_> = parse(&text)?;
    let body = members.body()?;
    Ok(Answer {
        request_id: members.request_id.ok_or(Junk::Incomplete)?.into(),
        uid: members.uid.map(ByteString::from),
        body,
    })
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Junk> {
    serde_json::from_str(text).map_err(|err| {
        if err.is_data() {
            Junk::Shape
        } else {
            Junk::Malformed
        }
    })
}

impl Members<'_> {
    #[expect(
        clippy::float_cmp,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small whole numbers; casts saturate"
    )]
    fn body(&self) -> Result<AnswerBody, Junk> {
        let names = |names: &[Name]| names.iter().map(|name| name.0.clone()).collect();
        Ok(match self.kind {
            Some(EMITTED) => AnswerBody::Emitted(arg(self.data)?),
            Some(CLIENT_COUNT) => match self.client_count {
                Some(count) if count >= 0.0 => AnswerBody::ClientCount(count as u64),
                _ => return Err(Junk::Incomplete),
            },
            Some(kind) if kind == ACK as f64 => AnswerBody::Ack(arg(self.packet)?),
            _ => match (self.sockets, &self.clients, &self.rooms, self.data) {
                (Some(list), ..) => sockets(list.get())?,
                (_, Some(clients), ..) => AnswerBody::Sockets(names(clients)),
                (_, _, Some(rooms), _) => AnswerBody::Rooms(names(rooms)),
                (_, _, _, Some(data)) => AnswerBody::Emitted(arg(Some(data))?),
                _ => AnswerBody::Done,
            },
        })
    }
}

/// Sockets, or their ids alone.
fn sockets(list: &str) -> Result<AnswerBody, Junk> {
    let first = list.get(1..).unwrap_or_default().trim_start();
    if first.starts_with('"') {
        let ids: Vec<Name> = parse(list)?;
        return Ok(AnswerBody::Sockets(
            ids.into_iter().map(|id| id.0).collect(),
        ));
    }
    let sockets: Vec<Fetched<'_>> = parse(list)?;
    Ok(AnswerBody::Fetched(
        sockets.into_iter().map(FetchedSocket::from).collect(),
    ))
}

/// One value as one argument; a missing one is null, as `undefined` is left out.
fn arg(value: Option<&RawValue>) -> Result<Args, Junk> {
    let Some(value) = value else {
        return Ok(null());
    };
    let value = Args::from_joined(value.get().into(), Attachments::none(), 1);
    if value.is_deeper_than(super::MAX_DEPTH) {
        return Err(Junk::TooDeep);
    }
    Ok(value)
}

fn null() -> Args {
    Args::from_vec(vec![Value::Null])
}

/// A socket in an answer.
#[derive(Deserialize)]
struct Fetched<'a> {
    id: Name,
    #[serde(borrow)]
    handshake: Option<&'a RawValue>,
    #[serde(default)]
    rooms: Vec<Name>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl From<Fetched<'_>> for FetchedSocket {
    fn from(socket: Fetched<'_>) -> Self {
        let value = |value: Option<&RawValue>| {
            value.and_then(|value| serde_json::from_str(value.get()).ok())
        };
        Self {
            id: socket.id.0,
            handshake: value(socket.handshake).unwrap_or_default(),
            rooms: socket.rooms.into_iter().map(|room| room.0).collect(),
            data: value(socket.data).unwrap_or_default(),
        }
    }
}

/// A name that may be a number.
struct Name(ByteString);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;

        impl Visitor<'_> for TextOrNumber {
            type Value = Name;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(name.into()))
            }

            fn visit_string<E>(self, name: String) -> Result<Name, E> {
                Ok(Name(name.into()))
            }

            fn visit_u64<E>(self, name: u64) -> Result<Name, E> {
                Ok(Name(name.to_string().into()))
            }

            fn visit_i64<E>(self, name: i64) -> Result<Name, E> {
                Ok(Name(name.to_string().into()))
            }

            fn visit_f64<E>(self, name: f64) -> Result<Name, E> {
                Ok(Name(js_number(name).into()))
            }
        }

        deserializer.deserialize_any(TextOrNumber)
    }
}
