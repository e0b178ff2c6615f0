//! The examples of `docs/socket.io-protocol/v5-current.md` and `v4.md`, and the packets of the v5 test suite.

use super::*;

/// `(type|nsp|id|data, messages)`: "Packet encoding", "Examples" of both documents.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "0|/admin||{\"sid\":\"oSO0OpakMV_3jnilAAAA\"}",
        &["0/admin,{\"sid\":\"oSO0OpakMV_3jnilAAAA\"}"],
    ),
    (
        "4|/||{\"message\":\"Not authorized\"}",
        &["4{\"message\":\"Not authorized\"}"],
    ),
    ("2|/||[\"foo\"]", &["2[\"foo\"]"]),
    ("2|/admin||[\"bar\"]", &["2/admin,[\"bar\"]"]),
    (
        "2|/||[\"baz\",{\"$b\":\"01020304\"}]",
        &[
            "51-[\"baz\",{\"_placeholder\":true,\"num\":0}]",
            "b:01020304",
        ],
    ),
    (
        "2|/admin||[\"baz\",{\"$b\":\"0102\"},{\"$b\":\"0304\"}]",
        &[
            "52-/admin,[\"baz\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
            "b:0102",
            "b:0304",
        ],
    ),
    ("2|/|12|[\"foo\"]", &["212[\"foo\"]"]),
    ("3|/admin|13|[\"bar\"]", &["3/admin,13[\"bar\"]"]),
    (
        "3|/|15|[\"bar\",{\"$b\":\"01020304\"}]",
        &[
            "61-15[\"bar\",{\"_placeholder\":true,\"num\":0}]",
            "b:01020304",
        ],
    ),
    ("1|/||", &["1"]),
    ("1|/admin||", &["1/admin,"]),
    ("0|/||", &["0"]),
    ("0|/admin||", &["0/admin,"]),
    ("2|/||[\"hello\",1]", &["2[\"hello\",1]"]),
    (
        "2|/admin|456|[\"project:delete\",123]",
        &["2/admin,456[\"project:delete\",123]"],
    ),
    ("3|/admin|456|[]", &["3/admin,456[]"]),
    (
        "4|/admin||\"Not authorized\"",
        &["4/admin,\"Not authorized\""],
    ),
    (
        "2|/||[\"hello\",{\"$b\":\"010203\"}]",
        &[
            "51-[\"hello\",{\"_placeholder\":true,\"num\":0}]",
            "b:010203",
        ],
    ),
    (
        "2|/admin|456|[\"project:delete\",{\"$b\":\"010203\"}]",
        &[
            "51-/admin,456[\"project:delete\",{\"_placeholder\":true,\"num\":0}]",
            "b:010203",
        ],
    ),
    // "Sample session"
    (
        "0|/||{\"sid\":\"wZX3oN0bSVIhsaknAAAI\"}",
        &["0{\"sid\":\"wZX3oN0bSVIhsaknAAAI\"}"],
    ),
    ("2|/||[\"hey\",\"Jude\"]", &["2[\"hey\",\"Jude\"]"]),
    ("2|/admin|1|[\"tellme\"]", &["2/admin,1[\"tellme\"]"]),
    (
        "3|/admin|1|[{\"$b\":\"\"}]",
        &["61-/admin,1[{\"_placeholder\":true,\"num\":0}]", "b:"],
    ),
];

#[test]
fn examples_decode() {
    for (outlined, messages) in EXAMPLES {
        assert_eq!(
            outline(&decode(messages).unwrap()),
            outline_of(outlined),
            "{messages:?}"
        );
    }
}

#[test]
fn events_and_acknowledgements_are_told_apart_by_their_numbers() {
    for (number, kind) in [
        (0, PacketType::Connect),
        (1, PacketType::Disconnect),
        (2, PacketType::Event),
        (3, PacketType::Ack),
        (4, PacketType::ConnectError),
        (5, PacketType::BinaryEvent),
        (6, PacketType::BinaryAck),
    ] {
        assert_eq!(PacketType::from_number(number), Some(kind));
        assert_eq!(
            kind.digit(),
            char::from_digit(u32::try_from(number).unwrap(), 10).unwrap()
        );
    }
    assert_eq!(PacketType::from_number(7), None);
}

