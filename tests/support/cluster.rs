//! Servers of a cluster, and a peer of another kind: bare connections to Redis that publish and hear bytes.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::Duration;

use actix::prelude::*;
use futures_util::StreamExt;
use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{
    Connect, Disconnect, DisconnectReason, Refusal, Server, ServerEvent, Socket, per_worker,
};
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::servers::Redis;
use crate::support::{self, DEADLINE, eventually, within};

/// What the handler of a [`Node`] was told.
#[derive(Debug)]
pub(crate) enum Told {
    Connect(Socket),
    Disconnect(Socket, DisconnectReason),
    ServerEvent(ServerEvent),
}

/// A handler that lets everybody in and passes on what it is told, but for the events `fence`, which it answers.
struct Relay(UnboundedSender<Told>);

impl Actor for Relay {
    type Context = Context<Self>;
}

impl Relay {
    fn tell(&self, told: Told) {
        // The test may be over.
        let _ = self.0.send(told);
    }
}

impl Handler<Connect> for Relay {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        self.tell(Told::Connect(socket));
        Ok(())
    }
}

impl Handler<Disconnect> for Relay {
    type Result = ();

    fn handle(&mut self, Disconnect { socket, reason }: Disconnect, _: &mut Context<Self>) {
        self.tell(Told::Disconnect(socket, reason));
    }
}

impl Handler<ServerEvent> for Relay {
    type Result = ();

    fn handle(&mut self, event: ServerEvent, _: &mut Context<Self>) {
        match event.name() {
            "fence" => event.ack.send(true),
            _ => self.tell(Told::ServerEvent(event)),
        }
    }
}

/// A server with the namespaces `/` and `/chat`.
pub(crate) struct Node {
    pub(crate) server: Server,
    told: UnboundedReceiver<Told>,
}

/// For a server of the Redis, with the name `node`, and the prefix `key` (`k`).
pub(crate) fn config(redis: &Redis, node: &str) -> Config {
    let mut config = Config::default();
    config.redis.uri = redis.url();
    config.redis.key = "k".to_owned();
    config.redis.node = node.to_owned();
    config.redis.requests_timeout = DEADLINE;
    config
}

impl Node {
    /// Builds it. It dials when its first client comes.
    pub(crate) fn build(config: Config) -> Self {
        let (sender, told) = unbounded_channel();
        let handlers = || {
            let sender = sender.clone();
            per_worker(move || Relay(sender.clone()))
                .on_connect()
                .on_disconnect()
                .on_server_event()
        };
        let server = Server::builder()
            .config(config)
            .namespace("/", handlers())
            .namespace("/chat", handlers())
            .build()
            .unwrap();
        Self { server, told }
    }

    /// Builds it, lets a first client in, and waits until it is part of the cluster.
    pub(crate) async fn start(config: Config) -> (Self, Client, Socket) {
        let mut node = Self::build(config);
        let (client, socket) = node.join().await;
        node.is_well().await;
        (node, client, socket)
    }

    /// Waits until all connections stand and hear.
    pub(crate) async fn is_well(&self) {
        eventually("a server without trouble", || {
            self.server.trouble().is_none()
        })
        .await;
    }

    /// Waits until it has noticed that something is wrong: what.
    pub(crate) async fn is_in_trouble(&self) -> String {
        let mut trouble = None;
        eventually("a server in trouble", || {
            trouble = self.server.trouble();
            trouble.is_some()
        })
        .await;
        trouble.unwrap()
    }

    /// A new client of `/`, and its socket.
    pub(crate) async fn join(&mut self) -> (Client, Socket) {
        self.join_in("/", ()).await
    }

    pub(crate) async fn join_in(
        &mut self,
        nsp: &str,
        auth: impl serde::Serialize,
    ) -> (Client, Socket) {
        let client = Client::connect_to(&self.server, nsp, auth).await.unwrap();
        loop {
            if let Told::Connect(socket) = self.next().await {
                return (client, socket);
            }
        }
    }

    /// What the handlers are told next.
    pub(crate) async fn next(&mut self) -> Told {
        within("something the handler is told", self.told.recv())
            .await
            .expect("the handler lives as long as its server")
    }

    /// What the handlers were told and nobody has taken.
    pub(crate) fn now(&mut self) -> Vec<Told> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }

    pub(crate) async fn server_event(&mut self) -> ServerEvent {
        loop {
            if let Told::ServerEvent(event) = self.next().await {
                return event;
            }
        }
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        support::counter(&self.server, name)
    }
}

