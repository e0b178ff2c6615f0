//! Who is in which room, whom a broadcast reaches, what a server can ask about its sockets, and namespaces on demand.

use std::collections::BTreeMap;

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::testing::{Client, ClientError};
use greenroom::{Broadcast, Namespace, RoomEvent, Server, Socket};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::tcp::{Ws, listen};
use crate::support::{DEADLINE, Lobby, Worker, counter, ear, eventually, lobby, on_actix, within};

/// Four clients on two workers: `a` in room r1, `b` in r1 and r2, `c` in r2, `d` in none.
struct Party {
    lobby: Lobby,
    guests: BTreeMap<&'static str, (Client, Socket)>,
    _workers: [Worker; 2],
}

impl Party {
    async fn new() -> Self {
        let workers = [Worker::new(), Worker::new()];
        let mut lobby = lobby(Config::default());
        let mut guests = BTreeMap::new();
        let plan: [(_, &[&str]); 4] = [
            ("a", &["r1"]),
            ("b", &["r1", "r2"]),
            ("c", &["r2"]),
            ("d", &[]),
        ];
        for (n, (name, rooms)) in plan.into_iter().enumerate() {
            let (client, socket) = lobby.join_on(&workers[n % 2]).await;
            socket.join(rooms.to_vec());
            guests.insert(name, (client, socket));
        }
        Self {
            lobby,
            guests,
            _workers: workers,
        }
    }

    fn root(&self) -> Namespace {
        self.lobby.server.root()
    }

    fn socket(&self, name: &str) -> Socket {
        self.guests[name].1.clone()
    }

    fn id(&self, name: &str) -> String {
        self.guests[name].1.id().to_string()
    }

    /// Who has got the event `e` since the last time, with a name for each time.
    async fn reached(&mut self) -> String {
        // What one thread emits arrives in its order, so nothing comes behind the fence.
        self.root().emit("fence", ());
        let mut reached = String::new();
        for (name, (client, _)) in &mut self.guests {
            loop {
                match client.next_event().await.unwrap().name.as_str() {
                    "fence" => break,
                    "e" => reached.push_str(name),
                    other => panic!("{name} got {other}"),
                }
            }
        }
        reached
    }
}

#[test]
fn what_was_joined_and_left_shows_at_once() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (_client, socket) = lobby.join().await;
        let id = socket.id().as_str();
        assert_eq!(socket.rooms(), [id]);
        socket.join(["b", "a", "b"]);
        socket.join("a");
        assert_eq!(socket.rooms(), [id, "a", "b"]);
        assert!(socket.is_in("a") && socket.is_in("b") && socket.is_in(id) && !socket.is_in("c"));
        socket.leave("b");
        socket.leave("never joined");
        assert_eq!(socket.rooms(), [id, "a"]);
        socket.join(["", "ä ß", "with,comma"]);
        assert_eq!(socket.rooms(), [id, "", "a", "with,comma", "ä ß"]);
        socket.leave_all();
        assert_eq!(socket.rooms(), [id], "the room of its own id stays");
        // From another thread it is the same.
        let elsewhere = socket.clone();
        let thread = std::thread::spawn(move || {
            elsewhere.join("thread");
            elsewhere.is_in("thread")
        });
        assert!(thread.join().unwrap());
        assert!(socket.is_in("thread"));
    });
}

