//! The HTTP API for backends on one node: what each command and each question does, to real clients.

use std::time::Duration;

use actix::prelude::*;
use greenroom::config::{ApiKey, Config};
use greenroom::{Binary, ServerEvent, Socket, shared, user_room};
use serde_json::{Value, json};

use crate::support::api::{Backend, key};
use crate::support::tcp::{Arrived, CARRIERS, Listening, Ws, listen, listening};
use crate::support::{self, Hearing, ear, eventually, on_actix, within};

/// A server with the API, and who asks it.
struct Served {
    listening: Listening,
    hearing: Hearing,
    backend: Backend,
}

fn with_key() -> Config {
    let mut config = Config::default();
    config.api.keys = vec![ApiKey::new(key())];
    config
}

async fn served(config: Config) -> Served {
    let (listening, hearing) = listening(config).await;
    let backend = Backend(listening.address);
    Served {
        listening,
        hearing,
        backend,
    }
}

impl Served {
    /// A client and its socket, which is in these rooms.
    async fn join(&mut self, rooms: &[&str]) -> (Ws, Socket) {
        let (ws, joined) = Ws::join(&self.listening, json!({})).await;
        let socket = self.hearing.connected().await;
        assert_eq!(socket.id(), &*joined.sid);
        for room in rooms {
            socket.join(*room);
        }
        (ws, socket)
    }
}

/// What a client gets up to an event that is emitted to everybody now.
async fn got(served: &Served, ws: &mut Ws) -> Vec<(String, Vec<Value>)> {
    served.listening.server.emit("end", ());
    up_to_the_end(ws).await
}

async fn up_to_the_end(ws: &mut Ws) -> Vec<(String, Vec<Value>)> {
    let mut events = Vec::new();
    loop {
        let event = ws.event().await;
        if event.0 == "end" {
            return events;
        }
        events.push(event);
    }
}

#[test]
fn events_reach_whom_a_command_names() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = with_key();
            config.server.carrier = carrier;
            let mut served = served(config).await;
            let (mut a, at_a) = served.join(&["r1"]).await;
            let (mut b, _) = served.join(&["r1", "r2", &user_room("42")]).await;
            for (whom, expected) in [
                (json!({"all": true}), "ab"),
                (json!({"rooms": ["r1"]}), "ab"),
                (json!({"rooms": ["r2", "r1"], "except": ["r2"]}), "a"),
                (json!({"sockets": [at_a.id()]}), "a"),
                (json!({"users": ["42"]}), "b"),
                (
                    json!({"users": ["42"], "sockets": [at_a.id()], "rooms": ["nobody"]}),
                    "ab",
                ),
                (json!({"rooms": ["nobody"]}), ""),
                (
                    json!({"all": true, "local": true, "volatile": true, "compress": false}),
                    "ab",
                ),
            ] {
                let mut command = whom.clone();
                command["event"] = "e".into();
                command["args"] = json!([1, {"a": null}]);
                let reply = served.backend.post("/emit", command).await.ok();
                assert_eq!(reply, json!({"complete": true}));
                served.listening.server.emit("end", ());
                let mut reached = String::new();
                for (name, ws) in [("a", &mut a), ("b", &mut b)] {
                    for (event, args) in up_to_the_end(ws).await {
                        assert_eq!((&*event, args), ("e", vec![json!(1), json!({"a": null})]));
                        reached.push_str(name);
                    }
                }
                assert_eq!(reached, expected, "{whom}");
            }
        }
    });
}

#[test]
fn binary_is_sent_as_such() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut ws, _) = served.join(&[]).await;
        let args = json!([{"a": [{"$binary": "AQL/"}]}, {"$$binary": "x"}]);
        let command = json!({"all": true, "event": "e", "args": args});
        served.backend.post("/emit", command).await.ok();
        let text = r#"451-["e",{"a":[{"_placeholder":true,"num":0}]},{"$binary":"x"}]"#;
        assert_eq!(ws.next().await, Arrived::Text(text.to_owned()));
        assert_eq!(ws.next().await, Arrived::Binary(vec![1, 2, 255]));
    });
}

