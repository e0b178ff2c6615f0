//! What is counted and timed, as a scraper reads it.

use std::time::{Duration, Instant};

use actix::prelude::*;
use greenroom::config::{ApiKey, BackendConfig, Carrier, Config, Parser};
use greenroom::testing::Client;
use greenroom::{Binary, Server, backend, per_worker};
use serde_json::json;

use crate::support::api;
use crate::support::backend::Backend;
use crate::support::cluster::{Node, config as cluster_config};
use crate::support::scrape::{at, eventually_scraped, scraped, shows};
use crate::support::servers::Redis;
use crate::support::tcp::{CARRIERS, Ws, get, http, join_polling, listen_with, listening, post};
use crate::support::{DEADLINE, Lobby, ear, lobby, on_actix, within};

/// Lets everybody in, and hears nothing.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

fn received(kind: &str) -> String {
    format!(r#"greenroom_socketio_packets_received_total{{type="{kind}"}}"#)
}

fn delivered(kind: &str, packet: &str) -> String {
    format!(r#"greenroom_deliveries_total{{kind="{kind}",type="{packet}"}}"#)
}

/// Answers the event that comes next.
async fn answer(client: &mut Client) {
    let event = client.next_event().await.unwrap();
    client.ack(event.ack.unwrap(), 1).await.unwrap();
}

#[test]
fn what_clients_do_is_counted() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let (handlers, mut hearing) = ear();
            let listening = listen_with(2, config, |builder| {
                builder
                    .namespace("/", handlers)
                    .namespace_matching(|name, _| name.starts_with("/game-"), per_worker(|| Nobody))
            })
            .await;
            let (mut ws, _) = Ws::join(&listening, json!({})).await;
            let socket = hearing.connected().await;
            socket.join("a room");
            for n in 0..3 {
                ws.send(&format!(r#"42["tick",{n}]"#)).await;
                hearing.event().await;
            }
            ws.send(r#"427["asked"]"#).await;
            hearing.event().await.ack.send("yes");
            assert_eq!(ws.text().await, r#"437["yes"]"#);
            // One is asked and answers; the answer to another question is late.
            let answer = socket.emit_with_ack("question", ());
            let question = ws.text().await;
            let id = question
                .trim_start_matches("42")
                .split('[')
                .next()
                .unwrap()
                .to_owned();
            ws.send(&format!(r#"43{id}[1]"#)).await;
            within("an answer", answer).await.unwrap();
            ws.send(r#"439999[1]"#).await;
            ws.send("40/game-1,").await;
            assert!(ws.text().await.starts_with("40/game-1,"));
            listening.server.emit("all", "1234567890");
            assert_eq!(ws.text().await, r#"42["all","1234567890"]"#);

            let polling = join_polling(&listening).await;
            let (status, _) = http(&listening, &post(&polling, r#"42["posted"]"#)).await;
            assert_eq!(status, 200);
            assert_eq!(http(&listening, &get("&sid=unknown")).await.0, 400);

            shows(
                &listening,
                &[
                    (r#"greenroom_sessions{transport="websocket"}"#, 1.0),
                    (r#"greenroom_sessions{transport="polling"}"#, 1.0),
                    (
                        r#"greenroom_sessions_opened_total{transport="websocket"}"#,
                        1.0,
                    ),
                    (
                        r#"greenroom_sessions_opened_total{transport="polling"}"#,
                        1.0,
                    ),
                    ("greenroom_sessions_half_open", 0.0),
                    ("greenroom_sessions_limit", 100_000.0),
                    (r#"greenroom_sockets{namespace="/"}"#, 2.0),
                    (r#"greenroom_sockets{namespace="dynamic"}"#, 1.0),
                    ("greenroom_namespaces_dynamic", 1.0),
                    ("greenroom_sockets_connected_total", 3.0),
                    (r#"greenroom_events_received_total{namespace="/"}"#, 5.0),
                    (
                        r#"greenroom_events_received_total{namespace="dynamic"}"#,
                        0.0,
                    ),
                    ("greenroom_acks_requested_total", 1.0),
                    ("greenroom_ack_seconds_count", 1.0),
                    (r#"greenroom_incidents_total{cause="unknown_ack"}"#, 1.0),
                    (&delivered("broadcast", "event"), 1.0),
                    (&delivered("broadcast", "binary_event"), 0.0),
                    // The question; an ack; three answers to CONNECT.
                    (&delivered("emit", "event"), 1.0),
                    (&delivered("emit", "ack"), 1.0),
                    (&delivered("emit", "connect"), 3.0),
                    (&received("connect"), 3.0),
                    (&received("event"), 5.0),
                    (&received("ack"), 2.0),
                    (r#"greenroom_rooms{namespace="/"}"#, 1.0),
                    (r#"greenroom_requests_refused_total{code="1"}"#, 1.0),
                    (r#"greenroom_requests_refused_total{code="none"}"#, 0.0),
                    // The open packet, the answer to CONNECT.
                    (r#"greenroom_packets_sent_total{transport="polling"}"#, 2.0),
                    // 40{}, three ticks, a question, two acks, 40/game-1,
                    (
                        r#"greenroom_packets_received_total{transport="websocket"}"#,
                        8.0,
                    ),
                    (
                        r#"greenroom_received_bytes_total{transport="websocket"}"#,
                        (4 + 3 * 12 + 12 + (5 + id.len()) + 9 + 10) as f64,
                    ),
                    (
                        r#"greenroom_packets_received_total{transport="polling"}"#,
                        2.0,
                    ),
                    ("greenroom_workers", 2.0),
                    ("greenroom_workers_silent", 0.0),
                    ("greenroom_outbox_bytes", 0.0),
                    ("greenroom_ready", 1.0),
                ],
            )
            .await;
            let sent = r#"greenroom_packets_sent_total{transport="websocket"}"#;
            // The answer to the handshake (direct: its head too), two to CONNECT, an ack, a question, a broadcast.
            let n_sent = if carrier == Carrier::Direct { 7.0 } else { 6.0 };
            shows(&listening, &[(sent, n_sent)]).await;

            ws.close().await;
            let (status, _) = http(&listening, &post(&polling, "1")).await;
            assert_eq!(status, 200);
            shows(
                &listening,
                &[
                    (r#"greenroom_sessions{transport="websocket"}"#, 0.0),
                    (r#"greenroom_sessions{transport="polling"}"#, 0.0),
                    (
                        r#"greenroom_sessions_closed_total{reason="transport close"}"#,
                        2.0,
                    ),
                    (
                        r#"greenroom_sockets_disconnected_total{reason="transport close"}"#,
                        3.0,
                    ),
                    (r#"greenroom_sockets{namespace="/"}"#, 0.0),
                    (r#"greenroom_rooms{namespace="/"}"#, 0.0),
                ],
            )
            .await;
        }
    });
}

#[test]
fn packets_are_counted_by_their_type() {
    on_actix(async {
        // In the one encoding what has binary is of another type, in the other it is not.
        for (parser, binary_event, binary_ack) in [
            (Parser::Json, "binary_event", "binary_ack"),
            (Parser::Msgpack, "event", "ack"),
        ] {
            let mut config = Config::default();
            config.socketio.parser = parser;
            let Lobby {
                server,
                mut hearing,
            } = lobby(config);
            let mut client = Client::connect(&server).await.unwrap();
            let socket = hearing.connected().await;
            let bytes = || Binary::from(vec![1, 2, 3]);
            client.emit("bytes", bytes()).await.unwrap();
            hearing.event().await;
            let asked = socket.emit_with_ack("ask", bytes());
            let event = client.next_event().await.unwrap();
            client.ack(event.ack.unwrap(), bytes()).await.unwrap();
            within("an answer", asked).await.unwrap();
            server.emit("all", bytes());
            client.next_event().await.unwrap();
            assert!(Client::connect_to(&server, "/nowhere", ()).await.is_err());
            socket.disconnect(false);
            hearing.gone().await;

            let samples = scraped(&server).await;
            let mut expected = vec![
                (received("connect"), 2),
                (received("disconnect"), 0),
                (received("connect_error"), 0),
                (received(binary_event), 1),
                (received(binary_ack), 1),
                (delivered("emit", "connect"), 1),
                (delivered("emit", "connect_error"), 1),
                (delivered("emit", "disconnect"), 1),
                (delivered("emit", binary_event), 1),
                (delivered("emit", binary_ack), 0),
                (delivered("broadcast", binary_event), 1),
            ];
            if parser == Parser::Json {
                expected.extend([(received("event"), 0), (delivered("broadcast", "event"), 0)]);
            }
            for (name, n) in expected {
                assert_eq!(at(&samples, &name), n, "{name} {parser:?}");
            }
        }
    });
}

#[test]
fn heartbeats_are_timed() {
    on_actix(async {
        let mut config = Config::default();
        config.engine.ping_interval = Duration::from_millis(20);
        let (listening, _hearing) = listening(config).await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        let answering = async {
            // Answers pings until the end.
            ws.text().await;
        };
        let watching = eventually_scraped(&listening, |samples| {
            samples["greenroom_heartbeat_seconds_count"] >= 3.0
        });
        tokio::select! {
            () = answering => panic!("nobody has sent a text"),
            samples = watching => {
                let sum = samples["greenroom_heartbeat_seconds_sum"];
                let n = samples["greenroom_heartbeat_seconds_count"];
                assert!(sum > 0.0 && sum / n < 5.0, "{sum} {n}");
                let all = samples[r#"greenroom_heartbeat_seconds_bucket{le="+Inf"}"#];
                assert!((all - n).abs() < 0.5);
            }
        }
    });
}

#[test]
fn answers_of_clients_are_timed() {
    on_actix(async {
        let Lobby {
            server,
            mut hearing,
        } = lobby(Config::default());
        let mut clients = Vec::new();
        for _ in 0..2 {
            let client = Client::connect(&server).await.unwrap();
            clients.push((client, hearing.connected().await));
        }
        let wait = Duration::from_millis(60);
        let asked = server.root().emit_with_ack("all", ());
        let answering = async {
            let mut ids = Vec::new();
            for (client, _) in &mut clients {
                ids.push(client.next_event().await.unwrap().ack.unwrap());
            }
            // From when both have been asked, they take their time.
            let begin = Instant::now();
            while begin.elapsed() < wait {
                clients[0].0.emit("meanwhile", ()).await.unwrap();
                hearing.event().await;
            }
            for ((client, _), id) in clients.iter_mut().zip(ids) {
                client.ack(id, 1).await.unwrap();
            }
        };
        let (answers, ()) = tokio::join!(within("answers", asked), answering);
        assert_eq!(answers.unwrap().responses.len(), 2);
        let samples = scraped(&server).await;
        assert_eq!(at(&samples, "greenroom_ack_seconds_count"), 2);
        assert_eq!(
            at(&samples, r#"greenroom_ack_seconds_bucket{le="0.05"}"#),
            0
        );
        assert!(samples["greenroom_ack_seconds_sum"] >= 2.0 * wait.as_secs_f64());

        // Who answers when nobody waits any more is another number.
        let (client, socket) = &mut clients[0];
        let late = socket.clone().timeout(Duration::from_millis(1));
        late.emit_with_ack("one", ()).await.unwrap_err();
        let broadcast = server
            .root()
            .within(socket.id())
            .timeout(Duration::from_millis(1));
        assert_eq!(
            broadcast.emit_with_ack("many", ()).await.unwrap().missing,
            1
        );
        for _ in 0..2 {
            answer(client).await;
        }
        client.emit("after", ()).await.unwrap();
        hearing.event().await;
        let samples = scraped(&server).await;
        assert_eq!(at(&samples, "greenroom_ack_seconds_count"), 2);
        let late = r#"greenroom_incidents_total{cause="unknown_ack"}"#;
        assert_eq!(at(&samples, late), 2);
    });
}

#[test]
fn questions_to_other_servers_are_timed() {
    on_actix(async {
        let redis = Redis::start();
        let (one, mut client, _) = Node::start(cluster_config(&redis, "one")).await;
        let asked = |question| {
            format!(r#"greenroom_cluster_question_seconds_count{{question="{question}"}}"#)
        };
        let root = one.server.root();
        // There is nobody to ask.
        assert_eq!(root.fetch_sockets().await.len(), 1);
        assert_eq!(
            scraped(&one.server).await.get(&asked("fetch_sockets")),
            None
        );

        let (two, mut other, _) = Node::start(cluster_config(&redis, "two")).await;
        assert_eq!(root.fetch_sockets().await.len(), 2);
        root.all_rooms().await;
        root.all_rooms().await;
        assert_eq!(*root.server_count().await, 2);
        assert_eq!(one.server.nodes().await.known.len(), 2);
        let answers = root.server_side_emit_with_ack("fence", ()).await.unwrap();
        assert_eq!(answers.len(), 1);
        let asking = root.emit_with_ack("all", ());
        let answering = async {
            for client in [&mut client, &mut other] {
                answer(client).await;
            }
        };
        let (answers, ()) = tokio::join!(within("answers", asking), answering);
        assert!(answers.unwrap().is_complete());

        let samples = scraped(&one.server).await;
        for (question, n) in [
            ("fetch_sockets", 1),
            ("all_rooms", 2),
            ("server_count", 1),
            ("nodes", 1),
            ("server_side_emit", 1),
            ("broadcast_with_ack", 1),
        ] {
            assert_eq!(at(&samples, &asked(question)), n, "{question}");
        }
        // Each of the two clients has answered its own server.
        assert_eq!(at(&samples, "greenroom_ack_seconds_count"), 1);
        let samples = scraped(&two.server).await;
        assert_eq!(at(&samples, "greenroom_ack_seconds_count"), 1);
        assert_eq!(samples.get(&asked("fetch_sockets")), None);
    });
}

#[test]
fn requests_to_the_api_are_timed_by_command_and_status() {
    on_actix(async {
        let mut config = Config::default();
        config.api.keys = vec![ApiKey::new(api::key())];
        let (listening, _hearing) = listening(config).await;
        let backend = api::Backend(listening.address);
        assert!(
            !scraped(&listening.server)
                .await
                .keys()
                .any(|name| name.contains("_api_"))
        );
        let emit = json!({ "all": true, "event": "e" });
        backend.post("/emit", &emit).await.ok();
        backend.post("/emit", &emit).await.ok();
        assert_eq!(backend.post("/emit", json!({})).await.status, 400);
        assert_eq!(backend.get("/users/7/sockets").await.status, 200);
        assert_eq!(backend.get("/sockets/nobody").await.status, 404);
        assert_eq!(backend.get("/of-my-own/choice").await.status, 404);
        let samples = scraped(&listening.server).await;
        for (command, status, n) in [
            ("emit", "2xx", 2),
            ("emit", "4xx", 1),
            ("user_sockets", "2xx", 1),
            ("socket", "4xx", 1),
            ("none", "4xx", 1),
        ] {
            let labels = format!(r#"{{command="{command}",status="{status}"}}"#);
            let name = format!("greenroom_api_seconds_count{labels}");
            assert_eq!(at(&samples, &name), n, "{name}");
        }
        let timed = samples
            .keys()
            .filter(|name| name.starts_with("greenroom_api_seconds_count"));
        assert_eq!(timed.count(), 5);
    });
}

#[test]
fn calls_of_backends_are_timed_by_result() {
    on_actix(async {
        let mut elsewhere = Backend::start();
        let mut settings = BackendConfig::default();
        settings.url = elsewhere.url.clone();
        settings.timeout = DEADLINE;
        let config = Config::default();
        let handlers = backend::handlers(&settings, &config).unwrap();
        // Clients choose the names of these namespaces, and none is a label.
        let server = Server::builder()
            .config(config)
            .namespace_matching(|name, _| name.starts_with("/of-"), handlers)
            .build()
            .unwrap();
        let mut client = Client::connect_to(&server, "/of-mine", ()).await.unwrap();
        for (status, is_ok) in [(200, true), (500, false), (200, true)] {
            let asked = client.emit_with_ack("say", ());
            let answered = async { elsewhere.next().await.reply(status, r#"{"ack": [1]}"#) };
            let (answer, ()) = tokio::join!(within("an answer", asked), answered);
            assert_eq!(answer.unwrap().first::<u32>().is_ok(), is_ok);
        }
        let samples = scraped(&server).await;
        for (result, n) in [("ok", 2), ("failed", 1)] {
            let labels = format!(r#"{{namespace="/",result="{result}"}}"#);
            let name = format!("greenroom_backend_seconds_count{labels}");
            assert_eq!(at(&samples, &name), n, "{name}");
        }
    });
}

#[test]
fn what_waits_for_a_client_that_does_not_read_is_shown() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.outbox_bytes = 64 << 20;
        let (listening, mut hearing) = listening(config).await;
        let (_ws, _) = Ws::join(&listening, json!({})).await;
        hearing.connected().await;
        let large = "x".repeat(1 << 20);
        for _ in 0..32 {
            listening.server.emit("large", &large);
        }
        let samples = eventually_scraped(&listening, |samples| {
            samples["greenroom_outbox_bytes"] > 0.0 && samples["greenroom_sessions_blocked"] > 0.0
        })
        .await;
        let (all, largest) = (
            samples["greenroom_outbox_bytes"],
            samples["greenroom_outbox_largest_bytes"],
        );
        assert!((all - largest).abs() < 0.5, "one client: {all} {largest}");
    });
}
