//! The cases of the Autobahn test suite as tables, each fed at once and one byte at a time.

use super::client::*;
use super::{Decoder, Limits, WsError};

/// Conversation, what comes out, how it fails.
type Case = (Vec<Vec<u8>>, Vec<Kept>, Option<WsError>);

#[track_caller]
fn check(name: &str, (frames, kept, err): Case) {
    let bytes = frames.concat();
    for n_bytes in [usize::MAX, 1, 2, 7, 997] {
        let outcome = decode_in_reads(&mut Decoder::new(LIMITS, None), &bytes, n_bytes);
        assert!(
            outcome == (kept.clone(), err),
            "case {name}, reads of {n_bytes}: {:.300}",
            format!("{outcome:?}")
        );
    }
}

#[test]
fn case_1_text_and_binary_of_all_lengths() {
    for len in [0, 125, 126, 127, 128, 65_535, 65_536] {
        check(
            "1.1",
            (
                vec![masked(FIN | TEXT, &vec![b'*'; len])],
                vec![text(&"*".repeat(len))],
                None,
            ),
        );
        check(
            "1.2",
            (
                vec![masked(FIN | BINARY, &vec![0xfe; len])],
                vec![Kept::Binary(vec![0xfe; len])],
                None,
            ),
        );
    }
}

#[test]
fn case_2_pings_and_pongs() {
    for payload in [
        &b""[..],
        b"Hello, world!",
        b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff",
        &[0xfe; 125],
    ] {
        check(
            "2.1-2.4",
            (
                vec![masked(PING, payload)],
                vec![Kept::Ping(payload.to_vec())],
                None,
            ),
        );
        check(
            "2.7-2.8",
            (
                vec![masked(PONG, payload)],
                vec![Kept::Pong(payload.to_vec())],
                None,
            ),
        );
    }
    check(
        "2.5",
        (
            vec![masked(PING, &[0xfe; 126])],
            vec![],
            Some(WsError::LongControl),
        ),
    );
    let ten: Vec<_> = (0..10).map(|i| masked(PING, &[i])).collect();
    check(
        "2.10",
        (ten, (0..10).map(|i| Kept::Ping(vec![i])).collect(), None),
    );
}

#[test]
fn case_3_reserved_bits() {
    let hello = || masked(FIN | TEXT, b"Hello, world!");
    for bits in 1..8 {
        let frames = vec![
            hello(),
            masked(bits << 4 | FIN | TEXT, b"x"),
            masked(PING, b""),
        ];
        check(
            "3.1-3.4",
            (
                frames,
                vec![text("Hello, world!")],
                Some(WsError::ReservedBits),
            ),
        );
        check(
            "3.5",
            (
                vec![masked(bits << 4 | FIN | BINARY, b"x")],
                vec![],
                Some(WsError::ReservedBits),
            ),
        );
        check(
            "3.6",
            (
                vec![masked(bits << 4 | PING, b"x")],
                vec![],
                Some(WsError::ReservedBits),
            ),
        );
        check(
            "3.7",
            (
                vec![masked(bits << 4 | CLOSE, b"")],
                vec![],
                Some(WsError::ReservedBits),
            ),
        );
    }
}

#[test]
fn case_4_reserved_opcodes() {
    for opcode in (3..8).chain(11..16) {
        let err = Some(WsError::ReservedOpcode(opcode));
        check("4.1", (vec![masked(FIN | opcode, b"")], vec![], err));
        let frames = vec![
            masked(FIN | TEXT, b"hi"),
            masked(FIN | opcode, b"x"),
            masked(PING, b""),
        ];
        check("4.2", (frames, vec![text("hi")], err));
    }
}

#[test]
fn case_5_fragments() {
    let table: Vec<(&str, Case)> = vec![
        (
            "5.1",
            (
                vec![masked(9, b"a"), masked(FIN, b"b")],
                vec![],
                Some(WsError::FragmentedControl),
            ),
        ),
        (
            "5.2",
            (
                vec![masked(10, b"a"), masked(FIN, b"b")],
                vec![],
                Some(WsError::FragmentedControl),
            ),
        ),
        (
            "5.3",
            (
                vec![masked(TEXT, b"frag1"), masked(FIN, b"frag2")],
                vec![text("frag1frag2")],
                None,
            ),
        ),
        (
            "5.6",
            (
                vec![
                    masked(TEXT, b"frag1"),
                    masked(PING, b"ping"),
                    masked(FIN, b"frag2"),
                ],
                vec![Kept::Ping(b"ping".to_vec()), text("frag1frag2")],
                None,
            ),
        ),
        (
            "5.9",
            (
                vec![masked(CONTINUATION, b"x")],
                vec![],
                Some(WsError::UnexpectedContinuation),
            ),
        ),
        (
            "5.10",
            (
                vec![masked(FIN, b"x"), masked(FIN | TEXT, b"y")],
                vec![],
                Some(WsError::UnexpectedContinuation),
            ),
        ),
        (
            "5.15",
            (
                vec![
                    masked(TEXT, b"a"),
                    masked(FIN, b"b"),
                    masked(CONTINUATION, b"c"),
                    masked(FIN | TEXT, b"d"),
                ],
                vec![text("ab")],
                Some(WsError::UnexpectedContinuation),
            ),
        ),
        (
            "5.18",
            (
                vec![masked(TEXT, b"a"), masked(FIN | TEXT, b"b")],
                vec![],
                Some(WsError::ExpectedContinuation),
            ),
        ),
        (
            "5.19",
            (
                vec![
                    masked(TEXT, b"1"),
                    masked(CONTINUATION, b"2"),
                    masked(PING, b"pongme 1"),
                    masked(CONTINUATION, b""),
                    masked(PONG, b"unasked"),
                    masked(CONTINUATION, b"4"),
                    masked(PING, b""),
                    masked(FIN, b"5"),
                    masked(FIN | BINARY, b"next"),
                ],
                vec![
                    Kept::Ping(b"pongme 1".to_vec()),
                    Kept::Pong(b"unasked".to_vec()),
                    Kept::Ping(Vec::new()),
                    text("1245"),
                    Kept::Binary(b"next".to_vec()),
                ],
                None,
            ),
        ),
        (
            "close between fragments",
            (
                vec![
                    masked(BINARY, b"a"),
                    masked_close(1000, b""),
                    masked(FIN, b"b"),
                ],
                vec![Kept::Close(Some((1000, String::new())))],
                None,
            ),
        ),
    ];
    for (name, case) in table {
        check(name, case);
    }
}

