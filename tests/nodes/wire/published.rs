//! What is published, beside what the reference publishes.

use std::collections::BTreeMap;

use greenroom::Binary;
use serde_json::{Value, json};

use super::Party;
use crate::support::cluster::{Peer, hex, value};
use crate::support::{eventually, on_actix};

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
