//! What is no message of the adapter.

use serde_json::json;

use super::{Party, broadcast};
use crate::support::cluster::msgpack;
use crate::support::{eventually, on_actix};

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
