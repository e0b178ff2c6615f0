//! Testing handlers without a port: a client in the same process.
//!
//! ```
//! use greenroom::prelude::*;
//! use greenroom::testing::Client;
//!
//! #[derive(Default)]
//! struct Greeter;
//!
//! impl Actor for Greeter {
//!     type Context = Context<Self>;
//! }
//!
//! impl Handler<On<String>> for Greeter {
//!     type Result = ();
//!
//!     fn handle(&mut self, On { args: name, ack, .. }: On<String>, _: &mut Context<Self>) {
//!         ack.send(format!("hello {name}"));
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder()
//!     .namespace("/", per_worker(Greeter::default).on::<String>("greet"))
//!     .build()?;
//! actix::System::new().block_on(async {
//!     let mut client = Client::connect(&server).await?;
//!     let answer = client.emit_with_ack("greet", "Ada").await?;
//!     assert_eq!(answer.first::<String>()?, "hello Ada");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! It speaks the real protocol to a real session: everything but the sockets of the system is what a
//! client far away would meet.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;
use futures_util::StreamExt;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::carrier::mounted;
use crate::engine::Message;
use crate::error::EncodeError;
use crate::hub;
use crate::namespace::Handshake;
use crate::protocol::engineio::{ProtocolVersion, Sid};
use crate::protocol::socketio::{self, Args, Body, Decoder, Dialect, Encoded, Packet};
use crate::server::Server;
use crate::session::{self, Command, Frame, Opening, Read, Session, Wire};

/// How long anything is waited for.
const DEADLINE: Duration = Duration::from_secs(5);

/// Why a client did not get what it waited for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nothing came within five seconds.
    #[error("nothing came in time while waiting for {0}")]
    Deadline(String),
    /// The server has ended the session.
    #[error("the session has ended")]
    Closed,
    /// The namespace refused the socket.
    #[error("refused: {message}")]
    Refused {
        /// The message of the refusal.
        message: String,
        /// The whole payload of `CONNECT_ERROR`.
        payload: Args,
    },
    /// The server has disconnected the socket.
    #[error("disconnected from the namespace")]
    Disconnected,
    /// The values cannot be serialized.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// An event that a client got.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub args: Args,
    /// Set if the server asked for an ack; see [`Client::ack`].
    pub ack: Option<u64>,
}

/// A connected client in one namespace.
#[derive(Debug)]
pub struct Client {
    server: Server,
    session: Addr<Session>,
    body: mounted::Body,
    received: BytesMut,
    decoder: Decoder,
    namespace: String,
    id: String,
    pid: Option<String>,
    next_ack: u64,
    events: VecDeque<Received>,
    acks: VecDeque<(u64, Args)>,
    is_disconnected: bool,
}

impl Client {
    /// Connects to the root namespace. Has to run on an actix system, as in `System::new().block_on`.
    ///
    /// # Errors
    /// [`ClientError::Refused`], or one of the others.
    pub async fn connect(server: &Server) -> Result<Self, ClientError> {
        Self::connect_to(server, "/", ()).await
    }

    /// Connects to a namespace with an auth payload (`()` for none).
    ///
    /// # Errors
    /// [`ClientError::Refused`], or one of the others.
    pub async fn connect_to<T: Serialize>(
        server: &Server,
        namespace: &str,
        auth: T,
    ) -> Result<Self, ClientError> {
        let auth = Args::from_values(&auth)?;
        let shared = server.shared();
        let hub = hub::here(shared);
        let outlet = session::outlet(None);
        let handshake = Arc::new(Handshake::of_nobody());
        shared.admit_connection(&handshake);
        let sid = Sid::generate(&shared.sid_prefix, hub.borrow().index);
        let seat = Session::open(
            &hub,
            Opening {
                handshake,
                version: ProtocolVersion::V4,
                sid,
                is_base64: false,
                wire: Some(Wire::Mounted {
                    outlet: Arc::clone(&outlet),
                    payload: None,
                    negotiated: None,
                }),
            },
        );
        let session = hub
            .borrow()
            .seats
            .get(seat)
            .map(|seat| seat.session.clone());
        let mut client = Self {
            server: server.clone(),
            session: session.ok_or(ClientError::Closed)?,
            body: mounted::Body(outlet),
            received: BytesMut::new(),
            decoder: Decoder::new(shared.dialect()),
            namespace: namespace.to_owned(),
            id: String::new(),
            pid: None,
            next_ack: 0,
            events: VecDeque::new(),
            acks: VecDeque::new(),
            is_disconnected: false,
        };
        client
            .request(&connect_packet(shared.dialect(), namespace, &auth))
            .await;
        client.joined().await?;
        Ok(client)
    }

