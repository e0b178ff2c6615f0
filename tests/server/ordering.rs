//! Everything that one handler sends to one socket arrives in call order: emits, broadcasts, acks, requests for acks,
//! the end; whatever worker the socket is on.
//!
//! Each instance of the handler numbers what it does. A client checks that the numbers of an instance only rise, over
//! events and acks together. Were broadcasts to take another way than acks, the first number out of turn would end the
//! test. This was tried: with each fan-out passed on by another thread (as by a registry in between) all tests but the
//! last fail; with fan-outs sent through the mailbox of the own hub while acks go directly, those of `per_worker` do.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::{Binary, Connect, Handlers, On, Refusal, Server, Socket, per_worker, shared};
use serde_json::json;
use tokio::sync::mpsc;

use crate::support::tcp::{
    Arrived, Listening, Raw, Ws, get, http, join_polling, listen_with, open_polling, post,
    text_frame,
};
use crate::support::{self, ear, on_actix, within};

const N_CLIENTS: usize = 6;
const N_STEPS: u64 = 200;
/// What one step sends to everybody.
const BROADCASTS_PER_STEP: u64 = 3;

/// Does a bit of everything at each step; keeps all sockets it has let in.
struct Busy {
    instance: u64,
    sent: u64,
    sockets: Vec<Socket>,
}

impl Busy {
    fn factory() -> impl Fn() -> Self + Send + Sync + 'static {
        let n_made = AtomicU64::new(0);
        move || Self {
            instance: n_made.fetch_add(1, Ordering::SeqCst),
            sent: 0,
            sockets: Vec::new(),
        }
    }

    /// The number of the next thing that is sent.
    fn stamp(&mut self) -> (u64, u64) {
        self.sent += 1;
        (self.instance, self.sent)
    }

    fn step(&mut self, socket: &Socket) {
        let server = socket.namespace();
        let room = socket.namespace().to("all");
        socket.emit("s", self.stamp());
        room.emit("s", self.stamp());
        // To somebody else, who may be on another worker.
        let other = usize::try_from(self.sent).unwrap() % self.sockets.len();
        let other = self.sockets[other].clone();
        other.emit("s", self.stamp());
        let (instance, sent) = self.stamp();
        let bytes = Binary::from(sent.to_be_bytes().to_vec());
        server.emit("b", (instance, sent, bytes));
        // Joins and leaves are in order too: what follows a leave must not arrive.
        let private = format!("private {}", socket.id());
        other.join(&private);
        server.to(&private).emit("s", self.stamp());
        other.leave(&*private);
        server.to(&private).emit("after leaving", self.stamp());
        server.to(["all", &*private]).emit("s", self.stamp());
    }
}

impl Actor for Busy {
    type Context = Context<Self>;
}

impl Handler<Connect> for Busy {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        socket.join("all");
        self.sockets.push(socket);
        Ok(())
    }
}

impl Handler<On<u64>> for Busy {
    type Result = ();

    fn handle(&mut self, on: On<u64>, _: &mut Context<Self>) {
        self.step(&on.socket);
        on.ack.send(self.stamp());
        on.socket.emit("s", self.stamp());
    }
}

/// The same, with a pause in between, in which other events are handled.
#[derive(serde::Deserialize)]
struct Pausing(#[expect(dead_code, reason = "tells this event from the other")] u64);

impl Handler<On<Pausing>> for Busy {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, on: On<Pausing>, _: &mut Context<Self>) -> Self::Result {
        self.step(&on.socket);
        let pause = tokio::task::yield_now().into_actor(self);
        Box::pin(pause.map(move |(), busy, _| {
            on.ack.send(busy.stamp());
            on.socket.emit("s", busy.stamp());
        }))
    }
}

fn busy(handlers: Handlers<Busy>) -> Handlers<Busy> {
    handlers
        .on_connect()
        .on::<u64>("step")
        .on::<Pausing>("pausing")
}

/// What a client has seen so far.
#[derive(Debug, Default)]
struct Seen {
    /// The last number of each instance.
    last: HashMap<u64, u64>,
    n_acks: u64,
    n_binary: u64,
    /// The number that the next binary message has to carry.
    attachment: Option<u64>,
}

