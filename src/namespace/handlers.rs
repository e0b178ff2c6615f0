//! Registering handler actors.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::dev::ToEnvelope;
use actix::prelude::*;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use super::dispatch::{
    Definition, EventMiddleware, Life, NamespaceMiddleware, Plan, Route, Runner, Sent,
};
use super::event::{Connect, Disconnect, Disconnecting, Event, On};
use super::server_event::ServerEvent;
use super::socket::Socket;
use crate::error::Refusal;
use crate::metrics::Counter;

/// A handler actor that has one instance on each worker: nothing is shared, nothing crosses threads.
///
/// `factory` makes an instance, also after one has stopped or panicked.
///
/// ```
/// use greenroom::prelude::*;
///
/// #[derive(Default)]
/// struct Echo;
///
/// impl Actor for Echo {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Event> for Echo {
///     type Result = ();
///
///     fn handle(&mut self, event: Event, _: &mut Context<Self>) {
///         let (_, _, args, ack) = event.into_parts();
///         ack.send_args(&args);
///     }
/// }
///
/// # fn main() -> Result<(), greenroom::Error> {
/// let server = Server::builder().namespace("/", per_worker(Echo::default).on_event()).build()?;
/// # Ok(())
/// # }
/// ```
pub fn per_worker<A, F>(factory: F) -> Handlers<A>
where
    A: Actor<Context = Context<A>>,
    F: Fn() -> A + Send + Sync + 'static,
{
    Handlers::new(factory, false)
}

/// A handler actor that has one instance in the process, on a thread of its own: its state is the
/// state of all clients.
///
/// `factory` makes the instance, also after one has stopped or panicked.
///
/// ```
/// use greenroom::prelude::*;
///
/// /// How many clients are here, told to all whenever it changes.
/// #[derive(Default)]
/// struct Count(usize);
///
/// impl Actor for Count {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Connect> for Count {
///     type Result = Result<(), Refusal>;
///
///     fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
///         self.0 += 1;
///         socket.namespace().emit("count", self.0);
///         Ok(())
///     }
/// }
///
/// impl Handler<Disconnect> for Count {
///     type Result = ();
///
///     fn handle(&mut self, Disconnect { socket, .. }: Disconnect, _: &mut Context<Self>) {
///         self.0 -= 1;
///         socket.namespace().emit("count", self.0);
///     }
/// }
///
/// # fn main() -> Result<(), greenroom::Error> {
/// let count = shared(Count::default).on_connect().on_disconnect();
/// let server = Server::builder().namespace("/", count).build()?;
/// # Ok(())
/// # }
/// ```
pub fn shared<A, F>(factory: F) -> Handlers<A>
where
    A: Actor<Context = Context<A>>,
    F: Fn() -> A + Send + Sync + 'static,
{
    Handlers::new(factory, true)
}

/// Which messages a handler actor wants of its namespace.
///
/// Made by [`per_worker`] and [`shared`](fn@shared), registered with
/// [`ServerBuilder::namespace`](crate::ServerBuilder::namespace).
#[must_use = "handlers do nothing until they are registered for a namespace"]
pub struct Handlers<A: Actor<Context = Context<A>>> {
    plan: Plan<A>,
    is_shared: bool,
    middleware: Vec<NamespaceMiddleware>,
    event_middleware: Vec<EventMiddleware>,
}

impl<A: Actor<Context = Context<A>>> std::fmt::Debug for Handlers<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handlers")
            .field("events", &self.plan.events.keys())
            .finish_non_exhaustive()
    }
}

/// The arguments as a `T`. A panic in the author's `Deserialize` is a refusal like any other: it happens
/// on the session's task, which it must not take down.
fn parse<T: DeserializeOwned>(event: &Event) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(|| event.args().parse::<T>()))
        .map_err(|_| "they cannot be read".to_owned())?
        .map_err(|err| err.to_string())
}

/// The error of a full or closed mailbox gives the message back, which is the size of an event.
fn send<A, M>(addr: &Addr<A>, message: M, give_back: impl FnOnce(M) -> Event) -> Sent
where
    A: Actor<Context = Context<A>> + Handler<M>,
    M: Message<Result = ()> + Send + 'static,
    A::Context: ToEnvelope<A, M>,
{
    match addr.try_send(message) {
        Ok(()) => Sent::Done,
        Err(SendError::Full(message)) => {
            #[expect(
                clippy::disallowed_methods,
                reason = "the way back-pressure reaches the client: its reading waits"
            )]
            let sent = addr.send(message);
            // A handler that stops meanwhile drops the message, and so refuses its ack.
            Sent::Waiting(Box::pin(async move {
                let _ = sent.await;
            }))
        }
        Err(SendError::Closed(message)) => Sent::Stopped(give_back(message)),
    }
}

impl<A: Actor<Context = Context<A>>> Handlers<A> {
    fn new(factory: impl Fn() -> A + Send + Sync + 'static, is_shared: bool) -> Self {
        Self {
            plan: Plan {
                factory: Box::new(factory),
                connect: None,
                disconnecting: None,
                disconnect: None,
                events: HashMap::default(),
                fallback: None,
                server_event: None,
            },
            is_shared,
            middleware: Vec::new(),
            event_middleware: Vec::new(),
        }
    }

