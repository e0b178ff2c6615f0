//! What holds for any bytes, and what another implementation says.

use std::io::{self, Read, Write};

use bytes::Bytes;
use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::client::*;
use super::{Compressor, Decoder, Limits, Opcode, close_frame, frame, negotiate};

fn deflating(limits: Limits) -> Decoder {
    Decoder::new(limits, negotiate(["permessage-deflate"]).unwrap())
}

/// Frames that are almost right: the interesting half of all bytes.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => prop::sample::select(vec![TEXT, BINARY, CONTINUATION, FIN, FIN | TEXT, FIN | BINARY, PING, PONG]),
        1 => prop::sample::select(vec![CLOSE, FIN | RSV1 | TEXT, RSV1 | BINARY]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        "[a-zäöü😀]{0,50}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..200),
        (1000..4999_u16).prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    prop::collection::vec(
        (first, payload).prop_map(|(first, payload)| masked(first, &payload)),
        0..8,
    )
    .prop_map(|frames| frames.concat())
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), frames()]
}

/// Bytes of every length that takes another header, made cheaply.
fn bulk() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![0..300_usize, 65_000..66_000_usize];
    (len, any::<u8>()).prop_map(|(len, seed)| {
        (0..len)
            .map(|i| u8::try_from(i % 251).unwrap() ^ seed)
            .collect()
    })
}

/// A message and how a client cuts it into frames, with pings between them.
fn message() -> impl Strategy<Value = (Vec<u8>, Kept)> {
    let kept = prop_oneof![
        "[a-zäöü😀]{0,200}".prop_map(Kept::Text),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(Kept::Binary),
    ];
    (
        kept,
        prop::collection::vec(0..150_usize, 0..5),
        any::<bool>(),
    )
        .prop_map(|(kept, cuts, is_compressed)| {
            let (opcode, mut payload) = match &kept {
                Kept::Text(text) => (TEXT, text.as_bytes().to_vec()),
                Kept::Binary(bytes) => (BINARY, bytes.clone()),
                Kept::Ping(_) | Kept::Pong(_) | Kept::Close(_) => unreachable!("not made above"),
            };
            let mut first = opcode;
            if is_compressed {
                payload = super::deflate::tests::deflated(&payload);
                first |= RSV1;
            }
            let mut rest = &payload[..];
            let mut bytes = Vec::new();
            for cut in cuts {
                let (fragment, remaining) = rest.split_at(cut.min(rest.len()));
                bytes.extend(masked(first, fragment));
                bytes.extend(masked(PONG, b"between"));
                (first, rest) = (CONTINUATION, remaining);
            }
            bytes.extend(masked(first | FIN, rest));
            (bytes, kept)
        })
}

