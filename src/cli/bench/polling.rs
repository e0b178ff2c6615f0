//! HTTP long-polling: one connection with a GET that waits, and one for what is sent.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::poll_fn;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::broken::Broken;
use super::target::{Caller, Target};
use super::wire::Heard;

/// Stands between packets of a payload.
///
/// **Source**: Engine.IO protocol, revision 4, "Payload".
const SEPARATOR: char = '\u{1e}';

/// No answer is read further.
const ANSWER_BYTES: usize = 64 << 20;

/// A request on its way: it gives its connection back with the answer.
type Exchange = Pin<Box<dyn Future<Output = (Lane, Result<Bytes, Broken>)>>>;

pub(super) struct Polling {
    target: Arc<Target>,
    caller: Caller,
    sid: String,
    /// What has come in one payload, and was not asked for yet.
    heard: VecDeque<Utf8Bytes>,
    /// What goes out in one payload.
    queued: String,
    get: Direction,
    post: Direction,
}

/// One of the two connections, or the request that has it.
enum Direction {
    Idle(Lane),
    Busy(Exchange),
    /// Moved out for a moment, or broken.
    Gone,
}

/// A connection that is kept.
#[derive(Default)]
struct Lane(Option<SendRequest<Full<Bytes>>>);

impl Polling {
    /// Nothing is asked before somebody waits for it.
    pub(super) fn open(target: Arc<Target>, caller: Caller) -> Self {
        Self {
            target,
            caller,
            sid: String::new(),
            heard: VecDeque::new(),
            queued: String::new(),
            get: Direction::Idle(Lane::default()),
            post: Direction::Idle(Lane::default()),
        }
    }

    pub(super) fn opened(&mut self, sid: &str) {
        sid.clone_into(&mut self.sid);
    }

    pub(super) fn queue(&mut self, packet: String) {
        if self.queued.is_empty() {
            self.queued = packet;
        } else {
            self.queued.push(SEPARATOR);
            self.queued.push_str(&packet);
        }
    }

    pub(super) const fn is_busy(&self) -> bool {
        !self.queued.is_empty() || !matches!(self.post, Direction::Idle(_))
    }

    pub(super) async fn next(&mut self) -> Result<Heard, Broken> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heard, Broken>> {
        if let Some(packet) = self.heard.pop_front() {
            return Poll::Ready(Ok(Heard::Packet(packet)));
        }
        if !self.queued.is_empty() && matches!(self.post, Direction::Idle(_)) {
            let body = std::mem::take(&mut self.queued);
            self.start(Method::POST, body);
        }
        if let Poll::Ready(answer) = poll_direction(&mut self.post, cx) {
            return Poll::Ready(answer.map(|_| Heard::Flushed));
        }
        // The first answer has the id without which the second cannot be asked for.
        if matches!(self.get, Direction::Idle(_)) {
            self.start(Method::GET, String::new());
        }
        let Poll::Ready(answer) = poll_direction(&mut self.get, cx) else {
            return Poll::Pending;
        };
        let text = match answer.map(Vec::from).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => return Poll::Ready(Err(Broken::Garbage("no UTF-8".to_owned()))),
            Err(err) => return Poll::Ready(Err(err)),
        };
        self.heard = text.split(SEPARATOR).map(Utf8Bytes::from).collect();
        let first = self.heard.pop_front().unwrap_or_default();
        Poll::Ready(Ok(Heard::Packet(first)))
    }

    /// Sends a request over a connection that is idle.
    fn start(&mut self, method: Method, body: String) {
        let direction = match method {
            Method::GET => &mut self.get,
            _ => &mut self.post,
        };
        if let Direction::Idle(lane) = std::mem::replace(direction, Direction::Gone) {
            let target = Arc::clone(&self.target);
            let path = target.path("polling", &self.sid);
            let caller = self.caller;
            *direction = Direction::Busy(Box::pin(async move {
                let mut lane = lane;
                let answer = lane.ask(&target, caller, method, path, body).await;
                (lane, answer)
            }));
        }
    }

    pub(super) async fn close(&mut self) {
        // Engine.IO's own goodbye, behind what is queued.
        self.queue("1".to_owned());
        while self.is_busy() && self.next().await.is_ok() {}
    }
}

fn poll_direction(direction: &mut Direction, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
    let Direction::Busy(exchange) = direction else {
        return Poll::Pending;
    };
    let Poll::Ready((lane, answer)) = exchange.as_mut().poll(cx) else {
        return Poll::Pending;
    };
    *direction = match &answer {
        Ok(_) => Direction::Idle(lane),
        Err(_) => Direction::Gone,
    };
    Poll::Ready(answer)
}

impl Lane {
    async fn ask(
        &mut self,
        target: &Target,
        caller: Caller,
        method: Method,
        path: String,
        body: String,
    ) -> Result<Bytes, Broken> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &target.host)
            .header(CONTENT_TYPE, "text/plain;charset=UTF-8");
        for (name, value) in &target.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body));
        let request = request.map_err(|err| Broken::Transport(err.to_string()))?;
        let answer = match self.0.as_mut().filter(|kept| !kept.is_closed()) {
            Some(kept) => match kept.try_send_request(request).await {
                Ok(answer) => answer,
                // Servers close connections that were idle for a while. Of a request that was never sent nothing is known
                // to them.
                Err(mut err) => match err.take_message() {
                    Some(request) => self.dial(target, caller, request).await?,
                    None => return Err(Broken::Transport(err.into_error().to_string())),
                },
            },
            None => self.dial(target, caller, request).await?,
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES)
            .collect()
            .await;
        let body = body.map_err(|err| Broken::Transport(err.to_string()))?;
        match status.is_success() {
            true => Ok(body.to_bytes()),
            false => Err(Broken::Http {
                status: status.as_u16(),
                body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            }),
        }
    }

    async fn dial(
        &mut self,
        target: &Target,
        caller: Caller,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<hyper::body::Incoming>, Broken> {
        let broken = |err: hyper::Error| Broken::Transport(err.to_string());
        let stream = target.dial(caller).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends with its sender; what breaks it the request says.
        actix_rt::spawn(connection);
        let answer = sender.send_request(request).await.map_err(broken)?;
        self.0 = Some(sender);
        Ok(answer)
    }
}
