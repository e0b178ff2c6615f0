//! Broadcasts as the reference and its emitters were captured publishing them.

use serde_json::json;

use super::Party;
use crate::support::cluster::{self, hex};
use crate::support::on_actix;

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
