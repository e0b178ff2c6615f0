//! Packets of Socket.IO: what came into events, what is sent into packets.

use std::hint::black_box;

use bytes::Bytes;
use greenroom::protocol::engineio::{self, Data, ProtocolVersion};
use greenroom::protocol::socketio::{Args, Binary, Decoder, Dialect, Encoded, Limits, Packet};
use greenroom::protocol::websocket::{self, Opcode};

use super::{Piece, piece, repeat};

pub(super) const PIECES: &[Piece] = &[
    piece(
        "event_decode",
        "the text of an event that wants an ack (74 bytes), from the frame to owned arguments",
        |times| decode(times, &event(Some(7)), Dialect::Json),
    ),
    piece(
        "event_decode_binary",
        "an event with 256 bytes of binary: its text, then the attachment",
        |times| decode(times, &binary_event(), Dialect::Json),
    ),
    piece(
        "event_decode_msgpack",
        "the first event, of a client with the msgpack parser",
        |times| {
            let event = Dialect::Msgpack.event("/", Some(7), NAME, &args());
            decode(times, &event, Dialect::Msgpack);
        },
    ),
    piece(
        "args_parse",
        "its arguments into a struct of two strings",
        parse,
    ),
    piece(
        "args_from_values",
        "the same struct into arguments",
        |times| {
            let said = said();
            repeat(times, || Args::from_values(black_box(&said)));
        },
    ),
    piece(
        "event_encode",
        "an event from arguments, once for all who get it",
        |times| {
            encode(times, Dialect::Json);
        },
    ),
    piece(
        "event_encode_msgpack",
        "the same for clients with the msgpack parser",
        |times| encode(times, Dialect::Msgpack),
    ),
    piece(
        "ack_encode",
        "the answer to an event: from a value to a packet",
        |times| {
            repeat(times, || {
                let args = Args::from_values(black_box("ok")).unwrap_or_default();
                Dialect::Json.ack("/", black_box(7), &args)
            });
        },
    ),
];

pub(super) const NAME: &str = "message";

/// What people say to each other in a chat.
#[derive(serde::Deserialize, serde::Serialize)]
pub(super) struct Said {
    room: String,
    text: String,
}

fn said() -> Said {
    Said {
        room: "general".to_owned(),
        text: "hello there, how are you today?".to_owned(),
    }
}

pub(super) fn args() -> Args {
    let args = Args::from_values(&said());
    args.expect("texts can be serialized")
}

/// `427["message",{"room":"general","text":"hello there, how are you today?"}]`
pub(super) fn event(id: Option<u64>) -> Encoded {
    Dialect::Json.event("/", id, NAME, &args())
}

/// The packet as the frame of a server.
pub(super) fn frame_of(packet: &Encoded) -> Bytes {
    let text = packet.engine_text().expect("the dialect is JSON");
    websocket::frame(Opcode::Text, text.as_bytes())
}

fn binary_event() -> Encoded {
    let args = Args::from_values(&("photo.png", Binary::from(vec![7; 256])));
    Dialect::Json.event("/", Some(7), NAME, &args.expect("bytes can be serialized"))
}

fn decode(times: usize, packet: &Encoded, dialect: Dialect) {
    let mut decoder = Decoder::new(dialect);
    let mut again = || -> Option<Packet> {
        let mut whole = None;
        // As a session does: what the frame says is copied once.
        if let Some(text) = black_box(packet).engine_text() {
            let Ok(packet) = engineio::decode_text(ProtocolVersion::V4, text) else {
                return None;
            };
            if let Data::Text(text) = packet.data {
                whole = decoder.text(text, &Limits::DEFAULT).ok()?;
            }
        }
        for bytes in black_box(packet).binaries() {
            let bytes = Bytes::copy_from_slice(bytes);
            whole = decoder.binary(bytes, &Limits::DEFAULT).ok()?;
        }
        whole
    };
    assert!(again().is_some(), "it is a packet");
    repeat(times, again);
}

fn parse(times: usize) {
    let args = args();
    repeat(times, || black_box(&args).first::<Said>());
}

fn encode(times: usize, dialect: Dialect) {
    let args = args().to_dialect(dialect);
    repeat(times, || dialect.event("/", None, black_box(NAME), &args));
}
