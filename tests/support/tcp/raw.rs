//! Bytes on a connection, which need not keep any rules, and requests.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Listening, within};

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
