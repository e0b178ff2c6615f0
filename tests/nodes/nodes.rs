//! Two servers and others at one Redis: what one is told, all do; what one asks, all answer; who does not is named.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use greenroom::config::{Config, Subscription};
use greenroom::testing::Client;
use greenroom::{AckError, JoinError, Room, Socket};
use serde_json::json;

use crate::support::cluster::{Node, Peer, config, events, until};
use crate::support::servers::{Redis, free_port};
use crate::support::{DEADLINE, eventually, on_actix, within};

/// Two servers with two clients each: `a` and `b` at the first, `c` and `d` at the second. `a` and `c` are in r1, `b`
/// and `c` in r2.
struct Pair {
    one: Node,
    two: Node,
    a: (Client, Socket),
    b: (Client, Socket),
    c: (Client, Socket),
    d: (Client, Socket),
    peer: Peer,
    redis: Redis,
}

impl Pair {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl Fn(&mut Config)) -> Self {
        let redis = Redis::start();
        let peer = Peer::new(&redis, &[]).await;
        let set_up = |name| {
            let mut config = config(&redis, name);
            change(&mut config);
            config
        };
        let (mut one, client, socket) = Node::start(set_up("one")).await;
        let (a, b) = ((client, socket), one.join().await);
        let (mut two, client, socket) = Node::start(set_up("two")).await;
        let (c, d) = ((client, socket), two.join().await);
        a.1.join_confirmed("r1").await.unwrap();
        b.1.join_confirmed("r2").await.unwrap();
        c.1.join_confirmed(["r1", "r2"]).await.unwrap();
        one.now();
        two.now();
        Self {
            one,
            two,
            a,
            b,
            c,
            d,
            peer,
            redis,
        }
    }

    fn guests(&mut self) -> [(&'static str, &mut (Client, Socket)); 4] {
        let Self { a, b, c, d, .. } = self;
        [("a", a), ("b", b), ("c", c), ("d", d)]
    }

    /// Whom the events `e` have reached that either server has emitted before.
    async fn reached(&mut self) -> String {
        // What a server publishes keeps its order.
        self.one.server.emit("end of one", ());
        self.two.server.emit("end of two", ());
        let mut reached = String::new();
        for (name, (client, _)) in self.guests() {
            let mut n_ends = 0;
            while n_ends < 2 {
                let event = client.next_event().await.unwrap();
                match &*event.name {
                    "e" => reached.push_str(name),
                    "end of one" | "end of two" => n_ends += 1,
                    other => panic!("{name} got {other}"),
                }
            }
        }
        reached
    }
}

fn ids(sockets: &[&Socket]) -> Vec<String> {
    let mut ids: Vec<String> = sockets
        .iter()
        .map(|socket| socket.id().to_string())
        .collect();
    ids.sort();
    ids
}

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

#[test]
fn who_is_silent_is_not_waited_for_beyond_the_deadline() {
    on_actix(async {
        let timeout = Duration::from_millis(300);
        let mut pair = Pair::with(|config| config.redis.requests_timeout = timeout).await;
        let nsp = pair.one.server.root();
        let c = pair.c.1.id().to_string();
        // Answers for the other server.
        let (one, two) = (nsp.clone(), pair.two.server.root());
        assert!(one.fetch_sockets().await.silent.is_nobody());
        // It is counted on and says nothing.
        pair.peer.subscribe("k-request#/#").await;
        let start = Instant::now();
        let sockets = nsp.fetch_sockets().await;
        assert!(start.elapsed() >= timeout);
        assert!(start.elapsed() < DEADLINE);
        assert_eq!(sockets.len(), 4, "what is there");
        assert_eq!((sockets.silent.unnamed, sockets.silent.nodes.len()), (1, 0));
        let rooms = nsp.all_rooms().await;
        assert!(rooms.contains(&Room::from(&*c)));
        assert_eq!((rooms.silent.unnamed, rooms.silent.nodes.len()), (1, 0));
        let size = two.room_size("r1").await;
        assert_eq!((*size, size.silent.unnamed), (2, 1));
        let count = nsp.server_count().await;
        assert_eq!((*count, count.silent.len()), (3, 0));

        let asked = nsp.server_side_emit_with_ack("question", ());
        let answering = async { pair.two.server_event().await.ack.send("here") };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        assert_eq!(answers.silent.to_string(), "1 unnamed");
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].first::<String>().unwrap(), "here");

        let asked = nsp.to(["r1", "r2"]).timeout(timeout).emit_with_ack("q", ());
        let answering = async {
            for (client, _) in [&mut pair.a, &mut pair.b, &mut pair.c] {
                let id = client.event("q").await.unwrap().ack.unwrap();
                client.ack(id, client.id().to_owned()).await.unwrap();
            }
        };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        assert_eq!((answers.responses.len(), answers.missing), (3, 0));
        assert_eq!(answers.silent.to_string(), "1 unnamed");
        assert!(!answers.is_complete());
    });
}

/// The program, as a process of its own.
struct Program(Child);

