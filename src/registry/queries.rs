//! Questions to the whole cluster: what this node knows, and what the others answer until the deadline.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::*;
use bytes::Bytes;
use bytestring::ByteString;

use super::Registry;
use crate::SocketId;
use crate::cluster::{Answered, Cluster, Question};
use crate::hub::Selection;
use crate::namespace::{BroadcastAcks, Gathered, Room, Silent, SocketInner};
use crate::protocol::adapter::{self, AnswerBody, FetchedSocket, OptFlags};
use crate::protocol::socketio::Args;
use crate::throttle::throttled;

/// Which sockets does this selection address?
#[derive(Debug)]
pub(crate) struct FetchSockets {
    pub(crate) index: u32,
    pub(crate) nsp: ByteString,
    pub(crate) selection: Selection,
    /// Only this node is asked.
    pub(crate) is_local: bool,
}

/// Which rooms are there?
#[derive(Debug)]
pub(crate) struct AllRooms {
    pub(crate) index: u32,
    pub(crate) nsp: ByteString,
}

/// Which sockets are in any of these rooms, or in the namespace if these are none?
#[derive(Debug)]
pub(crate) struct SocketIds {
    pub(crate) index: u32,
    pub(crate) nsp: ByteString,
    pub(crate) rooms: Vec<Room>,
}

/// How many servers have this namespace?
#[derive(Debug)]
pub(crate) struct CountServers {
    pub(crate) nsp: ByteString,
}

/// What do the other servers answer to this event?
#[derive(Debug)]
pub(crate) struct AskServers {
    pub(crate) nsp: ByteString,
    pub(crate) name: ByteString,
    pub(crate) args: Args,
}

/// How many other servers have got this broadcast? Tell those who collect its answers.
#[derive(Debug)]
pub(crate) struct CountForAcks {
    pub(crate) nsp: ByteString,
    pub(crate) acks: Arc<BroadcastAcks>,
}

/// The sockets here, and those of the other servers.
pub(crate) type Fetched = (Vec<Arc<SocketInner>>, Vec<FetchedSocket>);

impl Message for FetchSockets {
    type Result = Gathered<Fetched>;
}

impl Message for AllRooms {
    type Result = Gathered<Vec<Room>>;
}

impl Message for SocketIds {
    type Result = Gathered<BTreeSet<SocketId>>;
}

impl Message for CountServers {
    type Result = Gathered<usize>;
}

impl Message for AskServers {
    type Result = Gathered<Vec<Args>>;
}

impl Message for CountForAcks {
    type Result = ();
}

type Asked<T> = ResponseFuture<Gathered<T>>;

impl Handler<FetchSockets> for Registry {
    type Result = Asked<Fetched>;

    fn handle(&mut self, question: FetchSockets, _: &mut Context<Self>) -> Self::Result {
        let here = self.membership.select(question.index, &question.selection);
        let cluster = self.cluster.clone().filter(|_| !question.is_local);
        Box::pin(async move {
            let Some(cluster) = cluster else {
                return Gathered::alone((here, Vec::new()));
            };
            let opts = crate::cluster::opts(&question.selection, OptFlags::default());
            let (answered, silent) = ask(&cluster, Question::FetchSockets, &question.nsp, |id| {
                Some(adapter::encode_fetch(&cluster.uid, id, &opts))
            })
            .await;
            let elsewhere = answered.bodies.into_iter().flat_map(|body| match body {
                AnswerBody::Fetched(sockets) => sockets,
                _ => Vec::new(),
            });
            Gathered::new((here, elsewhere.collect()), silent)
        })
    }
}

impl Handler<AllRooms> for Registry {
    type Result = Asked<Vec<Room>>;

    fn handle(&mut self, AllRooms { index, nsp }: AllRooms, _: &mut Context<Self>) -> Self::Result {
        let here = self.membership.rooms(index);
        let cluster = self.cluster.clone();
        Box::pin(async move {
            let Some(cluster) = cluster else {
                return Gathered::alone(here);
            };
            let (answered, silent) = ask(&cluster, Question::AllRooms, &nsp, |id| {
                Some(adapter::encode_all_rooms(&cluster.uid, id))
            })
            .await;
            let mut rooms: BTreeSet<_> = here.into_iter().collect();
            for body in answered.bodies {
                if let AnswerBody::Rooms(more) = body {
                    rooms.extend(more);
                }
            }
            Gathered::new(rooms.into_iter().collect(), silent)
        })
    }
}

