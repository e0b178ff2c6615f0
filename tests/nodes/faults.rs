//! Redis away, killed, frozen, refusing, deaf: local delivery goes on, and everything is as before when it is back.

use std::time::{Duration, Instant};

use greenroom::Socket;
use greenroom::config::{Config, Subscription};
use greenroom::testing::Client;
use serde_json::json;

use crate::support::cluster::{self, Node, Peer, config, msgpack, until, value};
use crate::support::proxy::Proxy;
use crate::support::servers::Redis;
use crate::support::{DEADLINE, eventually, on_actix, within};

/// Long before a person notices that something hangs, and enough for a machine that has other work.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A configuration that notices soon.
fn alert(redis: &Redis) -> Config {
    let mut config = config(redis, "one");
    config.redis.canary_interval = Duration::from_millis(500);
    config.redis.connect_timeout = Duration::from_secs(1);
    config.redis.requests_timeout = Duration::from_secs(1);
    config
}

/// The same with a connection for each task, as old versions of Redis need it.
fn separate(redis: &Redis) -> Config {
    let mut config = alert(redis);
    config.redis.uri = format!("{}?protocol=resp2", redis.url());
    config
}

/// Broadcasts and acks reach the clients of this server, whatever Redis does.
async fn serves(node: &mut Node, (client, socket): &mut (Client, Socket)) {
    let start = Instant::now();
    let (mut other, other_socket) = node.join().await;
    for n in 0..20 {
        node.server.emit("all", n);
        for client in [&mut *client, &mut other] {
            let event = client.event("all").await.unwrap();
            assert_eq!(event.args.first::<i32>().unwrap(), n);
        }
    }
    other_socket.join("local room");
    socket.to("local room").emit("room", ());
    other.event("room").await.unwrap();
    let asked = socket.clone().timeout(DEADLINE).emit_with_ack("q", ());
    let answering = async {
        let id = client.event("q").await.unwrap().ack.unwrap();
        client.ack(id, "yes").await.unwrap();
    };
    let (answer, ()) = tokio::join!(asked, answering);
    assert_eq!(answer.unwrap().first::<String>().unwrap(), "yes");
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

/// What others publish arrives once, what this server publishes arrives once, and its membership is in Redis.
async fn is_in_the_cluster(redis: &Redis, node: &Node, (client, socket): &mut (Client, Socket)) {
    let mut peer = Peer::new(redis, &["k#/*"]).await;
    until("its only subscription", async || {
        n_listeners(&mut peer).await == 1
    })
    .await;
    // What was published while Redis was away may come late.
    let packet = json!(["peer", {"type": 2, "data": ["from outside"], "nsp": "/"}, {}]);
    peer.say("k#/#", msgpack(&packet)).await;
    client.event("from outside").await.unwrap();
    node.server.emit("to outside", ());
    loop {
        let (_, heard) = peer.next().await;
        if value(&heard)[1]["data"] == json!(["to outside"]) {
            break;
        }
    }
    peer.say("k#/#", msgpack(&packet)).await;
    let event = client.event("from outside").await.unwrap();
    assert_eq!(event.args.len(), 0);
    let rest = cluster::events(client, socket).await;
    assert!(
        rest.iter().all(|(name, _)| name != "from outside"),
        "{rest:?}"
    );
    let id = socket.id().as_str();
    for room in socket.rooms() {
        until("the membership", async || {
            let is_member: bool = peer.ask(&["SISMEMBER", &format!("k#{room}"), id]).await;
            is_member
        })
        .await;
    }
}

async fn n_listeners(peer: &mut Peer) -> usize {
    let (_, n): (String, usize) = peer.ask(&["PUBSUB", "NUMSUB", "k-request#/#"]).await;
    n
}

/// The numbers of the connections that are subscribed to something.
async fn subscribers(peer: &mut Peer) -> Vec<String> {
    let list: String = peer.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
    let ids = list.lines().filter_map(|line| line.split(' ').next());
    ids.map(ToOwned::to_owned).collect()
}

#[test]
fn redis_may_come_after_the_server() {
    on_actix(async {
        let mut redis = Redis::start();
        redis.kill();
        let mut node = Node::build(alert(&redis));
        assert!(node.server.trouble().is_some(), "before it dials");
        let mut guest = node.join().await;
        guest.1.join("r1");
        serves(&mut node, &mut guest).await;
        let trouble = node.is_in_trouble().await;
        assert!(
            trouble.contains("no connection to publish, subscribe, data"),
            "{trouble}"
        );
        let start = Instant::now();
        let sockets = node.server.root().to("r1").fetch_sockets().await;
        assert_eq!((sockets.len(), sockets.silent.len()), (1, 0));
        assert_eq!(*node.server.root().server_count().await, 1);
        let answers = node.server.root().to("nobody").emit_with_ack("q", ()).await;
        assert!(answers.unwrap().is_complete());
        let answers = node.server.root().server_side_emit_with_ack("q", ()).await;
        assert!(answers.unwrap().is_empty());
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        redis.restart();
        node.is_well().await;
        is_in_the_cluster(&redis, &node, &mut guest).await;
    });
}

#[test]
fn a_killed_redis_is_missed_and_found_again() {
    on_actix(async {
        for (configured, subscription) in [
            (alert as fn(&Redis) -> Config, Subscription::Pattern),
            (separate, Subscription::Exact),
        ] {
            let mut redis = Redis::start();
            let mut config = configured(&redis);
            config.redis.subscription = subscription;
            let (mut node, client, socket) = Node::start(config).await;
            let mut guest = (client, socket);
            guest.1.join_confirmed("before").await.unwrap();
            for room in ["first outage", "second outage"] {
                assert_eq!(node.server.trouble(), None);
                redis.kill();
                let trouble = node.is_in_trouble().await;
                assert!(trouble.starts_with("redis: no connection to "), "{trouble}");
                serves(&mut node, &mut guest).await;
                guest.1.join(room);
                redis.restart();
                node.is_well().await;
                is_in_the_cluster(&redis, &node, &mut guest).await;
            }
            assert!(guest.1.is_connected());
            let stray = redis.cli(&["EXISTS", "k#local room"]);
            assert_eq!(stray, "0", "who came and went meanwhile is not there");
        }
    });
}

#[test]
fn a_frozen_redis_does_not_freeze_the_server() {
    on_actix(async {
        for configured in [alert, separate] {
            let redis = Redis::start();
            let (mut node, client, socket) = Node::start(configured(&redis)).await;
            let mut guest = (client, socket);
            redis.freeze();
            serves(&mut node, &mut guest).await;
            let start = Instant::now();
            let sockets = node.server.root().to(guest.1.id()).fetch_sockets().await;
            assert_eq!(sockets.len(), 1, "what is there");
            assert!(start.elapsed() < AT_ONCE * 2, "{:?}", start.elapsed());
            node.is_in_trouble().await;
            serves(&mut node, &mut guest).await;
            redis.thaw();
            node.is_well().await;
            is_in_the_cluster(&redis, &node, &mut guest).await;
        }
    });
}

#[test]
fn what_is_published_and_what_is_heard_share_a_connection_where_they_can() {
    on_actix(async {
        let apart = |redis: &Redis| {
            let mut config = alert(redis);
            config.redis.publish_uri = format!("{}/1", redis.url());
            config
        };
        let without_hello = ["--rename-command", "HELLO", ""];
        for (args, configured, n_connections) in [
            (&[][..], alert as fn(&Redis) -> Config, 2),
            (&[], separate, 3),
            (&[], apart, 3),
            (&without_hello, alert, 3),
        ] {
            let redis = Redis::with(args);
            let mut peer = Peer::new(&redis, &[]).await;
            let n_clients = async |peer: &mut Peer| {
                let list: String = peer.ask(&["CLIENT", "LIST"]).await;
                list.lines().count()
            };
            let before = n_clients(&mut peer).await;
            let config = configured(&redis);
            let text = format!("{:?}", config.redis);
            let (node, client, socket) = Node::start(config).await;
            let mut guest = (client, socket);
            let n_ours = n_clients(&mut peer).await - before;
            assert_eq!(n_ours, n_connections, "{args:?} {text}");
            is_in_the_cluster(&redis, &node, &mut guest).await;
            // Who is killed as a subscriber may be the publisher too.
            let _: i64 = peer.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
            let listens = async || n_listeners(&mut peer).await == 1;
            until("another listens", listens).await;
            node.is_well().await;
            is_in_the_cluster(&redis, &node, &mut guest).await;
        }
    });
}

#[test]
fn a_wrong_password_can_be_corrected() {
    on_actix(async {
        let redis = Redis::with(&["--requirepass", "right"]);
        let mut config = alert(&redis);
        config.redis.uri = format!("redis://:wrong@127.0.0.1:{}", redis.port());
        let mut node = Node::build(config);
        let mut guest = node.join().await;
        let trouble = node.is_in_trouble().await;
        assert!(!trouble.contains("wrong"), "{trouble}");
        serves(&mut node, &mut guest).await;
        assert!(node.server.trouble().is_some());
        redis.cli(&["-a", "right", "CONFIG", "SET", "requirepass", "wrong"]);
        node.is_well().await;
        redis.cli(&["-a", "wrong", "CONFIG", "SET", "requirepass", ""]);
        is_in_the_cluster(&redis, &node, &mut guest).await;
    });
}

#[test]
fn what_waits_for_redis_is_bounded_and_the_newest_survives() {
    on_actix(async {
        let redis = Redis::start();
        let proxy = Proxy::to(&redis).await;
        let mut config = alert(&redis);
        config.redis.publish_uri = proxy.url();
        config.redis.publish_queue_bytes = 5000;
        let (node, mut client, _) = Node::start(config).await;
        let mut peer = Peer::new(&redis, &["k#/*"]).await;
        proxy.cut();
        until("the publisher has noticed", async || {
            let trouble = node.server.trouble().unwrap_or_default();
            trouble == "redis: no connection to publish"
        })
        .await;
        let before = node.counter("publish_lost");
        const N: usize = 200;
        for n in 0..N {
            // All of one length.
            node.server.emit("e", 1000 + n);
        }
        for n in 0..N {
            let event = client.event("e").await.unwrap();
            assert_eq!(
                event.args.first::<usize>().unwrap(),
                1000 + n,
                "at once here"
            );
        }
        let n_lost = usize::try_from(node.counter("publish_lost") - before).unwrap();
        assert!(0 < n_lost && n_lost < N, "{n_lost}");
        proxy.mend();
        let mut bytes = 0;
        for n in n_lost..N {
            let (channel, payload) = peer.next().await;
            assert_eq!(value(&payload)[1]["data"], json!(["e", 1000 + n]));
            bytes += channel.len() + payload.len();
        }
        let each = bytes / (N - n_lost);
        assert!(
            bytes <= 5000 && bytes + each > 5000,
            "{bytes} of {each} each"
        );
        node.is_well().await;
        node.server.emit("last", ());
        let (_, payload) = peer.next().await;
        assert_eq!(value(&payload)[1]["data"], json!(["last"]));
        assert_eq!(
            node.counter("publish_lost") - before,
            n_lost as u64,
            "and no more"
        );
    });
}

#[test]
fn a_subscriber_that_is_cut_off_returns_once() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let redis = Redis::start();
            let mut config = alert(&redis);
            config.redis.subscription = subscription;
            let (node, client, socket) = Node::start(config).await;
            let mut guest = (client, socket);
            guest.1.join_confirmed("r1").await.unwrap();
            let mut peer = Peer::new(&redis, &[]).await;
            for n in 0..10 {
                // Also in the middle of subscribing.
                for _ in 0..n {
                    let _: i64 = peer.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                    tokio::task::yield_now().await;
                }
                until("it listens again", async || {
                    n_listeners(&mut peer).await == 1
                })
                .await;
            }
            node.is_well().await;
            assert_eq!(subscribers(&mut peer).await.len(), 1);
            is_in_the_cluster(&redis, &node, &mut guest).await;
        }
    });
}