    /// The public id of the socket.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The private id under which the state can be recovered, if the server keeps it. Connect again with
    /// `{"pid": …, "offset": …}` as auth, the offset being the last argument of the last event.
    #[must_use]
    pub fn pid(&self) -> Option<&str> {
        self.pid.as_deref()
    }

    /// Closes the connection, as dropping the client does: the session ends with `transport close`.
    pub fn close(self) {}

    /// Emits an event.
    ///
    /// # Errors
    /// The values cannot be serialized.
    pub async fn emit<T: Serialize>(&mut self, name: &str, values: T) -> Result<(), ClientError> {
        let args = Args::from_values(&values)?;
        let packet = self
            .server
            .shared()
            .dialect()
            .event(&self.namespace, None, name, &args);
        self.request(&packet).await;
        Ok(())
    }

    /// Emits an event and waits for its ack.
    ///
    /// # Errors
    /// [`ClientError::Deadline`] if none comes, or one of the others.
    pub async fn emit_with_ack<T: Serialize>(
        &mut self,
        name: &str,
        values: T,
    ) -> Result<Args, ClientError> {
        let args = Args::from_values(&values)?;
        let id = self.next_ack;
        self.next_ack += 1;
        let packet = self
            .server
            .shared()
            .dialect()
            .event(&self.namespace, Some(id), name, &args);
        self.request(&packet).await;
        loop {
            if let Some(at) = self.acks.iter().position(|(known, _)| *known == id)
                && let Some((_, args)) = self.acks.remove(at)
            {
                return Ok(args);
            }
            self.advance(&format!("the ack of {name:?}")).await?;
        }
    }

    /// The next event of that name; others stay for later.
    ///
    /// # Errors
    /// [`ClientError::Deadline`] if none comes, or one of the others.
    pub async fn event(&mut self, name: &str) -> Result<Received, ClientError> {
        loop {
            if let Some(at) = self.events.iter().position(|event| event.name == name)
                && let Some(event) = self.events.remove(at)
            {
                return Ok(event);
            }
            self.advance(&format!("the event {name:?}")).await?;
        }
    }