impl Handler<SocketIds> for Registry {
    type Result = Asked<BTreeSet<SocketId>>;

    fn handle(&mut self, question: SocketIds, _: &mut Context<Self>) -> Self::Result {
        let SocketIds { index, nsp, rooms } = question;
        // By id: of one that is moving from a server to another, both may say that it is theirs.
        let mut found: BTreeSet<SocketId> = match rooms.as_slice() {
            [] => self.membership.ids(index).cloned().collect(),
            rooms => rooms
                .iter()
                .flat_map(|room| self.membership.members(index, room))
                .collect(),
        };
        let cluster = self.cluster.clone();
        Box::pin(async move {
            let Some(cluster) = cluster else {
                return Gathered::alone(found);
            };
            let (answered, silent) = ask(&cluster, Question::SocketIds, &nsp, |id| {
                Some(adapter::encode_sockets(&cluster.uid, id, &rooms))
            })
            .await;
            for body in answered.bodies {
                if let AnswerBody::Sockets(more) = body {
                    found.extend(more.iter().map(|id| SocketId::from(&**id)));
                }
            }
            Gathered::new(found, silent)
        })
    }
}

impl Handler<CountServers> for Registry {
    type Result = Asked<usize>;

    fn handle(
        &mut self,
        CountServers { nsp }: CountServers,
        _: &mut Context<Self>,
    ) -> Self::Result {
        let cluster = self.cluster.clone();
        Box::pin(async move {
            let Some(cluster) = cluster else {
                return Gathered::alone(1);
            };
            let since = Instant::now();
            match cluster.count_listeners(&nsp).await {
                Ok(others) => {
                    let time = since.elapsed();
                    cluster.questions.add(Question::ServerCount, time);
                    Gathered::alone(others + 1)
                }
                Err(err) => {
                    log::debug!("servers cannot be counted err={err}");
                    Gathered::new(1, cluster.all_silent())
                }
            }
        })
    }
}

impl Handler<AskServers> for Registry {
    type Result = Asked<Vec<Args>>;

    fn handle(&mut self, question: AskServers, _: &mut Context<Self>) -> Self::Result {
        let AskServers { nsp, name, args } = question;
        let cluster = self.cluster.clone();
        Box::pin(async move {
            let Some(cluster) = cluster else {
                return Gathered::default();
            };
            let (answered, silent) = ask(&cluster, Question::ServerSideEmit, &nsp, |id| {
                adapter::encode_server_side_emit(&cluster.uid, Some(id), &name, &args)
                    .inspect_err(|err| {
                        throttled!(
                            error,
                            "not sent to the other servers event={name} err={err}"
                        )
                    })
                    .ok()
            })
            .await;
            Gathered::new(answered.into_emitted(), silent)
        })
    }
}

impl Handler<CountForAcks> for Registry {
    type Result = ();

    fn handle(&mut self, question: CountForAcks, ctx: &mut Context<Self>) {
        let CountForAcks { nsp, acks } = question;
        let Some(cluster) = self.cluster.clone() else {
            return acks.expect_nodes(0);
        };
        let count = async move {
            match cluster.count_others(&nsp).await {
                Ok(others) => acks.expect_nodes(others),
                Err(err) => {
                    log::debug!("servers cannot be counted err={err}");
                    acks.expect_nobody(cluster.all_silent());
                }
            }
        };
        ctx.spawn(count.into_actor(self));
    }
}

/// Asks all other servers and waits until they have answered, or the time is up.
pub(super) async fn ask(
    cluster: &Cluster,
    question: Question,
    nsp: &str,
    encode: impl FnOnce(&str) -> Option<Bytes>,
) -> (Answered, Silent) {
    let since = Instant::now();
    let expected = match cluster.count_others(nsp).await {
        Ok(0) => return Default::default(),
        Ok(expected) => expected,
        Err(err) => {
            log::debug!("other servers cannot be asked err={err}");
            return (Answered::default(), cluster.all_silent());
        }
    };
    let (id, done) = cluster.pending.ask(expected);
    let Some(request) = encode(&id) else {
        cluster.pending.forget(&id);
        return Default::default();
    };
    cluster.publish(cluster.channels.request(nsp), request);
    let _ = actix_rt::time::timeout(cluster.settings.requests_timeout, done).await;
    cluster.questions.add(question, since.elapsed());
    let answered = cluster.pending.take(&id);
    let silent = cluster.silent(expected, answered.bodies.len(), &answered.from);
    (answered, silent)
}