#[test]
fn a_broadcast_reaches_whom_it_addresses_once() {
    on_actix(async {
        let mut party = Party::new().await;
        let (nsp, a) = (party.root(), party.socket("a"));
        let (id_a, id_b) = (party.id("a"), party.id("b"));
        let table: [(&str, Broadcast, &str); 31] = [
            ("everybody", nsp.all(), "abcd"),
            ("a room", nsp.to("r1"), "ab"),
            ("within", nsp.within("r2"), "bc"),
            ("a union", nsp.to(["r1", "r2"]), "abc"),
            (
                "a union, step by step",
                nsp.to("r1").to("r2").within("r1"),
                "abc",
            ),
            ("a room twice", nsp.to(["r1", "r1"]), "ab"),
            ("no such room", nsp.to("r3"), ""),
            ("that and another", nsp.to(["r3", "r2"]), "bc"),
            ("without a room", nsp.except("r1"), "cd"),
            ("without two", nsp.except(["r1", "r2"]), "d"),
            (
                "without two, step by step",
                nsp.except("r1").except("r2"),
                "d",
            ),
            ("without no such room", nsp.except("r3"), "abcd"),
            ("a room without another", nsp.to("r1").except("r2"), "a"),
            ("a room without itself", nsp.to("r1").except("r1"), ""),
            ("an id", nsp.to(&id_b), "b"),
            ("an id and its room", nsp.to(&id_b).to("r1"), "ab"),
            ("without an id", nsp.except(&id_b), "acd"),
            ("a room without an id", nsp.to("r1").except(&id_a), "b"),
            ("this server", nsp.local(), "abcd"),
            ("a room of this server", nsp.local().to("r1"), "ab"),
            ("those who can take it", nsp.volatile(), "abcd"),
            ("a room, volatile", nsp.to("r2").volatile(), "bc"),
            ("not compressed", nsp.compress(false), "abcd"),
            ("the others", a.broadcast(), "bcd"),
            ("the others in a room", a.to("r1"), "b"),
            ("the others in two", a.to(["r1", "r2"]), "bc"),
            ("the others without a room", a.except("r2"), "d"),
            ("the others here", a.local(), "bcd"),
            ("the others in its own room", a.to(&id_a), ""),
            (
                "the others, volatile",
                a.clone().volatile().broadcast(),
                "bcd",
            ),
            ("its namespace", a.namespace().to("r1"), "ab"),
        ];
        for (what, broadcast, expected) in table {
            broadcast.emit("e", 1);
            assert_eq!(party.reached().await, expected, "{what}");
        }
        nsp.emit("e", ());
        party.lobby.server.emit("e", ());
        assert_eq!(party.reached().await, "aabbccdd");
    });
}

#[test]
fn a_socket_can_leave_the_room_of_its_own_id_and_return() {
    on_actix(async {
        let mut party = Party::new().await;
        let (nsp, d) = (party.root(), party.socket("d"));
        d.leave(d.id().as_str());
        assert!(!d.is_in(d.id().as_str()));
        assert_eq!(d.rooms(), Vec::<String>::new());
        nsp.to(d.id()).emit("e", ());
        assert_eq!(party.reached().await, "");
        // What is emitted to the socket itself takes no room.
        d.emit("e", ());
        assert_eq!(party.reached().await, "d");
        assert_eq!(nsp.room_size(d.id().as_str()).await.found, 0);
        d.join(d.id());
        nsp.to(d.id()).emit("e", ());
        assert_eq!(party.reached().await, "d");
        assert_eq!(nsp.room_size(d.id().as_str()).await.found, 1);
    });
}

#[test]
fn a_foreign_socket_in_an_id_room_does_no_harm() {
    on_actix(async {
        let mut party = Party::new().await;
        let nsp = party.root();
        let (a, b) = (party.socket("a"), party.socket("b"));
        b.join(a.id());
        nsp.to(a.id()).emit("e", ());
        assert_eq!(party.reached().await, "ab");
        nsp.except(a.id()).emit("e", ());
        assert_eq!(party.reached().await, "cd");
        assert_eq!(nsp.room_size(a.id().as_str()).await.found, 2);
        assert_eq!(nsp.fetch_sockets().await.len(), 4);
        a.leave(a.id().as_str());
        nsp.to(a.id()).emit("e", ());
        assert_eq!(party.reached().await, "b");
        a.join(a.id());
        b.leave(a.id().as_str());
        nsp.to(a.id()).emit("e", ());
        assert_eq!(party.reached().await, "a");
        assert_eq!(nsp.room_size(a.id().as_str()).await.found, 1);
        // The owner goes, the guest stays, and the other way round.
        b.join(a.id());
        let id = party.id("a");
        party.guests.remove("a");
        party.lobby.hearing.gone().await;
        nsp.to(&id).emit("e", ());
        assert_eq!(party.reached().await, "b");
        assert_eq!(nsp.room_size(&id).await.found, 1);
        assert!(nsp.all_rooms().await.contains(&id.as_str().into()));
        party.guests.remove("b");
        party.lobby.hearing.gone().await;
        assert_eq!(nsp.room_size(&id).await.found, 0);
        assert!(!nsp.all_rooms().await.contains(&id.as_str().into()));
    });
}

