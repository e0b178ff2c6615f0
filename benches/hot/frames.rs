//! Frames of WebSockets.

use std::hint::black_box;

use greenroom::protocol::websocket::{Decoder, Incoming, Limits, Opcode, frame};

use super::{Piece, piece, repeat};

pub(super) const PIECES: &[Piece] = &[
    piece(
        "frame_decode_64",
        "a masked text frame of 64 bytes into its text",
        |times| decode(times, &"a".repeat(64)),
    ),
    piece("frame_decode_1k", "the same of 1024 bytes", |times| {
        decode(times, &"a".repeat(1024));
    }),
    piece(
        "frame_decode_1k_utf8",
        "the same of 1024 bytes, no character of which is ASCII",
        |times| decode(times, &"ä".repeat(512)),
    ),
    piece(
        "frame_decode_fragments",
        "a text of 64 bytes in two masked fragments, put together",
        fragments,
    ),
    piece(
        "frame_encode_64",
        "64 bytes of text into a frame",
        |times| encode(times, 64),
    ),
    piece(
        "frame_encode_1k",
        "1024 bytes of text into a frame",
        |times| encode(times, 1024),
    ),
];

/// Decodes frames that lie whole in the input, which is written anew each time because it is unmasked where it lies.
fn decode(times: usize, text: &str) {
    decode_all(times, &masked(0x81, text.as_bytes()), text);
}

fn fragments(times: usize) {
    let text = "a".repeat(64);
    let (first, second) = text.as_bytes().split_at(32);
    let frames = [masked(0x01, first), masked(0x80, second)].concat();
    decode_all(times, &frames, &text);
}

fn decode_all(times: usize, frames: &[u8], text: &str) {
    let mut decoder = Decoder::new(LIMITS, None);
    let mut input = frames.to_vec();
    let mut again = || {
        input.copy_from_slice(black_box(frames));
        let (mut at, mut n_bytes) = (0, 0);
        // As a reader does: until there is nothing left.
        loop {
            let mut consumed = 0;
            match decoder.decode(&mut input[at..], &mut consumed) {
                Ok(Some(Incoming::Text(text))) => n_bytes += black_box(text).len(),
                Ok(_) => return n_bytes,
                Err(err) => panic!("{err}"),
            }
            at += consumed;
        }
    };
    assert_eq!(again(), text.len());
    repeat(times, again);
}

fn encode(times: usize, n_bytes: usize) {
    let text = "a".repeat(n_bytes);
    repeat(times, || frame(Opcode::Text, black_box(text.as_bytes())));
}

const LIMITS: Limits = Limits {
    max_message_bytes: 1_000_000,
    max_fragments: 0,
};

/// A frame as clients send them, of at most 65,535 bytes.
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(len @ ..=125) => frame.push(0x80 | len),
        _ => {
            let len = u16::try_from(payload.len()).expect("frames of benches are short");
            frame.push(0x80 | 126);
            frame.extend_from_slice(&len.to_be_bytes());
        }
    }
    frame.extend_from_slice(&KEY);
    let bytes = payload.iter().zip(KEY.iter().cycle());
    frame.extend(bytes.map(|(byte, key)| byte ^ key));
    frame
}
