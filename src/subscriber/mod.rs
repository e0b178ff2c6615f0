//! # Subscriber
//! Owns: the subscribe connection, which it lends to the publisher; which channels are wanted.
//! Runs: one per server, on the arbiter of the pub/sub connections.
//! Receives: messages of the cluster; [`NamespaceChanged`], [`RoomChanged`], [`Confirm`], [`Visit`],
//! [`StopAnswering`], [`Leave`].
//! Sends: one [`Command`](crate::hub::Command) per hub and message; questions and answers to the registry.
//! Stops: with its arbiter. Never: delivers to a session itself.

mod incoming;
mod wanted;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::prelude::*;
use bytestring::ByteString;
use tokio::sync::oneshot;

use crate::cluster::{Cluster, Part};
pub(crate) use crate::locals::RoomChanged;
use crate::namespace::{NamespaceInner, Namespaces};
use crate::protocol::socketio::msgpack;
use crate::redis::{Backoff, Link, PubSub, Sink};
use crate::server::Shared;
use wanted::Wanted;

/// How many channels are subscribed to with one command.
const CHANNELS_PER_COMMAND: usize = 500;

/// A namespace has come into being, or has gone.
#[derive(Debug)]
pub(crate) struct NamespaceChanged(pub(crate) Arc<NamespaceInner>);

impl Message for NamespaceChanged {
    type Result = ();
}

/// Say when everything that is wanted now is subscribed to.
#[derive(Debug)]
pub(crate) struct Confirm(pub(crate) oneshot::Sender<()>);

impl Message for Confirm {
    type Result = ();
}

/// The server will end: no requests of others are answered any more. Broadcasts are heard still. Said when Redis knows it.
#[derive(Debug)]
pub(crate) struct StopAnswering(pub(crate) oneshot::Sender<()>);

impl Message for StopAnswering {
    type Result = ();
}

/// Answers in a namespace that this server does not have.
#[derive(Debug)]
pub(crate) enum Visit {
    /// They are wanted from now on; say when they are subscribed to.
    Begins(ByteString, oneshot::Sender<()>),
    /// They are not any more. As often as the other.
    Ends(ByteString),
}

impl Message for Visit {
    type Result = ();
}

/// The server ends: nothing is heard any more.
#[derive(Debug)]
pub(crate) struct Leave(pub(crate) Option<oneshot::Sender<()>>);

impl Message for Leave {
    type Result = ();
}

/// What has come from Redis since the start.
#[derive(Debug)]
pub(crate) struct CountHeard;

/// See [`CountHeard`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Messages for rooms that nobody here is in.
    pub(crate) needless: u64,
}

impl Message for CountHeard {
    type Result = Heard;
}

