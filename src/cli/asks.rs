//! `greenroom rooms` and `greenroom sockets`: what the servers of a cluster say.

use clap::Args;
use greenroom::config::Source;
use greenroom::{Gathered, Observer};
use serde_json::{Value, json};

use super::{Failure, Which, print};

/// List the rooms of all servers, Node.js servers among them
///
/// The id of each socket is a room too. Servers are asked through Redis; those that do not answer in time are counted on the
/// standard error.
#[derive(Debug, Args)]
pub(super) struct Rooms {
    /// The namespace
    #[arg(long, value_name = "NAME", default_value = "/")]
    nsp: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

/// List the sockets of all servers, Node.js servers among them: their ids and the rooms they are in
///
/// Servers are asked through Redis; those that do not answer in time are counted on the standard error.
#[derive(Debug, Args)]
pub(super) struct Sockets {
    /// Only those in this room, or with this id; may be repeated. One that begins with a minus follows `--`
    #[arg(value_name = "ROOM")]
    rooms: Vec<String>,
    /// The namespace
    #[arg(long, value_name = "NAME", default_value = "/")]
    nsp: String,
    /// Print one JSON object, with the data and the handshake of each socket; in the handshake there may be secrets
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

impl Rooms {
    pub(super) fn run(self, source: Source) -> Result<(), Failure> {
        let (config, endpoints) = self.which.settings(source)?;
        let observer = Observer::new(endpoints, &config.redis);
        let asked = observer.rooms(&self.nsp);
        let rooms = actix_rt::System::new().block_on(asked)?;
        if self.json {
            return print(&json!({ "rooms": *rooms, "silent": rooms.silent.len() }).to_string());
        }
        rooms.iter().try_for_each(|room| print(room))?;
        complain(&rooms);
        Ok(())
    }
}

impl Sockets {
    pub(super) fn run(self, source: Source) -> Result<(), Failure> {
        let (config, endpoints) = self.which.settings(source)?;
        let observer = Observer::new(endpoints, &config.redis);
        let asked = observer.sockets(&self.nsp, self.rooms);
        let sockets = actix_rt::System::new().block_on(asked)?;
        if self.json {
            let found: Vec<Value> = sockets
                .iter()
                .map(|socket| {
                    json!({
                        "id": socket.id,
                        "rooms": socket.rooms,
                        "data": socket.data,
                        "handshake": socket.handshake,
                    })
                })
                .collect();
            return print(&json!({ "sockets": found, "silent": sockets.silent.len() }).to_string());
        }
        for socket in &*sockets {
            let mut others: Vec<&str> = socket.rooms.iter().map(|room| &**room).collect();
            others.retain(|room| *room != &*socket.id);
            print(format!("{}\t{}", socket.id, others.join(" ")).trim_end())?;
        }
        complain(&sockets);
        Ok(())
    }
}

fn complain<T>(found: &Gathered<T>) {
    if !found.silent.is_nobody() {
        eprintln!(
            "greenroom: servers that have not answered: {}",
            found.silent.len()
        );
    }
}
