//! Whatever comes in, and whatever goes out.

use bytes::Bytes;
use bytestring::ByteString;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::protocol::socketio::Dialect;

/// Any argument whose numbers JavaScript can hold.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        any::<i32>().prop_map(|int| Value::from(f64::from(int) / 16.0 + 0.031_25)),
        any::<String>().prop_map(Value::from),
        vec(any::<u8>(), 0..300).prop_map(|bytes| Value::from(Bytes::from(bytes))),
    ];
    leaf.prop_recursive(4, 40, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::Array),
            vec((any::<String>(), inner), 0..20)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_names() -> impl Strategy<Value = Names> {
    vec(any::<String>(), 0..4).prop_map(|names| names.into_iter().map(ByteString::from).collect())
}

fn any_opts() -> impl Strategy<Value = Opts> {
    let flags = (
        any::<bool>(),
        any::<Option<bool>>(),
        proptest::option::of(0..=i32::MAX as u64),
        any::<bool>(),
    );
    (any_names(), any_names(), flags).prop_map(
        |(rooms, except, (volatile, compress, timeout, single))| Opts {
            rooms,
            except,
            flags: OptFlags {
                volatile,
                compress,
                timeout: timeout.map(Duration::from_millis),
                expect_single_response: single,
            },
        },
    )
}

fn any_name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("not reserved", |name| !is_reserved_server_event(name))
}

/// Bytes that often get some way: a captured message with a few bytes changed.
fn almost(captures: &'static [&'static str]) -> impl Strategy<Value = Bytes> {
    let changed = (
        0..captures.len(),
        vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    );
    prop_oneof![
        vec(any::<u8>(), 0..60).prop_map(Bytes::from),
        changed.prop_map(|(which, changes)| {
            let mut bytes = payload(captures[which]).to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.into()
        }),
    ]
}

const CAPTURES: &[&str] = &[
    // L3, L4, E21, PY2
    "b:93a648624b634a7983a47479706505a46461746193a162d80003010203da002878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f83a5726f6f6d73c4a6657863657074c4a5666c616773c4",
    "b:93a6553557754c6183a47479706502a46461746194a26869d40000d7000000018bcfe5687bc403010203a36e7370a12f83a5726f6f6d7391a27231a665786365707491a473696458a5666c61677381a8766f6c6174696c65c3",
    "b:93a7656d697474657283a47479706505a46461746195a362696ec403010203c7090dcb4278bcfe5687b000c0d92878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f82a5726f6f6d7390a5666c61677380",
    "b:93a7656d697474657283a46461746192a568656c6c6f81a16101a47479706502a36e7370a12f83a5726f6f6d73c0a5666c61677382a8766f6c6174696c65c2a8636f6d7072657373c2a6657863657074c0",
    // C15, C36
    "b:85a3756964a6683471496b56a9726571756573744964a6564c37684775a47479706507a67061636b657483a47479706502a46461746192a27132c40109a36e7370a12fa46f70747383a5726f6f6d7391a27232a665786365707490a5666c61677381a774696d656f7574cd07d0",
    "b:83a47479706509a9726571756573744964a66a426b63494fa67061636b6574c40108",
    r#"{"uid":"h4qIkV","type":2,"opts":{"rooms":["r2"],"except":[]},"rooms":["x1","x2"]}"#,
    r#"{"uid":"h4qIkV","requestId":"z0bQNG","type":6,"data":["sse","b"]}"#,
    r#"{"requestid":"jwH5MR","type":3,"sid":"sidB","room":"r9"}"#,
    r#"{"requestId":"x","sockets":[{"id":"a","handshake":{},"rooms":["a",1],"data":"\ud800"}],"uid":"u"}"#,
];

/// Reads the bytes as everything they might be, and what was read to its end.
fn read_everyhow(bytes: &Bytes) {
    let through = |args: &Args| {
        let _ = args.to_values();
        let _ = (args.has_binary(), args.to_dialect(Dialect::Json));
    };
    if let Ok(broadcast) = decode(bytes) {
        through(&broadcast.args);
        let Broadcast {
            uid,
            name,
            args,
            opts,
            ..
        } = &broadcast;
        let again = encode(uid, "/", name, args, opts).unwrap();
        decode(&again).unwrap();
    }
    if let Ok(incoming) = decode_request(bytes) {
        match incoming.request {
            Request::ServerSideEmit { args, .. } | Request::Custom { data: args, .. } => {
                through(&args)
            }
            Request::Broadcast { event, .. } => through(&event.args),
            _ => {}
        }
    }
    if let Ok(Answer {
        body: AnswerBody::Ack(args) | AnswerBody::Emitted(args),
        ..
    }) = decode_response(bytes)
    {
        through(&args);
    }
}

