//! The HTTP API for backends in a cluster: one node is asked, all of them act and answer; who does not is named.

use std::time::Duration;

use actix_web::App;
use actix_web::http::StatusCode;
use actix_web::test::{self, TestRequest};
use greenroom::config::{ApiKey, Config, Subscription};
use greenroom::testing::Client;
use greenroom::{Server, Socket};
use serde_json::{Value, json};

use crate::support::cluster::{self, Node, Peer, config, until};
use crate::support::servers::Redis;
use crate::support::{ear, eventually, on_actix, within};

const KEY: &str = "0123456789abcdef";

fn with_key(redis: &Redis, node: &str) -> Config {
    let mut config = config(redis, node);
    config.api.keys = vec![ApiKey::new(KEY)];
    config
}

/// A request to the API of this server, and its answer.
async fn call(server: &Server, request: TestRequest) -> (StatusCode, Value) {
    let app = test::init_service(App::new().configure(greenroom::api(server))).await;
    let request = request.insert_header(("x-api-key", KEY)).to_request();
    let response = within("an answer", test::call_service(&app, request)).await;
    let status = response.status();
    (status, test::read_body_json(response).await)
}

async fn post(server: &Server, path: &str, body: Value) -> Value {
    let request = TestRequest::post()
        .uri(&format!("/api/v1{path}"))
        .set_json(&body);
    let (status, reply) = call(server, request).await;
    assert_eq!(status, 200, "{reply}");
    reply
}

async fn get(server: &Server, path: &str) -> Value {
    let request = TestRequest::get().uri(&format!("/api/v1{path}"));
    let (status, reply) = call(server, request).await;
    assert_eq!(status, 200, "{reply}");
    reply
}

/// Two servers with a client each, both in `r` and in the room of a user.
struct Pair {
    one: Node,
    two: Node,
    a: (Client, Socket),
    b: (Client, Socket),
    redis: Redis,
}

impl Pair {
    async fn new(change: impl Fn(&mut Config)) -> Self {
        let redis = Redis::start();
        let set_up = |name| {
            let mut config = with_key(&redis, name);
            change(&mut config);
            config
        };
        let (one, client, socket) = Node::start(set_up("one")).await;
        let a = (client, socket);
        let (two, client, socket) = Node::start(set_up("two")).await;
        let b = (client, socket);
        for (_, socket) in [&a, &b] {
            socket.join_confirmed(["r", "user:ada"]).await.unwrap();
        }
        Self {
            one,
            two,
            a,
            b,
            redis,
        }
    }
}

fn nobody() -> Value {
    json!({"nodes": [], "unnamed": 0})
}

#[test]
fn commands_reach_the_sockets_of_all_nodes() {
    on_actix(async {
        let mut pair = Pair::new(|_| {}).await;
        let server = pair.one.server.clone();
        let b = pair.b.1.clone();
        let told = json!({"complete": true});
        let emit = json!({"users": ["ada"], "event": "e", "args": [{"$binary": "AQ=="}]});
        assert_eq!(post(&server, "/emit", emit).await, told);
        for (client, _) in [&mut pair.a, &mut pair.b] {
            let event = client.event("e").await.unwrap();
            assert_eq!(event.args.attachments(), [&[1][..]]);
        }
        let only_here = json!({"all": true, "event": "here", "local": true});
        assert_eq!(post(&server, "/emit", only_here).await, told);
        let to_b = json!({"sockets": [b.id()], "event": "there"});
        assert_eq!(post(&server, "/emit", to_b).await, told);
        assert_eq!(pair.a.0.next_event().await.unwrap().name, "here");
        assert_eq!(pair.b.0.next_event().await.unwrap().name, "there");

        let join = json!({"sockets": [b.id()], "join": ["x"]});
        assert_eq!(post(&server, "/join", join).await, told);
        eventually("a join", || b.is_in("x")).await;
        let leave = json!({"rooms": ["x"], "leave": ["x"]});
        assert_eq!(post(&server, "/leave", leave).await, told);
        eventually("a leave", || !b.is_in("x")).await;
        let end = json!({"sockets": [b.id()], "close": true});
        assert_eq!(post(&server, "/disconnect", end).await, told);
        eventually("an end", || !b.is_connected()).await;
        assert!(pair.a.1.is_connected());
    });
}

