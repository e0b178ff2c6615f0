//! What HTTP long-polling has more: payloads and query strings.

use std::hint::black_box;

use bytes::Bytes;
use greenroom::hot;
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
    piece(
        "request_head",
        "the head of a poll, of a browser, into its parts",
        |times| repeat(times, || hot::request_head(black_box(HEAD))),
    ),
    piece(
        "reply_head",
        "the head of the response to a poll",
        |times| {
            let (body, mut out) = (Bytes::from_static(b"2"), Vec::with_capacity(1024));
            repeat(times, || {
                out.clear();
                hot::reply_head(black_box(&mut out), &body);
            });
        },
    ),
    piece("query_parse", "the query string of a poll", |times| {
        let query = "EIO=4&transport=polling&t=PrGxlmT&sid=lv_VI97HAXpY6yYWAAAC";
        repeat(times, || {
            black_box(Query::parse(black_box(query)).sid().is_some())
        });
    }),
];

const N_PACKETS: usize = 4;

const HEAD: &[u8] =
    b"GET /socket.io/?EIO=4&transport=polling&t=PrGxlmT&sid=lv_VI97HAXpY6yYWAAAC HTTP/1.1\r\n\
    Host: chat.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: */*\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\n\
    Referer: https://chat.example.com/\r\n\
    Sec-Fetch-Dest: empty\r\n\
    Sec-Fetch-Mode: cors\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Priority: u=4\r\n\r\n";

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
