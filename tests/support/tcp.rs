//! A server that listens, and clients over real TCP: WebSockets that keep the rules, and bytes that need not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greenroom::config::{Carrier, Config};
use greenroom::{Server, ServerBuilder};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Hearing, ear, eventually, within};

/// A server that listens somewhere. One that was [run](listen) here listens on a port of its own, in a thread of its own, until
/// nobody has this any more.
#[derive(Clone)]
pub(crate) struct Listening {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    running: Option<Arc<Running>>,
}

/// The thread in which a server runs.
struct Running {
    server: Server,
    thread: Mutex<Option<JoinHandle<Result<(), greenroom::Error>>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.stop();
    }
}

impl Listening {
    /// A server that somebody else runs.
    pub(crate) const fn at(server: Server, address: SocketAddr) -> Self {
        Self {
            server,
            address,
            running: None,
        }
    }

    /// Stops the server, and waits until it has ended.
    pub(crate) async fn stop(&self) -> Result<(), greenroom::Error> {
        self.server.stop();
        let running = self.running.as_ref().expect("it was run here");
        let thread = running.thread.lock().take();
        let thread = thread.expect("it is stopped once");
        eventually("the end of a server", || thread.is_finished()).await;
        thread.join().unwrap()
    }
}

pub(crate) const CARRIERS: [Carrier; 2] = [Carrier::Direct, Carrier::Mounted];

/// A server whose root namespace has an ear.
pub(crate) async fn listening(config: Config) -> (Listening, Hearing) {
    let (handlers, hearing) = ear();
    let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
    (listening, hearing)
}

/// A server for each carrier, and what its handler hears.
pub(crate) async fn on_both_carriers(config: &Config) -> Vec<(Listening, Hearing)> {
    let mut servers = Vec::new();
    for carrier in CARRIERS {
        let mut config = config.clone();
        config.server.carrier = carrier;
        servers.push(listening(config).await);
    }
    servers
}

/// Runs a server with one worker on a free port.
pub(crate) async fn listen(
    config: Config,
    build: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> Listening {
    listen_with(1, config, build).await
}

/// Runs a server on a free port.
pub(crate) async fn listen_with(
    workers: usize,
    mut config: Config,
    build: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> Listening {
    config.server.workers = workers;
    // Found free, then given back: until the server takes it, another may. The chance is small, the panic loud.
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    config.server.port = address.port();
    let server = build(Server::builder().config(config)).build().unwrap();
    let running = server.clone();
    let thread = std::thread::spawn(move || running.run());
    within("a server that listens", async {
        let mut again = tokio::time::interval(Duration::from_millis(2));
        while TcpStream::connect(address).await.is_err() {
            assert!(!thread.is_finished(), "the server does not run");
            again.tick().await;
        }
    })
    .await;
    let running = Arc::new(Running {
        server: server.clone(),
        thread: Mutex::new(Some(thread)),
    });
    Listening {
        server,
        address,
        running: Some(running),
    }
}

/// A Socket.IO client on a WebSocket, as far as tests need one.
#[derive(Debug)]
pub(crate) struct Ws(WebSocketStream<TcpStream>);

/// What the answer to CONNECT says.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Joined {
    pub(crate) sid: String,
    pub(crate) pid: Option<String>,
}

/// What arrives at a [`Ws`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    Text(String),
    Binary(Vec<u8>),
    /// The end, with the close code if one was sent.
    End(Option<u16>, String),
}

/// A WebSocket at a URL.
async fn handshake(url: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let address = url
        .strip_prefix("ws://")
        .and_then(|rest| rest.split('/').next());
    let stream =
        TcpStream::connect(address.expect("the URL of a WebSocket has an address")).await?;
    Ok(client_async(url, stream).await?.0)
}

impl Ws {
    /// Opens a session; the error is what the server answers to the handshake.
    pub(crate) async fn try_open(listening: &Listening) -> Result<Self, Error> {
        let address = listening.address;
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let connecting = handshake(&url);
        let stream = within("a websocket", connecting).await?;
        let mut ws = Self(stream);
        let open = ws.text().await;
        assert!(open.starts_with("0{"), "{open}");
        Ok(ws)
    }