#[test]
fn clients_of_all_nodes_answer_and_the_silent_are_counted() {
    on_actix(async {
        let mut pair = Pair::new(|_| {}).await;
        let (mut silent, _) = pair.two.join().await;
        let server = pair.one.server.clone();
        let ask = json!({"all": true, "event": "vote", "timeout_ms": 1500});
        let asked = actix::spawn(async move { post(&server, "/emit-with-ack", ask).await });
        for ((client, _), answer) in [(&mut pair.a, "from one"), (&mut pair.b, "from two")] {
            let event = client.event("vote").await.unwrap();
            client.ack(event.ack.unwrap(), answer).await.unwrap();
        }
        silent.event("vote").await.unwrap();
        let mut reply = within("the deadline", asked).await.unwrap();
        reply["answers"]
            .as_array_mut()
            .unwrap()
            .sort_by_key(Value::to_string);
        let expected = json!({
            "answers": [["from one"], ["from two"]],
            "missing": 1, "left_out": 0, "complete": false, "silent": nobody(),
        });
        assert_eq!(reply, expected);
    });
}

#[test]
fn any_node_knows_who_is_where() {
    on_actix(async {
        let mut pair = Pair::new(|_| {}).await;
        let (_c, at_c) = pair.two.join().await;
        at_c.join_confirmed("only two").await.unwrap();
        let (a, b) = (pair.a.1.clone(), pair.b.1.clone());
        let mut ids = [&a, &b, &at_c].map(|socket| socket.id().to_string());
        ids.sort();
        for server in [&pair.one.server, &pair.two.server] {
            let rooms = get(server, "/rooms").await;
            let expected = json!([
                {"name": "only two", "sockets": 1}, {"name": "r", "sockets": 2},
                {"name": "user:ada", "sockets": 2},
            ]);
            assert_eq!(
                (&rooms["rooms"], &rooms["complete"]),
                (&expected, &json!(true))
            );

            let mut found = Vec::new();
            let mut path = "/sockets?limit=1".to_owned();
            loop {
                let page = get(server, &path).await;
                assert_eq!(
                    (&page["total"], &page["complete"]),
                    (&json!(3), &json!(true))
                );
                found.push(page["sockets"][0]["id"].as_str().unwrap().to_owned());
                let Some(next) = page["next"].as_str() else {
                    break;
                };
                path = format!("/sockets?limit=1&after={next}");
            }
            assert_eq!(found, ids);

            for socket in [&a, &b] {
                let one = get(server, &format!("/sockets/{}", socket.id())).await;
                assert_eq!(one["id"], socket.id().as_str());
            }
            let of_user = get(server, "/users/ada/sockets").await;
            assert_eq!(of_user["total"], 2);
            let presence = get(server, "/presence?user=ada&user=bob").await;
            assert_eq!(
                presence["users"][0],
                json!({"user": "ada", "online": true, "sockets": 2})
            );
            assert_eq!(presence["users"][1]["online"], false);
        }
    });
}

