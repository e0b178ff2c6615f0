//! WebSockets without Engine.IO on top, on either carrier.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::web::Payload;
use bytes::Bytes;
use bytestring::ByteString;
use futures_util::StreamExt;

use super::direct::{Chunk, give_back, whole};
use super::{Direct, Outlet, Written};
use crate::metrics::{Counter, Metrics};
use crate::protocol::websocket::{
    self, Decoder, Incoming, Negotiated, Opcode, WsError, close_code,
};

type Serve = dyn Fn(WebSocket) -> Pin<Box<dyn Future<Output = ()>>> + Send + Sync;

/// A path where WebSockets are served without Engine.IO; see
/// [`ServerBuilder::websocket`](crate::ServerBuilder::websocket).
///
/// ```
/// use greenroom::{Server, WebSocket, WebSocketRoute};
///
/// # fn main() -> Result<(), greenroom::Error> {
/// let echo = WebSocketRoute::new("/echo", |mut socket: WebSocket| async move {
///     while let Some(message) = socket.receive().await {
///         if !socket.send(&message).await {
///             break;
///         }
///     }
/// });
/// let server = Server::builder().websocket(echo).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WebSocketRoute {
    pub(crate) path: String,
    pub(crate) limits: websocket::Limits,
    serve: Arc<Serve>,
    n_open: Arc<AtomicUsize>,
}

/// What a connection of a route needs of its server.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) metrics: Arc<Metrics>,
    /// From the first piece of a message to its last.
    pub(crate) time_to_complete: Duration,
    /// Connections of one route.
    pub(crate) max_connections: usize,
}

/// A place among the connections of a route; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for WebSocketRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocketRoute")
            .field("path", &self.path)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl WebSocketRoute {
    /// Serves each connection to `path` by the future that `serve` makes; when it is done, the
    /// connection is closed. It runs on the worker that accepted the connection.
    pub fn new<F, Fut>(path: impl Into<String>, serve: F) -> Self
    where
        F: Fn(WebSocket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        Self {
            path: path.into(),
            limits: websocket::Limits {
                max_message_bytes: 1_000_000,
                max_fragments: 16_384,
            },
            serve: Arc::new(move |socket| Box::pin(serve(socket))),
            n_open: Arc::default(),
        }
    }

    /// The largest message that is accepted, in bytes (default 1 MB); a larger one closes with 1009.
    #[must_use]
    pub const fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_message_bytes = bytes;
        self
    }

    /// How many fragments a message may have (default 16,384, 0 for any); more close with 1008.
    #[must_use]
    pub const fn max_fragments(mut self, fragments: usize) -> Self {
        self.limits.max_fragments = fragments;
        self
    }

    /// A place for one more connection; `None` if there is none.
    pub(crate) fn admit(&self, env: &Env) -> Option<Place> {
        // Made at once, so that every way out gives it back.
        let place = Place(Arc::clone(&self.n_open));
        if self.n_open.fetch_add(1, Ordering::Relaxed) < env.max_connections {
            return Some(place);
        }
        env.metrics.count(Counter::ConnectionRefused);
        log::debug!(
            "a websocket is refused path={} why=connections limit={}",
            self.path,
            env.max_connections
        );
        None
    }

    pub(crate) fn start(
        &self,
        io: Io,
        early: Vec<u8>,
        negotiated: Option<Negotiated>,
        (env, place): (Env, Place),
    ) {
        let decoder = Decoder::new(self.limits, negotiated);
        let socket = WebSocket {
            io,
            decoder,
            received: early,
            at: 0,
            partial_since: None,
            is_over: false,
            env,
            _place: place,
        };
        actix_rt::spawn((self.serve)(socket));
    }
}

/// What a raw WebSocket runs on.
pub(crate) enum Io {
    Direct(Rc<Direct>),
    Mounted {
        outlet: Arc<Outlet>,
        payload: Payload,
    },
}

/// A message of a [`WebSocket`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketMessage {
    /// Text.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
}

/// A WebSocket connection, RFC 6455: whole messages, pings answered, rules enforced.
pub struct WebSocket {
    io: Io,
    decoder: Decoder,
    received: Vec<u8>,
    at: usize,
    /// Since when a message has been incomplete.
    partial_since: Option<Instant>,
    is_over: bool,
    env: Env,
    _place: Place,
}

impl std::fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocket")
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

