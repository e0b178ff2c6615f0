//! Connection state recovery in memory: who comes back in time finds its id, rooms and data, and gets what it missed.

mod caps;
mod meanwhile;
mod reasons;
mod states;

use greenroom::config::Config;
use greenroom::testing::{Client, ClientError, Received};
use greenroom::{Server, Socket};
use serde_json::json;

use crate::support::Lobby;

fn enabled() -> Config {
    let mut config = Config::default();
    config.recovery.enabled = true;
    config
}

/// What a client keeps of its connection.
#[derive(Clone, Debug)]
struct Ticket {
    id: String,
    pid: String,
    offset: String,
}

/// The last argument of an event.
fn offset(event: &Received) -> String {
    event.args.get(event.args.len() - 1).unwrap()
}

/// Gets `client` an offset by one event.
async fn ticket(client: &mut Client, socket: &Socket) -> Ticket {
    socket.emit("first", ());
    let offset = offset(&client.event("first").await.unwrap());
    Ticket {
        id: client.id().to_owned(),
        pid: client.pid().unwrap().to_owned(),
        offset,
    }
}

impl Ticket {
    async fn try_return(&self, server: &Server) -> Result<Client, ClientError> {
        let auth = json!({ "pid": self.pid, "offset": self.offset });
        Client::connect_to(server, "/", auth).await
    }

    async fn return_to(&self, lobby: &mut Lobby) -> (Client, Socket) {
        let client = self.try_return(&lobby.server).await.unwrap();
        (client, lobby.hearing.connected().await)
    }
}

/// Everything that has come up to the event `fence`, which is emitted now.
async fn names(client: &mut Client, socket: &Socket) -> Vec<String> {
    socket.emit("fence", ());
    let mut names = Vec::new();
    loop {
        let event = client.next_event().await.unwrap();
        if event.name == "fence" {
            return names;
        }
        names.push(event.name);
    }
}
