//! Who is in a room, and what reaches it.

use greenroom::Broadcast;
use greenroom::config::Config;

use super::Party;
use crate::support::{eventually, lobby, on_actix};

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
