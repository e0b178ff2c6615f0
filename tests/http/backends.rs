//! Namespaces that a program elsewhere answers over HTTP.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use greenroom::config::{BackendConfig, Config, Secret};
use greenroom::testing::{Client, ClientError};
use greenroom::{Args, Server, backend};
use serde_json::{Value as Json, json};

use crate::support::backend::{Backend, Call};
use crate::support::{self, Worker, counter, eventually, on_actix, within};

fn settings(url: &str) -> BackendConfig {
    let mut settings = BackendConfig::default();
    settings.url = url.to_owned();
    // Long enough for a machine that does much else.
    settings.timeout = support::DEADLINE;
    settings
}

fn server_of(config: &Config, settings: &BackendConfig) -> Server {
    let handlers = backend::handlers(settings, config).unwrap();
    let builder = Server::builder().config(config.clone());
    builder
        .namespace(&settings.namespace, handlers)
        .build()
        .unwrap()
}

fn server(settings: &BackendConfig) -> Server {
    server_of(&Config::default(), settings)
}

fn first(args: &Args) -> Json {
    args.first().unwrap()
}

#[test]
fn an_event_is_told_and_its_answer_is_the_ack() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut settings = settings(&backend.url);
        settings.secret = Secret::new("s3cret");
        let server = server(&settings);
        let mut client = Client::connect_to(&server, "/", json!({"token": "t"}))
            .await
            .unwrap();
        let id = client.id().to_owned();
        let bytes = Bytes::from_static(&[0, 255]);
        let asked = client.emit_with_ack("say", ("hello", &bytes, json!({"$binary": "x"})));
        let answered = async {
            let call = backend.next().await;
            let body = &call.body;
            assert_eq!(call.header("content-type"), Some("application/json"));
            assert_eq!(call.header("greenroom-id"), body["id"].as_str());
            assert_eq!(call.header("greenroom-node"), body["node"].as_str());
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
            assert!(now - call.signed_at("s3cret") < 60);
            assert!(body["time"].as_u64().unwrap() / 1000 >= now - 60);
            for (name, expected) in [
                ("type", json!("event")),
                ("namespace", json!("/")),
                ("event", json!("say")),
                ("ack", json!(true)),
                (
                    "args",
                    json!(["hello", {"$binary": "AP8="}, {"$$binary": "x"}]),
                ),
            ] {
                assert_eq!(body[name], expected, "{name}");
            }
            let socket = &body["socket"];
            assert_eq!(socket["id"], json!(id));
            assert_eq!(socket["auth"], json!({"token": "t"}));
            assert_eq!(socket["data"], json!({}));
            assert_eq!(socket["rooms"], json!([id]));
            assert_eq!(socket.get("handshake"), None, "told at the beginning");
            call.answer(&json!({"ack": [1, {"$binary": "AQI="}]}));
        };
        let (args, ()) = tokio::join!(asked, answered);
        let (one, bytes): (u8, Bytes) = args.unwrap().parse().unwrap();
        assert_eq!((one, &*bytes), (1, &[1, 2][..]));

        // Nothing is an answer too.
        for (status, body) in [(200, ""), (204, ""), (200, "{}"), (200, r#"{"ack":[]}"#)] {
            let asked = client.emit_with_ack("say", ());
            let answered = async { backend.next().await.reply(status, body) };
            let (args, ()) = tokio::join!(asked, answered);
            assert!(args.unwrap().is_empty(), "{status} {body}");
        }
    });
}