    /// The next event, whatever its name.
    ///
    /// # Errors
    /// [`ClientError::Deadline`] if none comes, or one of the others.
    pub async fn next_event(&mut self) -> Result<Received, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.advance("an event").await?;
        }
    }

    /// Answers an event whose [`Received::ack`] is set.
    ///
    /// # Errors
    /// The values cannot be serialized.
    pub async fn ack<T: Serialize>(&mut self, id: u64, values: T) -> Result<(), ClientError> {
        let args = Args::from_values(&values)?;
        let packet = self
            .server
            .shared()
            .dialect()
            .ack(&self.namespace, id, &args);
        self.request(&packet).await;
        Ok(())
    }

    /// Leaves the namespace, as `socket.disconnect()` at a client does, and closes the connection.
    pub async fn disconnect(self) {
        let packet = self.server.shared().dialect().disconnect(&self.namespace);
        self.request(&packet).await;
    }

    /// Waits until the server has disconnected this socket or ended the session.
    ///
    /// # Errors
    /// [`ClientError::Deadline`] if it does not.
    pub async fn disconnected(&mut self) -> Result<(), ClientError> {
        loop {
            match self.advance("the end").await {
                Ok(()) => {}
                Err(ClientError::Closed | ClientError::Disconnected) => return Ok(()),
                Err(err) => return Err(err),
            }
        }
    }

    async fn joined(&mut self) -> Result<(), ClientError> {
        while self.id.is_empty() {
            self.advance("the answer to CONNECT").await?;
        }
        Ok(())
    }

    async fn request(&self, packet: &Encoded) {
        let mut frames = Vec::new();
        match packet {
            Encoded::Text {
                message,
                attachments,
            } => {
                frames.push(Frame::Text((&**message).into()));
                frames.extend(attachments.iter().cloned().map(Frame::Binary));
            }
            Encoded::Binary(bytes) => frames.push(Frame::Binary(bytes.clone())),
        }
        // The session may have ended, which the next read will show.
        let _ = self.send(frames).await;
    }

    /// Hands frames to the session; done when it has looked at them.
    fn send(&self, frames: Vec<Frame>) -> oneshot::Receiver<()> {
        let (done, is_done) = oneshot::channel();
        let read = Read {
            carrier: 1,
            frames,
            is_partial: false,
            done,
        };
        self.session.do_send(Command::Frames(read));
        is_done
    }

    /// Takes in what comes next.
    async fn advance(&mut self, what: &str) -> Result<(), ClientError> {
        if self.is_disconnected {
            return Err(ClientError::Disconnected);
        }
        let chunk = tokio::time::timeout(DEADLINE, self.body.next())
            .await
            .map_err(|_| ClientError::Deadline(what.to_owned()))?;
        let Some(Ok(chunk)) = chunk else {
            return Err(ClientError::Closed);
        };
        self.received.extend_from_slice(&chunk);
        while let Some((opcode, payload)) = next_frame(&mut self.received) {
            match opcode {
                1 => {
                    let text = ByteString::try_from(payload).unwrap_or_default();
                    self.text(&text).await?;
                }
                2 => self.message(Message::Binary(&payload))?,
                8 => return Err(ClientError::Closed),
                _ => {}
            }
        }
        Ok(())
    }

    async fn text(&mut self, text: &ByteString) -> Result<(), ClientError> {
        match text.as_bytes().first() {
            Some(b'2') => {
                // As in `request`.
                let _ = self.send(vec![Frame::Text("3".into())]).await;
                Ok(())
            }
            Some(b'4') => self.message(Message::Text(&text[1..])),
            _ => Ok(()),
        }
    }

    fn message(&mut self, message: Message<'_>) -> Result<(), ClientError> {
        let limits = socketio::Limits::default();
        let packet = match message {
            Message::Text(text) => self.decoder.text(text, &limits),
            Message::Binary(bytes) => self.decoder.binary(Bytes::copy_from_slice(bytes), &limits),
        };
        // The server's own packets always decode; were it not so, the test should fail.
        let Packet { body, .. } = match packet {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(()),
            Err(_) => return Err(ClientError::Closed),
        };
        match body {
            Body::Connect { auth } => {
                #[derive(serde::Deserialize)]
                struct Joined {
                    sid: String,
                    pid: Option<String>,
                }
                if let Ok(joined) = auth.first::<Joined>() {
                    self.id = joined.sid;
                    self.pid = joined.pid;
                }
            }
            Body::Event { id, name, args } => {
                self.events.push_back(Received {
                    name: name.to_string(),
                    args,
                    ack: id,
                });
            }
            Body::Ack { id: Some(id), args } => self.acks.push_back((id, args)),
            Body::Disconnect => {
                self.is_disconnected = true;
                return Err(ClientError::Disconnected);
            }
            Body::ConnectError { data } => {
                #[derive(serde::Deserialize)]
                struct Refused {
                    message: String,
                }
                let message = data
                    .first::<Refused>()
                    .map(|refused| refused.message)
                    .unwrap_or_default();
                return Err(ClientError::Refused {
                    message,
                    payload: data,
                });
            }
            Body::Ack { id: None, .. } | Body::Empty => {}
        }
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // As a connection that is closed: the session ends with `transport close`.
        drop(self.send(vec![Frame::End { is_broken: false }]));
    }
}

/// What a client asks to be let in with.
fn connect_packet(dialect: Dialect, namespace: &str, auth: &Args) -> Encoded {
    let auth = auth.nth(0).map(|auth| auth.raw_json());
    // One argument in brackets.
    let auth = auth.as_deref().map_or("", |list| &list[1..list.len() - 1]);
    match dialect {
        Dialect::Json => Encoded::Text {
            message: format!("40{namespace},{auth}").into(),
            attachments: socketio::Attachments::default(),
        },
        Dialect::Msgpack => {
            let mut packet = serde_json::json!({ "type": 0, "nsp": namespace });
            if let Ok(data) = serde_json::from_str::<serde_json::Value>(auth) {
                packet["data"] = data;
            }
            Encoded::Binary(rmp_serde::to_vec_named(&packet).unwrap_or_default().into())
        }
    }
}

/// Takes a frame of a server off the front: its opcode and payload. Ours are whole and not masked.
fn next_frame(received: &mut BytesMut) -> Option<(u8, Bytes)> {
    let (first, second) = (*received.first()?, *received.get(1)?);
    let (header, len) = match second {
        126 => (
            4,
            usize::from(u16::from_be_bytes(received.get(2..4)?.try_into().ok()?)),
        ),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(received.get(2..10)?.try_into().ok()?)).ok()?,
        ),
        short => (2, usize::from(short)),
    };
    if received.len() < header + len {
        return None;
    }
    received.advance(header);
    Some((first & 0xf, received.split_to(len).freeze()))
}
