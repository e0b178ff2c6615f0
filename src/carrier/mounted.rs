//! The mounted carrier: a WebSocket inside anybody's actix-web `App`.
//!
//! `actix_web_actors` answers the handshake; its codec is not used, because it hides the reserved bits
//! (so no permessage-deflate) and leaves fragments unjoined. The response body is nothing but the
//! outbox: no actor runs inside it, so a client that stops reading freezes nothing of ours. A client that
//! reads gets its frames past the body where that is possible (`shortcut`).

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use actix_web::{HttpRequest, HttpResponseBuilder};
use actix_web_actors::ws;
use bytes::Bytes;
use futures_util::Stream;
use parking_lot::{Mutex, MutexGuard};

use super::Shortcut;

/// Frames on their way from a hub to a response body that may be polled on another worker.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// The way past the body, if there is one.
    shortcut: Option<Shortcut>,
    state: Mutex<State>,
    /// Told whenever the body has taken what was there, or is gone.
    taken: tokio::sync::Notify,
    /// Kept beside the lock so that the hub can ask for the backlog without it.
    queued_bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Bytes>,
    /// How much the body was given since the beginning.
    n_bytes: usize,
    waker: Option<Waker>,
    closed: bool,
}

impl Outlet {
    pub(crate) fn new(shortcut: Option<Shortcut>) -> Self {
        Self {
            shortcut,
            ..Self::default()
        }
    }

    /// The client has said something over this connection: from now on what it gets may go past the body. `false` if it
    /// is too early for that.
    pub(crate) fn open_shortcut(&self) -> bool {
        self.shortcut.as_ref().is_none_or(|shortcut| {
            let state = self.state.lock();
            shortcut.open(state.n_bytes, self.is_empty())
        })
    }

    /// The connection itself, while it takes all that it is given.
    pub(crate) fn shortcut(&self) -> Option<&Shortcut> {
        self.shortcut.as_ref().filter(|shortcut| shortcut.is_open())
    }

    /// Queues frames, and lets the body know.
    // Hot: one lock for all that a client gets in a round.
    pub(crate) fn send(&self, frames: impl IntoIterator<Item = Bytes>) {
        // What follows does not overtake it.
        if let Some(shortcut) = self.shortcut() {
            shortcut.end();
        }
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        let before = state.frames.len();
        state.frames.extend(frames);
        let n_bytes = state.frames.range(before..).map(Bytes::len).sum();
        state.n_bytes += n_bytes;
        self.queued_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        Self::wake(state);
    }

    /// Wakes the body, once nobody looks.
    fn wake(mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until the body has taken everything; `false` if there is no body any more.
    pub(crate) async fn drained(&self) -> bool {
        loop {
            let taken = self.taken.notified();
            if self.state.lock().closed {
                return false;
            }
            if self.is_empty() {
                return true;
            }
            taken.await;
        }
    }

    /// The body ends after what is queued.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        Self::wake(state);
    }

    /// The body ends at once: what is queued is for nobody.
    pub(crate) fn abort(&self) {
        let mut state = self.state.lock();
        state.frames.clear();
        state.closed = true;
        self.queued_bytes.store(0, Ordering::Relaxed);
        Self::wake(state);
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued_bytes() == 0
    }
}

/// The response body: everything that is queued, in one chunk per poll.
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Arc<Outlet>);

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.state.lock();
        let chunk = match state.frames.len() {
            0 if state.closed => return Poll::Ready(None),
            0 => {
                if state
                    .waker
                    .as_ref()
                    .is_none_or(|waker| !waker.will_wake(cx.waker()))
                {
                    state.waker = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
            1 => state.frames.pop_front().unwrap_or_default(),
            _ => {
                let mut joined = Vec::with_capacity(self.0.queued_bytes());
                state
                    .frames
                    .drain(..)
                    .for_each(|frame| joined.extend_from_slice(&frame));
                joined.into()
            }
        };
        self.0
            .queued_bytes
            .fetch_sub(chunk.len(), Ordering::Relaxed);
        drop(state);
        self.0.taken.notify_one();
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(shortcut) = &self.0.shortcut {
            shortcut.end();
        }
        let mut state = self.0.state.lock();
        state.closed = true;
        state.frames.clear();
        self.0.queued_bytes.store(0, Ordering::Relaxed);
        self.0.taken.notify_one();
    }
}

/// The answer to an upgrade request (101 with `Sec-WebSocket-Accept`), to which the caller adds headers
/// and [`Body`].
///
/// # Errors
/// The request is no WebSocket handshake of version 13.
pub(crate) fn handshake(request: &HttpRequest) -> Result<HttpResponseBuilder, ws::HandshakeError> {
    ws::handshake(request)
}