#[test]
fn nodes_tell_their_load_and_others_are_counted() {
    on_actix(async {
        let pair = Pair::new(|_| {}).await;
        // Somebody who answers questions that all know, and no event, as Node.js servers do.
        let mut other = Peer::new(&pair.redis, &[]).await;
        other.subscribe("k-request#/#").await;
        let server = pair.one.server.clone();
        until("a count of three", async || {
            *server.root().server_count().await == 3
        })
        .await;
        let asked = actix::spawn(async move { get(&server, "/nodes").await });
        loop {
            let question = cluster::value(&other.next().await.1);
            if question["type"] == 0 {
                let answer = json!({"requestId": question["requestId"], "sockets": []});
                other.say("k-response#/#", answer.to_string()).await;
                break;
            }
            assert_eq!(question["data"], json!(["greenroom:nodes"]));
        }
        let reply = within("the nodes", asked).await.unwrap();
        let nodes = reply["nodes"].as_array().unwrap();
        let names: Vec<_> = nodes
            .iter()
            .map(|node| node["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["one", "two"]);
        for node in nodes {
            assert_eq!(
                (&node["sessions"], &node["sockets"]),
                (&json!(1), &json!(1))
            );
        }
        let rest = (&reply["others"], &reply["complete"], &reply["silent"]);
        assert_eq!(rest, (&json!(1), &json!(true), &nobody()));
    });
}

#[test]
fn servers_are_asked_this_one_included() {
    on_actix(async {
        let mut pair = Pair::new(|_| {}).await;
        let server = pair.one.server.clone();
        // The handlers of the nodes answer this event.
        let reply = post(
            &server,
            "/server-side-emit",
            json!({"event": "fence", "ack": true}),
        )
        .await;
        let expected = json!({"answers": [true, true], "complete": true, "silent": nobody()});
        assert_eq!(reply, expected);
        let reply = post(
            &server,
            "/server-side-emit",
            json!({"event": "e", "args": [1]}),
        )
        .await;
        assert_eq!(reply, json!({"complete": true}));
        for node in [&mut pair.one, &mut pair.two] {
            let event = node.server_event().await;
            assert_eq!(
                (event.name(), event.args().first::<u8>().unwrap()),
                ("e", 1)
            );
            event.ack.forget();
        }
    });
}

#[test]
fn a_namespace_may_be_on_other_nodes_alone() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let set_up = |config: &mut Config| config.redis.subscription = subscription;
            let pair = Pair::new(set_up).await;
            let mut config = with_key(&pair.redis, "three");
            config.redis.subscription = subscription;
            let (handlers, mut hearing) = ear();
            let three = Server::builder()
                .config(config)
                .namespace_matching(|name, _| name.starts_with("/game-"), handlers)
                .build()
                .unwrap();
            let mut client = Client::connect_to(&three, "/game-7", ()).await.unwrap();
            let socket = hearing.connected().await;
            eventually("a third node", || three.trouble().is_none()).await;
            socket.join_confirmed("board").await.unwrap();
            let server = pair.one.server.clone();
            assert!(server.of("/game-7").is_none());

            let nsp = json!("/game-7");
            let told = json!({"complete": true});
            let join = json!({"namespace": nsp, "rooms": ["board"], "join": ["x"]});
            assert_eq!(post(&server, "/join", join).await, told);
            let emit = json!({"namespace": nsp, "all": true, "event": "e"});
            assert_eq!(post(&server, "/emit", emit).await, told);
            client.event("e").await.unwrap();
            eventually("a join", || socket.is_in("x")).await;

            let ask = json!({"namespace": nsp, "all": true, "event": "vote", "timeout_ms": 30_000});
            let asking = server.clone();
            let asked = actix::spawn(async move { post(&asking, "/emit-with-ack", ask).await });
            let event = client.event("vote").await.unwrap();
            client.ack(event.ack.unwrap(), 7).await.unwrap();
            let reply = within("the answers", asked).await.unwrap();
            assert_eq!(
                (&reply["answers"], &reply["complete"]),
                (&json!([[7]]), &json!(true))
            );

            let rooms = get(&server, "/rooms?namespace=/game-7&prefix=b").await;
            assert_eq!(rooms["rooms"], json!([{"name": "board", "sockets": 1}]));
            assert_eq!(rooms["complete"], true);
            let sockets = get(&server, "/sockets?namespace=%2Fgame-7").await;
            assert_eq!(sockets["sockets"][0]["id"], socket.id().as_str());
            let batch = json!({"commands": [
                {"emit": {"namespace": nsp, "all": true, "event": "last"}},
                {"emit": {"namespace": "/game-8", "all": true, "event": "last"}},
                {"leave": {"namespace": nsp, "all": true, "leave": ["x"]}},
            ]});
            let reply = post(&server, "/batch", batch).await;
            let statuses = [0, 1, 2].map(|at| reply["results"][at]["status"].as_u64().unwrap());
            assert_eq!(statuses, [200, 404, 200]);
            client.event("last").await.unwrap();
            let end = json!({"namespace": nsp, "sockets": [socket.id()], "close": true});
            assert_eq!(post(&server, "/disconnect", end).await, told);
            eventually("an end", || !socket.is_connected()).await;

            // Nothing stays of it: the node that has the namespace is alone on its channels.
            let mut peer = Peer::new(&pair.redis, &[]).await;
            until("no other subscription", async || {
                let channels = ["k-response#/game-7#", "k-request#/game-7#"];
                subscribers(&mut peer, &channels).await == [1, 1]
            })
            .await;
        }
    });
}

/// How many connections are subscribed to each of these channels.
async fn subscribers(peer: &mut Peer, channels: &[&str]) -> Vec<usize> {
    let words = [&["PUBSUB", "NUMSUB"], channels].concat();
    let counts: Vec<(String, usize)> = peer.ask(&words).await;
    counts.into_iter().map(|(_, count)| count).collect()
}