    /// The actor decides who comes in, by `Handler<Connect>`. Without this, everybody does.
    pub fn on_connect(mut self) -> Self
    where
        A: Handler<Connect>,
    {
        self.plan.connect = Some(Box::new(|addr, connect| {
            #[expect(
                clippy::disallowed_methods,
                reason = "a connection waits for its answer; not the delivery path"
            )]
            let answer = addr.send(connect);
            Box::pin(answer)
        }));
        self
    }

    /// The actor hears, by `Handler<Disconnecting>`, of a socket that leaves, its rooms still readable.
    pub fn on_disconnecting(mut self) -> Self
    where
        A: Handler<Disconnecting>,
    {
        // Not `try_send`: there is one per socket, and it may not be lost.
        self.plan.disconnecting = Some(Box::new(|addr, message| addr.do_send(message)));
        self
    }

    /// The actor hears, by `Handler<Disconnect>`, of a socket that has left.
    pub fn on_disconnect(mut self) -> Self
    where
        A: Handler<Disconnect>,
    {
        self.plan.disconnect = Some(Box::new(|addr, message| addr.do_send(message)));
        self
    }

    /// The actor gets the event `name` as [`On<T>`], its arguments parsed.
    ///
    /// ```
    /// # use greenroom::prelude::*;
    /// #[derive(Deserialize)]
    /// struct Move {
    ///     x: i32,
    ///     y: i32,
    /// }
    ///
    /// #[derive(Default)]
    /// struct Board;
    /// # impl Actor for Board {
    /// #     type Context = Context<Self>;
    /// # }
    ///
    /// // socket.emit("move", { x: 1, y: 2 })
    /// impl Handler<On<Move>> for Board {
    ///     type Result = ();
    ///
    ///     fn handle(&mut self, On { args: Move { x, y }, socket, .. }: On<Move>, _: &mut Context<Self>) {
    ///         socket.broadcast().volatile().emit("moved", (x, y));
    ///     }
    /// }
    ///
    /// let handlers = per_worker(Board::default).on::<Move>("move");
    /// # drop(handlers);
    /// ```
    ///
    /// Shape: see [`Args::parse`](crate::Args::parse); a tuple (struct) takes the arguments one by one.
    pub fn on<T>(mut self, name: &str) -> Self
    where
        A: Handler<On<T>>,
        T: DeserializeOwned + Send + 'static,
    {
        let route: Route<A> = Box::new(|addr, event, metrics| match parse::<T>(&event) {
            Ok(args) => {
                let (socket, name, raw, ack) = event.into_parts();
                send(addr, On::new(args, socket, ack), |on| {
                    Event::new(on.socket, name, raw, on.ack)
                })
            }
            Err(err) => {
                metrics.count(Counter::ArgumentsRefused);
                log::debug!("arguments do not parse event={} err={err}", event.name());
                event.ack.refuse(&format!("invalid arguments: {err}"));
                Sent::Done
            }
        });
        self.plan.events.insert(name.into(), route);
        self
    }

    /// The actor gets all events without a type of their own, by `Handler<Event>`.
    pub fn on_event(mut self) -> Self
    where
        A: Handler<Event>,
    {
        self.plan.fallback = Some(Box::new(|addr, event, _| send(addr, event, |event| event)));
        self
    }

    /// The actor gets the events of other servers, by `Handler<ServerEvent>`; see [`ServerEvent`].
    ///
    /// Nothing holds other servers back: what does not fit into the actor's mailbox is lost, logged and counted.
    pub fn on_server_event(mut self) -> Self
    where
        A: Handler<ServerEvent>,
    {
        self.plan.server_event = Some(Box::new(|addr, event| match addr.try_send(event) {
            Ok(()) => None,
            Err(SendError::Full(event) | SendError::Closed(event)) => Some(event),
        }));
        self
    }

    /// Adds a middleware: it runs, in the order of adding, when a client asks to join, before the actor
    /// hears of it. The first refusal ends the attempt.
    ///
    /// ```
    /// # use greenroom::prelude::*;
    /// # #[derive(Default)]
    /// # struct Private;
    /// # impl Actor for Private {
    /// #     type Context = Context<Self>;
    /// # }
    /// #[derive(Deserialize)]
    /// struct Auth {
    ///     token: String,
    /// }
    ///
    /// let handlers = per_worker(Private::default).middleware(|socket| async move {
    ///     match socket.auth::<Auth>() {
    ///         Ok(auth) if auth.token == "secret" => Ok(()),
    ///         _ => Err(Refusal::new("unauthorized").with_data(401)),
    ///     }
    /// });
    /// # drop(handlers);
    /// ```
    pub fn middleware<F, Fut>(mut self, middleware: F) -> Self
    where
        F: Fn(Socket) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.middleware
            .push(Arc::new(move |socket| Box::pin(middleware(socket))));
        self
    }

    /// Adds a middleware that runs before each event of every socket of the namespace; see
    /// [`Socket::use_middleware`].
    pub fn event_middleware<F, Fut>(mut self, middleware: F) -> Self
    where
        F: Fn(&Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        self.event_middleware
            .push(Arc::new(move |event| Box::pin(middleware(event))));
        self
    }

    pub(crate) fn define(self, is_pattern: bool) -> Arc<Definition> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let Self {
            plan,
            is_shared,
            middleware,
            event_middleware,
        } = self;
        let plan = Arc::new(plan);
        let one_for_all: Arc<Mutex<Option<Life<A>>>> = Arc::default();
        Arc::new(Definition {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            is_pattern,
            middleware,
            event_middleware,
            worker: Box::new(move |env| {
                let life = if is_shared {
                    Arc::clone(&one_for_all)
                } else {
                    Arc::default()
                };
                Rc::new(Runner {
                    plan: Arc::clone(&plan),
                    life,
                    is_shared,
                    env,
                    addr: RefCell::new(None),
                })
            }),
        })
    }
}
