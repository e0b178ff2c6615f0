//! The direct carrier: a TCP stream that was taken over from the HTTP server after the handshake.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt::net::TcpStream;
use bytes::Bytes;
use socket2::SockRef;
use tokio::io::Interest;

use super::{Send, Written, outgoing};

/// How much one read takes at most. Larger messages arrive in several reads.
const SCRATCH_BYTES: usize = 64 * 1024;
/// How long a connection that we ended may take to send what is left and to end its side.
const LINGER: Duration = Duration::from_secs(5);

thread_local! {
    /// One buffer per worker instead of one per connection: an idle connection holds none.
    static SCRATCH: RefCell<Option<Box<[u8]>>> = const { RefCell::new(None) };
}

/// A stream that this worker reads (from the session's task) and writes (from the hub).
#[derive(Debug)]
pub(crate) struct Direct(TcpStream);

/// What a read brought.
pub(crate) enum Chunk {
    /// The buffer of this worker and how much of it is filled. Give it back with [`give_back`].
    Bytes(Box<[u8]>, usize),
    /// The peer has ended its side.
    End,
}

impl Direct {
    pub(crate) fn new(stream: TcpStream) -> Rc<Self> {
        Rc::new(Self(stream))
    }

    /// Reads once. Ready at once if something is there.
    ///
    /// # Errors
    /// Whatever the socket says; the connection is broken then.
    // Hot: one `recv` per wake-up. A short read empties the socket, so readiness is cleared without the
    // second `recv` that would only answer EAGAIN (0.3 µs of the 7 µs an ack costs).
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>) -> Poll<io::Result<Chunk>> {
        loop {
            std::task::ready!(self.0.poll_read_ready(cx))?;
            let mut buffer = SCRATCH
                .with_borrow_mut(Option::take)
                .unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice());
            let mut read = None;
            let outcome = self.0.try_io(Interest::READABLE, || {
                let n = (&*SockRef::from(&self.0)).read(&mut buffer)?;
                read = Some(n);
                if n > 0 && n < buffer.len() {
                    Err(io::ErrorKind::WouldBlock.into())
                } else {
                    Ok(())
                }
            });
            match (read, outcome) {
                (Some(0), _) => {
                    give_back(buffer);
                    return Poll::Ready(Ok(Chunk::End));
                }
                (Some(n), _) => return Poll::Ready(Ok(Chunk::Bytes(buffer, n))),
                (None, Err(err)) if err.kind() == io::ErrorKind::WouldBlock => give_back(buffer),
                (None, Err(err)) if err.kind() == io::ErrorKind::Interrupted => give_back(buffer),
                (None, Err(err)) => {
                    give_back(buffer);
                    return Poll::Ready(Err(err));
                }
                (None, Ok(())) => give_back(buffer),
            }
        }
    }

    /// Writes what is queued, as much as the socket takes now; `written` is the part of the front
    /// frame that has left already.
    // Hot: one `send`.
    pub(crate) fn write<T>(
        &self,
        queue: &mut VecDeque<T>,
        written: &mut usize,
        frame: impl for<'a> Fn(&'a T) -> Cow<'a, Bytes>,
    ) -> Written {
        outgoing::write(queue, written, frame, |bytes| self.0.try_write(bytes))
    }

    /// One write of a batch.
    pub(crate) fn send<'a>(&'a self, bytes: &'a [u8]) -> Send<'a> {
        Send::new(&self.0, bytes)
    }

    /// Writes a few bytes in front of everything else. They fit into the empty send buffer of a new
    /// connection; `false` if they do not: the peer is not reading, and has been left half a frame.
    #[must_use]
    pub(crate) fn write_now(&self, frames: &[Bytes]) -> bool {
        frames.iter().all(|frame| {
            // Past tokio, which believes that a stream it has just met is not writable yet.
            match SockRef::from(&self.0).send(frame) {
                Ok(n) => n == frame.len(),
                Err(err) => {
                    log::debug!("a control frame was not sent err={err}");
                    false
                }
            }
        })
    }

    /// Writes a few bytes and a few more, as many as the socket takes now: how many that were.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn try_write(&self, first: &[u8], then: &[u8]) -> io::Result<usize> {
        let written = if then.is_empty() {
            self.0.try_write(first)
        } else {
            self.0
                .try_write_vectored(&[IoSlice::new(first), IoSlice::new(then)])
        };
        match written {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    /// The stream, for another owner. `None` if somebody else has it too.
    pub(crate) fn into_stream(self: Rc<Self>) -> Option<TcpStream> {
        Rc::into_inner(self).map(|direct| direct.0)
    }

    /// Waits until the socket takes more.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }

    /// Sends `frames`, ends our side, and waits for the peer to end its own, so that what was sent is
    /// not lost to a reset. Gives up after a few seconds.
    pub(crate) fn end(self: Rc<Self>, frames: Vec<Bytes>, wait_for_peer: bool) {
        let goodbye = Goodbye::new();
        actix_rt::spawn(async move {
            let orderly = async {
                let mut queue = VecDeque::from(frames);
                let mut written = 0;
                while self.write(&mut queue, &mut written, whole) == Written::Some {
                    if self.writable().await.is_err() {
                        return;
                    }
                }
                let _ = SockRef::from(&self.0).shutdown(std::net::Shutdown::Write);
                drop(goodbye);
                if !wait_for_peer {
                    return;
                }
                while let Ok(Chunk::Bytes(buffer, _)) =
                    std::future::poll_fn(|cx| self.poll_read(cx)).await
                {
                    give_back(buffer);
                }
            };
            if tokio::time::timeout(LINGER, orderly).await.is_err() {
                // A peer that reads nothing: whoever waits until it does is woken by the shutdown, and the
                // kernel keeps nothing of what it did not take.
                let socket = SockRef::from(&self.0);
                let _ = socket.set_linger(Some(Duration::ZERO));
                let _ = socket.shutdown(std::net::Shutdown::Both);
            }
        });
    }
}

/// A frame that is there already, for [`Direct::write`].
pub(crate) const fn whole(frame: &Bytes) -> Cow<'_, Bytes> {
    Cow::Borrowed(frame)
}

/// How many connections of the process have ended and were not taken all of their last words yet.
static GOODBYES: AtomicUsize = AtomicUsize::new(0);

/// One of them.
struct Goodbye;

impl Goodbye {
    fn new() -> Self {
        GOODBYES.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        GOODBYES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many clients of the process still have to take what was last said to them.
pub(crate) fn n_goodbyes() -> usize {
    GOODBYES.load(Ordering::Relaxed)
}

/// Returns the buffer of a [`Chunk`] to its worker.
pub(crate) fn give_back(buffer: Box<[u8]>) {
    SCRATCH.with_borrow_mut(|scratch| *scratch = Some(buffer));
}

/// Prepares an accepted stream: small frames leave at once, and a peer that vanished without a word is
/// noticed by the kernel no later than by the heartbeat.
pub(crate) fn prepare(stream: &TcpStream, heartbeat: Duration) {
    // Failure costs latency, not correctness.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(heartbeat));
    #[cfg(not(target_os = "linux"))]
    let _ = heartbeat;
}

/// Answers an accepted stream that nothing has been read from, and ends it.
pub(crate) fn turn_away(stream: &TcpStream, answer: &[u8]) {
    // Past tokio, which does not know yet that there is room. What is left unread would turn the answer into a reset.
    let socket = SockRef::from(stream);
    let _ = socket.recv(&mut [MaybeUninit::uninit(); 4096]);
    let _ = socket.send(answer);
    let _ = socket.shutdown(std::net::Shutdown::Both);
}