#[test]
fn a_subscriber_that_breaks_while_it_subscribes_returns_once() {
    on_actix(async {
        let redis = Redis::start();
        let proxy = Proxy::to(&redis).await;
        let mut config = alert(&redis);
        config.redis.subscribe_uri = proxy.url();
        config.redis.subscription = Subscription::Exact;
        // Nothing else is to make it dial anew.
        config.redis.canary_interval = Duration::from_secs(5);
        config.redis.connect_timeout = DEADLINE;
        let (node, client, socket) = Node::start(config).await;
        let mut guest = (client, socket);
        let mut peer = Peer::new(&redis, &[]).await;
        for n in 0..10 {
            // The end of the connection and the failure of the command are two signs of one break.
            proxy.deafen();
            let room = format!("room {n}");
            guest.1.join(&*room);
            let channel = format!("k#/#{room}#");
            until("the command has reached redis", async || {
                let (_, n): (String, usize) = peer.ask(&["PUBSUB", "NUMSUB", &channel]).await;
                n == 1
            })
            .await;
            let old = subscribers(&mut peer).await;
            proxy.sever();
            until("another listens", async || {
                let now = subscribers(&mut peer).await;
                now.iter().all(|id| !old.contains(id)) && n_listeners(&mut peer).await > 0
            })
            .await;
        }
        node.is_well().await;
        assert_eq!(subscribers(&mut peer).await.len(), 1);
        assert_eq!(proxy.n_connections(), 11, "one for each");
        is_in_the_cluster(&redis, &node, &mut guest).await;
    });
}

