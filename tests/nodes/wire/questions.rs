//! What other servers ask, in every form their versions put it, and how it is answered.

use serde_json::{Value, json};

use super::{Form, Party, without_uid};
use crate::support::on_actix;

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
