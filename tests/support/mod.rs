//! What the integration tests share: a handler that tells the test everything, workers, clients over real TCP, and
//! waiting with deadlines.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod api;
pub(crate) mod backend;
pub(crate) mod cluster;
pub(crate) mod log;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod scrape;
#[path = "redis.rs"]
#[allow(unreachable_pub, reason = "tests inside the crate have it too")]
pub(crate) mod servers;
pub(crate) mod tcp;

use std::future::Future;
use std::time::Duration;

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{
    Connect, Disconnect, DisconnectReason, Disconnecting, Event, Handlers, Refusal, Room, Server,
    Socket, per_worker, shared,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// How long anything is waited for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a test on an actix system of its own.
pub(crate) fn on_actix<F: Future>(test: F) -> F::Output {
    System::new().block_on(test)
}

/// Waits for `future`; panics with `what` at the deadline.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not in time: {what}"),
    }
}

/// Waits until `is_so`; for facts of which no message tells.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let look = async {
        let mut again = tokio::time::interval(Duration::from_millis(2));
        while !is_so() {
            again.tick().await;
        }
    };
    within(what, look).await;
}

/// What the server has counted under that name.
pub(crate) fn counter(server: &Server, name: &str) -> u64 {
    match server.counters().find(|(known, _)| *known == name) {
        Some((_, n)) => n,
        None => panic!("no counter is named {name}"),
    }
}

/// Something a handler was told.
#[derive(Debug)]
pub(crate) enum Heard {
    Connect(Socket),
    Event(Event),
    /// With the rooms as they were in the handler.
    Disconnecting(Socket, Vec<Room>, DisconnectReason),
    /// With the rooms as they were in the handler.
    Disconnect(Socket, Vec<Room>, DisconnectReason),
}

/// A handler that lets everybody in and passes everything on to the test.
pub(crate) struct Ear(UnboundedSender<Heard>);

impl Ear {
    fn tell(&self, heard: Heard) {
        // The test may be over.
        let _ = self.0.send(heard);
    }
}

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<Connect> for Ear {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        self.tell(Heard::Connect(socket));
        Ok(())
    }
}

impl Handler<Event> for Ear {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Context<Self>) {
        self.tell(Heard::Event(event));
    }
}

impl Handler<Disconnecting> for Ear {
    type Result = ();

    fn handle(&mut self, ending: Disconnecting, _: &mut Context<Self>) {
        let socket = ending.socket.clone();
        let rooms = socket.rooms();
        self.tell(Heard::Disconnecting(socket, rooms, ending.reason));
    }
}

impl Handler<Disconnect> for Ear {
    type Result = ();

    fn handle(&mut self, Disconnect { socket, reason }: Disconnect, _: &mut Context<Self>) {
        let rooms = socket.rooms();
        self.tell(Heard::Disconnect(socket, rooms, reason));
    }
}

/// What an [`Ear`] tells.
pub(crate) struct Hearing(UnboundedReceiver<Heard>);

impl Hearing {
    pub(crate) async fn next(&mut self) -> Heard {
        let heard = within("something the handler is told", self.0.recv()).await;
        heard.expect("the handler lives as long as its server")
    }

    /// What is there already.
    pub(crate) fn now(&mut self) -> Option<Heard> {
        self.0.try_recv().ok()
    }

    /// The next socket that was let in; what else was told before is skipped.
    pub(crate) async fn connected(&mut self) -> Socket {
        loop {
            if let Heard::Connect(socket) = self.next().await {
                return socket;
            }
        }
    }

    /// The next event; what else was told before is skipped.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            if let Heard::Event(event) = self.next().await {
                return event;
            }
        }
    }

    /// The next socket that has gone, and why; what else was told before is skipped.
    pub(crate) async fn gone(&mut self) -> (Socket, DisconnectReason) {
        loop {
            if let Heard::Disconnect(socket, _, reason) = self.next().await {
                return (socket, reason);
            }
        }
    }
}

/// Handlers that tell the test everything, an instance per worker.
pub(crate) fn ear() -> (Handlers<Ear>, Hearing) {
    ear_of(per_worker)
}

/// Handlers that tell the test everything, one instance for all workers.
pub(crate) fn shared_ear() -> (Handlers<Ear>, Hearing) {
    ear_of(shared)
}

fn ear_of(
    handlers: impl FnOnce(Box<dyn Fn() -> Ear + Send + Sync>) -> Handlers<Ear>,
) -> (Handlers<Ear>, Hearing) {
    let (sender, receiver) = unbounded_channel();
    let handlers = handlers(Box::new(move || Ear(sender.clone())))
        .on_connect()
        .on_event()
        .on_disconnecting()
        .on_disconnect();
    (handlers, Hearing(receiver))
}

/// A server whose root namespace has an [`Ear`].
pub(crate) struct Lobby {
    pub(crate) server: Server,
    pub(crate) hearing: Hearing,
}

pub(crate) fn lobby(config: Config) -> Lobby {
    let (handlers, hearing) = ear();
    let server = Server::builder()
        .config(config)
        .namespace("/", handlers)
        .build()
        .unwrap();
    Lobby { server, hearing }
}

impl Lobby {
    /// A new client, and its socket at the server.
    pub(crate) async fn join(&mut self) -> (Client, Socket) {
        let client = Client::connect(&self.server).await.unwrap();
        (client, self.hearing.connected().await)
    }

    /// A new client whose session is on `worker`.
    pub(crate) async fn join_on(&mut self, worker: &Worker) -> (Client, Socket) {
        let client = worker.connect(&self.server).await;
        (client, self.hearing.connected().await)
    }
}

/// A thread with an actix system of its own, as the workers of a server are: sessions opened on it have their own hub.
pub(crate) struct Worker(Arbiter);

impl Worker {
    pub(crate) fn new() -> Self {
        Self(Arbiter::new())
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        self.0.stop();
        self.0.join().unwrap();
    }

    /// Runs something on the worker and waits for what it gives.
    pub(crate) async fn run<T, F, Fut>(&self, task: F) -> T
    where
        T: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T> + 'static,
    {
        let (done, is_done) = oneshot::channel();
        self.start(move || async move {
            // The test may be over.
            let _ = done.send(task().await);
        });
        within("a worker", is_done)
            .await
            .expect("the worker does not panic")
    }

    /// Starts something on the worker.
    pub(crate) fn start<F, Fut>(&self, task: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        self.0.spawn_fn(move || {
            actix::spawn(task());
        });
    }

    pub(crate) async fn connect(&self, server: &Server) -> Client {
        let server = server.clone();
        self.run(move || async move { Client::connect(&server).await.unwrap() })
            .await
    }
}