#[test]
fn a_subscriber_that_hears_nothing_is_replaced() {
    on_actix(async {
        let redis = Redis::start();
        let proxy = Proxy::to(&redis).await;
        let mut config = alert(&redis);
        config.redis.subscribe_uri = proxy.url();
        let (mut node, client, socket) = Node::start(config).await;
        let mut guest = (client, socket);
        for _ in 0..2 {
            proxy.deafen();
            node.is_in_trouble().await;
            serves(&mut node, &mut guest).await;
            node.is_well().await;
            let mut peer = Peer::new(&redis, &[]).await;
            let packet = json!(["peer", {"type": 2, "data": ["heard"], "nsp": "/"}, {}]);
            peer.say("k#/#", msgpack(&packet)).await;
            guest.0.event("heard").await.unwrap();
        }
        is_in_the_cluster(&redis, &node, &mut guest).await;
    });
}

#[test]
fn each_connection_may_break_alone() {
    on_actix(async {
        for part in ["publish", "subscribe", "data"] {
            let redis = Redis::start();
            let proxy = Proxy::to(&redis).await;
            let mut config = alert(&redis);
            // The lease is what talks on it.
            config.redis.lease = Duration::from_secs(1);
            match part {
                "publish" => config.redis.publish_uri = proxy.url(),
                "subscribe" => config.redis.subscribe_uri = proxy.url(),
                _ => config.redis.data_uri = proxy.url(),
            }
            let (mut node, client, socket) = Node::start(config).await;
            let mut guest = (client, socket);
            proxy.cut();
            let what = format!("redis: no connection to {part}");
            until(&what, async || node.server.trouble() == Some(what.clone())).await;
            serves(&mut node, &mut guest).await;
            assert_eq!(node.server.trouble(), Some(what));
            proxy.mend();
            node.is_well().await;
            is_in_the_cluster(&redis, &node, &mut guest).await;
        }
    });
}

