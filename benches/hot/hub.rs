//! Fan-out and outboxes.

use std::hint::black_box;
use std::io;

use actix::System;
use greenroom::hot::{Crowd, Outbox};
use greenroom::testing::Client;

use super::journeys::{ROOM, peers, prepare, server};
use super::{Piece, long, packets, piece, repeat};

pub(super) const PIECES: &[Piece] = &[
    long(
        "fan_out_1000",
        "a packet for a room of 1000 on one worker, into their outboxes; and the outboxes emptied",
        fan_out,
    ),
    piece(
        "outbox_1",
        "a packet into an outbox, its frame made, and written to a TCP connection",
        |times| outbox(times, 1),
    ),
    piece(
        "outbox_10",
        "ten packets into an outbox, and written at once",
        |times| outbox(times, 10),
    ),
];

/// How often a name of a room is compared with others of the same hash is different in each run: among this many that is little.
const N_MEMBERS: usize = 1000;

fn fan_out(times: usize) {
    let (system, server) = (System::new(), server());
    let _members = prepare(&system, async {
        let mut members = Vec::new();
        for _ in 0..N_MEMBERS {
            let member = Client::connect(&server).await;
            members.push(member.map_err(io::Error::other)?);
        }
        Ok(members)
    });
    let crowd = Crowd::new(&server, ROOM, packets::event(None));
    crowd.fan_out();
    assert_eq!(crowd.empty(), N_MEMBERS);
    repeat(times, || {
        crowd.fan_out();
        crowd.empty()
    });
}

fn outbox(times: usize, n_packets: usize) {
    let (system, server) = (System::new(), server());
    let mut outbox = prepare(&system, async {
        let _peer = peers(&server, 1).await?;
        Outbox::take(&server).await
    });
    let packet = packets::event(None);
    let mut received = vec![0; packets::frame_of(&packet).len() * n_packets];
    repeat(times, || {
        for _ in 0..n_packets {
            assert!(outbox.push(black_box(&packet).clone()));
        }
        assert!(outbox.drain());
        outbox.peer().take(&mut received)
    });
}
