//! # Relay
//! Owns: what the sockets of this worker have done and the backend does not know yet.
//! Runs: one per worker, in each namespace that has a backend.
//! Receives: [`Connect`], [`Event`], [`Disconnecting`]; [`Done`] of its own calls.
//! Sends: answers to the sockets. Stops: with its worker.
//! Never: waits; drops an ack.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use actix::prelude::*;
use tokio::sync::Semaphore;

use super::call::Call;
use super::link::Link;
use crate::error::Refusal;
use crate::metrics::Counter;
use crate::namespace::{Connect, Disconnecting, Event, Socket};
use crate::outbound::Lanes;
use crate::protocol::engineio::SocketId;

/// Events of one socket that wait for the backend. Then nothing more is read from its client.
const EVENTS_PER_SOCKET: usize = 16;

/// The handler of a namespace that has a backend; see [`handlers`](super::handlers).
#[derive(Debug)]
pub struct Relay {
    link: Arc<Link>,
    lanes: Lanes<SocketId, Job>,
    /// What a socket may have waiting still; each is kept by the middleware of its socket.
    slots: HashMap<SocketId, Weak<Semaphore>>,
}

/// What the backend is to be told. One socket's are told one after the other.
#[derive(Debug)]
enum Job {
    Event(Event, Slot),
    End(Disconnecting),
}

/// The place of an event among those of its socket that wait; free again when this is dropped.
#[derive(Debug)]
struct Slot(Option<Arc<Semaphore>>);

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = &self.0 {
            slots.add_permits(1);
        }
    }
}

/// The backend knows what this socket has done, or never will. Sent when dropped, also by a panic.
struct Turn {
    relay: Addr<Relay>,
    socket: SocketId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.relay.do_send(Done(self.socket.clone()));
    }
}

/// See [`Turn`].
#[derive(Message)]
#[rtype(result = "()")]
struct Done(SocketId);

impl Relay {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            lanes: Lanes::default(),
            slots: HashMap::new(),
        }
    }

    /// From now on the client is not read while too many of its events wait.
    fn hold_back(&mut self, socket: &Socket) {
        let slots = Arc::new(Semaphore::new(EVENTS_PER_SOCKET));
        // Sockets that have gone leave entries behind: swept whenever the table would grow.
        if self.slots.len() == self.slots.capacity() {
            self.slots.retain(|_, slots| slots.strong_count() > 0);
            // The next sweep is as many connects away as there are sockets.
            self.slots.reserve(self.slots.len());
        }
        self.slots
            .insert(socket.id().clone(), Arc::downgrade(&slots));
        socket.use_middleware(move |_| {
            let slots = Arc::clone(&slots);
            async move {
                // Given back by the event's `Slot`.
                if let Ok(slot) = slots.acquire().await {
                    slot.forget();
                }
                Ok(())
            }
        });
    }

    fn queue(&mut self, id: SocketId, job: Job, ctx: &Context<Self>) {
        if let Some(job) = self.lanes.push(id.clone(), job) {
            self.begin(id, job, ctx);
        }
    }

    fn begin(&self, id: SocketId, job: Job, ctx: &Context<Self>) {
        let turn = Turn {
            relay: ctx.address(),
            socket: id,
        };
        let link = Arc::clone(&self.link);
        // Not a future of this actor: it would be polled whenever any other of them is.
        actix_rt::spawn(async move {
            tell(&link, job).await;
            drop(turn);
        });
    }
}

async fn tell(link: &Link, job: Job) {
    match job {
        Job::Event(event, slot) => {
            let answer = link.call(&event.socket, Call::Event(&event)).await;
            match answer {
                Ok(answer) => {
                    let (socket, _, _, ack) = event.into_parts();
                    answer.carry_out(&socket, Some(ack));
                }
                Err(failure) => event.ack.refuse(failure.message()),
            }
            drop(slot);
        }
        Job::End(ended) => {
            let call = Call::Disconnect(ended.reason);
            // Who has failed was logged and counted.
            if let Ok(answer) = link.call(&ended.socket, call).await {
                answer.carry_out(&ended.socket, None);
            }
        }
    }
}

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Handler<Connect> for Relay {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        self.hold_back(&socket);
        if !self.link.connect {
            return Box::pin(std::future::ready(Ok(())));
        }
        let (link, (tell, told)) = (Arc::clone(&self.link), tokio::sync::oneshot::channel());
        // As above.
        actix_rt::spawn(async move {
            let verdict = match link.call(&socket, Call::Connect).await {
                Err(failure) => Err(failure.refusal()),
                Ok(mut answer) => match answer.refusal.take() {
                    Some(refusal) => Err(refusal),
                    None => {
                        answer.carry_out(&socket, None);
                        Ok(())
                    }
                },
            };
            // The server may end.
            let _ = tell.send(verdict);
        });
        Box::pin(async move { told.await.unwrap_or_else(|_| Err("internal error".into())) })
    }
}

impl Handler<Event> for Relay {
    type Result = ();

    fn handle(&mut self, event: Event, ctx: &mut Context<Self>) {
        let id = event.socket.id().clone();
        let slot = Slot(self.slots.get(&id).and_then(Weak::upgrade));
        if self.link.answers(event.name()) {
            return self.queue(id, Job::Event(event, slot), ctx);
        }
        event.socket.shared().metrics.count(Counter::UnhandledEvent);
        log::debug!("nobody handles an event event={}", event.name());
        event.ack.refuse("nobody handles this event");
    }
}

impl Handler<Disconnecting> for Relay {
    type Result = ();

    fn handle(&mut self, ended: Disconnecting, ctx: &mut Context<Self>) {
        self.queue(ended.socket.id().clone(), Job::End(ended), ctx);
    }
}

impl Handler<Done> for Relay {
    type Result = ();

    fn handle(&mut self, Done(id): Done, ctx: &mut Context<Self>) {
        if let Some(job) = self.lanes.done(&id) {
            self.begin(id, job, ctx);
        }
    }
}
