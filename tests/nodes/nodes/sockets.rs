//! Sockets of other servers, and what of them stands in Redis.

use std::time::{Duration, Instant};

use greenroom::config::Subscription;
use greenroom::{AckError, JoinError, Room};
use serde_json::json;

use super::Pair;
use crate::support::cluster::{events, until};
use crate::support::{DEADLINE, eventually, on_actix, within};

#[test]
fn a_socket_of_another_server_can_be_used() {
    on_actix(async {
        let mut pair = Pair::new().await;
        let (mut client, socket) = pair.two.join_in("/", json!({"token": "t"})).await;
        socket.set_data(&json!({"name": "e"})).unwrap();
        let id = socket.id().to_string();
        let found = pair.one.server.root().to(&id).fetch_sockets().await;
        let [remote] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(!remote.is_here());
        assert_eq!(remote.id(), socket.id());
        assert_eq!(remote.rooms(), [Room::from(&*id)]);
        assert_eq!(
            remote.data::<serde_json::Value>().unwrap(),
            json!({"name": "e"})
        );
        assert_eq!(
            remote.auth::<serde_json::Value>().unwrap(),
            json!({"token": "t"})
        );
        assert_eq!(remote.handshake().url(), "/");

        remote.emit("hello", (1, "x"));
        let event = client.event("hello").await.unwrap();
        assert_eq!(&*event.args.raw_json(), r#"[1,"x"]"#);

        let asked = remote.emit_with_ack_within(DEADLINE, "q", ());
        let answering = async {
            let id = client.event("q").await.unwrap().ack.unwrap();
            client.ack(id, "yes").await.unwrap();
        };
        let (answer, ()) = tokio::join!(asked, answering);
        assert_eq!(answer.unwrap().first::<String>().unwrap(), "yes");
        let unanswered = remote.emit_with_ack_within(Duration::from_millis(100), "q", ());
        assert!(matches!(unanswered.await, Err(AckError::Timeout)));

        remote.join(["x1", "x2"]);
        eventually("it has joined", || socket.is_in("x1") && socket.is_in("x2")).await;
        remote.leave("x1");
        eventually("it has left", || !socket.is_in("x1")).await;
        assert!(!pair.c.1.is_in("x2") && !pair.a.1.is_in("x2"));
        remote.disconnect(true);
        within("its end", client.disconnected()).await.unwrap();
        assert!(pair.c.1.is_connected());
        let gone = remote.emit_with_ack_within(DEADLINE, "q", ()).await;
        assert!(matches!(gone, Err(AckError::Disconnected)), "{gone:?}");
    });
}

#[test]
fn a_confirmed_join_stands_in_redis() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let mut pair = Pair::with(|config| config.redis.subscription = subscription).await;
            let n_standing = usize::from(subscription == Subscription::Exact);
            let id = pair.d.1.id().to_string();
            for n in 0..30 {
                let room = format!("room {n}");
                pair.d.1.join_confirmed(&*room).await.unwrap();
                let channel = format!("k#/#{room}#");
                let (_, n): (String, usize) = pair.peer.ask(&["PUBSUB", "NUMSUB", &channel]).await;
                assert_eq!(n, n_standing, "{room}");
                let is_member: bool = pair
                    .peer
                    .ask(&["SISMEMBER", &format!("k#{room}"), &id])
                    .await;
                assert!(is_member, "{room}");
                let is_listed: bool = pair
                    .peer
                    .ask(&["SISMEMBER", &format!("k#{id}"), &room])
                    .await;
                assert!(is_listed, "{room}");
                // So it is heard.
                pair.one.server.root().to(&*room).emit("now", n);
                pair.d.0.event("now").await.unwrap();
            }
            pair.d.1.leave("room 1");
            let peer = &mut pair.peer;
            until("nothing is left of it", async || {
                let channel = "k#/#room 1#";
                let (_, n): (String, usize) = peer.ask(&["PUBSUB", "NUMSUB", channel]).await;
                let is_there: bool = peer.ask(&["EXISTS", "k#room 1"]).await;
                n == 0 && !is_there
            })
            .await;
            let (_, n): (String, usize) = peer.ask(&["PUBSUB", "NUMSUB", "k#/#room 2#"]).await;
            assert_eq!(n, n_standing);
        }
    });
}

