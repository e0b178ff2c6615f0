//! A connection that actix-http goes on with.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_rt::net::TcpStream;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::arrivals::Silent;

/// A stream whose beginning has been read already.
pub(in crate::http) struct HandedOn {
    stream: TcpStream,
    /// What was read and not answered.
    early: BytesMut,
    /// What counts the connection as long as it has sent no request.
    silent: Cell<Option<Silent>>,
}

impl HandedOn {
    pub(super) const fn new(stream: TcpStream, early: BytesMut, silent: Option<Silent>) -> Self {
        Self {
            stream,
            early,
            silent: Cell::new(silent),
        }
    }

    /// What counts it, for whoever reads on; once.
    pub(in crate::http) fn take_silent(&self) -> Option<Silent> {
        self.silent.take()
    }

    /// The stream, and what was read of it and nobody has taken.
    pub(in crate::http) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.stream, self.early)
    }
}

impl AsyncRead for HandedOn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.early.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, out);
        }
        let n = this.early.len().min(out.remaining());
        out.put_slice(&this.early[..n]);
        this.early.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HandedOn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