#[test]
fn who_is_silent_is_told() {
    on_actix(async {
        let set_up = |config: &mut Config| config.redis.requests_timeout = Duration::from_secs(1);
        let pair = Pair::new(set_up).await;
        let mut deaf = Peer::new(&pair.redis, &[]).await;
        deaf.subscribe("k-request#/#").await;
        let server = &pair.one.server;
        until("a count of three", async || {
            *server.root().server_count().await == 3
        })
        .await;
        let silent = json!({"nodes": [], "unnamed": 1});
        for path in [
            "/rooms",
            "/sockets",
            "/presence?user=ada",
            "/users/ada/sockets",
            "/nodes",
        ] {
            let reply = get(server, path).await;
            assert_eq!(
                (&reply["complete"], &reply["silent"]),
                (&json!(false), &silent),
                "{path}"
            );
        }
        assert_eq!(
            get(server, "/presence?user=ada").await["users"][0]["sockets"],
            2
        );
        // It may have the socket, or not.
        let request = TestRequest::get().uri("/api/v1/sockets/nobody");
        let (status, reply) = call(server, request).await;
        assert_eq!(status, 503);
        assert_eq!(reply["type"], "urn:greenroom:problem:incomplete");
        get(server, &format!("/sockets/{}", pair.b.1.id())).await;
    });
}

#[test]
fn who_falls_silent_between_two_questions_is_told() {
    on_actix(async {
        let set_up = |config: &mut Config| config.redis.requests_timeout = Duration::from_secs(1);
        let pair = Pair::new(set_up).await;
        let mut fickle = Peer::new(&pair.redis, &[]).await;
        fickle.subscribe("k-request#/#").await;
        let server = &pair.one.server;
        until("a count of three", async || {
            *server.root().server_count().await == 3
        })
        .await;
        // Says which rooms it has, and which sockets, but not what is in them.
        let answering = async {
            loop {
                let request = cluster::value(&fickle.next().await.1);
                let id = &request["requestId"];
                let answer = match request["type"].as_u64() {
                    Some(0) => json!({"requestId": id, "sockets": ["theirs"]}),
                    Some(1) => json!({"requestId": id, "rooms": ["attic"]}),
                    _ => continue,
                };
                fickle.say("k-response#/#", answer.to_string()).await;
            }
        };
        let reply = tokio::select! {
            reply = get(server, "/rooms?prefix=attic") => reply,
            () = answering => unreachable!("it never ends"),
        };
        assert_eq!(reply["rooms"], json!([{"name": "attic", "sockets": 0}]));
        assert_eq!(
            (&reply["complete"], &reply["silent"]),
            (&json!(false), &json!({"nodes": [], "unnamed": 1}))
        );
    });
}

#[test]
fn without_redis_a_node_does_what_it_can_and_says_so() {
    on_actix(async {
        let set_up =
            |config: &mut Config| config.redis.requests_timeout = Duration::from_millis(300);
        let mut pair = Pair::new(set_up).await;
        let server = pair.one.server.clone();
        pair.redis.kill();
        pair.one.is_in_trouble().await;
        let reply = post(&server, "/emit", json!({"all": true, "event": "e"})).await;
        assert_eq!(reply["complete"], false);
        assert!(
            reply["trouble"].as_str().unwrap().starts_with("redis: "),
            "{reply}"
        );
        pair.a.0.event("e").await.unwrap();
        let local = json!({"all": true, "event": "e", "local": true});
        assert_eq!(
            post(&server, "/emit", local).await,
            json!({"complete": true})
        );

        let ask = json!({"all": true, "event": "vote", "timeout_ms": 20_000});
        let asking = server.clone();
        let asked = actix::spawn(async move { post(&asking, "/emit-with-ack", ask).await });
        pair.a.0.event("e").await.unwrap();
        let event = pair.a.0.event("vote").await.unwrap();
        pair.a.0.ack(event.ack.unwrap(), 1).await.unwrap();
        let reply = within("the answers", asked).await.unwrap();
        assert_eq!(
            (&reply["answers"], &reply["complete"]),
            (&json!([[1]]), &json!(false))
        );

        for path in ["/rooms", "/sockets", "/presence?user=ada", "/nodes"] {
            let reply = get(&server, path).await;
            assert_eq!(reply["complete"], false, "{path}");
            assert!(reply["trouble"].is_string(), "{path}");
        }
        assert_eq!(get(&server, "/sockets").await["total"], 1);
        get(&server, &format!("/sockets/{}", pair.a.1.id())).await;
        let request = TestRequest::get().uri(&format!("/api/v1/sockets/{}", pair.b.1.id()));
        let (status, reply) = call(&server, request).await;
        assert_eq!(status, 503, "{reply}");
        assert!(reply["trouble"].is_string());
        let request = TestRequest::get().uri("/api/v1/rooms?namespace=/elsewhere");
        let (status, reply) = call(&server, request).await;
        assert_eq!(status, 503, "{reply}");
        assert_eq!(reply["namespace"], "/elsewhere");
    });
}