#[test]
fn a_volatile_packet_is_dropped_when_another_still_waits() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (mut client, socket) = lobby.join().await;
        let nsp = lobby.server.root();
        // All in one turn of the loop, on the worker of the socket: nothing leaves in between.
        socket.clone().volatile().emit("a", ());
        socket.clone().volatile().emit("dropped", ());
        socket.emit("b", ());
        nsp.volatile().emit("dropped", ());
        nsp.emit("c", ());
        for name in ["a", "b", "c"] {
            assert_eq!(client.next_event().await.unwrap().name, name);
        }
        nsp.volatile().emit("d", ());
        assert_eq!(client.next_event().await.unwrap().name, "d");
        socket.clone().volatile().emit("e", ());
        assert_eq!(client.next_event().await.unwrap().name, "e");
    });
}

#[test]
fn the_server_makes_sockets_join_and_leave() {
    on_actix(async {
        let mut party = Party::new().await;
        let (nsp, a) = (party.root(), party.socket("a"));
        nsp.to("r1").sockets_join(["x", "y"]);
        // The same thread sees it at once in what it emits.
        nsp.to("x").emit("e", ());
        assert_eq!(party.reached().await, "ab");
        nsp.except("r1").sockets_join("x");
        nsp.to("x").emit("e", ());
        assert_eq!(party.reached().await, "abcd");
        a.to("y").sockets_leave(["x", "y"]);
        nsp.to("x").emit("e", ());
        assert_eq!(party.reached().await, "acd");
        nsp.sockets_leave("x");
        nsp.to("x").emit("e", ());
        assert_eq!(party.reached().await, "");
        assert_eq!(a.rooms(), [party.id("a").as_str(), "r1", "y"]);
        assert_eq!(nsp.room_size("y").await.found, 1);
        assert_eq!(nsp.room_size("x").await.found, 0);
    });
}

#[test]
fn the_server_disconnects_sockets() {
    on_actix(async {
        let mut party = Party::new().await;
        let nsp = party.root();
        nsp.to("r1").except("r2").disconnect_sockets(false);
        nsp.emit("e", ());
        let (mut a, _) = party.guests.remove("a").unwrap();
        a.disconnected().await.unwrap();
        let (gone, _) = party.lobby.hearing.gone().await;
        assert_eq!(gone.id().as_str(), a.id());
        assert_eq!(party.reached().await, "bcd");
        assert_eq!(
            party.lobby.server.n_sessions(),
            4,
            "only the socket has gone"
        );
        nsp.to("r2").disconnect_sockets(true);
        for name in ["b", "c"] {
            let (mut client, _) = party.guests.remove(name).unwrap();
            client.disconnected().await.unwrap();
            party.lobby.hearing.gone().await;
        }
        nsp.emit("e", ());
        assert_eq!(party.reached().await, "d");
        drop(a);
        let server = party.lobby.server.clone();
        eventually("their sessions have gone", || server.n_sessions() == 1).await;
    });
}

// --- questions -----------------------------------------------------------------------------------

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

// --- namespaces on demand ------------------------------------------------------------------------

