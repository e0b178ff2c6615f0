//! A program elsewhere is told of sockets and rooms: at least once, in order, and in a cluster once for all.

use std::time::{Duration, SystemTime};

use greenroom::config::{Config, Secret, WebhookEvent};
use greenroom::testing::Client;
use serde_json::{Value as Json, json};

use crate::support::backend::{Backend, Call};
use crate::support::cluster::{self, Node};
use crate::support::scrape::{at, scraped};
use crate::support::servers::Redis;
use crate::support::{self, counter, eventually, lobby, on_actix};

fn hooked(mut config: Config, backend: &Backend, events: &[WebhookEvent]) -> Config {
    config.webhooks.url = backend.url.clone();
    config.webhooks.timeout = support::DEADLINE;
    if !events.is_empty() {
        config.webhooks.events = events.to_vec();
    }
    config
}

fn now_ms() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

const ROOMS: &[WebhookEvent] = &[WebhookEvent::RoomOccupied, WebhookEvent::RoomVacated];

/// The next webhook, delivered: its body.
async fn next(backend: &mut Backend) -> Json {
    let call = backend.next().await;
    let body = call.body.clone();
    call.answer(&json!({}));
    body
}

/// Type and room of a webhook.
fn edge(body: &Json) -> (String, String) {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (text("type"), text("room"))
}

fn occupied(room: &str) -> (String, String) {
    ("room_occupied".to_owned(), room.to_owned())
}

fn vacated(room: &str) -> (String, String) {
    ("room_vacated".to_owned(), room.to_owned())
}

#[test]
fn sockets_and_rooms_of_one_server_are_told() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut config = hooked(Config::default(), &backend, &[]);
        config.webhooks.secret = Secret::new("s3cret");
        let mut lobby = lobby(config);
        let (one, socket) = lobby.join().await;
        let call = backend.next().await;
        call.signed_at("s3cret");
        assert_eq!(call.header("greenroom-id"), call.body["id"].as_str());
        assert_eq!(call.text("type"), "connected");
        assert_eq!(call.text("namespace"), "/");
        assert!(call.body["time"].as_u64().unwrap() > 1_700_000_000_000);
        let about = &call.body["socket"];
        assert_eq!(about["id"], json!(one.id()));
        assert_eq!(about["rooms"], json!([one.id()]));
        call.answer(&json!({}));

        let (other, other_socket) = lobby.join().await;
        assert_eq!(next(&mut backend).await["type"], "connected");
        socket.join("a");
        assert_eq!(edge(&next(&mut backend).await), occupied("a"));
        // Neither the second nor the second last is told, nor a room that is the own of a socket.
        other_socket.join("a");
        socket.leave("a");
        other_socket.leave(other.id());
        other_socket.join(other.id());
        other_socket.leave("a");
        assert_eq!(edge(&next(&mut backend).await), vacated("a"));

        socket.join(["b", "c"]);
        let mut edges =
            [next(&mut backend).await, next(&mut backend).await].map(|body| edge(&body));
        edges.sort();
        assert_eq!(edges, [occupied("b"), occupied("c")]);
        let id = one.id().to_owned();
        one.disconnect().await;
        let mut last = Vec::new();
        for _ in 0..3 {
            last.push(next(&mut backend).await);
        }
        last.sort_by_key(edge);
        assert_eq!(last[0]["type"], "disconnected");
        assert_eq!(last[0]["reason"], "client namespace disconnect");
        assert_eq!(last[0]["socket"]["rooms"], json!([id, "b", "c"]));
        assert_eq!(edge(&last[1]), vacated("b"));
        assert_eq!(edge(&last[2]), vacated("c"));
        assert!(backend.now().is_none());
    });
}

/// The webhook of this call once more, under the same id.
async fn again(backend: &mut Backend, id: &str) -> Call {
    let call = backend.next().await;
    assert_eq!(call.text("id"), id);
    call
}

#[test]
fn what_fails_is_tried_again_and_keeps_its_place() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut lobby = lobby(hooked(Config::default(), &backend, ROOMS));
        let (_client, socket) = lobby.join().await;
        socket.join("a");
        let call = backend.next().await;
        let id = call.text("id").to_owned();
        // Waits behind the first, whatever becomes of that.
        socket.leave("a");
        call.reply(500, "");
        // Others do not wait.
        socket.join("b");
        assert_eq!(edge(&next(&mut backend).await), occupied("b"));
        let call = again(&mut backend, &id).await;
        call.reply(302, "");
        let call = again(&mut backend, &id).await;
        assert_eq!(counter(&lobby.server, "webhook_failed"), 2);
        // Only the status counts.
        call.reply(204, "");
        assert_eq!(edge(&next(&mut backend).await), vacated("a"));
        assert_eq!(counter(&lobby.server, "webhook_dead"), 0);
    });
}

