//! What the server keeps for a client.

use std::time::Duration;

use greenroom::config::Config;
use greenroom::{AckError, DisconnectReason};
use serde_json::json;

use crate::support::tcp::{
    Raw, Ws, get, http, join_polling, listening, on_both_carriers, open_polling, post,
};
use crate::support::{counter, eventually, lobby, on_actix, within};

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
        let mut config = Config::default();
        let (listening, mut hearing) = listening(config.clone()).await;
        let server = &listening.server;
        let first = open_polling(&listening).await;
        open_polling(&listening).await;
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
        for _ in 0..2 {
            socket.emit("short", "x".repeat(2000));
        }
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