impl Program {
    fn start(redis: &Redis, name: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_greenroom"))
            .env_remove("REDIS_URL")
            .env("GREENROOM_REDIS__URI", redis.url())
            .env("GREENROOM_REDIS__KEY", "k")
            .env("GREENROOM_REDIS__NODE", name)
            // Whoever is frozen for longer is taken for dead, and has no name any more.
            .env("GREENROOM_REDIS__LEASE", "5m")
            .env("GREENROOM_SERVER__HOST", "127.0.0.1")
            .env("GREENROOM_SERVER__PORT", free_port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_frozen_server_is_named() {
    on_actix(async {
        let redis = Redis::start();
        let mut config = config(&redis, "one");
        config.redis.requests_timeout = Duration::from_millis(300);
        // Who else lives is looked up with each renewal, six times in this time.
        config.redis.lease = Duration::from_secs(3);
        let (node, _client, _) = Node::start(config).await;
        let nsp = node.server.root();
        let mut program = Program::start(&redis, "frozen");
        until("two servers", async || *nsp.server_count().await == 2).await;
        until("both answer", async || {
            nsp.fetch_sockets().await.silent.is_nobody()
        })
        .await;
        let mut mute = Peer::new(&redis, &[]).await;
        until("both leases", async || {
            mute.ask::<u8>(&["SCARD", "k-nodes"]).await == 2
        })
        .await;
        mute.subscribe("k-request#/#").await;
        program.signal("-STOP");
        until("its name", async || {
            let silent = nsp.fetch_sockets().await.silent;
            assert_eq!(silent.len(), 2);
            silent.nodes == ["frozen"]
        })
        .await;
        let answers = nsp
            .timeout(Duration::from_millis(300))
            .emit_with_ack("q", ())
            .await
            .unwrap();
        assert_eq!(answers.silent.to_string(), "frozen and 1 unnamed");
        program.signal("-CONT");
        until("it answers again", async || {
            nsp.fetch_sockets().await.silent.to_string() == "1 unnamed"
        })
        .await;
        // A graceful end leaves nothing.
        program.signal("-TERM");
        within("its end", async {
            let mut again = tokio::time::interval(Duration::from_millis(10));
            while program.0.try_wait().unwrap().is_none() {
                again.tick().await;
            }
        })
        .await;
        assert!(program.0.wait().unwrap().success());
        assert_eq!(*nsp.server_count().await, 2, "this one and the mute one");
        assert_eq!(redis.cli(&["SCARD", "k-nodes"]), "1");
        let keys = redis.cli(&["KEYS", "k-*"]);
        assert_eq!(
            keys.lines().filter(|key| key.contains("lease")).count(),
            1,
            "{keys}"
        );
    });
}

#[test]
fn events_between_servers_reach_each_other_server_once() {
    on_actix(async {
        let mut pair = Pair::new().await;
        let nsp = pair.one.server.root();
        nsp.server_side_emit("hello", (1, json!({"a": "b"})))
            .unwrap();
        let event = pair.two.server_event().await;
        assert_eq!(
            (event.name(), &*event.args().raw_json()),
            ("hello", r#"[1,{"a":"b"}]"#)
        );
        assert!(!event.ack.is_wanted());
        event.ack.forget();

        let asked = nsp.server_side_emit_with_ack("question", 1);
        let answering = async {
            let event = pair.two.server_event().await;
            assert_eq!(event.name(), "question");
            assert!(event.ack.is_wanted());
            event.ack.send(json!({"sum": 2}));
        };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        assert!(answers.silent.is_nobody());
        assert_eq!(answers.len(), 1);
        assert_eq!(&*answers[0].raw_json(), r#"[{"sum":2}]"#);

        let asked = nsp.server_side_emit_with_ack("question", 2);
        let answering = async { drop(pair.two.server_event().await) };
        let (answers, ()) = tokio::join!(asked, answering);
        assert_eq!(
            &*answers.unwrap()[0].raw_json(),
            r#"[{"error":"not answered"}]"#
        );

        for reserved in ["connection", "connect", "disconnect"] {
            assert!(nsp.server_side_emit(reserved, ()).is_err(), "{reserved}");
        }
        // In the namespace alone, and not to itself.
        let chat = pair.one.server.of("/chat").unwrap();
        chat.server_side_emit("hello", ()).unwrap();
        let event = pair.two.server_event().await;
        assert_eq!(event.namespace().name(), "/chat");
        assert!(pair.one.now().is_empty());
        assert!(pair.two.now().is_empty());
    });
}

#[test]
fn answers_of_clients_come_from_all_servers() {
    on_actix(async {
        let mut pair = Pair::new().await;
        let nsp = pair.one.server.root();
        let asked = nsp.timeout(DEADLINE).emit_with_ack("q", 7);
        let answering = async {
            for (name, (client, _)) in pair.guests() {
                let event = client.event("q").await.unwrap();
                assert_eq!(event.args.first::<u8>().unwrap(), 7);
                client.ack(event.ack.unwrap(), name).await.unwrap();
            }
        };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        let mut names: Vec<String> = answers
            .responses
            .iter()
            .map(|answer| answer.first().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert!(answers.is_complete());
        // One that says nothing is missing; one of this server alone is asked alone.
        let timeout = Duration::from_millis(500);
        let asked = nsp.to("r1").timeout(timeout).emit_with_ack("q", ());
        let answering = async {
            let id = pair.a.0.event("q").await.unwrap().ack.unwrap();
            pair.a.0.ack(id, "a").await.unwrap();
            pair.c.0.event("q").await.unwrap();
        };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        assert_eq!((answers.responses.len(), answers.missing), (1, 1));
        assert!(answers.silent.is_nobody());
        let asked = nsp
            .local()
            .to("r1")
            .timeout(DEADLINE)
            .emit_with_ack("q", ());
        let answering = async {
            let id = pair.a.0.event("q").await.unwrap().ack.unwrap();
            pair.a.0.ack(id, "a").await.unwrap();
        };
        let (answers, ()) = tokio::join!(asked, answering);
        assert!(answers.unwrap().is_complete());
    });
}

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
