//! What hostile and broken clients send, one test for each kind: the refusal that the client reads, the line in the log
//! that says why, and the counter. The caps themselves are in `limits.rs`.

use std::time::Duration;

use actix::prelude::*;
use greenroom::config::{Carrier, Config};
use greenroom::{AckError, Event, Server, WebSocketRoute, per_worker};
use serde_json::json;

use crate::support::log::{alone, logged};
use crate::support::tcp::{
    CARRIERS, Listening, Raw, Ws, frame, get, http, join_polling, listen, listening,
    on_both_carriers, open_polling, part, post, text_frame, upgrade,
};
use crate::support::{counter, ear, eventually, lobby};

/// Waits until exactly so many were counted under that name.
async fn counted(server: &Server, name: &str, n: u64) {
    eventually(&format!("{name} is {n}"), || counter(server, name) >= n).await;
    assert_eq!(counter(server, name), n, "{name}");
}

/// Polls until the session is not known any more; what the last poll that was answered said.
async fn polled_to_the_end(listening: &Listening, sid: &str) -> String {
    let mut last = String::new();
    loop {
        let (status, response) = http(listening, &get(&format!("&sid={sid}"))).await;
        let body = response.split_once("\r\n\r\n").unwrap().1.to_owned();
        if status == 400 {
            assert_eq!(body, r#"{"code":1,"message":"Session ID unknown"}"#);
            return last;
        }
        last = body;
    }
}

// --- packets -------------------------------------------------------------------------------------

#[test]
fn malformed_packets_of_the_engine() {
    alone(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let server = &listening.server;
            for (n, (packet, why)) in [
                ("x", "packet type"),
                ("", "packet"),
                ("2", "a heartbeat went the wrong way"),
            ]
            .into_iter()
            .enumerate()
            {
                let (mut ws, _) = Ws::join(&listening, json!({})).await;
                ws.send(packet).await;
                let (code, said) = ws.end().await;
                assert_eq!(code, Some(1008), "{packet}");
                assert!(!said.is_empty(), "{packet}");
                let reason = hearing.gone().await.1.to_string();
                assert!(
                    ["parse error", "transport error"].contains(&&*reason),
                    "{reason}"
                );
                logged(&["what came is no packet sid=", "why=", why]).await;
                counted(server, "parse_error", n as u64 + 1).await;
            }
        }
    });
}

#[test]
fn malformed_packets_of_socketio() {
    alone(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let server = &listening.server;
            let malformed = [
                "4abc",
                "42{}",
                "42[]",
                "42[1",
                "42abc[\"a\"]",
                "42[\"connect\"]",
                "4511-[\"eleven attachments\"]",
            ];
            for (n, packet) in malformed.into_iter().enumerate() {
                let (mut ws, _) = Ws::join(&listening, json!({})).await;
                ws.send(packet).await;
                let (code, said) = ws.end().await;
                assert_eq!(code, Some(1000), "{packet}: as the reference closes");
                assert!(!said.is_empty(), "{packet}: the words say why");
                assert_eq!(hearing.gone().await.1.to_string(), "forced close");
                logged(&["what came is no packet sid=", &format!("why={said}")]).await;
                counted(server, "parse_error", n as u64 + 1).await;
            }
            let n = malformed.len() as u64;
            // Well formed, at the wrong time: a second CONNECT, an event before the first.
            let (mut ws, _) = Ws::join(&listening, json!({})).await;
            ws.send("40").await;
            let why = "the packet does not fit the state of its namespace";
            assert_eq!(ws.end().await, (Some(1000), why.to_owned()));
            let mut ws = Ws::open(&listening).await;
            ws.send("42[\"a\"]").await;
            assert_eq!(ws.end().await, (Some(1000), why.to_owned()));
            logged(&["a session is closed sid=", "why=", why]).await;
            counted(server, "parse_error", n + 2).await;
            // Over polling there is no room for words: the close packet.
            let sid = join_polling(&listening).await;
            http(&listening, &post(&sid, "42{}")).await;
            assert_eq!(polled_to_the_end(&listening, &sid).await, "1");
            counted(server, "parse_error", n + 3).await;
        }
    });
}

