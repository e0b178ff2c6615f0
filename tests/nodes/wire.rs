//! The wire of the classic adapter against a real Redis: what other servers and emitters publish is obeyed and answered,
//! what is published is what servers of the reference publish, and junk does no harm.
//!
//! Names such as C1 and E27 are those of captured messages of the reference and its emitters.

use std::collections::BTreeMap;

use greenroom::config::{Config, Subscription};
use greenroom::testing::Client;
use greenroom::{Binary, Socket};
use serde_json::{Value, json};

use crate::support::cluster::{self, Heard, Node, Peer, Told, config, hex, msgpack, value};
use crate::support::servers::Redis;
use crate::support::{eventually, on_actix, within};

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

#[test]
fn servers_of_1_1_get_the_ids_they_ask_for() {
    on_actix(async {
        let mut party = Party::new().await;
        for (rooms, expected) in [
            (json!(["r1"]), "ab"),
            (json!(["r1", "42"]), "abc"),
            (json!([]), "abcd"),
            (json!(["nobody"]), ""),
        ] {
            let request = json!({"transaction": "T-1", "rooms": rooms});
            let answers = party.ask("k-sync#request#/#", request.to_string()).await;
            let clients = party.ids(expected);
            let answer = (
                "k-sync#response#T-1".to_owned(),
                json!({ "clients": clients }),
            );
            assert_eq!(answers, [answer], "{request}");
        }
    });
}