#[test]
fn case_6_utf8() {
    let kosme = "κόσμε";
    check(
        "6.1.1",
        (vec![masked(FIN | TEXT, b"")], vec![text("")], None),
    );
    check(
        "6.1.2",
        (
            vec![
                masked(TEXT, b""),
                masked(CONTINUATION, b""),
                masked(FIN, b""),
            ],
            vec![text("")],
            None,
        ),
    );
    check(
        "6.2.1",
        (
            vec![masked(FIN | TEXT, kosme.as_bytes())],
            vec![text(kosme)],
            None,
        ),
    );
    for cut in 0..=kosme.len() {
        let (first, second) = kosme.as_bytes().split_at(cut);
        check(
            "6.2.2",
            (
                vec![masked(TEXT, first), masked(FIN, second)],
                vec![text(kosme)],
                None,
            ),
        );
    }
    let bytewise = kosme.bytes().map(|byte| masked(CONTINUATION, &[byte]));
    let frames = [masked(TEXT, b"")]
        .into_iter()
        .chain(bytewise)
        .chain([masked(FIN, b"")])
        .collect();
    check("6.2.3", (frames, vec![text(kosme)], None));

    let bad: [&[u8]; 14] = [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", // 6.3.1
        b"\xce",                                                           // 6.6.1
        b"\xce\xba\xe1",                                                   // 6.6.3
        b"\xf8\x88\x80\x80\x80",                                           // 6.8.1
        b"\xfc\x84\x80\x80\x80\x80",                                       // 6.8.2
        b"\xf7\xbf\xbf\xbf",                                               // 6.10.1
        b"\x80",                                                           // 6.12.1
        b"\xbf\x80",                                                       // 6.12.4
        b"\xc0 \xc1 ",                                                     // 6.14.1
        b"\xc3",                                                           // 6.15.1
        b"\xfe",                                                           // 6.16.1
        b"\xe0\x80\xaf",                                                   // 6.17.2
        b"\xf0\x80\x80\x80",                                               // 6.19.3
        b"\xed\xad\xbf\xed\xb0\x80",                                       // 6.21.3
    ];
    for bytes in bad {
        check(
            "6.3-6.21",
            (
                vec![masked(FIN | TEXT, bytes)],
                vec![],
                Some(WsError::InvalidUtf8),
            ),
        );
        check(
            "6.3.2",
            (
                vec![masked(TEXT, bytes), masked(FIN, b"")],
                vec![],
                Some(WsError::InvalidUtf8),
            ),
        );
        check(
            "not of binary",
            (
                vec![masked(FIN | BINARY, bytes)],
                vec![Kept::Binary(bytes.to_vec())],
                None,
            ),
        );
    }
}

#[test]
fn case_6_4_fails_as_soon_as_it_can() {
    let valid = "κόσμε".as_bytes();
    let wrong = b"\xf4\x90\x80\x80"; // above U+10FFFF, which its second byte shows
    let rest = b"edited";

    // 6.4.1, 6.4.2: in three frames; the second one is not complete when it fails.
    for (second, cut) in [(&wrong[..], 0), (&[&wrong[..], rest].concat(), 3)] {
        let mut decoder = Decoder::new(LIMITS, None);
        let second = masked(CONTINUATION, second);
        let until_wrong = [
            masked(TEXT, valid),
            second[..second.len() - second.len().min(cut)].to_vec(),
        ]
        .concat();
        assert_eq!(
            decode_in_reads(&mut decoder, &until_wrong, usize::MAX).1,
            Some(WsError::InvalidUtf8)
        );
    }

    // 6.4.3, 6.4.4: one frame, written in three parts; the one byte that decides is enough.
    let frame = masked(FIN | TEXT, &[valid, wrong, rest].concat());
    let first_wrong = 6 + valid.len() + 1;
    let mut decoder = Decoder::new(LIMITS, None);
    assert_eq!(
        decode_in_reads(&mut decoder, &frame[..first_wrong], usize::MAX),
        (vec![], None)
    );
    assert!(decoder.is_partial());
    let (_, err) = decode_in_reads(&mut decoder, &frame[first_wrong..=first_wrong], usize::MAX);
    assert_eq!(err, Some(WsError::InvalidUtf8));
    assert_eq!(decoder.buffered_bytes(), 0);
}