#[test]
fn what_fails_for_too_long_is_given_up() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut config = hooked(Config::default(), &backend, ROOMS);
        config.webhooks.retry_for = Duration::ZERO;
        let mut lobby = lobby(config);
        let (_client, socket) = lobby.join().await;
        socket.join("a");
        let call = backend.next().await;
        socket.leave("a");
        call.reply(503, "");
        assert_eq!(edge(&next(&mut backend).await), vacated("a"));
        assert_eq!(counter(&lobby.server, "webhook_dead"), 1);

        // As is what hangs, or cannot be delivered at all.
        let mut config = hooked(Config::default(), &backend, ROOMS);
        config.webhooks.retry_for = Duration::ZERO;
        config.webhooks.timeout = Duration::from_secs(1);
        let mut lobby = support::lobby(config);
        let (_client, socket) = lobby.join().await;
        socket.join("a");
        let _held = backend.next().await;
        let server = lobby.server.clone();
        eventually("a dead webhook", || counter(&server, "webhook_dead") == 1).await;
    });
}

#[test]
fn what_does_not_fit_into_the_queue_is_counted() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut config = hooked(Config::default(), &backend, &[WebhookEvent::Connected]);
        config.webhooks.queue = 2;
        let mut lobby = lobby(config);
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(lobby.join().await.0);
        }
        assert_eq!(counter(&lobby.server, "webhook_dropped"), 3);
        for client in &clients[..2] {
            assert_eq!(next(&mut backend).await["socket"]["id"], client.id());
        }
        // There is room again, as soon as the answers are here.
        let last = loop {
            let (client, _) = lobby.join().await;
            clients.push(client);
            let n_dropped = counter(&lobby.server, "webhook_dropped");
            if n_dropped < clients.len() as u64 - 2 {
                break clients.last().unwrap().id();
            }
        };
        assert_eq!(next(&mut backend).await["socket"]["id"], last);
    });
}

fn in_cluster(redis: &Redis, node: &str, backend: &Backend) -> Config {
    let mut config = hooked(cluster::config(redis, node), backend, ROOMS);
    // So that what one server has found is delivered in this order.
    config.webhooks.concurrency = 1;
    config
}

#[test]
fn in_a_cluster_a_room_is_told_of_once() {
    on_actix(async {
        let (redis, mut backend) = (Redis::start(), Backend::start());
        let (mut one, _a, a) = Node::start(in_cluster(&redis, "one", &backend)).await;
        let (two, _b, b) = Node::start(in_cluster(&redis, "two", &backend)).await;
        // A name as ids have it, and one that is no plain text in a key.
        for room in ["r", "room_of-20-character", "a#b%23 \"ü"] {
            a.join_confirmed(room).await.unwrap();
            let body = next(&mut backend).await;
            assert_eq!(edge(&body), occupied(room));
            assert_eq!(body["node"], "one");
            b.join_confirmed(room).await.unwrap();
            a.leave(room);
            a.join_confirmed("fence").await.unwrap();
            assert_eq!(edge(&next(&mut backend).await), occupied("fence"));
            b.leave(room);
            let body = next(&mut backend).await;
            assert_eq!(edge(&body), vacated(room));
            assert_eq!(body["node"], "two");
            a.leave("fence");
            assert_eq!(edge(&next(&mut backend).await), vacated("fence"));
        }
        let (c_client, c) = one.join_in("/chat", ()).await;
        c.join("r");
        let body = next(&mut backend).await;
        assert_eq!(
            (edge(&body), body["namespace"].as_str()),
            (occupied("r"), Some("/chat"))
        );
        c_client.disconnect().await;
        assert_eq!(edge(&next(&mut backend).await), vacated("r"));
        // A server that ends leaves nobody in a room.
        b.join_confirmed("end").await.unwrap();
        assert_eq!(edge(&next(&mut backend).await), occupied("end"));
        two.server.close();
        assert_eq!(edge(&next(&mut backend).await), vacated("end"));
        assert!(backend.now().is_none());
    });
}