#[test]
fn the_numbering_of_2_to_5_is_answered_in_kind() {
    on_actix(async {
        let mut party = Party::new().await;
        let (a, b) = (party.id("a"), party.id("b"));
        let mut all_rooms = vec!["42".to_owned(), "r1".to_owned(), "r2".to_owned()];
        all_rooms.extend(party.ids("abcd"));
        all_rooms.sort();
        // Request, the answer if there is one.
        let table = [
            (
                json!({"type": 0, "rooms": ["r1"]}),
                Some(json!({"clients": party.ids("ab")})),
            ),
            (
                json!({"type": 0}),
                Some(json!({"clients": party.ids("abcd")})),
            ),
            (
                json!({"type": 0, "rooms": ["nobody"]}),
                Some(json!({"clients": []})),
            ),
            (
                json!({"type": 1, "sid": b}),
                Some(json!({"rooms": party.rooms("b")})),
            ),
            (json!({"type": 1, "sid": "somebody-else"}), None),
            (json!({"type": 2}), Some(json!({"rooms": all_rooms}))),
            (json!({"type": 3, "sid": a, "room": "r9"}), Some(json!({}))),
            (
                json!({"type": 3, "sid": "somebody-else", "room": "r9"}),
                None,
            ),
            (
                json!({"type": 1, "sid": a}),
                Some(json!({"rooms": [&a, "r1", "r9"]})),
            ),
            (json!({"type": 4, "sid": a, "room": "r9"}), Some(json!({}))),
            (
                json!({"type": 4, "sid": "somebody-else", "room": "r9"}),
                None,
            ),
            (
                json!({"type": 1, "sid": a}),
                Some(json!({"rooms": [&a, "r1"]})),
            ),
            (json!({"type": 5, "data": "ping"}), Some(json!({}))),
            (
                json!({"type": 6, "sid": "somebody-else", "close": true}),
                None,
            ),
        ];
        for (n, (request, expected)) in table.into_iter().enumerate() {
            let id = format!("id-{n}");
            let mut request = request;
            request["requestid"] = json!(id);
            let answers = party.ask("k-request#/#", request.to_string()).await;
            let expected = expected.map(|mut answer| {
                answer["requestid"] = json!(id);
                let rooms = answer.get_mut("rooms").and_then(Value::as_array_mut);
                if let Some(rooms) = rooms {
                    rooms.sort_by_key(ToString::to_string);
                }
                ("k-response#/#".to_owned(), answer)
            });
            assert_eq!(answers, Vec::from_iter(expected), "{request}");
        }
        assert!(!party.guests["a"].1.is_in("r9"));
        // Close, and whether the session goes with the socket.
        for close in [false, true] {
            let (mut client, socket) = party.node.join().await;
            let id = socket.id().to_string();
            let request = json!({"requestid": "bye", "type": 6, "sid": id, "close": close});
            let answers = party.ask("k-request#/#", request.to_string()).await;
            let answer = ("k-response#/#".to_owned(), json!({"requestid": "bye"}));
            assert_eq!(answers, [answer]);
            client.disconnected().await.unwrap();
        }
    });
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

#[test]
fn the_numbering_from_6_on_is_answered_once_in_all_forms() {
    on_actix(async {
        for prefers_own in [false, true] {
            let mut party = Party::with(|config| {
                config.redis.publish_on_specific_response_channel = prefers_own;
            })
            .await;
            for form in Form::ALL {
                questions(&mut party, form, prefers_own).await;
                orders_to_one(&mut party, form, prefers_own).await;
            }
        }
    });
}

async fn questions(party: &mut Party, form: Form, prefers_own: bool) {
    let socket = |party: &Party, name: &str| {
        let rooms = party.rooms(name);
        json!({"id": party.id(name), "rooms": rooms, "data": {"name": name}})
    };
    let sockets = |party: &Party, names: &str| {
        let names = names
            .chars()
            .map(|name| socket(party, name.encode_utf8(&mut [0; 4])));
        let mut sockets: Vec<Value> = names.collect();
        sockets.sort_by_key(ToString::to_string);
        sockets
    };
    let mut all_rooms = vec!["42".to_owned(), "r1".to_owned(), "r2".to_owned()];
    all_rooms.extend(party.ids("abcd"));
    all_rooms.sort();
    let opts = |rooms: Value, except: Value| json!({"rooms": rooms, "except": except});
    let table = [
        (
            json!({"type": 0, "rooms": ["r1"]}),
            json!({"sockets": party.ids("ab")}),
        ),
        (
            json!({"type": 0, "rooms": []}),
            json!({"sockets": party.ids("abcd")}),
        ),
        (json!({"type": 0}), json!({"sockets": party.ids("abcd")})),
        (
            json!({"type": 0, "rooms": ["nobody"]}),
            json!({"sockets": []}),
        ),
        (json!({"type": 1}), json!({"rooms": all_rooms})),
        (
            json!({"type": 5, "opts": opts(json!([]), json!([]))}),
            json!({"sockets": sockets(party, "abcd")}),
        ),
        (
            json!({"type": 5, "opts": opts(json!(["r1", 42]), json!([party.id("a")]))}),
            json!({"sockets": sockets(party, "bc")}),
        ),
        (
            json!({"type": 5, "opts": opts(json!(null), json!("r2"))}),
            json!({"sockets": sockets(party, "ad")}),
        ),
        (
            json!({"type": 5, "opts": opts(json!(["nobody"]), json!([]))}),
            json!({"sockets": []}),
        ),
    ];
    for (request, mut expected) in table {
        let mut request = request;
        request["requestId"] = json!("q");
        expected["requestId"] = json!("q");
        let mut answers = party.ask("k-request#/#", form.put(&request)).await;
        for (_, answer) in &mut answers {
            assert!(without_uid(answer).is_some(), "it says who it is");
        }
        let expected = (form.channel(prefers_own), expected);
        assert_eq!(answers, [expected], "{request} {form:?}");
    }
}

/// Single 2, 3 and 4 of 6.0 to 7.2.
async fn orders_to_one(party: &mut Party, form: Form, prefers_own: bool) {
    let (_client, socket) = party.node.join().await;
    let id = socket.id().to_string();
    for (kind, room) in [(2, "x1"), (3, "x1")] {
        for (sid, is_answered) in [(&*id, true), ("somebody-else", false)] {
            let request = json!({"requestId": "o", "type": kind, "sid": sid, "room": room});
            let mut answers = party.ask("k-request#/#", form.put(&request)).await;
            for (_, answer) in &mut answers {
                without_uid(answer).unwrap();
            }
            let expected = (form.channel(prefers_own), json!({"requestId": "o"}));
            let expected = Vec::from_iter(is_answered.then_some(expected));
            assert_eq!(answers, expected, "{request} {form:?}");
            assert_eq!(socket.is_in("x1"), kind == 2, "{request} {form:?}");
        }
    }
    for close in [false, true] {
        let (mut client, socket) = party.node.join().await;
        let id = socket.id().to_string();
        let request = json!({"requestId": "o", "type": 4, "sid": id, "close": close});
        let mut answers = party.ask("k-request#/#", form.put(&request)).await;
        for (_, answer) in &mut answers {
            without_uid(answer).unwrap();
        }
        let expected = (form.channel(prefers_own), json!({"requestId": "o"}));
        assert_eq!(answers, [expected], "{form:?}");
        client.disconnected().await.unwrap();
    }
}

#[test]
fn orders_to_many_are_obeyed_and_not_answered() {
    on_actix(async {
        let mut party = Party::new().await;
        for form in Form::ALL {
            // Type, opts, rooms, who is in x1 then.
            let table = [
                (
                    2,
                    json!({"rooms": ["r1"], "except": []}),
                    json!(["x1", "x2"]),
                    "ab",
                ),
                (
                    2,
                    json!({"rooms": [], "except": [party.id("d")]}),
                    json!(["x1"]),
                    "abc",
                ),
                (
                    3,
                    json!({"rooms": ["r2"], "except": ["42"]}),
                    json!(["x1"]),
                    "ac",
                ),
                (3, json!({"rooms": ["nobody"]}), json!(["x1"]), "ac"),
                // Ours is told nothing by its own name.
                (3, json!({"rooms": []}), json!("x1"), ""),
                (
                    2,
                    json!({"rooms": null, "except": null}),
                    json!(["x1", 7]),
                    "abcd",
                ),
                (3, json!({}), json!(["x1", "x2", "7"]), ""),
            ];
            for (kind, opts, rooms, expected) in table {
                let request = json!({"type": kind, "opts": opts, "rooms": rooms});
                let answers = party.ask("k-request#/#", form.put(&request)).await;
                assert_eq!(answers, [], "{request} {form:?}");
                let who = party
                    .guests
                    .iter()
                    .filter(|(_, (_, socket))| socket.is_in("x1"));
                let who: String = who.map(|(name, _)| *name).collect();
                assert_eq!(who, expected, "{request} {form:?}");
            }
            for (_, socket) in party.guests.values() {
                assert!(!socket.is_in("7") && !socket.is_in("x2"), "{form:?}");
            }
        }
        // E7, E8, E9 and PY3, as emitters put them.
        let orders = [
            (
                "k-request#/#",
                r#"{"type":2,"opts":{"rooms":["r1"],"except":[]},"rooms":["x1","x2"]}"#,
            ),
            (
                "k-request#/#",
                r#"{"type":3,"opts":{"rooms":["r1"],"except":["r2"]},"rooms":["x1"]}"#,
            ),
            (
                "k-request#/#r1",
                r#"{"type":2,"rooms":["x3"],"opts":{"rooms":["r1"],"except":null}}"#,
            ),
            (
                "k-request#/",
                r#"{"type":2,"rooms":["x4"],"opts":{"rooms":null,"except":null}}"#,
            ),
        ];
        for (channel, order) in orders {
            assert_eq!(party.ask(channel, order).await, []);
        }
        assert_eq!(party.rooms("a").len(), 5, "{:?}", party.rooms("a"));
        for (name, extra) in [
            ("a", "x2 x3 x4"),
            ("b", "x1 x2 x3 x4"),
            ("c", "x4"),
            ("d", "x4"),
        ] {
            let rooms = party.rooms(name);
            let rooms = rooms
                .iter()
                .filter(|room| room.starts_with('x') && room.len() == 2);
            let rooms: Vec<_> = rooms.map(String::as_str).collect();
            assert_eq!(rooms.join(" "), extra, "{name}");
        }
        let order = r#"{"type":4,"opts":{"rooms":["r1"],"except":[]},"close":true}"#;
        assert_eq!(party.ask("k-request#/#", order).await, []);
        for name in ["a", "b"] {
            let (mut client, _) = party.guests.remove(name).unwrap();
            client.disconnected().await.unwrap();
        }
        let order = r#"{"type":4,"opts":{"rooms":["42"]},"close":false}"#;
        assert_eq!(party.ask("k-request#/#", order).await, []);
        let (mut client, socket) = party.guests.remove("c").unwrap();
        client.disconnected().await.unwrap();
        eventually("its end", || !socket.is_connected()).await;
        assert!(party.guests["d"].1.is_connected());
    });
}

#[test]
fn events_between_servers_reach_a_handler_and_are_answered_on_the_shared_channel() {
    on_actix(async {
        for prefers_own in [false, true] {
            let mut party = Party::with(|config| {
                config.redis.publish_on_specific_response_channel = prefers_own;
            })
            .await;
            for form in Form::ALL {
                let request = json!({"type": 6, "data": ["hello", 1, {"a": "b"}]});
                assert_eq!(party.ask("k-request#/#", form.put(&request)).await, []);
                let event = party.node.server_event().await;
                assert!(!event.ack.is_wanted());
                assert_eq!(event.name(), "hello");
                assert_eq!(event.args().raw_json(), r#"[1,{"a":"b"}]"#);
                event.ack.send("nobody hears it");
                assert_eq!(party.peer.settled().await, []);

                // Null is an id too.
                for id in [json!("q1"), json!(null), json!(5)] {
                    let request = json!({"type": 6, "requestId": id, "data": ["ask", "x"]});
                    assert_eq!(party.ask("k-request#/#", form.put(&request)).await, []);
                    let event = party.node.server_event().await;
                    assert!(event.ack.is_wanted());
                    event.ack.send(json!({"pong": 1}));
                    let heard = party.peer.settled().await;
                    let mut answers: Vec<_> = heard.into_iter().map(plain).collect();
                    for (_, answer) in &mut answers {
                        without_uid(answer).unwrap();
                    }
                    let answer = json!({"type": 6, "requestId": id, "data": {"pong": 1}});
                    assert_eq!(answers, [("k-response#/#".to_owned(), answer)], "{form:?}");
                }
            }
            // One that forgets to answer does not let the others wait.
            let request = json!({"type": 6, "requestId": "q2", "data": ["ask"]});
            party.peer.say("k-request#/#", request.to_string()).await;
            drop(party.node.server_event().await);
            let heard = party.peer.settled().await;
            assert_eq!(value(&heard[0].1)["data"], json!({"error": "not answered"}));
            assert_eq!(heard.len(), 1);
        }
    });
}

#[test]
fn broadcasts_with_ack_are_counted_and_their_answers_relayed() {
    on_actix(async {
        for prefers_own in [false, true] {
            let mut party = Party::with(|config| {
                config.redis.publish_on_specific_response_channel = prefers_own;
            })
            .await;
            for form in Form::ALL {
                for (rooms, names) in [
                    (json!(["r1"]), "ab"),
                    (json!([]), "abcd"),
                    (json!(["nobody"]), ""),
                ] {
                    let request = json!({
                        "requestId": "b", "type": 7,
                        "packet": {"type": 2, "data": ["q", "?"], "nsp": "/"},
                        "opts": {"rooms": rooms, "except": [], "flags": {"timeout": 20000}},
                    });
                    let mut answers = party.ask("k-request#/#", form.put(&request)).await;
                    for (_, answer) in &mut answers {
                        without_uid(answer).unwrap();
                    }
                    let count = json!({"type": 8, "requestId": "b", "clientCount": names.len()});
                    let channel = form.channel(prefers_own);
                    assert_eq!(answers, [(channel.clone(), count)], "{form:?}");
                    let mut relayed = Vec::new();
                    for name in names.chars() {
                        let (client, _) = party.guests.get_mut(&*name.to_string()).unwrap();
                        let event = client.event("q").await.unwrap();
                        assert_eq!(event.args.raw_json(), r#"["?"]"#);
                        client
                            .ack(event.ack.unwrap(), (format!("from {name}"), 2))
                            .await
                            .unwrap();
                        // Twice is once.
                        client.ack(event.ack.unwrap(), "again").await.unwrap();
                        let (answered, mut answer) = plain(party.peer.next().await);
                        without_uid(&mut answer).unwrap();
                        assert_eq!(answered, channel);
                        relayed.push(answer);
                    }
                    let expected = names.chars().map(|name| {
                        json!({"type": 9, "requestId": "b", "packet": format!("from {name}")})
                    });
                    assert_eq!(relayed, expected.collect::<Vec<_>>(), "{form:?}");
                    assert_eq!(party.peer.settled().await, []);
                }
            }
            // C11 and C15, with binary there and back.
            for (payload, names) in [
                (
                    "85a3756964a6683471496b56a9726571756573744964a6573343614278a47479706507a67061636b657483a47479706502a46461746192a171a13fa36e7370a12fa46f70747383a5726f6f6d7390a665786365707490a5666c61677381a774696d656f7574cd07d0",
                    "abcd",
                ),
                (
                    "85a3756964a6683471496b56a9726571756573744964a6564c37684775a47479706507a67061636b657483a47479706502a46461746192a27132c40109a36e7370a12fa46f70747383a5726f6f6d7391a27232a665786365707490a5666c61677381a774696d656f7574cd07d0",
                    "bc",
                ),
            ] {
                let answers = party.ask("k-request#/#", hex(payload)).await;
                assert_eq!(answers[0].1["clientCount"], names.len());
            }
            for name in ["b", "c"] {
                let (client, _) = party.guests.get_mut(name).unwrap();
                let event = client.event("q2").await.unwrap();
                assert_eq!(
                    event.args.first::<Binary>().unwrap(),
                    Binary(vec![9].into())
                );
                client
                    .ack(event.ack.unwrap(), Binary(vec![8].into()))
                    .await
                    .unwrap();
                // C36, with another id.
                let (_, answer) = party.peer.next().await;
                let expected =
                    hex("83a47479706509a9726571756573744964a6564c37684775a67061636b6574c40108");
                assert_eq!(answer, expected);
            }
        }
    });
}

/// A broadcast of `e` from the uid `peer`.
fn broadcast(opts: &Value) -> Value {
    json!(["peer", {"type": 2, "data": ["e", 1], "nsp": "/"}, opts])
}

#[test]
fn broadcasts_reach_whom_they_address_in_all_forms() {
    on_actix(async {
        for subscription in [Subscription::Pattern, Subscription::Exact] {
            let mut party = Party::with(|config| config.redis.subscription = subscription).await;
            let sid = party.id("d");
            let to_d = format!("k#/#{sid}#");
            let table = [
                (
                    "k#/#",
                    json!({"rooms": [], "except": [], "flags": {}}),
                    "abcd",
                ),
                ("k#/#", json!({}), "abcd"),
                (
                    "k#/#",
                    json!({"rooms": null, "except": null, "flags": null}),
                    "abcd",
                ),
                (
                    "k#/#",
                    json!({"rooms": "", "except": "", "flags": ""}),
                    "abcd",
                ),
                (
                    "k#/#",
                    json!({"rooms": [], "flags": {"volatile": true, "compress": false, "json": true, "x": {}}}),
                    "abcd",
                ),
                ("k#/#r1#", json!({"rooms": ["r1"]}), "ab"),
                ("k#/#", json!({"rooms": ["r1"]}), "ab"),
                ("k#/#", json!({"rooms": ["r1", "r2"]}), "abc"),
                (
                    "k#/#",
                    json!({"rooms": ["r1", "r2"], "except": ["42"]}),
                    "ab",
                ),
                ("k#/#", json!({"rooms": ["r2"], "except": [42]}), "b"),
                ("k#/#", json!({"except": ["r1", sid]}), "c"),
                ("k#/#r1#", json!({"rooms": ["r1"], "except": ["r2"]}), "a"),
                ("k#/#42#", json!({"rooms": [42]}), "c"),
                ("k#/#42#", json!({"rooms": ["42"]}), "c"),
                (&to_d, json!({"rooms": [sid]}), "d"),
                // Whom the message names, not the channel.
                ("k#/#r1#", json!({"rooms": []}), "abcd"),
                ("k#/#r1#", json!({"rooms": ["r2"]}), "bc"),
                // Nobody here is in the room of the channel.
                ("k#/#nobody#", json!({"rooms": []}), ""),
                ("k#/#nobody#", json!({"rooms": ["nobody"]}), ""),
                // Without the final `#`.
                ("k#/", json!({"rooms": []}), "abcd"),
            ];
            for (channel, opts, expected) in table {
                party.peer.say(channel, msgpack(&broadcast(&opts))).await;
                assert_eq!(
                    party.reached().await,
                    expected,
                    "{channel} {opts} {subscription:?}"
                );
            }
            if subscription == Subscription::Pattern {
                party
                    .peer
                    .say("k#/#r1", msgpack(&broadcast(&json!({"rooms": ["r1"]}))))
                    .await;
                assert_eq!(party.reached().await, "ab");
                party
                    .peer
                    .say("k#/#r", msgpack(&broadcast(&json!({"rooms": []}))))
                    .await;
                assert_eq!(party.reached().await, "");
            }
            // A copy for each room, as up to 1.1: each is told once.
            for (rooms, expected) in [
                (["r1", "r2"], "abc"),
                (["r2", "r1"], "abc"),
                (["nobody", "r2"], "bc"),
                (["r1", "42"], "abc"),
            ] {
                for room in rooms {
                    let copy = broadcast(&json!({"rooms": rooms}));
                    party
                        .peer
                        .say(&format!("k#/#{room}#"), msgpack(&copy))
                        .await;
                }
                assert_eq!(
                    party.reached().await,
                    expected,
                    "{rooms:?} {subscription:?}"
                );
            }
            assert_eq!(party.node.counter("cluster_junk"), 0);
        }
    });
}

#[test]
fn packets_are_for_their_namespace_and_events_alone() {
    on_actix(async {
        let mut party = Party::new().await;
        let (mut chatter, chat_socket) = party.node.join_in("/chat", ()).await;
        let packet = |packet: Value| json!(["peer", packet, {}]);
        let own_event = json!(["e", 1]);
        // Channel, packet, reached in `/`, reached in `/chat`, junk.
        let table = [
            ("k#/#", json!({"type": 2, "data": own_event}), "abcd", 0, 0),
            (
                "k#/#",
                json!({"type": 2, "data": own_event, "nsp": "/chat"}),
                "",
                0,
                0,
            ),
            (
                "k#/#",
                json!({"type": 2, "data": own_event, "nsp": null}),
                "",
                0,
                1,
            ),
            (
                "k#/chat#",
                json!({"type": 2, "data": own_event, "nsp": "/chat"}),
                "",
                1,
                0,
            ),
            (
                "k#/chat#",
                json!({"type": 2, "data": own_event, "nsp": "/"}),
                "",
                0,
                0,
            ),
            ("k#/chat#", json!({"type": 2, "data": own_event}), "", 0, 0),
            (
                "k#/other#",
                json!({"type": 2, "data": own_event, "nsp": "/other"}),
                "",
                0,
                0,
            ),
            (
                "k#/#",
                json!({"type": 5, "data": own_event, "nsp": "/"}),
                "abcd",
                0,
                0,
            ),
            (
                "k#/#",
                json!({"type": 2, "data": ["e"], "nsp": "/", "id": 3, "options": {}}),
                "abcd",
                0,
                0,
            ),
            (
                "k#/#",
                json!({"type": 0, "data": own_event, "nsp": "/"}),
                "",
                0,
                1,
            ),
            ("k#/#", json!({"type": 1, "nsp": "/"}), "", 0, 1),
            (
                "k#/#",
                json!({"type": 3, "data": own_event, "nsp": "/"}),
                "",
                0,
                1,
            ),
            (
                "k#/#",
                json!({"type": 4, "data": own_event, "nsp": "/"}),
                "",
                0,
                1,
            ),
            (
                "k#/#",
                json!({"type": 6, "data": own_event, "nsp": "/"}),
                "",
                0,
                1,
            ),
            ("k#/#", json!({"data": own_event, "nsp": "/"}), "", 0, 1),
            ("k#/#", json!({"type": 2, "nsp": "/"}), "", 0, 1),
            (
                "k#/#",
                json!({"type": 2, "data": "e", "nsp": "/"}),
                "",
                0,
                1,
            ),
            (
                "k#/#",
                json!({"type": 2, "data": {"0": "e"}, "nsp": "/"}),
                "",
                0,
                1,
            ),
            ("k#/#", json!({"type": 2, "data": [], "nsp": "/"}), "", 0, 1),
            (
                "k#/#",
                json!({"type": 2, "data": [{}], "nsp": "/"}),
                "",
                0,
                1,
            ),
            (
                "k#/#",
                json!({"type": 2, "data": ["connect"], "nsp": "/"}),
                "",
                0,
                1,
            ),
            (
                "k#/#",
                json!({"type": 2, "data": ["disconnect"], "nsp": "/"}),
                "",
                0,
                1,
            ),
        ];
        for (channel, body, expected, in_chat, n_junk) in table {
            let before = party.node.counter("cluster_junk");
            party
                .peer
                .say(channel, msgpack(&packet(body.clone())))
                .await;
            assert_eq!(party.reached().await, expected, "{channel} {body}");
            let got = cluster::events(&mut chatter, &chat_socket).await;
            assert_eq!(got.len(), in_chat, "{channel} {body}");
            let junk = party.node.counter("cluster_junk") - before;
            assert_eq!(junk, n_junk, "{channel} {body}");
        }
        for (_, socket) in party.guests.values() {
            assert!(socket.is_connected());
        }
    });
}

#[test]
fn captured_broadcasts_are_understood() {
    on_actix(async {
        let mut party = Party::with(|config| config.redis.key = "k".to_owned()).await;
        let (mut chatter, chat_socket) = party.node.join_in("/chat", ()).await;
        chat_socket.join_confirmed("r1").await.unwrap();
        let x40 = "x".repeat(40);
        let bin = |n| json!({"_placeholder": true, "num": n});
        let date = "2023-11-14T22:13:20.123Z";
        // Channel, bytes, who gets it, what.
        let table = [
            (
                "k#/#",
                "93a650346650546283a47479706502a46461746193a568656c6c6f0181a161a162a36e7370a12f80",
                "abcd",
                json!(["hello", [1, {"a": "b"}]]),
            ),
            (
                "k#/#",
                "93a648624b634a7983a47479706505a46461746193a162d80003010203da002878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f83a5726f6f6d73c4a6657863657074c4a5666c616773c4",
                "abcd",
                json!(["b", [bin(0), x40]]),
            ),
            (
                "k#/#r1#",
                "93a6553557754c6183a47479706502a46461746194a26869d40000d7000000018bcfe5687bc403010203a36e7370a12f83a5726f6f6d7391a27231a665786365707491a473696458a5666c61677381a8766f6c6174696c65c3",
                "ab",
                json!(["hi", [null, date, bin(0)]]),
            ),
            (
                "k#/#",
                "93a6683471496b5683a47479706502a46461746194a568656c6c6f01a374776f81a57468726565a133a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380",
                "abcd",
                json!(["hello", [1, "two", {"three": "3"}]]),
            ),
            (
                "k#/#r1#",
                "93a6683471496b5683a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7391a27231a665786365707490a5666c61677380",
                "ab",
                json!(["hi", []]),
            ),
            (
                "k#/#",
                "93a6683471496b5683a47479706502a46461746195a26869c0c3fbcb3ff8000000000000a36e7370a12f83a5726f6f6d7392a27231a27232a665786365707492a27233b472364474565445395233422d74324e5341414143a5666c61677380",
                "abc",
                json!(["hi", [null, true, -5, 1.5]]),
            ),
            (
                "k#/#",
                "93a6683471496b5683a47479706502a46461746191a176a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2",
                "abcd",
                json!(["v", []]),
            ),
            (
                "k#/#",
                "93a6683471496b5683a47479706502a46461746193a362696ec40301020381a162c401ffa36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380",
                "abcd",
                json!(["bin", [bin(0), {"b": bin(1)}]]),
            ),
            (
                "k#/#",
                "93a6683471496b5683a47479706502a46461746198a57479706573d6ff00000000d7ff1d5353006553f100c091c0cf0000010000000000a2c3a980a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380",
                "abcd",
                json!([
                    "types",
                    [
                        "1970-01-01T00:00:00.000Z",
                        date,
                        null,
                        [null],
                        1_099_511_627_776_u64,
                        "é",
                        {}
                    ]
                ]),
            ),
            (
                "k#/#42#",
                "93a673643637597583a47479706502a46461746191a36e756da36e7370a12f83a5726f6f6d73912aa665786365707490a5666c61677380",
                "c",
                json!(["num", []]),
            ),
            (
                "k#/#",
                "93a7656d697474657283a47479706502a46461746193a568656c6c6f0181a161a162a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490",
                "abcd",
                json!(["hello", [1, {"a": "b"}]]),
            ),
            (
                "k#/#",
                "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7392a27231a27232a5666c61677380a665786365707491a27233",
                "abc",
                json!(["hi", []]),
            ),
            (
                "k#/#",
                "93a7656d697474657283a47479706502a46461746194a174d7ff1d5353006553f100c0c40105a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490",
                "abcd",
                json!(["t", [date, null, bin(0)]]),
            ),
            (
                "k#/#r1#",
                "93a7656d697474657283a47479706502a46461746194a174d7000000018bcfe5687bd40000c7010005a36e7370a12f83a5726f6f6d7391a27231a5666c61677380a665786365707490",
                "ab",
                json!(["t", [date, null, bin(0)]]),
            ),
            (
                "k#/#",
                "93a7656d697474657283a47479706502a46461746191a176a36e7370a12f82a5726f6f6d7390a5666c61677383a8766f6c6174696c65c3a962726f616463617374c3a46a736f6ec3",
                "abcd",
                json!(["v", []]),
            ),
            (
                "k#/#",
                "93a7656d697474657283a47479706505a46461746195a362696ed80003010203b8323032332d31312d31345432323a31333a32302e3132335ac4da002878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f82a5726f6f6d7390a5666c61677380",
                "abcd",
                json!(["bin", [bin(0), date, null, x40]]),
            ),
            (
                "k#/#",
                "93a7656d697474657283a46461746193a568656c6c6f0181a161a162a47479706502a36e7370a12f82a5666c616773a0a5726f6f6d73a0",
                "abcd",
                json!(["hello", [1, {"a": "b"}]]),
            ),
            (
                "k#/",
                "93a7656d697474657283a46461746192a568656c6c6f81a16101a47479706502a36e7370a12f83a5726f6f6d73c0a5666c61677382a8766f6c6174696c65c2a8636f6d7072657373c2a6657863657074c0",
                "abcd",
                json!(["hello", [{"a": 1}]]),
            ),
        ];
        for (channel, bytes, names, what) in table {
            party.peer.say(channel, hex(bytes)).await;
            let received = party.received().await;
            let who: String = received.iter().map(|(name, _)| *name).collect();
            assert_eq!(who, names, "{what}");
            for (_, got) in received {
                assert_eq!(got, what);
            }
        }
        // L2, E25 with E26: a copy for each room.
        for bytes in [
            "93a650346650546283a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7392a27231a27232a665786365707491a178a5666c61677380",
            "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f82a5726f6f6d7392a27231a27232a5666c61677380",
        ] {
            for channel in ["k#/#r1#", "k#/#r2#"] {
                party.peer.say(channel, hex(bytes)).await;
            }
            assert_eq!(party.reached().await, "abc");
        }
        // C8, E5, E28: of another namespace.
        for (channel, bytes, what) in [
            (
                "k#/chat#r1#",
                "93a6654d596e683483a47479706502a46461746192a36e7370a171a36e7370a52f6368617483a5726f6f6d7391a27231a665786365707490a5666c61677380",
                ("nsp", r#"["q"]"#),
            ),
            (
                "k#/chat#",
                "93a7656d697474657283a47479706502a46461746192a362696ec403010203a36e7370a52f6368617483a5726f6f6d7390a5666c61677380a665786365707490",
                ("bin", r#"[{"_placeholder":true,"num":0}]"#),
            ),
            (
                "k#/chat#",
                "93a7656d697474657283a47479706502a46461746191a16ea36e7370a52f6368617482a5726f6f6d7390a5666c61677381a8766f6c6174696c65c3",
                ("n", "[]"),
            ),
        ] {
            party.peer.say(channel, hex(bytes)).await;
            assert_eq!(party.reached().await, "");
            let got = cluster::events(&mut chatter, &chat_socket).await;
            assert_eq!(got, [(what.0.to_owned(), what.1.to_owned())]);
        }
        assert_eq!(party.node.counter("cluster_junk"), 0);
        assert_eq!(party.node.counter("cluster_foreign"), 0);
    });
}

#[test]
fn what_comes_back_of_our_own_is_not_heard_again() {
    on_actix(async {
        let mut party = Party::new().await;
        let mut ear = Peer::new(&party.redis, &["k#/*", "k-request#*"]).await;
        let nsp = party.node.server.root();
        nsp.emit("e", 1);
        let (channel, payload) = ear.next().await;
        assert_eq!(party.reached().await, "abcd", "once each");
        party.peer.say(&channel, &payload).await;
        assert_eq!(party.reached().await, "");
        // The same in a longer form, which is ours by what it says.
        let mut longer = vec![0xdc, 0, 3];
        longer.extend_from_slice(&payload[1..]);
        party.peer.say(&channel, &longer).await;
        assert_eq!(party.reached().await, "");
        // Of anybody else it is heard.
        let mut other = payload.clone();
        let first = other.get_mut(2).unwrap();
        *first = if *first == b'x' { b'y' } else { b'x' };
        party.peer.say(&channel, &other).await;
        assert_eq!(party.reached().await, "abcd");
        // An order: the room is joined, left here, and not joined again by the copy.
        nsp.to("r1").sockets_join("x1");
        let order = loop {
            let (channel, payload) = ear.next().await;
            if channel == "k-request#/#" && value(&payload)["type"] == 2 {
                break payload;
            }
        };
        let a = party.guests["a"].1.clone();
        eventually("the room is joined", || a.is_in("x1")).await;
        a.leave("x1");
        assert_eq!(party.ask("k-request#/#", &order).await, []);
        assert!(!a.is_in("x1"));
        let text = String::from_utf8(order).unwrap();
        let uid = value(text.as_bytes())["uid"].as_str().unwrap().to_owned();
        assert_eq!(
            party.ask("k-request#/#", text.replace(&uid, "other")).await,
            []
        );
        assert!(a.is_in("x1"));
        // Questions of our own are not answered.
        let question = json!({"uid": uid, "requestId": "own", "type": 1});
        assert_eq!(party.ask("k-request#/#", question.to_string()).await, []);
    });
}

/// A message as the server with the uid `name` of six letters would have published it.
fn of(name: &str, uid: &str, payload: &[u8]) -> Vec<u8> {
    assert_eq!((name.len(), uid.len()), (6, 20));
    let own = [&[0xb4], uid.as_bytes()].concat();
    let other = [&[0xa6], name.as_bytes()].concat();
    match payload.windows(own.len()).position(|part| part == own) {
        Some(at) => [&payload[..at], &other, &payload[at + own.len()..]].concat(),
        None => payload.to_vec(),
    }
}

#[test]
fn broadcasts_are_published_as_the_reference_does() {
    on_actix(async {
        let party = Party::new().await;
        let mut ear = Peer::new(&party.redis, &["k#/*"]).await;
        let server = party.node.server.clone();
        let nsp = server.root();
        let a = party.guests["a"].1.clone();
        let hex_id: String = a
            .id()
            .as_str()
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        nsp.emit("hello", (1, "two", json!({"three": "3"})));
        nsp.to("r1").emit("hi", ());
        nsp.to(["r1", "r2"])
            .except(["r3", "r6DtVTE9R3B-t2NSAAAC"])
            .emit("hi", (None::<u8>, true, -5, 1.5));
        nsp.volatile().compress(false).emit("v", ());
        nsp.to("KaAmEn6dMphxBJF0AAAB").emit("dm", "x");
        a.broadcast().emit("bc", "y");
        a.to("r1").emit("sr", "z");
        server.of("/chat").unwrap().to("r1").emit("nsp", "q");
        let with_binary = (
            Binary(vec![1, 2, 3].into()),
            BTreeMap::from([("b", Binary(vec![0xff].into()))]),
        );
        nsp.emit("bin", with_binary);
        // Local ones are nobody else's business.
        nsp.local().emit("local", ());
        a.emit("own", ());
        nsp.emit("end", ());
        // C1 to C9.
        let expected = [
            ("k#/#", "h4qIkV", "93a6683471496b5683a47479706502a46461746194a568656c6c6f01a374776f81a57468726565a133a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380".to_owned()),
            ("k#/#r1#", "h4qIkV", "93a6683471496b5683a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7391a27231a665786365707490a5666c61677380".to_owned()),
            ("k#/#", "h4qIkV", "93a6683471496b5683a47479706502a46461746195a26869c0c3fbcb3ff8000000000000a36e7370a12f83a5726f6f6d7392a27231a27232a665786365707492a27233b472364474565445395233422d74324e5341414143a5666c61677380".to_owned()),
            ("k#/#", "h4qIkV", "93a6683471496b5683a47479706502a46461746191a176a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2".to_owned()),
            ("k#/#KaAmEn6dMphxBJF0AAAB#", "h4qIkV", "93a6683471496b5683a47479706502a46461746192a2646da178a36e7370a12f83a5726f6f6d7391b44b61416d456e36644d706878424a463041414142a665786365707490a5666c61677380".to_owned()),
            ("k#/#", "h4qIkV", format!("93a6683471496b5683a47479706502a46461746192a26263a179a36e7370a12f83a5726f6f6d7390a665786365707491b4{hex_id}a5666c61677380")),
            ("k#/#r1#", "h4qIkV", format!("93a6683471496b5683a47479706502a46461746192a27372a17aa36e7370a12f83a5726f6f6d7391a27231a665786365707491b4{hex_id}a5666c61677380")),
            ("k#/chat#r1#", "eMYnh4", "93a6654d596e683483a47479706502a46461746192a36e7370a171a36e7370a52f6368617483a5726f6f6d7391a27231a665786365707490a5666c61677380".to_owned()),
            ("k#/#", "h4qIkV", "93a6683471496b5683a47479706502a46461746193a362696ec40301020381a162c401ffa36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380".to_owned()),
        ];
        for (channel, name, bytes) in expected {
            let (heard, payload) = ear.next().await;
            let uid = String::from_utf8(payload[2..22].to_vec()).unwrap();
            assert_eq!(heard, channel);
            assert_eq!(of(name, &uid, &payload), hex(&bytes), "{channel} {bytes}");
        }
        let (_, end) = ear.next().await;
        assert_eq!(value(&end)[1]["data"], json!(["end"]));
    });
}

#[test]
fn requests_are_published_as_the_reference_does() {
    on_actix(async {
        let party = Party::with(|config| {
            config.redis.requests_timeout = std::time::Duration::from_millis(50);
        })
        .await;
        // It is counted on and says nothing.
        let mut ear = Peer::new(&party.redis, &[]).await;
        ear.subscribe("k-request#/#").await;
        let nsp = party.node.server.root();
        nsp.to("r2").sockets_join(["x1", "x2"]);
        nsp.to("r2").except("42").sockets_leave("x1");
        nsp.server_side_emit("sse", ("a", 1)).unwrap();
        nsp.server_side_emit("sse", Binary(vec![1].into())).unwrap();
        nsp.to("42").disconnect_sockets(false);
        nsp.to("r3").disconnect_sockets(true);
        drop(nsp.fetch_sockets().await);
        drop(nsp.server_side_emit_with_ack("sse", "b").await.unwrap());
        drop(nsp.all_rooms().await);
        drop(nsp.room_size("r1").await);
        let timeout = std::time::Duration::from_millis(50);
        drop(nsp.timeout(timeout).emit_with_ack("q", "?").await.unwrap());
        let bytes = Binary(vec![9].into());
        drop(
            nsp.to("r2")
                .timeout(timeout)
                .emit_with_ack("q2", bytes)
                .await
                .unwrap(),
        );
        // C19, C20, C23, C38, C28, C29, C21, C24, C26, type 0 of 7.2, and C11 as JSON.
        let expected = [
            r#"{"uid":"U","type":2,"opts":{"rooms":["r2"],"except":[]},"rooms":["x1","x2"]}"#,
            r#"{"uid":"U","type":3,"opts":{"rooms":["r2"],"except":["42"]},"rooms":["x1"]}"#,
            r#"{"uid":"U","type":6,"data":["sse","a",1]}"#,
            r#"{"uid":"U","type":6,"data":["sse",{"type":"Buffer","data":[1]}]}"#,
            r#"{"uid":"U","type":4,"opts":{"rooms":["42"],"except":[]},"close":false}"#,
            r#"{"uid":"U","type":4,"opts":{"rooms":["r3"],"except":[]},"close":true}"#,
            r#"{"uid":"U","requestId":"I","type":5,"opts":{"rooms":[],"except":[]}}"#,
            r#"{"uid":"U","requestId":"I","type":6,"data":["sse","b"]}"#,
            r#"{"uid":"U","requestId":"I","type":1}"#,
            r#"{"uid":"U","requestId":"I","type":0,"rooms":["r1"]}"#,
            r#"{"uid":"U","requestId":"I","type":7,"packet":{"type":2,"data":["q","?"],"nsp":"/"},"opts":{"rooms":[],"except":[],"flags":{"timeout":50}}}"#,
        ];
        for expected in expected {
            let (channel, payload) = ear.next().await;
            assert_eq!(channel, "k-request#/#");
            let mut text = String::from_utf8(payload).unwrap();
            let request: Value = serde_json::from_str(&text).unwrap();
            for (name, short) in [("uid", "U"), ("requestId", "I")] {
                if let Some(long) = request[name].as_str() {
                    assert!(!long.contains('#') && long != "emitter", "{text}");
                    text = text.replacen(long, short, 1);
                }
            }
            assert_eq!(text, expected);
        }
        // C15 with another timeout: msgpack, since it has binary.
        let (_, payload) = ear.next().await;
        let uid = String::from_utf8(payload[6..26].to_vec()).unwrap();
        let id = String::from_utf8(payload[37..57].to_vec()).unwrap();
        let payload = of("VL7hGu", &id, &of("h4qIkV", &uid, &payload));
        let expected = hex(
            "85a3756964a6683471496b56a9726571756573744964a6564c37684775a47479706507a67061636b657483a47479706502a46461746192a27132c40109a36e7370a12fa46f70747383a5726f6f6d7391a27232a665786365707490a5666c61677381a774696d656f757432",
        );
        assert_eq!(payload, expected);
    });
}

#[test]
fn an_answer_describes_a_socket_as_the_reference_does() {
    on_actix(async {
        let mut party = Party::new().await;
        let request = json!({"requestId": "fTjrGI", "type": 5, "opts": {"rooms": ["42"]}});
        party.peer.say("k-request#/#", request.to_string()).await;
        let heard = party.peer.settled().await;
        assert_eq!(heard.len(), 1);
        let answer = value(&heard[0].1);
        // C22.
        let keys = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&answer), ["requestId", "sockets", "uid"]);
        let socket = &answer["sockets"][0];
        assert_eq!(keys(socket), ["id", "handshake", "rooms", "data"]);
        assert_eq!(socket["data"], json!({"name": "c"}));
        let handshake = &socket["handshake"];
        for (name, is_right) in [
            ("headers", handshake["headers"].is_object()),
            ("time", handshake["time"].is_string()),
            // The clients of the tests come from nowhere.
            ("address", handshake["address"].is_null()),
            ("xdomain", handshake["xdomain"].is_boolean()),
            ("secure", handshake["secure"].is_boolean()),
            ("issued", handshake["issued"].is_number()),
            ("url", handshake["url"].is_string()),
            ("query", handshake["query"].is_object()),
            ("auth", handshake["auth"].is_object()),
        ] {
            assert!(is_right, "{name} in {handshake}");
        }
        assert_eq!(keys(handshake).len(), 9, "{handshake}");
    });
}

#[test]
fn junk_is_counted_and_does_no_harm() {
    on_actix(async {
        let mut party = Party::new().await;
        let good = msgpack(&broadcast(&json!({})));
        let map = msgpack(
            &json!({"type": 3, "data": {"packet": {"type": 2, "data": ["e"]}, "opts": {}}}),
        );
        let own_id = party.id("a");
        let deep = |n: usize| {
            format!(
                "{{\"requestId\":\"x\",\"type\":6,\"data\":[\"e\",{}{}]}}",
                "[".repeat(n),
                "]".repeat(n)
            )
        };
        let long_array = [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], b"x"].concat();
        let text = |text: &str| text.as_bytes().to_vec();
        // Channel, payload, how much is counted as junk, as foreign, as answers to nothing.
        let table: Vec<(&str, Vec<u8>, [u64; 3])> = vec![
            ("k#/#", text("hello"), [1, 0, 0]),
            ("k#/#", vec![], [1, 0, 0]),
            ("k#/#", vec![0xc1], [1, 0, 0]),
            ("k#/#", good[..good.len() - 1].to_vec(), [1, 0, 0]),
            ("k#/#", [&good[..], &[0xc0]].concat(), [1, 0, 0]),
            ("k#/#", vec![0x07], [1, 0, 0]),
            ("k#/#", vec![0xc0], [1, 0, 0]),
            ("k#/#", long_array.clone(), [1, 0, 0]),
            ("k#/#", map.clone(), [0, 1, 0]),
            ("k#/#r1#", map.clone(), [0, 1, 0]),
            ("k#/chat#", map, [0, 1, 0]),
            (
                "k#/#",
                msgpack(&json!(["peer", {"type": 2, "data": ["e"]}])),
                [1, 0, 0],
            ),
            (
                "k#/#",
                msgpack(&json!(["peer", {"type": 2, "data": ["e"]}, null])),
                [1, 0, 0],
            ),
            ("k#/#", msgpack(&json!(["peer", null, {}])), [1, 0, 0]),
            ("k#/#", msgpack(&json!([])), [1, 0, 0]),
            (
                "k#/#",
                msgpack(&json!([7, {"type": 2, "data": ["e"]}, {}])),
                [1, 0, 0],
            ),
            (
                "k#/#",
                msgpack(&json!(["peer", {"type": 2, "data": ["e"]}, {"rooms": {}}])),
                [1, 0, 0],
            ),
            (
                "k#/#",
                msgpack(&json!(["peer", {"type": 2, "data": ["e"]}, {"rooms": [[1]]}])),
                [1, 0, 0],
            ),
            // Not even looked at: nobody is in that room.
            ("k#/#nobody#", text("hello"), [0, 0, 0]),
            ("k-request#/#", text("{"), [1, 0, 0]),
            ("k-request#/#", vec![], [1, 0, 0]),
            ("k-request#/#", text("hello"), [1, 0, 0]),
            ("k-request#/#", text("{}"), [1, 0, 0]),
            (
                "k-request#/#",
                text("{\"type\":99,\"requestId\":\"x\"}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":\"1\",\"requestId\":\"x\"}"),
                [1, 0, 0],
            ),
            ("k-request#/#", text("{\"type\":1}"), [1, 0, 0]),
            (
                "k-request#/#",
                text("{\"type\":1,\"requestId\":{}}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":1,\"requestId\":\"x\"} "),
                [0, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":1,\"requestId\":\"x\"}}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":5,\"requestId\":\"x\"}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":7,\"requestId\":\"x\"}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":7,\"requestId\":\"x\",\"packet\":{\"type\":2,\"data\":[\"e\"]}}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":7,\"requestId\":\"x\",\"packet\":{\"type\":1},\"opts\":{}}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":7,\"packet\":{\"type\":2,\"data\":[\"e\"]},\"opts\":{}}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":6,\"data\":\"e\"}"),
                [1, 0, 0],
            ),
            ("k-request#/#", text("{\"type\":6,\"data\":[]}"), [1, 0, 0]),
            ("k-request#/#", text("{\"type\":6}"), [1, 0, 0]),
            (
                "k-request#/#",
                text("{\"type\":6,\"data\":[\"connection\",{}]}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":6,\"data\":[\"disconnect\"]}"),
                [1, 0, 0],
            ),
            ("k-request#/#", text("{\"type\":2,\"opts\":{}}"), [1, 0, 0]),
            (
                "k-request#/#",
                text("{\"type\":2,\"opts\":[],\"rooms\":[\"x\"]}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":2,\"sid\":\"a\",\"requestId\":\"x\"}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":9,\"requestid\":\"x\"}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text("{\"type\":1,\"requestid\":\"x\"}"),
                [1, 0, 0],
            ),
            (
                "k-request#/#",
                text(&format!(
                    "{{\"type\":4,\"sid\":\"{own_id}\",\"close\":true}}"
                )),
                [1, 0, 0],
            ),
            ("k-request#/#", text(&deep(2000)), [1, 0, 0]),
            ("k-request#/#", text(&deep(100_000)), [1, 0, 0]),
            ("k-request#/#", vec![0xc0], [1, 0, 0]),
            ("k-request#/#", vec![0x91, 0x01], [1, 0, 0]),
            ("k-request#/#", long_array, [1, 0, 0]),
            ("k-request#/#", vec![0xff, 0xfe, 0x7b], [1, 0, 0]),
            ("k-sync#request#/#", text("{"), [1, 0, 0]),
            ("k-sync#request#/#", text("{}"), [1, 0, 0]),
            ("k-request#/", text("{"), [1, 0, 0]),
            ("k-request#/#r1", text("{"), [1, 0, 0]),
            ("k-response#/#", text("{"), [1, 0, 0]),
            ("k-response#/#", text("hello"), [1, 0, 0]),
            ("k-response#/#", vec![], [1, 0, 0]),
            ("k-response#/#", vec![0xc0], [1, 0, 0]),
            ("k-response#/#", text("{}"), [1, 0, 0]),
            (
                "k-response#/#",
                text("{\"requestId\":5,\"rooms\":[]}"),
                [1, 0, 0],
            ),
            (
                "k-response#/#",
                text("{\"requestId\":\"nobody's\",\"rooms\":{}}"),
                [1, 0, 0],
            ),
            (
                "k-response#/#",
                text("{\"requestId\":\"nobody's\",\"rooms\":[]}"),
                [0, 0, 1],
            ),
            (
                "k-response#/#",
                text("{\"type\":8,\"requestId\":\"nobody's\"}"),
                [1, 0, 0],
            ),
            (
                "k-response#/#",
                text("{\"type\":8,\"requestId\":\"nobody's\",\"clientCount\":1e300}"),
                [0, 0, 1],
            ),
            (
                "k-response#/#",
                msgpack(&json!({"type": 9, "requestId": "nobody's", "packet": 1})),
                [0, 0, 1],
            ),
        ];
        for (channel, payload, [n_junk, n_foreign, n_unknown]) in table {
            let what = format!(
                "{channel} {:?}",
                String::from_utf8_lossy(&payload[..payload.len().min(80)])
            );
            let counts = |party: &Party| {
                ["cluster_junk", "cluster_foreign", "unknown_answer"]
                    .map(|name| party.node.counter(name))
            };
            let before = counts(&party);
            assert!(
                party.peer.say(channel, &payload).await >= 1,
                "somebody hears {channel}"
            );
            let said = party.peer.settled().await;
            let said_by_us = said.iter().filter(|(_, said)| *said != payload).count() as u64;
            let is_question = n_junk + n_foreign + n_unknown == 0 && channel == "k-request#/#";
            assert_eq!(said_by_us, u64::from(is_question), "{what}: {said:?}");
            // What the peer and the three fences are answered comes back on the channels of answers.
            let n_unknown = n_unknown + said_by_us + 3;
            let expected = [
                before[0] + n_junk,
                before[1] + n_foreign,
                before[2] + n_unknown,
            ];
            eventually(&format!("{expected:?} for {what}"), || {
                counts(&party) == expected
            })
            .await;
        }
        assert_eq!(party.reached().await, "", "no client has noticed anything");
        assert!(party.node.now().is_empty(), "nor has a handler");
        for (_, socket) in party.guests.values() {
            assert!(socket.is_connected());
        }
        party.peer.say("k#/#", good).await;
        assert_eq!(party.reached().await, "abcd");
        assert_eq!(party.node.server.trouble(), None);
    });
}

#[test]
fn who_comes_and_goes_is_counted_right() {
    on_actix(async {
        let redis = Redis::start();
        let mut peer = Peer::asking(&redis).await;
        let (mut node, _client, _) = Node::start(config(&redis, "one")).await;
        for nsp in ["/", "/chat"] {
            let channel = format!("k-request#{nsp}#");
            let n: Vec<Value> = numsub(&mut peer, &channel).await;
            assert_eq!(n, [json!(channel), json!(1)], "one subscription, not two");
        }
        let (mut client, socket) = node.join_in("/chat", ()).await;
        let request = json!({"type": 4, "opts": {}, "close": false});
        peer.say("k-request#/chat#", request.to_string()).await;
        assert_eq!(peer.settled_in("/chat").await, []);
        client.disconnected().await.unwrap();
        within("the handler is told", async {
            loop {
                if let Told::Disconnect(gone, _) = node.next().await {
                    assert_eq!(gone.id(), socket.id());
                    break;
                }
            }
        })
        .await;
        node.server.close();
        cluster::until("nobody counts on it", async || {
            numsub(&mut peer, "k-request#/#").await == [json!("k-request#/#"), json!(0)]
        })
        .await;
    });
}

async fn numsub(peer: &mut Peer, channel: &str) -> Vec<Value> {
    let (name, n): (String, u64) = peer.ask(&["PUBSUB", "NUMSUB", channel]).await;
    vec![json!(name), json!(n)]
}
