//! What goes over the wire besides messages: the arguments of events, their answers, and what others are told.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::history::Recent;
use super::limits::Limits;
use super::people::{PersonId, Presence, Public};
use super::rooms::Count;
use crate::prelude::{Args, Binary, Refusal, Room, Value};

/// A conversation, from the side of one who is in it.
///
/// Shape: `{"room": name}` or `{"person": id}`, mostly with other fields beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "Address")]
pub(super) enum Conv {
    /// That of a room.
    Room(Room),
    /// The private one with a person.
    Person(PersonId),
}

#[derive(Deserialize)]
struct Address {
    room: Option<Room>,
    person: Option<PersonId>,
}

impl TryFrom<Address> for Conv {
    type Error = &'static str;

    fn try_from(address: Address) -> Result<Self, Self::Error> {
        match (address.room, address.person) {
            (Some(room), None) => Ok(Self::Room(room)),
            (None, Some(person)) => Ok(Self::Person(person)),
            _ => Err("exactly one of room and person"),
        }
    }
}

/// What a client says when it connects. Of the name anything is taken, and judged later.
#[derive(Debug, Deserialize)]
pub(super) struct Auth {
    pub(super) token: String,
    name: Option<Value>,
}

impl Auth {
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_ref().and_then(Value::as_str)
    }
}

/// What the server keeps with a socket, for the case that it is recovered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TabData {
    pub(super) person: PersonId,
}

/// The second argument of `join` and `open`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Since {
    pub(super) after: Option<u64>,
}

/// The argument of `history`.
#[derive(Debug, Deserialize)]
pub(super) struct Before {
    #[serde(flatten)]
    pub(super) conv: Conv,
    pub(super) before: u64,
}

/// The argument of `picture`.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    #[serde(flatten)]
    pub(super) conv: Conv,
    pub(super) seq: u64,
}

/// The argument of `say`, and the first one of `show`.
#[derive(Debug, Deserialize)]
pub(super) struct Say {
    #[serde(flatten)]
    pub(super) conv: Conv,
    pub(super) id: ByteString,
    pub(super) text: ByteString,
}

/// The argument of `typing`, in both directions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Typing {
    #[serde(flatten)]
    pub(super) conv: Conv,
    #[serde(skip_deserializing)]
    pub(super) from: Option<Public>,
    pub(super) on: bool,
}

/// The answer to an event that was done.
#[derive(Debug, Serialize)]
pub(super) struct Done<T> {
    ok: bool,
    #[serde(flatten)]
    reply: T,
}

impl<T> Done<T> {
    pub(super) const fn new(reply: T) -> Self {
        Self { ok: true, reply }
    }
}

/// Nothing more to say.
#[derive(Debug, Serialize)]
pub(super) struct Nothing {}

#[derive(Debug, Serialize)]
pub(super) struct Named {
    pub(super) name: ByteString,
}

#[derive(Debug, Serialize)]
pub(super) struct Joined {
    pub(super) room: Room,
    pub(super) people: Vec<Public>,
    #[serde(flatten)]
    pub(super) recent: Recent,
}

#[derive(Debug, Serialize)]
pub(super) struct Opened {
    pub(super) person: Presence,
    #[serde(flatten)]
    pub(super) recent: Recent,
}

#[derive(Debug, Serialize)]
pub(super) struct Picture {
    pub(super) mime: &'static str,
    pub(super) bytes: Binary,
}

/// The answer to an event that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refused {
    ok: bool,
    code: &'static str,
    /// A sentence to show.
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    types: Option<&'static [&'static str]>,
}

impl Refused {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            ok: false,
            code,
            message: message.into(),
            limit: None,
            retry_after_ms: None,
            types: None,
        }
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::new("bad_request", message)
    }

    pub(super) fn no_such_person() -> Self {
        Self::new("no_such_person", "Nobody is known by that id.")
    }

    pub(super) fn bad_room(limits: &Limits) -> Self {
        let max = limits.room_chars;
        let message =
            format!("A room's name has 1 to {max} letters, digits, \"-\" or \"_\", not first.");
        Self::new("bad_room", message).with_limit(max)
    }

    pub(super) fn rate(wait: Duration) -> Self {
        let wait_ms = wait.as_nanos().div_ceil(1_000_000);
        Self {
            retry_after_ms: Some(u64::try_from(wait_ms).unwrap_or(u64::MAX)),
            ..Self::new("rate", "That was too fast.")
        }
    }

    pub(super) const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(super) const fn with_types(mut self, types: &'static [&'static str]) -> Self {
        self.types = Some(types);
        self
    }
}

/// The same to one who wants to connect.
impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        #[derive(Serialize)]
        struct Why<'a> {
            code: &'static str,
            message: &'a str,
        }
        Self::new(&*refused.message).with_data(Why {
            code: refused.code,
            message: &refused.message,
        })
    }
}

/// Reads arguments, or refuses them.
pub(super) fn parse<T: serde::de::DeserializeOwned>(args: &Args) -> Result<T, Refused> {
    args.parse().map_err(|err| {
        log::debug!("arguments of the chat do not parse err={err}");
        Refused::bad_request("The arguments of this event have another shape.")
    })
}

