//! Engine.IO without Socket.IO on top: sessions that exchange messages.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use crate::hub::{Command, HubHandle, MessageBody, SeatKey};
use crate::namespace::Handshake;
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::ProtocolVersion;
use crate::session;

/// A message as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// An application on Engine.IO; see [`crate::ServerBuilder::engine`]. A closure is one:
///
/// ```
/// use std::sync::Arc;
///
/// use greenroom::engine::{Client, Connection, Message};
/// use greenroom::{Handshake, Server};
///
/// struct Echo(Client);
///
/// impl Connection for Echo {
///     fn message(&mut self, message: Message<'_>) {
///         match message {
///             Message::Text(text) => self.0.send_text(text),
///             Message::Binary(bytes) => self.0.send_binary(bytes.to_vec()),
///         }
///     }
/// }
///
/// # fn main() -> Result<(), greenroom::Error> {
/// let server = Server::builder().engine(|client, _: &Arc<Handshake>| Echo(client)).build()?;
/// # Ok(())
/// # }
/// ```
pub trait Application: Send + Sync + 'static {
    /// A client has come. What is returned gets its messages, on the worker of the session.
    fn connect(&self, client: Client, handshake: &Arc<Handshake>) -> Box<dyn Connection>;
}

impl<F, C> Application for F
where
    F: Fn(Client, &Arc<Handshake>) -> C + Send + Sync + 'static,
    C: Connection,
{
    fn connect(&self, client: Client, handshake: &Arc<Handshake>) -> Box<dyn Connection> {
        Box::new(self(client, handshake))
    }
}

/// What an application has of one client.
pub trait Connection: 'static {
    /// A request of a polling client brings messages, which follow.
    fn request(&mut self, _request: &Arc<Handshake>) {}

    /// A message has arrived. Must not block.
    fn message(&mut self, message: Message<'_>);

    /// The session has ended.
    fn close(&mut self, _reason: DisconnectReason) {}
}

/// A client of an [`Application`]: sends to it from any thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    hub: Arc<HubHandle>,
    seat: SeatKey,
    protocol: ProtocolVersion,
}

impl Client {
    pub(crate) const fn new(hub: Arc<HubHandle>, seat: SeatKey, protocol: ProtocolVersion) -> Self {
        Self {
            hub,
            seat,
            protocol,
        }
    }

    /// The revision of Engine.IO that the client speaks.
    #[must_use]
    pub const fn protocol(&self) -> ProtocolVersion {
        self.protocol
    }

    /// Sends a text message.
    pub fn send_text(&self, text: impl Into<ByteString>) {
        self.send(MessageBody::Text(text.into()));
    }

    /// Sends a binary message.
    pub fn send_binary(&self, bytes: impl Into<Bytes>) {
        self.send(MessageBody::Binary(bytes.into()));
    }

    fn send(&self, body: MessageBody) {
        // From inside `Connection::message` this is the session's own thread, and the hub is free.
        self.hub.send(Command::Message {
            seat: self.seat,
            body,
        });
    }

    /// Closes the session; what was sent before still arrives.
    pub fn close(&self) {
        self.hub.send(Command::ToSession {
            seat: self.seat,
            command: session::Command::Close,
        });
    }
}
