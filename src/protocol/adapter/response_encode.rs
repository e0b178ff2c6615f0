//! The answers we give, in the dialect of the question.

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Channels, FetchedSocket, Unpublishable,
    json_out::{Object, to_json},
    values,
};
use crate::protocol::socketio::{Args, Attachments, msgpack};

/// Who asked, and how it wants to be answered.
///
/// Each method encodes one kind of answer; [`Self::channel`] says where to publish it. Where a dialect has no such answer (an old
/// server does not ask for it), it is given in that dialect's nearest form.
///
/// `uid` is our own: answers in JSON say who gives them, so that a server that counts can name who is silent. The reference
/// passes it over. `None` leaves it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Asker {
    numbering: Numbering,
    id: Id,
    uid: Option<ByteString>,
    is_shared_only: bool,
}

/// The dialect of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbering {
    /// `socket.io-redis` 1.1: `transaction`, one channel per answer.
    Sync,
    /// `socket.io-redis` 2 to 5: `requestid`.
    Old,
    /// `socket.io-redis` 6 and later: `requestId`.
    Current,
}

/// The id of a question: given back as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Id {
    Text(ByteString),
    /// A number or null, as JSON.
    Other(ByteString),
}

impl Asker {
    pub(super) fn new(numbering: Numbering, id: Id, uid: Option<ByteString>) -> Self {
        Self {
            numbering,
            id,
            uid,
            is_shared_only: false,
        }
    }

    /// For answers that nobody expects elsewhere.
    pub(super) fn on_shared_channel(self) -> Self {
        Self {
            is_shared_only: true,
            ..self
        }
    }

