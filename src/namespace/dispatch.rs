//! Handing what arrives to the handler actors, and keeping those alive.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use bytestring::ByteString;
use foldhash::quality::RandomState;
use parking_lot::Mutex;

use super::event::{Connect, Disconnect, Disconnecting, Event};
use super::server_event::ServerEvent;
use super::socket::Socket;
use crate::error::Refusal;
use crate::metrics::{Counter, Metrics};
use crate::throttle::throttled;

/// How long a handler that stopped again and again is left alone at most.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// A handler that ran this long is healthy: its next failure counts as the first.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;
pub(super) type NamespaceMiddleware =
    Arc<dyn Fn(Socket) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>> + Send + Sync>;
pub(super) type EventMiddleware = super::socket_state::SocketMiddleware;

/// What became of an event.
pub(crate) enum Delivery {
    /// It is in the handler's mailbox, or nobody wanted it.
    Done,
    /// The mailbox is full: nothing more is read from this client until this is done.
    Waiting(BoxFuture<()>),
}

/// The handler of a namespace, as the sessions of one worker see it.
pub(crate) trait Dispatch {
    /// Asks whether the socket may come in; `None` if the handler does not care.
    fn connect(&self, socket: Socket) -> Option<BoxFuture<Result<(), Refusal>>>;
    fn event(&self, event: Event) -> Delivery;
    fn disconnected(&self, ended: Disconnecting);
    /// An event of another server.
    fn server_event(&self, event: ServerEvent);
}

/// A namespace as its author registered it.
pub(crate) struct Definition {
    /// Distinguishes the definitions of a process.
    pub(crate) id: usize,
    pub(crate) is_pattern: bool,
    pub(crate) middleware: Vec<NamespaceMiddleware>,
    pub(crate) event_middleware: Vec<EventMiddleware>,
    pub(super) worker: Box<dyn Fn(Env) -> Rc<dyn Dispatch> + Send + Sync>,
}

/// What a handler needs of its server.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) queue: usize,
}

impl std::fmt::Debug for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Definition")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Definition {
    /// The handler on this worker, started if it is not there yet.
    pub(crate) fn here(&self, env: impl FnOnce() -> Env) -> Rc<dyn Dispatch> {
        thread_local!(static RUNNING: RefCell<HashMap<usize, Rc<dyn Dispatch>>> = RefCell::default());
        if let Some(dispatch) = RUNNING.with_borrow(|running| running.get(&self.id).cloned()) {
            return dispatch;
        }
        let dispatch = (self.worker)(env());
        RUNNING.with_borrow_mut(|running| running.insert(self.id, Rc::clone(&dispatch)));
        dispatch
    }
}

pub(super) type Route<A> = Box<dyn Fn(&Addr<A>, Event, &Metrics) -> Sent + Send + Sync>;

pub(super) type AskConnect<A> = Box<
    dyn Fn(&Addr<A>, Connect) -> BoxFuture<Result<Result<(), Refusal>, MailboxError>> + Send + Sync,
>;
pub(super) type Tell<A, M> = Box<dyn Fn(&Addr<A>, M) + Send + Sync>;
/// Gives the message back if the mailbox is full or closed.
pub(super) type TryTell<A, M> = Box<dyn Fn(&Addr<A>, M) -> Option<M> + Send + Sync>;

pub(super) struct Plan<A: Actor<Context = Context<A>>> {
    pub(super) factory: Box<dyn Fn() -> A + Send + Sync>,
    pub(super) connect: Option<AskConnect<A>>,
    pub(super) disconnecting: Option<Tell<A, Disconnecting>>,
    pub(super) disconnect: Option<Tell<A, Disconnect>>,
    pub(super) events: HashMap<ByteString, Route<A>, RandomState>,
    pub(super) fallback: Option<Route<A>>,
    pub(super) server_event: Option<TryTell<A, ServerEvent>>,
}

/// What a mailbox said.
pub(super) enum Sent {
    Done,
    Waiting(BoxFuture<()>),
    /// The actor is gone.
    Stopped(Event),
}

/// An instance of the actor, and how its predecessors fared.
pub(super) struct Life<A: Actor> {
    pub(super) addr: Addr<A>,
    pub(super) started: Instant,
    pub(super) failures: u32,
    /// The thread of a shared instance, kept for its successors.
    pub(super) arbiter: Option<Arbiter>,
}

pub(super) struct Runner<A: Actor<Context = Context<A>>> {
    pub(super) plan: Arc<Plan<A>>,
    /// Shared by all workers if the instance is; asked only when the address below has died.
    pub(super) life: Arc<Mutex<Option<Life<A>>>>,
    pub(super) is_shared: bool,
    pub(super) env: Env,
    /// The instance, as far as this worker knows. Borrowed per message: cloning an address allocates twice.
    pub(super) addr: RefCell<Option<Addr<A>>>,
}

impl<A: Actor<Context = Context<A>>> Runner<A> {
    /// Calls `tell` with the instance; `None` if there is none and it is too early for a new one.
    fn with_addr<T>(&self, tell: impl FnOnce(&Addr<A>) -> T) -> Option<T> {
        if let Some(addr) = &*self.addr.borrow()
            && addr.connected()
        {
            return Some(tell(addr));
        }
        let fresh = self.living();
        let result = fresh.as_ref().map(tell);
        self.addr.replace(fresh);
        result
    }

