//! Whatever comes in, and whatever goes out.

use proptest::{collection::vec, prelude::*};
use serde::de::IgnoredAny;

use super::*;

/// Any argument. Floats are never whole, because `MessagePack` makes integers of those, as JavaScript does, and short, because
/// `serde_json` reads long ones exactly only with its feature `float_roundtrip`.
fn any_value() -> impl Strategy<Value = Value> {
    let float = any::<i32>().prop_map(|int| f64::from(int) / 16.0 + 0.031_25);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        float.prop_map(Value::from),
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

/// A few of anything, or more than an array of `MessagePack` counts in its first byte.
fn any_arguments() -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        3 => vec(any_value(), 0..4),
        1 => vec(any::<u64>().prop_map(Value::from), 12..20),
    ]
}

/// Anything that is no reserved name.
fn any_name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("not reserved", |name| {
        !super::super::is_reserved_event(name)
    })
}

/// Text that often gets past the head of a packet.
fn almost_packet() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r#"[0-7][0-9]{0,2}-?(/[a-z?é]{0,3},?)?[0-9]{0,2}\[("a",?)?([\[\]{}":, 0-9aé\\u]|true|"num"|"_placeholder"|:){0,30}\]?"#,
        r#"[56][0-3]-\["a",(\{"_placeholder":(true|1),"num":-?[0-9](\.0)?\},?){0,3}\]"#,
    ]
}

proptest! {
    #[test]
    fn events_survive_the_text_dialect(
        nsp in "(/[a-z?#é]{0,6})?", id in any::<Option<u64>>(), name in any_name(), values in vec(any_value(), 0..4),
    ) {
        let args = Args::from_vec(values.clone());
        let encoded = Dialect::Json.event(&nsp, id, &name, &args);
        let message = encoded.engine_text().unwrap();
        prop_assert!(message.starts_with('4'));
        let limits = Limits { max_attachments: usize::MAX, ..Limits::default() };
        let mut decoder = Decoder::new(Dialect::Json);
        let mut packet = decoder.text(&message[1..], &limits).unwrap();
        for bytes in encoded.binaries() {
            prop_assert_eq!(packet, None);
            packet = decoder.binary(bytes.clone(), &limits).unwrap();
        }
        let packet = packet.unwrap();
        prop_assert_eq!(&*packet.nsp, if nsp.is_empty() { "/" } else { &*nsp });
        let Body::Event { id: got_id, name: got_name, args: got } = packet.body else { panic!("no event") };
        prop_assert_eq!((got_id, &*got_name), (id, &*name));
        prop_assert_eq!(got.to_values().unwrap(), values);
        prop_assert_eq!(got, args);
    }

    #[test]
    fn events_survive_the_binary_dialect(
        nsp in "/[a-z?#é]{0,40}", id in any::<Option<u64>>(), name in any_name(), values in any_arguments(),
    ) {
        let Encoded::Binary(message) = Dialect::Msgpack.event(&nsp, id, &name, &Args::from_vec(values.clone())) else {
            panic!("no message")
        };
        let packet = Decoder::new(Dialect::Msgpack).binary(message.clone(), &Limits::DEFAULT).unwrap().unwrap();
        prop_assert_eq!(&*packet.nsp, &*nsp);
        let Body::Event { id: got_id, name: got_name, args } = packet.body else { panic!("no event") };
        prop_assert_eq!((got_id, &*got_name), (id, &*name));
        prop_assert_eq!(args.to_values().unwrap(), values);
        // What was received is spliced into the same bytes.
        prop_assert_eq!(Dialect::Msgpack.event(&nsp, id, &name, &args), Encoded::Binary(message));
    }

    #[test]
    fn transcoding_there_and_back_changes_nothing(values in vec(any_value(), 0..4)) {
        let json = Args::from_vec(values.clone());
        let msgpack = json.to_dialect(Dialect::Msgpack);
        prop_assert_eq!(msgpack.to_values().unwrap(), values);
        prop_assert_eq!(msgpack.has_binary(), json.has_binary());
        prop_assert_eq!(msgpack.len(), json.len());
        let back = msgpack.to_dialect(Dialect::Json);
        prop_assert_eq!(back.attachments(), json.attachments());
        prop_assert_eq!(back.to_values().unwrap(), json.to_values().unwrap());
        // Order of members included.
        prop_assert_eq!(back.to_dialect(Dialect::Msgpack), msgpack);
    }

    #[test]
    fn taking_arguments_one_by_one_gives_all(values in vec(any_value(), 0..4)) {
        for args in [Args::from_vec(values.clone()), Args::from_vec(values.clone()).to_dialect(Dialect::Msgpack)] {
            let each: Vec<Value> = (0..args.len()).map(|index| args.get(index).unwrap()).collect();
            prop_assert_eq!(&each, &values);
        }
    }

    #[test]
    fn serializing_equals_building_from_values(values in vec(any_value(), 3)) {
        let built = Args::from_vec(values.clone());
        let serialized = Args::from_values(&(&values[0], &values[1], &values[2])).unwrap();
        prop_assert_eq!(serialized, built);
    }

    #[test]
    fn any_messages_give_packets_or_errors(messages in vec(prop_oneof![
        almost_packet().prop_map(Ok), vec(any::<u8>(), 0..40).prop_map(Err),
    ], 1..6)) {
        let limits = Limits { max_attachments: 3, max_bytes: 200, max_depth: 10 };
        let mut decoder = Decoder::new(Dialect::Json);
        for message in messages {
            let was_waiting = decoder.is_waiting();
            let is_text = message.is_ok();
            let result = match message {
                Ok(text) => decoder.text(&text, &limits),
                Err(bytes) => decoder.binary(bytes.into(), &limits),
            };
            prop_assert_eq!(decoder.is_waiting(), result == Ok(None));
            prop_assert!(was_waiting != is_text || result.is_err());
            if let Ok(Some(packet)) = result {
                check(&packet, &limits)?;
            }
        }
    }

    #[test]
    fn text_is_as_valid_as_serde_json_finds_it(text in almost_packet()) {
        let json = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let packet = format!("3{json}");
        let decoded = super::super::decode(&packet, 10);
        let expected = serde_json::from_str::<Vec<IgnoredAny>>(json);
        if !json.trim().is_empty() && !json.starts_with('/') {
            prop_assert_eq!(decoded.is_ok(), expected.is_ok());
        }
    }

    #[test]
    fn any_bytes_give_a_packet_or_an_error(
        mut message in prop_oneof![
            vec(any::<u8>(), 0..200),
            vec(prop_oneof![Just(0x91), Just(0x81), Just(0xa1), Just(0x61), any::<u8>()], 0..100).prop_map(|mut data| {
                let mut message = hex("83a47479706502a36e7370a12fa46461746193a161").to_vec();
                message.append(&mut data);
                message
            }),
        ],
        cut in 0..200_usize,
    ) {
        let limits = Limits { max_depth: 10, ..Limits::default() };
        for _ in 0..2 {
            if let Ok(packet) = Decoder::new(Dialect::Msgpack).binary(message.clone().into(), &limits) {
                check(&packet.unwrap(), &limits)?;
            }
            message.truncate(cut);
        }
    }

    #[test]
    fn any_value_in_bytes_becomes_valid_json(data in vec(any::<u8>(), 1..60)) {
        let mut reader = super::super::msgpack::Reader::new(&data);
        if let Ok(value) = reader.skip(10) {
            let args = super::super::msgpack::read_arg(&Bytes::copy_from_slice(value), 10).unwrap();
            check_args(&args, 10)?;
        }
    }

    #[test]
    fn names_of_numbers_read_as_the_same_number(number in any::<f64>()) {
        let number = if number.is_finite() { number + 0.0 } else { 0.0 };
        let name = super::super::packet::js_number(number);
        prop_assert_eq!(name.parse::<f64>().unwrap().to_bits(), number.to_bits());
    }
}

