//! Every cap on what a peer can fill: what exceeds it is refused in a way that the client can read, and counted; what
//! does not is served.

use std::time::Duration;

use greenroom::config::Config;
use greenroom::{AckError, DisconnectReason, Room};
use serde_json::{Value, json};

use crate::support::tcp::{
    Listening, Raw, Ws, frame, get, http, join_polling, listen, listening, on_both_carriers,
    open_polling, part, post, text_frame,
};
use crate::support::{counter, ear, eventually, lobby, on_actix, within};

// --- packets -------------------------------------------------------------------------------------

#[test]
fn attachments_of_a_packet() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.attachments_per_packet = 3;
        let (listening, mut hearing) = listening(config).await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        let packet = |n: usize| {
            let places: Vec<_> = (0..n)
                .map(|num| json!({ "_placeholder": true, "num": num }))
                .collect();
            format!(r#"45{n}-["a",{}]"#, json!(places))
        };
        ws.send(&packet(3)).await;
        for n in 0..3 {
            ws.send_binary(&[n]).await;
        }
        let args: Vec<greenroom::Binary> = hearing.event().await.args().first().unwrap();
        assert_eq!(args.len(), 3);
        ws.send(&packet(4)).await;
        assert_eq!(ws.end().await.0, Some(1000));
        assert_eq!(hearing.gone().await.1.to_string(), "forced close");
        assert_eq!(counter(&listening.server, "parse_error"), 1);
    });
}

#[test]
fn fragments_of_a_message() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.message_fragments = 4;
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let mut raw = Raw::join(&listening).await;
            raw.write(&part(1, b"42[")).await;
            raw.write(&part(0, b"\"a\"")).await;
            raw.write(&part(0, b"")).await;
            raw.write(&part(0x80, b"]")).await;
            assert_eq!(hearing.event().await.name(), "a");
            raw.write(&part(1, b"42[")).await;
            for _ in 0..3 {
                raw.write(&part(0, b"")).await;
            }
            raw.write(&part(0x80, b"\"b\"]")).await;
            assert_eq!(raw.end().await, Some(1008));
            assert_eq!(hearing.gone().await.1.to_string(), "transport error");
            assert_eq!(counter(&listening.server, "websocket_violation"), 1);
        }
    });
}

#[test]
fn bytes_of_a_message() {
    on_actix(async {
        let mut config = Config::default();
        config.engine.max_http_buffer_size = 1000;
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let (mut ws, _) = Ws::join(&listening, json!({})).await;
            let text = |n: usize| format!(r#"42["{}"]"#, "a".repeat(n - 6));
            // Too long for a name, but not for a message.
            ws.send(&text(1000)).await;
            ws.send(r#"42["next"]"#).await;
            assert_eq!(hearing.event().await.name(), "next");
            ws.send(&text(1001)).await;
            assert_eq!(ws.end().await.0, Some(1009));
            assert_eq!(hearing.gone().await.1.to_string(), "transport error");
            assert_eq!(counter(&listening.server, "too_large"), 1);
            // In many fragments it is not smaller.
            let mut raw = Raw::websocket(&listening, "").await;
            raw.write(&part(1, &[b'4'; 600])).await;
            raw.write(&part(0, &[b'4'; 600])).await;
            assert_eq!(raw.end().await, Some(1009));
            assert_eq!(counter(&listening.server, "too_large"), 2);
            // A body.
            let sid = open_polling(&listening).await;
            let (status, _) = http(&listening, &post(&sid, &"4".repeat(1001))).await;
            assert_eq!(status, 413);
            let server = &listening.server;
            eventually("it is counted", || counter(server, "too_large") == 3).await;
        }
    });
}

#[test]
fn packets_of_a_payload() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.packets_per_payload = 3;
        let (listening, mut hearing) = listening(config).await;
        let sid = join_polling(&listening).await;
        let payload = |n: usize| vec![r#"42["a"]"#; n].join("\x1e");
        assert_eq!(http(&listening, &post(&sid, &payload(3))).await.0, 200);
        for _ in 0..3 {
            hearing.event().await;
        }
        http(&listening, &post(&sid, &payload(4))).await;
        assert_eq!(hearing.gone().await.1.to_string(), "parse error");
        assert_eq!(counter(&listening.server, "parse_error"), 1);
        let (status, response) = http(&listening, &get(&format!("&sid={sid}"))).await;
        assert_eq!(status, 400);
        assert!(
            response.ends_with(r#"{"code":1,"message":"Session ID unknown"}"#),
            "{response}"
        );
    });
}

