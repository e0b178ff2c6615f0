//! The HTTP API for backends, and requests that are wrong: each is answered with its problem, and has no effect.

use std::time::Duration;

use greenroom::config::{ApiKey, Config};
use serde_json::{Value, json};

use crate::support::api::{Backend, key};
use crate::support::log::{alone, logged};
use crate::support::tcp::{Listening, Ws, listening};
use crate::support::{Hearing, counter, on_actix};

async fn served(change: impl FnOnce(&mut Config)) -> (Listening, Hearing, Backend) {
    let mut config = Config::default();
    config.api.keys = vec![ApiKey::new(key())];
    change(&mut config);
    let (listening, hearing) = listening(config).await;
    let backend = Backend(listening.address);
    (listening, hearing, backend)
}

#[test]
fn without_a_key_nobody_gets_anywhere() {
    on_actix(async {
        let (listening, _hearing, backend) = served(|_| {}).await;
        let bearer = format!("Bearer {}", key());
        for headers in [
            &[][..],
            &[("Authorization", "Bearer wrong-wrong-wrong-wrong")],
            &[("Authorization", &bearer[..bearer.len() - 1])],
            &[("Authorization", &*key())],
            &[("Authorization", "Basic YTpi"), ("X-API-Key", &key())],
            &[("X-API-Key", "wrong-wrong-wrong-wrong")],
        ] {
            for (method, path) in [
                ("GET", "/nodes"),
                ("POST", "/emit"),
                ("DELETE", "/emit"),
                ("GET", "/nowhere"),
                ("GET", ""),
            ] {
                let reply = backend.request(method, path, headers, b"{}").await;
                assert_eq!(reply.problem(), (401, "unauthorized"), "{headers:?}");
                let challenge = reply.header("www-authenticate");
                assert_eq!(challenge, Some("Bearer realm=\"greenroom\""));
            }
        }
        assert_eq!(counter(&listening.server, "api_refused"), 30);
    });
}

#[test]
fn paths_and_methods_that_do_not_exist() {
    on_actix(async {
        let (_listening, _hearing, backend) = served(|_| {}).await;
        let key = key();
        let headers = [("X-API-Key", &*key), ("Content-Type", "application/json")];
        for path in [
            "",
            "/",
            "/emit/",
            "/nowhere",
            "/EMIT",
            "/sockets/%ff",
            "/users/1",
        ] {
            let reply = backend.request("GET", path, &headers, b"").await;
            assert_eq!(reply.problem(), (404, "not-found"), "{path}");
        }
        for (method, path, allowed) in [
            ("GET", "/emit", "POST"),
            ("PUT", "/batch", "POST"),
            ("POST", "/rooms", "GET"),
            ("DELETE", "/sockets/x", "GET"),
            ("OPTIONS", "/nodes", "GET"),
            ("POST", "/openapi.json", "GET"),
            ("TRACE", "/emit", "POST"),
            ("X", "/emit", "POST"),
        ] {
            let reply = backend.request(method, path, &headers, b"{}").await;
            assert_eq!(
                reply.problem(),
                (405, "method-not-allowed"),
                "{method} {path}"
            );
            assert_eq!(reply.header("allow"), Some(allowed));
        }
        // Not ours.
        let reply = backend.request("GET", "x/emit", &headers, b"").await;
        assert_eq!((reply.status, reply.body), (404, Value::Null));
    });
}

