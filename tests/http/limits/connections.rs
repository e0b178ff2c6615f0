//! Connections and sessions.

use std::time::Duration;

use greenroom::config::Config;
use serde_json::json;

use crate::support::tcp::{Listening, Ws, get, http, on_both_carriers, open_polling};
use crate::support::{counter, eventually, on_actix};

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