#[test]
fn time_to_complete_a_packet() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.time_to_complete_packet = Duration::from_millis(100);
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let never_complete: [(&str, Vec<u8>); 5] = [
                (
                    "an attachment that never comes",
                    text_frame(r#"451-["a",{"_placeholder":true,"num":0}]"#),
                ),
                ("half a frame", text_frame(r#"42["a"]"#)[..9].to_vec()),
                ("the first byte of a frame", vec![0x81]),
                ("a fragment without an end", part(1, b"42[")),
                (
                    "a header that promises more",
                    frame(2, &[0; 70_000])[..1000].to_vec(),
                ),
            ];
            let n_cases = u64::try_from(never_complete.len()).unwrap();
            for (what, bytes) in never_complete {
                let mut raw = Raw::join(&listening).await;
                hearing.connected().await;
                raw.write(&bytes).await;
                assert_eq!(raw.end().await, Some(1008), "{what}");
                assert_eq!(
                    hearing.gone().await.1.to_string(),
                    "transport error",
                    "{what}"
                );
            }
            let server = &listening.server;
            assert_eq!(counter(server, "incomplete_packet"), n_cases);
            // The body of a POST.
            let sid = open_polling(&listening).await;
            let mut raw = Raw::connect(&listening).await;
            let request = post(&sid, r#"42["a"]"#);
            raw.write(&request.as_bytes()[..request.len() - 1]).await;
            assert_eq!(raw.response().await.0, 408);
            assert_eq!(counter(server, "incomplete_packet"), n_cases + 1);
            eventually("no session is left", || server.n_sessions() == 0).await;
        }
    });
}

#[test]
fn time_to_complete_the_head_of_a_request() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.time_to_complete_head = Duration::from_millis(100);
        for (listening, _hearing) in on_both_carriers(&config).await {
            let begin = std::time::Instant::now();
            let mut raw = Raw::connect(&listening).await;
            raw.write(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n")
                .await;
            assert_eq!(raw.response().await.0, 408);
            assert!(
                begin.elapsed() < Duration::from_secs(4),
                "the limit is what ended it"
            );
        }
    });
}

#[test]
fn time_to_complete_a_packet_does_not_end_who_goes_on() {
    on_actix(async {
        let limit = Duration::from_millis(150);
        let mut config = Config::default();
        config.limits.time_to_complete_packet = limit;
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let mut raw = Raw::join(&listening).await;
            hearing.connected().await;
            let whole = text_frame(r#"42["a"]"#);
            let (head, tail) = whole.split_at(5);
            raw.write(head).await;
            let begin = std::time::Instant::now();
            // Each read ends inside a frame, for longer than one packet may take.
            while begin.elapsed() < 3 * limit {
                raw.write(&[tail, head].concat()).await;
                hearing.event().await;
            }
            raw.write(tail).await;
            hearing.event().await;
            // And it may be silent between two packets for as long as it likes.
            let mut other = Raw::join(&listening).await;
            other.write(&part(1, b"42[")).await;
            assert_eq!(
                other.end().await,
                Some(1008),
                "meanwhile this one has run out"
            );
            raw.write(&whole).await;
            hearing.event().await;
            assert_eq!(counter(&listening.server, "incomplete_packet"), 1);
        }
    });
}

// --- names ---------------------------------------------------------------------------------------

#[test]
fn bytes_of_an_event_name() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.event_name_bytes = 5;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        let answer = client.emit_with_ack("123456", ()).await.unwrap();
        assert_eq!(
            answer.first::<Value>().unwrap(),
            json!({ "error": "the event name is too long" })
        );
        client.emit("äöü", ()).await.unwrap();
        assert_eq!(counter(&lobby.server, "event_refused"), 2);
        client.emit("12345", ()).await.unwrap();
        assert_eq!(lobby.hearing.event().await.name(), "12345");
        assert!(socket.try_emit("123456", ()).is_err());
        assert!(socket.try_emit("12345", ()).is_ok());
    });
}

#[test]
fn bytes_and_number_of_rooms() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.room_name_bytes = 5;
        config.limits.rooms_per_socket = 3;
        let mut lobby = lobby(config);
        let (_client, socket) = lobby.join().await;
        socket.join(["123456", "12345", "äöü", "ä"]);
        assert!(socket.is_in("12345") && socket.is_in("ä"));
        assert!(!socket.is_in("123456") && !socket.is_in("äöü"));
        assert!(
            socket.is_in(socket.id().as_str()),
            "its own id is no matter of length"
        );
        assert_eq!(counter(&lobby.server, "room_refused"), 2);
        socket.join(["c", "d"]);
        assert!(socket.is_in("c") && !socket.is_in("d"));
        assert_eq!(counter(&lobby.server, "room_refused"), 3);
        // Where it is already it may be asked again, and what it left makes room.
        socket.join("c");
        assert_eq!(counter(&lobby.server, "room_refused"), 3);
        socket.leave("c");
        lobby.server.root().sockets_join(["d", "e"]);
        assert!(socket.is_in("d") && !socket.is_in("e"));
        assert_eq!(counter(&lobby.server, "room_refused"), 4);
        let own = Room::from(socket.id().as_str());
        assert_eq!(lobby.server.root().all_rooms().await.len(), 4);
        socket.leave(own.clone());
        socket.join(&own);
        assert!(socket.is_in(&own), "the own room does not count");
    });
}