/// The first thing that a tab hears.
#[derive(Debug, Serialize)]
pub(super) struct Welcome<'a> {
    pub(super) you: Public,
    pub(super) limits: &'a Limits,
    pub(super) rooms: Vec<Count>,
    pub(super) private: Vec<Talk>,
    pub(super) server: About,
}

/// A private conversation with messages.
#[derive(Debug, Serialize)]
pub(super) struct Talk {
    pub(super) person: Presence,
    pub(super) seq: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct About {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Came {
    pub(super) room: Room,
    pub(super) person: Public,
}

#[derive(Debug, Serialize)]
pub(super) struct Left {
    pub(super) room: Room,
    pub(super) id: PersonId,
}

/// Asks who has got a message.
#[derive(Debug, Serialize)]
pub(super) struct Receipt {
    #[serde(flatten)]
    pub(super) conv: Conv,
    pub(super) seq: u64,
}

/// Tells the sender how many have got a message.
#[derive(Debug, Serialize)]
pub(super) struct Delivery {
    #[serde(flatten)]
    pub(super) conv: Conv,
    pub(super) seq: u64,
    pub(super) id: ByteString,
    pub(super) got: usize,
    pub(super) of: usize,
}

/// The bytes of `show`: binary, and not none.
pub(super) fn picture_bytes(binary: Binary) -> Result<Bytes, Refused> {
    if binary.is_empty() {
        return Err(Refused::bad_request("The picture has no bytes."));
    }
    Ok(binary.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args(values: &serde_json::Value) -> Args {
        Args::from_json(&values.to_string().into()).unwrap()
    }

    #[test]
    fn a_conversation_is_a_room_or_a_person() {
        let say = |conv: serde_json::Value| {
            let mut body = json!({"id": "message-1", "text": "x"});
            let fields = conv.as_object().unwrap().clone();
            body.as_object_mut().unwrap().extend(fields);
            parse::<(Say,)>(&args(&json!([body]))).map(|(say,)| say.conv)
        };
        assert_eq!(say(json!({"room": "a"})), Ok(Conv::Room("a".into())));
        let person = Ok(Conv::Person(PersonId::from("b")));
        assert_eq!(say(json!({"person": "b"})), person);
        assert_eq!(say(json!({"person": "b", "room": null, "more": 1})), person);
        for bad in [
            json!({}),
            json!({"room": "a", "person": "b"}),
            json!({"room": 5}),
            json!({"room": ["a"]}),
            json!({"person": {"id": "b"}}),
        ] {
            assert!(say(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [
            json!([]),
            json!([null]),
            json!(["text"]),
            json!([[]]),
            json!([["lobby", null, "message-1", "x"]]),
            json!([{"room": "a", "id": "message-1"}]),
            json!([{"room": "a", "id": 5, "text": "x"}]),
            json!([{"room": "a", "id": "message-1", "text": null}]),
        ] {
            let refused = parse::<(Say,)>(&args(&bad)).unwrap_err();
            assert_eq!(refused.code, "bad_request", "{bad}");
        }
        for bad in [
            json!([{"room": "a", "before": -1}]),
            json!([{"room": "a", "before": "1"}]),
        ] {
            assert!(parse::<(Before,)>(&args(&bad)).is_err(), "{bad}");
        }
        for bad in [json!(["a", 5]), json!(["a", {"after": "5"}]), json!([5])] {
            assert!(
                parse::<(String, Option<Since>)>(&args(&bad)).is_err(),
                "{bad}"
            );
        }
        for good in [
            json!(["a"]),
            json!(["a", null]),
            json!(["a", {}]),
            json!(["a", {"after": 5}]),
        ] {
            assert!(
                parse::<(String, Option<Since>)>(&args(&good)).is_ok(),
                "{good}"
            );
        }
    }

    #[test]
    fn answers_have_the_shapes_of_the_contract() {
        let refused = Refused::rate(Duration::from_micros(1500));
        assert_eq!(
            serde_json::to_value(refused).unwrap(),
            json!({"ok": false, "code": "rate", "message": "That was too fast.", "retry_after_ms": 2})
        );
        assert_eq!(
            serde_json::to_value(Done::new(Nothing {})).unwrap(),
            json!({"ok": true})
        );
        let delivery = Delivery {
            conv: Conv::Room("lobby".into()),
            seq: 5,
            id: "message-1".into(),
            got: 1,
            of: 2,
        };
        assert_eq!(
            serde_json::to_value(delivery).unwrap(),
            json!({"room": "lobby", "seq": 5, "id": "message-1", "got": 1, "of": 2})
        );
        let picture = Done::new(Picture {
            mime: "image/png",
            bytes: Bytes::from_static(b"png").into(),
        });
        let sent = Args::from_values(&picture).unwrap();
        assert_eq!(sent.attachments(), [Bytes::from_static(b"png")]);
    }

    #[test]
    fn who_connects_may_say_anything_as_a_name() {
        for (auth, name) in [
            (json!([{"token": "t"}]), None),
            (json!([{"token": "t", "name": 7}]), None),
            (json!([{"token": "t", "name": "Ada"}]), Some("Ada")),
        ] {
            let auth: Auth = args(&auth).first().unwrap();
            assert_eq!(auth.name(), name);
        }
        for bad in [
            json!([{}]),
            json!([{"token": 5}]),
            json!([{"token": null}]),
            json!(["t"]),
        ] {
            assert!(args(&bad).first::<Auth>().is_err(), "{bad}");
        }
    }
}