#[test]
fn a_backend_decides_who_comes_in() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut settings = settings(&backend.url);
        settings.namespace = "/members".to_owned();
        settings.connect = true;
        settings.disconnect = true;
        let server = server(&settings);
        let ask = || Client::connect_to(&server, "/members", json!({"name": "ada"}));

        let refused = async {
            let call = backend.next().await;
            assert_eq!(call.text("type"), "connect");
            assert_eq!(call.text("namespace"), "/members");
            assert_eq!(
                call.header("greenroom-signature"),
                None,
                "there is no secret"
            );
            let handshake = &call.body["socket"]["handshake"];
            assert!(handshake["url"].is_string() && handshake["secure"] == json!(false));
            assert!(handshake["headers"].is_object() && handshake["query"].is_object());
            call.answer(&json!({"refuse": {"message": "not you", "data": {"code": 7}}}));
        };
        let (client, ()) = tokio::join!(ask(), refused);
        let Err(ClientError::Refused { message, payload }) = client else {
            panic!("it was let in");
        };
        assert_eq!(message, "not you");
        assert_eq!(first(&payload)["data"], json!({"code": 7}));

        let welcomed = async {
            backend.next().await.answer(&json!({
                "data": {"name": "Ada"},
                "join": ["lobby"],
                "user": "42",
                "emit": [{"event": "welcome", "args": ["Ada"]}],
            }));
        };
        let (client, ()) = tokio::join!(ask(), welcomed);
        let mut client = client.unwrap();
        let welcome = client.event("welcome").await.unwrap();
        assert_eq!(first(&welcome.args), json!("Ada"));

        client.emit("hint", ()).await.unwrap();
        let call = backend.next().await;
        assert_eq!(call.body["ack"], json!(false));
        call.answer(&json!({}));
        let id = client.id().to_owned();
        let moved = async {
            let call = backend.next().await;
            let socket = &call.body["socket"];
            assert_eq!(socket["data"], json!({"name": "Ada"}));
            assert_eq!(socket["rooms"], json!([id, "lobby", "user:42"]));
            call.answer(&json!({"leave": ["lobby"], "join": ["hall"]}));
        };
        let (ack, ()) = tokio::join!(client.emit_with_ack("move", ()), moved);
        assert!(ack.unwrap().is_empty());

        client.disconnect().await;
        let call = backend.next().await;
        assert_eq!(call.text("type"), "disconnect");
        assert_eq!(call.text("reason"), "client namespace disconnect");
        assert_eq!(
            call.body["socket"]["rooms"],
            json!([id, "hall", "user:42"]),
            "as it left them"
        );
        call.answer(&json!({}));
    });
}

#[test]
fn an_answer_can_speak_to_others_and_end_a_socket() {
    on_actix(async {
        let mut backend = Backend::start();
        let server = server(&settings(&backend.url));
        let mut one = Client::connect(&server).await.unwrap();
        let mut other = Client::connect(&server).await.unwrap();
        one.emit("go", ()).await.unwrap();
        let call = backend.next().await;
        call.answer(&json!({
            "join": ["room"],
            "emit": [
                {"event": "to all", "to": []},
                {"event": "to others", "to": [], "except": [one.id()]},
                {"event": "to room", "to": ["room"], "args": [{"$binary": "AQ=="}]},
                {"event": "to you"},
            ],
        }));
        for expected in ["to all", "to room", "to you"] {
            assert_eq!(one.next_event().await.unwrap().name, expected);
        }
        one.emit("end", ()).await.unwrap();
        let call = backend.next().await;
        call.answer(&json!({"disconnect": true}));
        one.disconnected().await.unwrap();
        for expected in ["to all", "to others"] {
            assert_eq!(other.next_event().await.unwrap().name, expected);
        }
        assert!(other.emit("still here", ()).await.is_ok());
        assert_eq!(backend.next().await.text("event"), "still here");
    });
}

#[test]
fn events_that_the_backend_does_not_answer_are_refused_here() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut settings = settings(&backend.url);
        settings.events = vec!["say".to_owned()];
        let server = server(&settings);
        let mut client = Client::connect(&server).await.unwrap();
        // More than a socket may have waiting.
        for _ in 0..40 {
            let refused = client.emit_with_ack("shout", ()).await.unwrap();
            assert_eq!(
                first(&refused),
                json!({"error": "nobody handles this event"})
            );
        }
        assert_eq!(counter(&server, "unhandled_event"), 40);
        client.emit("say", ()).await.unwrap();
        assert_eq!(backend.next().await.text("event"), "say");
    });
}

/// The answer to an event that the backend treats so.
async fn told(client: &mut Client, backend: &mut Backend, treat: impl FnOnce(Call)) -> Json {
    let treated = async { treat(backend.next().await) };
    let (answer, ()) = tokio::join!(client.emit_with_ack("say", ()), treated);
    first(&answer.unwrap())
}

