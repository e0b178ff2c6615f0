//! Sending, and the workers it is done on.

use std::time::Duration;

use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{DisconnectReason, Namespace, Server};
use serde_json::json;

use crate::support::scrape::scraped;
use crate::support::{Worker, lobby, on_actix, shared_ear, within};

#[test]
fn a_broadcast_reaches_a_worker_that_is_new() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (here, there) = (Worker::new(), Worker::new());
        let (mut first, _) = lobby.join_on(&here).await;
        // The first worker is busy while the second gets its first client.
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let server = lobby.server.clone();
        here.start(move || async move {
            told.recv().unwrap();
            server.emit("news", ());
        });
        let (mut second, _) = lobby.join_on(&there).await;
        tell.send(()).unwrap();
        second.event("news").await.unwrap();
        first.event("news").await.unwrap();
    });
}

#[test]
fn a_worker_does_what_another_thread_asks_of_it_in_that_order() {
    on_actix(async {
        const ROUNDS: usize = 2000;
        let (worker, other) = (Worker::new(), Worker::new());
        let mut lobby = lobby(Config::default());
        let (mut client, socket) = lobby.join_on(&worker).await;
        let _elsewhere = lobby.join_on(&other).await;
        let nsp = lobby.server.root();
        // The worker begins while we still ask. That somebody is in a room we say before anybody there can know it.
        for round in 0..ROUNDS {
            match round % 3 {
                0 => nsp.sockets_join("x"),
                1 => nsp.to(socket.id()).sockets_join("x"),
                _ => socket.join("y"),
            }
            nsp.to(["x", "y"]).emit("e", round);
            nsp.sockets_leave("x");
            socket.leave("y");
            nsp.to("x").emit("nobody is there", round);
            nsp.to("y").emit("nobody is there", round);
        }
        for round in 0..ROUNDS {
            let event = client.next_event().await.unwrap();
            assert_eq!(event.name, "e");
            assert_eq!(event.args.first::<usize>().unwrap(), round);
        }
    });
}

#[test]
fn workers_that_do_not_have_a_room_are_not_told_of_it() {
    on_actix(async {
        let (idle, busy) = (Worker::new(), Worker::new());
        let mut lobby = lobby(Config::default());
        let (mut client, socket) = lobby.join_on(&idle).await;
        let (mut blocked, other) = lobby.join_on(&busy).await;
        other.join("room");
        // Answered by the worker, so it has carried out the join.
        other.emit("in", ());
        blocked.event("in").await.unwrap();
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let (tell, is_blocked) = tokio::sync::oneshot::channel();
        busy.start(move || async move {
            tell.send(()).unwrap();
            held.recv().unwrap();
        });
        within("a worker that does nothing", is_blocked)
            .await
            .unwrap();
        let nsp = lobby.server.root();
        for n in 0..10 {
            nsp.to(socket.id()).emit("private", n);
            nsp.to("room").emit("to the other", n);
            nsp.to(socket.id()).sockets_join("room of one");
            nsp.to("room of one").emit("to a room", n);
        }
        for _ in 0..10 {
            client.event("private").await.unwrap();
            client.event("to a room").await.unwrap();
        }
        let backlog = scraped(&lobby.server).await["greenroom_worker_backlog"];
        assert!((10.0..=20.0).contains(&backlog), "{backlog}");
        let asking = nsp.to(socket.id()).emit_with_ack("ask", ());
        let (answers, ()) = tokio::join!(within("the answer", asking), async {
            let asked = client.event("ask").await.unwrap();
            client.ack(asked.ack.unwrap(), ()).await.unwrap();
        });
        assert!(
            answers.unwrap().is_complete(),
            "the blocked worker is not waited for"
        );
        let_go.send(()).unwrap();
        for n in 0..10 {
            let event = blocked.event("to the other").await.unwrap();
            assert_eq!(event.args.first::<usize>().unwrap(), n);
        }
    });
}

#[test]
fn the_handle_of_a_socket_is_good_after_its_return() {
    on_actix(async {
        let mut config = Config::default();
        config.recovery.enabled = true;
        let mut lobby = lobby(config);
        let (mut client, old) = lobby.join().await;
        old.emit("offset", ());
        let offset: String = client.event("offset").await.unwrap().args.first().unwrap();
        let auth = json!({ "pid": client.pid(), "offset": offset });
        drop(client);
        lobby.hearing.gone().await;
        let mut client = Client::connect_to(&lobby.server, "/", auth).await.unwrap();
        let new = lobby.hearing.connected().await;
        assert!(new.is_recovered());
        assert_eq!(new, old);
        // A task that began before the interruption ends now. In the reference the packet goes to the room of the id.
        old.emit("result", 42);
        new.emit("fence", ());
        assert_eq!(client.next_event().await.unwrap().name, "result");
    });
}

#[test]
fn a_worker_that_ends_takes_its_sessions_along_and_no_others() {
    on_actix(async {
        let (handlers, mut hearing) = shared_ear();
        let server = Server::builder().namespace("/", handlers).build().unwrap();
        let mut stays = Client::connect(&server).await.unwrap();
        let worker = Worker::new();
        let mut goes = worker.connect(&server).await;
        hearing.connected().await;
        hearing.connected().await;
        worker.stop();
        goes.disconnected().await.unwrap();
        let (gone, reason) = hearing.gone().await;
        assert_eq!(gone.id().as_str(), goes.id());
        assert_eq!(reason, DisconnectReason::ServerShuttingDown);
        assert_eq!(server.n_sessions(), 1);
        let nsp: Namespace = server.root();
        assert_eq!(nsp.fetch_sockets().await.len(), 1);
        // Broadcasts with acks do not wait for the worker that is no more.
        let asking = nsp
            .timeout(Duration::from_secs(3600))
            .emit_with_ack("ask", ());
        let (answers, ()) = tokio::join!(within("all answers", asking), async {
            let asked = stays.event("ask").await.unwrap();
            stays.ack(asked.ack.unwrap(), ()).await.unwrap();
        });
        assert!(answers.unwrap().is_complete());
    });
}

#[test]
fn a_server_outlives_the_system_it_was_first_used_on() {
    let (handlers, _hearing) = shared_ear();
    let server = Server::builder().namespace("/", handlers).build().unwrap();
    for _ in 0..2 {
        let server = server.clone();
        // As in two tests of a program that share a server.
        let test = std::thread::spawn(move || {
            on_actix(async {
                let mut client = Client::connect(&server).await.unwrap();
                server.emit("e", ());
                assert_eq!(client.next_event().await.unwrap().name, "e");
                assert_eq!(server.root().fetch_sockets().await.len(), 1);
                assert_eq!(server.root().all_rooms().await.found, [client.id()]);
            });
        });
        test.join().unwrap();
    }
}
