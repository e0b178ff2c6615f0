//! Requests: batches, repeats, keys and how many at once.

use std::time::Duration;

use greenroom::config::{ApiKey, Config};
use serde_json::{Value, json};

use super::{got, served, with_key};
use crate::support::api::{Backend, key};
use crate::support::tcp::listening;
use crate::support::{self, on_actix, within};

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