/// What holds for every packet that was let in: it can be sent on in both dialects, and everybody can read it.
fn check(packet: &Packet, limits: &Limits) -> Result<(), TestCaseError> {
    match &packet.body {
        Body::Event { name, args, .. } => {
            prop_assert!(!super::super::is_reserved_event(name));
            prop_assert!(args.attachments().len() <= limits.max_attachments);
            check_args(args, limits.max_depth)
        }
        Body::Ack { args, .. }
        | Body::Connect { auth: args }
        | Body::ConnectError { data: args } => check_args(args, limits.max_depth),
        Body::Disconnect | Body::Empty => Ok(()),
    }
}

fn check_args(args: &Args, max_depth: usize) -> Result<(), TestCaseError> {
    prop_assert!(!args.is_deeper_than(max_depth));
    prop_assert!(serde_json::from_str::<IgnoredAny>(&args.raw_json()).is_ok());
    let values = args.to_values().unwrap();
    prop_assert_eq!(values.len(), args.len());
    let json = args.to_dialect(Dialect::Json);
    prop_assert_eq!(json.len(), args.len());
    prop_assert_eq!(json.to_values().unwrap(), values);
    let msgpack = args.to_dialect(Dialect::Msgpack);
    prop_assert_eq!(msgpack.len(), args.len());

    let Encoded::Binary(message) = Dialect::Msgpack.event("/", None, "e", args) else {
        panic!("no message")
    };
    let again = Decoder::new(Dialect::Msgpack).binary(message, &Limits::DEFAULT);
    let is_event = matches!(
        again,
        Ok(Some(Packet {
            body: Body::Event { .. },
            ..
        }))
    );
    prop_assert!(is_event);

    let encoded = Dialect::Json.event("/", None, "e", args);
    let limits = Limits {
        max_attachments: usize::MAX,
        ..Limits::default()
    };
    let mut decoder = Decoder::new(Dialect::Json);
    let mut again = decoder
        .text(&ByteString::from(encoded.packet_text().unwrap()), &limits)
        .unwrap();
    for bytes in encoded.binaries() {
        again = decoder.binary(bytes.clone(), &limits).unwrap();
    }
    prop_assert!(again.is_some());
    Ok(())
}
