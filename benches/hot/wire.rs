//! The wire between the servers of a cluster, and what stands at its ends.

use std::hint::black_box;

use bytes::Bytes;
use greenroom::hot::{Queue, Rooms};
use greenroom::protocol::adapter::{self, Channels, Opts};
use greenroom::protocol::socketio::{Args, Dialect};
use serde_json::json;

use super::{Piece, packets, piece, repeat};

pub(super) const PIECES: &[Piece] = &[
    piece(
        "adapter_encode",
        "an event for a room into what other servers read",
        |times| {
            let (args, opts) = (packets::args(), opts());
            repeat(times, || encode(black_box(&args), &opts));
        },
    ),
    piece(
        "adapter_decode",
        "the same back, arguments left as they are",
        decode,
    ),
    piece(
        "args_to_msgpack",
        "arguments of 250 bytes, nested, from JSON to msgpack",
        |times| transcode(times, Dialect::Json, Dialect::Msgpack),
    ),
    piece("args_to_json", "the same from msgpack to JSON", |times| {
        transcode(times, Dialect::Msgpack, Dialect::Json)
    }),
    piece(
        "room_lookup",
        "which room a channel is of, and whether anybody here is in it, among 1000 rooms",
        lookup,
    ),
    piece(
        "publication_push",
        "a message into the queue of the publisher, and out of it",
        publish,
    ),
];

const ROOM: &str = "general";

fn opts() -> Opts {
    Opts {
        rooms: [ROOM.into()].into_iter().collect(),
        ..Opts::default()
    }
}

fn encode(args: &Args, opts: &Opts) -> Bytes {
    let message = adapter::encode("vFk5GOaQ", "/", packets::NAME, args, opts);
    message.expect("the name is not reserved, and nothing is deep")
}

fn decode(times: usize) {
    let message = encode(&packets::args(), &opts());
    assert!(adapter::decode(&message).is_ok());
    repeat(times, || adapter::decode(black_box(&message)));
}

fn transcode(times: usize, from: Dialect, to: Dialect) {
    let args = Args::from_values(&json!({
        "id": 918_273_645,
        "author": { "id": "u-1027", "name": "Ada Lovelace", "roles": ["admin", "editor"] },
        "text": "the engine might compose elaborate and scientific pieces of music",
        "likes": [17, 2048, 70_000],
        "score": 0.75,
        "pinned": false,
        "parent": null,
        "sent": 1_700_000_000_123_u64,
    }));
    let args = args.expect("JSON can be serialized").to_dialect(from);
    repeat(times, || black_box(&args).to_dialect(to));
}

fn lookup(times: usize) {
    let channels = Channels::new("socket.io", "vFk5GOaQ");
    let rooms = Rooms::default();
    let mut names = Vec::new();
    for n in 0..1000 {
        let room = format!("room-{n}");
        rooms.enter(&room);
        names.push(channels.broadcast("/", Some(&room)));
    }
    // One after the other, since how many steps a lookup takes is different in each run.
    let mut names = names.iter().cycle();
    let mut again = || match channels.room_of("/", black_box(names.next()?)) {
        Some(adapter::Target::Room(room)) => Some(rooms.may_have(room)),
        _ => None,
    };
    assert_eq!(again(), Some(true));
    repeat(times, again);
}

fn publish(times: usize) {
    let queue = Queue::default();
    let message = encode(&packets::args(), &opts());
    repeat(times, || {
        queue.push(black_box("socket.io#/#general#"), message.clone());
        queue.take()
    });
}