#[test]
fn answers_come_back_and_the_missing_are_counted() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut a, _) = served.join(&["phones"]).await;
        let (mut b, _) = served.join(&["phones"]).await;
        let (mut silent, _) = served.join(&["phones"]).await;
        let backend = served.backend;
        let command = json!({
            "rooms": ["phones"], "event": "vote", "args": ["lunch?"], "timeout_ms": 1500,
        });
        let asked = actix::spawn(async move { backend.post("/emit-with-ack", command).await.ok() });
        for (ws, answer) in [(&mut a, r#"["yes",1]"#), (&mut b, "[]")] {
            let text = ws.text().await;
            let id = text
                .strip_prefix("42")
                .unwrap()
                .strip_suffix(r#"["vote","lunch?"]"#);
            ws.send(&format!("43{}{answer}", id.unwrap())).await;
        }
        assert!(silent.text().await.contains("vote"));
        let mut reply = within("the deadline", asked).await.unwrap();
        let answers = reply["answers"].as_array_mut().unwrap();
        answers.sort_by_key(Value::to_string);
        let none = json!({"nodes": [], "unnamed": 0});
        let expected = json!({
            "answers": [["yes", 1], []], "missing": 1, "left_out": 0, "complete": false, "silent": none,
        });
        assert_eq!(reply, expected);

        // Nobody to ask is an answer at once, and a complete one.
        let command = json!({"rooms": ["nobody"], "event": "vote"});
        let reply = backend.post("/emit-with-ack", command).await.ok();
        let expected = json!({
            "answers": [], "missing": 0, "left_out": 0, "complete": true, "silent": none,
        });
        assert_eq!(reply, expected);
    });
}

#[test]
fn answers_that_do_not_fit_are_left_out() {
    on_actix(async {
        let mut config = with_key();
        config.api.answers = 1;
        let mut served = served(config).await;
        let mut clients = vec![served.join(&[]).await.0, served.join(&[]).await.0];
        let backend = served.backend;
        let command = json!({"all": true, "event": "vote", "timeout_ms": 30_000});
        let asked = actix::spawn(async move { backend.post("/emit-with-ack", command).await.ok() });
        for ws in &mut clients {
            let text = ws.text().await;
            let id = text.strip_prefix("42").unwrap().strip_suffix(r#"["vote"]"#);
            let answer = format!(r#"431-{}[{{"_placeholder":true,"num":0}}]"#, id.unwrap());
            ws.send(&answer.replacen("431-", "461-", 1)).await;
            ws.send_binary(&[7]).await;
        }
        let reply = within("all answers", asked).await.unwrap();
        assert_eq!(reply["answers"], json!([[{"$binary": "Bw=="}]]));
        let counts = (&reply["missing"], &reply["left_out"], &reply["complete"]);
        assert_eq!(counts, (&json!(0), &json!(1), &json!(false)));
    });
}

#[test]
fn sockets_join_leave_and_go() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut a, at_a) = served.join(&["r"]).await;
        let (mut b, at_b) = served.join(&[]).await;
        let backend = served.backend;
        let join = json!({"rooms": ["r"], "join": ["x", "y"]});
        assert_eq!(
            backend.post("/join", join).await.ok(),
            json!({"complete": true})
        );
        eventually("a join", || at_a.is_in("x") && at_a.is_in("y")).await;
        assert!(!at_b.is_in("x"));
        let leave = json!({"rooms": ["x"], "leave": ["x"]});
        assert_eq!(
            backend.post("/leave", leave).await.ok(),
            json!({"complete": true})
        );
        eventually("a leave", || !at_a.is_in("x")).await;
        assert!(at_a.is_in("y"));
        let only = json!({"sockets": [at_a.id()]});
        assert_eq!(
            backend.post("/disconnect", only).await.ok(),
            json!({"complete": true})
        );
        assert_eq!(a.text().await, "41");
        let close = json!({"all": true, "close": true});
        assert_eq!(
            backend.post("/disconnect", close).await.ok(),
            json!({"complete": true})
        );
        b.end().await;
    });
}

#[test]
fn rooms_are_listed_in_pages() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let _a = served.join(&["b1", "b2"]).await;
        let _b = served.join(&["b1", "a", "b3"]).await;
        let backend = served.backend;
        // The registry hears of joins behind the socket.
        let mut all = json!(null);
        for _ in 0..1000 {
            all = backend.get("/rooms").await.ok();
            if all["rooms"].as_array().unwrap().len() == 4 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let rooms = json!([
            {"name": "a", "sockets": 1}, {"name": "b1", "sockets": 2},
            {"name": "b2", "sockets": 1}, {"name": "b3", "sockets": 1},
        ]);
        let none = json!({"nodes": [], "unnamed": 0});
        assert_eq!(
            all,
            json!({"rooms": rooms, "next": null, "complete": true, "silent": none})
        );
        let page = backend
            .get("/rooms?prefix=b&limit=2&counts=false")
            .await
            .ok();
        assert_eq!(page["rooms"], json!([{"name": "b1"}, {"name": "b2"}]));
        assert_eq!(page["next"], "b2");
        let page = backend.get("/rooms?prefix=b&limit=2&after=b2").await.ok();
        assert_eq!(page["rooms"], json!([{"name": "b3", "sockets": 1}]));
        assert_eq!(page["next"], Value::Null);
    });
}

