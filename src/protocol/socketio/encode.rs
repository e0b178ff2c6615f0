//! Packets into messages, ready for the engine.

use bytes::Bytes;
use smallvec::SmallVec;

use super::super::websocket::TextFrame;
use super::{
    Args, Attachments, Dialect, MAIN_NAMESPACE, PacketType, json, msgpack, msgpack_packet,
};

/// What stands between the head of the map of a `MessagePack` packet and the number of its type.
const MSGPACK_TYPE: &[u8] = b"\xa4type";

/// One encoded packet. Cloning counts references, so one encoding serves a whole broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoded {
    /// The JSON dialect: a text message, then the attachments as binary messages.
    Text {
        /// With the engine's prefix: `42["hello"]`. This is the payload of a WebSocket text frame.
        message: TextFrame,
        /// What the placeholders stand for.
        attachments: Attachments,
    },
    /// The `MessagePack` dialect: one binary message.
    Binary(Bytes),
}

impl Encoded {
    /// The text message with the engine's prefix, as it goes into a frame: `42["hello"]`.
    #[must_use]
    pub fn engine_text(&self) -> Option<&TextFrame> {
        if let Self::Text { message, .. } = self {
            Some(message)
        } else {
            None
        }
    }

    /// What it is. In `MessagePack` events and answers with binary are like others.
    #[must_use]
    pub fn kind(&self) -> PacketType {
        let number = match self {
            Self::Text { message, .. } => message
                .as_bytes()
                .get(1)
                .map(|digit| digit.wrapping_sub(b'0')),
            // The first member of the map.
            Self::Binary(bytes) => bytes.get(1 + MSGPACK_TYPE.len()).copied(),
        };
        let kind = number.and_then(|number| PacketType::from_number(number.into()));
        // Whoever is handed one has it from a `Dialect`, which writes nothing else.
        kind.unwrap_or(PacketType::Event)
    }

    /// The text message without the engine's prefix: `2["hello"]`.
    #[must_use]
    pub fn packet_text(&self) -> Option<&str> {
        self.engine_text().and_then(|message| message.get(1..))
    }

    /// The binary messages that follow the text, or the one that is the packet.
    #[must_use]
    pub fn binaries(&self) -> &[Bytes] {
        match self {
            Self::Text { attachments, .. } => attachments,
            Self::Binary(bytes) => std::slice::from_ref(bytes),
        }
    }
}

/// Every packet a server sends.
///
/// Engine.IO 3 clients get the same, except for the two functions that end in `_v3`. **Source** `packages/socket.io/lib/socket.ts`
/// and `namespace.ts`, where `conn.protocol` is 3.
impl Dialect {
    /// An event, with an id if an acknowledgement is wanted.
    ///
    /// **Shape** `2["hello",1]`, `2/admin,12["hello"]`, `51-["hello",{"_placeholder":true,"num":0}]`;
    /// `{type, data, id?, nsp}` in `MessagePack`.
    #[must_use]
    pub fn event(self, nsp: &str, id: Option<u64>, name: &str, args: &Args) -> Encoded {
        // Hot: one exactly sized allocation in JSON; the arguments are copied, not parsed.
        match self {
            Self::Json => {
                let (joined, attachments) = args.json_parts();
                let head = Head::new(PacketType::Event, nsp, id, &attachments);
                let name = json::escape(name);
                let comma = if joined.is_empty() { "" } else { "," };
                head.text(attachments, &["[\"", &name, "\"", comma, &joined, "]"])
            }
            Self::Msgpack => map(PacketType::Event, nsp, id, |out| {
                msgpack_packet::write_event_data(out, name, args);
            }),
        }
    }

    /// The answer to an event.
    ///
    /// **Shape** `3/admin,13["bar"]`, `61-15["bar",{"_placeholder":true,"num":0}]`.
    #[must_use]
    pub fn ack(self, nsp: &str, id: u64, args: &Args) -> Encoded {
        match self {
            Self::Json => {
                let (joined, attachments) = args.json_parts();
                let head = Head::new(PacketType::Ack, nsp, Some(id), &attachments);
                head.text(attachments, &["[", &joined, "]"])
            }
            Self::Msgpack => map(PacketType::Ack, nsp, Some(id), |out| {
                msgpack_packet::write_args(out, args);
            }),
        }
    }

    /// Grants a namespace. `pid` is the private id of connection state recovery.
    ///
    /// **Shape** `0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}`.
    #[must_use]
    pub fn connect(self, nsp: &str, sid: &str, pid: Option<&str>) -> Encoded {
        let members = [("sid", Some(sid)), ("pid", pid)];
        self.value(PacketType::Connect, nsp, &object(&members, None))
    }

    /// Grants a namespace to an Engine.IO 3 client, which learns no id.
    ///
    /// **Shape** `0`, `0/admin,`.
    #[must_use]
    pub fn connect_v3(self, nsp: &str) -> Encoded {
        self.value(PacketType::Connect, nsp, &Args::none())
    }

    /// Refuses a namespace. `data` is the first of its arguments. Engine.IO 3 clients get this too if the namespace does not exist.
    ///
    /// **Shape** `4/admin,{"message":"Invalid namespace"}`, `4{"message":"unauthorized","data":{"code":7}}`.
    #[must_use]
    pub fn connect_error(self, nsp: &str, message: &str, data: Option<&Args>) -> Encoded {
        let data = data.and_then(|data| data.nth(0));
        self.value(
            PacketType::ConnectError,
            nsp,
            &object(&[("message", Some(message))], data.as_ref()),
        )
    }

