//! Clients that do nothing, and too many of them.

use std::time::Duration;

use greenroom::config::Config;

use super::{counted, polled_to_the_end};
use crate::support::log::{alone, logged};
use crate::support::tcp::{Raw, Ws, get, http, join_polling, on_both_carriers};
use crate::support::{counter, eventually};

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