#[test]
fn bytes_of_a_namespace_name_and_number_of_namespaces() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.namespace_name_bytes = 6;
        config.limits.namespaces_per_session = 3;
        let (root, _hearing) = ear();
        let (children, _others) = ear();
        let listening = listen(config, |builder| {
            builder
                .namespace("/", root)
                .namespace_matching(|_, _| true, children)
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send("40/1234567,").await;
        let answer = ws.text().await;
        assert_eq!(
            answer,
            r#"44/1234567,{"message":"the namespace name is too long"}"#
        );
        for name in ["/12345", "/2", "/3"] {
            ws.send(&format!("40{name},")).await;
            assert!(ws.text().await.starts_with(&format!("40{name},")));
        }
        ws.send("40").await;
        assert_eq!(ws.text().await, r#"44{"message":"too many namespaces"}"#);
        assert_eq!(counter(&listening.server, "namespace_refused"), 2);
        // Who leaves one may enter another.
        ws.send("41/2,").await;
        ws.send("40").await;
        assert!(ws.text().await.starts_with("40{"));
    });
}

// --- connections ---------------------------------------------------------------------------------

/// What a client reads that is one too many, by polling and by WebSocket.
async fn assert_refused(listening: &Listening) {
    let before = counter(&listening.server, "connection_refused");
    let (status, response) = http(listening, &get("")).await;
    assert_eq!(status, 503, "{response}");
    assert!(response.ends_with("too many connections"), "{response}");
    match Ws::try_open(listening).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), 503);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(counter(&listening.server, "connection_refused"), before + 2);
}

#[test]
fn number_of_connections() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.connections = 2;
        for (listening, _hearing) in on_both_carriers(&config).await {
            let (first, _) = Ws::join(&listening, json!({})).await;
            let _second = open_polling(&listening).await;
            assert_refused(&listening).await;
            assert_eq!(listening.server.n_sessions(), 2);
            first.close().await;
            let server = &listening.server;
            eventually("one has gone", || server.n_sessions() == 1).await;
            let (_third, _) = Ws::join(&listening, json!({})).await;
            assert_refused(&listening).await;
        }
    });
}

#[test]
fn number_of_connections_of_one_address() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.connections_per_ip = 2;
        for (listening, _hearing) in on_both_carriers(&config).await {
            let (first, _) = Ws::join(&listening, json!({})).await;
            let (_second, _) = Ws::join(&listening, json!({})).await;
            assert_refused(&listening).await;
            assert_eq!(
                listening.server.n_sessions(),
                2,
                "the refused ones do not count"
            );
            first.close().await;
            let server = &listening.server;
            eventually("one has gone", || server.n_sessions() == 1).await;
            let (_third, _) = Ws::join(&listening, json!({})).await;
            assert_refused(&listening).await;
        }
    });
}

#[test]
fn number_of_sessions_without_a_namespace() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.half_open = 2;
        for (listening, _hearing) in on_both_carriers(&config).await {
            let mut first = Ws::open(&listening).await;
            let second = Ws::open(&listening).await;
            assert_refused(&listening).await;
            // Who joins is not half open any more.
            first.send("40").await;
            assert!(first.text().await.starts_with("40"));
            let _third = open_polling(&listening).await;
            assert_refused(&listening).await;
            // Nor is who goes; and leaving the namespace does not open the door again.
            second.close().await;
            let server = &listening.server;
            eventually("one has gone", || server.n_sessions() == 2).await;
            first.send("41").await;
            let _fourth = Ws::open(&listening).await;
            assert_refused(&listening).await;
        }
    });
}

#[test]
fn sessions_without_a_namespace_end_after_a_time() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.half_open = 20;
        // On a busy machine it takes a while until all are there.
        config.socketio.connect_timeout = Duration::from_secs(1);
        for (listening, _hearing) in on_both_carriers(&config).await {
            let (mut joined, _) = Ws::join(&listening, json!({})).await;
            let mut idle = Vec::new();
            for _ in 0..10 {
                idle.push(Ws::open(&listening).await);
                open_polling(&listening).await;
            }
            assert_refused(&listening).await;
            for mut ws in idle {
                ws.end().await;
            }
            let server = &listening.server;
            eventually("all are counted", || {
                counter(server, "connect_timeout") == 20
            })
            .await;
            joined.send(r#"420["still here"]"#).await;
            let _fresh = Ws::open(&listening).await;
        }
    });
}

