//! What a backend is told.

use serde::Serialize;
use serde_json::Value as Json;

use crate::clock;
use crate::error::ArgsError;
use crate::namespace::{Event, Handshake, Socket};
use crate::outbound::{self, Request};
use crate::protocol::DisconnectReason;
use crate::protocol::binary_json::to_json;
use crate::webhooks::About;

/// What has happened to a socket.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call<'a> {
    Connect,
    Event(&'a Event),
    Disconnect(DisconnectReason),
}

/// The body of a request.
///
/// Shape: `{"id": …, "type": "connect" | "event" | "disconnect", "time": …, "node": …, "namespace": …, "socket": {…}}`, of
/// an event with `event`, `args` and `ack`, of a disconnect with `reason`.
#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    time: u64,
    node: &'a str,
    namespace: &'a str,
    socket: Subject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<Json>>,
    /// Whether the client asked for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A socket, and how it came.
#[derive(Serialize)]
struct Subject<'a> {
    #[serde(flatten)]
    about: About,
    /// At the beginning: it never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    handshake: Option<Said<'a>>,
}

/// The request that opened the session.
#[derive(Serialize)]
struct Said<'a> {
    url: &'a str,
    secure: bool,
    query: serde_json::Map<String, Json>,
    headers: serde_json::Map<String, Json>,
}

impl<'a> Said<'a> {
    fn new(handshake: &'a Handshake) -> Self {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), Json::from(value));
        Self {
            url: handshake.url(),
            secure: handshake.is_secure(),
            query: handshake.query_pairs().map(pair).collect(),
            headers: handshake.headers().map(pair).collect(),
        }
    }
}

impl Call<'_> {
    /// The request that tells of it, as the socket is now.
    ///
    /// # Errors
    /// The arguments are nested too deep.
    pub(super) fn request(&self, socket: &Socket, node: &str) -> Result<Request, ArgsError> {
        let id = outbound::new_id();
        let (kind, event, reason) = match self {
            Self::Connect => ("connect", None, None),
            Self::Event(event) => ("event", Some(*event), None),
            Self::Disconnect(reason) => ("disconnect", None, Some(reason.to_string())),
        };
        let args = event.map(|event| event.args().to_values()).transpose()?;
        let body = Body {
            id: &id,
            kind,
            time: clock::now_ms(),
            node,
            namespace: socket.namespace_name(),
            socket: Subject {
                about: About::new(socket),
                handshake: matches!(self, Self::Connect).then(|| Said::new(socket.handshake())),
            },
            event: event.map(Event::name),
            args: args.map(|args| args.iter().map(to_json).collect()),
            ack: event.map(|event| event.ack.is_wanted()),
            reason,
        };
        let body = serde_json::to_vec(&body).expect("texts, numbers and JSON are JSON");
        Ok(Request {
            id,
            body: body.into(),
        })
    }
}