#[test]
fn wrong_payloads() {
    alone(async {
        let mut config = Config::default();
        config.engine.allow_eio3 = true;
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let server = &listening.server;
            for (n, body) in ["b!!!", "6\x1e", "x"].into_iter().enumerate() {
                let sid = join_polling(&listening).await;
                http(&listening, &post(&sid, body)).await;
                polled_to_the_end(&listening, &sid).await;
                assert_eq!(hearing.gone().await.1.to_string(), "parse error", "{body}");
                logged(&["what came is no packet sid=", "why="]).await;
                counted(server, "parse_error", n as u64 + 1).await;
            }
            // A length that is a lie, in the form of revision 3.
            let (_, response) = http(&listening, &get("").replace("EIO=4", "EIO=3")).await;
            let sid = response.split("\"sid\":\"").nth(1).unwrap();
            let sid = sid.split('"').next().unwrap();
            let lie = post(sid, "99999:4a").replace("EIO=4", "EIO=3");
            http(&listening, &lie).await;
            counted(server, "parse_error", 4).await;
            // A binary body, which revision 4 does not have.
            let sid = join_polling(&listening).await;
            let binary =
                post(&sid, "4a").replace("text/plain;charset=UTF-8", "application/octet-stream");
            assert_eq!(http(&listening, &binary).await.0, 400);
            polled_to_the_end(&listening, &sid).await;
            logged(&["polling is broken sid=", "why=a binary body in revision 4"]).await;
            counted(server, "polling_broken", 1).await;
        }
    });
}

#[test]
fn unknown_namespaces() {
    alone(async {
        for (listening, _hearing) in on_both_carriers(&Config::default()).await {
            let mut ws = Ws::open(&listening).await;
            ws.send("40/nowhere,").await;
            assert_eq!(
                ws.text().await,
                r#"44/nowhere,{"message":"Invalid namespace"}"#
            );
            logged(&["a namespace is refused sid=", "why=Invalid namespace"]).await;
            counted(&listening.server, "namespace_refused", 1).await;
        }
    });
}

