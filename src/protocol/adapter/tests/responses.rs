//! Answers of every version, as captured; those of ours.

use super::*;

fn answer(request_id: &'static str, body: AnswerBody) -> Answer {
    Answer {
        request_id: request_id.into(),
        uid: None,
        body,
    }
}

fn names(names: &[&'static str]) -> Vec<bytestring::ByteString> {
    names.iter().map(|name| (*name).into()).collect()
}

const ROOMS: &[&str] = &[
    "KaAmEn6dMphxBJF0AAAB",
    "r1",
    "r2",
    "r6DtVTE9R3B-t2NSAAAC",
    "42",
    "x1",
    "x2",
];

fn fetched() -> Vec<FetchedSocket> {
    let object = |json: &str| serde_json::from_str(json).unwrap();
    vec![
        FetchedSocket {
            id: "KaAmEn6dMphxBJF0AAAB".into(),
            handshake: object(
                r#"{"headers":{"host":"localhost"},"time":"now","query":{},"auth":{}}"#,
            ),
            rooms: names(&["KaAmEn6dMphxBJF0AAAB", "r1", "r2", "x2"]),
            data: object(r#"{"name":"b1"}"#),
        },
        FetchedSocket {
            id: "r6DtVTE9R3B-t2NSAAAC".into(),
            handshake: object("{}"),
            rooms: names(&["r6DtVTE9R3B-t2NSAAAC", "42"]),
            data: object(r#"{"name":"b2"}"#),
        },
    ]
}

const C22: &str = r#"{"requestId":"fTjrGI","sockets":[{"id":"KaAmEn6dMphxBJF0AAAB","handshake":{"headers":{"host":"localhost"},"time":"now","query":{},"auth":{}},"rooms":["KaAmEn6dMphxBJF0AAAB","r1","r2","x2"],"data":{"name":"b1"}},{"id":"r6DtVTE9R3B-t2NSAAAC","handshake":{},"rooms":["r6DtVTE9R3B-t2NSAAAC","42"],"data":{"name":"b2"}}]}"#;

#[test]
fn answers_are_read() {
    let json = |text: &str| Args::from_json(&text.into()).unwrap();
    let ack = |id, text: &str| answer(id, AnswerBody::Ack(args(text)));
    let count = |id, count| answer(id, AnswerBody::ClientCount(count));
    let table = [
        (
            "L6",
            r#"{"requestid":"wOVVsC","rooms":["sidB","r1"]}"#,
            answer("wOVVsC", AnswerBody::Rooms(names(&["sidB", "r1"]))),
        ),
        (
            "L7",
            r#"{"requestid":"9YTqYU","data":{"echo":"ping"}}"#,
            answer("9YTqYU", AnswerBody::Emitted(json(r#"[{"echo":"ping"}]"#))),
        ),
        (
            "L8",
            r#"{"requestid":"90vU2N"}"#,
            answer("90vU2N", AnswerBody::Done),
        ),
        (
            "old clients",
            r#"{"requestid":"vFk5GO","clients":["sidB"]}"#,
            answer("vFk5GO", AnswerBody::Sockets(names(&["sidB"]))),
        ),
        (
            "C12",
            r#"{"type":8,"requestId":"W3CaBx","clientCount":2}"#,
            count("W3CaBx", 2),
        ),
        (
            "C13",
            "b:83a47479706509a9726571756573744964a6573343614278a67061636b6574ab61636b2d66726f6d2d6231",
            ack("W3CaBx", r#"["ack-from-b1"]"#),
        ),
        (
            "C14",
            "b:83a47479706509a9726571756573744964a6573343614278a67061636b6574ab61636b2d66726f6d2d6232",
            ack("W3CaBx", r#"["ack-from-b2"]"#),
        ),
        (
            "C16",
            r#"{"type":8,"requestId":"VL7hGu","clientCount":2}"#,
            count("VL7hGu", 2),
        ),
        (
            "C17",
            "b:83a47479706509a9726571756573744964a6564c37684775a67061636b6574ab61636b2d66726f6d2d6231",
            ack("VL7hGu", r#"["ack-from-b1"]"#),
        ),
        (
            "C18",
            "b:83a47479706509a9726571756573744964a6564c37684775a67061636b6574ab61636b2d66726f6d2d6232",
            ack("VL7hGu", r#"["ack-from-b2"]"#),
        ),
        ("C22", C22, answer("fTjrGI", AnswerBody::Fetched(fetched()))),
        (
            "C25",
            r#"{"type":6,"requestId":"z0bQNG","data":{"pong":1}}"#,
            answer("z0bQNG", AnswerBody::Emitted(json(r#"[{"pong":1}]"#))),
        ),
        (
            "C27",
            r#"{"requestId":"Nyzrf8","rooms":["KaAmEn6dMphxBJF0AAAB","r1","r2","r6DtVTE9R3B-t2NSAAAC","42","x1","x2"]}"#,
            answer("Nyzrf8", AnswerBody::Rooms(names(ROOMS))),
        ),
        (
            "C32",
            r#"{"type":8,"requestId":"mmqcpu","clientCount":1}"#,
            count("mmqcpu", 1),
        ),
        (
            "C33",
            "b:83a47479706509a9726571756573744964a66d6d71637075a67061636b6574a26f6b",
            ack("mmqcpu", r#"["ok"]"#),
        ),
        (
            "C35",
            r#"{"type":8,"requestId":"jBkcIO","clientCount":1}"#,
            count("jBkcIO", 1),
        ),
        (
            "C36",
            "b:83a47479706509a9726571756573744964a66a426b63494fa67061636b6574c40108",
            ack("jBkcIO", r#"[{"$b":"08"}]"#),
        ),
        (
            "ack in JSON",
            r#"{"type":9,"requestId":"x","packet":[1]}"#,
            answer("x", AnswerBody::Ack(json("[[1]]"))),
        ),
        (
            "null as ack",
            r#"{"type":9,"requestId":"x","packet":null}"#,
            answer("x", AnswerBody::Ack(json("[null]"))),
        ),
        (
            "undefined as ack",
            r#"{"type":9,"requestId":"x"}"#,
            answer("x", AnswerBody::Ack(json("[null]"))),
        ),
        (
            "undefined as ack, binary",
            "b:82a47479706509a9726571756573744964a178",
            answer("x", AnswerBody::Ack(json("[null]"))),
        ),
        (
            "nobody",
            r#"{"requestId":"x","sockets":[]}"#,
            answer("x", AnswerBody::Fetched(Vec::new())),
        ),
        (
            "ids",
            r#"{"requestId":"x","sockets":[ "a" ]}"#,
            answer("x", AnswerBody::Sockets(names(&["a"]))),
        ),
        (
            "numbers as rooms",
            r#"{"requestId":"x","rooms":[42,-1,"r"]}"#,
            answer("x", AnswerBody::Rooms(names(&["42", "-1", "r"]))),
        ),
        (
            "lone surrogate",
            r#"{"requestId":"x","rooms":["\ud800"]}"#,
            answer("x", AnswerBody::Rooms(names(&["\u{fffd}"]))),
        ),
        (
            "minimal peer",
            r#"{"requestId":"x","sockets":[{"id":"a"}]}"#,
            answer(
                "x",
                AnswerBody::Fetched(vec![FetchedSocket {
                    id: "a".into(),
                    ..FetchedSocket::default()
                }]),
            ),
        ),
        (
            "rooms, binary",
            "b:82a9726571756573744964a178a5726f6f6d7391a172",
            answer("x", AnswerBody::Rooms(names(&["r"]))),
        ),
    ];
    for (capture, text, expected) in table {
        assert_eq!(
            decode_response(&payload(text)).unwrap(),
            expected,
            "{capture}"
        );
    }
    let named = decode_response(&payload(r#"{"requestId":"x","rooms":[],"uid":"u"}"#)).unwrap();
    assert_eq!(named.uid.as_deref(), Some("u"));
}

#[test]
fn answers_are_written_in_the_dialect_of_the_question() {
    let json = |text: &str| Args::from_json(&text.into()).unwrap();
    let buffer = Args::from_vec(values(r#"[{"$b":"08"}]"#));
    let sync = Asker::new(Numbering::Sync, Id::Text("K2BDrI".into()), None);
    let numbered = Asker::new(Numbering::Current, Id::Other("7".into()), None);
    let null = Asker::new(Numbering::Current, Id::Other("null".into()), None);
    let table = [
        (
            "L5",
            sync.sockets(["sidB", "sidB2"], Some("me")),
            r#"{"clients":["sidB","sidB2"]}"#,
        ),
        (
            "L6",
            old("wOVVsC").rooms(["sidB", "r1"], Some("me")),
            r#"{"requestid":"wOVVsC","rooms":["sidB","r1"]}"#,
        ),
        (
            "L7",
            old("9YTqYU")
                .custom(&json(r#"[{"echo":"ping"}]"#), None)
                .unwrap(),
            r#"{"requestid":"9YTqYU","data":{"echo":"ping"}}"#,
        ),
        (
            "L8",
            old("90vU2N").done(Some("me")),
            r#"{"requestid":"90vU2N"}"#,
        ),
        (
            "old clients",
            old("vFk5GO").sockets(["sidB"], None),
            r#"{"requestid":"vFk5GO","clients":["sidB"]}"#,
        ),
        (
            "C12",
            current("W3CaBx", None).client_count(2, None),
            r#"{"type":8,"requestId":"W3CaBx","clientCount":2}"#,
        ),
        (
            "C22",
            current("fTjrGI", None).fetched(&fetched(), None),
            C22,
        ),
        (
            "C25",
            current("z0bQNG", None)
                .emitted(&json(r#"[{"pong":1}]"#), None)
                .unwrap(),
            r#"{"type":6,"requestId":"z0bQNG","data":{"pong":1}}"#,
        ),
        (
            "C27",
            current("Nyzrf8", None).rooms(ROOMS.iter().copied(), None),
            r#"{"requestId":"Nyzrf8","rooms":["KaAmEn6dMphxBJF0AAAB","r1","r2","r6DtVTE9R3B-t2NSAAAC","42","x1","x2"]}"#,
        ),
        (
            "C36",
            current("jBkcIO", None).ack(&buffer, None).unwrap(),
            "b:83a47479706509a9726571756573744964a66a426b63494fa67061636b6574c40108",
        ),
        (
            "ack without binary",
            current("x", None)
                .ack(&json(r#"["ok",2]"#), Some("me"))
                .unwrap(),
            r#"{"type":9,"requestId":"x","packet":"ok","uid":"me"}"#,
        ),
        (
            "no argument",
            current("x", None).ack(&Args::none(), None).unwrap(),
            r#"{"type":9,"requestId":"x","packet":null}"#,
        ),
        (
            "named",
            current("x", None).rooms([], Some("me")),
            r#"{"requestId":"x","rooms":[],"uid":"me"}"#,
        ),
        (
            "null as id",
            null.emitted(&json("[1]"), None).unwrap(),
            r#"{"type":6,"requestId":null,"data":1}"#,
        ),
        (
            "number as id",
            numbered.ack(&buffer, None).unwrap(),
            "b:83a47479706509a972657175657374496407a67061636b6574c40108",
        ),
        (
            "buffer",
            current("x", None).emitted(&buffer, None).unwrap(),
            r#"{"type":6,"requestId":"x","data":{"type":"Buffer","data":[8]}}"#,
        ),
    ];
    for (capture, bytes, expected) in table {
        assert_eq!(to_hex(&bytes), to_hex(&payload(expected)), "{capture}");
    }
}

#[test]
fn binary_in_fetched_sockets_is_what_a_buffer_is_in_json() {
    let socket = FetchedSocket {
        data: Value::Array(values(r#"[{"$b":"01"}]"#)),
        ..FetchedSocket::default()
    };
    let bytes = current("x", None).fetched([&socket], None);
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(
        text.contains(r#""data":[{"type":"Buffer","data":[1]}]"#),
        "{text}"
    );
}

#[test]
fn an_answer_goes_where_its_asker_listens() {
    let channels = Channels::new("k", "me");
    let sync = Asker::new(Numbering::Sync, Id::Text("T".into()), Some("u".into()));
    for (asker, shared, own) in [
        (current("x", Some("u")), "k-response#/#", "k-response#/#u#"),
        (current("x", None), "k-response#/#", "k-response#/#"),
        (
            current("x", Some("u")).on_shared_channel(),
            "k-response#/#",
            "k-response#/#",
        ),
        (old("x"), "k-response#/#", "k-response#/#"),
        (sync, "k-sync#response#T", "k-sync#response#T"),
    ] {
        assert_eq!(asker.channel(&channels, "/", false), shared);
        assert_eq!(asker.channel(&channels, "/", true), own);
    }
}

#[test]
fn huge_answers_are_written_and_read_in_one_pass() {
    let socket = fetched().remove(0);
    let sockets = vec![socket; 20_000];
    let bytes = current("x", None).fetched(&sockets, Some("me"));
    let read = decode_response(&bytes).unwrap();
    assert_eq!(read.body, AnswerBody::Fetched(sockets));
}

#[test]
fn one_socket_with_absurd_data_costs_only_its_data() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let text = format!(
        r#"{{"requestId":"x","sockets":[{{"id":"a","rooms":["r"],"data":{deep}}},{{"id":"b","data":1}}]}}"#
    );
    let AnswerBody::Fetched(sockets) = decode_response(&payload(&text)).unwrap().body else {
        panic!("no sockets")
    };
    assert_eq!((&*sockets[0].id, &sockets[0].data), ("a", &Value::Null));
    assert_eq!((&*sockets[1].id, &sockets[1].data), ("b", &Value::from(1)));
}
