//! The wire of the classic adapter against a real Redis: what other servers and emitters publish is obeyed and answered,
//! what is published is what servers of the reference publish, and junk does no harm.
//!
//! Names such as C1 and E27 are those of captured messages of the reference and its emitters.

mod broadcasts;
mod captured;
mod counted;
mod junk;
mod orders;
mod published;
mod questions;

use std::collections::BTreeMap;

use greenroom::Socket;
use greenroom::config::Config;
use greenroom::testing::Client;
use serde_json::{Value, json};

use crate::support::cluster::{self, Heard, Node, Peer, config, msgpack, value};
use crate::support::servers::Redis;

/// A server with four clients in `/`: `a` in the room r1, `b` in r1 and r2, `c` in r2 and 42, `d` in none; and a peer.
struct Party {
    node: Node,
    guests: BTreeMap<&'static str, (Client, Socket)>,
    peer: Peer,
    redis: Redis,
}

const ROOMS: [(&str, &[&str]); 4] = [
    ("a", &["r1"]),
    ("b", &["r1", "r2"]),
    ("c", &["r2", "42"]),
    ("d", &[]),
];

impl Party {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let redis = Redis::start();
        let mut config = config(&redis, "one");
        change(&mut config);
        let peer = Peer::asking(&redis).await;
        let (node, client, socket) = Node::start(config).await;
        let mut party = Self {
            node,
            guests: BTreeMap::new(),
            peer,
            redis,
        };
        party.enter("a", (client, socket)).await;
        for name in ["b", "c", "d"] {
            let guest = party.node.join().await;
            party.enter(name, guest).await;
        }
        party.node.now();
        party
    }

    async fn enter(&mut self, name: &'static str, (client, socket): (Client, Socket)) {
        let (_, rooms) = ROOMS.iter().find(|(known, _)| *known == name).unwrap();
        socket.set_data(&json!({ "name": name })).unwrap();
        socket.join_confirmed(rooms.to_vec()).await.unwrap();
        self.guests.insert(name, (client, socket));
    }

    fn id(&self, name: &str) -> String {
        self.guests[name].1.id().to_string()
    }

    fn ids(&self, names: &str) -> Vec<String> {
        let ids = names
            .chars()
            .map(|name| self.id(name.encode_utf8(&mut [0; 4])));
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids
    }

    fn rooms(&self, name: &str) -> Vec<String> {
        let rooms = self.guests[name].1.rooms();
        let mut rooms: Vec<String> = rooms.iter().map(ToString::to_string).collect();
        rooms.sort();
        rooms
    }

    /// Whom the events `e` have reached that were published before, a name for each time.
    async fn reached(&mut self) -> String {
        self.received()
            .await
            .into_iter()
            .map(|(name, _)| name)
            .collect()
    }

    /// The events that have reached somebody, as `name` and arguments.
    async fn received(&mut self) -> Vec<(&'static str, Value)> {
        // The hub has got all that was published before.
        let said = self.peer.settled().await;
        assert_eq!(said, [], "a broadcast is not answered");
        let mut received = Vec::new();
        for (name, (client, socket)) in &mut self.guests {
            for (event, args) in cluster::events(client, socket).await {
                let args: Value = serde_json::from_str(&args).unwrap();
                received.push((*name, json!([event, args])));
            }
        }
        received
    }

    /// What the server says to a request, the answers sorted inside.
    async fn ask(&mut self, channel: &str, payload: impl AsRef<[u8]>) -> Vec<(String, Value)> {
        self.peer.say(channel, payload).await;
        let heard = self.peer.settled().await;
        heard.into_iter().map(plain).collect()
    }
}

/// An answer, its lists sorted and without the handshakes of sockets.
fn plain((channel, payload): Heard) -> (String, Value) {
    let mut answer = value(&payload);
    for list in ["clients", "sockets", "rooms"] {
        let Some(items) = answer.get_mut(list).and_then(Value::as_array_mut) else {
            continue;
        };
        for item in items.iter_mut() {
            if let Some(socket) = item.as_object_mut() {
                let handshake = socket.remove("handshake").unwrap();
                assert!(handshake["issued"].is_number(), "{handshake}");
                let rooms = socket["rooms"].as_array_mut().unwrap();
                rooms.sort_by_key(ToString::to_string);
            }
        }
        items.sort_by_key(ToString::to_string);
    }
    (channel, answer)
}

/// Takes the uid of the server out of an answer.
fn without_uid(answer: &mut Value) -> Option<String> {
    let uid = answer.as_object_mut()?.remove("uid")?;
    uid.as_str().map(ToOwned::to_owned)
}

/// A broadcast of `e` from the uid `peer`.
fn broadcast(opts: &Value) -> Value {
    json!(["peer", {"type": 2, "data": ["e", 1], "nsp": "/"}, opts])
}

/// How a request of the numbering from 6 on is put.
#[derive(Clone, Copy, Debug)]
struct Form {
    is_msgpack: bool,
    uid: Option<&'static str>,
}

impl Form {
    const ALL: [Self; 4] = [
        Self {
            is_msgpack: false,
            uid: None,
        },
        Self {
            is_msgpack: false,
            uid: Some("peer"),
        },
        Self {
            is_msgpack: true,
            uid: None,
        },
        Self {
            is_msgpack: true,
            uid: Some("peer"),
        },
    ];

    fn put(self, request: &Value) -> Vec<u8> {
        let mut request = request.clone();
        if let Some(uid) = self.uid {
            request["uid"] = json!(uid);
        }
        match self.is_msgpack {
            true => msgpack(&request),
            false => request.to_string().into_bytes(),
        }
    }

    /// Where the answer comes.
    fn channel(self, prefers_own: bool) -> String {
        match self.uid {
            Some(uid) if prefers_own => format!("k-response#/#{uid}#"),
            _ => "k-response#/#".to_owned(),
        }
    }
}
