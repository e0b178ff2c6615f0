//! What of the hot path no user of the crate sees, for `benches/`. Behind the feature `_bench`, and no part of the API.

use std::cell::RefCell;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::carrier::{Direct, Written};
use crate::cluster::{Publication, Publications};
use crate::http::{Head, Reply};
use crate::hub::{self, Command, Fanout, Flags, Link, Parcel, Pushed, Seat, Selection};
use crate::locals::Locals;
use crate::namespace::{Handshake, Room};
use crate::protocol::engineio::{ProtocolVersion, Sid};
use crate::protocol::socketio::Encoded;
use crate::server::Server;
use crate::session::{Opening, Session, Wire};

/// A session on a TCP connection, on this thread, and the other end of it.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    /// The same connection, for reads past tokio, whose work is not what is counted.
    past_tokio: std::net::TcpStream,
}

impl Peer {
    /// Opens a session as the direct carrier does behind the handshake of the WebSocket. On an actix system.
    ///
    /// # Errors
    /// The system has no more connections.
    pub async fn open(server: &Server) -> std::io::Result<Self> {
        let (ours, peer) = pair().await?;
        let hub = hub::here(server.shared());
        let handshake = Arc::new(Handshake::of_nobody());
        server.shared().admit_connection(&handshake);
        let sid = Sid::generate(&server.shared().sid_prefix, hub.borrow().index);
        let wire = Wire::Direct {
            stream: Direct::new(ours),
            head: None,
            early: Vec::new(),
            negotiated: None,
        };
        let opening = Opening {
            handshake,
            version: ProtocolVersion::V4,
            sid,
            is_base64: false,
            wire: Some(wire),
        };
        Session::open(&hub, opening);
        Ok(peer)
    }

    /// Sends bytes, which the socket has room for.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Waits for bytes.
    ///
    /// # Errors
    /// The session has ended.
    pub async fn receive(&mut self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.stream.read_exact(bytes).await.map(drop)
    }

    /// Takes bytes that are there.
    ///
    /// # Errors
    /// They are not there.
    pub fn take(&mut self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.past_tokio.read_exact(bytes)
    }
}

/// Both ends of a connection, ready to be written to.
async fn pair() -> std::io::Result<(TcpStream, Peer)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let theirs = TcpStream::connect(listener.local_addr()?).await?;
    let (ours, _) = listener.accept().await?;
    ours.set_nodelay(true)?;
    theirs.set_nodelay(true)?;
    ours.writable().await?;
    let past_tokio = theirs.into_std()?;
    let stream = TcpStream::from_std(past_tokio.try_clone()?)?;
    stream.writable().await?;
    Ok((ours, Peer { stream, past_tokio }))
}

/// A broadcast to all sockets of a room on this thread, and their outboxes.
#[derive(Debug)]
pub struct Crowd {
    hub: Rc<RefCell<hub::Hub>>,
    fanout: Arc<Fanout>,
}

impl Crowd {
    /// What `packet` is to those sockets of this thread that are in `room`. They get nothing else from now on.
    pub fn new(server: &Server, room: &str, packet: Encoded) -> Self {
        let hub = hub::here(server.shared());
        for seat in hub.borrow_mut().seats.values_mut() {
            seat.clear();
            seat.link = Link::Gone;
        }
        let fanout = Arc::new(Fanout {
            nsp: 0,
            selection: Selection {
                rooms: [Room::from(room)].into_iter().collect(),
                ..Selection::default()
            },
            packet,
            flags: Flags::default(),
            acks: None,
            logged: 0,
        });
        Self { hub, fanout }
    }

    /// Puts the packet into the outbox of each.
    pub fn fan_out(&self) {
        let handle = Arc::clone(&self.hub.borrow().handle);
        handle.send(Command::Fanout(Arc::clone(&self.fanout)));
    }

    /// Empties the outboxes; says how many packets were in them.
    pub fn empty(&self) -> usize {
        let mut hub = self.hub.borrow_mut();
        let seats = hub.seats.values_mut();
        seats
            .map(|seat| {
                let (n_packets, _) = seat.queued();
                seat.clear();
                n_packets
            })
            .sum()
    }
}

/// An outbox with a TCP connection behind it.
#[derive(Debug)]
pub struct Outbox {
    seat: Seat,
    peer: Peer,
}

impl Outbox {
    /// Takes the outbox of a session of this thread, which is then of no more use. On an actix system.
    ///
    /// # Errors
    /// The system has no more connections.
    ///
    /// # Panics
    /// There is no session.
    pub async fn take(server: &Server) -> std::io::Result<Self> {
        let (ours, peer) = pair().await?;
        let hub = hub::here(server.shared());
        let mut hub = hub.borrow_mut();
        let key = hub.seats.keys().next();
        let seat = key.and_then(|key| hub.remove_seat(key));
        let mut seat = seat.expect("a session was opened before");
        seat.clear();
        seat.link = Link::Direct(Direct::new(ours));
        Ok(Self { seat, peer })
    }

    /// Queues a packet for this client alone; `false` if there is no room for it.
    pub fn push(&mut self, packet: Encoded) -> bool {
        let parcels = Parcel::of(packet, true);
        let mut parcels = parcels.as_slice().iter();
        parcels.all(|parcel| self.seat.push(Rc::clone(parcel), usize::MAX) == Pushed::Queued)
    }

    /// Writes what is queued; `false` if the connection did not take all of it.
    pub fn drain(&mut self) -> bool {
        self.seat.flush() == Written::All
    }

    /// The other end of the connection.
    pub const fn peer(&mut self) -> &mut Peer {
        &mut self.peer
    }
}

/// The rooms in which a node has members.
#[derive(Debug, Default)]
pub struct Rooms(Locals);

impl Rooms {
    /// Adds a room.
    pub fn enter(&self, room: &str) {
        self.0.entered(0, Room::from(room), 0);
    }

    /// What a message of the cluster is asked before it is decoded.
    #[must_use]
    pub fn may_have(&self, room: &str) -> bool {
        self.0.may_have(0, room)
    }
}

/// What waits to be published.
#[derive(Debug)]
pub struct Queue(Publications);

impl Default for Queue {
    fn default() -> Self {
        Self(Publications::new(usize::MAX))
    }
}

impl Queue {
    /// Queues a message.
    pub fn push(&self, channel: &str, payload: Bytes) {
        let channel = channel.into();
        self.0.push(Publication { channel, payload });
    }

    /// Takes all messages, of which there are some; says how many.
    pub fn take(&self) -> usize {
        let batch = self.0.next(usize::MAX).now_or_never();
        batch.map_or(0, |batch| batch.len())
    }
}

/// Reads the head of a request as our listener does: the length of its path and query; 0 if it does not read it itself.
#[must_use]
pub fn request_head(input: &[u8]) -> usize {
    let head = Head::take(&mut BytesMut::from(input), |_, _| true);
    head.map_or(0, |head| head.target().len())
}

/// Writes the head of the response to a poll behind what is in `out`.
pub fn reply_head(out: &mut Vec<u8>, body: &Bytes) {
    Reply::new(StatusCode::OK)
        .not_stored()
        .body("text/plain; charset=UTF-8", body.clone())
        .write_head(out);
}