impl WebSocket {
    /// The next message; `None` when the connection has ended, whatever ended it. A violation of the
    /// protocol is answered with its close code.
    pub async fn receive(&mut self) -> Option<WebSocketMessage> {
        while !self.is_over {
            let answer = match self.decode() {
                Some(Ok(Decoded::Message(message))) => {
                    self.partial_since = None;
                    return Some(message);
                }
                Some(Ok(Decoded::Pong)) => continue,
                Some(Ok(Decoded::Ping(payload))) => {
                    if self.write(websocket::frame(Opcode::Pong, &payload)).await {
                        continue;
                    }
                    self.is_over = true;
                    return None;
                }
                Some(Ok(Decoded::Close(reply))) => reply,
                Some(Err(err)) => {
                    let is_size = err.close_code() == close_code::MESSAGE_TOO_BIG;
                    self.env.metrics.count(if is_size {
                        Counter::TooLarge
                    } else {
                        Counter::WebsocketViolation
                    });
                    log::debug!(
                        "a raw websocket is closed code={} why={err}",
                        err.close_code()
                    );
                    websocket::close_frame(err.close_code(), &err.to_string())
                }
                None => match self.read_in_time().await {
                    Some(is_there) => {
                        self.is_over = !is_there;
                        continue;
                    }
                    None => {
                        let why = "a message did not become complete in time";
                        self.env.metrics.count(Counter::IncompletePacket);
                        log::debug!("a raw websocket is closed why={why}");
                        websocket::close_frame(close_code::POLICY_VIOLATION, why)
                    }
                },
            };
            self.end(answer);
        }
        None
    }

    /// Sends a text message; `false` if the connection has ended. Waits until the peer takes it.
    pub async fn send_text(&mut self, text: &str) -> bool {
        self.write(websocket::frame(Opcode::Text, text.as_bytes()))
            .await
    }

    /// Sends a binary message; `false` if the connection has ended. Waits until the peer takes it.
    pub async fn send_binary(&mut self, bytes: &[u8]) -> bool {
        self.write(websocket::frame(Opcode::Binary, bytes)).await
    }

    /// Sends a message; `false` if the connection has ended. Waits until the peer takes it.
    pub async fn send(&mut self, message: &WebSocketMessage) -> bool {
        match message {
            WebSocketMessage::Text(text) => self.send_text(text).await,
            WebSocketMessage::Binary(bytes) => self.send_binary(bytes).await,
        }
    }

    /// Ends the connection with a close code and a reason.
    pub fn close(mut self, code: u16, reason: &str) {
        self.end(websocket::close_frame(code, reason));
    }

    fn decode(&mut self) -> Option<Result<Decoded, WsError>> {
        let mut consumed = 0;
        let decoded = self
            .decoder
            .decode(&mut self.received[self.at..], &mut consumed);
        let decoded = match decoded {
            Ok(Some(incoming)) => Ok(incoming.into()),
            Ok(None) => {
                self.received.clear();
                self.at = 0;
                return None;
            }
            Err(err) => Err(err),
        };
        self.at += consumed;
        Some(decoded)
    }

    /// As [`WebSocket::read`]; `None` if the message that has begun takes too long.
    async fn read_in_time(&mut self) -> Option<bool> {
        if !self.decoder.is_partial() {
            self.partial_since = None;
            return Some(self.read().await);
        }
        let since = *self.partial_since.get_or_insert_with(Instant::now);
        let deadline = (since + self.env.time_to_complete).into();
        tokio::time::timeout_at(deadline, self.read()).await.ok()
    }

    /// Reads more; `false` at the end.
    async fn read(&mut self) -> bool {
        match &mut self.io {
            Io::Direct(stream) => match std::future::poll_fn(|cx| stream.poll_read(cx)).await {
                Ok(Chunk::Bytes(buffer, n)) => {
                    self.received.extend_from_slice(&buffer[..n]);
                    give_back(buffer);
                    true
                }
                Ok(Chunk::End) | Err(_) => false,
            },
            Io::Mounted { payload, .. } => match payload.next().await {
                Some(Ok(chunk)) => {
                    self.received.extend_from_slice(&chunk);
                    true
                }
                Some(Err(_)) | None => false,
            },
        }
    }

    async fn write(&mut self, frame: Bytes) -> bool {
        if self.is_over {
            return false;
        }
        match &self.io {
            Io::Direct(stream) => {
                let (mut queue, mut written) = (VecDeque::from([frame]), 0);
                loop {
                    match stream.write(&mut queue, &mut written, whole) {
                        Written::All => return true,
                        Written::Failed => return false,
                        Written::Some => {
                            if stream.writable().await.is_err() {
                                return false;
                            }
                        }
                    }
                }
            }
            Io::Mounted { outlet, .. } => {
                outlet.send([frame]);
                outlet.drained().await
            }
        }
    }

    fn end(&mut self, goodbye: Bytes) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        match &self.io {
            Io::Direct(stream) => Rc::clone(stream).end(vec![goodbye], true),
            Io::Mounted { outlet, .. } => {
                outlet.send([goodbye]);
                outlet.close();
            }
        }
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        self.end(websocket::close_frame(1000, ""));
    }
}

enum Decoded {
    Message(WebSocketMessage),
    Ping(Bytes),
    Pong,
    Close(Bytes),
}

impl From<Incoming<'_>> for Decoded {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Message(WebSocketMessage::Text(text.into())),
            Incoming::Binary(bytes) => {
                Self::Message(WebSocketMessage::Binary(Bytes::copy_from_slice(bytes)))
            }
            Incoming::Ping(payload) => Self::Ping(Bytes::copy_from_slice(payload)),
            Incoming::Pong(_) => Self::Pong,
            Incoming::Close(close) => Self::Close(websocket::close_reply(close)),
        }
    }
}