    /// Refuses a namespace that exists to an Engine.IO 3 client, with bare data.
    ///
    /// **Shape** `4"unauthorized"`, or `4{"code":7}` if there is data.
    #[must_use]
    pub fn connect_error_v3(self, nsp: &str, message: &str, data: Option<&Args>) -> Encoded {
        let data = data
            .and_then(|data| data.nth(0))
            .unwrap_or_else(|| Args::none().with_appended(message));
        self.value(PacketType::ConnectError, nsp, &data)
    }

    /// Ends a namespace.
    ///
    /// **Shape** `1`, `1/admin,`.
    #[must_use]
    pub fn disconnect(self, nsp: &str) -> Encoded {
        self.value(PacketType::Disconnect, nsp, &Args::none())
    }

    /// A packet whose payload is one value or nothing. Such packets have no attachments; binary in them would be lost.
    fn value(self, kind: PacketType, nsp: &str, value: &Args) -> Encoded {
        match self {
            Self::Json => {
                let head = Head::new(kind, nsp, None, &[]);
                head.text(Attachments::none(), &[&value.joined()])
            }
            Self::Msgpack => {
                let (value, n_values) = value.msgpack_values();
                if n_values == 0 {
                    return map(kind, nsp, None, |_| ());
                }
                map(kind, nsp, None, |out| out.extend_from_slice(&value))
            }
        }
    }
}

/// One object of texts; those that are missing are left out. `data` is one more member.
fn object(members: &[(&str, Option<&str>)], data: Option<&Args>) -> Args {
    let mut text = String::with_capacity(64);
    for (key, value) in members {
        if let Some(value) = value {
            text.push(if text.is_empty() { '{' } else { ',' });
            json::push_string(&mut text, key);
            text.push(':');
            json::push_string(&mut text, value);
        }
    }
    let mut attachments = Attachments::none();
    if let Some(data) = data {
        let joined;
        (joined, attachments) = data.json_parts();
        text.push_str(",\"data\":");
        text.push_str(&joined);
    }
    text.push('}');
    Args::from_joined(text.into(), attachments, 1)
}

/// What stands before the payload of a text packet.
struct Head<'a> {
    kind: PacketType,
    nsp: &'a str,
    id: Option<u64>,
    n_attachments: usize,
}

impl<'a> Head<'a> {
    fn new(kind: PacketType, nsp: &'a str, id: Option<u64>, attachments: &[Bytes]) -> Self {
        let kind = match (kind, attachments) {
            (_, []) => kind,
            (PacketType::Event, _) => PacketType::BinaryEvent,
            (PacketType::Ack, _) => PacketType::BinaryAck,
            _ => kind,
        };
        Self {
            kind,
            nsp,
            id,
            n_attachments: attachments.len(),
        }
    }

    /// The whole message: prefix, head and the parts of the payload, in one allocation.
    fn text(&self, attachments: Attachments, payload: &[&str]) -> Encoded {
        let (mut n_digits, mut id_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
        let mut parts = SmallVec::<[&str; 12]>::new();
        parts.push(prefix(self.kind));
        if self.kind.is_binary() {
            parts.extend_from_slice(&[n_digits.format(self.n_attachments), "-"]);
        }
        if self.nsp != MAIN_NAMESPACE && !self.nsp.is_empty() {
            parts.extend_from_slice(&[self.nsp, ","]);
        }
        if let Some(id) = self.id {
            parts.push(id_digits.format(id));
        }
        parts.extend_from_slice(payload);
        Encoded::Text {
            message: TextFrame::concat(&parts),
            attachments,
        }
    }
}

/// The engine's type of a message, and that of the packet. **Source** engine.io protocol, "Packet encoding".
const fn prefix(kind: PacketType) -> &'static str {
    match kind {
        PacketType::Connect => "40",
        PacketType::Disconnect => "41",
        PacketType::Event => "42",
        PacketType::Ack => "43",
        PacketType::ConnectError => "44",
        PacketType::BinaryEvent => "45",
        PacketType::BinaryAck => "46",
    }
}

/// A `MessagePack` packet; `write_data` appends one value, or nothing if there is no `data`.
fn map(
    kind: PacketType,
    nsp: &str,
    id: Option<u64>,
    write_data: impl FnOnce(&mut Vec<u8>),
) -> Encoded {
    let mut data = Vec::with_capacity(64);
    write_data(&mut data);
    let n_members = 2 + usize::from(!data.is_empty()) + usize::from(id.is_some());
    let mut out = Vec::with_capacity(data.len() + nsp.len() + 40);
    msgpack::write_map_len(&mut out, n_members);
    out.extend_from_slice(MSGPACK_TYPE);
    msgpack::write_uint(&mut out, kind as u64);
    if !data.is_empty() {
        msgpack::write_str(&mut out, "data");
        out.append(&mut data);
    }
    if let Some(id) = id {
        msgpack::write_str(&mut out, "id");
        msgpack::write_uint(&mut out, id);
    }
    msgpack::write_str(&mut out, "nsp");
    msgpack::write_str(&mut out, if nsp.is_empty() { MAIN_NAMESPACE } else { nsp });
    Encoded::Binary(out.into())
}
