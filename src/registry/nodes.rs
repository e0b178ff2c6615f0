//! Who the other servers are: those of our own kind tell their load, those of Node.js are counted.

use actix::prelude::*;

use super::Registry;
use super::queries::ask;
use crate::cluster::Question;
use crate::namespace::Gathered;
use crate::protocol::adapter;
use crate::protocol::socketio::Args;

/// The event between servers that asks for their load. Handlers never get it; servers of Node.js have no listener for
/// it, and give no answer.
pub(crate) const NODES_EVENT: &str = "greenroom:nodes";

/// A room that nobody is in: all servers answer at once who is in it.
const NOBODY: &str = "greenroom:nobody";

/// The namespace that every server has.
const EVERYWHERE: &str = "/";

/// What do the other servers say of themselves, and how many are there besides?
#[derive(Debug)]
pub(crate) struct AskNodes;

impl Message for AskNodes {
    type Result = Gathered<(Vec<Args>, usize)>;
}

impl Handler<AskNodes> for Registry {
    type Result = ResponseFuture<Gathered<(Vec<Args>, usize)>>;

    fn handle(&mut self, _: AskNodes, _: &mut Context<Self>) -> Self::Result {
        let cluster = self.cluster.clone();
        Box::pin(async move {
            let Some(cluster) = cluster else {
                return Gathered::default();
            };
            // Those that do not know the first question answer the second. Who knows both answers them in this order:
            // when the second is answered, nothing more comes for the first.
            let (id, _) = cluster.pending.ask(usize::MAX);
            cluster.server_side_emit(EVERYWHERE, Some(&id), NODES_EVENT, &Args::none());
            let (counted, silent) = ask(&cluster, Question::Nodes, EVERYWHERE, |id| {
                Some(adapter::encode_sockets(&cluster.uid, id, &[NOBODY.into()]))
            })
            .await;
            let told = cluster.pending.take(&id).into_emitted();
            let others = counted.bodies.len().saturating_sub(told.len());
            Gathered::new((told, others), silent)
        })
    }
}
