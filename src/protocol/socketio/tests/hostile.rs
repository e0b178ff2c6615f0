//! What a peer may send to hurt, and what is not allowed to happen then.

use super::*;

/// `n` arrays inside each other.
fn nested(n: usize) -> String {
    "[".repeat(n) + &"]".repeat(n)
}

#[test]
fn ten_thousand_arrays_cost_no_stack() {
    let deep = nested(9_999);
    let packet = decode(&[&format!("2[\"a\",{deep}]")]).unwrap();
    let Body::Event { args, .. } = packet.body else {
        panic!("no event")
    };
    assert_eq!(
        messages(&Dialect::Json.event("/", None, "b", &args)),
        [format!("2[\"b\",{deep}]")]
    );
    assert!(args.is_deeper_than(9_998) && !args.is_deeper_than(9_999));
    assert!(
        args.parse::<(Value,)>().is_err(),
        "only relays are that deep"
    );
    assert!(args.to_values().is_err());

    let msgpack = args.to_dialect(Dialect::Msgpack);
    assert!(msgpack.is_deeper_than(9_998) && !msgpack.is_deeper_than(9_999));
    assert_eq!(msgpack.raw_json(), format!("[{deep}]"));
    let Encoded::Binary(message) = Dialect::Msgpack.event("/", None, "b", &args) else {
        panic!("no message")
    };
    let mut decoder = Decoder::new(Dialect::Msgpack);
    assert!(decoder.binary(message.clone(), &Limits::DEFAULT).is_ok());
    let shallow = Limits {
        max_depth: 9_999,
        ..Limits::default()
    };
    assert_eq!(
        Decoder::new(Dialect::Msgpack).binary(message, &shallow),
        Err(DecodeError::TooDeep),
        "data is an array too"
    );
}

#[test]
fn depth_is_capped() {
    let text = ByteString::from(format!("2[\"a\",{}]", nested(100)));
    let limits = |max_depth| Limits {
        max_depth,
        ..Limits::default()
    };
    assert!(
        Decoder::new(Dialect::Json)
            .text(&text, &limits(101))
            .is_ok()
    );
    assert_eq!(
        Decoder::new(Dialect::Json).text(&text, &limits(100)),
        Err(DecodeError::TooDeep)
    );
    // Brackets in text are not depth, whatever the length.
    let text = ByteString::from(format!("2[\"a\",\"{}\"]", "[".repeat(1000)));
    assert!(Decoder::new(Dialect::Json).text(&text, &limits(1)).is_ok());
}

#[test]
fn a_million_brackets_are_refused_quickly() {
    for message in [
        "2[".to_owned() + &"[".repeat(1_000_000),
        "2[\"a\",".to_owned() + &nested(1_000_000) + "]",
    ] {
        assert!(decode(&[&message]).is_err());
    }
    let mut message = hex("83a47479706502a36e7370a12fa464617461").to_vec();
    message.resize(1_000_000, 0x91);
    let result = Decoder::new(Dialect::Msgpack).binary(message.into(), &Limits::DEFAULT);
    assert_eq!(result, Err(DecodeError::TooDeep));
}

#[test]
fn deep_placeholders_cost_no_stack() {
    let deep = format!(
        "{}{{\"_placeholder\":true,\"num\":0}}{}",
        "[".repeat(9_000),
        "]".repeat(9_000)
    );
    let packet = decode(&[&format!("51-[\"a\",{deep}]"), "b:01"]).unwrap();
    let Body::Event { args, .. } = packet.body else {
        panic!("no event")
    };
    assert_eq!(args.nth(0).unwrap(), args);
    assert_eq!(
        args.to_dialect(Dialect::Msgpack).to_dialect(Dialect::Json),
        args
    );
}