#[test]
fn edges_are_found_once_however_many_come_and_go() {
    on_actix(async {
        let (redis, mut backend) = (Redis::start(), Backend::start());
        let mut nodes = Vec::new();
        let mut clients: Vec<Client> = Vec::new();
        let mut sockets = Vec::new();
        for name in ["one", "two", "three"] {
            let (mut node, client, socket) = Node::start(in_cluster(&redis, name, &backend)).await;
            clients.push(client);
            sockets.push(socket);
            let (client, socket) = node.join().await;
            clients.push(client);
            sockets.push(socket);
            nodes.push(node);
        }
        // Half of them come, hand over to the other half, and those go: all at once, from three connections.
        const TURNS: usize = 60;
        for turn in 0..TURNS {
            for (n, socket) in sockets.iter().enumerate() {
                match (turn % 4, n % 2) {
                    (0, 0) | (1, 1) => socket.join("r"),
                    (1, 0) | (2, 1) => socket.leave("r"),
                    _ => {}
                }
            }
            let settled = sockets.iter().map(|socket| socket.join_confirmed("own"));
            for done in futures_util::future::join_all(settled).await {
                done.unwrap();
            }
        }
        // One edge more of each server: what it found before is delivered before.
        let end_ms = now_ms();
        eventually("the next millisecond", || now_ms() > end_ms).await;
        for socket in sockets.iter().step_by(2) {
            for is_in in [true, false] {
                match is_in {
                    true => socket.join("r"),
                    false => socket.leave("r"),
                }
                socket.join_confirmed("own").await.unwrap();
            }
        }
        let (mut n_occupied, mut n_vacated, mut n_last) = (0, 0, 0);
        while n_last < 3 {
            let body = next(&mut backend).await;
            let (kind, room) = edge(&body);
            let is_after = body["time"].as_u64().unwrap() > end_ms;
            match (&*kind, &*room) {
                ("room_occupied", "own") => {}
                ("room_occupied", "r") => n_occupied += usize::from(!is_after),
                ("room_vacated", "r") if is_after => n_last += 1,
                ("room_vacated", "r") => n_vacated += 1,
                _ => panic!("{body}"),
            }
        }
        assert_eq!(n_occupied, n_vacated, "it is empty at the end");
        assert!(
            (TURNS / 4..=TURNS / 2).contains(&n_occupied),
            "{n_occupied}"
        );
    });
}

#[test]
fn what_changed_while_redis_was_away_is_told_when_it_is_back() {
    on_actix(async {
        let (mut redis, mut backend) = (Redis::with(&["--appendonly", "yes"]), Backend::start());
        let (node, _client, socket) = Node::start(in_cluster(&redis, "one", &backend)).await;
        socket.join_confirmed("before").await.unwrap();
        assert_eq!(edge(&next(&mut backend).await), occupied("before"));
        redis.kill();
        node.is_in_trouble().await;
        socket.leave("before");
        socket.join("after");
        socket.join("never");
        socket.leave("never");
        redis.restart();
        node.is_well().await;
        let mut edges =
            [next(&mut backend).await, next(&mut backend).await].map(|body| edge(&body));
        edges.sort();
        assert_eq!(edges, [occupied("after"), vacated("before")]);
        assert!(backend.now().is_none());
    });
}

#[test]
fn what_is_vacated_while_nothing_can_be_added_is_told() {
    on_actix(async {
        let (redis, mut backend) = (Redis::start(), Backend::start());
        let (node, _client, socket) = Node::start(in_cluster(&redis, "one", &backend)).await;
        socket.join_confirmed("old").await.unwrap();
        assert_eq!(edge(&next(&mut backend).await), occupied("old"));
        redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
        // Of one batch: what is added is refused, and stands before what is removed.
        socket.join("new");
        socket.leave("old");
        assert_eq!(edge(&next(&mut backend).await), vacated("old"));
        redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        assert_eq!(edge(&next(&mut backend).await), occupied("new"));
        drop(node);
    });
}

#[test]
fn without_membership_in_redis_each_server_tells_of_its_own() {
    on_actix(async {
        let (redis, mut backend) = (Redis::start(), Backend::start());
        let config = |name| {
            let mut config = in_cluster(&redis, name, &backend);
            config.redis.store_membership = false;
            config
        };
        let (one, two) = (config("one"), config("two"));
        let (_one, _a, a) = Node::start(one).await;
        let (_two, _b, b) = Node::start(two).await;
        a.join("r");
        assert_eq!(next(&mut backend).await["node"], "one");
        b.join("r");
        let body = next(&mut backend).await;
        assert_eq!(
            (edge(&body), body["node"].as_str()),
            (occupied("r"), Some("two"))
        );
    });
}

#[test]
fn webhooks_are_counted_until_they_are_delivered() {
    on_actix(async {
        let mut receiver = Backend::start();
        let mut lobby = lobby(hooked(Config::default(), &receiver, &[]));
        let (pending, delivered) = (
            "greenroom_webhooks_pending",
            "greenroom_webhook_seconds_count",
        );
        let (_client, _) = lobby.join().await;
        let call = receiver.next().await;
        let samples = scraped(&lobby.server).await;
        assert_eq!((at(&samples, pending), at(&samples, delivered)), (1, 0));
        // It is tried again, which is part of its time.
        call.reply(500, "");
        receiver.next().await.answer(&json!({}));
        cluster::until("it is delivered", async || {
            at(&scraped(&lobby.server).await, pending) == 0
        })
        .await;
        let samples = scraped(&lobby.server).await;
        assert_eq!(at(&samples, delivered), 1);
        // The first delay is at least half a second.
        assert!(samples["greenroom_webhook_seconds_sum"] >= 0.5);
    });
}