#[test]
fn sockets_and_users_are_found() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (_a, at_a) = served.join(&["r", &user_room("ada")]).await;
        let (_b, at_b) = served.join(&[&user_room("ada")]).await;
        let (_c, at_c) = served.join(&[at_a.id().as_str()]).await;
        at_a.set_data(&(json!({"name": "Ada"}), Binary::from(vec![1])))
            .unwrap();
        let backend = served.backend;
        let mut sorted = vec![
            at_a.id().to_string(),
            at_b.id().to_string(),
            at_c.id().to_string(),
        ];
        sorted.sort();
        // The registry hears of joins behind the socket.
        let server = served.listening.server.clone();
        while server.root().room_size("user:ada").await.found < 2 {
            tokio::task::yield_now().await;
        }
        while server.root().room_size(at_a.id().as_str()).await.found < 2 {
            tokio::task::yield_now().await;
        }

        let ids = |reply: &Value| -> Vec<String> {
            let sockets = reply["sockets"].as_array().unwrap();
            sockets
                .iter()
                .map(|socket| socket["id"].as_str().unwrap().to_owned())
                .collect()
        };
        let all = backend.get("/sockets").await.ok();
        assert_eq!(
            (ids(&all), &all["total"], &all["next"]),
            (sorted.clone(), &json!(3), &json!(null))
        );
        let first = backend.get("/sockets?limit=2").await.ok();
        assert_eq!(
            (ids(&first), &first["next"]),
            (sorted[..2].to_vec(), &json!(sorted[1]))
        );
        let second = backend
            .get(&format!("/sockets?limit=2&after={}", sorted[1]))
            .await
            .ok();
        assert_eq!(
            (ids(&second), &second["next"]),
            (sorted[2..].to_vec(), &json!(null))
        );
        let in_room = backend.get("/sockets?room=r&room=nobody").await.ok();
        assert_eq!(ids(&in_room), [at_a.id().as_str()]);
        let unknown = backend.get("/sockets?room=nobody").await.ok();
        assert_eq!((ids(&unknown), &unknown["total"]), (vec![], &json!(0)));

        let one = backend.get(&format!("/sockets/{}", at_a.id())).await.ok();
        let mut rooms = vec![at_a.id().as_str(), "r", "user:ada"];
        rooms.sort();
        let mut found: Vec<_> = one["rooms"].as_array().unwrap().clone();
        found.sort_by_key(Value::to_string);
        assert_eq!(Value::from(found), json!(rooms));
        assert_eq!(one["data"], json!([{"name": "Ada"}, {"$binary": "AQ=="}]));
        assert_eq!(one["address"], "127.0.0.1");
        assert!(one["connected_at_ms"].as_u64().unwrap() > 1_700_000_000_000);
        let reply = backend.get("/sockets/nobody").await;
        assert_eq!(reply.problem(), (404, "unknown-socket"));

        let of_user = backend.get("/users/ada/sockets").await.ok();
        assert_eq!((ids(&of_user).len(), &of_user["total"]), (2, &json!(2)));
        let presence = backend.get("/presence?user=ada&user=bob").await.ok();
        let expected = json!([
            {"user": "ada", "online": true, "sockets": 2}, {"user": "bob", "online": false, "sockets": 0},
        ]);
        assert_eq!(presence["users"], expected);
    });
}

/// A handler that answers events of servers.
struct Cache;

impl Actor for Cache {
    type Context = Context<Self>;
}

impl Handler<ServerEvent> for Cache {
    type Result = ();

    fn handle(&mut self, event: ServerEvent, _: &mut Context<Self>) {
        let (name, args, ack) = event.into_parts();
        ack.send(json!([name.to_string(), args.first::<Value>().unwrap()]));
    }
}