#[test]
fn a_capture_cut_off_anywhere_is_junk() {
    for capture in CAPTURES {
        let whole = payload(capture);
        for len in 0..whole.len() {
            let part = whole.slice(..len);
            read_everyhow(&part);
            assert!(decode(&part).is_err(), "{len} bytes of {capture}");
            assert!(decode_request(&part).is_err(), "{len} bytes of {capture}");
            assert!(decode_response(&part).is_err(), "{len} bytes of {capture}");
        }
    }
}

proptest! {
    #[test]
    fn broadcasts_survive(
        uid in any::<String>(), nsp in any::<String>(), name in any_name(), values in vec(any_value(), 0..4), opts in any_opts(),
    ) {
        let args = Args::from_vec(values.clone());
        let encoded = encode(&uid, &nsp, &name, &args, &opts).unwrap();
        prop_assert_eq!(&encoded, &encode(&uid, &nsp, &name, &args.to_dialect(Dialect::Msgpack), &opts).unwrap());
        let read = decode(&encoded).unwrap();
        prop_assert_eq!((&*read.uid, read.nsp.as_deref(), &*read.name), (&*uid, Some(&*nsp), &*name));
        prop_assert_eq!(read.args.to_values().unwrap(), values);
        prop_assert_eq!(read.opts, opts);
    }

    #[test]
    fn requests_survive(
        id in any::<String>(), name in any_name(), values in vec(any_value(), 0..4), opts in any_opts(), rooms in any_names(),
    ) {
        let args = Args::from_vec(values.clone());
        let plain = Opts { flags: OptFlags::default(), ..opts.clone() };
        let request = |bytes: Bytes| decode_request(&bytes).unwrap().request;
        prop_assert_eq!(
            request(encode_join(Some("u"), &opts, &rooms)),
            Request::Join { opts: plain.clone(), rooms: rooms.clone() }
        );
        prop_assert_eq!(
            request(encode_fetch("u", &id, &opts)),
            Request::Fetch { asker: current(&id, Some("u")), opts: plain }
        );
        let Request::ServerSideEmit { asker, name: got, .. } =
            request(encode_server_side_emit("u", Some(&id), &name, &args).unwrap())
        else { panic!("no emit") };
        let asker = asker.unwrap();
        prop_assert_eq!((asker.id(), &*got), (&*id, &*name));
        let Request::Broadcast { asker, event } =
            request(encode_broadcast("u", &id, "/", &name, &args, &opts).unwrap())
        else { panic!("no broadcast") };
        prop_assert_eq!((asker.id(), &*event.name), (&*id, &*name));
        prop_assert_eq!(event.args.to_values().unwrap(), values);
        prop_assert_eq!(event.opts, opts);
    }

    #[test]
    fn answers_survive(id in any::<String>(), names in any_names(), value in any_value(), count in 0..1_usize << 53) {
        let asker = current(&id, None);
        let body = |bytes: Bytes| {
            let answer = decode_response(&bytes).unwrap();
            assert_eq!(&*answer.request_id, &*id);
            answer.body
        };
        prop_assert_eq!(
            body(asker.rooms(names.iter().map(|name| &**name), Some("me"))),
            AnswerBody::Rooms(names.to_vec())
        );
        prop_assert_eq!(body(asker.client_count(count, None)), AnswerBody::ClientCount(count as u64));
        let AnswerBody::Ack(args) = body(asker.ack(&Args::from_vec(vec![value.clone()]), None).unwrap()) else {
            panic!("no ack")
        };
        prop_assert_eq!(args.to_values().unwrap(), vec![value]);
    }

    #[test]
    fn anything_gives_messages_or_junk(bytes in almost(CAPTURES)) {
        read_everyhow(&bytes);
    }
}