impl Seen {
    fn number(&mut self, text: &str, instance: u64, number: u64) {
        let last = self.last.entry(instance).or_default();
        assert!(
            number > *last,
            "{text} came after number {last} of its instance"
        );
        *last = number;
    }

    fn text(&mut self, text: &str) {
        assert_eq!(
            self.attachment, None,
            "{text} came between a packet and its attachment"
        );
        if let Some(array) = text.strip_prefix(r#"42["s","#) {
            let (instance, number) = serde_json::from_str(&format!("[{array}")).unwrap();
            self.number(text, instance, number);
        } else if let Some(ack) = text.strip_prefix("43") {
            let array = ack.trim_start_matches(|c: char| c.is_ascii_digit());
            let (instance, number) = serde_json::from_str(array).unwrap();
            self.number(text, instance, number);
            self.n_acks += 1;
        } else if let Some(array) = text.strip_prefix(r#"451-["b","#) {
            let (instance, number, _): (u64, u64, serde_json::Value) =
                serde_json::from_str(&format!("[{array}")).unwrap();
            self.number(text, instance, number);
            self.attachment = Some(number);
            self.n_binary += 1;
        } else {
            panic!("unexpected: {text}");
        }
    }

    fn binary(&mut self, bytes: &[u8]) {
        let expected = self.attachment.take().map(u64::to_be_bytes);
        assert_eq!(expected.as_ref().map(|bytes| &bytes[..]), Some(bytes));
    }

    fn is_complete(&self) -> bool {
        let n_all = u64::try_from(N_CLIENTS).unwrap() * N_STEPS;
        self.attachment.is_none() && self.n_acks >= N_STEPS && self.n_binary >= n_all
    }
}

