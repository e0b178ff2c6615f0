//! Answers of clients: to one, to many, in time, too late, never; with binary and in both dialects.

use std::time::Duration;

use greenroom::config::{Config, Parser};
use greenroom::testing::Client;
use greenroom::{AckError, Args, Binary, EmitError, Server, Socket};
use serde_json::{Value, json};

use crate::support::tcp::{Arrived, Ws, listen};
use crate::support::{Lobby, Worker, counter, ear, eventually, lobby, on_actix, within};

fn msgpack() -> Config {
    let mut config = Config::default();
    config.socketio.parser = Parser::Msgpack;
    config
}

/// A timeout that is long over when a test ends, and one that no test reaches.
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

/// Answers the next question of the server with `values`.
async fn answer<T: serde::Serialize>(client: &mut Client, values: T) {
    let asked = client.event("ask").await.unwrap();
    let id = asked.ack.expect("the server asks for an ack");
    client.ack(id, values).await.unwrap();
}

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

// --- broadcasts ----------------------------------------------------------------------------------

/// Three clients, two of them on another worker.
struct Choir {
    lobby: Lobby,
    members: Vec<(Client, Socket)>,
    _workers: [Worker; 2],
}

impl Choir {
    async fn new(config: Config) -> Self {
        let workers = [Worker::new(), Worker::new()];
        let mut lobby = lobby(config);
        let mut members = Vec::new();
        for worker in [0, 1, 1] {
            members.push(lobby.join_on(&workers[worker]).await);
        }
        Self {
            lobby,
            members,
            _workers: workers,
        }
    }
}

fn sorted(responses: &[Args]) -> Vec<String> {
    let mut texts: Vec<_> = responses
        .iter()
        .map(|args| args.raw_json().to_string())
        .collect();
    texts.sort_unstable();
    texts
}

