//! Answers to the questions of other servers, each exactly once: they wait for as many as there are servers.

use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;

use super::Registry;
use crate::hub::Selection;
use crate::namespace::{NamespaceInner, RemoteSocket, Room, Socket, SocketInner};
use crate::protocol::adapter::{Asker, FetchedSocket, Request};

/// Another server asks, or orders one socket about.
#[derive(Debug)]
pub(crate) struct AnswerRequest {
    pub(crate) nsp: Arc<NamespaceInner>,
    pub(crate) request: Request,
}

impl Message for AnswerRequest {
    type Result = ();
}

impl Handler<AnswerRequest> for Registry {
    type Result = ();

    fn handle(&mut self, AnswerRequest { nsp, request }: AnswerRequest, _: &mut Context<Self>) {
        let Some(cluster) = self.cluster.clone() else {
            return;
        };
        let uid = Some(&*cluster.uid);
        let (asker, answer) = match request {
            Request::Sockets { asker, rooms } => {
                let selection = Selection {
                    rooms,
                    ..Selection::default()
                };
                let sockets = self.membership.select(nsp.index, &selection);
                let ids = sockets.iter().map(|socket| socket.id().as_str());
                let answer = asker.sockets(ids, uid);
                (asker, answer)
            }
            Request::AllRooms { asker } => {
                let rooms = self.membership.rooms(nsp.index);
                let answer = asker.rooms(rooms.iter().map(|room| &**room), uid);
                (asker, answer)
            }
            Request::Fetch { asker, opts } => {
                let selection = Selection {
                    rooms: opts.rooms,
                    except: opts.except,
                };
                let sockets = self.membership.select(nsp.index, &selection);
                let sockets: Vec<_> = sockets.into_iter().map(described).collect();
                let answer = asker.fetched(&sockets, uid);
                (asker, answer)
            }
            Request::SocketRooms { asker, socket } => {
                let Some(socket) = self.find(&nsp, &socket) else {
                    return;
                };
                let rooms = socket.rooms();
                let answer = asker.rooms(rooms.iter().map(|room| &**room), uid);
                (asker, answer)
            }
            Request::JoinOne {
                asker,
                socket,
                room,
            } => {
                let Some(answer) = self.order(&nsp, &asker, &socket, |socket| socket.join(room))
                else {
                    return;
                };
                (asker, answer)
            }
            Request::LeaveOne {
                asker,
                socket,
                room,
            } => {
                let Some(answer) = self.order(&nsp, &asker, &socket, |socket| socket.leave(room))
                else {
                    return;
                };
                (asker, answer)
            }
            Request::DisconnectOne {
                asker,
                socket,
                close,
            } => {
                let Some(answer) =
                    self.order(&nsp, &asker, &socket, |socket| socket.disconnect(close))
                else {
                    return;
                };
                (asker, answer)
            }
            // What applications of old asked each other. Nobody here has an answer, and without one they would
            // wait for their timeout.
            Request::Custom { asker, .. } => {
                let answer = asker.done(uid);
                (asker, answer)
            }
            _ => return,
        };
        let prefers_own = cluster.settings.publish_on_specific_response_channel;
        let channel = asker.channel(&cluster.channels, nsp.name(), prefers_own);
        cluster.publish(channel, answer);
    }
}

impl Registry {
    fn find(&self, nsp: &NamespaceInner, id: &ByteString) -> Option<Arc<SocketInner>> {
        self.membership.socket(nsp.index, id)
    }

    /// Orders a socket of this node about: the answer, if it is one.
    fn order(
        &self,
        nsp: &NamespaceInner,
        asker: &Asker,
        id: &ByteString,
        act: impl FnOnce(&Socket),
    ) -> Option<bytes::Bytes> {
        let socket = self.find(nsp, id)?;
        act(&Socket::from(socket));
        let uid = self.cluster.as_ref().map(|cluster| &*cluster.uid);
        Some(asker.done(uid))
    }
}

/// A socket as other servers are told of it.
fn described(socket: Arc<SocketInner>) -> FetchedSocket {
    let id: Room = socket.id().as_str().into();
    let (rooms, data, handshake) = RemoteSocket::here(socket).into_public();
    FetchedSocket {
        id,
        handshake,
        rooms,
        data,
    }
}
