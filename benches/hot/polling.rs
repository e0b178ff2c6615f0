//! What HTTP long-polling has more: payloads and query strings.

use std::hint::black_box;

use greenroom::protocol::engineio::{Body, PayloadEncoder, ProtocolVersion, Query, decode_payload};

use super::{Piece, packets, piece, repeat};

pub(super) const PIECES: &[Piece] = &[
    piece(
        "payload_decode",
        "the body of a POST into its four packets",
        decode,
    ),
    piece(
        "payload_encode",
        "four packets into the answer to a poll",
        encode,
    ),
    piece("query_parse", "the query string of a poll", |times| {
        let query = "EIO=4&transport=polling&t=PrGxlmT&sid=lv_VI97HAXpY6yYWAAAC";
        repeat(times, || {
            black_box(Query::parse(black_box(query)).sid().is_some())
        });
    }),
];

const N_PACKETS: usize = 4;

fn packet() -> String {
    let packet = packets::event(None);
    packet
        .engine_text()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn decode(times: usize) {
    let body = [&*packet(); N_PACKETS].join("\x1e");
    let again = || {
        let packets = decode_payload(ProtocolVersion::V4, Body::Text(black_box(&body)), 16);
        packets.filter_map(|packet| black_box(packet).ok()).count()
    };
    assert_eq!(again(), N_PACKETS);
    repeat(times, again);
}

fn encode(times: usize) {
    let packet = packet();
    repeat(times, || {
        let mut payload = PayloadEncoder::new(ProtocolVersion::V4, false, usize::MAX);
        for _ in 0..N_PACKETS {
            let _ = payload.push_text(black_box(&packet));
        }
        payload.finish()
    });
}