#[test]
fn servers_are_told_and_asked() {
    on_actix(async {
        let listening = listen(with_key(), |builder| {
            let cache = shared(|| Cache).on_server_event();
            builder.namespace("/", cache).namespace("/deaf", ear().0)
        })
        .await;
        let backend = Backend(listening.address);
        let none = json!({"nodes": [], "unnamed": 0});
        let ask = json!({"event": "forget", "args": ["all"], "ack": true});
        let reply = backend.post("/server-side-emit", ask).await.ok();
        let expected = json!({"answers": [["forget", "all"]], "complete": true, "silent": none});
        assert_eq!(reply, expected);
        let tell = json!({"event": "forget", "args": ["all"]});
        let reply = backend.post("/server-side-emit", tell).await.ok();
        assert_eq!(reply, json!({"complete": true}));
        // Without a handler for it a server is silent, as it is to other servers.
        let deaf = json!({"namespace": "/deaf", "event": "forget", "ack": true});
        let reply = backend.post("/server-side-emit", deaf).await.ok();
        assert_eq!(
            (&reply["answers"], &reply["complete"]),
            (&json!([]), &json!(false))
        );
        assert_eq!(reply["silent"]["nodes"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_node_tells_its_load() {
    on_actix(async {
        let mut config = with_key();
        config.redis.node = "web1".to_owned();
        let mut served = served(config).await;
        let _client = served.join(&[]).await;
        let reply = served.backend.get("/nodes").await.ok();
        assert_eq!(
            (&reply["others"], &reply["complete"]),
            (&json!(0), &json!(true))
        );
        let node = &reply["nodes"][0];
        assert_eq!(node["name"], "web1");
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(
            (&node["sessions"], &node["sockets"]),
            (&json!(1), &json!(1))
        );
        assert!(node["uptime_ms"].is_u64());
    });
}

#[test]
fn a_batch_is_carried_out_in_its_order() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut ws, _) = served.join(&[]).await;
        let emit = |event: &str| json!({"emit": {"rooms": ["new"], "event": event}});
        let commands = json!([
            emit("too early"),
            {"join": {"all": true, "join": ["new"]}},
            emit("one"),
            {"emit": {"event": "to nobody"}},
            {"leave": {"namespace": "/nowhere", "all": true, "leave": ["new"]}},
            {"emit-with-ack": {"rooms": ["nobody"], "event": "x"}},
            {"server-side-emit": {"event": "x"}},
            emit("two"),
            {"disconnect": {"all": true}},
        ]);
        let reply = served
            .backend
            .post("/batch", json!({"commands": commands}))
            .await
            .ok();
        let results = reply["results"].as_array().unwrap();
        let statuses: Vec<_> = results
            .iter()
            .map(|result| result["status"].as_u64().unwrap())
            .collect();
        assert_eq!(statuses, [200, 200, 200, 422, 404, 200, 200, 200, 200]);
        assert_eq!(results[0]["body"], json!({"complete": true}));
        assert_eq!(
            results[3]["body"]["type"],
            "urn:greenroom:problem:conflicting-options"
        );
        let instance = results[3]["body"]["instance"].as_str().unwrap();
        assert!(
            instance.starts_with("/api/v1/batch/commands/3#"),
            "{instance}"
        );
        assert_eq!(ws.event().await.0, "one");
        assert_eq!(ws.event().await.0, "two");
        assert_eq!(ws.text().await, "41");
    });
}

#[test]
fn a_request_that_is_repeated_has_no_second_effect() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut ws, _) = served.join(&[]).await;
        let backend = served.backend;
        let body = json!({"all": true, "event": "e"}).to_string();
        let key = [("Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324")];
        let first = backend.post_with("/emit", &key, &body).await;
        assert_eq!(first.header("idempotent-replayed"), None);
        let second = backend.post_with("/emit", &key, &body).await;
        assert_eq!(second.header("idempotent-replayed"), Some("true"));
        assert_eq!(first.ok(), second.ok());
        let other = backend
            .post_with("/emit", &key, &body.replace("\"e\"", "\"f\""))
            .await;
        assert_eq!(other.problem(), (422, "key-reused"));
        let elsewhere = json!({"all": true, "join": ["r"]}).to_string();
        let other = backend.post_with("/join", &key, &elsewhere).await;
        assert_eq!(other.problem(), (422, "key-reused"));
        // What was refused had no effect, and may be corrected.
        let key = [("Idempotency-Key", "k2")];
        let refused = backend.post_with("/emit", &key, r#"{"event":"e"}"#).await;
        assert_eq!(refused.problem(), (422, "conflicting-options"));
        backend.post_with("/emit", &key, &body).await.ok();
        assert_eq!(got(&served, &mut ws).await.len(), 2);
    });
}

