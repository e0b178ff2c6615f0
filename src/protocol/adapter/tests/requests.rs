//! Requests of every version, as captured; those of ours.

use bytes::Bytes;

use super::*;

fn names(names: &[&'static str]) -> Names {
    names.iter().map(|name| (*name).into()).collect()
}

fn incoming(uid: Option<&'static str>, request: Request) -> Incoming {
    Incoming {
        uid: uid.map(Into::into),
        request,
    }
}

fn broadcast(asker: Asker, data: &str, options: &str) -> Request {
    let mut arguments = values(data);
    let name = arguments.remove(0);
    Request::Broadcast {
        asker,
        event: Box::new(BroadcastEvent {
            nsp: Some("/".into()),
            name: name.as_str().unwrap().into(),
            args: Args::from_vec(arguments).to_dialect(crate::protocol::socketio::Dialect::Msgpack),
            opts: opts(options),
        }),
    }
}

/// What we write for a request, if we make such ones.
fn encoded(incoming: &Incoming) -> Option<Bytes> {
    let uid = incoming.uid.as_deref();
    Some(match &incoming.request {
        Request::AllRooms { asker } => encode_all_rooms(uid?, asker.id()),
        Request::Join { opts, rooms } => encode_join(uid, opts, rooms),
        Request::Leave { opts, rooms } => encode_leave(uid, opts, rooms),
        Request::Disconnect { opts, close } => encode_disconnect(uid, opts, *close),
        Request::Fetch { asker, opts } => encode_fetch(uid?, asker.id(), opts),
        Request::ServerSideEmit { asker, name, args } => {
            encode_server_side_emit(uid?, asker.as_ref().map(Asker::id), name, args).unwrap()
        }
        Request::Broadcast { asker, event } => encode_broadcast(
            uid?,
            asker.id(),
            event.nsp.as_deref().unwrap_or("/"),
            &event.name,
            &event.args,
            &event.opts,
        )
        .unwrap(),
        _ => return None,
    })
}

/// Capture, payload, meaning, and whether we write the same bytes.
#[expect(clippy::too_many_lines, reason = "a table")]
fn captured() -> Vec<(&'static str, &'static str, Incoming, bool)> {
    const A: Option<&str> = Some("h4qIkV");
    const B: Option<&str> = Some("Cg67Yu");
    const C11: &str = "b:85a3756964a6683471496b56a9726571756573744964a6573343614278a47479706507a67061636b657483a47479706502a46461746192a171a13fa36e7370a12fa46f70747383a5726f6f6d7390a665786365707490a5666c61677381a774696d656f7574cd07d0";
    const C15: &str = "b:85a3756964a6683471496b56a9726571756573744964a6564c37684775a47479706507a67061636b657483a47479706502a46461746192a27132c40109a36e7370a12fa46f70747383a5726f6f6d7391a27232a665786365707490a5666c61677381a774696d656f7574cd07d0";
    const C31: &str = "b:85a3756964a6436736375975a9726571756573744964a66d6d71637075a47479706507a67061636b657483a47479706502a46461746191a27271a36e7370a12fa46f70747383a5726f6f6d7391b4597161765f51516439385a37676b545a41414141a665786365707490a5666c61677382b465787065637453696e676c65526573706f6e7365c3a774696d656f7574cd03e8";
    const C34: &str = "b:85a3756964a6436736375975a9726571756573744964a66a426b63494fa47479706507a67061636b657483a47479706502a46461746191a362696ea36e7370a12fa46f70747383a5726f6f6d7390a665786365707490a5666c61677381a774696d656f7574cd03e8";
    const SINGLE: &str = r#"{"rooms":["Yqav_QQd98Z7gkTZAAAA"],"flags":{"expectSingleResponse":true,"timeout":1000}}"#;
    let sse = |asker, json: &str| Request::ServerSideEmit {
        asker,
        name: "sse".into(),
        args: args(json),
    };
    let join = |options: &str, rooms: &[&'static str]| Request::Join {
        opts: opts(options),
        rooms: names(rooms),
    };
    let leave = |options: &str, rooms: &[&'static str]| Request::Leave {
        opts: opts(options),
        rooms: names(rooms),
    };
    let disconnect = |options: &str, close| Request::Disconnect {
        opts: opts(options),
        close,
    };
    let sync = Asker::new(Numbering::Sync, Id::Text("K2BDrI".into()), None);
    vec![
        (
            "L5",
            r#"{"transaction":"K2BDrI","rooms":["r1"]}"#,
            incoming(
                None,
                Request::Sockets {
                    asker: sync,
                    rooms: names(&["r1"]),
                },
            ),
            false,
        ),
        (
            "L6",
            r#"{"requestid":"wOVVsC","type":2}"#,
            incoming(
                None,
                Request::AllRooms {
                    asker: old("wOVVsC"),
                },
            ),
            false,
        ),
        (
            "L7",
            r#"{"requestid":"9YTqYU","type":5,"data":"ping"}"#,
            incoming(
                None,
                Request::Custom {
                    asker: old("9YTqYU"),
                    data: args(r#"["ping"]"#),
                },
            ),
            false,
        ),
        (
            "L8",
            r#"{"requestid":"90vU2N","type":6,"sid":"sidB","close":true}"#,
            incoming(
                None,
                Request::DisconnectOne {
                    asker: old("90vU2N"),
                    socket: "sidB".into(),
                    close: true,
                },
            ),
            false,
        ),
        (
            "old clients",
            r#"{"requestid":"vFk5GO","type":0,"rooms":["r1"]}"#,
            incoming(
                None,
                Request::Sockets {
                    asker: old("vFk5GO"),
                    rooms: names(&["r1"]),
                },
            ),
            false,
        ),
        (
            "old client rooms",
            r#"{"requestid":"a","type":1,"sid":"sidB"}"#,
            incoming(
                None,
                Request::SocketRooms {
                    asker: old("a"),
                    socket: "sidB".into(),
                },
            ),
            false,
        ),
        (
            "old join",
            r#"{"requestid":"jwH5MR","type":3,"sid":"sidB","room":"r9"}"#,
            incoming(
                None,
                Request::JoinOne {
                    asker: old("jwH5MR"),
                    socket: "sidB".into(),
                    room: "r9".into(),
                },
            ),
            false,
        ),
        (
            "old leave",
            r#"{"requestid":"a","type":4,"sid":"sidB","room":7}"#,
            incoming(
                None,
                Request::LeaveOne {
                    asker: old("a"),
                    socket: "sidB".into(),
                    room: "7".into(),
                },
            ),
            false,
        ),
        (
            "sockets",
            r#"{"uid":"h4qIkV","requestId":"a","type":0,"rooms":[]}"#,
            incoming(
                A,
                Request::Sockets {
                    asker: current("a", A),
                    rooms: names(&[]),
                },
            ),
            false,
        ),
        (
            "sockets of 6.0",
            r#"{"requestId":"a","type":0}"#,
            incoming(
                None,
                Request::Sockets {
                    asker: current("a", None),
                    rooms: names(&[]),
                },
            ),
            false,
        ),
        (
            "join of 6.0",
            r#"{"requestId":"a","type":2,"sid":"s","room":"r"}"#,
            incoming(
                None,
                Request::JoinOne {
                    asker: current("a", None),
                    socket: "s".into(),
                    room: "r".into(),
                },
            ),
            false,
        ),
        (
            "leave of 6.0",
            r#"{"requestId":"a","type":3,"sid":"s","room":"r"}"#,
            incoming(
                None,
                Request::LeaveOne {
                    asker: current("a", None),
                    socket: "s".into(),
                    room: "r".into(),
                },
            ),
            false,
        ),
        (
            "disconnect of 6.0",
            r#"{"requestId":"a","type":4,"sid":"s","close":false}"#,
            incoming(
                None,
                Request::DisconnectOne {
                    asker: current("a", None),
                    socket: "s".into(),
                    close: false,
                },
            ),
            false,
        ),
        (
            "null as id",
            r#"{"uid":"h4qIkV","requestId":null,"type":6,"data":["sse"]}"#,
            incoming(
                A,
                sse(
                    Some(
                        Asker::new(
                            Numbering::Current,
                            Id::Other("null".into()),
                            A.map(Into::into),
                        )
                        .on_shared_channel(),
                    ),
                    "[]",
                ),
            ),
            false,
        ),
        (
            "C11",
            C11,
            incoming(
                A,
                broadcast(
                    current("W3CaBx", A),
                    r#"["q","?"]"#,
                    r#"{"flags":{"timeout":2000}}"#,
                ),
            ),
            false,
        ),
        (
            "C11 in JSON",
            r#"{"uid":"h4qIkV","requestId":"W3CaBx","type":7,"packet":{"type":2,"data":["q","?"],"nsp":"/"},"opts":{"rooms":[],"except":[],"flags":{"timeout":2000}}}"#,
            incoming(
                A,
                broadcast(
                    current("W3CaBx", A),
                    r#"["q","?"]"#,
                    r#"{"flags":{"timeout":2000}}"#,
                ),
            ),
            true,
        ),
        (
            "C15",
            C15,
            incoming(
                A,
                broadcast(
                    current("VL7hGu", A),
                    r#"["q2",{"$b":"09"}]"#,
                    r#"{"rooms":["r2"],"flags":{"timeout":2000}}"#,
                ),
            ),
            true,
        ),
        (
            "C31",
            C31,
            incoming(B, broadcast(current("mmqcpu", B), r#"["rq"]"#, SINGLE)),
            false,
        ),
        (
            "C34",
            C34,
            incoming(
                B,
                broadcast(
                    current("jBkcIO", B),
                    r#"["bin"]"#,
                    r#"{"flags":{"timeout":1000}}"#,
                ),
            ),
            false,
        ),
        (
            "C19",
            r#"{"uid":"h4qIkV","type":2,"opts":{"rooms":["r2"],"except":[]},"rooms":["x1","x2"]}"#,
            incoming(A, join(r#"{"rooms":["r2"]}"#, &["x1", "x2"])),
            true,
        ),
        (
            "C20",
            r#"{"uid":"h4qIkV","type":3,"opts":{"rooms":["r2"],"except":["42"]},"rooms":["x1"]}"#,
            incoming(A, leave(r#"{"rooms":["r2"],"except":["42"]}"#, &["x1"])),
            true,
        ),
        (
            "C21",
            r#"{"uid":"h4qIkV","requestId":"fTjrGI","type":5,"opts":{"rooms":[],"except":[]}}"#,
            incoming(
                A,
                Request::Fetch {
                    asker: current("fTjrGI", A),
                    opts: opts("{}"),
                },
            ),
            true,
        ),
        (
            "C23",
            r#"{"uid":"h4qIkV","type":6,"data":["sse","a",1]}"#,
            incoming(A, sse(None, r#"["a",1]"#)),
            true,
        ),
        (
            "C24",
            r#"{"uid":"h4qIkV","requestId":"z0bQNG","type":6,"data":["sse","b"]}"#,
            incoming(
                A,
                sse(Some(current("z0bQNG", A).on_shared_channel()), r#"["b"]"#),
            ),
            true,
        ),
        (
            "C26",
            r#"{"uid":"h4qIkV","requestId":"Nyzrf8","type":1}"#,
            incoming(
                A,
                Request::AllRooms {
                    asker: current("Nyzrf8", A),
                },
            ),
            true,
        ),
        (
            "C28",
            r#"{"uid":"h4qIkV","type":4,"opts":{"rooms":["42"],"except":[]},"close":false}"#,
            incoming(A, disconnect(r#"{"rooms":["42"]}"#, false)),
            true,
        ),
        (
            "C29",
            r#"{"uid":"h4qIkV","type":4,"opts":{"rooms":["r2"],"except":[]},"close":true}"#,
            incoming(A, disconnect(r#"{"rooms":["r2"]}"#, true)),
            true,
        ),
        (
            "C38",
            r#"{"uid":"Cg67Yu","type":6,"data":["sse",{"type":"Buffer","data":[1]},"1970-01-01T00:00:00.000Z",null]}"#,
            incoming(
                B,
                sse(
                    None,
                    r#"[{"type":"Buffer","data":[1]},"1970-01-01T00:00:00.000Z",null]"#,
                ),
            ),
            true,
        ),
        (
            "E7",
            r#"{"type":2,"opts":{"rooms":["r1"],"except":[]},"rooms":["x1","x2"]}"#,
            incoming(None, join(r#"{"rooms":["r1"]}"#, &["x1", "x2"])),
            true,
        ),
        (
            "E8",
            r#"{"type":3,"opts":{"rooms":["r1"],"except":["r2"]},"rooms":["x1"]}"#,
            incoming(None, leave(r#"{"rooms":["r1"],"except":["r2"]}"#, &["x1"])),
            true,
        ),
        (
            "E9",
            r#"{"type":4,"opts":{"rooms":["r1"],"except":[]},"close":true}"#,
            incoming(None, disconnect(r#"{"rooms":["r1"]}"#, true)),
            true,
        ),
        (
            "E10",
            r#"{"uid":"emitter","type":6,"data":["sse","a",1]}"#,
            incoming(Some(EMITTER), sse(None, r#"["a",1]"#)),
            true,
        ),
        (
            "PY3",
            r#"{"type":2,"rooms":["x1"],"opts":{"rooms":["r1"],"except":null}}"#,
            incoming(None, join(r#"{"rooms":["r1"]}"#, &["x1"])),
            false,
        ),
    ]
}

#[test]
fn requests_are_read() {
    for (capture, text, expected, _) in captured() {
        assert_eq!(
            decode_request(&payload(text)).unwrap(),
            expected,
            "{capture}"
        );
    }
}

#[test]
fn requests_are_written_as_the_reference_does() {
    for (capture, text, expected, is_same) in captured() {
        let Some(bytes) = encoded(&expected) else {
            assert!(!is_same, "{capture}");
            continue;
        };
        if is_same {
            assert_eq!(to_hex(&bytes), to_hex(&payload(text)), "{capture}");
        }
        if !capture.starts_with("null") {
            assert_eq!(decode_request(&bytes).unwrap(), expected, "{capture}");
        }
    }
}

#[test]
fn requests_may_be_messagepack_too() {
    for (capture, text, expected, _) in captured() {
        if text.starts_with('{') {
            let json = Args::from_json(&format!("[{text}]").into()).unwrap();
            let (msgpack, _) = json.msgpack_values();
            assert_eq!(decode_request(&msgpack).unwrap(), expected, "{capture}");
        }
    }
}

#[test]
fn binary_between_servers_is_what_a_buffer_is_in_json() {
    let args = Args::from_vec(values(r#"[{"$b":"01ff"},{"a":[{"$b":""}]}]"#));
    let bytes = encode_server_side_emit("u", None, "e\"", &args).unwrap();
    assert_eq!(
        std::str::from_utf8(&bytes).unwrap(),
        r#"{"uid":"u","type":6,"data":["e\"",{"type":"Buffer","data":[1,255]},{"a":[{"type":"Buffer","data":[]}]}]}"#,
    );
}

#[test]
fn dates_in_a_broadcast_with_acks_are_read() {
    let request = "83a9726571756573744964a178a47479706507a67061636b657482a47479706502a46461746192a165d6ff00000000";
    let request = request.replacen("83", "84", 1) + "a46f70747380";
    let Request::Broadcast { event, .. } = decode_request(&hex(&request)).unwrap().request else {
        panic!("no broadcast")
    };
    assert_eq!(
        event.args.get::<String>(0).unwrap(),
        "1970-01-01T00:00:00.000Z"
    );
}
