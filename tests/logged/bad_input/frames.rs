//! Frames that are wrong.

use std::time::Duration;

use greenroom::WebSocketRoute;
use greenroom::config::Config;

use super::counted;
use crate::support::counter;
use crate::support::log::{alone, logged};
use crate::support::tcp::{
    CARRIERS, Raw, frame, http, join_polling, listen, listening, on_both_carriers, open_polling,
    part, post, upgrade,
};

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
