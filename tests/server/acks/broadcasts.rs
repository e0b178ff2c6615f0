//! Acks of all who hear a broadcast.

use std::time::Duration;

use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Args, Binary, Server, Socket};

use super::{LONG, answer, msgpack};
use crate::support::{Lobby, Worker, lobby, on_actix, within};

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
