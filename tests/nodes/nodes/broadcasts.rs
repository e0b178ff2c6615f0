//! Broadcasts, orders and questions.

use greenroom::Room;
use greenroom::config::Subscription;
use serde_json::json;

use super::{Pair, ids};
use crate::support::cluster::until;
use crate::support::{eventually, on_actix, within};

#[test]
fn a_broadcast_reaches_whom_it_addresses_on_all_servers_once() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let mut pair = Pair::with(|config| config.redis.subscription = subscription).await;
            let (here, there) = (pair.one.server.root(), pair.two.server.root());
            let (a, c) = (pair.a.1.clone(), pair.c.1.clone());
            for (what, broadcast, expected) in [
                ("everybody", here.all(), "abcd"),
                ("everybody, from the other", there.all(), "abcd"),
                ("a room", here.to("r1"), "ac"),
                ("two rooms", here.to(["r1", "r2"]), "abc"),
                ("a room without another", here.to("r2").except("r1"), "b"),
                ("without a room", there.except("r1"), "bd"),
                ("an id there", here.to(c.id()), "c"),
                ("an id here", there.to(a.id()), "a"),
                ("this server", here.local(), "ab"),
                ("that server", there.local(), "cd"),
                ("the others", a.broadcast(), "bcd"),
                ("the others in a room", a.to("r1"), "c"),
                ("the others there", c.to("r2"), "b"),
                ("nobody", here.to("nobody"), ""),
            ] {
                broadcast.emit("e", 1);
                assert_eq!(pair.reached().await, expected, "{what} {subscription:?}");
            }
            // Before anything else is on its way to them, which would make it wait.
            here.volatile().emit("v", 1);
            for (_, (client, _)) in pair.guests() {
                assert_eq!(client.next_event().await.unwrap().name, "v");
            }
            assert_eq!(pair.reached().await, "");
        }
    });
}

#[test]
fn orders_are_obeyed_on_all_servers() {
    on_actix(async {
        let mut pair = Pair::new().await;
        let here = pair.one.server.root();
        here.to("r1").sockets_join(["x1", "x2"]);
        let (a, c) = (pair.a.1.clone(), pair.c.1.clone());
        eventually("both are in", || a.is_in("x2") && c.is_in("x2")).await;
        assert!(!pair.b.1.is_in("x1") && !pair.d.1.is_in("x1"));
        pair.two.server.root().except("r2").sockets_leave("x1");
        eventually("one has left", || !a.is_in("x1")).await;
        here.emit("e", ());
        assert_eq!(pair.reached().await, "abcd", "all before is done");
        assert!(c.is_in("x1"));
        here.to("x1").disconnect_sockets(true);
        within("its end", pair.c.0.disconnected()).await.unwrap();
        pair.two.server.root().to(a.id()).disconnect_sockets(false);
        within("its end", pair.a.0.disconnected()).await.unwrap();
        assert!(pair.b.1.is_connected() && pair.d.1.is_connected());
    });
}

#[test]
fn questions_gather_what_all_servers_have() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let pair = Pair::with(|config| config.redis.subscription = subscription).await;
            let [a, b, c, d] = [&pair.a, &pair.b, &pair.c, &pair.d].map(|(_, socket)| socket);
            c.set_data(&json!({"name": "c"})).unwrap();
            for (node, here) in [(&pair.one, [a, b]), (&pair.two, [c, d])] {
                let nsp = node.server.root();
                for (broadcast, expected) in [
                    (nsp.all(), ids(&[a, b, c, d])),
                    (nsp.to("r1"), ids(&[a, c])),
                    (nsp.to(["r1", "r2"]).except(c.id()), ids(&[a, b])),
                    (nsp.to(d.id()), ids(&[d])),
                    (nsp.to("nobody"), vec![]),
                    (nsp.local(), ids(&here)),
                ] {
                    let sockets = broadcast.fetch_sockets().await;
                    assert!(sockets.silent.is_nobody(), "{}", sockets.silent);
                    let found: Vec<_> = sockets
                        .iter()
                        .map(|socket| socket.id().to_string())
                        .collect();
                    assert_eq!(found, expected);
                    for socket in sockets {
                        let is_here = here.iter().any(|one| one.id() == socket.id());
                        assert_eq!(socket.is_here(), is_here);
                    }
                }
                let mut all: Vec<Room> = ids(&[a, b, c, d]).into_iter().map(Room::from).collect();
                all.extend(["r1", "r2"].map(Room::from));
                all.sort();
                let rooms = nsp.all_rooms().await;
                assert_eq!((&*rooms, rooms.silent.is_nobody()), (&all, true));
                for (room, n) in [("r1", 2), ("r2", 2), ("nobody", 0), (d.id().as_str(), 1)] {
                    let size = nsp.room_size(room).await;
                    assert_eq!((*size, size.silent.len()), (n, 0), "{room}");
                }
                let count = nsp.server_count().await;
                assert_eq!((*count, count.silent.len()), (2, 0));
                let chat = node.server.of("/chat").unwrap();
                assert_eq!(chat.fetch_sockets().await.len(), 0, "another namespace");
            }
            pair.two.server.close();
            let nsp = pair.one.server.root();
            until("the other has left", async || {
                *nsp.server_count().await == 1
            })
            .await;
            let sockets = nsp.fetch_sockets().await;
            assert_eq!((sockets.len(), sockets.silent.len()), (2, 0));
        }
    });
}