/// What the v5 suite sends and expects back: `message` comes back as `message-back`, `message-with-ack` as its answer.
#[test]
fn relays_of_the_suite_are_spliced() {
    let relay = |incoming: &[&str]| match decode(incoming).unwrap().body {
        Body::Event {
            id: Some(id), args, ..
        } => messages(&Dialect::Json.ack("/", id, &args)),
        Body::Event { id: None, args, .. } => {
            messages(&Dialect::Json.event("/", None, "message-back", &args))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        relay(&[r#"2["message",1,"2",{"3":[true]}]"#]),
        [r#"2["message-back",1,"2",{"3":[true]}]"#]
    );
    assert_eq!(
        relay(&[r#"2456["message-with-ack",1,"2",{"3":[false]}]"#]),
        [r#"3456[1,"2",{"3":[false]}]"#]
    );
    assert_eq!(
        relay(&[
            r#"52-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            "b:010203",
            "b:040506"
        ]),
        [
            r#"52-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            "b:010203",
            "b:040506"
        ]
    );
    assert_eq!(
        relay(&[
            r#"52-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            "b:01",
            "b:02"
        ]),
        [
            r#"62-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            "b:01",
            "b:02"
        ]
    );
    // The payload of CONNECT can be sent on like any other arguments.
    let Body::Connect { auth } = decode(&[r#"0{"token":"123"}"#]).unwrap().body else {
        panic!("no connect")
    };
    assert_eq!(
        messages(&Dialect::Json.event("/custom", None, "auth", &auth)),
        [r#"2/custom,["auth",{"token":"123"}]"#]
    );
}

#[test]
fn invalid_formats_of_the_suite_are_errors() {
    assert_eq!(decode(&["abc"]), Err(DecodeError::UnknownType));
    assert_eq!(decode(&["2{}"]), Err(DecodeError::InvalidPayload));
    assert_eq!(
        decode(&["2abc[\"message-with-ack\",1,\"2\",{\"3\":[false]}]"]),
        Err(DecodeError::InvalidPayload)
    );
}

#[test]
fn the_engine_prefix_is_part_of_the_one_text() {
    let encoded = Dialect::Json.event("/", None, "hello", &args("[1]"));
    assert_eq!(&**encoded.engine_text().unwrap(), "42[\"hello\",1]");
    assert_eq!(encoded.packet_text().unwrap(), "2[\"hello\",1]");
}

#[test]
fn refusals_to_older_clients_are_bare() {
    let data = args(r#"[{"code":"E_AUTH"}]"#);
    let text = |encoded: &Encoded| encoded.packet_text().unwrap().to_owned();
    assert_eq!(
        text(&Dialect::Json.connect_error("/", "no", Some(&data))),
        r#"4{"message":"no","data":{"code":"E_AUTH"}}"#
    );
    assert_eq!(
        text(&Dialect::Json.connect_error_v3("/", "no", Some(&data))),
        r#"4{"code":"E_AUTH"}"#
    );
    assert_eq!(
        text(&Dialect::Json.connect_error_v3("/a", "no \"way\"", None)),
        r#"4/a,"no \"way\"""#
    );
}

#[test]
fn older_clients_say_who_they_are_in_the_query() {
    use super::super::{query_auth, split_query};
    for (nsp, path, query, auth) in [
        ("/", "/", "", "[{}]"),
        (
            "/admin?token=1234&uid=abcd",
            "/admin",
            "token=1234&uid=abcd",
            r#"[{"token":"1234","uid":"abcd"}]"#,
        ),
        (
            "/?a=b+c&d=%C3%A9&e&a=z",
            "/",
            "a=b+c&d=%C3%A9&e&a=z",
            r#"[{"a":"z","d":"é","e":""}]"#,
        ),
        ("/a?x=1?2=3#frag", "/a", "x=1?2=3", r#"[{"x":"1?2=3"}]"#),
        ("/a?%=%zz&=&&", "/a", "%=%zz&=&&", r#"[{"%":"%zz","":""}]"#),
    ] {
        assert_eq!(split_query(nsp), (path, query));
        assert_eq!(query_auth(query).raw_json(), auth);
    }
}