#[test]
fn namespaces_beyond_the_limits() {
    alone(async {
        let mut config = Config::default();
        config.limits.namespace_name_bytes = 6;
        config.limits.namespaces_per_session = 2;
        config.limits.child_namespaces = 3;
        let listening = listen(config, |builder| {
            builder.namespace_matching(|_, _| true, ear().0)
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        let mut other = Ws::open(&listening).await;
        let refused = async |ws: &mut Ws, nsp: &str, why: &str| {
            ws.send(&format!("40{nsp},")).await;
            let answer = ws.text().await;
            assert_eq!(answer, format!(r#"44{nsp},{{"message":"{why}"}}"#));
            logged(&["a namespace is refused sid=", &format!("why={why}")]).await;
        };
        let entered = async |ws: &mut Ws, nsp: &str| {
            ws.send(&format!("40{nsp},")).await;
            let answer = ws.text().await;
            assert!(answer.starts_with(&format!("40{nsp},{{")), "{answer}");
        };
        refused(&mut ws, "/234567", "the namespace name is too long").await;
        entered(&mut ws, "/a").await;
        entered(&mut ws, "/b").await;
        refused(&mut ws, "/c", "too many namespaces").await;
        entered(&mut other, "/c").await;
        refused(&mut other, "/d", "too many child namespaces").await;
        counted(&listening.server, "namespace_refused", 3).await;
        // Who leaves one that a pattern made, makes room.
        ws.send("41/a,").await;
        entered(&mut ws, "/d").await;
        assert_eq!(listening.server.namespaces(), ["/", "/b", "/c", "/d"]);
    });
}

#[test]
fn unfinished_attachments() {
    alone(async {
        let mut config = Config::default();
        config.limits.time_to_complete_packet = Duration::from_millis(50);
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let why = "a packet did not become complete in time";
            let (mut ws, _) = Ws::join(&listening, json!({})).await;
            ws.send(r#"451-["a",{"_placeholder":true,"num":0}]"#).await;
            assert_eq!(ws.end().await, (Some(1008), why.to_owned()));
            assert_eq!(hearing.gone().await.1.to_string(), "transport error");
            logged(&["a session is closed sid=", "why=", why]).await;
            counted(&listening.server, "incomplete_packet", 1).await;
            // And the body of a POST.
            let sid = open_polling(&listening).await;
            let mut raw = Raw::connect(&listening).await;
            let request = post(&sid, r#"42["a"]"#);
            raw.write(&request.as_bytes()[..request.len() - 1]).await;
            assert_eq!(raw.response().await.0, 408);
            logged(&[
                "a post is refused sid=",
                "why=its body did not become complete in time",
            ])
            .await;
            counted(&listening.server, "incomplete_packet", 2).await;
        }
    });
}

// --- requests ------------------------------------------------------------------------------------

#[test]
fn wrong_session_ids() {
    alone(async {
        for (listening, _hearing) in on_both_carriers(&Config::default()).await {
            let server = &listening.server;
            let sid = open_polling(&listening).await;
            let mut stranger: Vec<_> = sid.chars().collect();
            stranger.reverse();
            let stranger = String::from_iter(stranger);
            let mut n = 0;
            for sid in [&*stranger, "a", "%00", &"x".repeat(5000)] {
                for request in [get(&format!("&sid={sid}")), post(sid, "4a")] {
                    let (status, response) = http(&listening, &request).await;
                    assert_eq!(status, 400);
                    let body = r#"{"code":1,"message":"Session ID unknown"}"#;
                    assert!(response.ends_with(body), "{response}");
                    n += 1;
                }
                let refused = Ws::try_open_at(&listening, &format!("&sid={sid}")).await;
                assert_eq!(refused.unwrap_err().0, 400);
                n += 1;
            }
            logged(&["a request is refused code=1 why="]).await;
            if listening.server.config().server.carrier == Carrier::Direct {
                logged(&["a websocket is refused code=1 why="]).await;
            }
            // An upgrade of a session that is not there is answered by the hub.
            counted(server, "handshake_refused", n).await;
            assert_eq!(server.n_sessions(), 1, "the session of the test goes on");
        }
    });
}

#[test]
fn duplicate_polls_and_posts() {
    alone(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let sid = join_polling(&listening).await;
            let mut first = Raw::connect(&listening).await;
            first.write(get(&format!("&sid={sid}")).as_bytes()).await;
            // Which of the two comes first is the server's to say: one gets the close packet, the other an error.
            let second = http(&listening, &get(&format!("&sid={sid}"))).await;
            let first = first.response().await;
            let mut both = [first.0, second.0];
            both.sort_unstable();
            assert_eq!(both, [200, 400]);
            let closed = if first.0 == 200 { first.1 } else { second.1 };
            assert!(closed.ends_with("\r\n\r\n1"), "{closed}");
            assert_eq!(hearing.gone().await.1.to_string(), "transport error");
            logged(&["polling is broken sid=", "why=polls overlap"]).await;
            counted(&listening.server, "polling_broken", 1).await;
            polled_to_the_end(&listening, &sid).await;

            let sid = join_polling(&listening).await;
            let mut first = Raw::connect(&listening).await;
            let request = post(&sid, r#"42["a"]"#);
            first.write(&request.as_bytes()[..request.len() - 1]).await;
            let mut n = 0;
            // Until the first has been seen, the second is alone.
            while http(&listening, &post(&sid, "3")).await.0 == 200 {
                n += 1;
                assert!(n < 1000, "the first post is never seen");
            }
            assert_eq!(first.response().await.0, 400);
            logged(&["polling is broken sid=", "why=posts overlap"]).await;
            counted(&listening.server, "polling_broken", 2).await;
            polled_to_the_end(&listening, &sid).await;
        }
    });
}

#[test]
fn a_second_websocket_for_a_session() {
    alone(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let server = &listening.server;
            // While the first is being probed.
            let sid = join_polling(&listening).await;
            hearing.connected().await;
            let query = format!("&sid={sid}");
            let mut first = Ws::try_open_at(&listening, &query).await.unwrap();
            let mut second = Ws::try_open_at(&listening, &query).await.unwrap();
            let why = "an upgrade is under way";
            assert_eq!(second.end().await, (Some(1000), why.to_owned()));
            logged(&["an upgrade is refused sid=", "why=", why]).await;
            counted(server, "upgrade_failed", 1).await;
            // What it says and how it ends are not the session's.
            drop(second);
            first.send("2probe").await;
            assert_eq!(first.text().await, "3probe");
            first.send("5").await;
            first.send(r#"42["over the first"]"#).await;
            assert_eq!(hearing.event().await.name(), "over the first");
            // When it has a websocket.
            let mut third = Ws::try_open_at(&listening, &query).await.unwrap();
            let why = "the session has a websocket";
            assert_eq!(third.end().await, (Some(1000), why.to_owned()));
            logged(&["an upgrade is refused sid=", "why=", why]).await;
            counted(server, "upgrade_failed", 2).await;
            first.send(r#"42["still"]"#).await;
            assert_eq!(hearing.event().await.name(), "still");
        }
    });
}

#[test]
fn upgrades_that_go_wrong() {
    alone(async {
        let mut config = Config::default();
        config.engine.upgrade_timeout = Duration::from_millis(50);
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let sid = join_polling(&listening).await;
            let query = format!("&sid={sid}");
            for (n, (sent, why)) in [
                (Some("4a"), "not a probe"),
                (None, "it did not end in time"),
            ]
            .into_iter()
            .enumerate()
            {
                let mut ws = Ws::try_open_at(&listening, &query).await.unwrap();
                if let Some(sent) = sent {
                    ws.send(sent).await;
                }
                assert_eq!(ws.end().await, (Some(1008), why.to_owned()));
                logged(&["an upgrade has failed sid=", "why=", why]).await;
                counted(&listening.server, "upgrade_failed", n as u64 + 1).await;
            }
            http(&listening, &post(&sid, r#"42["over polling"]"#)).await;
            assert_eq!(hearing.event().await.name(), "over polling");
        }
    });
}

#[test]
fn pings_without_end_before_the_probe() {
    alone(async {
        for (listening, _hearing) in on_both_carriers(&Config::default()).await {
            let sid = join_polling(&listening).await;
            let mut raw = Raw::websocket(&listening, &format!("&sid={sid}")).await;
            let many = frame(9, &[0; 125]).repeat(5000);
            let server = &listening.server;
            // Nothing is read: the answers pile up, first in the kernel, then at the server.
            let flood = async {
                while tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &many)
                    .await
                    .is_ok()
                {}
            };
            tokio::select! {
                () = flood => {}
                () = eventually("it is given up", || counter(server, "upgrade_failed") == 1) => {}
            }
            logged(&["an upgrade has failed sid=", "why=the client does not read"]).await;
            counted(server, "slow_consumer", 1).await;
            assert_eq!(http(&listening, &post(&sid, "3")).await.0, 200);
        }
    });
}

// --- frames --------------------------------------------------------------------------------------

#[test]
fn frames_against_the_rules() {
    alone(async {
        let mut config = Config::default();
        config.limits.message_fragments = 4;
        config.engine.max_http_buffer_size = 1000;
        let unmasked = [0x81, 3, b'4', b'2', b'x'].to_vec();
        let tiny = [part(1, b"42["), part(0, b"").repeat(4)].concat();
        let cases = [
            (unmasked, 1002, "frame is not masked"),
            (tiny, 1008, "message has more than 4 fragments"),
            (frame(1, &[b'4'; 1001]), 1009, "message exceeds 1000 bytes"),
            (frame(1, b"42\xc0\x80"), 1007, "text is not valid utf-8"),
        ];
        for (listening, mut hearing) in on_both_carriers(&config).await {
            for (bytes, code, why) in &cases {
                let mut raw = Raw::join(&listening).await;
                raw.write(bytes).await;
                assert_eq!(raw.end().await, Some(*code), "{why}");
                assert_eq!(hearing.gone().await.1.to_string(), "transport error");
                logged(&[
                    "a websocket is closed sid=",
                    &format!("code={code} why={why}"),
                ])
                .await;
            }
            counted(&listening.server, "websocket_violation", 3).await;
            counted(&listening.server, "too_large", 1).await;
            // A body.
            let sid = open_polling(&listening).await;
            assert_eq!(
                http(&listening, &post(&sid, &"4".repeat(1001))).await.0,
                413
            );
            logged(&["a body is too large sid=", "limit=1000"]).await;
            counted(&listening.server, "too_large", 2).await;
        }
    });
}

#[test]
fn a_body_that_is_no_utf8_is_read_as_the_reference_reads_it() {
    alone(async {
        let (listening, mut hearing) = listening(Config::default()).await;
        let sid = join_polling(&listening).await;
        let mut request = post(&sid, "42[\"a\",\"xx\"]").into_bytes();
        let at = request.len() - 4;
        request[at..at + 2].copy_from_slice(b"\xff\xfe");
        let mut raw = Raw::connect(&listening).await;
        raw.write(&request).await;
        assert_eq!(raw.response().await.0, 200);
        let text: String = hearing.event().await.args().first().unwrap();
        assert_eq!(text, "\u{fffd}\u{fffd}");
    });
}

/// The same rules where there is no engine, and the same caps.
#[test]
fn websockets_without_an_engine() {
    alone(async {
        let mut config = Config::default();
        config.limits.time_to_complete_packet = Duration::from_millis(50);
        config.limits.connections = 2;
        for carrier in CARRIERS {
            let mut config = config.clone();
            config.server.carrier = carrier;
            let echo = WebSocketRoute::new("/echo", |mut socket| async move {
                while let Some(message) = socket.receive().await {
                    socket.send(&message).await;
                }
            })
            .max_message_bytes(10);
            let listening = listen(config, |builder| builder.websocket(echo)).await;
            let server = &listening.server;
            for (bytes, code) in [
                (frame(1, b"12345678901"), 1009),
                (frame(3, b""), 1002),
                (part(1, b"x"), 1008),
                (frame(1, b"whole")[..4].to_vec(), 1008),
            ] {
                let mut raw = Raw::websocket_at(&listening, "/echo").await;
                raw.write(&bytes).await;
                assert_eq!(raw.end().await, Some(code));
            }
            logged(&["a raw websocket is closed code=1009 why=message exceeds 10 bytes"]).await;
            logged(&["a raw websocket is closed code=1002 why=opcode 3 is reserved"]).await;
            logged(&["a raw websocket is closed why=a message did not become complete in time"])
                .await;
            counted(server, "too_large", 1).await;
            counted(server, "websocket_violation", 1).await;
            counted(server, "incomplete_packet", 2).await;
            // One too many.
            let mut open = Vec::new();
            let request = upgrade("/echo");
            let refused = loop {
                let mut raw = Raw::connect(&listening).await;
                raw.write(request.as_bytes()).await;
                if raw.status().await != 101 {
                    break raw.response().await;
                }
                open.push(raw);
                assert!(open.len() <= 2, "everybody is let in");
            };
            assert_eq!(refused.0, 503);
            assert!(refused.1.ends_with("too many connections"), "{}", refused.1);
            logged(&["a websocket is refused path=/echo why=connections limit=2"]).await;
            assert_eq!(counter(server, "connection_refused"), 1);
            // What is no handshake.
            let request = request.replace("Version: 13", "Version: 12");
            let refused = http(&listening, &request).await;
            assert!(refused.0 >= 400, "{}", refused.1);
            logged(&["a raw websocket is refused why="]).await;
            counted(server, "handshake_refused", 1).await;
        }
    });
}

// --- clients that do nothing ---------------------------------------------------------------------

#[test]
fn one_that_never_reads() {
    alone(async {
        let mut config = Config::default();
        config.limits.outbox_bytes = 10_000;
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let sid = join_polling(&listening).await;
            let socket = hearing.connected().await;
            for _ in 0..11 {
                socket.emit("flood", "x".repeat(1000));
            }
            assert_eq!(hearing.gone().await.1.to_string(), "transport error");
            logged(&["a transport failed sid=", "why=outbox full"]).await;
            counted(&listening.server, "slow_consumer", 1).await;
            polled_to_the_end(&listening, &sid).await;
        }
    });
}

#[test]
fn one_that_never_answers() {
    alone(async {
        let mut config = Config::default();
        config.engine.ping_interval = Duration::from_millis(50);
        config.engine.ping_timeout = Duration::from_millis(50);
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let mut raw = Raw::join(&listening).await;
            assert_eq!(raw.text().await, "2");
            let (opcode, close) = raw.frame().await.unwrap();
            assert_eq!((opcode, &close[2..]), (8, &b"ping timeout"[..]));
            assert_eq!(hearing.gone().await.1.to_string(), "ping timeout");
            logged(&["a session has ended sid=", "reason=ping timeout"]).await;
            counted(&listening.server, "ping_timeout", 1).await;
        }
    });
}

#[test]
fn many_half_open_handshakes() {
    alone(async {
        let mut config = Config::default();
        config.limits.half_open = 3;
        config.socketio.connect_timeout = Duration::from_millis(300);
        for (listening, _hearing) in on_both_carriers(&config).await {
            let server = &listening.server;
            let mut first = Ws::open(&listening).await;
            let mut n_refused = 0;
            for _ in 0..200 {
                let (status, response) = http(&listening, &get("")).await;
                if status == 503 {
                    assert!(response.ends_with("too many connections"), "{response}");
                    n_refused += 1;
                }
                assert!(server.n_sessions() <= 3);
            }
            assert!(n_refused > 0);
            logged(&["a connection is refused why=half_open limit=3"]).await;
            counted(server, "connection_refused", n_refused).await;
            let why = "no namespace was joined in time";
            assert_eq!(first.end().await, (Some(1000), why.to_owned()));
            logged(&["a session is closed sid=", "why=", why]).await;
            eventually("it is counted", || counter(server, "connect_timeout") > 0).await;
        }
    });
}

#[test]
fn connections_that_ask_for_nothing() {
    alone(async {
        let mut config = Config::default();
        config.limits.silent_connections = 3;
        config.limits.time_to_complete_head = Duration::from_secs(2);
        for (listening, _hearing) in on_both_carriers(&config).await {
            let server = &listening.server;
            // The connection that found the server listening has gone when this is answered.
            assert_eq!(http(&listening, &get("")).await.0, 200);
            let mut silent = Vec::new();
            for head in [
                "",
                "G",
                "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n",
            ] {
                let mut raw = Raw::connect(&listening).await;
                raw.write(head.as_bytes()).await;
                silent.push(raw);
            }
            let mut n_refused = 0;
            while n_refused < 20 {
                let mut raw = Raw::connect(&listening).await;
                let (status, response) = raw.response().await;
                if status == 408 {
                    // A slow machine: the first three have had their time.
                    break;
                }
                assert_eq!(status, 503);
                assert!(response.ends_with("too many connections"), "{response}");
                n_refused += 1;
            }
            assert!(n_refused > 0);
            logged(&["a connection is refused why=silent_connections limit=3"]).await;
            counted(server, "connection_refused", n_refused).await;
            for mut raw in silent {
                assert_eq!(raw.response().await.0, 408);
            }
            logged(&["a connection is closed why=no request came limit=2s"]).await;
            eventually("they are counted", || counter(server, "no_request") >= 3).await;

            // Who has asked for something makes room for others.
            let mut sessions = Vec::new();
            for _ in 0..6 {
                sessions.push(Ws::open(&listening).await);
                assert_eq!(http(&listening, &get("")).await.0, 200);
            }
        }
    });
}

#[test]
fn connections_beyond_the_limits() {
    alone(async {
        for (name, set) in [
            (
                "connections",
                (|config| config.limits.connections = 1) as fn(&mut Config),
            ),
            ("connections_per_ip", |config| {
                config.limits.connections_per_ip = 1
            }),
        ] {
            let mut config = Config::default();
            set(&mut config);
            for (listening, _hearing) in on_both_carriers(&config).await {
                let _first = Ws::open(&listening).await;
                let (status, response) = http(&listening, &get("")).await;
                assert_eq!(status, 503);
                assert!(response.ends_with("too many connections"), "{response}");
                let (status, said) = Ws::try_open_at(&listening, "").await.unwrap_err();
                // 503, so that a balancer tries the next node.
                assert_eq!((status, &*said), (503, "too many connections"));
                logged(&[&format!("a connection is refused why={name} limit=1")]).await;
                counted(&listening.server, "connection_refused", 2).await;
            }
        }
    });
}

#[test]
fn headers_beyond_the_limit() {
    alone(async {
        let mut config = Config::default();
        config.limits.headers_bytes = 1000;
        let (listening, mut hearing) = listening(config).await;
        let large = format!("Host: a\r\nX-Large: {}", "x".repeat(2000));
        let request = get("").replace("Host: a", &large);
        assert_eq!(http(&listening, &request).await.0, 200);
        logged(&["headers are left out why=too many bytes headers=1 limit=1000"]).await;
        counted(&listening.server, "headers_left_out", 1).await;
        let (_ws, _) = Ws::join(&listening, json!({})).await;
        assert!(
            hearing
                .connected()
                .await
                .handshake()
                .header("host")
                .is_some()
        );
    });
}

#[test]
fn names_and_numbers_beyond_the_limits() {
    alone(async {
        let mut config = Config::default();
        config.limits.event_name_bytes = 5;
        config.limits.room_name_bytes = 5;
        config.limits.rooms_per_socket = 1;
        config.limits.pending_acks_per_socket = 2;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        let answer = client.emit_with_ack("123456", ()).await.unwrap();
        assert_eq!(
            answer.first::<serde_json::Value>().unwrap(),
            json!({ "error": "the event name is too long" })
        );
        logged(&["an event name is too long sid=", "bytes=6"]).await;
        counted(&lobby.server, "event_refused", 1).await;
        socket.join("123456");
        logged(&[
            "a room is refused nsp=/ id=",
            "why=its name is too long bytes=6",
        ])
        .await;
        socket.join(["a", "b"]);
        logged(&["a room is refused nsp=/ id=", "why=too many rooms"]).await;
        counted(&lobby.server, "room_refused", 2).await;
        // A client that never answers, and one that answers too late.
        let _never = socket.emit_with_ack("never", ());
        let late = socket.clone().timeout(Duration::from_millis(100));
        let late = late.emit_with_ack("late", ());
        let refused = socket.emit_with_ack("more", ()).await;
        assert!(matches!(refused, Err(AckError::TooMany)), "{refused:?}");
        logged(&[
            "an emit is refused nsp=/ id=",
            "why=too many acks outstanding event=more",
        ])
        .await;
        counted(&lobby.server, "ack_refused", 1).await;
        let late = late.await;
        assert!(matches!(late, Err(AckError::Timeout)), "{late:?}");
        logged(&["a client did not answer in time nsp=/ id="]).await;
        counted(&lobby.server, "ack_timeout", 1).await;
        let asked = client.event("late").await.unwrap();
        client.ack(asked.ack.unwrap(), ()).await.unwrap();
        logged(&["nobody waits for an ack sid="]).await;
        counted(&lobby.server, "unknown_ack", 1).await;
    });
}

/// A handler that never gets through its first event.
struct Stuck;

impl Actor for Stuck {
    type Context = Context<Self>;
}

impl Handler<Event> for Stuck {
    type Result = ();

    fn handle(&mut self, _: Event, ctx: &mut Context<Self>) {
        ctx.wait(std::future::pending().into_actor(self));
    }
}

#[test]
fn events_for_a_handler_that_is_full() {
    alone(async {
        let mut config = Config::default();
        config.limits.handler_queue = 2;
        let stuck = per_worker(|| Stuck).on_event();
        let listening = listen(config, |builder| builder.namespace("/", stuck)).await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        for n in 0..20 {
            ws.send(&format!("42[\"a\",{n}]")).await;
        }
        logged(&["a client is not read why=the queue of its handler is full queue=2"]).await;
        // It is not asked again for as long as the first that does not fit waits.
        counted(&listening.server, "handler_full", 1).await;
        assert_eq!(listening.server.n_sessions(), 1);
    });
}

/// A frame that two reads bring is still whole.
#[test]
fn what_is_slow_is_not_refused() {
    alone(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let mut raw = Raw::join(&listening).await;
            for byte in text_frame(r#"42["slow"]"#) {
                raw.write(&[byte]).await;
            }
            assert_eq!(hearing.event().await.name(), "slow");
        }
    });
}
