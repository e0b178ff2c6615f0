//! What can be asked of rooms and of their sockets, and who hears of them.

use std::collections::BTreeMap;

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Namespace, RoomEvent, Server, Socket};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Party;
use crate::support::tcp::{Ws, listen};
use crate::support::{ear, lobby, on_actix, within};

#[test]
fn fetch_sockets_finds_whom_a_broadcast_would_reach() {
    on_actix(async {
        let party = Party::new().await;
        let (nsp, a) = (party.root(), party.socket("a"));
        a.set_data(&json!({ "n": 1 })).unwrap();
        let names: BTreeMap<_, _> = party
            .guests
            .iter()
            .map(|(name, (_, socket))| (socket.id().to_string(), *name))
            .collect();
        let table = [
            (nsp.all(), "abcd"),
            (nsp.to("r1"), "ab"),
            (nsp.to(["r1", "r2"]), "abc"),
            (nsp.except("r1"), "cd"),
            (nsp.to("r1").except("r2"), "a"),
            (nsp.to(a.id()), "a"),
            (a.to("r1"), "b"),
            (a.broadcast(), "bcd"),
            (nsp.to("r3"), ""),
        ];
        for (broadcast, expected) in table {
            let found = broadcast.clone().fetch_sockets().await;
            let ids: Vec<_> = found.iter().map(|socket| socket.id().as_str()).collect();
            assert!(ids.is_sorted(), "{ids:?}");
            let mut found: Vec<_> = ids.iter().map(|id| names[*id]).collect();
            found.sort_unstable();
            assert_eq!(found.concat(), expected, "{broadcast:?}");
        }
        let found = nsp.to(a.id()).fetch_sockets().await;
        assert_eq!(found[0].rooms(), [a.id().as_str(), "r1"]);
        assert_eq!(found[0].data::<Value>().unwrap(), json!({ "n": 1 }));
    });
}

#[test]
fn a_fetched_socket_has_the_shape_of_the_reference() {
    on_actix(async {
        let (handlers, mut hearing) = ear();
        let listening = listen(Config::default(), |builder| {
            builder.namespace("/", handlers)
        })
        .await;
        let (_ws, joined) = Ws::join(&listening, json!({ "token": [1] })).await;
        let socket = hearing.connected().await;
        socket.join("room");
        socket.set_data(&json!({ "name": "Ada" })).unwrap();
        let found = listening.server.root().fetch_sockets().await;
        let mut value = serde_json::to_value(&found[0]).unwrap();
        let handshake = value["handshake"].as_object_mut().unwrap();
        let headers = handshake.remove("headers").unwrap();
        assert_eq!(headers["host"], listening.address.to_string());
        assert_eq!(headers["upgrade"], "websocket");
        let issued = handshake.remove("issued").unwrap();
        assert!(issued.as_u64().unwrap() > 1_700_000_000_000, "{issued}");
        let time = handshake.remove("time").unwrap();
        assert!(!time.as_str().unwrap().is_empty());
        assert_eq!(
            value,
            json!({
                "id": joined.sid,
                "handshake": {
                    "address": "127.0.0.1",
                    "auth": { "token": [1] },
                    "query": { "EIO": "4", "transport": "websocket" },
                    "secure": false,
                    "url": "/socket.io/?EIO=4&transport=websocket",
                    "xdomain": false,
                },
                "rooms": [joined.sid, "room"],
                "data": { "name": "Ada" },
            })
        );
    });
}

#[test]
fn a_fetched_socket_can_be_addressed() {
    on_actix(async {
        let mut party = Party::new().await;
        let nsp = party.root();
        let found = nsp.to("r1").except("r2").fetch_sockets().await;
        let remote = &found[0];
        assert_eq!(remote.id().as_str(), party.id("a"));
        remote.emit("e", ());
        assert_eq!(party.reached().await, "a");
        remote.join(["x", "y"]);
        remote.leave("y");
        nsp.to(["x", "y"]).emit("e", ());
        assert_eq!(party.reached().await, "a");
        let (a, socket) = party.guests.get_mut("a").unwrap();
        assert!(socket.is_in("x") && !socket.is_in("y"));
        let (answer, ()) = tokio::join!(remote.emit_with_ack("ask", 1), async {
            let asked = a.event("ask").await.unwrap();
            a.ack(asked.ack.unwrap(), "answer").await.unwrap();
        });
        assert_eq!(answer.unwrap().first::<String>().unwrap(), "answer");
        remote.disconnect(true);
        a.disconnected().await.unwrap();
    });
}