    /// The id of the question. Unique only together with who asks.
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.id {
            Id::Text(id) | Id::Other(id) => id,
        }
    }

    /// The uid of the asker, if it gave one.
    #[must_use]
    pub fn uid(&self) -> Option<&ByteString> {
        self.uid.as_ref()
    }

    /// Where to publish the answer: the channel of all, or the asker's own if that is preferred and known to be heard.
    #[must_use]
    pub fn channel(&self, channels: &Channels, nsp: &str, prefers_own: bool) -> String {
        match (self.numbering, &self.uid) {
            (Numbering::Sync, _) => channels.sync_response(self.id()),
            (Numbering::Current, Some(uid)) if prefers_own && !self.is_shared_only => {
                channels.response_of(nsp, uid)
            }
            _ => channels.response(nsp),
        }
    }

    /// The ids of sockets.
    ///
    /// **Shape** `{"requestId":"x","sockets":["a","b"]}`; before 6 `{"requestid":"x","clients":["a","b"]}`, in 1.1 without an id.
    #[must_use]
    pub fn sockets<'a>(&self, ids: impl IntoIterator<Item = &'a str>, uid: Option<&str>) -> Bytes {
        let name = match self.numbering {
            Numbering::Current => "sockets",
            Numbering::Old | Numbering::Sync => "clients",
        };
        let mut object = self.begin();
        object.array(name, ids.into_iter().map(to_json));
        self.end(object, uid)
    }

    /// Names of rooms.
    ///
    /// **Shape** `{"requestId":"x","rooms":["r1","r2"]}`.
    #[must_use]
    pub fn rooms<'a>(&self, rooms: impl IntoIterator<Item = &'a str>, uid: Option<&str>) -> Bytes {
        let mut object = self.begin();
        object.array("rooms", rooms.into_iter().map(to_json));
        self.end(object, uid)
    }

    /// It is done.
    ///
    /// **Shape** `{"requestId":"x"}`.
    #[must_use]
    pub fn done(&self, uid: Option<&str>) -> Bytes {
        self.end(self.begin(), uid)
    }

    /// Sockets with all that is public about them. Binary in their data becomes `{"type":"Buffer","data":[1,2,3]}`.
    ///
    /// **Shape** `{"requestId":"x","sockets":[{"id":"a","handshake":{...},"rooms":["a"],"data":{}}]}`.
    #[must_use]
    pub fn fetched<'a>(
        &self,
        sockets: impl IntoIterator<Item = &'a FetchedSocket>,
        uid: Option<&str>,
    ) -> Bytes {
        let mut object = self.begin();
        object.array(
            "sockets",
            sockets.into_iter().map(|socket| {
                let mut object = Object::new();
                object.member("id", &*socket.id);
                object.member("handshake", &socket.handshake);
                object.member("rooms", &socket.rooms);
                object.member("data", &socket.data);
                object.text()
            }),
        );
        self.end(object, uid)
    }

    /// What a handler of old made of [`super::Request::Custom`]: the first of these arguments.
    ///
    /// **Shape** `{"requestid":"x","data":{"echo":"ping"}}`.
    ///
    /// # Errors
    ///
    /// [`Unpublishable`] for what is nested too deep.
    pub fn custom(&self, value: &Args, uid: Option<&str>) -> Result<Bytes, Unpublishable> {
        let mut object = self.begin();
        object.raw("data", &first(value)?);
        Ok(self.end(object, uid))
    }

    /// What a handler answered to an event between servers: the first of these arguments.
    ///
    /// **Shape** `{"type":6,"requestId":"x","data":{"pong":1}}`.
    ///
    /// # Errors
    ///
    /// [`Unpublishable`] for what is nested too deep.
    pub fn emitted(&self, value: &Args, uid: Option<&str>) -> Result<Bytes, Unpublishable> {
        let mut object = self.begin_typed(6);
        object.raw("data", &first(value)?);
        Ok(self.end(object, uid))
    }

    /// How many clients got the broadcast, and so how many [`Self::ack`]s may follow.
    ///
    /// **Shape** `{"type":8,"requestId":"x","clientCount":2}`.
    #[must_use]
    pub fn client_count(&self, n_clients: usize, uid: Option<&str>) -> Bytes {
        let mut object = self.begin_typed(8);
        object.member("clientCount", &n_clients);
        self.end(object, uid)
    }

    /// What one client answered to the broadcast: the first of these arguments.
    ///
    /// **Shape** `{"type":9,"requestId":"x","packet":"ok"}`; `MessagePack` if there is binary.
    ///
    /// # Errors
    ///
    /// [`Unpublishable`] for what is nested too deep.
    pub fn ack(&self, value: &Args, uid: Option<&str>) -> Result<Bytes, Unpublishable> {
        let value = value.nth(0).unwrap_or_else(null);
        if !value.has_binary() {
            let mut object = self.begin_typed(9);
            object.raw("packet", &first(&value)?);
            return Ok(self.end(object, uid));
        }
        let (value, _) = values::publishable(&value)?;
        let mut out = Vec::with_capacity(value.len() + 48);
        msgpack::write_map_len(&mut out, 3);
        msgpack::write_str(&mut out, "type");
        msgpack::write_uint(&mut out, 9);
        msgpack::write_str(&mut out, "requestId");
        match &self.id {
            Id::Text(id) => msgpack::write_str(&mut out, id),
            Id::Other(json) => {
                let id = Args::from_joined(json.clone(), Attachments::none(), 1);
                out.extend_from_slice(&id.msgpack_values().0);
            }
        }
        msgpack::write_str(&mut out, "packet");
        out.extend_from_slice(&value);
        Ok(out.into())
    }

    fn begin(&self) -> Object {
        let mut object = Object::new();
        self.write_id(&mut object);
        object
    }

    fn begin_typed(&self, kind: u8) -> Object {
        let mut object = Object::new();
        object.member("type", &kind);
        self.write_id(&mut object);
        object
    }

    fn write_id(&self, object: &mut Object) {
        let name = match self.numbering {
            Numbering::Sync => return,
            Numbering::Old => "requestid",
            Numbering::Current => "requestId",
        };
        match &self.id {
            Id::Text(id) => object.member(name, &**id),
            Id::Other(json) => object.raw(name, json),
        }
    }

    fn end(&self, mut object: Object, uid: Option<&str>) -> Bytes {
        if let (Numbering::Current, Some(uid)) = (self.numbering, uid) {
            object.member("uid", uid);
        }
        object.bytes()
    }
}

/// The first argument as JSON, with binary as `Buffer`s are written; null if there is none.
fn first(args: &Args) -> Result<ByteString, Unpublishable> {
    let value = args.nth(0).unwrap_or_else(null);
    values::check_depth(&value)?;
    Ok(value.joined_with_buffers().into_owned().into())
}

/// The argument that a missing one is.
fn null() -> Args {
    Args::from_joined(ByteString::from_static("null"), Attachments::none(), 1)
}
