//! Answers to the questions of other servers, each exactly once: they wait for as many as there are servers.

use std::sync::Arc;

use actix::prelude::*;
use bytes::Bytes;
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
        if let Some((asker, answer)) = self.answer(&nsp, request, Some(&*cluster.uid)) {
            let prefers_own = cluster.settings.publish_on_specific_response_channel;
            let channel = asker.channel(&cluster.channels, nsp.name(), prefers_own);
            cluster.publish(channel, answer);
        }
    }
}

impl Registry {
    /// The answer and whom it is for, if there is one: of a socket that is not here, another node may know.
    fn answer(
        &self,
        nsp: &NamespaceInner,
        request: Request,
        uid: Option<&str>,
    ) -> Option<(Asker, Bytes)> {
        let find = |id: &ByteString| self.membership.socket(nsp.index, id);
        let order = |asker: Asker, id: &ByteString, act: &dyn Fn(&Socket)| {
            act(&Socket::from(find(id)?));
            let answer = asker.done(uid);
            Some((asker, answer))
        };
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
                let rooms = find(&socket)?.rooms();
                let answer = asker.rooms(rooms.iter().map(|room| &**room), uid);
                (asker, answer)
            }
            Request::JoinOne {
                asker,
                socket,
                room,
            } => return order(asker, &socket, &|socket| socket.join(&room)),
            Request::LeaveOne {
                asker,
                socket,
                room,
            } => return order(asker, &socket, &|socket| socket.leave(room.clone())),
            Request::DisconnectOne {
                asker,
                socket,
                close,
            } => return order(asker, &socket, &|socket| socket.disconnect(close)),
            // What applications of old asked each other. Nobody here has an answer, and without one they would
            // wait for their timeout.
            Request::Custom { asker, .. } => {
                let answer = asker.done(uid);
                (asker, answer)
            }
            _ => return None,
        };
        Some((asker, answer))
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