#[test]
fn rooms_are_listed_and_counted() {
    on_actix(async {
        let party = Party::new().await;
        let nsp = party.root();
        let mut expected: Vec<_> = party
            .guests
            .values()
            .map(|(_, s)| s.id().to_string())
            .collect();
        expected.extend(["r1".to_owned(), "r2".to_owned()]);
        expected.sort_unstable();
        assert_eq!(nsp.all_rooms().await.found, expected);
        for (room, size) in [("r1", 2), ("r2", 2), ("r3", 0), (&*party.id("d"), 1)] {
            assert_eq!(nsp.room_size(room).await.found, size, "{room}");
        }
        assert_eq!(nsp.n_sockets(), 4);
    });
}

/// Tells the test what happens to rooms.
struct Watcher(UnboundedSender<RoomEvent>);

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<RoomEvent> for Watcher {
    type Result = ();

    fn handle(&mut self, event: RoomEvent, _: &mut Context<Self>) {
        self.0.send(event).unwrap();
    }
}

fn watch(nsp: &Namespace) -> UnboundedReceiver<RoomEvent> {
    let (sender, receiver) = unbounded_channel();
    nsp.watch_rooms(Watcher(sender).start().recipient());
    receiver
}

/// The next `n` events, as text.
async fn told(watching: &mut UnboundedReceiver<RoomEvent>, n: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..n {
        let event = within("a room event", watching.recv()).await.unwrap();
        told.push(match event {
            RoomEvent::Created(room) => format!("created {room}"),
            RoomEvent::Joined(room, id) => format!("joined {room} {id}"),
            RoomEvent::Left(room, id) => format!("left {room} {id}"),
            RoomEvent::Deleted(room) => format!("deleted {room}"),
            other => panic!("{other:?}"),
        });
    }
    told
}

#[test]
fn watchers_hear_of_rooms_in_order() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let nsp = lobby.server.root();
        let (_first, _) = lobby.join().await;
        let mut watching = watch(&nsp);
        let (client, a) = lobby.join().await;
        let (other, b) = lobby.join().await;
        let (id_a, id_b) = (a.id().to_string(), b.id().to_string());
        a.join(["x", "y"]);
        b.join("x");
        b.join("x");
        a.leave("x");
        a.leave("x");
        b.leave("x");
        let expected = [
            format!("created {id_a}"),
            format!("joined {id_a} {id_a}"),
            format!("created {id_b}"),
            format!("joined {id_b} {id_b}"),
            "created x".to_owned(),
            format!("joined x {id_a}"),
            "created y".to_owned(),
            format!("joined y {id_a}"),
            format!("joined x {id_b}"),
            format!("left x {id_a}"),
            format!("left x {id_b}"),
            "deleted x".to_owned(),
        ];
        assert_eq!(told(&mut watching, expected.len()).await, expected);
        // In somebody else's room, and out again.
        b.join(&id_a);
        b.leave(&*id_a);
        b.join(&id_a);
        let expected = [
            format!("joined {id_a} {id_b}"),
            format!("left {id_a} {id_b}"),
            format!("joined {id_a} {id_b}"),
        ];
        assert_eq!(told(&mut watching, 3).await, expected);
        // The end: each room is left and, if that was the last, deleted.
        drop(client);
        let mut ended = told(&mut watching, 3).await;
        ended.sort_unstable();
        let mut expected = [
            "deleted y".to_owned(),
            format!("left {id_a} {id_a}"),
            format!("left y {id_a}"),
        ];
        expected.sort_unstable();
        assert_eq!(ended, expected);
        drop(other);
        let mut ended = told(&mut watching, 4).await;
        ended.sort_unstable();
        let mut expected = [
            format!("deleted {id_a}"),
            format!("deleted {id_b}"),
            format!("left {id_a} {id_b}"),
            format!("left {id_b} {id_b}"),
        ];
        expected.sort_unstable();
        assert_eq!(ended, expected);
        assert!(watching.try_recv().is_err());
    });
}

#[test]
fn a_refused_socket_leaves_the_rooms_it_joined() {
    on_actix(async {
        let (handlers, _hearing) = ear();
        let handlers = handlers.middleware(|socket: Socket| async move {
            socket.join("x");
            Err("no".into())
        });
        let server = Server::builder().namespace("/", handlers).build().unwrap();
        // The registry is there from the first session on.
        let (other, _other) = ear();
        let _ = other;
        assert!(Client::connect(&server).await.is_err());
        let mut watching = watch(&server.root());
        assert!(Client::connect(&server).await.is_err());
        let events = told(&mut watching, 4).await;
        assert_eq!(events[0], "created x");
        assert!(events[1].starts_with("joined x "));
        assert!(events[2].starts_with("left x "));
        assert_eq!(events[3], "deleted x");
        assert_eq!(server.root().all_rooms().await.found, Vec::<String>::new());
    });
}