/// See the module documentation.
pub(crate) struct Subscriber {
    server: Arc<Shared>,
    cluster: Arc<Cluster>,
    wanted: Wanted,
    /// The connection, while it stands.
    sink: Option<Sink>,
    stream: Option<SpawnHandle>,
    /// The connection once more, if it takes commands: lent to the publisher, who may find it broken first.
    link: Option<Link>,
    backoff: Backoff,
    connected_at: Instant,
    /// Counts the connections: what belongs to an earlier one is of no interest any more.
    generation: u64,
    /// A connection is being made, or will be in a moment.
    is_dialing: bool,
    /// A command is on its way; what is wanted meanwhile goes with the next.
    is_subscribing: bool,
    /// Who waits until all that is wanted stands.
    waiting: Vec<oneshot::Sender<()>>,
    is_leaving: bool,
    /// Who waits until nothing is subscribed to any more.
    left: Vec<oneshot::Sender<()>>,
    /// How a broadcast begins that we have published ourselves.
    own_head: Vec<u8>,
    heard: Heard,
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl Subscriber {
    pub(crate) fn new(server: Arc<Shared>, cluster: Arc<Cluster>) -> Self {
        let mut own_head = Vec::new();
        msgpack::write_array_len(&mut own_head, 3);
        msgpack::write_str(&mut own_head, &cluster.uid);
        Self {
            wanted: Wanted::new(Arc::clone(&cluster), Arc::clone(&server.locals)),
            server,
            cluster,
            sink: None,
            stream: None,
            link: None,
            backoff: Backoff::default(),
            connected_at: Instant::now(),
            generation: 0,
            is_dialing: false,
            is_subscribing: false,
            waiting: Vec::new(),
            is_leaving: false,
            left: Vec::new(),
            own_head,
            heard: Heard::default(),
        }
    }

    fn dial(&mut self, ctx: &mut Context<Self>) {
        self.is_dialing = true;
        let cluster = Arc::clone(&self.cluster);
        let dialing = async move {
            let (endpoint, timeout) = (
                &cluster.endpoints.subscribe,
                cluster.settings.connect_timeout,
            );
            match cluster.lent.is_wanted() {
                true => endpoint.shared(timeout).await,
                false => endpoint.pubsub(timeout).await,
            }
        };
        ctx.spawn(
            dialing
                .into_actor(self)
                .map(|dialed, this, ctx| match dialed {
                    Ok(_) if this.is_leaving => this.left(ctx),
                    Ok(pubsub) => this.connected(pubsub, ctx),
                    Err(err) => {
                        this.is_dialing = false;
                        this.broken(&err, err.needs_operator(), ctx);
                    }
                }),
        );
    }

    fn connected(&mut self, pubsub: PubSub, ctx: &mut Context<Self>) {
        self.is_dialing = false;
        self.generation += 1;
        self.sink = Some(pubsub.sink);
        self.stream = Some(ctx.add_stream(pubsub.messages));
        self.connected_at = Instant::now();
        if let Some(link) = &pubsub.link {
            let generation = self.generation;
            ctx.spawn(link.broken().into_actor(self).map(move |(), this, ctx| {
                // Not one that this actor has given up itself.
                if this.link.is_some() && this.generation == generation {
                    this.broken(&"what was published was not answered", false, ctx);
                }
            }));
        }
        self.link = pubsub.link;
        self.cluster.lent.lend(self.link.clone());
        self.wanted.forget_standing();
        self.subscribe(ctx);
    }

    /// The connection is gone, or of no use: a new one, after a moment.
    fn broken(
        &mut self,
        why: &dyn std::fmt::Display,
        needs_operator: bool,
        ctx: &mut Context<Self>,
    ) {
        if let Some(stream) = self.stream.take() {
            ctx.cancel_future(stream);
        }
        self.sink = None;
        if let Some(link) = self.link.take() {
            link.give_up();
        }
        self.is_subscribing = false;
        if self.is_leaving {
            return self.left(ctx);
        }
        self.cluster
            .health
            .down(Part::Subscribe, why, needs_operator);
        // Several signs of one break would make several connections, and each message would come as often.
        if !std::mem::replace(&mut self.is_dialing, true) {
            ctx.run_later(self.backoff.next(), Self::dial);
        }
    }

    /// Subscribes to what is wanted and unsubscribes from what is not, one command at a time.
    fn subscribe(&mut self, ctx: &mut Context<Self>) {
        let Some(mut sink) = self.sink.clone().filter(|_| !self.is_subscribing) else {
            return;
        };
        let Some(step) = self.wanted.next_step(CHANNELS_PER_COMMAND) else {
            return self.all_stands(ctx);
        };
        self.is_subscribing = true;
        let generation = self.generation;
        let cluster = Arc::clone(&self.cluster);
        let subscribing = async move {
            let (endpoint, timeout) = (
                &cluster.endpoints.subscribe,
                cluster.settings.connect_timeout,
            );
            let sent = step.send(&mut sink);
            match actix_rt::time::timeout(timeout, sent).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(err)) => Err(endpoint.refused(&err, timeout)),
                Err(_) => Err(endpoint.silent(timeout)),
            }
        };
        let subscribing = subscribing.into_actor(self);
        ctx.spawn(subscribing.map(move |done, this, ctx| {
            if this.generation != generation || this.sink.is_none() {
                return;
            }
            this.is_subscribing = false;
            match done {
                Ok(()) => this.subscribe(ctx),
                // A user that may not subscribe stays one, and publishes all the same, on a connection of its own.
                Err(err) => {
                    if err.needs_operator() {
                        this.cluster.lent.lend(None);
                    }
                    this.broken(&err, err.needs_operator(), ctx);
                }
            }
        }));
    }

    fn all_stands(&mut self, ctx: &mut Context<Self>) {
        if self.is_leaving {
            return self.left(ctx);
        }
        self.backoff.reset();
        if !self.cluster.health.is_up(Part::Subscribe) {
            self.cluster.health.up(Part::Subscribe);
            self.cluster.send_canary();
        }
        for waiting in self.waiting.drain(..) {
            // Whoever waited may have gone.
            let _ = waiting.send(());
        }
    }

    fn left(&mut self, ctx: &mut Context<Self>) {
        if let Some(stream) = self.stream.take() {
            ctx.cancel_future(stream);
        }
        self.sink = None;
        // There will be no other connection to lend.
        if self.link.is_none() {
            self.cluster.lent.lend(None);
        }
        for waiting in self.left.drain(..) {
            // Whoever waited may have gone.
            let _ = waiting.send(());
        }
    }

    /// A connection that stands and hears nothing of what we publish is of no use: the worst failure, since
    /// nothing else shows it.
    fn watch_canary(&mut self, ctx: &mut Context<Self>) {
        let (now, health) = (Instant::now(), &self.cluster.health);
        if self.sink.is_none() || self.is_leaving || !health.is_up(Part::Publish) {
            return;
        }
        let patience = self.patience();
        let heard = health
            .canary()
            .map_or(self.connected_at, |at| at.max(self.connected_at));
        if now.duration_since(heard) > patience {
            return self.broken(&"nothing that was published has come back", false, ctx);
        }
        self.cluster.send_canary();
    }

    fn patience(&self) -> Duration {
        self.cluster.settings.canary_interval * 3
    }
}

