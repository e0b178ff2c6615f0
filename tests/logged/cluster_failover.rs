//! Servers whose Redis fails over: sentinels promote a replica, a Redis Cluster loses a master.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use greenroom::Socket;
use greenroom::config::Config;
use greenroom::testing::Client;

use crate::support::cluster::{Node, Told, config};
use crate::support::log::{alone, lines};
use crate::support::servers::{Cluster, Redis, Sentinels};
use crate::support::{DEADLINE, eventually, within};

/// Long before a person notices that something hangs, and enough for a machine that has other work.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What each server emits to all while Redis fails over.
const TICKS: [&str; 2] = ["tick of one", "tick of two"];

/// So many that each master of a Cluster has some of them.
const N_ROOMS: usize = 24;

/// The last tick.
const LAST: usize = 1_000_000;

/// A server and its clients.
struct At {
    node: Node,
    client: Client,
    socket: Socket,
    /// One that has come while Redis was away.
    late: Option<(Client, Socket)>,
}

/// A configuration that notices soon; what waits for Redis does not all fit.
fn alert(redis: &Redis, node: &str, url: String) -> Config {
    let mut config = config(redis, node);
    config.redis.uri = url;
    config.redis.canary_interval = Duration::from_millis(500);
    config.redis.connect_timeout = Duration::from_secs(1);
    config.redis.publish_queue_bytes = 2000;
    config
}

fn rooms(name: &str) -> Vec<String> {
    (0..N_ROOMS).map(|n| format!("{name} {n}")).collect()
}

impl At {
    async fn start(config: Config) -> Self {
        let (node, client, socket) = Node::start(config).await;
        socket.join_confirmed(rooms("before")).await.unwrap();
        Self {
            node,
            client,
            socket,
            late: None,
        }
    }

    /// Sockets join, leave, come and go.
    async fn change(&mut self, goes: Client) {
        self.socket.join(rooms("meanwhile"));
        for n in 0..N_ROOMS / 2 {
            self.socket.leave(format!("before {n}"));
        }
        let (client, socket) = self.node.join().await;
        socket.join(rooms("meanwhile"));
        self.late = Some((client, socket));
        goes.disconnect().await;
    }

    fn sockets(&self) -> impl Iterator<Item = &Socket> {
        let late = self.late.iter().map(|(_, socket)| socket);
        std::iter::once(&self.socket).chain(late)
    }
}

/// What is emitted at each server arrives at the clients of both, once; so does what is for a room.
async fn hear_each_other(pair: &mut [At; 2]) {
    for from in 0..2 {
        pair[from].node.server.emit("all", ());
        let to = pair[from].node.server.root().to("before 23");
        to.emit("room", ());
        pair[from].node.server.emit("end", ());
        for at in &mut *pair {
            let mut heard = Vec::new();
            let listening = async {
                while heard.last().is_none_or(|name| name != "end") {
                    let name = at.client.next_event().await.unwrap().name;
                    // What was emitted while Redis was away may come late.
                    if !TICKS.contains(&&*name) {
                        heard.push(name);
                    }
                }
            };
            within("a broadcast of the other server", listening).await;
            assert_eq!(heard, ["all", "room", "end"]);
        }
    }
}

/// Emits and delivers at both servers until the failover is over: how often.
async fn deliver_until(is_over: impl Fn() -> bool, pair: &mut [At; 2]) -> usize {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let mut n = 0;
    while !is_over() {
        pace.tick().await;
        for (at, name) in pair.iter_mut().zip(TICKS) {
            let begun = Instant::now();
            at.node.server.emit(name, n);
            let event = at.client.event(name).await.unwrap();
            assert_eq!(event.args.first::<usize>().unwrap(), n);
            assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        }
        n += 1;
    }
    n
}

/// The ticks of the first server that a client of the second has heard, up to the last.
async fn heard_ticks(pair: &mut [At; 2]) -> Vec<usize> {
    pair[0].node.server.emit(TICKS[0], LAST);
    let mut heard = Vec::new();
    while heard.last() != Some(&LAST) {
        let event = pair[1].client.event(TICKS[0]).await.unwrap();
        heard.push(event.args.first::<usize>().unwrap());
    }
    assert!(heard.is_sorted_by(|one, next| one < next), "{heard:?}");
    heard.pop();
    heard
}

type Sets = BTreeMap<String, BTreeSet<String>>;

/// The SETs at these masters whose keys match.
fn sets(masters: &[&Redis], auth: &[&str], pattern: &str) -> Sets {
    const SCRIPT: &str = "local sets = {} \
         for _, key in ipairs(redis.call('KEYS', ARGV[1])) do sets[key] = redis.call('SMEMBERS', key) end \
         return cjson.encode(sets)";
    let read = |master: &&Redis| {
        let words = [auth, &["EVAL", SCRIPT, "0", pattern]].concat();
        serde_json::from_str::<Sets>(&master.cli(&words)).unwrap()
    };
    masters.iter().flat_map(read).collect()
}

/// The memberships at these masters become those of the sockets, and both servers have leases.
async fn everything_true_is_stored(pair: &[At; 2], masters: &[&Redis], auth: &[&str]) {
    let mut expected = Sets::new();
    for socket in pair.iter().flat_map(At::sockets) {
        let id = socket.id().as_str();
        for room in socket.rooms() {
            let own = expected.entry(format!("k#{id}")).or_default();
            own.insert(room.to_string());
            let members = expected.entry(format!("k#{room}")).or_default();
            members.insert(id.to_owned());
        }
    }
    assert!(expected.len() > N_ROOMS);
    let deadline = Instant::now() + DEADLINE;
    while sets(masters, auth, "k#*") != expected && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    assert_eq!(sets(masters, auth, "k#*"), expected);
    let nodes = &sets(masters, auth, "k-nodes")["k-nodes"];
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    eventually("their leases", || {
        let keys = |master: &&Redis| master.cli(&[auth, &["KEYS", "k-lease#*"]].concat());
        let leases: Vec<_> = masters.iter().map(keys).collect();
        nodes
            .iter()
            .all(|uid| leases.iter().any(|keys| keys.contains(&**uid)))
    })
    .await;
}

