//! Broadcasts of other servers and emitters: whom they reach.

use greenroom::config::Subscription;
use serde_json::{Value, json};

use super::{Party, broadcast};
use crate::support::cluster::{self, msgpack};
use crate::support::on_actix;

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
