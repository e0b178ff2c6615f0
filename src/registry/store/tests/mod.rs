//! The store against a real `redis-server`, which each test starts for itself.

mod cluster;
mod death;
mod outage;
mod storage;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use parking_lot::Mutex;
use redis::Value;

use super::answers::{ask, command, text, texts};
use super::*;
use crate::cluster::Health;
use crate::redis::servers::{self, Redis};
use crate::redis::{Endpoint, Link, RedisUrl};

const ANN: &str = "951wMmbBjkREmCapAAAD";
const BOB: &str = "566Mm_BjkREmRff45600";
const CAT: &str = "CatCatCatCatCatCatCa";

/// How long a test waits for what should come at once.
const DEADLINE: Duration = Duration::from_secs(20);

/// All keys and what they hold.
type Dump = BTreeMap<String, BTreeSet<String>>;

struct Server(Redis);

impl Server {
    fn start() -> Self {
        Self(Redis::start())
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Url(self.0.url().parse::<RedisUrl>().unwrap())
    }

    async fn link(&self) -> Link {
        self.endpoint().connect(DEADLINE).await.unwrap()
    }

    async fn run(&self, words: &[&str]) -> Value {
        let link = self.link().await;
        ask(&link, vec![command(words)]).await.unwrap().remove(0)
    }

    async fn dump(&self) -> Dump {
        dump(&self.link().await).await
    }

    /// Starts a node with a short lease.
    fn node(&self, uid: &str, lease: Duration) -> Node {
        Node::start(self.endpoint(), uid, lease)
    }
}

async fn dump(link: &Link) -> Dump {
    let keys = ask(link, vec![command(&["KEYS", "*"])]).await.unwrap();
    let mut keys = texts(&keys[0]);
    let kinds = keys.iter().map(|key| command(&["TYPE", key])).collect();
    let kinds = ask(link, kinds).await.unwrap();
    let is_set = |kind: &Value| text(kind).unwrap() == "set";
    // Keys that are gone by now have no kind, and are asked for their text in vain.
    let values = keys.iter().zip(&kinds).map(|(key, kind)| {
        let verb = if is_set(kind) { "SMEMBERS" } else { "GET" };
        command(&[verb, key])
    });
    let values = ask(link, values.collect()).await.unwrap();
    let members = kinds.iter().zip(&values).map(|(kind, value)| {
        let members = if is_set(kind) {
            texts(value)
        } else {
            text(value).into_iter().collect()
        };
        members.iter().map(ToString::to_string).collect()
    });
    let all = keys.drain(..).map(|key| key.to_string()).zip(members);
    all.filter(|(_, members): &(_, BTreeSet<_>)| !members.is_empty())
        .collect()
}

/// Asks until there is an answer.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
    }
}

fn set<const N: usize>(members: [&str; N]) -> BTreeSet<String> {
    members.into_iter().map(str::to_owned).collect()
}

#[derive(Debug)]
struct Fake {
    nsp: String,
    id: String,
    rooms: Mutex<BTreeSet<Room>>,
    is_back: bool,
}

impl Occupant for Fake {
    fn nsp(&self) -> &str {
        &self.nsp
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn rooms(&self) -> Vec<Room> {
        let own = Room::from(self.id.as_str());
        let rooms = self.rooms.lock();
        std::iter::once(own).chain(rooms.iter().cloned()).collect()
    }

    fn is_back(&self) -> bool {
        self.is_back
    }
}

/// A node: its store, and the sockets that are true.
struct Node {
    uid: String,
    store: Store,
    live: BTreeMap<(String, String), Arc<Fake>>,
    /// Sockets that join for the first time have been elsewhere.
    are_back: bool,
}

impl Node {
    fn start(endpoint: Endpoint, uid: &str, lease: Duration) -> Self {
        let settings = StoreSettings {
            health: Arc::new(Health::new(Duration::from_secs(9))),
            endpoint,
            key: "socket.io".to_owned(),
            uid: uid.to_owned(),
            node: format!("name of {uid}"),
            lease,
            timeout: Duration::from_secs(5),
            watcher: None,
        };
        Self {
            uid: uid.to_owned(),
            store: Store::start(settings),
            live: BTreeMap::new(),
            are_back: false,
        }
    }

    fn join_in(&mut self, nsp: &str, id: &str, rooms: &[&str]) {
        let key = (nsp.to_owned(), id.to_owned());
        let is_back = self.are_back;
        let fake = self.live.entry(key).or_insert_with(|| {
            Arc::new(Fake {
                nsp: nsp.to_owned(),
                id: id.to_owned(),
                rooms: Mutex::default(),
                is_back,
            })
        });
        let rooms = rooms.iter().filter(|room| **room != id);
        fake.rooms
            .lock()
            .extend(rooms.map(|room| Room::from(*room)));
        let fake = Arc::clone(fake);
        self.store.tell(Changes::joined, fake as _);
    }

    fn join(&mut self, id: &str, rooms: &[&str]) {
        self.join_in("/", id, rooms);
    }

    fn leave(&mut self, id: &str, room: &str) {
        let fake = Arc::clone(&self.live[&("/".to_owned(), id.to_owned())]);
        fake.rooms.lock().remove(room);
        self.store.tell(Changes::left, fake as _);
    }

    fn gone(&mut self, id: &str) {
        let fake = self.live.remove(&("/".to_owned(), id.to_owned())).unwrap();
        self.store.tell(Changes::gone, fake as _);
    }

    async fn settled(&self) {
        let settled = tokio::time::timeout(DEADLINE, self.store.settled()).await;
        assert_eq!(settled, Ok(true));
    }

    /// What has to be in Redis because of this node.
    fn truth(&self) -> Dump {
        let mut truth = Dump::from([
            ("socket.io-nodes".to_owned(), set([&self.uid])),
            (
                format!("socket.io-lease#{}", self.uid),
                set([&format!("name of {}", self.uid)]),
            ),
        ]);
        for ((nsp, id), fake) in &self.live {
            let nsp = if nsp == "/" { "" } else { nsp };
            let mut add = |key: String, member: &str| {
                truth.entry(key).or_default().insert(member.to_owned());
            };
            add(
                format!("socket.io-node#{}", self.uid),
                &format!("{nsp}#{id}"),
            );
            add(format!("socket.io{nsp}#{id}"), id);
            for room in fake.rooms.lock().iter() {
                add(format!("socket.io{nsp}#{id}"), room);
                add(format!("socket.io{nsp}#{room}"), id);
            }
        }
        truth
    }
}

/// What has to be in Redis because of all these.
fn together<const N: usize>(truths: [Dump; N]) -> Dump {
    let mut all = Dump::new();
    for (key, members) in truths.into_iter().flatten() {
        all.entry(key).or_default().extend(members);
    }
    all
}

/// Waits until Redis has this and nothing else.
async fn until_stored(server: &Server, truth: &Dump) {
    let link = server.link().await;
    let deadline = Instant::now() + DEADLINE;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
        let dump = dump(&link).await;
        if dump == *truth {
            return;
        }
        if Instant::now() > deadline {
            assert_eq!(dump, *truth);
        }
    }
}