    /// The instance; a new one if there is none, or the last one has stopped and its back-off is over.
    fn living(&self) -> Option<Addr<A>> {
        let mut life = self.life.lock();
        let (failures, arbiter) = match &mut *life {
            Some(life) if life.addr.connected() => return Some(life.addr.clone()),
            None => (0, None),
            Some(life) => {
                let ran = life.started.elapsed();
                let failures = if ran > HEALTHY_AFTER {
                    1
                } else {
                    life.failures + 1
                };
                let back_off = match failures {
                    0 | 1 => Duration::ZERO,
                    n => Duration::from_millis(50 << n.min(12)).min(LONGEST_BACK_OFF),
                };
                if ran < back_off {
                    return None;
                }
                throttled!(
                    warn,
                    "a handler has stopped and is started anew after_ms={} failures={failures}",
                    ran.as_millis()
                );
                self.env.metrics.count(Counter::HandlerRestarted);
                (failures, life.arbiter.take())
            }
        };
        let (plan, queue) = (Arc::clone(&self.plan), self.env.queue);
        let start = move |ctx: &mut Context<A>| {
            // actix adds the number of senders to this.
            ctx.set_mailbox_capacity(queue.min(usize::MAX >> 2));
            (plan.factory)()
        };
        let arbiter = self.is_shared.then(|| arbiter.unwrap_or_else(Arbiter::new));
        let addr = match &arbiter {
            Some(arbiter) => A::start_in_arbiter(&arbiter.handle(), start),
            None => A::create(start),
        };
        *life = Some(Life {
            addr: addr.clone(),
            started: Instant::now(),
            failures,
            arbiter,
        });
        Some(addr)
    }

    fn refuse(&self, event: Event) {
        self.env.metrics.count(Counter::HandlerGone);
        log::debug!(
            "an event is refused event={} why=the handler is not available",
            event.name()
        );
        event.ack.refuse("the handler is not available");
    }
}

impl<A: Actor<Context = Context<A>>> Dispatch for Runner<A> {
    fn connect(&self, socket: Socket) -> Option<BoxFuture<Result<(), Refusal>>> {
        let ask = self.plan.connect.as_ref()?;
        let Some(answer) = self.with_addr(|addr| ask(addr, Connect { socket })) else {
            // What the client is told, the session logs.
            self.env.metrics.count(Counter::HandlerGone);
            return Some(Box::pin(async {
                Err(Refusal::new("the handler is not available"))
            }));
        };
        Some(Box::pin(async move {
            answer
                .await
                .unwrap_or_else(|_| Err(Refusal::new("the handler is not available")))
        }))
    }

    // Hot: one hash of the name, one push into the mailbox.
    fn event(&self, event: Event) -> Delivery {
        let plan = &self.plan;
        let Some(route) = plan.events.get(event.name()).or(plan.fallback.as_ref()) else {
            self.env.metrics.count(Counter::UnhandledEvent);
            log::debug!("nobody handles an event event={}", event.name());
            event.ack.forget();
            return Delivery::Done;
        };
        let mut event = Some(event);
        // The second try meets a new instance, unless it is too early for one.
        for _ in 0..2 {
            let sent = self.with_addr(|addr| {
                event
                    .take()
                    .map(|event| route(addr, event, &self.env.metrics))
            });
            match sent.flatten() {
                None => break,
                Some(Sent::Done) => return Delivery::Done,
                Some(Sent::Waiting(waiting)) => {
                    self.env.metrics.count(Counter::HandlerFull);
                    log::debug!(
                        "a client is not read why=the queue of its handler is full queue={}",
                        self.env.queue
                    );
                    return Delivery::Waiting(waiting);
                }
                Some(Sent::Stopped(back)) => event = Some(back),
            }
        }
        if let Some(event) = event {
            self.refuse(event);
        }
        Delivery::Done
    }

    fn disconnected(&self, ended: Disconnecting) {
        let (plan, socket, reason) = (&self.plan, ended.socket.clone(), ended.reason);
        match &plan.disconnecting {
            // Dropped with the closure if there is no instance, which forgets the rooms as well.
            Some(tell) => drop(self.with_addr(|addr| tell(addr, ended))),
            None => drop(ended),
        }
        if let Some(tell) = &plan.disconnect {
            self.with_addr(|addr| tell(addr, Disconnect { socket, reason }));
        }
    }

    fn server_event(&self, event: ServerEvent) {
        let Some(tell) = &self.plan.server_event else {
            log::debug!("nobody handles an event of a server event={}", event.name());
            return event.unheard(Counter::UnhandledServerEvent);
        };
        let mut event = Some(event);
        let told = self.with_addr(|addr| event.take().map(|event| tell(addr, event)));
        // There was no instance, or it gave the event back.
        if let Some(event) = event.or(told.flatten().flatten()) {
            throttled!(
                warn,
                "an event of a server is lost, its handler is full or gone event={}",
                event.name()
            );
            event.unheard(Counter::HandlerGone);
        }
    }
}
