//! Whole ways through a server, from the bytes that a client sends to the bytes that clients get, over TCP and on one thread.

use std::hint::black_box;
use std::io;

use actix::SystemRunner;
use greenroom::hot::Peer;
use greenroom::prelude::*;
use greenroom::protocol::socketio::{Dialect, Encoded};
use serde::{Deserialize, Serialize};

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
const WHISPER: &str = "whisper";
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

/// Said to the room that only its sender is in.
#[derive(Deserialize, Serialize)]
struct Whispered(Said);

impl Handler<On<Whispered>> for Chat {
    type Result = ();

    fn handle(&mut self, on: On<Whispered>, _: &mut Context<Self>) {
        let own = on.socket.namespace().to(on.socket.id());
        own.emit(packets::NAME, on.args);
    }
}

/// A server with that handler.
pub(super) fn server() -> Server {
    let chat = per_worker(Chat::default)
        .on_connect()
        .on::<Said>(packets::NAME)
        .on::<Whispered>(WHISPER);
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
    let mut clients = Clients::new(prepare(&system, peers(&server, 1)));
    repeat_on(&system, times, async || clients.ask().await);
}

fn broadcast(times: usize) {
    let (system, server) = (System::new(), server());
    let mut clients = Clients::new(prepare(&system, peers(&server, N_PEERS + 1)));
    repeat_on(&system, times, async || clients.speak().await);
}

/// Clients of a worker: one that asks and speaks, and others that hear.
pub(super) struct Clients {
    first: Peer,
    others: Vec<Peer>,
    question: Vec<u8>,
    speech: Vec<u8>,
    whisper: Vec<u8>,
    expected: Vec<u8>,
    received: Vec<u8>,
}

impl Clients {
    /// Of `peers`, of which there is at least one.
    pub(super) fn new(mut peers: Vec<Peer>) -> Self {
        let speech = packets::event(None);
        let expected = packets::frame_of(&speech);
        Self {
            first: peers.remove(0),
            others: peers,
            question: sent(&packets::event(Some(7))),
            speech: sent(&speech),
            whisper: sent(&Dialect::Json.event("/", None, WHISPER, &packets::args())),
            received: vec![0; expected.len()],
            expected: expected.to_vec(),
        }
    }

    /// An event whose ack comes back.
    pub(super) async fn ask(&mut self) -> io::Result<()> {
        const EXPECTED: &[u8] = b"\x81\x09437[\"ok\"]";
        let mut ack = [0; EXPECTED.len()];
        self.first.send(black_box(&self.question)).await?;
        self.first.receive(&mut ack).await?;
        assert_eq!(ack, EXPECTED);
        Ok(())
    }

    /// An event that comes back by the room of its sender.
    pub(super) async fn whisper(&mut self) -> io::Result<()> {
        self.first.send(black_box(&self.whisper)).await?;
        self.first.receive(&mut self.received).await?;
        assert_eq!(self.received, self.expected);
        Ok(())
    }

    /// An event that the others get.
    pub(super) async fn speak(&mut self) -> io::Result<()> {
        self.first.send(black_box(&self.speech)).await?;
        self.hear().await
    }

    /// All get what one elsewhere has said.
    pub(super) async fn hear_all(&mut self) -> io::Result<()> {
        self.hear().await?;
        self.first.receive(&mut self.received).await
    }

    async fn hear(&mut self) -> io::Result<()> {
        let Self {
            others, received, ..
        } = self;
        // When the first has it, all have it: a hub writes to all in one go.
        let mut others = others.iter_mut();
        if let Some(first) = others.next() {
            first.receive(received).await?;
        }
        for other in others {
            match other.take(received) {
                // The kernel may take its time to bring it over.
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    other.receive(received).await?;
                }
                taken => taken?,
            }
        }
        assert_eq!(self.received, self.expected);
        Ok(())
    }
}

/// What has to be there before anything is counted.
pub(super) fn prepare<T>(system: &SystemRunner, task: impl Future<Output = io::Result<T>>) -> T {
    system.block_on(task).expect("the loopback interface works")
}
