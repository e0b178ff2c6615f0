//! Who is in which room, whom a broadcast reaches, what a server can ask about its sockets, and namespaces on demand.

mod members;
mod on_demand;
mod questions;

use std::collections::BTreeMap;

use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Namespace, Socket};

use crate::support::{Lobby, Worker, lobby};

/// Four clients on two workers: `a` in room r1, `b` in r1 and r2, `c` in r2, `d` in none.
struct Party {
    lobby: Lobby,
    guests: BTreeMap<&'static str, (Client, Socket)>,
    _workers: [Worker; 2],
}

impl Party {
    async fn new() -> Self {
        let workers = [Worker::new(), Worker::new()];
        let mut lobby = lobby(Config::default());
        let mut guests = BTreeMap::new();
        let plan: [(_, &[&str]); 4] = [
            ("a", &["r1"]),
            ("b", &["r1", "r2"]),
            ("c", &["r2"]),
            ("d", &[]),
        ];
        for (n, (name, rooms)) in plan.into_iter().enumerate() {
            let (client, socket) = lobby.join_on(&workers[n % 2]).await;
            socket.join(rooms.to_vec());
            guests.insert(name, (client, socket));
        }
        Self {
            lobby,
            guests,
            _workers: workers,
        }
    }

    fn root(&self) -> Namespace {
        self.lobby.server.root()
    }

    fn socket(&self, name: &str) -> Socket {
        self.guests[name].1.clone()
    }

    fn id(&self, name: &str) -> String {
        self.guests[name].1.id().to_string()
    }

    /// Who has got the event `e` since the last time, with a name for each time.
    async fn reached(&mut self) -> String {
        // What one thread emits arrives in its order, so nothing comes behind the fence.
        self.root().emit("fence", ());
        let mut reached = String::new();
        for (name, (client, _)) in &mut self.guests {
            loop {
                match client.next_event().await.unwrap().name.as_str() {
                    "fence" => break,
                    "e" => reached.push_str(name),
                    other => panic!("{name} got {other}"),
                }
            }
        }
        reached
    }
}