    /// Opens a WebSocket and nothing more; `query` is added to the URL. The error is the answer to the handshake.
    pub(crate) async fn try_open_at(
        listening: &Listening,
        query: &str,
    ) -> Result<Self, (u16, String)> {
        let address = listening.address;
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket{query}");
        let connecting = handshake(&url);
        match within("a websocket", connecting).await {
            Ok(stream) => Ok(Self(stream)),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                let body = String::from_utf8_lossy(&body).into_owned();
                Err((response.status().as_u16(), body))
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// Opens a WebSocket at a URL, and nothing more.
    pub(crate) async fn at(url: &str) -> Self {
        let connecting = handshake(url);
        Self(within("a websocket", connecting).await.unwrap())
    }

    pub(crate) async fn open(listening: &Listening) -> Self {
        Self::try_open(listening).await.unwrap()
    }

    /// Opens a session and joins the root namespace.
    pub(crate) async fn join(listening: &Listening, auth: Value) -> (Self, Joined) {
        let mut ws = Self::open(listening).await;
        ws.send(&format!("40{auth}")).await;
        let answer = ws.text().await;
        let joined = answer
            .strip_prefix("40")
            .unwrap_or_else(|| panic!("{answer}"));
        let joined = serde_json::from_str(joined).unwrap();
        (ws, joined)
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// What comes next; pings of the engine are answered.
    pub(crate) async fn next(&mut self) -> Arrived {
        within("a message", self.next_but_pings()).await
    }

    async fn next_but_pings(&mut self) -> Arrived {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.send("3").await,
                Some(Ok(Message::Text(text))) => return Arrived::Text(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => return Arrived::Binary(bytes.to_vec()),
                Some(Ok(Message::Close(Some(close)))) => {
                    return Arrived::End(Some(close.code.into()), close.reason.to_string());
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => {
                    return Arrived::End(None, String::new());
                }
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Arrived::Text(text) => text,
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The next event: its name and arguments.
    pub(crate) async fn event(&mut self) -> (String, Vec<Value>) {
        let text = self.text().await;
        let array = text.strip_prefix("42").unwrap_or_else(|| panic!("{text}"));
        let array = array.trim_start_matches(|c: char| c.is_ascii_digit());
        let mut values: Vec<Value> = serde_json::from_str(array).unwrap();
        let name = values.remove(0);
        (name.as_str().unwrap().to_owned(), values)
    }

    /// Reads until the connection ends: the close code and its reason.
    pub(crate) async fn end(&mut self) -> (Option<u16>, String) {
        loop {
            if let Arrived::End(code, reason) = self.next().await {
                return (code, reason);
            }
        }
    }

    /// Closes as a client does that has nothing more to say.
    pub(crate) async fn close(mut self) {
        // The server may have closed already.
        let _ = self.0.close(None).await;
    }
}

/// Sends one request on a connection of its own: status, headers and body of the response.
pub(crate) async fn http(listening: &Listening, request: &str) -> (u16, String) {
    let mut raw = Raw::connect(listening).await;
    raw.write(request.as_bytes()).await;
    raw.response().await
}

/// Opens a polling session: its sid.
pub(crate) async fn open_polling(listening: &Listening) -> String {
    let (status, response) = http(listening, &get("")).await;
    assert_eq!(status, 200, "{response}");
    let body = response.split_once("\r\n\r\n0").unwrap().1;
    let open: Value = serde_json::from_str(body).unwrap();
    open["sid"].as_str().unwrap().to_owned()
}

/// Opens a polling session and joins the root namespace: its sid.
pub(crate) async fn join_polling(listening: &Listening) -> String {
    let sid = open_polling(listening).await;
    let (status, response) = http(listening, &post(&sid, "40")).await;
    assert_eq!(status, 200, "{response}");
    let (status, response) = http(listening, &get(&format!("&sid={sid}"))).await;
    assert_eq!(status, 200, "{response}");
    assert!(response.contains("\r\n\r\n40{"), "{response}");
    sid
}

/// A GET of the engine endpoint; `query` is added to it.
pub(crate) fn get(query: &str) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
}

/// A POST to the engine endpoint.
pub(crate) fn post(sid: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The handshake of a WebSocket.
pub(crate) fn upgrade(url: &str) -> String {
    format!(
        "GET {url} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case, in their order.
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

/// A connection on which any bytes can be sent.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(listening: &Listening) -> Self {
        let stream = TcpStream::connect(listening.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let received = Vec::new();
        Self { stream, received }
    }

    /// One that takes little at once.
    pub(crate) async fn with_small_buffer(listening: &Listening) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(listening.address).await.unwrap();
        let received = Vec::new();
        Self { stream, received }
    }

    /// A WebSocket, after its handshake; `query` is added to the URL.
    pub(crate) async fn websocket(listening: &Listening, query: &str) -> Self {
        Self::websocket_at(
            listening,
            &format!("/socket.io/?EIO=4&transport=websocket{query}"),
        )
        .await
    }

    /// A WebSocket at any URL, after its handshake.
    pub(crate) async fn websocket_at(listening: &Listening, url: &str) -> Self {
        let mut raw = Self::connect(listening).await;
        raw.write(upgrade(url).as_bytes()).await;
        raw.switched().await;
        raw
    }

    /// Reads the answer to a handshake, which is accepted.
    pub(crate) async fn switched(&mut self) {
        let end = self.until(|bytes| find(bytes, b"\r\n\r\n")).await;
        let head = String::from_utf8(self.take(end + 4)).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    }

    /// A WebSocket that has joined the root namespace.
    pub(crate) async fn join(listening: &Listening) -> Self {
        let mut raw = Self::websocket(listening, "").await;
        raw.write(&text_frame("40")).await;
        assert!(raw.text().await.starts_with("0{"));
        let answer = raw.text().await;
        assert!(answer.starts_with("40{"), "{answer}");
        raw
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within("a write", self.stream.write_all(bytes))
            .await
            .unwrap();
    }

    /// The status of the response that has begun to arrive.
    pub(crate) async fn status(&mut self) -> u16 {
        let end = self.until(|bytes| find(bytes, b"\r\n")).await;
        let line = String::from_utf8_lossy(&self.received[..end]).into_owned();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The next response of a connection that goes on.
    pub(crate) async fn answer(&mut self) -> Answer {
        let end = self.until(|bytes| find(bytes, b"\r\n\r\n")).await;
        let head = String::from_utf8(self.take(end + 4)).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut headers: Vec<_> = lines.map(str::to_ascii_lowercase).collect();
        headers.sort_unstable();
        let length = headers
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        self.until(|bytes| (bytes.len() >= length).then_some(length))
            .await;
        let body = String::from_utf8_lossy(&self.take(length)).into_owned();
        Answer {
            status: status.parse().unwrap(),
            headers,
            body,
        }
    }

    /// The text of the next frame; panics at any other.
    pub(crate) async fn text(&mut self) -> String {
        let (opcode, payload) = self.frame().await.expect("the connection goes on");
        assert_eq!(opcode, 1, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    /// The next frame: its opcode and payload; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((opcode, from, to)) = frame_borders(&self.received) {
                let whole = self.take(to);
                return Some((opcode, whole[from..].to_vec()));
            }
            if self.read().await == 0 {
                return None;
            }
        }
    }

    /// Reads until the connection ends; the code of the close frame, if one came.
    pub(crate) async fn end(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some((opcode, payload)) = self.frame().await {
            if opcode == 8 && payload.len() >= 2 {
                code = Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
        code
    }

    /// The whole response to a request with `Connection: close`: its status, then everything.
    pub(crate) async fn response(&mut self) -> (u16, String) {
        while self.read().await > 0 {}
        let response = String::from_utf8_lossy(&self.received).into_owned();
        let status = response
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        (status.unwrap_or_default(), response)
    }

    async fn read(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.received);
        // A reset is an end as well.
        within("bytes of the server", read).await.unwrap_or(0)
    }

    async fn until(&mut self, at: impl Fn(&[u8]) -> Option<usize>) -> usize {
        loop {
            if let Some(at) = at(&self.received) {
                return at;
            }
            assert!(self.read().await > 0, "the connection has ended");
        }
    }

    fn take(&mut self, n: usize) -> Vec<u8> {
        self.received.drain(..n).collect()
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}

/// Opcode, begin of the payload and end of the first frame, if it is complete. Those of a server are not masked.
fn frame_borders(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (from, len) = match second {
        126 => (
            4,
            u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let to = from + usize::try_from(len).ok()?;
    (bytes.len() >= to).then_some((first & 0xf, from, to))
}

/// A whole frame of a client, masked with zeros.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    part(0x80 | opcode, payload)
}

/// A frame whose first byte is given: without the bit `0x80` it is a fragment.
pub(crate) fn part(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(len @ 0..=125) => bytes.push(0x80 | u8::try_from(len).unwrap()),
        Ok(len) => {
            bytes.push(0x80 | 126);
            bytes.extend(len.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// A whole text frame of a client.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    frame(1, text.as_bytes())
}
