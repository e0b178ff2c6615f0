//! A server that listens, and clients over real TCP: WebSockets that keep the rules, and bytes that need not.

mod raw;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use greenroom::config::{Carrier, Config};
use greenroom::{Server, ServerBuilder};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) use raw::*;

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
