//! Values and questions that make no sense.

use std::time::Duration;

use serde_json::json;

use super::served;
use crate::support::log::{alone, logged};
use crate::support::tcp::Ws;
use crate::support::{counter, on_actix};

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