#[test]
fn what_redis_forgets_is_written_anew() {
    on_actix(async {
        let redis = Redis::start();
        let mut config = alert(&redis);
        config.redis.lease = Duration::from_secs(1);
        let (node, client, socket) = Node::start(config).await;
        let mut guest = (client, socket);
        guest.1.join_confirmed(["r1", "r2"]).await.unwrap();
        redis.cli(&["FLUSHALL"]);
        is_in_the_cluster(&redis, &node, &mut guest).await;
        // Without memory nothing is stored, and everything is delivered.
        redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
        guest.1.join("r3");
        let mut peer = Peer::new(&redis, &["k#/*"]).await;
        node.server.emit("to outside", ());
        let (_, heard) = peer.next().await;
        assert_eq!(value(&heard)[1]["data"], json!(["to outside"]));
        redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        until("the membership", async || {
            let id = guest.1.id().as_str();
            let is_member: bool = peer.ask(&["SISMEMBER", "k#r3", id]).await;
            is_member
        })
        .await;
        node.is_well().await;
    });
}

#[test]
fn who_closes_leaves_nothing_behind() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let redis = Redis::start();
            let mut config = alert(&redis);
            config.redis.subscription = subscription;
            config.recovery.enabled = true;
            let (mut node, mut client, socket) = Node::start(config).await;
            let (mut chatter, chat_socket) = node.join_in("/chat", ()).await;
            socket.join_confirmed(["r1", "r2"]).await.unwrap();
            chat_socket.join_confirmed("r1").await.unwrap();
            assert_ne!(redis.cli(&["KEYS", "k*"]), "");
            assert_ne!(redis.cli(&["PUBSUB", "CHANNELS", "k*"]), "");
            node.server.close();
            within("their end", async {
                client.disconnected().await.unwrap();
                chatter.disconnected().await.unwrap();
            })
            .await;
            eventually("nothing is left", || {
                redis.cli(&["KEYS", "*"]).is_empty()
                    && redis.cli(&["PUBSUB", "CHANNELS"]).is_empty()
                    && redis.cli(&["PUBSUB", "NUMPAT"]) == "0"
            })
            .await;
            // Twice does no harm.
            node.server.close();
        }
    });
}
