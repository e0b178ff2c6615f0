//! What other servers end on, or pass on to clients that do, is ignored here.

use super::*;

#[test]
fn junk_on_a_channel_for_broadcasts() {
    let data = "a46461746191a165";
    let nsp = "a36e7370a12f";
    let kind = "a47479706502";
    let opts = "80";
    let whole = format!("93a17583{kind}{data}{nsp}{opts}");
    assert!(decode(&hex(&whole)).is_ok());
    let table = [
        // What ends a process of the reference.
        ("ASCII", to_hex(b"hello"), Junk::Malformed),
        ("JSON", to_hex(br#"{"type":3}"#), Junk::Malformed),
        ("empty", String::new(), Junk::Malformed),
        ("c1", "c1".into(), Junk::Malformed),
        (
            "truncated",
            whole[..whole.len() - 2].into(),
            Junk::Malformed,
        ),
        ("trailing byte", format!("{whole}00"), Junk::Malformed),
        ("int", "01".into(), Junk::Shape),
        ("nil", "c0".into(), Junk::Shape),
        ("map", "81a17403".into(), Junk::Foreign),
        (
            "streams adapter",
            "84a47479706503a46461746180a3756964a175a36e7370a12f".into(),
            Junk::Foreign,
        ),
        (
            "without options",
            format!("92a17583{kind}{data}{nsp}"),
            Junk::Shape,
        ),
        (
            "nil as options",
            format!("93a17583{kind}{data}{nsp}c0"),
            Junk::Shape,
        ),
        (
            "text as options",
            format!("93a17583{kind}{data}{nsp}a0"),
            Junk::Shape,
        ),
        // What it drops.
        (
            "nil as namespace",
            format!("93a17583{kind}{data}a36e7370c0{opts}"),
            Junk::Namespace,
        ),
        (
            "number as namespace",
            format!("93a17583{kind}{data}a36e737007{opts}"),
            Junk::Namespace,
        ),
        ("nil as packet", format!("93a175c0{opts}"), Junk::Shape),
        ("array as packet", format!("93a17590{opts}"), Junk::Shape),
        (
            "nil as uid",
            format!("93c083{kind}{data}{nsp}{opts}"),
            Junk::Shape,
        ),
        // What it passes on.
        (
            "connect",
            format!("93a17583a47479706500{data}{nsp}{opts}"),
            Junk::PacketType,
        ),
        (
            "disconnect",
            format!("93a17582a47479706501{nsp}{opts}"),
            Junk::PacketType,
        ),
        (
            "ack",
            format!("93a17583a47479706503{data}{nsp}{opts}"),
            Junk::PacketType,
        ),
        (
            "connect error",
            format!("93a17583a47479706504{data}{nsp}{opts}"),
            Junk::PacketType,
        ),
        (
            "binary ack",
            format!("93a17583a47479706506{data}{nsp}{opts}"),
            Junk::PacketType,
        ),
        (
            "text as type",
            format!("93a17583a474797065a132{data}{nsp}{opts}"),
            Junk::PacketType,
        ),
        (
            "no type",
            format!("93a17582{data}{nsp}{opts}"),
            Junk::PacketType,
        ),
        (
            "no data",
            format!("93a17582{kind}{nsp}{opts}"),
            Junk::NoEvent,
        ),
        (
            "text as data",
            format!("93a17583{kind}a464617461a165{nsp}{opts}"),
            Junk::NoEvent,
        ),
        (
            "map as data",
            format!("93a17583{kind}a46461746180{nsp}{opts}"),
            Junk::NoEvent,
        ),
        (
            "empty data",
            format!("93a17583{kind}a46461746190{nsp}{opts}"),
            Junk::NoEvent,
        ),
        (
            "nil as name",
            format!("93a17583{kind}a46461746191c0{nsp}{opts}"),
            Junk::NoEvent,
        ),
        (
            "map as name",
            format!("93a17583{kind}a4646174619180{nsp}{opts}"),
            Junk::NoEvent,
        ),
        (
            "reserved name",
            format!("93a17583{kind}a46461746191a7636f6e6e656374{nsp}{opts}"),
            Junk::ReservedEvent,
        ),
        (
            "nil as a room",
            format!("93a17583{kind}{data}{nsp}81a5726f6f6d7391c0"),
            Junk::Rooms,
        ),
        (
            "map as rooms",
            format!("93a17583{kind}{data}{nsp}81a5726f6f6d7380"),
            Junk::Rooms,
        ),
        (
            "bool as rooms",
            format!("93a17583{kind}{data}{nsp}81a5726f6f6d73c2"),
            Junk::Rooms,
        ),
        (
            "nil as an exception",
            format!("93a17583{kind}{data}{nsp}81a665786365707491c0"),
            Junk::Rooms,
        ),
        // Claims.
        ("array of 2^32", "ddffffffff".into(), Junk::Malformed),
        (
            "map of 2^32 in data",
            format!("93a17583{kind}a46461746192a165dfffffffff{nsp}{opts}"),
            Junk::Malformed,
        ),
        (
            "binary of 2^32",
            format!("93a17583{kind}a46461746192a165c6ffffffff{nsp}{opts}"),
            Junk::Malformed,
        ),
        (
            "too deep",
            format!(
                "93a17583{kind}a46461746192a165{}c0{nsp}{opts}",
                "91".repeat(2000)
            ),
            Junk::TooDeep,
        ),
        (
            "deep without end",
            format!("93a175{}", "91".repeat(500_000)),
            Junk::Shape,
        ),
    ];
    for (what, bytes, verdict) in table {
        assert_eq!(decode(&hex(&bytes)).map(drop), Err(verdict), "{what}");
    }
}

#[test]
fn deviations_on_a_channel_for_broadcasts() {
    let message =
        |packet: &str, rest: &str| decode(&hex(&format!("93a175{packet}{rest}"))).unwrap();
    let packet = "83a47479706502a46461746191a165a36e7370a12f";
    for (what, options) in [
        ("none", "80"),
        ("nil", "83a5726f6f6d73c0a6657863657074c0a5666c616773c0"),
        (
            "undefined",
            "83a5726f6f6d73d40000a6657863657074d40000a5666c616773d40000",
        ),
        (
            "empty texts",
            "83a5726f6f6d73a0a6657863657074a0a5666c616773a0",
        ),
        ("empty", "83a5726f6f6d7390a665786365707490a5666c61677380"),
        ("flags of another type", "81a5666c61677307"),
        (
            "unknown flags",
            "81a5666c61677382a5767261707001a464656570c4020102",
        ),
    ] {
        assert_eq!(message(packet, options).opts, Opts::default(), "{what}");
    }
    for (what, options, expected) in [
        ("text", "81a5726f6f6d73a27231", r#"{"rooms":["r1"]}"#),
        ("number", "81a5726f6f6d732a", r#"{"rooms":[42]}"#),
        (
            "numbers",
            "81a5726f6f6d73932aff cb3ff8000000000000",
            r#"{"rooms":[42,-1,1.5]}"#,
        ),
        ("binary", "81a5726f6f6d7391c4027231", r#"{"rooms":["r1"]}"#),
        (
            "true in other words",
            "81a5666c61677382a8766f6c6174696c6501a8636f6d7072657373c0",
            r#"{"flags":{"volatile":true}}"#,
        ),
        (
            "a float as timeout",
            "81a5666c61677381a774696d656f7574cb409f400000000000",
            r#"{"flags":{"timeout":2000}}"#,
        ),
        (
            "a timeout beyond all timers",
            "81a5666c61677381a774696d656f7574cfffffffffffffffff",
            r#"{"flags":{"timeout":2147483647}}"#,
        ),
        (
            "no timeout",
            "81a5666c61677381a774696d656f7574cbfff0000000000000",
            "{}",
        ),
    ] {
        let read = message(packet, &options.replace(' ', "")).opts;
        assert_eq!(read, opts(expected), "{what}");
    }
    // More items, keys in another order, types as floats, 5 as 2, a missing namespace, a number as name.
    let longer = decode(&hex(&format!("95a175{packet}80c0a178")));
    assert_eq!(&*longer.unwrap().name, "e");
    assert_eq!(
        &*message(
            "83a36e7370a12fa46461746191a165a474797065cb4000000000000000",
            "80"
        )
        .name,
        "e"
    );
    assert_eq!(&*message("82a47479706505a46461746191a165", "80").name, "e");
    assert_eq!(message("82a47479706502a46461746191a165", "80").nsp, None);
    assert_eq!(
        message("83a47479706502a46461746191a165a36e7370d40000", "80").nsp,
        None
    );
    assert_eq!(&*message("82a47479706502a464617461912a", "80").name, "42");
}

#[test]
fn junk_on_the_channel_for_requests() {
    let deep = format!(
        r#"{{"type":6,"data":["e",{}{}]}}"#,
        "[".repeat(2000),
        "]".repeat(2000)
    );
    let table = [
        ("", Junk::Malformed),
        ("hello", Junk::Malformed),
        ("{", Junk::Malformed),
        (r#"{"type":1}x"#, Junk::Malformed),
        ("[1]", Junk::Malformed),
        ("b:c1", Junk::Malformed),
        ("b:7bff", Junk::Malformed),
        ("b:c0", Junk::Shape),
        ("b:93c0c0c0", Junk::Shape),
        ("{}", Junk::RequestType),
        (r#"{"type":99,"requestId":"x"}"#, Junk::RequestType),
        (r#"{"type":-1,"requestId":"x"}"#, Junk::RequestType),
        (r#"{"type":8,"requestId":"x"}"#, Junk::RequestType),
        (r#"{"type":7,"requestid":"x"}"#, Junk::RequestType),
        (r#"{"type":"2"}"#, Junk::RequestType),
        (r#"{"type":0}"#, Junk::Incomplete),
        (r#"{"type":1}"#, Junk::Incomplete),
        (r#"{"type":5,"requestId":"x"}"#, Junk::Incomplete),
        (
            r#"{"type":5,"requestId":"x","opts":null}"#,
            Junk::Incomplete,
        ),
        (r#"{"type":5,"requestId":{},"opts":{}}"#, Junk::Incomplete),
        // Orders that would otherwise be for everybody.
        (r#"{"type":2,"rooms":["x"]}"#, Junk::Incomplete),
        (r#"{"type":2,"rooms":["x"],"opts":null}"#, Junk::Incomplete),
        (r#"{"type":2,"rooms":["x"],"opts":1}"#, Junk::Incomplete),
        (r#"{"type":2,"opts":{}}"#, Junk::Incomplete),
        (r#"{"type":4}"#, Junk::Incomplete),
        (
            r#"{"type":4,"opts":{"rooms":[null]},"close":true}"#,
            Junk::Rooms,
        ),
        (r#"{"type":2,"requestId":"x","sid":"a"}"#, Junk::Incomplete),
        (r#"{"type":1,"requestid":"x"}"#, Junk::Incomplete),
        (r#"{"type":6}"#, Junk::NoEvent),
        (r#"{"type":6,"data":"e"}"#, Junk::NoEvent),
        (r#"{"type":6,"data":[]}"#, Junk::NoEvent),
        (r#"{"type":6,"data":[null]}"#, Junk::NoEvent),
        (r#"{"type":6,"data":["connect"]}"#, Junk::ReservedEvent),
        (
            r#"{"type":6,"data":["connection",{}]}"#,
            Junk::ReservedEvent,
        ),
        (
            r#"{"type":6,"data":["new_namespace"]}"#,
            Junk::ReservedEvent,
        ),
        (r#"{"type":6,"data":["disconnect"]}"#, Junk::ReservedEvent),
        (r#"{"type":7,"requestId":"x","opts":{}}"#, Junk::Incomplete),
        (
            r#"{"type":7,"requestId":"x","packet":1,"opts":{}}"#,
            Junk::Shape,
        ),
        (
            r#"{"type":7,"requestId":"x","packet":{"type":1},"opts":{}}"#,
            Junk::PacketType,
        ),
        (
            r#"{"type":7,"requestId":"x","packet":{"type":2,"data":["e"]}}"#,
            Junk::Incomplete,
        ),
        (
            r#"{"type":7,"packet":{"type":2,"data":["e"]},"opts":{}}"#,
            Junk::Incomplete,
        ),
        (&deep, Junk::TooDeep),
    ];
    for (text, verdict) in table {
        assert_eq!(
            decode_request(&payload(text)).map(drop),
            Err(verdict),
            "{text}"
        );
    }
}

#[test]
fn junk_on_a_channel_for_answers() {
    let deep = format!(
        r#"{{"type":9,"requestId":"x","packet":{}{}}}"#,
        "[".repeat(2000),
        "]".repeat(2000)
    );
    let table = [
        ("", Junk::Malformed),
        ("hello", Junk::Malformed),
        ("{", Junk::Malformed),
        ("b:c1", Junk::Malformed),
        ("b:7bff", Junk::Malformed),
        ("b:c0", Junk::Shape),
        ("b:90", Junk::Shape),
        ("{}", Junk::Incomplete),
        ("b:80", Junk::Incomplete),
        ("b:81a47479706509", Junk::Incomplete),
        (r#"{"rooms":["r1"]}"#, Junk::Incomplete),
        (r#"{"requestId":7}"#, Junk::Shape),
        (r#"{"requestId":"x","rooms":[null]}"#, Junk::Shape),
        (r#"{"requestId":"x","rooms":7}"#, Junk::Shape),
        (r#"{"requestId":"x","sockets":7}"#, Junk::Shape),
        (
            r#"{"requestId":"x","sockets":[{"handshake":{}}]}"#,
            Junk::Shape,
        ),
        (r#"{"requestId":"x","type":8}"#, Junk::Incomplete),
        (
            r#"{"requestId":"x","type":8,"clientCount":-1}"#,
            Junk::Incomplete,
        ),
        (&deep, Junk::TooDeep),
    ];
    for (text, verdict) in table {
        assert_eq!(
            decode_response(&payload(text)).map(drop),
            Err(verdict),
            "{text}"
        );
    }
}

#[test]
fn every_kind_of_junk_has_a_label_of_its_own() {
    let mut names: Vec<_> = Junk::ALL.iter().map(|junk| junk.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Junk::ALL.len());
}