/// A message on a channel.
pub(crate) type Heard = (String, Vec<u8>);

/// Somebody else at the same Redis.
pub(crate) struct Peer {
    publish: MultiplexedConnection,
    sink: PubSubSink,
    stream: PubSubStream,
    n_fences: usize,
}

impl Peer {
    /// One that hears what matches the patterns. Nobody counts on it.
    pub(crate) async fn new(redis: &Redis, patterns: &[&str]) -> Self {
        let client = redis::Client::open(redis.url()).unwrap();
        let publish = client.get_multiplexed_async_connection().await.unwrap();
        let (mut sink, stream) = client.get_async_pubsub().await.unwrap().split();
        for pattern in patterns {
            sink.psubscribe(pattern).await.unwrap();
        }
        Self {
            publish,
            sink,
            stream,
            n_fences: 0,
        }
    }

    /// One that hears every answer.
    pub(crate) async fn asking(redis: &Redis) -> Self {
        Self::new(redis, &["k-response#*", "k-sync#response#*"]).await
    }

    /// Subscribes to an exact channel: who does it with a channel of requests is counted on.
    pub(crate) async fn subscribe(&mut self, channel: &str) {
        self.sink.subscribe(channel).await.unwrap();
    }

    /// A command.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query_async(&mut self.publish).await.unwrap()
    }

    /// Publishes: how many connections have got it.
    pub(crate) async fn say(&mut self, channel: &str, payload: impl AsRef<[u8]>) -> usize {
        redis::cmd("PUBLISH")
            .arg(channel)
            .arg(payload.as_ref())
            .query_async(&mut self.publish)
            .await
            .unwrap()
    }

    /// What is heard next.
    pub(crate) async fn next(&mut self) -> Heard {
        let message = within("a message on Redis", self.stream.next()).await;
        let message = message.expect("the connection stands");
        (
            message.get_channel_name().to_owned(),
            message.get_payload_bytes().to_vec(),
        )
    }

    /// All that the server has said to what was published before. Its answers to three questions that take the three
    /// ways through it (registry, hub, handler) come last.
    pub(crate) async fn settled(&mut self) -> Vec<Heard> {
        self.settled_in("/").await
    }

    pub(crate) async fn settled_in(&mut self, nsp: &str) -> Vec<Heard> {
        self.n_fences += 1;
        let id = |way: &str| format!("fence-{}-{way}", self.n_fences);
        let ids = [id("registry"), id("hub"), id("handler")];
        let packet = json!({"type": 2, "data": ["fence"], "nsp": nsp});
        let fences = [
            json!({"requestId": &ids[0], "type": 1}),
            json!({"requestId": &ids[1], "type": 7, "packet": packet, "opts": {"rooms": ["nobody"]}}),
            json!({"requestId": &ids[2], "type": 6, "data": ["fence"]}),
        ];
        for fence in fences {
            let channel = format!("k-request#{nsp}#");
            self.say(&channel, fence.to_string()).await;
        }
        let (mut heard, mut left) = (Vec::new(), ids.to_vec());
        while !left.is_empty() {
            let message = self.next().await;
            // Of the peers there may be one that publishes junk: the test itself.
            let answer = try_value(&message.1).unwrap_or_default();
            match left.iter().position(|id| answer["requestId"] == **id) {
                Some(at) => drop(left.remove(at)),
                None => heard.push(message),
            }
        }
        heard
    }
}

/// A message, JSON or msgpack, without binary.
pub(crate) fn value(payload: &[u8]) -> Value {
    try_value(payload).expect("a message is JSON or msgpack")
}

fn try_value(payload: &[u8]) -> Option<Value> {
    match payload.first() {
        Some(b'{') => serde_json::from_slice(payload).ok(),
        _ => rmp_serde::from_slice(payload).ok(),
    }
}

/// A value as msgpack.
pub(crate) fn msgpack(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

/// Bytes in hexadecimal.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Everything that a client gets up to an event that is emitted to it now.
pub(crate) async fn events(client: &mut Client, socket: &Socket) -> Vec<(String, String)> {
    socket.emit("fence", ());
    let mut events = Vec::new();
    loop {
        let event = client.next_event().await.unwrap();
        if event.name == "fence" {
            return events;
        }
        events.push((event.name, event.args.raw_json().to_string()));
    }
}

/// Looks again and again.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let look = async {
        let mut again = tokio::time::interval(Duration::from_millis(5));
        while !is_so().await {
            again.tick().await;
        }
    };
    within(what, look).await;
}