#[test]
fn the_same_request_does_not_run_twice_at_once() {
    on_actix(async {
        let mut served = served(with_key()).await;
        let (mut ws, _) = served.join(&[]).await;
        let backend = served.backend;
        let body = json!({"all": true, "event": "vote", "timeout_ms": 30_000}).to_string();
        let key = [("Idempotency-Key", "k")];
        // The first one breaks off, which does not end what it has begun.
        let bearer = format!("Bearer {}", support::api::key());
        let first = format!(
            "POST /api/v1/emit-with-ack HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer}\r\nIdempotency-Key: k\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut raw = support::tcp::Raw::connect(&served.listening).await;
        raw.write(first.as_bytes()).await;
        let text = ws.text().await;
        drop(raw);
        let second = backend.post_with("/emit-with-ack", &key, &body).await;
        assert_eq!(second.problem(), (409, "in-progress"));
        assert_eq!(second.header("retry-after"), Some("1"));
        let id = text
            .strip_prefix("42")
            .unwrap()
            .strip_suffix(r#"["vote"]"#)
            .unwrap();
        ws.send(&format!("43{id}[true]")).await;
        let mut third = backend.post_with("/emit-with-ack", &key, &body).await;
        while third.status == 409 {
            tokio::task::yield_now().await;
            third = backend.post_with("/emit-with-ack", &key, &body).await;
        }
        assert_eq!(third.header("idempotent-replayed"), Some("true"));
        assert_eq!(third.ok()["answers"], json!([[true]]));
        assert_eq!(got(&served, &mut ws).await, []);
    });
}

#[test]
fn keys_can_be_changed_while_it_runs() {
    on_actix(async {
        let served = served(with_key()).await;
        let server = &served.listening.server;
        served.backend.get("/nodes").await.ok();
        server.set_api_keys(vec![ApiKey::new("another-key-another-key")]);
        let reply = served.backend.get("/nodes").await;
        assert_eq!(reply.problem(), (401, "unauthorized"));
        server.set_api_keys(vec![
            ApiKey::new("another-key-another-key"),
            ApiKey::new(key()),
        ]);
        served.backend.get("/nodes").await.ok();
    });
}

#[test]
fn it_is_off_without_keys_and_may_be_mounted() {
    on_actix(async {
        let (listening, _hearing) = listening(Config::default()).await;
        let reply = Backend(listening.address).get("/nodes").await;
        assert_eq!((reply.status, reply.body), (404, Value::Null));

        use actix_web::{App, http::StatusCode, test, web};
        for (config, status) in [
            (Config::default(), StatusCode::NOT_FOUND),
            (with_key(), StatusCode::OK),
        ] {
            let server = greenroom::Server::builder().config(config).build().unwrap();
            let app = App::new()
                .configure(greenroom::api(&server))
                .route("/api/v2", web::get().to(|| async { "mine" }));
            let app = test::init_service(app).await;
            let request = test::TestRequest::with_uri("/api/v1/nodes");
            let request = request.insert_header(("x-api-key", key())).to_request();
            assert_eq!(test::call_service(&app, request).await.status(), status);
            let mine = test::TestRequest::with_uri("/api/v2").to_request();
            assert_eq!(
                test::call_service(&app, mine).await.status(),
                StatusCode::OK
            );
        }
    });
}

#[test]
fn its_description_needs_no_key() {
    on_actix(async {
        let served = served(with_key()).await;
        let description = served
            .backend
            .request("GET", "/openapi.json", &[], b"")
            .await
            .ok();
        assert_eq!(description["openapi"], "3.1.0");
        for path in description["paths"].as_object().unwrap().keys() {
            let reply = served.backend.get(&path.replace("{id}", "x")).await;
            assert_ne!(
                reply.body["type"], "urn:greenroom:problem:not-found",
                "{path}"
            );
        }
    });
}

#[test]
fn only_so_many_requests_run_at_once() {
    on_actix(async {
        let mut config = with_key();
        config.api.concurrent_requests = 1;
        let mut served = served(config).await;
        let (mut ws, _) = served.join(&[]).await;
        let backend = served.backend;
        let vote = json!({"all": true, "event": "vote", "timeout_ms": 30_000});
        let asked = actix::spawn(async move { backend.post("/emit-with-ack", vote).await.ok() });
        let text = ws.text().await;
        let reply = backend.get("/nodes").await;
        assert_eq!(reply.problem(), (503, "busy"));
        assert_eq!(reply.header("retry-after"), Some("1"));
        let id = text
            .strip_prefix("42")
            .unwrap()
            .strip_suffix(r#"["vote"]"#)
            .unwrap();
        ws.send(&format!("43{id}[]")).await;
        assert_eq!(
            within("the answers", asked).await.unwrap()["complete"],
            true
        );
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while backend.get("/nodes").await.status != 200 {
            assert!(tokio::time::Instant::now() < deadline);
        }
    });
}