#[test]
fn all_answers_to_a_broadcast_are_collected() {
    for config in [Config::default(), msgpack()] {
        on_actix(async {
            let mut choir = Choir::new(config).await;
            let nsp = choir.lobby.server.root();
            let asking = nsp.timeout(LONG).emit_with_ack("ask", "sing");
            let (answers, ()) = tokio::join!(asking, async {
                for (n, (client, _)) in choir.members.iter_mut().enumerate() {
                    answer(client, (n, "la")).await;
                }
            });
            let answers = answers.unwrap();
            assert!(answers.is_complete());
            assert_eq!(
                sorted(&answers.responses),
                [r#"[0,"la"]"#, r#"[1,"la"]"#, r#"[2,"la"]"#]
            );
            // Only those it addresses are asked.
            let first = choir.members[0].1.clone();
            let asking = first.broadcast().timeout(LONG).emit_with_ack("ask", "sing");
            let (answers, ()) = tokio::join!(asking, async {
                for (client, _) in &mut choir.members[1..] {
                    answer(client, "la").await;
                }
            });
            assert_eq!(
                sorted(&answers.unwrap().responses),
                [r#"["la"]"#, r#"["la"]"#]
            );
            // Nobody is asked: the answer is there at once.
            let asking = nsp.to("nobody").timeout(LONG).emit_with_ack("ask", ());
            let answers = within("no answers", asking).await.unwrap();
            assert!(answers.is_complete() && answers.responses.is_empty());
        });
    }
}

#[test]
fn a_broadcast_ends_at_the_deadline_with_what_is_there() {
    on_actix(async {
        let mut choir = Choir::new(Config::default()).await;
        let nsp = choir.lobby.server.root();
        let asking = actix::spawn(
            nsp.timeout(Duration::from_millis(300))
                .emit_with_ack("ask", ()),
        );
        answer(&mut choir.members[2].0, "la").await;
        let answers = within("the deadline", asking).await.unwrap().unwrap();
        assert_eq!(sorted(&answers.responses), [r#"["la"]"#]);
        assert_eq!(answers.missing, 2);
        assert!(!answers.is_complete());
        // What comes later belongs to nobody, and does not get into the next answers.
        answer(&mut choir.members[0].0, "late").await;
        let asking = actix::spawn(nsp.timeout(LONG).emit_with_ack("ask", ()));
        choir.members[1].0.event("ask").await.unwrap();
        for (client, _) in &mut choir.members {
            answer(client, "next").await;
        }
        let answers = within("all answers", asking).await.unwrap().unwrap();
        assert_eq!(sorted(&answers.responses), [r#"["next"]"#; 3]);
    });
}

#[test]
fn a_broadcast_does_not_wait_for_those_who_leave() {
    on_actix(async {
        let mut choir = Choir::new(Config::default()).await;
        let nsp = choir.lobby.server.root();
        let asking = actix::spawn(nsp.timeout(LONG).emit_with_ack("ask", ()));
        let (mut leaves, _) = choir.members.pop().unwrap();
        leaves.event("ask").await.unwrap();
        drop(leaves);
        for (client, _) in &mut choir.members {
            answer(client, "la").await;
        }
        let answers = within("it ends early", asking).await.unwrap().unwrap();
        assert_eq!(answers.responses.len(), 2);
        assert_eq!(answers.missing, 1);
    });
}

#[test]
fn broadcasts_that_were_never_answered_leave_nothing_behind() {
    on_actix(async {
        let mut config = Config::default();
        config.limits.pending_acks_per_socket = 2;
        let mut choir = Choir::new(config).await;
        let nsp = choir.lobby.server.root();
        for _ in 0..5 {
            let answers = nsp
                .timeout(Duration::from_millis(1))
                .emit_with_ack("ask", ());
            // Those who have been asked by then.
            assert!(within("the deadline", answers).await.unwrap().missing <= 3);
        }
        let (client, socket) = &mut choir.members[0];
        for _ in 0..5 {
            client.event("ask").await.unwrap();
        }
        let asking = socket.clone().timeout(LONG).emit_with_ack("ask", ());
        let (answered, ()) = tokio::join!(asking, answer(client, "la"));
        assert!(answered.is_ok(), "{answered:?}");
    });
}

#[test]
fn broadcasts_with_binary_are_answered_with_binary() {
    on_actix(async {
        let mut choir = Choir::new(Config::default()).await;
        let nsp = choir.lobby.server.root();
        let bytes = Binary::from(vec![7; 3000]);
        let asking = nsp.timeout(LONG).emit_with_ack("ask", (&bytes, 1));
        let (answers, ()) = tokio::join!(asking, async {
            for (client, _) in &mut choir.members {
                let asked = client.event("ask").await.unwrap();
                let (bytes, _): (Binary, u8) = asked.args.parse().unwrap();
                client.ack(asked.ack.unwrap(), (2, bytes)).await.unwrap();
            }
        });
        for response in answers.unwrap().responses {
            assert_eq!(
                response.parse::<(u8, Binary)>().unwrap(),
                (2, bytes.clone())
            );
        }
    });
}

#[test]
fn broadcasts_are_asked_from_plain_threads() {
    on_actix(async {
        let mut choir = Choir::new(Config::default()).await;
        let server: Server = choir.lobby.server.clone();
        // Asked there, awaited here: the timer needs a runtime, the question does not.
        let asking =
            std::thread::spawn(move || server.root().timeout(LONG).emit_with_ack("ask", 1));
        let asking = asking.join().unwrap();
        let (answers, ()) = tokio::join!(asking, async {
            for (client, _) in &mut choir.members {
                answer(client, ()).await;
            }
        });
        assert!(answers.unwrap().is_complete());
    });
}

// --- on the wire ---------------------------------------------------------------------------------

#[test]
fn acks_have_the_form_of_the_protocol() {
    on_actix(async {
        let (handlers, mut hearing) = ear();
        let listening = listen(Config::default(), |builder| {
            builder.namespace("/", handlers)
        })
        .await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        let socket = hearing.connected().await.timeout(LONG);
        // An id is any unsigned number; it comes back as it was.
        for id in ["0", "7", "18446744073709551615"] {
            ws.send(&format!(r#"42{id}["a",1]"#)).await;
            hearing.event().await.ack.send("b");
            assert_eq!(ws.text().await, format!(r#"43{id}["b"]"#));
        }
        ws.send(r#"427["a"]"#).await;
        hearing.event().await.ack.send(Binary::from(vec![1, 2]));
        assert_eq!(ws.text().await, r#"461-7[{"_placeholder":true,"num":0}]"#);
        assert_eq!(ws.next().await, Arrived::Binary(vec![1, 2]));
        let asking = actix::spawn(socket.emit_with_ack("ask", 1));
        let text = ws.text().await;
        let id = text
            .strip_prefix("42")
            .and_then(|text| text.strip_suffix(r#"["ask",1]"#));
        let id = id.unwrap_or_else(|| panic!("{text}"));
        ws.send(&format!(r#"461-{id}[{{"_placeholder":true,"num":0}}]"#))
            .await;
        ws.send_binary(&[9]).await;
        let answered = within("the answer", asking).await.unwrap().unwrap();
        assert_eq!(answered.first::<Binary>().unwrap(), Binary::from(vec![9]));
        // Twice is once too often, and an ack without an id is none.
        ws.send(&format!("43{id}[1]")).await;
        ws.send("43[1]").await;
        let server = &listening.server;
        eventually("both are counted", || counter(server, "unknown_ack") == 2).await;
        ws.send(r#"42["still here"]"#).await;
        assert_eq!(hearing.event().await.name(), "still here");
    });
}

#[test]
fn answers_that_nobody_has_room_for_are_counted() {
    on_actix(async {
        let mut lobby = lobby(Config::default());
        let (mut a, _) = lobby.join().await;
        let (mut b, _) = lobby.join().await;
        // `"12345"` is seven bytes of JSON.
        for (most, most_bytes, kept) in [(2, 14, 2), (1, 14, 1), (2, 13, 1), (2, 6, 0), (0, 14, 0)]
        {
            let asked = lobby
                .server
                .root()
                .timeout(LONG)
                .max_answers(most, most_bytes);
            let (answers, (), ()) = tokio::join!(
                asked.emit_with_ack("ask", ()),
                answer(&mut a, "12345"),
                answer(&mut b, "12345")
            );
            let answers = answers.unwrap();
            let found = (answers.responses.len(), answers.left_out, answers.missing);
            assert_eq!(found, (kept, 2 - kept, 0), "{most} {most_bytes}");
            assert_eq!(answers.is_complete(), kept == 2);
        }
    });
}
