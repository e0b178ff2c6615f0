//! Broadcasts of every version, as captured.

use bytes::Bytes;

use super::*;

/// Capture, bytes, uid, namespace, name and arguments (`$b` is binary), options, and whether we write the same bytes.
#[rustfmt::skip]
const CAPTURED: &[(&str, &str, &str, &str, &str, &str, bool)] = &[
    ("L1", "93a650346650546283a47479706502a46461746193a568656c6c6f0181a161a162a36e7370a12f80", "P4fPTb", "/", r#"["hello",1,{"a":"b"}]"#, r#"{}"#, false),
    ("L2", "93a650346650546283a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7392a27231a27232a665786365707491a178a5666c61677380", "P4fPTb", "/", r#"["hi"]"#, r#"{"rooms":["r1","r2"],"except":["x"],"flags":{}}"#, false),
    ("L3", "93a648624b634a7983a47479706505a46461746193a162d80003010203da002878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f83a5726f6f6d73c4a6657863657074c4a5666c616773c4", "HbKcJy", "/", r#"["b",{"$b":"010203"},"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#, r#"{}"#, false),
    ("L4", "93a6553557754c6183a47479706502a46461746194a26869d40000d7000000018bcfe5687bc403010203a36e7370a12f83a5726f6f6d7391a27231a665786365707491a473696458a5666c61677381a8766f6c6174696c65c3", "U5WuLa", "/", r#"["hi",null,"2023-11-14T22:13:20.123Z",{"$b":"010203"}]"#, r#"{"rooms":["r1"],"except":["sidX"],"flags":{"volatile":true}}"#, false),
    ("C1", "93a6683471496b5683a47479706502a46461746194a568656c6c6f01a374776f81a57468726565a133a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380", "h4qIkV", "/", r#"["hello",1,"two",{"three":"3"}]"#, r#"{"rooms":[],"except":[],"flags":{}}"#, true),
    ("C2", "93a6683471496b5683a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7391a27231a665786365707490a5666c61677380", "h4qIkV", "/", r#"["hi"]"#, r#"{"rooms":["r1"],"except":[],"flags":{}}"#, true),
    ("C3", "93a6683471496b5683a47479706502a46461746195a26869c0c3fbcb3ff8000000000000a36e7370a12f83a5726f6f6d7392a27231a27232a665786365707492a27233b472364474565445395233422d74324e5341414143a5666c61677380", "h4qIkV", "/", r#"["hi",null,true,-5,1.5]"#, r#"{"rooms":["r1","r2"],"except":["r3","r6DtVTE9R3B-t2NSAAAC"],"flags":{}}"#, true),
    ("C4", "93a6683471496b5683a47479706502a46461746191a176a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2", "h4qIkV", "/", r#"["v"]"#, r#"{"rooms":[],"except":[],"flags":{"volatile":true,"compress":false}}"#, true),
    ("C5", "93a6683471496b5683a47479706502a46461746192a2646da178a36e7370a12f83a5726f6f6d7391b44b61416d456e36644d706878424a463041414142a665786365707490a5666c61677380", "h4qIkV", "/", r#"["dm","x"]"#, r#"{"rooms":["KaAmEn6dMphxBJF0AAAB"],"except":[],"flags":{}}"#, true),
    ("C6", "93a6683471496b5683a47479706502a46461746192a26263a179a36e7370a12f83a5726f6f6d7390a665786365707491b470304b51736330683054766d4e56633441414141a5666c61677380", "h4qIkV", "/", r#"["bc","y"]"#, r#"{"rooms":[],"except":["p0KQsc0h0TvmNVc4AAAA"],"flags":{}}"#, true),
    ("C7", "93a6683471496b5683a47479706502a46461746192a27372a17aa36e7370a12f83a5726f6f6d7391a27231a665786365707491b470304b51736330683054766d4e56633441414141a5666c61677380", "h4qIkV", "/", r#"["sr","z"]"#, r#"{"rooms":["r1"],"except":["p0KQsc0h0TvmNVc4AAAA"],"flags":{}}"#, true),
    ("C8", "93a6654d596e683483a47479706502a46461746192a36e7370a171a36e7370a52f6368617483a5726f6f6d7391a27231a665786365707490a5666c61677380", "eMYnh4", "/chat", r#"["nsp","q"]"#, r#"{"rooms":["r1"],"except":[],"flags":{}}"#, true),
    ("C9", "93a6683471496b5683a47479706502a46461746193a362696ec40301020381a162c401ffa36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380", "h4qIkV", "/", r#"["bin",{"$b":"010203"},{"b":{"$b":"ff"}}]"#, r#"{"rooms":[],"except":[],"flags":{}}"#, true),
    ("C10", "93a6683471496b5683a47479706502a46461746198a57479706573d6ff00000000d7ff1d5353006553f100c091c0cf0000010000000000a2c3a980a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380", "h4qIkV", "/", r#"["types","1970-01-01T00:00:00.000Z","2023-11-14T22:13:20.123Z",null,[null],1099511627776,"é",{}]"#, r#"{"rooms":[],"except":[],"flags":{}}"#, false),
    ("C30", "93a643673637597583a47479706502a46461746192a2727301a36e7370a12f83a5726f6f6d7391b4597161765f51516439385a37676b545a41414141a665786365707490a5666c61677381b465787065637453696e676c65526573706f6e7365c3", "Cg67Yu", "/", r#"["rs",1]"#, r#"{"rooms":["Yqav_QQd98Z7gkTZAAAA"],"except":[],"flags":{"expectSingleResponse":true}}"#, true),
    ("C37", "93a643673637597583a47479706502a46461746191a36e756da36e7370a12f83a5726f6f6d73912aa665786365707490a5666c61677380", "Cg67Yu", "/", r#"["num"]"#, r#"{"rooms":[42],"except":[],"flags":{}}"#, false),
    ("E1", "93a7656d697474657283a47479706502a46461746193a568656c6c6f0181a161a162a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490", "emitter", "/", r#"["hello",1,{"a":"b"}]"#, r#"{"rooms":[],"flags":{},"except":[]}"#, false),
    ("E2", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7391a27231a5666c61677380a665786365707490", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1"],"flags":{},"except":[]}"#, false),
    ("E3", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f83a5726f6f6d7392a27231a27232a5666c61677380a665786365707491a27233", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1","r2"],"flags":{},"except":["r3"]}"#, false),
    ("E4", "93a7656d697474657283a47479706502a46461746191a176a36e7370a12f83a5726f6f6d7390a5666c61677382a8766f6c6174696c65c3a8636f6d7072657373c2a665786365707490", "emitter", "/", r#"["v"]"#, r#"{"rooms":[],"flags":{"volatile":true,"compress":false},"except":[]}"#, false),
    ("E5", "93a7656d697474657283a47479706502a46461746192a362696ec403010203a36e7370a52f6368617483a5726f6f6d7390a5666c61677380a665786365707490", "emitter", "/chat", r#"["bin",{"$b":"010203"}]"#, r#"{"rooms":[],"flags":{},"except":[]}"#, false),
    ("E6", "93a7656d697474657283a47479706502a46461746194a174d7ff1d5353006553f100c0c40105a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490", "emitter", "/", r#"["t","2023-11-14T22:13:20.123Z",null,{"$b":"05"}]"#, r#"{"rooms":[],"flags":{},"except":[]}"#, false),
    ("E11", "93a7656d697474657283a47479706502a46461746194a174d7000000018bcfe5687bd40000c7010005a36e7370a12f83a5726f6f6d7391a27231a5666c61677380a665786365707490", "emitter", "/", r#"["t","2023-11-14T22:13:20.123Z",null,{"$b":"05"}]"#, r#"{"rooms":["r1"],"flags":{}}"#, false),
    ("E12", "93a7656d697474657283a47479706502a46461746193a568656c6c6f0181a161a162a36e7370a12f82a5726f6f6d7390a5666c61677380", "emitter", "/", r#"["hello",1,{"a":"b"}]"#, r#"{"rooms":[],"flags":{}}"#, false),
    ("E13", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f82a5726f6f6d7391a27231a5666c61677380", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1"],"flags":{}}"#, false),
    ("E14", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f82a5726f6f6d7392a27231a27232a5666c61677380", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1","r2"],"flags":{}}"#, false),
    ("E15", "93a7656d697474657283a47479706502a46461746191a176a36e7370a12f82a5726f6f6d7390a5666c61677383a8766f6c6174696c65c3a962726f616463617374c3a46a736f6ec3", "emitter", "/", r#"["v"]"#, r#"{"rooms":[],"flags":{"volatile":true,"broadcast":true,"json":true}}"#, false),
    ("E16", "93a7656d697474657283a47479706502a46461746192a362696ec403010203a36e7370a52f6368617482a5726f6f6d7390a5666c61677380", "emitter", "/chat", r#"["bin",{"$b":"010203"}]"#, r#"{"rooms":[],"flags":{}}"#, false),
    ("E17", "93a7656d697474657283a47479706502a46461746194a174d7000000018bcfe5687bd40000c7010005a36e7370a12f82a5726f6f6d7390a5666c61677380", "emitter", "/", r#"["t","2023-11-14T22:13:20.123Z",null,{"$b":"05"}]"#, r#"{"rooms":[],"flags":{}}"#, false),
    ("E18", "93a7656d697474657283a47479706502a46461746193a568656c6c6f0181a161a162a36e7370a12f82a5726f6f6d7390a5666c61677380", "emitter", "/", r#"["hello",1,{"a":"b"}]"#, r#"{"rooms":[],"flags":{}}"#, false),
    ("E19", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f82a5726f6f6d7392a27231a27232a5666c61677380", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1","r2"],"flags":{}}"#, false),
    ("E20", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f82a5726f6f6d7392a27231a27232a5666c61677380", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1","r2"],"flags":{}}"#, false),
    ("E21", "93a7656d697474657283a47479706505a46461746195a362696ec403010203c7090dcb4278bcfe5687b000c0d92878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f82a5726f6f6d7390a5666c61677380", "emitter", "/", r#"["bin",{"$b":"010203"},"2023-11-14T22:13:20.123Z",null,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#, r#"{"rooms":[],"flags":{}}"#, false),
    ("E22", "93a7656d697474657283a47479706502a46461746191a16ea36e7370a52f6368617482a5726f6f6d7390a5666c61677380", "emitter", "/chat", r#"["n"]"#, r#"{"rooms":[],"flags":{}}"#, false),
    ("E23", "93a7656d697474657283a47479706502a46461746193a568656c6c6f0181a161a162a36e7370a12f82a5726f6f6d7390a5666c61677380", "emitter", "/", r#"["hello",1,{"a":"b"}]"#, r#"{"rooms":[],"flags":{}}"#, false),
    ("E24", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f82a5726f6f6d7391a27231a5666c61677380", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1"],"flags":{}}"#, false),
    ("E25", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f82a5726f6f6d7392a27231a27232a5666c61677380", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1","r2"],"flags":{}}"#, false),
    ("E26", "93a7656d697474657283a47479706502a46461746191a26869a36e7370a12f82a5726f6f6d7392a27231a27232a5666c61677380", "emitter", "/", r#"["hi"]"#, r#"{"rooms":["r1","r2"],"flags":{}}"#, false),
    ("E27", "93a7656d697474657283a47479706505a46461746195a362696ed80003010203b8323032332d31312d31345432323a31333a32302e3132335ac4da002878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f82a5726f6f6d7390a5666c61677380", "emitter", "/", r#"["bin",{"$b":"010203"},"2023-11-14T22:13:20.123Z",null,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#, r#"{"rooms":[],"flags":{}}"#, false),
    ("E28", "93a7656d697474657283a47479706502a46461746191a16ea36e7370a52f6368617482a5726f6f6d7390a5666c61677381a8766f6c6174696c65c3", "emitter", "/chat", r#"["n"]"#, r#"{"rooms":[],"flags":{"volatile":true}}"#, false),
    ("PY1", "93a7656d697474657283a46461746193a568656c6c6f0181a161a162a47479706502a36e7370a12f82a5666c616773a0a5726f6f6d73a0", "emitter", "/", r#"["hello",1,{"a":"b"}]"#, r#"{"flags":"","rooms":""}"#, false),
    ("PY2", "93a7656d697474657283a46461746192a568656c6c6f81a16101a47479706502a36e7370a12f83a5726f6f6d73c0a5666c61677382a8766f6c6174696c65c2a8636f6d7072657373c2a6657863657074c0", "emitter", "/", r#"["hello",{"a":1}]"#, r#"{"rooms":null,"flags":{"volatile":false,"compress":false},"except":null}"#, false),
];

#[test]
fn broadcasts_are_read() {
    for (capture, bytes, uid, nsp, data, options, _) in CAPTURED {
        let broadcast = decode(&hex(bytes)).unwrap();
        let mut expected = values(data);
        let name = expected.remove(0);
        assert_eq!(&*broadcast.uid, *uid, "{capture}");
        assert_eq!(broadcast.nsp.as_deref(), Some(*nsp), "{capture}");
        assert_eq!(Some(&*broadcast.name), name.as_str(), "{capture}");
        assert_eq!(broadcast.args.to_values().unwrap(), expected, "{capture}");
        assert_eq!(broadcast.opts, opts(options), "{capture}");
    }
}

#[test]
fn broadcasts_are_written_as_the_reference_does() {
    let mut n_same = 0;
    for (capture, bytes, uid, nsp, data, options, is_same) in CAPTURED {
        let mut arguments = values(data);
        let name = arguments.remove(0);
        let arguments = Args::from_vec(arguments);
        let name = name.as_str().unwrap();
        let encoded = encode(uid, nsp, name, &arguments, &opts(options)).unwrap();
        // From the other form of arguments too.
        let msgpack = arguments.to_dialect(crate::protocol::socketio::Dialect::Msgpack);
        assert_eq!(
            encode(uid, nsp, name, &msgpack, &opts(options)).unwrap(),
            encoded
        );
        if *is_same {
            assert_eq!(to_hex(&encoded), *bytes, "{capture}");
            n_same += 1;
        }
        // Everything that is read can be published again, and means the same.
        let read = decode(&hex(bytes)).unwrap();
        let again = encode(&read.uid, nsp, &read.name, &read.args, &read.opts).unwrap();
        let [again, read] = [again, encoded].map(|bytes| decode(&bytes).unwrap());
        assert_eq!(
            again.args.to_values().unwrap(),
            read.args.to_values().unwrap(),
            "{capture}"
        );
        assert_eq!(
            (again.name, again.opts),
            (read.name, read.opts),
            "{capture}"
        );
    }
    assert!(n_same >= 10, "{n_same}");
}

#[test]
fn arguments_are_slices_of_the_payload() {
    let is_inside = |outer: &Bytes, inner: &Bytes| outer.as_ptr_range().contains(&inner.as_ptr());
    for (capture, bytes, .., is_same) in CAPTURED {
        let payload = hex(bytes);
        let broadcast = decode(&payload).unwrap();
        let arguments = broadcast.args.msgpack_values().0;
        if *is_same && !arguments.is_empty() {
            assert!(is_inside(&payload, &arguments), "{capture}");
            assert!(is_inside(&payload, broadcast.name.as_bytes()), "{capture}");
        }
    }
}

#[test]
fn dates_reach_clients_of_both_parsers() {
    // Timestamps of 4, 8 and 12 bytes, the date of notepack.io 2, that of msgpack-lite, and one that is none.
    let date = |symbol: &str| {
        let bytes = format!("93a17583a47479706502a46461746192a174{symbol}a36e7370a12f80");
        decode(&hex(&bytes)).unwrap().args
    };
    for (symbol, text) in [
        ("d6ff00000001", "1970-01-01T00:00:01.000Z"),
        ("d7ff1d5353006553f100", "2023-11-14T22:13:20.123Z"),
        ("c70cff0754d4c0ffffffffffffffff", "1969-12-31T23:59:59.123Z"),
        ("d7000000018bcfe5687b", "2023-11-14T22:13:20.123Z"),
        ("c7090dcb4278bcfe5687b000", "2023-11-14T22:13:20.123Z"),
    ] {
        let args = date(symbol);
        assert_eq!(args.get::<String>(0).unwrap(), text, "{symbol}");
        assert_eq!(args.msgpack_values().0[..2], [0xd7, 0], "{symbol}");
    }
    assert_eq!(
        date("c7090dcb7ff8000000000000").to_values().unwrap(),
        [Value::Null]
    );
    // Typed arrays of msgpack-lite in both forms of extensions.
    for symbol in ["d5120102", "c702120102"] {
        assert_eq!(
            date(symbol).to_values().unwrap(),
            [Value::Binary(hex("0102"))]
        );
    }
}

#[test]
fn what_other_servers_cannot_hold_is_written_otherwise() {
    let write = |args: &Args| to_hex(&encode("u", "/", "e", args, &Opts::default()).unwrap());
    let values_of = |hex: String| {
        let from = hex.find("a165").unwrap() + 4;
        let to = hex.rfind("a36e7370").unwrap();
        hex[from..to].to_owned()
    };
    let json = |text: &str| Args::from_json(&text.into()).unwrap();
    for (text, bytes) in [
        ("9007199254740991", "cf001fffffffffffff"),
        ("9007199254740992", "cb4340000000000000"),
        ("-9007199254740991", "d3ffe0000000000001"),
        ("-9007199254740992", "cbc340000000000000"),
        ("18446744073709551615", "cb43f0000000000000"),
        ("1e300", "cb7e37e43c8800759c"),
        (r#"{"a":[9007199254740993]}"#, "81a16191cb4340000000000000"),
        ("1.0", "01"),
    ] {
        assert_eq!(
            values_of(write(&json(&format!("[{text}]")))),
            bytes,
            "{text}"
        );
    }
    // Of clients with the msgpack parser: undefined, a date, keys that are numbers, text that is no UTF-8.
    for (bytes, written) in [
        ("d40000", "c0"),
        ("81a161d40000", "80"),
        (
            "d7000000000000000000",
            "b8313937302d30312d30315430303a30303a30302e3030305a",
        ),
        ("810102", "81a13102"),
        ("a2c328", "a4efbfbd28"),
        ("cf0020000000000001", "cb4340000000000000"),
    ] {
        let args = Args::from_msgpack(hex(bytes), 1);
        assert_eq!(values_of(write(&args)), written, "{bytes}");
    }
}

#[test]
fn what_nobody_survives_is_not_published() {
    let nested = |depth: usize| {
        Args::from_json(&format!("[{}{}]", "[".repeat(depth), "]".repeat(depth)).into()).unwrap()
    };
    for args in [
        nested(MAX_DEPTH + 1),
        nested(MAX_DEPTH + 1).to_dialect(crate::protocol::socketio::Dialect::Msgpack),
    ] {
        let refused = Err(Unpublishable::TooDeep);
        assert_eq!(encode("u", "/", "e", &args, &Opts::default()), refused);
        assert_eq!(encode_server_side_emit("u", None, "e", &args), refused);
        assert_eq!(
            encode_broadcast("u", "r", "/", "e", &args, &Opts::default()),
            refused
        );
        assert_eq!(current("r", None).ack(&args, None), refused);
        assert_eq!(current("r", None).emitted(&args, None), refused);
        assert_eq!(old("r").custom(&args, None), refused);
    }
    // What we do publish we would read as well.
    let deepest = encode("u", "/", "e", &nested(MAX_DEPTH), &Opts::default()).unwrap();
    assert!(!decode(&deepest).unwrap().args.is_deeper_than(MAX_DEPTH));
    for name in ["connect", "disconnect", "newListener"] {
        let refused = Err(Unpublishable::ReservedEvent);
        assert_eq!(
            encode("u", "/", name, &Args::none(), &Opts::default()),
            refused
        );
        assert_eq!(
            encode_broadcast("u", "r", "/", name, &Args::none(), &Opts::default()),
            refused
        );
    }
    for name in ["connection", "connect", "new_namespace"] {
        let refused = Err(Unpublishable::ReservedEvent);
        assert_eq!(
            encode_server_side_emit("u", None, name, &Args::none()),
            refused
        );
    }
}
