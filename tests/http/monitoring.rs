//! What operators ask a server: metrics, health, readiness, on its own listener and on an internal one.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use actix::prelude::*;
use actix_web::{App, HttpServer};
use greenroom::config::Config;
use greenroom::{Event, Server, monitoring, per_worker};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::cluster::{Node, config as cluster_config};
use crate::support::scrape::{ask, request, scrape, scrape_at, shows};
use crate::support::servers::Redis;
use crate::support::tcp::{CARRIERS, Listening, Raw, Ws, http, listen_with, listening};
use crate::support::{eventually, on_actix, within};

async fn readiness(server: &Server, address: SocketAddr) -> (u16, Value) {
    let (status, head, body) = ask(server, address, "GET", "/readyz").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    (status, serde_json::from_str(&body).unwrap())
}

/// Blocks its thread with each event, until it is let go.
struct Stuck(Receiver<()>);

impl Actor for Stuck {
    type Context = Context<Self>;
}

impl Handler<Event> for Stuck {
    type Result = ();

    fn handle(&mut self, _: Event, _: &mut Context<Self>) {
        // The test may be over.
        let _ = self.0.recv();
    }
}

#[test]
fn a_worker_that_is_stuck_is_named_and_keeps_its_numbers() {
    on_actix(async {
        let inside = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let mut config = Config::default();
        config.server.internal_port = Some(inside.port());
        let (let_go, held) = channel();
        let held = Mutex::new(Some(held));
        let handlers = per_worker(move || Stuck(held.lock().take().unwrap())).on_event();
        let listening = listen_with(1, config, |builder| builder.namespace("/", handlers)).await;
        let watched = Listening::at(listening.server.clone(), inside);
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        let sessions = r#"greenroom_sessions{transport="websocket"}"#;
        shows(
            &watched,
            &[(sessions, 1.0), ("greenroom_workers_silent", 0.0)],
        )
        .await;
        ws.send(r#"42["block"]"#).await;
        let stuck = [("greenroom_workers_silent", 1.0), (sessions, 1.0)];
        shows(&watched, &stuck).await;
        let received = r#"greenroom_events_received_total{namespace="/"}"#;
        // Many who ask at once do not make it worse: each has its turn.
        let (one, other) = tokio::join!(scrape(&watched), scrape(&watched));
        assert!(one["greenroom_worker_backlog"] < 20.0 && other["greenroom_worker_backlog"] < 20.0);
        assert_eq!(
            ask(&listening.server, inside, "GET", "/healthz").await.0,
            200
        );
        let_go.send(()).unwrap();
        shows(
            &watched,
            &[("greenroom_workers_silent", 0.0), (received, 1.0)],
        )
        .await;
    });
}

#[test]
fn other_methods_and_paths_are_refused() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let (listening, _hearing) = listening(config).await;
            let (server, address) = (&listening.server, listening.address);
            for path in ["/metrics", "/healthz", "/health", "/readyz", "/ready"] {
                let (status, _, body) = ask(server, address, "GET", path).await;
                assert_eq!(status, 200, "{path} {body}");
                let (status, head, body) = ask(server, address, "HEAD", path).await;
                assert_eq!((status, body.as_str()), (200, ""), "{path}");
                assert!(head.contains("cache-control: no-store"), "{head}");
                for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
                    let (status, head, _) = ask(server, address, method, path).await;
                    assert_eq!(status, 405, "{method} {path}");
                    assert!(head.contains("allow: get, head\r\n"), "{head}");
                }
            }
            for path in ["/metrics/", "/metrics/x", "/healthz2", "/"] {
                assert_eq!(ask(server, address, "GET", path).await.0, 404, "{path}");
            }
            assert_eq!(ask(server, address, "GET", "/healthz").await.2, "ok\n");
        }
    });
}

#[test]
fn what_is_too_large_is_refused_and_nobody_else_notices() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let (listening, _hearing) = listening(config).await;
            let (server, address) = (&listening.server, listening.address);
            let long = "x".repeat(1 << 20);
            for request in [
                format!("GET /metrics?{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
                format!("GET /metrics HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n"),
                "GET /metrics HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(),
                "GET \0 HTTP/1.1\r\n\r\n".to_owned(),
            ] {
                let mut raw = Raw::connect(&listening).await;
                // It may end the connection before all of it is written.
                let _ = raw.stream.write_all(request.as_bytes()).await;
                let mut answer = Vec::new();
                let _ = within("an end", raw.stream.read_to_end(&mut answer)).await;
                let answer = String::from_utf8_lossy(&answer);
                let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
                assert!(is_refused, "{answer:.100}");
            }
            // A query and a body are nobody's business.
            let (status, _, _) = ask(server, address, "GET", "/metrics?format=json").await;
            assert_eq!(status, 200);
            let body =
                request("GET", "/healthz").replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\n{\"a");
            assert_eq!(http(&listening, &body).await.0, 200);
        }
    });
}

