//! A `rust_socketio` client that keeps what it hears until the test asks for it.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::Bytes;
use rust_socketio::asynchronous::{Client, ClientBuilder};
use rust_socketio::{Event, Payload, TransportType};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use crate::program::DEADLINE;
use crate::program::Program;

/// Something that a client heard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Connect,
    /// The server has disconnected the socket.
    Close,
    /// The connection failed, or a namespace refused.
    Error(String),
    Event(String, Vec<Value>),
    Binary(String, Bytes),
}

/// A connected client.
pub(crate) struct Peer {
    client: Client,
    inbox: UnboundedReceiver<Heard>,
    /// Heard, but not asked for yet.
    kept: VecDeque<Heard>,
}

impl Peer {
    /// A client in the root namespace, connected.
    pub(crate) async fn connect(program: &Program, transport: TransportType) -> Self {
        let mut peer = Self::open(program, transport, |builder| builder).await;
        peer.connected().await;
        peer
    }

    /// A client as `build` wants it, which may become connected or be refused.
    pub(crate) async fn open(
        program: &Program,
        transport: TransportType,
        build: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let (sender, inbox) = mpsc::unbounded_channel();
        let builder = ClientBuilder::new(program.url("/"))
            .transport_type(transport)
            .reconnect(false);
        let client = build(listen(builder, &sender)).connect().await;
        Self {
            client: client.expect("the handshake is accepted"),
            inbox,
            kept: VecDeque::new(),
        }
    }

    pub(crate) async fn emit(&self, event: &str, payload: impl Into<Payload>) {
        let sent = self.client.emit(event, payload).await;
        sent.expect("the connection is there");
    }

    /// Emits with an ack request: the arguments of the answer.
    pub(crate) async fn ask(&self, event: &str, payload: impl Into<Payload>) -> Vec<Value> {
        let (sender, mut answers) = mpsc::unbounded_channel();
        let keep = move |payload| {
            // The test may be over.
            let _ = sender.send(payload);
        };
        self.emit_with_ack(event, payload, keep).await;
        let answer = timeout(DEADLINE, answers.recv()).await;
        let answer = answer.ok().flatten();
        // The client hands over the array of the arguments as if it was the only one.
        match values(answer.expect("an answer comes in time")).as_slice() {
            [Value::Array(args)] => args.clone(),
            other => panic!("the answer to {event} is {other:?}"),
        }
    }

    /// Emits with an ack request.
    pub(crate) async fn emit_with_ack(
        &self,
        event: &str,
        payload: impl Into<Payload>,
        mut answered: impl FnMut(Payload) + Send + Sync + 'static,
    ) {
        let callback = move |payload, _| {
            answered(payload);
            ready()
        };
        let sent = self
            .client
            .emit_with_ack(event, payload, DEADLINE, callback)
            .await;
        sent.expect("the connection is there");
    }

    /// Lets the server do something, and gives what it replies.
    pub(crate) async fn control(&self, op: &str, params: Value) -> Value {
        let mut reply = self.ask(&format!("ctl:{op}"), params).await;
        reply.pop().expect("a reply has one argument")
    }

    /// Waits for the connection.
    pub(crate) async fn connected(&mut self) {
        self.wait(|heard| (*heard == Heard::Connect).then_some(()))
            .await;
    }

    /// Waits until the server has decided: whether it lets the client in.
    pub(crate) async fn is_admitted(&mut self) -> bool {
        self.wait(|heard| match heard {
            Heard::Connect => Some(true),
            Heard::Error(_) => Some(false),
            _ => None,
        })
        .await
    }

    /// Waits for an event: its arguments.
    pub(crate) async fn next(&mut self, event: &str) -> Vec<Value> {
        self.wait(|heard| match heard {
            Heard::Event(name, args) if name == event => Some(args.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for an event with an attachment: that attachment.
    pub(crate) async fn next_binary(&mut self, event: &str) -> Bytes {
        self.wait(|heard| match heard {
            Heard::Binary(name, bytes) if name == event => Some(bytes.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for an error: its text.
    pub(crate) async fn error(&mut self) -> String {
        self.wait(|heard| match heard {
            Heard::Error(text) => Some(text.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the first thing that `find` accepts, heard already or not.
    pub(crate) async fn wait<T>(&mut self, find: impl Fn(&Heard) -> Option<T>) -> T {
        if let Some(index) = self.kept.iter().position(|heard| find(heard).is_some()) {
            let found = self.kept.remove(index).and_then(|heard| find(&heard));
            return found.expect("it was found a moment ago");
        }
        let wanted = async {
            loop {
                let heard = self.inbox.recv().await.expect("the client lives as long");
                if let Some(found) = find(&heard) {
                    return found;
                }
                self.kept.push_back(heard);
            }
        };
        let found = timeout(DEADLINE, wanted).await;
        found.unwrap_or_else(|_| panic!("it does not come; heard so far: {:?}", self.kept))
    }

    pub(crate) async fn disconnect(&self) {
        let sent = self.client.disconnect().await;
        sent.expect("the connection is there");
    }
}

/// What a callback of the client returns.
type Ready = Pin<Box<dyn Future<Output = ()> + Send>>;

fn ready() -> Ready {
    Box::pin(std::future::ready(()))
}

/// Sends all that a client hears to `sender`.
fn listen(builder: ClientBuilder, sender: &UnboundedSender<Heard>) -> ClientBuilder {
    let keep = |heard: fn(Payload) -> Heard| {
        let sender = sender.clone();
        move |payload: Payload, _: Client| {
            let _ = sender.send(heard(payload));
            ready()
        }
    };
    let any = sender.clone();
    builder
        .on(Event::Connect, keep(|_| Heard::Connect))
        .on(Event::Close, keep(|_| Heard::Close))
        .on(Event::Error, keep(|payload| Heard::Error(text(&payload))))
        .on_any(move |event, payload, _| {
            let name = event.to_string();
            let _ = any.send(match payload {
                Payload::Binary(bytes) => Heard::Binary(name, bytes),
                other => Heard::Event(name, values(other)),
            });
            ready()
        })
}

fn values(payload: Payload) -> Vec<Value> {
    match payload {
        Payload::Text(values) => values,
        other => vec![json!(format!("{other:?}"))],
    }
}

fn text(payload: &Payload) -> String {
    match payload {
        Payload::Text(values) => values.iter().map(ToString::to_string).collect(),
        other => format!("{other:?}"),
    }
}
