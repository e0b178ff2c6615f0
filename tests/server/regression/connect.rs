//! Coming in and going.

use std::sync::Arc;

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Connect, Disconnect, Disconnecting, Refusal, Server, per_worker};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::welcome;
use crate::support::tcp::{Ws, listen};
use crate::support::{Heard, Worker, eventually, on_actix, shared_ear, within};

#[test]
fn broadcasts_made_in_connect_reach_the_socket_after_its_answer() {
    on_actix(async {
        let handlers = welcome(|socket| {
            let nsp = socket.namespace();
            socket.join("a");
            socket.emit("1 it", ());
            nsp.to("a").emit("2 room", ());
            nsp.emit("3 all", ());
            socket.broadcast().emit("no: the others", ());
            nsp.to(socket.id()).emit("4 id", ());
            socket.emit("5 it", ());
        });
        let listening = listen(Config::default(), |builder| {
            builder.namespace("/", handlers)
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send("40").await;
        assert!(ws.text().await.starts_with("40{"));
        for expected in ["1 it", "2 room", "3 all", "4 id", "5 it"] {
            assert_eq!(ws.event().await.0, expected);
        }
    });
}

#[test]
fn a_socket_that_connect_disconnects_is_told() {
    on_actix(async {
        for close in [false, true] {
            let handlers = welcome(move |socket| {
                socket.emit("welcome", ());
                socket.disconnect(close);
            });
            let listening = listen(Config::default(), |builder| {
                builder.namespace("/", handlers)
            })
            .await;
            let mut ws = Ws::open(&listening).await;
            ws.send("40").await;
            assert!(ws.text().await.starts_with("40{"));
            assert_eq!(ws.event().await.0, "welcome");
            assert_eq!(ws.text().await, "41");
            if close {
                assert_eq!(ws.end().await.0, Some(1000));
            }
            let nsp = listening.server.root();
            eventually("the socket has gone", || nsp.n_sockets() == 0).await;
        }
    });
}

/// Lets everybody in who comes, but not before there is a permit, and tells of every end.
struct Slow {
    gate: Arc<Semaphore>,
    told: mpsc::UnboundedSender<String>,
}

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Handler<Connect> for Slow {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        socket.join("room");
        self.told.send(format!("{} comes", socket.id())).unwrap();
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            gate.acquire().await.expect("the gate stays").forget();
            Ok(())
        })
    }
}

impl Handler<Disconnecting> for Slow {
    type Result = ();

    fn handle(&mut self, ending: Disconnecting, _: &mut Context<Self>) {
        assert!(ending.socket.is_in("room"));
        self.told
            .send(format!("{} goes", ending.socket.id()))
            .unwrap();
    }
}

impl Handler<Disconnect> for Slow {
    type Result = ();

    fn handle(&mut self, Disconnect { socket, .. }: Disconnect, _: &mut Context<Self>) {
        self.told.send(format!("{} has gone", socket.id())).unwrap();
    }
}

#[test]
fn a_handler_hears_of_the_end_of_everybody_it_let_in() {
    on_actix(async {
        for handlers in [per_worker, greenroom::shared] {
            let gate = Arc::new(Semaphore::new(0));
            let (sender, mut told) = mpsc::unbounded_channel();
            let waits = Arc::clone(&gate);
            let factory: Box<dyn Fn() -> Slow + Send + Sync> = Box::new(move || Slow {
                gate: Arc::clone(&waits),
                told: sender.clone(),
            });
            let handlers = handlers(factory)
                .on_connect()
                .on_disconnecting()
                .on_disconnect();
            let server = Server::builder().namespace("/", handlers).build().unwrap();
            let connecting = actix::spawn({
                let server = server.clone();
                async move { drop(Client::connect(&server).await) }
            });
            let comes = within("the attempt", told.recv()).await.unwrap();
            let id = comes.strip_suffix(" comes").unwrap();
            connecting.abort();
            eventually("the client has gone", || server.n_sessions() == 0).await;
            assert!(told.try_recv().is_err(), "it is not in yet");
            gate.add_permits(1);
            assert_eq!(
                within("the end", told.recv()).await.unwrap(),
                format!("{id} goes")
            );
            assert_eq!(
                within("the end", told.recv()).await.unwrap(),
                format!("{id} has gone")
            );
            assert_eq!(server.root().n_sockets(), 0);
            assert_eq!(server.root().all_rooms().await.found, Vec::<String>::new());
        }
    });
}

#[test]
fn a_handler_hears_of_the_end_before_the_return() {
    on_actix(async {
        let mut config = Config::default();
        config.recovery.enabled = true;
        let workers = [Worker::new(), Worker::new()];
        let (handlers, mut hearing) = shared_ear();
        let builder = Server::builder().config(config);
        let server = builder.namespace("/", handlers).build().unwrap();
        let mut client = workers[0].connect(&server).await;
        let id = client.id().to_owned();
        server.emit("offset", ());
        let offset: String = client.event("offset").await.unwrap().args.first().unwrap();
        let auth = json!({ "pid": client.pid(), "offset": offset });
        let mut n_returns = 0;
        for round in 1..=50 {
            drop(client);
            // Until the old socket has gone the attempts get new ones.
            client = loop {
                let (server, auth) = (server.clone(), auth.clone());
                let again = workers[round % 2]
                    .run(move || async move { Client::connect_to(&server, "/", auth).await })
                    .await
                    .unwrap();
                if again.id() == id {
                    break again;
                }
            };
            n_returns += 1;
        }
        let mut is_here = false;
        let mut n_comings = 0;
        while n_comings <= n_returns {
            match hearing.next().await {
                Heard::Connect(socket) if socket.id().as_str() == id => {
                    assert!(!is_here, "it has returned before it went");
                    is_here = true;
                    n_comings += 1;
                }
                Heard::Disconnect(socket, ..) if socket.id().as_str() == id => {
                    assert!(is_here);
                    is_here = false;
                }
                _ => {}
            }
        }
    });
}