#[test]
fn an_internal_listener_has_the_routes_to_itself() {
    on_actix(async {
        for carrier in CARRIERS {
            let inside = {
                let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                listener.local_addr().unwrap()
            };
            let mut config = Config::default();
            config.server.carrier = carrier;
            config.server.internal_port = Some(inside.port());
            let (listening, _hearing) = listening(config).await;
            let server = &listening.server;
            for path in ["/metrics", "/healthz", "/readyz"] {
                let public = ask(server, listening.address, "GET", path).await.0;
                assert_eq!(public, 404, "{path}");
                assert_eq!(ask(server, inside, "GET", path).await.0, 200, "{path}");
                assert_eq!(ask(server, inside, "PATCH", path).await.0, 405, "{path}");
            }
            for path in ["/", "/socket.io/?EIO=4&transport=polling", "/nothing"] {
                assert_eq!(ask(server, inside, "GET", path).await.0, 404, "{path}");
            }
            let (_ws, _) = Ws::join(&listening, json!({})).await;
            let samples = scrape_at(server, inside).await;
            let n = samples[r#"greenroom_sessions{transport="websocket"}"#];
            assert!((n - 1.0).abs() < 0.5, "{n}");
        }
    });
}

#[test]
fn an_internal_address_that_is_taken_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = Config::default();
    config.server.port = 0;
    config.server.internal_port = Some(taken.local_addr().unwrap().port());
    let server = Server::builder().config(config).build().unwrap();
    let err = server.run().unwrap_err().to_string();
    let port = taken.local_addr().unwrap().port();
    assert!(err.contains(&format!("127.0.0.1:{port}")), "{err}");
}

#[test]
fn a_server_that_is_full_or_ends_is_not_ready() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.connections = 2;
        config.limits.half_open = 1;
        let (listening, _hearing) = listening(config).await;
        let (server, address) = (&listening.server, listening.address);
        assert_eq!(
            readiness(server, address).await,
            (200, json!({ "ready": true, "reasons": [] }))
        );
        let half_open = Ws::open(&listening).await;
        let reasons = json!(["limits.half_open is met: 1 of 1"]);
        assert_eq!(
            readiness(server, address).await,
            (503, json!({ "ready": false, "reasons": reasons }))
        );
        drop(half_open);
        eventually("it has gone", || server.n_sessions() == 0).await;
        let (_one, _) = Ws::join(&listening, json!({})).await;
        assert_eq!(readiness(server, address).await.0, 200);
        let (_two, _) = Ws::join(&listening, json!({})).await;
        let (status, answer) = readiness(server, address).await;
        assert_eq!(status, 503);
        assert_eq!(
            answer["reasons"],
            json!(["limits.connections is met: 2 of 2"])
        );
        let samples = scrape(&listening).await;
        assert!(samples["greenroom_ready"] < 0.5);
        // It lives all the same.
        assert_eq!(ask(server, address, "GET", "/healthz").await.0, 200);
    });
}

#[test]
fn a_program_mounts_it_where_it_likes() {
    on_actix(async {
        let servers = ["/one", "/two"].map(|path| {
            let mut config = Config::default();
            config.server.path = path.to_owned();
            Server::builder().config(config).build().unwrap()
        });
        let watched = servers.clone();
        let app = HttpServer::new(move || {
            let routes = watched.clone().map(|server| server.routes());
            let mut app = App::new();
            for route in routes {
                app = app.configure(route);
            }
            app.configure(monitoring(watched.clone()))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let address = app.addrs()[0];
        let _running = actix::spawn(app.run());
        let open = request("GET", "/two/?EIO=4&transport=polling");
        let at = Listening::at(servers[1].clone(), address);
        assert_eq!(http(&at, &open).await.0, 200);
        let samples = scrape(&at).await;
        for (path, n) in [("/one", 0.0), ("/two", 1.0)] {
            let name = format!(r#"greenroom_sessions{{path="{path}",transport="polling"}}"#);
            assert_eq!(samples.get(&name), Some(&n), "{name}");
        }
        assert_eq!(readiness(&servers[0], address).await.0, 200);
    });
}

#[test]
fn a_node_that_does_not_hear_itself_is_not_ready() {
    on_actix(async {
        let mut redis = Redis::start();
        let mut config = cluster_config(&redis, "one");
        config.redis.canary_interval = Duration::from_millis(200);
        let (node, _client, _) = Node::start(config).await;
        let watched = node.server.clone();
        let app = HttpServer::new(move || App::new().configure(monitoring([watched.clone()])))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let address = app.addrs()[0];
        let _running = actix::spawn(app.run());
        node.is_well().await;
        assert_eq!(readiness(&node.server, address).await.0, 200);
        let samples = scrape_at(&node.server, address).await;
        for part in ["publish", "subscribe", "data"] {
            let name = format!(r#"greenroom_redis_connected{{connection="{part}"}}"#);
            assert_eq!(samples.get(&name), Some(&1.0), "{name}");
        }
        assert!(samples["greenroom_redis_canary_age_seconds"] < 30.0);
        assert_eq!(samples.get("greenroom_cluster_peers"), Some(&0.0));
        assert_eq!(samples.get("greenroom_membership_synced"), Some(&1.0));
        redis.kill();
        eventually("it is missed", || node.server.trouble().is_some()).await;
        let (status, answer) = readiness(&node.server, address).await;
        assert_eq!(status, 503, "{answer}");
        let reason = answer["reasons"][0].as_str().unwrap();
        assert!(reason.starts_with("redis: "), "{reason}");
        // One listens to nobody.
        node.server.emit("lost", ());
        let lost = "greenroom_publish_queue_bytes";
        assert!(scrape_at(&node.server, address).await.contains_key(lost));
    });
}
