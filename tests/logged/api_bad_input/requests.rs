//! Requests that are wrong: their paths, their bodies.

use std::time::Duration;

use serde_json::{Value, json};

use super::served;
use crate::support::api::key;
use crate::support::{counter, on_actix};

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
