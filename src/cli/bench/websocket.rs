//! A WebSocket to the server.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_util::{Sink as _, Stream as _, future};
use hyper::header::HOST;
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_key};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::broken::Broken;
use super::target::{Caller, Stream, Target};
use super::wire::Heard;

/// What is read at once. There may be many connections, and most messages are small.
const READ_BYTES: usize = 8 * 1024;

pub(super) struct Socket {
    stream: WebSocketStream<Stream>,
    /// Something was queued that the system has not taken yet.
    is_busy: bool,
}

impl Socket {
    pub(super) async fn open(target: &Target, caller: Caller) -> Result<Self, Broken> {
        let stream = target.dial(caller).await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0);
        let request = request(target)?;
        let answered = client_async_with_config(request, stream, Some(config)).await;
        let (stream, _) = answered.map_err(|err| broken(&err))?;
        Ok(Self {
            stream,
            is_busy: false,
        })
    }

    pub(super) async fn next(&mut self) -> Result<Heard, Broken> {
        future::poll_fn(|cx| {
            if self.is_busy
                && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(cx)
            {
                self.is_busy = false;
                return Poll::Ready(flushed.map(|()| Heard::Flushed).map_err(|err| broken(&err)));
            }
            loop {
                let heard = match Pin::new(&mut self.stream).poll_next(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => Err(Broken::Closed(String::new())),
                    Poll::Ready(Some(Err(err))) => Err(broken(&err)),
                    Poll::Ready(Some(Ok(Message::Text(text)))) => Ok(Heard::Packet(text)),
                    Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                        let why = frame.map(|frame| format!("{} {}", frame.code, frame.reason));
                        Err(Broken::Closed(why.unwrap_or_default()))
                    }
                    // Attachments are part of an event that has been counted, and pings are answered below us.
                    Poll::Ready(Some(Ok(_))) => continue,
                };
                return Poll::Ready(heard);
            }
        })
        .await
    }

    pub(super) fn queue(&mut self, packet: String) -> Result<(), Broken> {
        let mut stream = Pin::new(&mut self.stream);
        let queued = stream.as_mut().start_send(Message::text(packet));
        queued.map_err(|err| broken(&err))?;
        // Mostly the system takes it at once. If not, whoever waits for the next packet is woken for this too.
        match stream.poll_flush(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(flushed) => flushed.map_err(|err| broken(&err)),
            Poll::Pending => {
                self.is_busy = true;
                Ok(())
            }
        }
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub(super) async fn close(&mut self) {
        // Whoever is gone already needs no goodbye.
        let _ = self.stream.close(None).await;
    }
}

fn request(target: &Target) -> Result<Request, Broken> {
    let uri = format!("ws://{}{}", target.host, target.path("websocket", ""));
    let mut request = Request::builder()
        .uri(uri)
        .header(HOST, &target.host)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key());
    for (name, value) in &target.headers {
        request = request.header(name, value);
    }
    request
        .body(())
        .map_err(|err| Broken::Transport(err.to_string()))
}

fn broken(err: &Error) -> Broken {
    match err {
        Error::Http(answer) => {
            let body = answer.body().as_deref().unwrap_or_default();
            Broken::Http {
                status: answer.status().as_u16(),
                body: String::from_utf8_lossy(body).into_owned(),
            }
        }
        Error::ConnectionClosed | Error::AlreadyClosed => Broken::Closed(String::new()),
        other => Broken::Transport(other.to_string()),
    }
}
