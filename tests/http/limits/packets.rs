//! Packets, and how long they may take.

use std::time::Duration;

use greenroom::config::Config;
use serde_json::json;

use crate::support::tcp::{
    Raw, Ws, frame, get, http, join_polling, listening, on_both_carriers, open_polling, part, post,
    text_frame,
};
use crate::support::{counter, eventually, on_actix};

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
