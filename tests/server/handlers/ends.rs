//! Emits from elsewhere, and what ends a socket.

use std::time::Duration;

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Disconnect, DisconnectReason, Server, Socket, per_worker};
use tokio::sync::mpsc;

use super::serve;
use crate::support::tcp::{Raw, frame, http, join_polling, listen, post, text_frame};
use crate::support::{Heard, Worker, counter, ear, lobby, on_actix, within};

#[test]
fn emits_before_any_runtime_reach_nobody_and_do_no_harm() {
    let (handlers, mut hearing) = ear();
    let server = serve(handlers);
    let clone = server.clone();
    let early = std::thread::spawn(move || {
        clone.emit("early", 1);
        clone.root().to("room").emit("early", 2);
        clone.root().sockets_join("room");
        clone.root().disconnect_sockets(true);
        clone.close();
    });
    early.join().unwrap();
    on_actix(async {
        let mut client = Client::connect(&server).await.unwrap();
        let socket = hearing.connected().await;
        assert_eq!(socket.rooms().len(), 1);
        server.emit("now", ());
        assert_eq!(client.next_event().await.unwrap().name, "now");
    });
}

#[test]
fn plain_threads_emit_while_it_runs() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let workers = [Worker::new(), Worker::new()];
        let mut clients = Vec::new();
        for worker in &workers {
            clients.push(lobby.join_on(worker).await);
        }
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (server, socket) = (lobby.server.clone(), clients[0].1.clone());
                std::thread::spawn(move || {
                    for n in 0..100 {
                        server.emit("all", (thread, n));
                        socket.emit("one", (thread, n));
                    }
                })
            })
            .collect();
        // What one thread emits to one socket comes in its order, whatever the others do.
        for (n_client, (client, _)) in clients.iter_mut().enumerate() {
            let mut next = [[0; 2]; 4];
            let n_expected = if n_client == 0 { 800 } else { 400 };
            for _ in 0..n_expected {
                let event = client.next_event().await.unwrap();
                let (thread, n): (usize, i32) = event.args.parse().unwrap();
                let next = &mut next[thread];
                assert_eq!(n, next[usize::from(event.name == "one")]);
                next[usize::from(event.name == "one")] += 1;
                assert!(next[1] <= next[0], "an emit overtook a broadcast");
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn disconnecting_still_reads_the_rooms_and_disconnect_follows() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (client, socket) = lobby.join().await;
        socket.join(["b", "a"]);
        let id = client.id().to_owned();
        client.disconnect().await;
        let reason = DisconnectReason::ClientNamespaceDisconnect;
        match lobby.hearing.next().await {
            Heard::Disconnecting(socket, rooms, why) => {
                assert_eq!(socket.id().as_str(), id);
                assert_eq!(rooms, [id.as_str(), "a", "b"]);
                assert_eq!(why, reason);
                assert!(!socket.is_connected());
            }
            other => panic!("{other:?}"),
        }
        match lobby.hearing.next().await {
            Heard::Disconnect(socket, rooms, why) => {
                assert_eq!(socket.id().as_str(), id);
                assert_eq!(rooms, Vec::<String>::new());
                assert_eq!(why, reason);
            }
            other => panic!("{other:?}"),
        }
        socket.join("c");
        assert!(!socket.is_in("c"), "nothing can be joined after the end");
        assert_eq!(lobby.server.root().n_sockets(), 0);
        assert_eq!(
            lobby.server.root().all_rooms().await.found,
            Vec::<String>::new()
        );
    });
}

#[test]
fn the_server_says_why_it_ends_sockets() {
    type End = fn(&Server, &Socket);
    let table: [(&str, End); 5] = [
        ("server namespace disconnect", |_, socket| {
            socket.disconnect(false)
        }),
        ("server namespace disconnect", |_, socket| {
            socket.disconnect(true)
        }),
        ("server namespace disconnect", |server, _| {
            server.root().disconnect_sockets(true)
        }),
        ("forced close", |_, socket| socket.drop_transport()),
        ("server shutting down", |server, _| server.close()),
    ];
    for (reason, end) in table {
        on_actix(async {
            let mut lobby = lobby(Config::default());
            let (mut client, socket) = lobby.join().await;
            end(&lobby.server, &socket);
            let (gone, why) = lobby.hearing.gone().await;
            assert_eq!(gone, socket);
            assert_eq!(why.to_string(), reason);
            client.disconnected().await.unwrap();
        });
    }
}

#[test]
fn clients_and_their_connections_end_sockets_for_a_reason() {
    on_actix(async {
        let mut config = Config::default();
        config.engine.ping_interval = Duration::from_millis(300);
        config.engine.ping_timeout = Duration::from_millis(200);
        let (handlers, mut hearing) = ear();
        let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
        let close_frame = frame(8, &1000_u16.to_be_bytes());
        let table: [(&str, Option<Vec<u8>>); 9] = [
            ("transport close", Some(close_frame)),
            ("transport close", Some(text_frame("1"))),
            ("client namespace disconnect", Some(text_frame("41"))),
            ("forced close", Some(text_frame("4nonsense"))),
            ("forced close", Some(text_frame(r#"42/other,["a"]"#))),
            ("parse error", Some(text_frame("nonsense"))),
            ("transport error", Some(text_frame("2"))),
            ("transport error", Some(vec![0xff, 0xff])),
            ("ping timeout", None),
        ];
        for (reason, bytes) in table {
            let mut raw = Raw::join(&listening).await;
            hearing.connected().await;
            if let Some(bytes) = &bytes {
                raw.write(bytes).await;
            }
            let (_, why) = hearing.gone().await;
            assert_eq!(why.to_string(), reason, "{bytes:?}");
        }
        // By polling, with no poll that could take the end along.
        let sid = join_polling(&listening).await;
        http(&listening, &post(&sid, r#"42/other,["a"]"#)).await;
        assert_eq!(hearing.gone().await.1.to_string(), "forced server close");
        let gone = {
            let raw = Raw::join(&listening).await;
            hearing.connected().await;
            drop(raw);
            hearing.gone().await
        };
        assert_eq!(gone.1.to_string(), "transport close");
        assert_eq!(counter(&listening.server, "ping_timeout"), 1);
    });
}

/// Hears only of the end: the registration decides, not the implementations.
struct OnlyEnd(mpsc::UnboundedSender<DisconnectReason>);

impl Actor for OnlyEnd {
    type Context = Context<Self>;
}

impl Handler<Disconnect> for OnlyEnd {
    type Result = ();

    fn handle(&mut self, Disconnect { reason, .. }: Disconnect, _: &mut Context<Self>) {
        self.0.send(reason).unwrap();
    }
}

#[test]
fn a_handler_hears_only_what_it_is_registered_for() {
    on_actix(async {
        let (sender, mut heard) = mpsc::unbounded_channel();
        let server = serve(per_worker(move || OnlyEnd(sender.clone())).on_disconnect());
        let mut client = Client::connect(&server).await.unwrap();
        client.emit("a", ()).await.unwrap();
        client.disconnect().await;
        let reason = within("the end", heard.recv()).await;
        assert_eq!(reason, Some(DisconnectReason::ClientNamespaceDisconnect));
        assert_eq!(counter(&server, "unhandled_event"), 1);
    });
}
