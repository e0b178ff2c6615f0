//! Whole ways through a server, from the bytes that a client sends to the bytes that clients get, over TCP and on one thread.

use std::hint::black_box;
use std::io;

use actix::SystemRunner;
use greenroom::hot::Peer;
use greenroom::prelude::*;
use greenroom::protocol::socketio::Encoded;

use super::frames::masked;
use super::packets::{self, Said};
use super::{Piece, long, repeat_on};

pub(super) const PIECES: &[Piece] = &[
    long(
        "event_and_ack",
        "an event from the socket through a handler, which reads its arguments, to the ack on the socket",
        event_and_ack,
    ),
    long(
        "broadcast_to_100",
        "an event from the socket through a handler, which sends it to a room, to the sockets of 100 others",
        broadcast,
    ),
];

pub(super) const ROOM: &str = "general";
const N_PEERS: usize = 100;

/// The handler.
#[derive(Default)]
struct Chat;

impl Actor for Chat {
    type Context = Context<Self>;
}

impl Handler<Connect> for Chat {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        socket.join(ROOM);
        Ok(())
    }
}

impl Handler<On<Said>> for Chat {
    type Result = ();

    fn handle(&mut self, on: On<Said>, _: &mut Context<Self>) {
        if on.ack.is_wanted() {
            on.ack.send("ok");
        } else {
            on.socket.to(ROOM).emit(packets::NAME, on.args);
        }
    }
}

/// A server with that handler.
pub(super) fn server() -> Server {
    let chat = per_worker(Chat::default)
        .on_connect()
        .on::<Said>(packets::NAME);
    let server = Server::builder().namespace("/", chat).build();
    server.expect("the defaults are a configuration")
}

/// Clients that are in the room, on this thread.
pub(super) async fn peers(server: &Server, n_peers: usize) -> io::Result<Vec<Peer>> {
    let mut peers = Vec::new();
    for _ in 0..n_peers {
        let mut peer = Peer::open(server).await?;
        peer.send(&masked(0x81, b"40")).await?;
        while !next(&mut peer).await?.starts_with(b"40") {}
        peers.push(peer);
    }
    Ok(peers)
}

/// What the next frame says; those at the beginning are short or medium.
async fn next(peer: &mut Peer) -> io::Result<Vec<u8>> {
    let mut header = [0; 2];
    peer.receive(&mut header).await?;
    let mut n_bytes = u16::from(header[1]);
    if n_bytes > 125 {
        peer.receive(&mut header).await?;
        n_bytes = u16::from_be_bytes(header);
    }
    let mut payload = vec![0; n_bytes.into()];
    peer.receive(&mut payload).await?;
    Ok(payload)
}

/// A packet as the frame of a client.
fn sent(packet: &Encoded) -> Vec<u8> {
    let text = packet.engine_text().expect("the dialect is JSON");
    masked(0x81, text.as_bytes())
}

fn event_and_ack(times: usize) {
    let (system, server) = (System::new(), server());
    let mut peer = prepare(&system, peers(&server, 1)).remove(0);
    let event = sent(&packets::event(Some(7)));
    let expected = b"\x81\x09437[\"ok\"]";
    let mut ack = [0; 2 + 9];
    repeat_on(&system, times, async || {
        peer.send(black_box(&event)).await?;
        peer.receive(&mut ack).await?;
        assert_eq!(&ack, expected);
        io::Result::Ok(())
    });
}

fn broadcast(times: usize) {
    let (system, server) = (System::new(), server());
    let mut others = prepare(&system, peers(&server, N_PEERS + 1));
    let mut sender = others.remove(0);
    let event = packets::event(None);
    let (event, expected) = (sent(&event), packets::frame_of(&event));
    let mut received = vec![0; expected.len()];
    repeat_on(&system, times, async || {
        sender.send(black_box(&event)).await?;
        // When the first has it, all have it: a hub writes to all in one go.
        let mut others = others.iter_mut();
        if let Some(first) = others.next() {
            first.receive(&mut received).await?;
        }
        for other in others {
            other.take(&mut received)?;
        }
        assert_eq!(received, expected);
        io::Result::Ok(())
    });
}

/// What has to be there before anything is counted.
pub(super) fn prepare<T>(system: &SystemRunner, task: impl Future<Output = io::Result<T>>) -> T {
    system.block_on(task).expect("the loopback interface works")
}
