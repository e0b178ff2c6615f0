//! A connection of our own listener, as long as it asks for what is ours: polls, handshakes, WebSockets.
//!
//! Of a poll, half of what the process does was the HTTP server's; so the listener reads the requests that every client
//! sends itself, and answers them. With the first one that is not for us, or not plain (a body in chunks, a head that comes in pieces,
//! HTTP/1.0, …), the connection is handed on to actix-http, with everything that was read and not answered, and stays there.
//! Nothing of HTTP is decided twice: what we do not understand at once is not ours.

mod handed_on;
mod head;
mod wire;

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use actix_rt::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, Sleep};

pub(super) use handed_on::HandedOn;
pub(crate) use head::Head;
use wire::{Incoming, Wire};

use super::arrivals::Arrivals;
use super::reply::Reply;
use super::request::Facts;
use super::{Endpoint, engine, upgrade};
use crate::carrier::{Direct, direct};

/// How long a connection is kept that has been answered and asks for nothing, as in Node.
const KEPT_IDLE: Duration = Duration::from_secs(5);

/// What one is told that does not send a request in time.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What the connections of one worker have in common.
pub(super) struct Front {
    pub(super) endpoints: Rc<[Endpoint]>,
    pub(super) arrivals: Arrivals,
    /// How long a client may be silent before it is gone.
    pub(super) heartbeat: Duration,
    /// Said when connections that nobody uses have to end.
    pub(super) ends: Rc<Ends>,
}

/// The end of a worker.
#[derive(Debug, Default)]
pub(super) struct Ends {
    has_come: Cell<bool>,
    said: Notify,
}

impl Ends {
    /// That of this worker, which comes when `end` does.
    pub(super) fn heard_by(end: impl Future<Output = ()> + 'static) -> Rc<Self> {
        let ends = Rc::new(Self::default());
        let said = Rc::clone(&ends);
        actix_rt::spawn(async move {
            end.await;
            said.has_come.set(true);
            said.said.notify_waiters();
        });
        ends
    }
}

/// What is there when a connection was waited for.
enum Waited {
    Bytes,
    /// It has ended, or has to.
    End,
    Late,
}

impl Front {
    /// Answers what is ours. `None`: the connection has ended, or is a WebSocket now.
    pub(super) async fn serve(
        &self,
        stream: TcpStream,
        peer: Option<SocketAddr>,
    ) -> Option<HandedOn> {
        let mut silent = Some(self.arrivals.admit(&stream)?);
        direct::prepare(&stream, self.heartbeat);
        let wire = Wire::new(Direct::new(stream));
        let mut patience = self.arrivals.patience();
        let mut sleep = pin!(tokio::time::sleep(patience));
        let mut ended = pin!(self.ends.said.notified());
        loop {
            if wire.input.borrow().is_empty() {
                let waited = self.wait(&wire, sleep.as_mut(), ended.as_mut(), patience);
                match waited.await {
                    Waited::Bytes => {}
                    Waited::Late if silent.is_some() => {
                        wire.stream.end(vec![TOO_LATE.into()], false);
                        return None;
                    }
                    Waited::End | Waited::Late => return None,
                }
            }
            let is_ours = |path: &str, is_upgrade| self.is_ours(path, is_upgrade);
            let Some(head) = Head::take(&mut wire.input.borrow_mut(), is_ours) else {
                let input = wire.input.take();
                return Some(HandedOn::new(wire.stream.into_stream()?, input, silent));
            };
            if let Some(silent) = silent.take() {
                silent.has_spoken();
            }
            let facts = Facts::of_head(&head, peer);
            if head.is_upgrade {
                let early = wire.input.take().to_vec();
                upgrade::taken_over(&self.endpoints, head.path(), &facts, wire.stream, early).await;
                return None;
            }
            let endpoint = Endpoint::at(&self.endpoints, head.path())?;
            let unread = Cell::new(head.content_length);
            let mut reply = answer(&wire, &facts, endpoint, &unread).await?;
            let is_body_unread = !wire.skip(unread.get());
            reply.is_last |= head.is_last || is_body_unread;
            let is_last = reply.is_last;
            let left = wire.write(reply).ok()?;
            if is_last {
                wire.stream.end(left.into(), is_body_unread);
                return None;
            }
            if !left.is_empty() {
                let written = tokio::time::timeout(self.heartbeat, wire.write_rest(left));
                written.await.ok()?.ok()?;
            }
            patience = KEPT_IDLE;
        }
    }

    fn is_ours(&self, path: &str, is_upgrade: bool) -> bool {
        Endpoint::at(&self.endpoints, path).is_some()
            || is_upgrade && upgrade::is_raw(&self.endpoints, path)
    }

    /// Waits for what a client sends next.
    // Hot: the timer is only set anew when it has run out; until then it is too early, and looks again.
    async fn wait(
        &self,
        wire: &Wire,
        mut sleep: Pin<&mut Sleep>,
        mut ended: Pin<&mut Notified<'_>>,
        patience: Duration,
    ) -> Waited {
        let mut deadline = None;
        poll_fn(|cx| {
            match wire.poll_fill(cx) {
                Poll::Ready(Ok(true)) => return Poll::Ready(Waited::Bytes),
                Poll::Ready(_) => return Poll::Ready(Waited::End),
                Poll::Pending => {}
            }
            if self.ends.has_come.get() || ended.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Waited::End);
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
            if sleep.deadline() > deadline {
                sleep.as_mut().reset(deadline);
            }
            while sleep.as_mut().poll(cx).is_ready() {
                if Instant::now() >= deadline {
                    return Poll::Ready(Waited::Late);
                }
                sleep.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

/// The answer of the engine; `None` if the client has gone before it is there.
async fn answer(
    wire: &Wire,
    facts: &Facts<'_>,
    endpoint: &Endpoint,
    unread: &Cell<usize>,
) -> Option<Reply> {
    let body = Incoming { wire, left: unread };
    let mut answered = pin!(engine::serve(facts, body, endpoint));
    poll_fn(|cx| {
        if let Poll::Ready(reply) = answered.as_mut().poll(cx) {
            return Poll::Ready(Some(reply));
        }
        // As long as there is a body, who reads it sees the end.
        if unread.get() == 0 && wire.poll_gone(cx).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}
