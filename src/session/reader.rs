//! Reading a WebSocket, whoever reads it: frames become packets, or end the connection.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use actix::prelude::*;
use bytes::Bytes;
use bytestring::ByteString;
use futures_util::StreamExt;
use tokio::sync::oneshot;

use super::upgrade::Wire;
use super::{Command, Session, State};
use crate::carrier::direct::{Chunk, give_back};
use crate::carrier::{Direct, Outlet, Shortcut};
use crate::hub::{Body, Parcel};
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::{self, DecodeError, PacketType};
use crate::protocol::socketio;
use crate::protocol::websocket::{self, Decoder, Incoming, Opcode, WsError};

/// What a connection is to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It carries the session.
    Main,
    /// It wants to, and is being probed.
    Probe,
}

/// Something that arrived and waits its turn.
#[derive(Debug)]
pub(crate) enum Inbound {
    Packet(PacketType, OwnedData),
    /// Of Socket.IO, whole.
    Socketio(socketio::Packet),
    Broken(DecodeError),
    /// From the connection with this number.
    Frame(u32, Frame),
}

/// The data of a packet, kept.
#[derive(Debug)]
pub(crate) enum OwnedData {
    Text(ByteString),
    Binary(Bytes),
}

/// What one WebSocket message or control frame said, kept.
#[derive(Debug)]
pub(crate) enum Frame {
    Text(ByteString),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    Close(Option<u16>),
    Violation(WsError),
    /// The connection has ended, or broke.
    End {
        is_broken: bool,
    },
}

/// The same, borrowed from the buffer it was read into.
#[derive(Clone, Copy)]
pub(super) enum Seen<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    Close(Option<u16>),
    Violation(WsError),
    End { is_broken: bool },
}

impl Frame {
    pub(super) fn borrow(&self) -> Seen<'_> {
        match self {
            Self::Text(text) => Seen::Text(text),
            Self::Binary(bytes) => Seen::Binary(bytes),
            Self::Ping(bytes) => Seen::Ping(bytes),
            Self::Pong => Seen::Pong,
            Self::Close(code) => Seen::Close(*code),
            Self::Violation(err) => Seen::Violation(*err),
            Self::End { is_broken } => Seen::End {
                is_broken: *is_broken,
            },
        }
    }

    fn keep(seen: &Seen<'_>) -> Self {
        match seen {
            Seen::Text(text) => Self::Text((*text).into()),
            Seen::Binary(bytes) => Self::Binary(Bytes::copy_from_slice(bytes)),
            Seen::Ping(bytes) => Self::Ping(Bytes::copy_from_slice(bytes)),
            Seen::Pong => Self::Pong,
            Seen::Close(code) => Self::Close(*code),
            Seen::Violation(err) => Self::Violation(*err),
            Seen::End { is_broken } => Self::End {
                is_broken: *is_broken,
            },
        }
    }
}

impl<'a> From<Incoming<'a>> for Seen<'a> {
    fn from(incoming: Incoming<'a>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text),
            Incoming::Binary(bytes) => Self::Binary(bytes),
            Incoming::Ping(bytes) => Self::Ping(bytes),
            Incoming::Pong(_) => Self::Pong,
            Incoming::Close(close) => Self::Close(close.map(|(code, _)| code)),
        }
    }
}

impl Session {
    /// Starts reading a connection.
    pub(super) fn read_from(&mut self, wire: Wire, carrier: u32, ctx: &mut Context<Self>) {
        let decoder = Decoder::new(self.server.websocket_limits(), wire.negotiated());
        let (source, rest) = match wire {
            Wire::Direct { stream, early, .. } => (Source::Direct(stream), early),
            Wire::Mounted {
                payload: Some(payload),
                outlet,
                ..
            } => (Source::Mounted(payload, Some(outlet)), Vec::new()),
            // Read by a task on the worker where the connection is.
            Wire::Mounted { payload: None, .. } => return,
        };
        ctx.spawn(Reader {
            source,
            decoder,
            carrier,
            rest,
        });
    }

    /// What a connection is to the session now; nothing if it was given up.
    fn role(&self, carrier: u32) -> Option<Role> {
        match &self.upgrade {
            Some(upgrade) if upgrade.carrier == carrier => Some(Role::Probe),
            _ => (carrier == self.carrier).then_some(Role::Main),
        }
    }

    /// Frames of a connection that another task reads.
    pub(super) fn frames(&mut self, read: Read, ctx: &mut Context<Self>) {
        let Read {
            carrier,
            frames,
            is_partial,
            done,
        } = read;
        // The rest of a connection that was given up: its task ends, since `done` is dropped.
        let Some(role) = self.role(carrier) else {
            return;
        };
        if role == Role::Main {
            self.note_partial_message(is_partial, !frames.is_empty());
        }
        self.inbox.extend(
            frames
                .into_iter()
                .map(|frame| Inbound::Frame(carrier, frame)),
        );
        self.frames_done = Some(done);
        if !self.is_blocked {
            self.drain_inbox(ctx);
        }
    }

    // Hot: decodes in place.
    pub(super) fn frame(&mut self, carrier: u32, seen: Seen<'_>, ctx: &mut Context<Self>) {
        match self.role(carrier) {
            Some(Role::Main) => {}
            Some(Role::Probe) => return self.probe_frame(&seen),
            None => return,
        }
        match seen {
            Seen::Text(text) => self.packet(engineio::decode_text(self.version, text), ctx),
            Seen::Binary(bytes) => self.packet(engineio::decode_binary(self.version, bytes), ctx),
            Seen::Ping(payload) => {
                let pong = websocket::frame(Opcode::Pong, payload);
                self.push(Parcel::new(Body::Raw(pong), false));
            }
            Seen::Pong => {}
            Seen::Close(code) => {
                let goodbye = (code.unwrap_or(1000), String::new());
                self.finish_with_code(DisconnectReason::TransportClose, Some(goodbye));
                ctx.stop();
            }
            Seen::Violation(err) => self.violation(err, ctx),
            Seen::End { is_broken: false } => self.end(DisconnectReason::TransportClose, ctx),
            Seen::End { is_broken: true } => self.end(DisconnectReason::TransportError, ctx),
        }
    }
}