proptest! {
    #[test]
    fn any_bytes_at_any_split_say_the_same_and_stay_within_the_caps(
        bytes in anything(),
        n_bytes in 1..40_usize,
        max_message_bytes in prop::sample::select(vec![0, 10, 100, 1000]),
        max_fragments in 0..4_usize,
    ) {
        let limits = Limits { max_message_bytes, max_fragments };
        let at_once = decode_in_reads(&mut deflating(limits), &bytes, usize::MAX);

        let mut decoder = deflating(limits);
        let mut kept = Vec::new();
        let mut outcome = Ok(());
        for read in bytes.chunks(n_bytes) {
            outcome = feed(&mut decoder, read, &mut kept);
            // A buffer may be twice as large as what is in it.
            prop_assert!(decoder.buffered_bytes() <= 2 * (max_message_bytes + max_message_bytes / 8 + 64) + 1024);
            if outcome.is_err() {
                prop_assert!(!decoder.is_partial());
                prop_assert_eq!(decoder.buffered_bytes(), 0);
                break;
            }
        }
        prop_assert_eq!((kept, outcome.err()), at_once);
    }

    #[test]
    fn messages_survive_fragments_compression_and_splits(
        messages in prop::collection::vec(message(), 0..4),
        n_bytes in 1..100_usize,
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
        let expected: Vec<Kept> = messages.into_iter().map(|(_, kept)| kept).collect();
        let mut decoder = deflating(LIMITS);
        let (mut kept, err) = decode_in_reads(&mut decoder, &bytes, n_bytes);
        kept.retain(|kept| !matches!(kept, Kept::Pong(_)));
        prop_assert_eq!((kept, err), (expected, None));
        prop_assert!(!decoder.is_partial());
        prop_assert_eq!(decoder.buffered_bytes(), 0);
    }

    #[test]
    fn what_tungstenite_sends_is_read(
        words in prop::collection::vec((any::<String>(), bulk(), 0..125_usize), 1..4),
        n_bytes in prop::sample::select(vec![1, 100, 65_536, usize::MAX]),
    ) {
        let mut client = WebSocket::from_raw_socket(Pipe::default(), Role::Client, None);
        let mut expected = Vec::new();
        for (word, bytes, ping_len) in words {
            let ping = vec![7; ping_len];
            client.send(Message::text(word.clone())).unwrap();
            client.send(Message::binary(bytes.clone())).unwrap();
            client.send(Message::Ping(ping.clone().into())).unwrap();
            expected.extend([Kept::Text(word), Kept::Binary(bytes), Kept::Ping(ping)]);
        }
        client.close(Some(CloseFrame { code: CloseCode::Away, reason: "bye".into() })).unwrap();
        expected.push(Kept::Close(Some((1001, "bye".to_owned()))));

        let sent = std::mem::take(&mut client.get_mut().outbound);
        prop_assert_eq!(decode_in_reads(&mut Decoder::new(LIMITS, None), &sent, n_bytes), (expected, None));
    }

    #[test]
    fn what_we_send_is_read_by_tungstenite(
        word: String,
        bytes in bulk(),
        ping in prop::collection::vec(any::<u8>(), 0..125),
        reason: String,
    ) {
        let sent = [
            frame(Opcode::Text, word.as_bytes()),
            frame(Opcode::Binary, &bytes),
            frame(Opcode::Ping, &ping),
            frame(Opcode::Pong, &ping),
            close_frame(3000, &reason),
        ];
        let pipe = Pipe { inbound: io::Cursor::new(sent.concat()), ..Pipe::default() };
        let mut client = WebSocket::from_raw_socket(pipe, Role::Client, None);
        prop_assert_eq!(client.read().unwrap(), Message::text(word));
        prop_assert_eq!(client.read().unwrap(), Message::binary(bytes));
        prop_assert_eq!(client.read().unwrap(), Message::Ping(ping.clone().into()));
        prop_assert_eq!(client.read().unwrap(), Message::Pong(ping.into()));
        let Message::Close(Some(close)) = client.read().unwrap() else { panic!("close frame expected") };
        prop_assert_eq!(u16::from(close.code), 3000);
        prop_assert!(reason.starts_with(close.reason.as_str()));
        prop_assert!(close.reason.len() == reason.len() || close.reason.len() > 119);
    }

    #[test]
    fn compressed_frames_inflate_to_what_went_in(
        parts in prop::collection::vec(prop_oneof!["[ab]{0,3000}", ".{0,50}"].prop_map(Bytes::from), 0..4),
        level in 0..11_u32,
    ) {
        let slices: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
        let mut compressor = Compressor::new(level);
        let first = compressor.frame(Opcode::Text, &slices);
        prop_assert_eq!(&first, &compressor.frame(Opcode::Text, &slices), "nothing is kept between messages");
        prop_assert_eq!(super::deflate::tests::payload_of(&first), slices.concat());
    }

    #[test]
    fn any_extension_header_gets_an_answer(value in prop_oneof![
        any::<String>(),
        "(permessage-deflate|[ ;,=\"\\\\a]|(server|client)_(max_window_bits|no_context_takeover)|1|5){0,20}",
    ]) {
        // Nothing to compare with but the rule that nobody gets what was not offered.
        if let Ok(Some(_)) = negotiate([value.as_str()]) {
            prop_assert!(value.contains("permessage-deflate"));
        }
    }
}

/// Both ends of a connection in memory.
#[derive(Default)]
struct Pipe {
    inbound: io::Cursor<Vec<u8>>,
    outbound: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inbound.read(buf)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.outbound.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