#[test]
fn a_join_that_cannot_be_confirmed_is_one_all_the_same() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let timeout = Duration::from_millis(300);
            let mut pair = Pair::with(|config| {
                config.redis.subscription = subscription;
                config.redis.requests_timeout = timeout;
            })
            .await;
            let d = pair.d.1.clone();
            pair.redis.freeze();
            let start = Instant::now();
            let joined = d.join_confirmed("late").await;
            assert_eq!(joined, Err(JoinError));
            assert!(start.elapsed() >= timeout);
            assert!(d.is_in("late"));
            pair.two.server.root().to("late").emit("here", ());
            pair.d.0.event("here").await.unwrap();
            pair.redis.thaw();
            let (id, peer) = (d.id().to_string(), &mut pair.peer);
            until("redis has it", async || {
                let is_member: bool = peer.ask(&["SISMEMBER", "k#late", &id]).await;
                is_member
            })
            .await;
            until("it is confirmed at last", async || {
                d.join_confirmed("late").await.is_ok()
            })
            .await;
            pair.one.server.root().to("late").emit("there", ());
            pair.d.0.event("there").await.unwrap();
            let (_, n): (String, usize) = peer.ask(&["PUBSUB", "NUMSUB", "k#/#late#"]).await;
            assert_eq!(n, usize::from(subscription == Subscription::Exact));
        }
    });
}

#[test]
fn who_comes_back_gets_the_events_of_other_servers_once() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let mut pair = Pair::with(|config| {
                config.redis.subscription = subscription;
                config.recovery.enabled = true;
            })
            .await;
            pair.a.1.emit("first", ());
            let first = pair.a.0.event("first").await.unwrap();
            let offset: String = first.args.first().unwrap();
            let id = pair.a.0.id().to_owned();
            let pid = pair.a.0.pid().unwrap().to_owned();
            let (stand_in, _) = pair.one.join().await;
            let gone = pair.a.1.clone();
            std::mem::replace(&mut pair.a.0, stand_in).close();
            eventually("it is gone", || !gone.is_connected()).await;
            let there = pair.two.server.root();
            there.emit("all", 1);
            // Nobody else of its server is in these rooms.
            there.to("r1").emit("room", 2);
            there.to("r2").emit("another room", 3);
            there.to(&id).emit("id", 4);
            there.except("r1").emit("except", 5);
            there.emit("last", 6);
            // This server has got them.
            pair.b.0.event("last").await.unwrap();
            let auth = json!({"pid": pid, "offset": offset});
            let (mut client, socket) = pair.one.join_in("/", auth).await;
            assert!(socket.is_recovered());
            assert_eq!((client.id(), socket.is_in("r1")), (&*id, true));
            there.to("r1").emit("room", 7);
            there.emit("live", 8);
            let mut names = Vec::new();
            loop {
                let event = client.next_event().await.unwrap();
                // The number and the offset: of this server, and one.
                assert_eq!(
                    event.args.len(),
                    2,
                    "{} {}",
                    event.name,
                    event.args.raw_json()
                );
                names.push((event.name.clone(), event.args.first::<u8>().unwrap()));
                if event.name == "live" {
                    break;
                }
            }
            let expected = [
                ("all", 1),
                ("room", 2),
                ("id", 4),
                ("last", 6),
                ("room", 7),
                ("live", 8),
            ];
            let expected = expected.map(|(name, n)| (name.to_owned(), n));
            assert_eq!(names, expected, "{subscription:?}");
            assert_eq!(events(&mut client, &socket).await, []);
        }
    });
}

#[test]
fn rooms_of_those_who_do_not_come_back_are_given_up() {
    on_actix(async {
        let mut pair = Pair::with(|config| {
            config.redis.subscription = Subscription::Exact;
            config.redis.canary_interval = Duration::from_secs(1);
            config.recovery.enabled = true;
            config.recovery.max_disconnection_duration = Duration::from_secs(1);
        })
        .await;
        let Pair { one, a, peer, .. } = &mut pair;
        let mut n_standing = async |room: &str| -> usize {
            let channel = format!("k#/#{room}#");
            let (_, n): (String, usize) = peer.ask(&["PUBSUB", "NUMSUB", &channel]).await;
            n
        };
        let id = a.1.id().to_string();
        assert_eq!((n_standing("r1").await, n_standing(&id).await), (2, 1));
        let (stand_in, _) = one.join().await;
        std::mem::replace(&mut a.0, stand_in).close();
        until("its rooms are given up", async || {
            (n_standing("r1").await, n_standing(&id).await) == (1, 0)
        })
        .await;
    });
}