// --- what the server keeps for a client ------------------------------------------------------------

#[test]
fn answers_that_one_socket_owes() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.pending_acks_per_socket = 2;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        let first = socket.emit_with_ack("a", 1);
        let _second = socket.emit_with_ack("a", 2);
        let third = socket.emit_with_ack("a", 3).await;
        assert!(matches!(third, Err(AckError::TooMany)), "{third:?}");
        let asked = client.event("a").await.unwrap();
        client.ack(asked.ack.unwrap(), ()).await.unwrap();
        within("the answer", first).await.unwrap();
        drop(socket.emit_with_ack("a", 4));
        client.event("a").await.unwrap();
        let fourth = client.event("a").await.unwrap();
        assert_eq!(
            fourth.args.first::<u8>().unwrap(),
            4,
            "the third was not sent"
        );
    });
}

/// How much a test sends to a client that does not read: more than the kernel keeps for a connection.
const FLOOD: usize = 64 << 20;

#[test]
fn bytes_for_a_client_that_does_not_read() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.outbox_bytes = 1_000_000;
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let _lazy = Raw::join(&listening).await;
            hearing.connected().await;
            let (mut eager, _) = Ws::join(&listening, json!({})).await;
            let chunk = "x".repeat(100_000);
            let server = &listening.server;
            let mut n_sent = 0;
            while counter(server, "slow_consumer") == 0 {
                assert!(n_sent < FLOOD / chunk.len(), "the outbox takes everything");
                server.root().emit("flood", &chunk);
                n_sent += 1;
                // The other client reads each one, and loses none.
                assert_eq!(eager.event().await.0, "flood");
            }
            assert_eq!(hearing.gone().await.1.to_string(), "transport error");
            server.root().emit("flood", "the last");
            assert_eq!(eager.event().await.1, [json!("the last")]);
            assert_eq!(counter(server, "slow_consumer"), 1);
            eventually("the session has gone", || server.n_sessions() == 1).await;
        }
    });
}

#[test]
fn bytes_for_a_client_that_does_not_poll() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.outbox_bytes = 10_000;
        let (listening, mut hearing) = listening(config).await;
        let sid = join_polling(&listening).await;
        let socket = hearing.connected().await;
        for _ in 0..9 {
            socket.emit("flood", "x".repeat(1000));
        }
        // The next poll takes all of it, and makes room.
        let (status, response) = http(&listening, &get(&format!("&sid={sid}"))).await;
        assert_eq!(status, 200);
        assert_eq!(response.matches("flood").count(), 9);
        for _ in 0..11 {
            socket.emit("flood", "x".repeat(1000));
        }
        assert_eq!(hearing.gone().await.1.to_string(), "transport error");
        assert_eq!(counter(&listening.server, "slow_consumer"), 1);
        assert_eq!(http(&listening, &get(&format!("&sid={sid}"))).await.0, 400);
    });
}

#[test]
fn one_packet_always_fits() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.outbox_bytes = 1000;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        for n in 0..3 {
            socket.emit("large", (n, "x".repeat(5000)));
            let event = client.event("large").await.unwrap();
            assert_eq!(event.args.first::<u8>().unwrap(), n);
        }
    });
}

#[test]
fn limits_change_while_the_server_runs() {
    on_actix(async {
        let (listening, mut hearing) = listening(Config::default()).await;
        let server = &listening.server;
        let first = open_polling(&listening).await;
        open_polling(&listening).await;
        let mut config = Config::default();
        config.limits.connections_per_ip = 2;
        server.reload(config.clone()).unwrap();
        // Those that were there before count too.
        let (status, _) = http(&listening, &get("")).await;
        assert_eq!(status, 503);
        let (status, _) = http(&listening, &post(&first, "1")).await;
        assert_eq!(status, 200);
        eventually("one has gone", || server.n_sessions() == 1).await;
        let sid = join_polling(&listening).await;
        let socket = hearing.connected().await;

        // A lower limit for those that are there.
        config.limits.outbox_bytes = 1000;
        config.limits.event_name_bytes = 5;
        server.reload(config.clone()).unwrap();
        assert!(socket.try_emit("longer", ()).is_err());
        socket.emit("short", "x".repeat(2000));
        let (_, reason) = hearing.gone().await;
        assert_eq!(reason, DisconnectReason::TransportError, "{sid}");

        config.limits.time_to_complete_packet = Duration::ZERO;
        let refused = server.reload(config).unwrap_err().to_string();
        assert!(
            refused.starts_with("limits.time_to_complete_packet "),
            "{refused}"
        );
    });
}
