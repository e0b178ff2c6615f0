//! Acks between the server and one client.

use greenroom::config::Config;
use greenroom::{AckError, Binary, EmitError};
use serde_json::{Value, json};

use super::{LONG, SHORT, answer, msgpack};
use crate::support::{counter, lobby, on_actix, within};

#[test]
fn a_client_answers() {
    for config in [Config::default(), msgpack()] {
        on_actix(async {
            let mut lobby = lobby(config);
            let (mut client, socket) = lobby.join().await;
            let (answered, ()) = tokio::join!(
                socket.emit_with_ack("ask", (1, "two")),
                answer(&mut client, (json!({ "a": [1] }), "ä"))
            );
            let parsed: (Value, String) = answered.unwrap().parse().unwrap();
            assert_eq!(parsed, (json!({ "a": [1] }), "ä".to_owned()));
            // No values are an answer too.
            let (answered, ()) =
                tokio::join!(socket.emit_with_ack("ask", ()), answer(&mut client, ()));
            assert!(answered.unwrap().is_empty());
            assert_eq!(counter(&lobby.server, "unknown_ack"), 0);
        });
    }
}

#[test]
fn the_server_answers() {
    for config in [Config::default(), msgpack()] {
        on_actix(async {
            let mut lobby = lobby(config);
            let (mut client, _) = lobby.join().await;
            let hearing = &mut lobby.hearing;
            let (answered, ()) = tokio::join!(client.emit_with_ack("a", (1, Some("b"))), async {
                let event = hearing.event().await;
                assert!(event.ack.is_wanted());
                let (_, _, args, ack) = event.into_parts();
                // Passed on without being parsed.
                ack.send_args(&args);
            });
            let parsed: (u8, String) = answered.unwrap().parse().unwrap();
            assert_eq!(parsed, (1, "b".to_owned()));
            let (answered, ()) = tokio::join!(client.emit_with_ack("a", ()), async {
                hearing.event().await.ack.refuse("because");
            });
            assert_eq!(
                answered.unwrap().first::<Value>().unwrap(),
                json!({ "error": "because" })
            );
        });
    }
}

#[test]
fn binary_goes_both_ways_in_both_dialects() {
    for config in [Config::default(), msgpack()] {
        on_actix(async {
            let mut lobby = lobby(config);
            let (mut client, socket) = lobby.join().await;
            let bytes: Vec<u8> = (0..=255).collect();
            let value = (
                1,
                Binary::from(bytes.clone()),
                json!({ "deep": [null] }),
                vec![Binary::from(Vec::new()), Binary::from(vec![1, 2, 3])],
            );
            type Parsed = (u8, Binary, Value, Vec<Binary>);
            let (answered, asked) = tokio::join!(socket.emit_with_ack("ask", &value), async {
                let asked = client.event("ask").await.unwrap();
                let parsed: Parsed = asked.args.parse().unwrap();
                client.ack(asked.ack.unwrap(), &parsed).await.unwrap();
                parsed
            });
            assert_eq!(asked, value);
            assert_eq!(answered.unwrap().parse::<Parsed>().unwrap(), value);
            let hearing = &mut lobby.hearing;
            let (answered, ()) = tokio::join!(client.emit_with_ack("a", &value), async {
                let event = hearing.event().await;
                assert_eq!(event.args().parse::<Parsed>().unwrap(), value);
                let (_, _, args, ack) = event.into_parts();
                ack.send_args(&args);
            });
            assert_eq!(answered.unwrap().parse::<Parsed>().unwrap(), value);
        });
    }
}

#[test]
fn who_does_not_answer_in_time_is_counted() {
    on_actix(async {
        let mut config = Config::default();
        config.socketio.default_ack_timeout = SHORT;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        let asking = [
            socket.emit_with_ack("ask", 1),
            socket.clone().timeout(SHORT).emit_with_ack("ask", 2),
        ];
        for asked in asking {
            let result = within("a timeout", asked).await;
            assert!(matches!(result, Err(AckError::Timeout)), "{result:?}");
        }
        assert_eq!(counter(&lobby.server, "ack_timeout"), 2);
        // Too late is as good as never, and counted; so is an answer that nobody asked for.
        answer(&mut client, "late").await;
        client.ack(4711, ()).await.unwrap();
        client.emit("after", ()).await.unwrap();
        lobby.hearing.event().await;
        assert_eq!(counter(&lobby.server, "unknown_ack"), 2);
        // An answer that comes in time is not disturbed by those before.
        let (answered, ()) = tokio::join!(socket.timeout(LONG).emit_with_ack("ask", 3), async {
            let first = client.event("ask").await.unwrap();
            assert_eq!(first.args.first::<u8>().unwrap(), 2);
            answer(&mut client, "in time").await;
        });
        assert_eq!(answered.unwrap().first::<String>().unwrap(), "in time");
    });
}

