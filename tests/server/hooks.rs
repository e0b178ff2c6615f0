//! Where a program takes part in the requests of the engine: who may come, and what the responses carry.

use std::time::Duration;

use greenroom::Refusal;
use greenroom::config::{Carrier, Config};

use crate::support::tcp::{get, http, listen, open_polling, post};
use crate::support::{ear, on_actix};

const CARRIERS: [Carrier; 2] = [Carrier::Direct, Carrier::Mounted];

#[test]
fn headers_are_added_to_all_responses_or_to_the_first_of_a_session() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            // The WebSocket below ends soon, since nobody answers its ping.
            config.engine.ping_interval = Duration::from_millis(200);
            config.engine.ping_timeout = Duration::from_millis(200);
            let (handlers, _hearing) = ear();
            let listening = listen(config, |builder| {
                builder
                    .namespace("/", handlers)
                    .initial_headers(|headers, _| {
                        headers.insert("x-first".parse().unwrap(), "1".parse().unwrap());
                    })
                    .headers(|headers, request| {
                        let path = request.url.split('?').next().unwrap_or_default();
                        headers.insert("x-path".parse().unwrap(), path.parse().unwrap());
                    })
            })
            .await;
            let (status, first) = http(&listening, &get("")).await;
            assert_eq!(status, 200);
            assert!(first.contains("x-first: 1\r\n"), "{first}");
            assert!(first.contains("x-path: /socket.io/\r\n"), "{first}");

            let sid = open_polling(&listening).await;
            let (status, later) = http(&listening, &post(&sid, "40")).await;
            assert_eq!(status, 200);
            assert!(!later.contains("x-first"), "{later}");
            assert!(later.contains("x-path: /socket.io/\r\n"), "{later}");

            let upgrade = get("")
                .replace("transport=polling", "transport=websocket")
                .replace(
                    "Connection: close\r\n",
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                );
            let (status, switching) = http(&listening, &upgrade).await;
            assert_eq!(status, 101, "{switching}");
            assert!(switching.contains("x-first: 1\r\n"), "{switching}");
            assert!(switching.contains("x-path: /socket.io/\r\n"), "{switching}");
        }
    });
}

#[test]
fn who_is_not_allowed_gets_the_error_of_the_reference() {
    on_actix(async {
        let (handlers, _hearing) = ear();
        let listening = listen(Config::default(), |builder| {
            builder
                .namespace("/", handlers)
                .allow_request(|request| async move {
                    match request.query("key") {
                        Some("secret") => Ok(()),
                        _ => Err(Refusal::new("no key")),
                    }
                })
        })
        .await;
        let (status, refused) = http(&listening, &get("")).await;
        assert_eq!(status, 403);
        assert!(
            refused.ends_with(r#"{"code":4,"message":"no key"}"#),
            "{refused}"
        );
        assert_eq!(http(&listening, &get("&key=secret")).await.0, 200);
    });
}

#[test]
fn a_middleware_sees_every_request() {
    on_actix(async {
        let (handlers, _hearing) = ear();
        let listening = listen(Config::default(), |builder| {
            builder
                .namespace("/", handlers)
                .engine_middleware(|request| async move {
                    match request.header("x-blocked") {
                        Some(_) => Err(Refusal::new("blocked")),
                        None => Ok(()),
                    }
                })
        })
        .await;
        let sid = open_polling(&listening).await;
        let blocked = post(&sid, "40").replace("Host: a\r\n", "Host: a\r\nx-blocked: 1\r\n");
        let (status, refused) = http(&listening, &blocked).await;
        assert_eq!(status, 400);
        assert!(
            refused.ends_with(r#"{"code":3,"message":"Bad request"}"#),
            "{refused}"
        );
        assert_eq!(http(&listening, &post(&sid, "40")).await.0, 200);
    });
}