#[test]
fn bytes_of_one_packet_are_capped() {
    let text = ByteString::from_static(r#"52-["a",{"_placeholder":true,"num":0}]"#);
    let limits = |max_bytes| Limits {
        max_bytes,
        ..Limits::DEFAULT
    };
    let small = limits(text.len() + 10);
    let mut decoder = Decoder::new(Dialect::Json);
    assert_eq!(decoder.text(&text, &small), Ok(None));
    assert_eq!(decoder.binary(Bytes::from(vec![0; 6]), &small), Ok(None));
    assert!(decoder.is_waiting());
    assert_eq!(
        decoder.binary(Bytes::from(vec![0; 5]), &small),
        Err(DecodeError::TooLarge)
    );
    assert!(!decoder.is_waiting(), "nothing is kept after an error");

    assert_eq!(
        Decoder::new(Dialect::Json).text(&text, &limits(5)),
        Err(DecodeError::TooLarge)
    );
    let message = hex("82a47479706501a36e7370a12f");
    assert_eq!(
        Decoder::new(Dialect::Msgpack).binary(message, &limits(5)),
        Err(DecodeError::TooLarge)
    );
}

#[test]
fn the_number_of_attachments_is_capped() {
    let announce = |n: &str, max_attachments| {
        let limits = Limits {
            max_attachments,
            ..Limits::DEFAULT
        };
        Decoder::new(Dialect::Json).text(&ByteString::from(format!("5{n}-[\"a\"]")), &limits)
    };
    assert_eq!(announce("2", 2), Ok(None));
    for n in [
        "3",
        "10",
        "4294967296",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        assert_eq!(announce(n, 2), Err(DecodeError::TooManyAttachments), "{n}");
    }
    // Without a limit, the claim alone costs nothing.
    assert_eq!(announce("18446744073709551615", usize::MAX), Ok(None));
}

#[test]
fn messages_out_of_turn_are_errors() {
    assert_eq!(
        decode(&["51-[\"a\"]", "2[\"b\"]"]),
        Err(DecodeError::UnexpectedText)
    );
    assert_eq!(decode(&["b:01"]), Err(DecodeError::UnexpectedBinary));
    let text = ByteString::from_static("2[\"a\"]");
    let result = Decoder::new(Dialect::Msgpack).text(&text, &Limits::DEFAULT);
    assert_eq!(result, Err(DecodeError::UnexpectedText));
}

#[test]
fn an_idle_decoder_is_two_words() {
    assert!(size_of::<Decoder>() <= 2 * size_of::<usize>());
}

#[test]
fn a_placeholder_of_our_own_that_refers_to_nothing_stays_an_object() {
    let args = args(r#"[{"_placeholder":true,"num":7},{"$b":"01"},{"_placeholder":true}]"#);
    assert_eq!(
        args.to_dialect(Dialect::Msgpack).to_values().unwrap(),
        args.to_values().unwrap()
    );
}

#[test]
fn claimed_sizes_reserve_nothing() {
    for claim in [
        "ddffffffff",
        "dfffffffff",
        "dbffffffff",
        "c6ffffffff",
        "c9ffffffff00",
        "dcffff",
        "deffff",
    ] {
        let data = hex(claim);
        assert_eq!(
            super::super::msgpack::read_arg(&data, 10),
            Err(DecodeError::MalformedMsgpack),
            "{claim}"
        );
    }
}

#[test]
fn map_keys_have_to_be_scalars() {
    for (key, name) in [
        ("a161", "a"),
        ("05", "5"),
        ("ff", "-1"),
        ("c3", "true"),
        ("c0", "null"),
        ("cb3fe0000000000000", "0.5"),
    ] {
        let args = super::super::msgpack::read_arg(&hex(&format!("81{key}01")), 10).unwrap();
        assert_eq!(args.raw_json(), format!("[{{\"{name}\":1}}]"));
    }
    for key in ["90", "80", "c400", "d40000", "c70001"] {
        assert_eq!(
            super::super::msgpack::read_arg(&hex(&format!("81{key}01")), 10),
            Err(DecodeError::MalformedMsgpack),
            "{key}"
        );
    }
}
