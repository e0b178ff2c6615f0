//! What other servers order and emit: obeyed, and answered where an answer is due.

use greenroom::Binary;
use serde_json::json;

use super::{Form, Party, plain, without_uid};
use crate::support::cluster::{hex, value};
use crate::support::{eventually, on_actix};

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
