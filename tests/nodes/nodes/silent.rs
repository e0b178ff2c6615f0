//! Servers that do not answer.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use greenroom::Room;

use super::Pair;
use crate::support::cluster::{Node, Peer, config, until};
use crate::support::servers::{Redis, free_port};
use crate::support::{DEADLINE, on_actix, within};

#[test]
fn who_is_silent_is_not_waited_for_beyond_the_deadline() {
    on_actix(async {
        let timeout = Duration::from_millis(300);
        let mut pair = Pair::with(|config| config.redis.requests_timeout = timeout).await;
        let nsp = pair.one.server.root();
        let c = pair.c.1.id().to_string();
        // Answers for the other server.
        let (one, two) = (nsp.clone(), pair.two.server.root());
        assert!(one.fetch_sockets().await.silent.is_nobody());
        // It is counted on and says nothing.
        pair.peer.subscribe("k-request#/#").await;
        let start = Instant::now();
        let sockets = nsp.fetch_sockets().await;
        assert!(start.elapsed() >= timeout);
        assert!(start.elapsed() < DEADLINE);
        assert_eq!(sockets.len(), 4, "what is there");
        assert_eq!((sockets.silent.unnamed, sockets.silent.nodes.len()), (1, 0));
        let rooms = nsp.all_rooms().await;
        assert!(rooms.contains(&Room::from(&*c)));
        assert_eq!((rooms.silent.unnamed, rooms.silent.nodes.len()), (1, 0));
        let size = two.room_size("r1").await;
        assert_eq!((*size, size.silent.unnamed), (2, 1));
        let count = nsp.server_count().await;
        assert_eq!((*count, count.silent.len()), (3, 0));

        let asked = nsp.server_side_emit_with_ack("question", ());
        let answering = async { pair.two.server_event().await.ack.send("here") };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        assert_eq!(answers.silent.to_string(), "1 unnamed");
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].first::<String>().unwrap(), "here");

        let asked = nsp.to(["r1", "r2"]).timeout(timeout).emit_with_ack("q", ());
        let answering = async {
            for (client, _) in [&mut pair.a, &mut pair.b, &mut pair.c] {
                let id = client.event("q").await.unwrap().ack.unwrap();
                client.ack(id, client.id().to_owned()).await.unwrap();
            }
        };
        let (answers, ()) = tokio::join!(asked, answering);
        let answers = answers.unwrap();
        assert_eq!((answers.responses.len(), answers.missing), (3, 0));
        assert_eq!(answers.silent.to_string(), "1 unnamed");
        assert!(!answers.is_complete());
    });
}

/// The program, as a process of its own.
struct Program(Child);

impl Program {
    fn start(redis: &Redis, name: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_greenroom"))
            .env_remove("REDIS_URL")
            .env("GREENROOM_REDIS__URI", redis.url())
            .env("GREENROOM_REDIS__KEY", "k")
            .env("GREENROOM_REDIS__NODE", name)
            // Whoever is frozen for longer is taken for dead, and has no name any more.
            .env("GREENROOM_REDIS__LEASE", "5m")
            .env("GREENROOM_SERVER__HOST", "127.0.0.1")
            .env("GREENROOM_SERVER__PORT", free_port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_frozen_server_is_named() {
    on_actix(async {
        let redis = Redis::start();
        let mut config = config(&redis, "one");
        config.redis.requests_timeout = Duration::from_millis(300);
        // Who else lives is looked up with each renewal, six times in this time.
        config.redis.lease = Duration::from_secs(3);
        let (node, _client, _) = Node::start(config).await;
        let nsp = node.server.root();
        let mut program = Program::start(&redis, "frozen");
        until("two servers", async || *nsp.server_count().await == 2).await;
        until("both answer", async || {
            nsp.fetch_sockets().await.silent.is_nobody()
        })
        .await;
        let mut mute = Peer::new(&redis, &[]).await;
        until("both leases", async || {
            mute.ask::<u8>(&["SCARD", "k-nodes"]).await == 2
        })
        .await;
        mute.subscribe("k-request#/#").await;
        program.signal("-STOP");
        until("its name", async || {
            let silent = nsp.fetch_sockets().await.silent;
            assert_eq!(silent.len(), 2);
            silent.nodes == ["frozen"]
        })
        .await;
        let answers = nsp
            .timeout(Duration::from_millis(300))
            .emit_with_ack("q", ())
            .await
            .unwrap();
        assert_eq!(answers.silent.to_string(), "frozen and 1 unnamed");
        program.signal("-CONT");
        until("it answers again", async || {
            nsp.fetch_sockets().await.silent.to_string() == "1 unnamed"
        })
        .await;
        // A graceful end leaves nothing.
        program.signal("-TERM");
        within("its end", async {
            let mut again = tokio::time::interval(Duration::from_millis(10));
            while program.0.try_wait().unwrap().is_none() {
                again.tick().await;
            }
        })
        .await;
        assert!(program.0.wait().unwrap().success());
        assert_eq!(*nsp.server_count().await, 2, "this one and the mute one");
        assert_eq!(redis.cli(&["SCARD", "k-nodes"]), "1");
        let keys = redis.cli(&["KEYS", "k-*"]);
        assert_eq!(
            keys.lines().filter(|key| key.contains("lease")).count(),
            1,
            "{keys}"
        );
    });
}
