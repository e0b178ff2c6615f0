//! Limits.

use std::sync::Arc;
use std::time::Duration;

use greenroom::Server;
use greenroom::config::Config;
use greenroom::testing::{Client, ClientError};
use tokio::sync::Semaphore;

use super::CARRIERS;
use crate::support::tcp::{Raw, get, http, listen, post};
use crate::support::{counter, ear, eventually, on_actix};

#[test]
fn bytes_held_for_a_client_that_is_not_let_in_yet() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.outbox_bytes = 10_000;
        let gate = Arc::new(Semaphore::new(0));
        let waits = Arc::clone(&gate);
        let (handlers, _hearing) = ear();
        let handlers = handlers.middleware(move |socket| {
            let gate = Arc::clone(&waits);
            async move {
                for _ in 0..20 {
                    socket.emit("flood", "x".repeat(1000));
                }
                gate.acquire().await.expect("the gate stays").forget();
                Ok(())
            }
        });
        let builder = Server::builder().config(config);
        let server = builder.namespace("/", handlers).build().unwrap();
        gate.add_permits(1);
        let ended = match Client::connect(&server).await {
            Ok(mut client) => client.disconnected().await,
            Err(err) => Err(err),
        };
        assert!(
            matches!(
                ended,
                Ok(()) | Err(ClientError::Closed | ClientError::Disconnected)
            ),
            "{ended:?}"
        );
        eventually("the session has gone", || server.n_sessions() == 0).await;
        assert_eq!(counter(&server, "slow_consumer"), 1);
    });
}

#[test]
fn a_header_that_is_too_large_does_not_hide_others() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.headers_bytes = 500;
        let (handlers, mut hearing) = ear();
        let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
        let large = "x".repeat(1000);
        let headers: String = (0..10)
            .map(|n| format!("X-Small-{n}: {n}\r\nX-Large-{n}: {large}\r\n"))
            .collect();
        let request = get("").replace("\r\n\r\n", &format!("\r\n{headers}\r\n"));
        let (status, response) = http(&listening, &request).await;
        assert_eq!(status, 200);
        let sid = response.split(r#""sid":""#).nth(1).unwrap();
        let sid = sid.split('"').next().unwrap();
        assert_eq!(http(&listening, &post(sid, "40")).await.0, 200);
        let socket = hearing.connected().await;
        for n in 0..10 {
            let header = |size: &str| socket.handshake().header(&format!("x-{size}-{n}"));
            assert_eq!(header("small"), Some(&*n.to_string()));
            assert_eq!(header("large"), None);
        }
    });
}

/// Whether the kernel still has an established connection from `port`, seen from the server's side.
fn is_established(server: std::net::SocketAddr, client: std::net::SocketAddr) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let ports = (
        format!(":{:04X}", server.port()),
        format!(":{:04X}", client.port()),
    );
    table.lines().skip(1).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[1].ends_with(&ports.0) && fields[2].ends_with(&ports.1) && fields[3] == "01"
    })
}

#[test]
fn the_connection_of_a_client_that_does_not_read_is_ended() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            config.limits.outbox_bytes = 1_000_000;
            config.engine.ping_interval = Duration::from_secs(2);
            config.engine.ping_timeout = Duration::from_secs(2);
            let (handlers, mut hearing) = ear();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let lazy = Raw::join(&listening).await;
            let client = lazy.stream.local_addr().unwrap();
            let socket = hearing.connected().await;
            assert!(is_established(listening.address, client));
            while counter(&listening.server, "slow_consumer") == 0 {
                socket.emit("flood", "x".repeat(100_000));
                tokio::task::yield_now().await;
            }
            hearing.gone().await;
            // On the direct carrier by us, mounted by the kernel when nothing was taken for a heartbeat.
            eventually("the end of the connection", || {
                !is_established(listening.address, client)
            })
            .await;
        }
    });
}