#[test]
fn what_a_backend_does_wrong_is_told_to_the_client_and_counted() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut settings = settings(&backend.url);
        settings.connect = true;
        settings.max_answer_bytes = 200_000;
        let server = server(&settings);
        let welcomed = async { backend.next().await.answer(&json!({})) };
        let (client, ()) = tokio::join!(Client::connect(&server), welcomed);
        let mut client = client.unwrap();

        let (failed, useless) = (
            "the backend has failed",
            "the backend gave no usable answer",
        );
        let many = json!({"emit": vec![json!({"event": "x"}); 101]}).to_string();
        let crowded = json!({"join": vec!["x"; 1001]}).to_string();
        let large = json!({"ack": ["x".repeat(200_000)]}).to_string();
        let deep = format!(r#"{{"ack":[{}{}]}}"#, "[".repeat(200), "]".repeat(200));
        for (status, body, error, cause) in [
            (500, "{}", failed, "backend_status"),
            (404, "", failed, "backend_status"),
            (302, "", failed, "backend_status"),
            (200, "<html>", useless, "backend_garbage"),
            (200, "[]", useless, "backend_garbage"),
            (200, r#"{"acks":[]}"#, useless, "backend_garbage"),
            (200, r#"{"ack":1}"#, useless, "backend_garbage"),
            (
                200,
                r#"{"ack":[{"$binary":"?"}]}"#,
                useless,
                "backend_garbage",
            ),
            (
                200,
                r#"{"refuse":{"message":"x"}}"#,
                useless,
                "backend_garbage",
            ),
            (
                200,
                r#"{"emit":[{"event":"connect"}]}"#,
                useless,
                "backend_garbage",
            ),
            (
                200,
                r#"{"emit":[{"event":"x","except":["a"]}]}"#,
                useless,
                "backend_garbage",
            ),
            (200, &many, useless, "backend_garbage"),
            (200, &crowded, useless, "backend_garbage"),
            (200, &deep, useless, "backend_garbage"),
            (200, &large, useless, "backend_too_large"),
        ] {
            let before = counter(&server, cause);
            let answer = told(&mut client, &mut backend, |call| call.reply(status, body)).await;
            let shown = &body[..body.len().min(40)];
            assert_eq!(answer, json!({"error": error}), "{status} {shown}");
            assert_eq!(counter(&server, cause), before + 1, "{status} {shown}");
        }
        // None of it has done any harm.
        let answer = told(&mut client, &mut backend, |call| {
            call.answer(&json!({"ack": ["well"]}));
        });
        assert_eq!(answer.await, json!("well"));

        for (status, body, message, code) in [
            (500, "", failed, "backend_status"),
            (200, "no", useless, "backend_garbage"),
            (200, r#"{"ack":[]}"#, useless, "backend_garbage"),
            (200, r#"{"disconnect":true}"#, useless, "backend_garbage"),
        ] {
            let treated = async { backend.next().await.reply(status, body) };
            let (client, ()) = tokio::join!(Client::connect(&server), treated);
            let Err(ClientError::Refused { payload, .. }) = client else {
                panic!("it was let in: {status} {body}");
            };
            let expected = json!({"message": message, "data": {"code": code}});
            assert_eq!(first(&payload), expected, "{status} {body}");
        }
    });
}

#[test]
fn a_backend_that_is_slow_or_away_costs_no_more_than_its_time() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut settings = settings(&backend.url);
        settings.timeout = Duration::from_secs(1);
        settings.concurrency = 1;
        let slow = server(&settings);
        let mut client = Client::connect(&slow).await.unwrap();
        let mut kept = Vec::new();
        let answer = told(&mut client, &mut backend, |call| kept.push(call)).await;
        assert_eq!(
            answer,
            json!({"error": "the backend did not answer in time"})
        );
        assert_eq!(counter(&slow, "backend_timeout"), 1);

        // Two calls, and only one may be made: the second waits as long as the first may take.
        settings.timeout = Duration::from_secs(1);
        let busy = server_of(&Config::default(), &settings);
        let mut one = Client::connect(&busy).await.unwrap();
        let mut other = Client::connect(&busy).await.unwrap();
        one.emit("first", ()).await.unwrap();
        let first_call = backend.next().await;
        let answers = async {
            let answer = other.emit_with_ack("second", ()).await.unwrap();
            first(&answer)
        };
        let answer = answers.await;
        let is_busy = answer == json!({"error": "the backend is busy"});
        // Its turn may have come in the same moment.
        let is_late = answer == json!({"error": "the backend did not answer in time"});
        assert!(is_busy || is_late, "{answer}");
        drop(first_call);

        let away = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        settings.url = format!("http://{away}/");
        settings.timeout = support::DEADLINE;
        let away = server_of(&Config::default(), &settings);
        let mut client = Client::connect(&away).await.unwrap();
        let answer = client.emit_with_ack("say", ()).await.unwrap();
        assert_eq!(
            first(&answer),
            json!({"error": "the backend is not reachable"})
        );
        assert_eq!(counter(&away, "backend_unreachable"), 1);
    });
}

