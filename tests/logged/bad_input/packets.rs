//! Packets that are wrong.

use std::time::Duration;

use greenroom::config::Config;
use serde_json::json;

use super::{counted, polled_to_the_end};
use crate::support::ear;
use crate::support::log::{alone, logged};
use crate::support::tcp::{
    Raw, Ws, get, http, join_polling, listen, on_both_carriers, open_polling, post,
};

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