fn dynamic(cleanup: bool) -> Server {
    let mut config = Config::default();
    config.socketio.cleanup_empty_child_namespaces = cleanup;
    let (named, _) = ear();
    let (first, _) = ear();
    let (second, _) = ear();
    Server::builder()
        .config(config)
        .namespace(
            "/dyn-named",
            named.middleware(|_| async { Err("named".into()) }),
        )
        .namespace_matching(
            |name, _| name.starts_with("/dyn-"),
            first.middleware(|socket: Socket| async move {
                let is_guest = socket.auth::<Value>().unwrap() == json!({ "guest": true });
                if is_guest {
                    Err("first".into())
                } else {
                    Ok(())
                }
            }),
        )
        .namespace_matching(
            |name, _| name.starts_with("/d"),
            second.middleware(|_| async { Err("second".into()) }),
        )
        .build()
        .unwrap()
}

async fn refusal(server: &Server, name: &str) -> String {
    let guest = json!({ "guest": true });
    match Client::connect_to(server, name, guest).await {
        Err(ClientError::Refused { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_come_before_patterns_and_patterns_in_the_order_of_adding() {
    on_actix(async {
        let server = dynamic(false);
        assert_eq!(refusal(&server, "/dyn-named").await, "named");
        assert_eq!(refusal(&server, "/dyn-1").await, "first");
        assert_eq!(refusal(&server, "/d-1").await, "second");
        assert_eq!(refusal(&server, "/e").await, "Invalid namespace");
        assert_eq!(counter(&server, "namespace_refused"), 1);
        assert_eq!(counter(&server, "socket_refused"), 3);
    });
}

#[test]
fn children_of_a_pattern_are_namespaces_of_their_own() {
    on_actix(async {
        let server = dynamic(false);
        assert!(server.of("/dyn-1").is_none());
        let mut one = Client::connect_to(&server, "/dyn-1", ()).await.unwrap();
        let mut two = Client::connect_to(&server, "/dyn-2", ()).await.unwrap();
        let (nsp_1, nsp_2) = (server.of("/dyn-1").unwrap(), server.of("/dyn-2").unwrap());
        nsp_1.sockets_join("room");
        nsp_2.sockets_join("room");
        nsp_1.to("room").emit("for one", ());
        nsp_2.to("room").emit("for two", ());
        assert_eq!(one.next_event().await.unwrap().name, "for one");
        assert_eq!(two.next_event().await.unwrap().name, "for two");
        assert_eq!(nsp_1.fetch_sockets().await.len(), 1);
        assert_eq!(server.namespaces(), ["/", "/dyn-1", "/dyn-2", "/dyn-named"]);
    });
}

#[test]
fn empty_children_go_if_the_configuration_says_so() {
    on_actix(async {
        for cleanup in [false, true] {
            let server = dynamic(cleanup);
            let one = Client::connect_to(&server, "/dyn-1", ()).await.unwrap();
            let two = Client::connect_to(&server, "/dyn-1", ()).await.unwrap();
            assert_eq!(refusal(&server, "/dyn-2").await, "first");
            drop(one);
            let nsp = server.of("/dyn-1").unwrap();
            eventually("one has gone", || nsp.n_sockets() == 1).await;
            assert!(server.of("/dyn-1").is_some(), "somebody is in it");
            drop(two);
            eventually("both have gone", || nsp.n_sockets() == 0).await;
            for name in ["/dyn-1", "/dyn-2"] {
                assert_eq!(server.of(name).is_none(), cleanup, "{name} {cleanup}");
            }
            assert!(server.of("/dyn-named").is_some(), "names stay");
            // It is made again for the next who asks.
            let mut again = Client::connect_to(&server, "/dyn-1", ()).await.unwrap();
            server.of("/dyn-1").unwrap().emit("e", ());
            assert_eq!(again.next_event().await.unwrap().name, "e");
        }
    });
}

#[test]
fn a_pattern_reads_the_handshake() {
    on_actix(async {
        let (handlers, _hearing) = ear();
        let listening = listen(Config::default(), |builder| {
            builder.namespace_matching(
                |name, handshake| {
                    name == "/mine" && handshake.query("transport") == Some("websocket")
                },
                handlers,
            )
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send("40/mine,").await;
        let answer = tokio::time::timeout(DEADLINE, ws.text()).await.unwrap();
        assert!(answer.starts_with(r#"40/mine,{"sid":""#), "{answer}");
    });
}