#[test]
fn arguments_that_cannot_be_passed_on_are_refused_here() {
    on_actix(async {
        let backend = Backend::start();
        let server = server(&settings(&backend.url));
        let mut client = Client::connect(&server).await.unwrap();
        let mut deep = json!(1);
        for _ in 0..200 {
            deep = json!([deep]);
        }
        let answer = client.emit_with_ack("say", (deep,)).await.unwrap();
        let error = "invalid arguments: they are nested too deep";
        assert_eq!(first(&answer), json!({"error": error}));
        assert_eq!(counter(&server, "arguments_refused"), 1);
    });
}

#[test]
fn events_of_a_socket_keep_their_order_and_sockets_do_not_wait_for_each_other() {
    on_actix(async {
        let mut backend = Backend::start();
        let server = server(&settings(&backend.url));
        let mut one = Client::connect(&server).await.unwrap();
        let mut other = Client::connect(&server).await.unwrap();
        // Many more than a socket may have waiting: its client is read no further.
        let count = async {
            for n in 0..200 {
                one.emit("count", n).await.unwrap();
            }
        };
        let look = async {
            let held = backend.next().await;
            assert_eq!(held.body["args"], json!([0]));
            let answer = told(&mut other, &mut backend, |call| {
                assert_eq!(call.text("event"), "say", "the next of the other waits");
                call.answer(&json!({"ack": ["at once"]}));
            });
            assert_eq!(answer.await, json!("at once"));
            assert!(backend.now().is_none());
            held.answer(&json!({}));
            for n in 1..200 {
                let call = backend.next().await;
                assert_eq!(call.body["args"], json!([n]));
                assert!(backend.now().is_none(), "one after the other");
                call.answer(&json!({}));
            }
        };
        tokio::join!(count, look);
    });
}

#[test]
fn what_is_left_of_a_client_that_goes_is_told_before_its_end() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut settings = settings(&backend.url);
        settings.disconnect = true;
        let server = server(&settings);
        let mut client = Client::connect(&server).await.unwrap();
        for n in 0..3 {
            client.emit("count", n).await.unwrap();
        }
        let mut call = backend.next().await;
        client.disconnect().await;
        eventually("the end of the session", || server.root().n_sockets() == 0).await;
        for _ in 0..3 {
            assert_eq!(call.text("type"), "event");
            call.answer(&json!({"ack": ["too late"]}));
            call = backend.next().await;
        }
        assert_eq!(call.text("type"), "disconnect");
    });
}

#[test]
fn connections_are_kept_and_workers_share_them() {
    on_actix(async {
        let mut backend = Backend::start();
        let server = server(&settings(&backend.url));
        let mut client = Client::connect(&server).await.unwrap();
        let mut peers = Vec::new();
        for _ in 0..5 {
            told(&mut client, &mut backend, |call| {
                peers.push(call.peer);
                call.answer(&json!({"ack": [1]}));
            })
            .await;
        }
        peers.dedup();
        assert_eq!(peers.len(), 1, "{peers:?}");

        let worker = Worker::new();
        let elsewhere = server.clone();
        let asked = worker.run(move || async move {
            let mut client = Client::connect(&elsewhere).await.unwrap();
            first(&client.emit_with_ack("say", ()).await.unwrap())
        });
        let answered = async {
            let call = within("a call of another worker", backend.next()).await;
            call.answer(&json!({"ack": ["from there"]}));
        };
        let (answer, ()) = tokio::join!(asked, answered);
        assert_eq!(answer, json!("from there"));
    });
}
