//! The TCP stream of a connection, and what of it has been read ahead.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use bytes::{Buf, Bytes, BytesMut};
use futures_util::Stream;

use crate::carrier::direct::{Chunk, give_back, whole};
use crate::carrier::{Direct, Written};
use crate::http::reply::Reply;

/// How much is read ahead of the request that is being answered.
const AHEAD_BYTES: usize = 64 * 1024;
/// Up to which size a body is copied behind its head, instead of being handed to the kernel apart.
const COPIED_BYTES: usize = 4096;

thread_local! {
    /// One buffer per worker in which heads are written.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Rc<Direct>,
    pub(super) input: RefCell<BytesMut>,
}

impl Wire {
    pub(super) fn new(stream: Rc<Direct>) -> Self {
        Self {
            stream,
            input: RefCell::default(),
        }
    }

    /// Reads once: whether there was anything.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn poll_fill(&self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match ready!(self.stream.poll_read(cx))? {
            Chunk::End => Poll::Ready(Ok(false)),
            Chunk::Bytes(buffer, n) => {
                self.input.borrow_mut().extend_from_slice(&buffer[..n]);
                give_back(buffer);
                Poll::Ready(Ok(true))
            }
        }
    }

    /// Ready when the client has gone. What it sends meanwhile is kept, as much as may be.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        while self.input.borrow().len() < AHEAD_BYTES {
            if !matches!(ready!(self.poll_fill(cx)), Ok(true)) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Leaves out what is left of a body: whether that was all of it.
    pub(super) fn skip(&self, n_bytes: usize) -> bool {
        let mut input = self.input.borrow_mut();
        let n = input.len().min(n_bytes);
        input.advance(n);
        n == n_bytes
    }

    /// Writes a response, as much as the socket takes: what is left.
    ///
    /// # Errors
    /// The connection is broken.
    // Hot: one system call, and nothing is left unless the client reads slower than it is sent to.
    pub(super) fn write(&self, reply: Reply) -> io::Result<VecDeque<Bytes>> {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            reply.write_head(scratch);
            let mut body = Bytes::new();
            if reply.body.len() <= COPIED_BYTES {
                scratch.extend_from_slice(&reply.body);
            } else {
                body = reply.body;
            }
            let n = self.stream.try_write(scratch, &body)?;
            let head = &scratch[n.min(scratch.len())..];
            let body = body.slice(n.saturating_sub(scratch.len())..);
            let left = [Bytes::copy_from_slice(head), body];
            Ok(left.into_iter().filter(|part| !part.is_empty()).collect())
        })
    }

    /// Writes what was left.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) async fn write_rest(&self, mut left: VecDeque<Bytes>) -> io::Result<()> {
        let mut written = 0;
        loop {
            match self.stream.write(&mut left, &mut written, whole) {
                Written::All => return Ok(()),
                Written::Some => self.stream.writable().await?,
                Written::Failed => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
    }
}

/// The body of a request, read as it is asked for.
pub(super) struct Incoming<'a> {
    pub(super) wire: &'a Wire,
    /// How much of it has not been taken.
    pub(super) left: &'a Cell<usize>,
}

impl Stream for Incoming<'_> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let left = self.left.get();
        if left == 0 {
            return Poll::Ready(None);
        }
        if self.wire.input.borrow().is_empty() && !ready!(self.wire.poll_fill(cx))? {
            return Poll::Ready(Some(Err(PayloadError::Incomplete(None))));
        }
        let mut input = self.wire.input.borrow_mut();
        let n = input.len().min(left);
        let part = input.split_to(n).freeze();
        self.left.set(left - n);
        Poll::Ready(Some(Ok(part)))
    }
}