#[test]
fn case_7_closing() {
    let close = |code, reason: &str| Kept::Close(Some((code, reason.to_owned())));
    check(
        "7.1.1",
        (
            vec![masked(FIN | TEXT, b"a"), masked_close(1000, b"")],
            vec![text("a"), close(1000, "")],
            None,
        ),
    );
    for after in [
        masked_close(1000, b""),
        masked(PING, b""),
        masked(FIN | TEXT, b"late"),
        b"\xff\xff garbage".to_vec(),
    ] {
        check(
            "7.1.2-7.1.5",
            (
                vec![masked_close(1000, b""), after],
                vec![close(1000, "")],
                None,
            ),
        );
    }
    check(
        "7.3.1",
        (vec![masked(CLOSE, b"")], vec![Kept::Close(None)], None),
    );
    check(
        "7.3.2",
        (vec![masked(CLOSE, b"a")], vec![], Some(WsError::ShortClose)),
    );
    check(
        "7.3.4",
        (
            vec![masked_close(1000, b"Hello World!")],
            vec![close(1000, "Hello World!")],
            None,
        ),
    );
    check(
        "7.3.5",
        (
            vec![masked_close(1000, &[b'*'; 123])],
            vec![close(1000, &"*".repeat(123))],
            None,
        ),
    );
    check(
        "7.3.6",
        (
            vec![masked_close(1000, &[b'*'; 124])],
            vec![],
            Some(WsError::LongControl),
        ),
    );
    check(
        "7.5.1",
        (
            vec![masked_close(1000, b"\xce\xba\xed\xa0\x80")],
            vec![],
            Some(WsError::InvalidUtf8),
        ),
    );
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        check(
            "7.7",
            (vec![masked_close(code, b"")], vec![close(code, "")], None),
        );
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        check(
            "7.9, 7.13",
            (
                vec![masked_close(code, b"")],
                vec![],
                Some(WsError::BadCloseCode(code)),
            ),
        );
    }
}

#[test]
fn case_9_limits() {
    let limits = Limits {
        max_message_bytes: 1000,
        max_fragments: 3,
    };
    let too_big = Some(WsError::MessageTooBig { max_bytes: 1000 });
    let too_many = Some(WsError::TooManyFragments { max_fragments: 3 });
    let full = text(&"x".repeat(1000));
    // The oversize frames are cut after their header: the header is enough.
    let announced = |first: u8| vec![first, 0xfe, 0x03, 0xe9, 0, 0, 0, 0];
    let table: [Case; 9] = [
        (
            vec![masked(FIN | TEXT, &[b'x'; 1000])],
            vec![full.clone()],
            None,
        ),
        (
            vec![masked(TEXT, &[b'x'; 999]), masked(FIN, b"x")],
            vec![full.clone()],
            None,
        ),
        (vec![announced(FIN | TEXT)], vec![], too_big),
        (vec![announced(BINARY)], vec![], too_big),
        (
            vec![masked(TEXT, &[b'x'; 999]), vec![FIN, 0x82, 0, 0, 0, 0]],
            vec![],
            too_big,
        ),
        (
            vec![vec![
                FIN | BINARY,
                0xff,
                0x7f,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0xff,
                0,
                0,
                0,
                0,
            ]],
            vec![],
            too_big,
        ),
        (
            vec![masked(TEXT, b"a"), masked(0, b"b"), masked(FIN, b"c")],
            vec![text("abc")],
            None,
        ),
        (
            vec![
                masked(TEXT, b"a"),
                masked(0, b"b"),
                masked(0, b"c"),
                vec![FIN, 0x80, 0, 0, 0, 0],
            ],
            vec![],
            too_many,
        ),
        (
            vec![
                masked(TEXT, b""),
                masked(0, b""),
                masked(PING, b""),
                masked(0, b""),
                masked(0, b""),
            ],
            vec![Kept::Ping(vec![])],
            too_many,
        ),
    ];
    for (frames, kept, err) in table {
        for n_bytes in [usize::MAX, 1] {
            let mut decoder = Decoder::new(limits, None);
            assert_eq!(
                decode_in_reads(&mut decoder, &frames.concat(), n_bytes),
                (kept.clone(), err)
            );
        }
    }

    // 9.3.1: more than 65,536 fragments, where that is not limited.
    let mut frames = masked(TEXT, b"");
    frames.extend((0..70_000).flat_map(|_| masked(CONTINUATION, b"x")));
    frames.extend(masked(FIN, b""));
    assert_eq!(decode(&frames), (vec![text(&"x".repeat(70_000))], None));
}