#[test]
fn who_leaves_does_not_answer() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        for close in [false, true] {
            let (mut client, socket) = lobby.join().await;
            let asked = socket.clone().timeout(LONG).emit_with_ack("ask", ());
            let waiting = actix::spawn(asked);
            client.event("ask").await.unwrap();
            if close {
                drop(client);
            } else {
                client.disconnect().await;
            }
            let result = within("the end", waiting).await.unwrap();
            assert!(matches!(result, Err(AckError::Disconnected)), "{result:?}");
            lobby.hearing.gone().await;
            let result = within("at once", socket.timeout(LONG).emit_with_ack("ask", ())).await;
            assert!(matches!(result, Err(AckError::Disconnected)), "{result:?}");
        }
        assert_eq!(counter(&lobby.server, "ack_timeout"), 0);
    });
}

#[test]
fn what_cannot_be_sent_is_told_at_once() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (mut client, socket) = lobby.join().await;
        let nsp = lobby.server.root();
        let long = "x".repeat(256);
        let unsendable = std::collections::HashMap::from([((1, 2), 3)]);
        for name in [
            "connect",
            "disconnect",
            "disconnecting",
            "connect_error",
            "newListener",
        ] {
            let err = socket.try_emit(name, ()).unwrap_err();
            assert!(
                matches!(&err, EmitError::Reserved(reserved) if reserved == name),
                "{err:?}"
            );
            let result = socket.emit_with_ack(name, ()).await;
            assert!(
                matches!(result, Err(AckError::Unsent(EmitError::Reserved(_)))),
                "{result:?}"
            );
            assert!(nsp.try_emit(name, ()).is_err());
            assert!(nsp.emit_with_ack(name, ()).await.is_err());
        }
        let err = socket.try_emit(&long, ()).unwrap_err();
        assert!(matches!(err, EmitError::NameTooLong(256)), "{err:?}");
        assert!(matches!(
            socket.emit_with_ack(&long, ()).await,
            Err(AckError::Unsent(EmitError::NameTooLong(256)))
        ));
        let err = nsp.try_emit("a", &unsendable).unwrap_err();
        assert!(matches!(err, EmitError::Encode(_)), "{err:?}");
        let result = socket.emit_with_ack("a", &unsendable).await;
        assert!(
            matches!(result, Err(AckError::Unsent(EmitError::Encode(_)))),
            "{result:?}"
        );
        // The ack of a client is refused if the answer cannot be serialized.
        let hearing = &mut lobby.hearing;
        let (answered, ()) = tokio::join!(client.emit_with_ack("a", ()), async {
            hearing.event().await.ack.send(&unsendable);
        });
        assert_eq!(
            answered.unwrap().first::<Value>().unwrap(),
            json!({ "error": "the answer cannot be serialized" })
        );
        socket.emit("last", ());
        assert_eq!(
            client.next_event().await.unwrap().name,
            "last",
            "nothing else was sent"
        );
    });
}

#[test]
fn an_answer_nobody_waits_for_any_more_makes_room() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.pending_acks_per_socket = 2;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        let socket = socket.timeout(LONG);
        for _ in 0..10 {
            drop(socket.emit_with_ack("ask", ()));
        }
        let kept = [
            socket.emit_with_ack("ask", 1),
            socket.emit_with_ack("ask", 2),
        ];
        let refused = socket.emit_with_ack("ask", 3).await;
        assert!(matches!(refused, Err(AckError::TooMany)), "{refused:?}");
        for _ in 0..10 {
            client.event("ask").await.unwrap();
        }
        for (n, waiting) in kept.into_iter().enumerate() {
            let (answered, ()) = tokio::join!(waiting, answer(&mut client, n));
            assert_eq!(answered.unwrap().first::<usize>().unwrap(), n);
        }
        let (answered, ()) =
            tokio::join!(socket.emit_with_ack("ask", 4), answer(&mut client, "again"));
        assert!(answered.is_ok());
    });
}