/// Reads a stream of this worker, inside the session's own task: a frame reaches the session without a
/// mailbox. Nothing floods that mailbox while a WebSocket is open, so the actor cannot starve its reader.
struct Reader {
    source: Source,
    decoder: Decoder,
    carrier: u32,
    /// What was read and not decoded, because the session is blocked.
    rest: Vec<u8>,
}

/// Where the bytes of a connection come from.
enum Source {
    Direct(Rc<Direct>),
    /// The payload of the request that opened the session, on the session's worker; and where its answers go, until the
    /// client has said something.
    Mounted(actix_web::web::Payload, Option<Arc<Outlet>>),
}

impl ActorFuture<Session> for Reader {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        session: &mut Session,
        ctx: &mut Context<Session>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        loop {
            if session.state == State::Closed || session.role(self.carrier).is_none() {
                return Poll::Ready(());
            }
            if session.is_blocked {
                session.reader = Some(task.waker().clone());
                return Poll::Pending;
            }
            if !self.rest.is_empty() {
                let mut rest = std::mem::take(&mut self.rest);
                self.decode(&mut rest, session, ctx);
                continue;
            }
            let end = match &mut self.source {
                Source::Direct(stream) => match ready!(stream.poll_read(task)) {
                    Ok(Chunk::Bytes(mut buffer, n)) => {
                        self.decode(&mut buffer[..n], session, ctx);
                        give_back(buffer);
                        continue;
                    }
                    Ok(Chunk::End) => Seen::End { is_broken: false },
                    Err(_) => Seen::End { is_broken: true },
                },
                Source::Mounted(payload, outlet) => match ready!(payload.poll_next_unpin(task)) {
                    Some(Ok(chunk)) => {
                        outlet.take_if(|outlet| outlet.open_shortcut());
                        self.decode(&mut chunk.to_vec(), session, ctx);
                        continue;
                    }
                    end => Seen::End {
                        is_broken: end.is_some(),
                    },
                },
            };
            session.frame(self.carrier, end, ctx);
        }
    }
}

impl Reader {
    // Hot: every frame that lies whole in the buffer is handled where it lies.
    fn decode(&mut self, input: &mut [u8], session: &mut Session, ctx: &mut Context<Session>) {
        let (mut at, mut has_frames) = (0, false);
        while !session.is_blocked {
            let mut consumed = 0;
            // Until there is nothing left: the last call frees what a message needed.
            let seen = match self.decoder.decode(&mut input[at..], &mut consumed) {
                Ok(Some(incoming)) => incoming.into(),
                Ok(None) => {
                    if session.role(self.carrier) == Some(Role::Main) {
                        session.note_partial_message(self.decoder.is_partial(), has_frames);
                    }
                    return;
                }
                Err(err) => Seen::Violation(err),
            };
            session.frame(self.carrier, seen, ctx);
            has_frames = true;
            at += consumed;
            if session.state == State::Closed || session.role(self.carrier).is_none() {
                return;
            }
        }
        self.rest = input[at..].to_vec();
    }
}

/// What a task has read for a session.
#[derive(Debug)]
pub(crate) struct Read {
    /// The number of the connection.
    pub(crate) carrier: u32,
    pub(crate) frames: Vec<Frame>,
    /// The beginning of another message has come.
    pub(crate) is_partial: bool,
    /// Told when there is room for more.
    pub(crate) done: oneshot::Sender<()>,
}

/// Reads the payload of an upgrade request of actix-web, in a task of the connection's worker; one chunk
/// is on its way to the session at a time.
pub(crate) fn read_mounted(
    mut payload: actix_web::web::Payload,
    mut decoder: Decoder,
    carrier: u32,
    session: Addr<Session>,
) {
    actix_rt::spawn(async move {
        loop {
            let mut frames = Vec::new();
            let is_over = match payload.next().await {
                Some(Ok(chunk)) => decode_chunk(&mut decoder, chunk.to_vec(), &mut frames),
                end => {
                    frames.push(Frame::End {
                        is_broken: end.is_some(),
                    });
                    true
                }
            };
            let (done, is_done) = oneshot::channel();
            let is_partial = decoder.is_partial();
            session.do_send(Command::Frames(Read {
                carrier,
                frames,
                is_partial,
                done,
            }));
            // Without an answer the session has ended, or has given this connection up.
            if is_done.await.is_err() || is_over {
                return;
            }
        }
    });
}

/// `true` if nothing can follow.
fn decode_chunk(decoder: &mut Decoder, mut chunk: Vec<u8>, frames: &mut Vec<Frame>) -> bool {
    let mut at = 0;
    loop {
        let mut consumed = 0;
        match decoder.decode(&mut chunk[at..], &mut consumed) {
            Ok(Some(incoming)) => frames.push(Frame::keep(&incoming.into())),
            Ok(None) => return false,
            Err(err) => frames.push(Frame::Violation(err)),
        }
        at += consumed;
        if let Some(Frame::Close(_) | Frame::Violation(_)) = frames.last() {
            return true;
        }
    }
}

/// Where to send what the session has for a mounted connection.
pub(crate) fn outlet(shortcut: Option<Shortcut>) -> Arc<Outlet> {
    Arc::new(Outlet::new(shortcut))
}
