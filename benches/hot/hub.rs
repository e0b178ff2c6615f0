//! Fan-out and outboxes.

use std::hint::black_box;

use actix::System;
use greenroom::hot::{Crowd, Outbox};

use super::journeys::{N_PEERS, ROOM, peers, prepare, server};
use super::{Piece, long, packets, piece, repeat};

pub(super) const PIECES: &[Piece] = &[
    long(
        "fan_out_100",
        "a packet for a room of 100 on one worker, into their outboxes; and the outboxes emptied",
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

fn fan_out(times: usize) {
    let (system, server) = (System::new(), server());
    let _peers = prepare(&system, peers(&server, N_PEERS));
    let crowd = Crowd::new(&server, ROOM, packets::event(None));
    crowd.fan_out();
    assert_eq!(crowd.empty(), N_PEERS);
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
