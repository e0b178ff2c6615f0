//! The HTTP API for backends on one node: what each command and each question does, to real clients.

mod commands;
mod queries;
mod requests;

use greenroom::Socket;
use greenroom::config::{ApiKey, Config};
use serde_json::{Value, json};

use crate::support::Hearing;
use crate::support::api::{Backend, key};
use crate::support::tcp::{Listening, Ws, listening};

/// A server with the API, and who asks it.
struct Served {
    listening: Listening,
    hearing: Hearing,
    backend: Backend,
}

fn with_key() -> Config {
    let mut config = Config::default();
    config.api.keys = vec![ApiKey::new(key())];
    config
}

async fn served(config: Config) -> Served {
    let (listening, hearing) = listening(config).await;
    let backend = Backend(listening.address);
    Served {
        listening,
        hearing,
        backend,
    }
}

impl Served {
    /// A client and its socket, which is in these rooms.
    async fn join(&mut self, rooms: &[&str]) -> (Ws, Socket) {
        let (ws, joined) = Ws::join(&self.listening, json!({})).await;
        let socket = self.hearing.connected().await;
        assert_eq!(socket.id(), &*joined.sid);
        for room in rooms {
            socket.join(*room);
        }
        (ws, socket)
    }
}

/// What a client gets up to an event that is emitted to everybody now.
async fn got(served: &Served, ws: &mut Ws) -> Vec<(String, Vec<Value>)> {
    served.listening.server.emit("end", ());
    up_to_the_end(ws).await
}

async fn up_to_the_end(ws: &mut Ws) -> Vec<(String, Vec<Value>)> {
    let mut events = Vec::new();
    loop {
        let event = ws.event().await;
        if event.0 == "end" {
            return events;
        }
        events.push(event);
    }
}
