//! The shortcut of the mounted carrier: the connection itself, past actix-web.
//!
//! A response body has its frames fetched, copied and written by actix-http, a task and a system call for each client. A second
//! descriptor of the same connection lets the hub write them as those of the direct carrier are. actix-web gives us
//! the stream for a moment only, when it has accepted it, so the descriptor is made then.
//!
//! What is in actix-http's buffer nobody can see. So the shortcut is [opened](Shortcut::open) only when the client has
//! said something over the WebSocket: then it has the response, and all that can still be in that buffer is what the
//! body was given since. That has to be less than the smallest send buffer takes, and the body is empty: so it has
//! been written. When the connection does not take all, the rest goes to the body, and so does all that follows.

use std::io;
#[cfg(unix)]
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use actix_rt::net::TcpStream;
use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use socket2::{SockRef, Socket};

use super::Send;

/// What the body may have been given before: the first packet, or the answer to a probe.
const MAX_BEFORE_BYTES: usize = 1024;

/// What is kept with a connection of actix-web.
struct Kept(Arc<Socket>);

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Shortcut {
    socket: Arc<Socket>,
    state: AtomicU8,
}

const WAITING: u8 = 0;
const OPEN: u8 = 1;
const OVER: u8 = 2;

/// Keeps a second descriptor of a connection that actix-web has accepted, as long as the process has not half of those that
/// it may have: they take no place from connections.
pub(crate) fn keep(stream: &TcpStream, data: &mut Extensions) {
    if !has_room(stream) {
        return;
    }
    match SockRef::from(stream).try_clone() {
        Ok(socket) => drop(data.insert(Kept(Arc::new(socket)))),
        Err(err) => log::debug!("a connection is written to by actix-web alone err={err}"),
    }
}

/// Descriptors are given out from the lowest: that of a new connection says how many there are.
#[cfg(unix)]
fn has_room(stream: &TcpStream) -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let n_open = u64::try_from(stream.as_raw_fd()).unwrap_or(u64::MAX);
    limit.is_none_or(|limit| n_open < limit / 2)
}

#[cfg(not(unix))]
const fn has_room(_: &TcpStream) -> bool {
    true
}

impl Shortcut {
    /// That of the connection of a request, if its server keeps them.
    pub(crate) fn of(request: &HttpRequest) -> Option<Self> {
        let Kept(socket) = request.conn_data()?;
        Some(Self {
            socket: Arc::clone(socket),
            state: AtomicU8::new(WAITING),
        })
    }

    /// The client has said something; the body was given so many bytes, all of which were taken. `false` if it was
    /// too early.
    pub(super) fn open(&self, n_before: usize, is_taken: bool) -> bool {
        if n_before > MAX_BEFORE_BYTES {
            self.end();
        } else if is_taken && self.state.load(Ordering::Relaxed) == WAITING {
            self.state.store(OPEN, Ordering::Relaxed);
        }
        self.state.load(Ordering::Relaxed) != WAITING
    }

    /// Nothing is written here any more.
    pub(super) fn end(&self) {
        self.state.store(OVER, Ordering::Relaxed);
    }

    /// Whether it may be written to.
    pub(super) fn is_open(&self) -> bool {
        self.state.load(Ordering::Relaxed) == OPEN
    }

    /// One write, as much as the connection takes now.
    ///
    /// # Errors
    /// It takes nothing now (`WouldBlock`), or is broken.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(bytes)
    }

    /// One write of a batch.
    pub(super) fn send<'a>(&'a self, bytes: &'a [u8]) -> Send<'a> {
        Send::new(&*self.socket, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Shortcut {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        Shortcut {
            socket: Arc::new(socket.into()),
            state: AtomicU8::new(WAITING),
        }
    }

    #[test]
    fn it_opens_once_nothing_can_be_left_before_it() {
        let shortcut = waiting();
        assert!(!shortcut.is_open());
        assert!(!shortcut.open(MAX_BEFORE_BYTES, false), "too early");
        assert!(!shortcut.is_open());
        assert!(shortcut.open(MAX_BEFORE_BYTES, true));
        assert!(shortcut.is_open());
    }

    #[test]
    fn it_stays_closed_after_what_may_not_have_been_written() {
        let shortcut = waiting();
        assert!(shortcut.open(MAX_BEFORE_BYTES + 1, true), "it is decided");
        assert!(!shortcut.is_open());
        assert!(shortcut.open(0, true), "for ever");
        assert!(!shortcut.is_open());
    }

    #[test]
    fn it_ends_for_ever() {
        let shortcut = waiting();
        assert!(shortcut.open(0, true));
        shortcut.end();
        assert!(shortcut.open(0, true));
        assert!(!shortcut.is_open());
    }
}