/// Nobody was disconnected, and each server has one line for the beginning and one for the end, which says what was lost.
async fn went_through_it(pair: &mut [At; 2], gone: &[Socket; 2]) {
    eventually("both say that redis is back", || {
        lines("redis is back").len() >= 2
    })
    .await;
    for (at, gone) in pair.iter_mut().zip(gone) {
        assert!(at.sockets().all(Socket::is_connected));
        for told in at.node.now() {
            let Told::Disconnect(socket, reason) = told else {
                continue;
            };
            assert_eq!(socket.id(), gone.id(), "{reason}");
        }
    }
    let (away, back) = (lines("redis is away"), lines("redis is back"));
    assert_eq!((away.len(), back.len()), (2, 2), "{away:#?} {back:#?}");
    assert_eq!(lines("redis refuses"), [""; 0]);
    let told: u64 = back
        .iter()
        .map(|line| line.split_once("lost_messages=").unwrap().1)
        .map(|n| n.parse::<u64>().unwrap())
        .sum();
    let counted: u64 = pair.iter().map(|at| at.node.counter("publish_lost")).sum();
    assert_eq!(told, counted);
}

/// A client at each server that will go while Redis is away.
async fn guests(pair: &mut [At; 2]) -> ([Client; 2], [Socket; 2]) {
    let (client_one, one) = pair[0].node.join().await;
    let (client_two, two) = pair[1].node.join().await;
    for socket in [&one, &two] {
        socket.join_confirmed(rooms("before")).await.unwrap();
    }
    ([client_one, client_two], [one, two])
}

#[test]
fn sentinels_promote_the_replica() {
    alone(async {
        let mut redis = Sentinels::start();
        let config = |name| alert(&redis.master, name, redis.url());
        let (one, two) = (config("one"), config("two"));
        let mut pair = [At::start(one).await, At::start(two).await];
        let (going, gone) = guests(&mut pair).await;
        hear_each_other(&mut pair).await;
        let auth = ["-a", Sentinels::PASSWORD];

        redis.master.kill();
        for (at, goes) in pair.iter_mut().zip(going) {
            at.change(goes).await;
        }
        let promoting = thread::spawn(move || {
            redis.wait_for_promotion();
            redis
        });
        let n = deliver_until(|| promoting.is_finished(), &mut pair).await;
        assert!(n > N_ROOMS, "{n}");
        let redis = promoting.join().unwrap();

        for at in &pair {
            at.node.is_well().await;
            assert!(at.node.counter("publish_lost") > 0, "it did not all fit");
        }
        hear_each_other(&mut pair).await;
        everything_true_is_stored(&pair, &[&redis.replica], &auth).await;
        went_through_it(&mut pair, &gone).await;
    });
}

#[test]
fn a_redis_cluster_loses_the_master_that_publishes() {
    alone(async {
        let mut redis = Cluster::with(&["--cluster-node-timeout", "1000"]);
        let one = At::start(alert(&redis.nodes[0], "one", redis.url())).await;
        let publishes_at = |node: &Redis| {
            let clients = node.cli(&["CLIENT", "LIST"]);
            let is_publisher = |line: &str| {
                line.contains(" name=greenroom-one ") && line.contains(" cmd=publish ")
            };
            clients.lines().any(is_publisher)
        };
        let home = redis.nodes.iter().position(publishes_at).unwrap();
        let replica = redis.add_replica_of(home);
        // The second server goes on hearing, so that every message is either heard or counted as lost.
        let mut two = alert(&redis.nodes[0], "two", redis.url());
        two.redis.subscribe_uri = redis.nodes[(home + 1) % 3].url();
        let mut pair = [one, At::start(two).await];
        let masters: Vec<_> = redis.nodes.iter().collect();
        everything_true_is_stored(&pair, &masters, &[]).await;
        let (going, gone) = guests(&mut pair).await;
        hear_each_other(&mut pair).await;
        let lost = sets(&[masters[home]], &[], "k#before*");
        assert!(!lost.is_empty(), "it has some of the keys");

        redis.nodes[home].kill();
        for (at, goes) in pair.iter_mut().zip(going) {
            at.change(goes).await;
        }
        let promoting = thread::spawn(move || {
            replica.wait_for_log("Cluster state changed: ok");
            replica
        });
        let n = deliver_until(|| promoting.is_finished(), &mut pair).await;
        assert!(n > N_ROOMS, "{n}");
        let replica = promoting.join().unwrap();

        for at in &pair {
            at.node.is_well().await;
        }
        let n_heard = heard_ticks(&mut pair).await.len();
        let n_lost = usize::try_from(pair[0].node.counter("publish_lost")).unwrap();
        assert!(n_heard + n_lost >= n, "{n_heard} + {n_lost} < {n}");
        hear_each_other(&mut pair).await;
        redis.nodes[home] = replica;
        let masters: Vec<_> = redis.nodes.iter().collect();
        everything_true_is_stored(&pair, &masters, &[]).await;
        went_through_it(&mut pair, &gone).await;
    });
}
