//! Two servers and others at one Redis: what one is told, all do; what one asks, all answer; who does not is named.

mod answers;
mod broadcasts;
mod silent;
mod sockets;

use greenroom::Socket;
use greenroom::config::Config;
use greenroom::testing::Client;

use crate::support::cluster::{Node, Peer, config};
use crate::support::servers::Redis;

/// Two servers with two clients each: `a` and `b` at the first, `c` and `d` at the second. `a` and `c` are in r1, `b`
/// and `c` in r2.
struct Pair {
    one: Node,
    two: Node,
    a: (Client, Socket),
    b: (Client, Socket),
    c: (Client, Socket),
    d: (Client, Socket),
    peer: Peer,
    redis: Redis,
}

impl Pair {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl Fn(&mut Config)) -> Self {
        let redis = Redis::start();
        let peer = Peer::new(&redis, &[]).await;
        let set_up = |name| {
            let mut config = config(&redis, name);
            change(&mut config);
            config
        };
        let (mut one, client, socket) = Node::start(set_up("one")).await;
        let (a, b) = ((client, socket), one.join().await);
        let (mut two, client, socket) = Node::start(set_up("two")).await;
        let (c, d) = ((client, socket), two.join().await);
        a.1.join_confirmed("r1").await.unwrap();
        b.1.join_confirmed("r2").await.unwrap();
        c.1.join_confirmed(["r1", "r2"]).await.unwrap();
        one.now();
        two.now();
        Self {
            one,
            two,
            a,
            b,
            c,
            d,
            peer,
            redis,
        }
    }

    fn guests(&mut self) -> [(&'static str, &mut (Client, Socket)); 4] {
        let Self { a, b, c, d, .. } = self;
        [("a", a), ("b", b), ("c", c), ("d", d)]
    }

    /// Whom the events `e` have reached that either server has emitted before.
    async fn reached(&mut self) -> String {
        // What a server publishes keeps its order.
        self.one.server.emit("end of one", ());
        self.two.server.emit("end of two", ());
        let mut reached = String::new();
        for (name, (client, _)) in self.guests() {
            let mut n_ends = 0;
            while n_ends < 2 {
                let event = client.next_event().await.unwrap();
                match &*event.name {
                    "e" => reached.push_str(name),
                    "end of one" | "end of two" => n_ends += 1,
                    other => panic!("{name} got {other}"),
                }
            }
        }
        reached
    }
}

fn ids(sockets: &[&Socket]) -> Vec<String> {
    let mut ids: Vec<String> = sockets
        .iter()
        .map(|socket| socket.id().to_string())
        .collect();
    ids.sort();
    ids
}