/// Sends all steps and reads until everything that is certain to come has come.
async fn drive(mut ws: Ws) -> Seen {
    let mut seen = Seen::default();
    for n in 0..N_STEPS {
        let event = if n % 3 == 0 { "pausing" } else { "step" };
        ws.send(&format!(r#"42{n}["{event}",{n}]"#)).await;
        // Some answers are read meanwhile, so that requests and answers overlap.
        if n % 2 == 1 {
            take(&mut ws, &mut seen).await;
        }
    }
    while !seen.is_complete() {
        take(&mut ws, &mut seen).await;
    }
    seen
}

async fn take(ws: &mut Ws, seen: &mut Seen) {
    match ws.next().await {
        Arrived::Text(text) => seen.text(&text),
        Arrived::Binary(bytes) => seen.binary(&bytes),
        other @ Arrived::End(..) => panic!("{other:?}"),
    }
}

async fn serve_busy(carrier: &str, handlers: Handlers<Busy>) -> Listening {
    let config = Config::from_toml(&format!("[server]\ncarrier = {carrier:?}")).unwrap();
    listen_with(3, config, |builder| builder.namespace("/", busy(handlers))).await
}

async fn everything_arrives_in_call_order(carrier: &str, handlers: Handlers<Busy>) {
    let listening = serve_busy(carrier, handlers).await;
    let mut clients = Vec::new();
    for _ in 0..N_CLIENTS {
        clients.push(Ws::join(&listening, json!({})).await.0);
    }
    let clients: Vec<_> = clients
        .into_iter()
        .map(|ws| actix::spawn(drive(ws)))
        .collect();
    let mut n_numbers = 0;
    for client in clients {
        let seen = client.await.unwrap();
        n_numbers += seen.last.values().sum::<u64>();
    }
    assert!(n_numbers > BROADCASTS_PER_STEP * N_STEPS);
}

#[test]
fn what_an_instance_of_a_worker_sends_arrives_in_call_order() {
    on_actix(everything_arrives_in_call_order(
        "direct",
        per_worker(Busy::factory()),
    ));
}

#[test]
fn what_a_shared_instance_sends_arrives_in_call_order() {
    on_actix(everything_arrives_in_call_order(
        "direct",
        shared(Busy::factory()),
    ));
}

#[test]
fn what_an_instance_of_a_worker_sends_arrives_in_call_order_inside_an_app() {
    on_actix(everything_arrives_in_call_order(
        "mounted",
        per_worker(Busy::factory()),
    ));
}

#[test]
fn what_a_shared_instance_sends_arrives_in_call_order_inside_an_app() {
    on_actix(everything_arrives_in_call_order(
        "mounted",
        shared(Busy::factory()),
    ));
}

#[test]
fn polls_bring_everything_in_call_order() {
    on_actix(async {
        let listening = serve_busy("direct", per_worker(Busy::factory())).await;
        let mut others = Vec::new();
        for _ in 1..N_CLIENTS {
            others.push(Ws::join(&listening, json!({})).await.0);
        }
        let sid = open_polling(&listening).await;
        assert_eq!(http(&listening, &post(&sid, "40")).await.0, 200);
        let mut payload = poll(&listening, &sid).await;
        assert!(payload.remove(0).starts_with("40"), "{payload:?}");
        let others: Vec<_> = others
            .into_iter()
            .map(|ws| actix::spawn(drive(ws)))
            .collect();
        let steps: Vec<_> = (0..N_STEPS)
            .map(|n| format!(r#"42{n}["step",{n}]"#))
            .collect();
        assert_eq!(
            http(&listening, &post(&sid, &steps.join("\x1e"))).await.0,
            200
        );
        let mut seen = Seen::default();
        while !seen.is_complete() {
            for packet in payload.drain(..) {
                match packet.strip_prefix('b') {
                    Some(base64) => seen.binary(&decode(base64)),
                    None if packet == "2" => {
                        http(&listening, &post(&sid, "3")).await;
                    }
                    None => seen.text(&packet),
                }
            }
            if !seen.is_complete() {
                payload = poll(&listening, &sid).await;
            }
        }
        for other in others {
            other.await.unwrap();
        }
    });
}

#[test]
fn an_upgrade_loses_doubles_and_reorders_nothing() {
    on_actix(async {
        for carrier in ["direct", "mounted"] {
            let config = Config::from_toml(&format!("[server]\ncarrier = {carrier:?}")).unwrap();
            let (handlers, mut hearing) = ear();
            let listening =
                listen_with(3, config, |builder| builder.namespace("/", handlers)).await;
            // Consecutive connections land on different workers, so most of these change over to another one.
            let upgrades: Vec<_> = (0..12)
                .map(|_| {
                    let listening = listening.clone();
                    actix::spawn(async move { upgrade(&listening).await })
                })
                .collect();
            let emitting = listening.server.clone();
            let is_over = Arc::new(AtomicBool::new(false));
            let stops = Arc::clone(&is_over);
            let thread = std::thread::spawn(move || {
                let mut n = 0;
                while !stops.load(Ordering::Relaxed) {
                    emitting.emit("n", n);
                    n += 1;
                    std::thread::yield_now();
                }
            });
            for upgrade in upgrades {
                upgrade.await.unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
            thread.join().unwrap();
            // What the clients said came in order too.
            let mut next: HashMap<_, u64> = HashMap::new();
            for _ in 0..12 * 4 {
                let event = hearing.event().await;
                let next = next.entry(event.socket.id().clone()).or_default();
                assert_eq!(event.args().first::<u64>().unwrap(), *next);
                *next += 1;
            }
        }
    });
}

/// A client that changes from polling to WebSocket under load; panics if a number is missing or out of turn.
async fn upgrade(listening: &Listening) {
    let mut numbers = Numbers::default();
    let sid = join_polling(listening).await;
    http(listening, &post(&sid, "42[\"c\",0]")).await;
    for _ in 0..3 {
        numbers.take(&poll(listening, &sid).await);
    }
    let mut raw = Raw::websocket(listening, &format!("&sid={sid}")).await;
    raw.write(&text_frame("2probe")).await;
    // Polling goes on meanwhile.
    let (answer, ()) = tokio::join!(raw.text(), async {
        numbers.take(&poll(listening, &sid).await);
        http(listening, &post(&sid, "42[\"c\",1]")).await;
    });
    assert_eq!(answer, "3probe");
    numbers.take(&poll(listening, &sid).await);
    let changed = [
        text_frame("5"),
        text_frame("42[\"c\",2]"),
        text_frame("42[\"c\",3]"),
    ];
    raw.write(&changed.concat()).await;
    for _ in 0..200 {
        let text = raw.text().await;
        numbers.take(&[text]);
    }
}

/// Sees to it that numbers come one after the other.
#[derive(Default)]
struct Numbers(Option<u64>);

impl Numbers {
    fn take(&mut self, packets: &[String]) {
        for packet in packets {
            let Some(number) = packet.strip_prefix(r#"42["n","#) else {
                // A noop lets a poll go.
                assert!(packet == "6" || packet.starts_with("40"), "{packet}");
                continue;
            };
            let number = number.trim_end_matches(']').parse().unwrap();
            assert!(
                self.0.is_none_or(|last| number == last + 1),
                "{:?} {packet}",
                self.0
            );
            self.0 = Some(number);
        }
    }
}

async fn poll(listening: &Listening, sid: &str) -> Vec<String> {
    let (status, response) = http(listening, &get(&format!("&sid={sid}"))).await;
    assert_eq!(status, 200, "{response}");
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    body.split('\x1e').map(str::to_owned).collect()
}

fn decode(base64: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::prelude::BASE64_STANDARD, base64).unwrap()
}

#[test]
fn the_end_comes_after_everything_that_was_sent_before() {
    on_actix(async {
        for close in [false, true] {
            let (handlers, mut hearing) = ear();
            let listening = listen_with(2, Config::default(), |builder| {
                builder.namespace("/", handlers)
            })
            .await;
            let (mut ws, _) = Ws::join(&listening, json!({})).await;
            let socket = hearing.connected().await;
            // From a thread that has no hub: through the mailbox.
            let (server, n_last) = (listening.server.clone(), 500);
            let thread = std::thread::spawn(move || {
                for n in (0..n_last).step_by(2) {
                    socket.emit("n", n);
                    server.emit("n", n + 1);
                }
                socket.disconnect(close);
                socket.emit("never", ());
                server.emit("never", ());
            });
            for n in 0..n_last {
                assert_eq!(ws.event().await, ("n".to_owned(), vec![json!(n)]));
            }
            assert_eq!(ws.text().await, "41");
            if close {
                assert_eq!(ws.end().await.0, Some(1000));
            }
            thread.join().unwrap();
        }
    });
}

#[test]
fn events_of_one_client_reach_a_handler_in_order_on_every_worker() {
    on_actix(async {
        let (sender, mut heard) = mpsc::unbounded_channel();
        let sender = Arc::new(sender);
        let handlers = shared(move || Listing(Arc::clone(&sender))).on::<(usize, u64)>("n");
        let server = Server::builder().namespace("/", handlers).build().unwrap();
        let workers = [support::Worker::new(), support::Worker::new()];
        for client in 0..4 {
            let server = server.clone();
            workers[client % 2].start(move || async move {
                let mut to = greenroom::testing::Client::connect(&server).await.unwrap();
                for n in 0..1000_u64 {
                    to.emit("n", (client, n)).await.unwrap();
                }
                to.emit_with_ack("n", (client, 1000_u64)).await.unwrap();
            });
        }
        let mut next = [0; 4];
        for _ in 0..4 * 1001 {
            let (client, n) = within("an event", heard.recv()).await.unwrap();
            assert_eq!(n, next[client]);
            next[client] += 1;
        }
    });
}

/// Passes what it hears on to the test.
struct Listing(Arc<mpsc::UnboundedSender<(usize, u64)>>);

impl Actor for Listing {
    type Context = Context<Self>;
}

impl Handler<On<(usize, u64)>> for Listing {
    type Result = ();

    fn handle(&mut self, on: On<(usize, u64)>, _: &mut Context<Self>) {
        self.0.send(on.args).unwrap();
        on.ack.send(());
    }
}
