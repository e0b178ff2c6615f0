//! # Publisher
//! Owns: the publish connection, or borrows that of the subscriber.
//! Runs: one per server, on the arbiter of the pub/sub connections.
//! Receives: what [`crate::cluster::Publications`] hold. Sends: nothing.
//! Stops: with its arbiter. Never: blocks a sender.

use std::sync::Arc;

use actix::prelude::*;

use crate::cluster::{Cluster, Part, Publication};
use crate::redis::{Backoff, Link, LinkError};

/// What is written to Redis at once, about. Larger batches would only make others wait for their answer.
const BATCH_BYTES: usize = 1 << 20;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Publisher(Arc<Cluster>);

impl Publisher {
    pub(crate) const fn new(cluster: Arc<Cluster>) -> Self {
        Self(cluster)
    }
}

impl Actor for Publisher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.spawn(run(Arc::clone(&self.0)).into_actor(self));
    }
}

async fn run(cluster: Arc<Cluster>) {
    let mut backoff = Backoff::default();
    loop {
        let timeout = cluster.settings.connect_timeout;
        let dialed = match cluster.lent.borrow().await {
            Some(link) => Ok(link),
            None => cluster.endpoints.publish.connect(timeout).await,
        };
        match dialed {
            Ok(link) => {
                backoff.reset();
                cluster.set_link(Some(link.clone()));
                cluster.health.up(Part::Publish);
                let (err, n_lost) = match try_out(&cluster, &link).await {
                    Ok(()) => publish(&cluster, &link).await,
                    Err(err) => (err, 0),
                };
                cluster.set_link(None);
                cluster
                    .health
                    .down(Part::Publish, &err, err.needs_operator());
                // What was on its way is lost in this outage, not before it.
                cluster.health.lose(n_lost);
            }
            Err(err) => cluster
                .health
                .down(Part::Publish, &err, err.needs_operator()),
        }
        actix_rt::time::sleep(backoff.next()).await;
    }
}

/// Publishes until the connection breaks: why, and how many messages were on their way. One batch is at a time; what
/// comes meanwhile is the next one, so that Redis wakes once for many.
async fn publish(cluster: &Cluster, link: &Link) -> (LinkError, usize) {
    let mut is_refused = false;
    loop {
        let batch = tokio::select! {
            batch = cluster.publications.next(BATCH_BYTES) => batch,
            () = cluster.health.doubted(Part::Publish) => match try_out(cluster, link).await {
                Ok(()) => continue,
                Err(err) => return (err, 0),
            },
        };
        let n_messages = batch.len();
        let commands = batch.iter().map(command).collect();
        match link.pipeline(commands).await {
            Ok(answers) => {
                let refused: Vec<_> = answers
                    .iter()
                    .filter_map(|answer| answer.as_ref().err())
                    .collect();
                cluster.health.lose(refused.len());
                let was_refused = std::mem::replace(&mut is_refused, !refused.is_empty());
                if let Some(err) = refused.first()
                    && !was_refused
                {
                    log::warn!("redis refuses to publish err={err}");
                } else if was_refused && !is_refused {
                    log::info!("redis publishes again");
                }
            }
            // Perhaps they were published, perhaps not: once at most.
            Err(err) => return (err, n_messages),
        }
    }
}

/// Whether the connection works, and whether what is published is heard: with nothing to say nobody would notice.
async fn try_out(cluster: &Cluster, link: &Link) -> Result<(), LinkError> {
    link.pipeline(vec![command(&cluster.canary())]).await?;
    cluster.health.works(Part::Publish);
    Ok(())
}

fn command(publication: &Publication) -> redis::Cmd {
    let mut command = redis::cmd("PUBLISH");
    command
        .arg(&*publication.channel)
        .arg(&publication.payload[..]);
    command
}
