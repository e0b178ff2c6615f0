//! The dialect of `msgpack-js`.

use bytes::Bytes;

use super::*;

/// The bytes between `data`'s first item and its end, in a message as `socket.io-emitter` 1.1 writes it.
fn message(n_args: u8, args: &[u8]) -> Bytes {
    let mut out = hex("93a7656d697474657283a47479706505a464617461").to_vec();
    out.push(0x90 | (n_args + 1));
    out.extend_from_slice(&hex("a162"));
    out.extend_from_slice(args);
    out.extend_from_slice(&hex("a36e7370a12f82a5726f6f6d7390a5666c61677380"));
    out.into()
}

fn buffer(content: &[u8]) -> Vec<u8> {
    let mut out = match u16::try_from(content.len()) {
        Ok(len) => [&[0xd8][..], &len.to_be_bytes()].concat(),
        Err(_) => [
            &[0xd9][..],
            &u32::try_from(content.len()).unwrap().to_be_bytes(),
        ]
        .concat(),
    };
    out.extend_from_slice(content);
    out
}

#[test]
fn buffers_of_every_length_arrive() {
    for fill in [0x00, 0x41, 0x80, 0xc0, 0xd8, 0xff] {
        for len in (0..300).chain([65_535, 65_536, 70_000]) {
            let content = vec![fill; len];
            let broadcast = decode(&message(1, &buffer(&content))).unwrap();
            let expected = [Value::Binary(content.into())];
            assert!(
                broadcast.args.to_values().unwrap() == expected,
                "{len} times {fill:#x}"
            );
        }
    }
}

#[test]
fn undefined_arrives_wherever_it_stands() {
    let x40 = format!("da0028{}", "78".repeat(40));
    for (n_args, bytes, expected) in [
        (1, "c4".to_owned(), "[null]"),
        (2, "c401".to_owned(), "[null,1]"),
        (3, "c4c4c4".to_owned(), "[null,null,null]"),
        (1, "82a161c4a16201".to_owned(), r#"[{"b":1}]"#),
        (1, "92c402".to_owned(), "[[null,2]]"),
        (
            2,
            format!("c4{x40}"),
            r#"[null,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#,
        ),
        (
            2,
            format!("{x40}c4"),
            r#"["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",null]"#,
        ),
        (1, "cb3ff8000000000000".to_owned(), "[1.5]"),
    ] {
        let broadcast = decode(&message(n_args, &hex(&bytes))).unwrap();
        assert_eq!(
            broadcast.args.to_values().unwrap(),
            values(expected),
            "{bytes}"
        );
    }
}

#[test]
fn undefined_that_reads_as_binary_is_told_by_its_neighbours() {
    // `c4 a1` takes 161 bytes: what is left of the text are two symbols, of which the first would be a key.
    let member = format!("82a16bc4a16ada009f{}", "78".repeat(159));
    let broadcast = decode(&message(1, &hex(&member))).unwrap();
    let expected = format!(r#"[{{"j":"{}"}}]"#, "x".repeat(159));
    assert_eq!(broadcast.args.to_values().unwrap(), values(&expected));
    // The same in the options, where 166 bytes are taken.
    let options = format!(
        "93a17583a47479706502a46461746191a165a36e7370a12f83a5726f6f6d73c4a665786365707491da009e{}a5666c61677380",
        "78".repeat(158)
    );
    let broadcast = decode(&hex(&options)).unwrap();
    assert!(broadcast.opts.rooms.is_empty());
    assert_eq!(&*broadcast.opts.except, ["x".repeat(158)]);
}

#[test]
fn what_only_the_standard_has_is_never_taken_for_the_old_dialect() {
    // Text of 32 to 255 bytes, binary, and what looks odd but reads only one way: keys that are numbers, unknown members.
    for len in 32..256 {
        let args = Args::from_vec(vec![
            "x".repeat(len).into(),
            Value::Binary(vec![0xc4; len].into()),
        ]);
        let payload = encode("u", "/", "e", &args, &Opts::default()).unwrap();
        assert_eq!(
            decode(&payload).unwrap().args.to_values().unwrap(),
            args.to_values().unwrap()
        );
    }
    let odd_key = decode(&message(1, &hex("8101a161"))).unwrap();
    assert_eq!(odd_key.args.to_values().unwrap(), values(r#"[{"1":"a"}]"#));
    let unknown_member = hex("93a17584a47479706502a46461746191a165a36e7370a12fa366616ec381a166c0");
    assert_eq!(&*decode(&unknown_member).unwrap().name, "e");
}

#[test]
fn translating_is_linear_in_length() {
    // Each byte means three; none more.
    let payload = message(15 - 1, &[0xc4; 14]);
    assert!(decode(&payload).is_ok());
    let claims = [&hex("93a7656d6974746572")[..], &[0xc4; 100_000]].concat();
    assert_eq!(decode(&claims.into()), Err(Junk::Shape));
}