#[test]
fn bodies_that_cannot_be_read() {
    on_actix(async {
        let (_listening, _hearing, backend) = served(|_| {}).await;
        let post = async |path: &str, body: &str| backend.post_with(path, &[], body).await;
        for (path, body, line, column, part) in [
            ("/emit", "", 1, 0, "EOF"),
            (
                "/emit",
                "{\"all\": true,\n \"event\": e}",
                2,
                11,
                "expected value",
            ),
            ("/emit", "[]", 1, 2, "invalid"),
            ("/emit", "{\"all\": true}", 1, 13, "missing field `event`"),
            (
                "/emit",
                "{\"event\": 1}",
                1,
                11,
                "invalid type: integer `1`, expected a string",
            ),
            (
                "/emit",
                "{\"event\": \"e\", \"rooms\": \"r\"}",
                1,
                27,
                "invalid type: string \"r\"",
            ),
            (
                "/emit",
                "{\"event\": \"e\", \"args\": {}}",
                1,
                23,
                "invalid type: map",
            ),
            (
                "/emit",
                "{\"event\": \"e\", \"room\": [\"r\"]}",
                1,
                21,
                "unknown field `room`, expected one of",
            ),
            (
                "/emit",
                "{\"event\": \"e\", \"event\": \"e\"}",
                1,
                22,
                "duplicate field `event`",
            ),
            (
                "/emit",
                "{\"event\": \"e\"} {}",
                1,
                16,
                "trailing characters",
            ),
            (
                "/emit-with-ack",
                "{\"event\": \"e\", \"volatile\": true}",
                1,
                25,
                "unknown field `volatile`",
            ),
            (
                "/emit-with-ack",
                "{\"event\": \"e\", \"timeout_ms\": -1}",
                1,
                31,
                "invalid value",
            ),
            ("/join", "{\"all\": true}", 1, 13, "missing field `join`"),
            (
                "/batch",
                "{\"commands\": [{\"emit\": {}}]}",
                1,
                25,
                "missing field `event`",
            ),
            (
                "/batch",
                "{\"commands\": [{\"dance\": {}}]}",
                1,
                22,
                "unknown variant `dance`",
            ),
            ("/batch", "{\"commands\": [{}]}", 1, 16, "expected value"),
        ] {
            let reply = post(path, body).await;
            assert_eq!(reply.problem(), (400, "malformed"), "{body}");
            assert!(reply.detail().contains(part), "{body}: {}", reply.detail());
            let place = (&reply.body["line"], &reply.body["column"]);
            assert_eq!(
                place,
                (&json!(line), &json!(column)),
                "{body}: {}",
                reply.detail()
            );
        }
        let deep = format!(
            "{{\"event\": \"e\", \"args\": {}{}}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        let reply = post("/emit", &deep).await;
        assert_eq!(reply.problem(), (400, "malformed"));
        assert!(
            reply.detail().contains("recursion limit"),
            "{}",
            reply.detail()
        );
        let bearer = format!("Bearer {}", key());
        let headers = [
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
        ];
        for body in [
            &b"{\"event\": \"\xff\"}"[..],
            b"{\"event\": \"\\ud800\"}",
            b"\0",
            b"\xef\xbb\xbf{}",
        ] {
            let reply = backend.request("POST", "/emit", &headers, body).await;
            assert_eq!(reply.problem(), (400, "malformed"));
        }
        let reply = backend.post_with("/emit?x=1", &[], "{}").await;
        assert_eq!(reply.problem(), (400, "malformed"));
    });
}

#[test]
fn bodies_of_another_type_or_size() {
    on_actix(async {
        let (_listening, _hearing, backend) = served(|config| {
            config.api.body_bytes = 100;
            config.limits.time_to_complete_packet = Duration::from_millis(200);
        })
        .await;
        let bearer = format!("Bearer {}", key());
        let auth = ("Authorization", &*bearer);
        let json = ("Content-Type", "application/json");
        for headers in [
            &[auth][..],
            &[auth, ("Content-Type", "text/plain")],
            &[auth, ("Content-Type", "application/x-www-form-urlencoded")],
            &[auth, ("Content-Type", "application/jsonp")],
            &[auth, json, ("Content-Encoding", "gzip")],
        ] {
            let reply = backend.request("POST", "/emit", headers, b"{}").await;
            assert_eq!(
                reply.problem(),
                (415, "unsupported-media-type"),
                "{headers:?}"
            );
        }
        let utf8 = [auth, ("Content-Type", "Application/JSON; charset=utf-8")];
        let reply = backend
            .request("POST", "/emit", &utf8, br#"{"all":true,"event":"e"}"#)
            .await;
        reply.ok();

        let large = format!("{{\"all\": true, \"event\": \"{}\"}}", "e".repeat(100));
        let reply = backend.post_with("/emit", &[], &large).await;
        assert_eq!(
            (reply.problem(), &reply.body["limit"]),
            ((413, "too-large"), &json!(100))
        );
        // Of a length that is not told before, or that is a lie.
        let head = format!(
            "POST /api/v1/emit HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n"
        );
        let chunked = format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n80\r\n{}\r\n0\r\n\r\n",
            "x".repeat(0x80)
        );
        let reply = backend.raw(chunked.as_bytes()).await;
        assert_eq!(reply.problem(), (413, "too-large"));
        let reply = backend
            .raw(format!("{head}Content-Length: 99999999999\r\n\r\n").as_bytes())
            .await;
        assert_eq!(reply.problem(), (413, "too-large"));
        let reply = backend
            .raw(format!("{head}Content-Length: 10\r\n\r\n{{").as_bytes())
            .await;
        assert_eq!(reply.problem(), (408, "timeout"));
        let broken = format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n");
        let reply = backend.raw(broken.as_bytes()).await;
        assert_eq!(reply.status, 400);
    });
}

#[test]
fn values_that_make_no_sense() {
    on_actix(async {
        let (listening, _hearing, backend) = served(|config| {
            config.api.max_timeout = Duration::from_secs(2);
            config.api.commands_per_batch = 2;
            config.limits.attachments_per_packet = 1;
            config.limits.room_name_bytes = 8;
        })
        .await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        let long = "x".repeat(9);
        let many: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
        let binary = json!({"$binary": "AQ=="});
        let emit = json!({"emit": {"all": true, "event": "e"}});
        for (path, body, kind, part) in [
            (
                "/emit",
                json!({"event": "e"}),
                "conflicting-options",
                "nobody is addressed",
            ),
            (
                "/emit",
                json!({"event": "e", "rooms": [], "users": []}),
                "conflicting-options",
                "nobody",
            ),
            (
                "/emit",
                json!({"event": "e", "rooms": ["r"], "all": true}),
                "conflicting-options",
                "exclude",
            ),
            (
                "/disconnect",
                json!({}),
                "conflicting-options",
                "nobody is addressed",
            ),
            (
                "/disconnect",
                json!({"except": ["r"]}),
                "conflicting-options",
                "nobody is addressed",
            ),
            (
                "/emit",
                json!({"event": "connect", "all": true}),
                "invalid",
                "event: \"connect\" is a reserved",
            ),
            (
                "/emit",
                json!({"event": "e".repeat(256), "all": true}),
                "invalid",
                "event: the event name has 256",
            ),
            (
                "/emit",
                json!({"event": "e", "rooms": ["a", long]}),
                "invalid",
                "rooms[1]: a name has at most 8",
            ),
            (
                "/emit",
                json!({"event": "e", "all": true, "except": [long]}),
                "invalid",
                "except[0]",
            ),
            (
                "/emit",
                json!({"event": "e", "users": many}),
                "invalid",
                "users: it has 1001 names",
            ),
            (
                "/emit",
                json!({"event": "e", "all": true, "args": [{"$binary": "?"}]}),
                "invalid",
                "args[0]",
            ),
            (
                "/emit",
                json!({"event": "e", "all": true, "args": [binary, binary]}),
                "invalid",
                "2 binary values",
            ),
            (
                "/emit-with-ack",
                json!({"event": "e", "all": true, "timeout_ms": 0}),
                "invalid",
                "1 to 2000",
            ),
            (
                "/emit-with-ack",
                json!({"event": "e", "all": true, "timeout_ms": 2001}),
                "invalid",
                "1 to 2000",
            ),
            (
                "/emit-with-ack",
                json!({"event": "connect", "all": true}),
                "invalid",
                "reserved",
            ),
            (
                "/join",
                json!({"all": true, "join": []}),
                "invalid",
                "join: it names no room",
            ),
            (
                "/leave",
                json!({"all": true, "leave": [long]}),
                "invalid",
                "leave[0]",
            ),
            (
                "/server-side-emit",
                json!({"event": "connection"}),
                "invalid",
                "reserved",
            ),
            (
                "/server-side-emit",
                json!({"event": "greenroom:nodes", "ack": true}),
                "invalid",
                "reserved",
            ),
            (
                "/server-side-emit",
                json!({"event": "e", "args": [binary]}),
                "invalid",
                "no binary",
            ),
            (
                "/batch",
                json!({"commands": [emit, emit, emit]}),
                "invalid",
                "there are 3",
            ),
        ] {
            let reply = backend.post(path, &body).await;
            assert_eq!(reply.problem(), (422, kind), "{path} {body}");
            assert!(
                reply.detail().contains(part),
                "{path} {body}: {}",
                reply.detail()
            );
        }
        for (path, body) in [
            (
                "/emit",
                json!({"namespace": "/no", "event": "e", "all": true}),
            ),
            ("/server-side-emit", json!({"namespace": "", "event": "e"})),
        ] {
            let reply = backend.post(path, &body).await;
            assert_eq!(reply.problem(), (404, "unknown-namespace"), "{path} {body}");
            assert_eq!(reply.body["namespace"], body["namespace"]);
        }
        // None of them had an effect.
        listening.server.emit("end", ());
        assert_eq!(ws.event().await.0, "end");
    });
}

#[test]
fn questions_that_make_no_sense() {
    on_actix(async {
        let (_listening, _hearing, backend) = served(|config| config.api.page_size = 2).await;
        for (path, status, kind, part) in [
            ("/rooms?pfx=a", 400, "malformed", "`pfx` is unknown"),
            (
                "/rooms?prefix=a&prefix=b",
                400,
                "malformed",
                "`prefix` is there twice",
            ),
            (
                "/rooms?counts=maybe",
                400,
                "malformed",
                "`counts` is neither",
            ),
            (
                "/rooms?limit=many",
                400,
                "malformed",
                "`limit` is not a number",
            ),
            ("/rooms?limit=3", 422, "invalid", "1 to 2"),
            ("/rooms?limit=0", 422, "invalid", "1 to 2"),
            (
                "/rooms?namespace=/no",
                404,
                "unknown-namespace",
                "no server has a namespace",
            ),
            ("/sockets?user=1", 400, "malformed", "`user` is unknown"),
            ("/sockets?room=%ff", 400, "malformed", "not UTF-8"),
            ("/sockets/x?limit=1", 400, "malformed", "`limit` is unknown"),
            (
                "/sockets/x?namespace=x",
                404,
                "unknown-namespace",
                "no server has a namespace",
            ),
            ("/sockets/x", 404, "unknown-socket", "no server"),
            (
                "/users/1/sockets?room=x",
                400,
                "malformed",
                "`room` is unknown",
            ),
            ("/presence", 422, "invalid", "user: there are 1 to 2"),
            (
                "/presence?user=1&user=2&user=3",
                422,
                "invalid",
                "user: there are 1 to 2",
            ),
            ("/nodes?x", 400, "malformed", "there are none here"),
        ] {
            let reply = backend.get(path).await;
            assert_eq!(reply.problem(), (status, kind), "{path}");
            assert!(reply.detail().contains(part), "{path}: {}", reply.detail());
        }
        // What is unknown but may come to be is no error.
        backend.get("/users/nobody/sockets?limit=2").await.ok();
        backend.get("/sockets?room=nobody&limit=2").await.ok();
    });
}

#[test]
fn idempotency_keys_that_are_none() {
    on_actix(async {
        let (_listening, _hearing, backend) = served(|_| {}).await;
        let long = "k".repeat(256);
        let body = r#"{"all":true,"event":"e"}"#;
        for headers in [
            &[("Idempotency-Key", "")][..],
            &[("Idempotency-Key", "two words")],
            &[("Idempotency-Key", &long)],
            &[("Idempotency-Key", "a"), ("Idempotency-Key", "a")],
        ] {
            let reply = backend.post_with("/emit", headers, body).await;
            assert_eq!(reply.problem(), (400, "malformed"), "{headers:?}");
            assert!(
                reply.detail().contains("Idempotency-Key"),
                "{}",
                reply.detail()
            );
        }
    });
}

#[test]
fn each_problem_has_a_place_of_its_own_which_the_log_has_too() {
    alone(async {
        let (listening, _hearing, backend) = served(|_| {}).await;
        let mut places = Vec::new();
        for n_refused in 1..=2 {
            let reply = backend.get("/nowhere").await;
            let place = reply.body["instance"].as_str().unwrap().to_owned();
            assert!(place.starts_with("/api/v1/nowhere#"), "{place}");
            logged(&["a request of a backend is refused kind=NotFound", &place]).await;
            assert_eq!(counter(&listening.server, "api_refused"), n_refused);
            places.push(place);
        }
        assert_ne!(places[0], places[1]);
        let commands = json!({"commands": [{"disconnect": {}}]});
        let reply = backend.post("/batch", commands).await.ok();
        let place = reply["results"][0]["body"]["instance"]
            .as_str()
            .unwrap()
            .to_owned();
        logged(&["is refused kind=Conflict", &place]).await;
        assert_eq!(counter(&listening.server, "api_refused"), 3);
    });
}