impl Actor for Subscriber {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let namespaces = self.server.namespaces().map(Namespaces::all);
        for nsp in namespaces.unwrap_or_default() {
            self.wanted.namespace(&nsp, true);
        }
        self.dial(ctx);
        ctx.run_interval(self.cluster.settings.canary_interval, |this, ctx| {
            this.watch_canary(ctx);
            if let Some(recovery) = &this.server.recovery {
                recovery.sweep();
            }
        });
    }
}

impl StreamHandler<redis::Msg> for Subscriber {
    // Hot: one lookup of the channel; what becomes of the message is in `incoming`.
    fn handle(&mut self, message: redis::Msg, _: &mut Context<Self>) {
        self.incoming(&message);
    }

    fn finished(&mut self, ctx: &mut Context<Self>) {
        self.stream = None;
        self.broken(&"the connection ended", false, ctx);
    }
}

impl Handler<NamespaceChanged> for Subscriber {
    type Result = ();

    fn handle(&mut self, NamespaceChanged(nsp): NamespaceChanged, ctx: &mut Context<Self>) {
        if self.is_leaving {
            return;
        }
        let table = self.server.namespaces();
        let now = table.and_then(|table| table.get(nsp.name()));
        let is_there = now.is_some_and(|now| Arc::ptr_eq(&now, &nsp));
        self.wanted.namespace(&nsp, is_there);
        self.subscribe(ctx);
    }
}

impl Handler<RoomChanged> for Subscriber {
    type Result = ();

    fn handle(&mut self, RoomChanged { nsp, room }: RoomChanged, ctx: &mut Context<Self>) {
        if !self.is_leaving {
            self.wanted.room(nsp, &room);
            self.subscribe(ctx);
        }
    }
}

impl Handler<CountHeard> for Subscriber {
    type Result = MessageResult<CountHeard>;

    fn handle(&mut self, _: CountHeard, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.heard)
    }
}

impl Handler<Confirm> for Subscriber {
    type Result = ();

    fn handle(&mut self, Confirm(waiting): Confirm, ctx: &mut Context<Self>) {
        self.waiting.push(waiting);
        self.subscribe(ctx);
    }
}

impl Handler<StopAnswering> for Subscriber {
    type Result = ();

    fn handle(&mut self, StopAnswering(done): StopAnswering, ctx: &mut Context<Self>) {
        self.cluster.is_counted.store(false, Ordering::Relaxed);
        self.wanted.stop_answering();
        self.waiting.push(done);
        self.subscribe(ctx);
    }
}

impl Handler<Visit> for Subscriber {
    type Result = ();

    fn handle(&mut self, visit: Visit, ctx: &mut Context<Self>) {
        if self.is_leaving {
            return;
        }
        match visit {
            Visit::Begins(nsp, is_heard) => {
                self.wanted.visit(&nsp);
                self.waiting.push(is_heard);
            }
            Visit::Ends(nsp) => self.wanted.end_visit(&nsp),
        }
        self.subscribe(ctx);
    }
}

impl Handler<Leave> for Subscriber {
    type Result = ();

    fn handle(&mut self, Leave(done): Leave, ctx: &mut Context<Self>) {
        self.is_leaving = true;
        self.left.extend(done);
        self.wanted.leave();
        if self.sink.is_none() {
            return self.left(ctx);
        }
        self.subscribe(ctx);
    }
}
