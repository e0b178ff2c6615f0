//! What can be said to `greenroom bench`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::SignedDuration;

use super::wire::Transport;

/// Load a Socket.IO server and tell how it does: connections, latency, memory
///
/// Any server of Engine.IO 4 and Socket.IO 5 (Socket.IO 3 and newer, every language) with the JSON parser. The clients are of
/// this program's own; load only servers that are yours.
///
/// Messages are sent at a rate, whatever the server does, and their latency is measured from the time at which they were due:
/// a server that stalls is seen by all that should have been sent meanwhile (no coordinated omission).
///
/// Ctrl-c ends a run early and prints what was measured until then; a second one does not wait for what is on its way. Ends with
/// 0 if all clients were served and all messages came, with 1 if not, with 2 if the command line is wrong.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(super) mode: Mode,
}

#[derive(Debug, Subcommand)]
pub(super) enum Mode {
    Connect(Connect),
    Echo(Echo),
    Broadcast(Broadcast),
    Rooms(Rooms),
}

/// Open connections at a rate and hold them
///
/// Measured is the time from when a connection was due until its CONNECT was answered. With --pid: how much memory a
/// connection costs the server.
#[derive(Debug, Args)]
pub(super) struct Connect {
    #[command(flatten)]
    pub(super) clients: Clients,
    /// Connections that are opened per second
    #[arg(long, value_name = "RATE", default_value = "200", value_parser = rate)]
    pub(super) rate: f64,
    /// How long all connections are held
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(super) duration: Duration,
}

/// Every client emits an event with an ack at a rate
///
/// Measured is the time until the ack. The server needs socket.on("bench:echo", (payload, ack) => ack(payload)), or any other
/// event that is answered: see --event and --args. Answers without the payload are counted, but are answers.
#[derive(Debug, Args)]
pub(super) struct Echo {
    #[command(flatten)]
    pub(super) clients: Clients,
    #[command(flatten)]
    pub(super) messages: Messages,
    /// Events per second and client
    #[arg(long, value_name = "RATE", default_value = "1", value_parser = rate)]
    pub(super) rate: f64,
    /// The event that is emitted
    #[arg(long, value_name = "NAME", default_value = "bench:echo")]
    pub(super) event: String,
    /// Its arguments, a JSON array in which {client}, {id} and {payload} are filled
    #[arg(long, value_name = "JSON", default_value = r#"["{payload}"]"#)]
    pub(super) args: String,
    /// How many events of one client may be unanswered; what is due meanwhile waits, and its time runs, and a client whose
    /// answer never comes sends nothing more. 0: any number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) in_flight: usize,
}

/// Some clients emit to all
///
/// Measured is the time until each receipt. The server needs socket.on("bench:broadcast", (payload) =>
/// io.emit("bench:message", payload)); in which event and where in its arguments the payload comes back does not matter.
#[derive(Debug, Args)]
pub(super) struct Broadcast {
    #[command(flatten)]
    pub(super) clients: Clients,
    #[command(flatten)]
    pub(super) messages: Messages,
    #[command(flatten)]
    pub(super) senders: Senders,
    /// Messages per second and sender
    #[arg(long, value_name = "RATE", default_value = "10", value_parser = rate)]
    pub(super) rate: f64,
    /// The event that is emitted
    #[arg(long, value_name = "NAME", default_value = "bench:broadcast")]
    pub(super) event: String,
    /// Its arguments, a JSON array in which {client}, {id} and {payload} are filled
    #[arg(long, value_name = "JSON", default_value = r#"["{payload}"]"#)]
    pub(super) args: String,
}

/// Clients join rooms, and some in each emit to it
///
/// Measured is the time until each receipt. The server needs socket.on("bench:join", (room, ack) => { socket.join(room); ack(); })
/// and socket.on("bench:publish", (room, payload) => io.to(room).emit("bench:message", payload)).
#[derive(Debug, Args)]
pub(super) struct Rooms {
    #[command(flatten)]
    pub(super) clients: Clients,
    #[command(flatten)]
    pub(super) messages: Messages,
    #[command(flatten)]
    pub(super) senders: Senders,
    /// Rooms; the clients are spread evenly over them
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) rooms: usize,
    /// Rooms that each client is in
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) rooms_per_client: usize,
    /// The event with which a client joins; it has to be answered
    #[arg(long, value_name = "NAME", default_value = "bench:join")]
    pub(super) join_event: String,
    /// Its arguments, a JSON array in which {client} and {room} are filled
    #[arg(long, value_name = "JSON", default_value = r#"["{room}"]"#)]
    pub(super) join_args: String,
    /// The event with which a client leaves each of its rooms at the end, with the arguments of --join-args; it has to be
    /// answered [default: none]
    #[arg(long, value_name = "NAME")]
    pub(super) leave_event: Option<String>,
    /// Messages per second and sender; each room has senders of its own
    #[arg(long, value_name = "RATE", default_value = "1", value_parser = rate)]
    pub(super) rate: f64,
    /// The event that is emitted
    #[arg(long, value_name = "NAME", default_value = "bench:publish")]
    pub(super) event: String,
    /// Its arguments, a JSON array in which {client}, {room}, {id} and {payload} are filled
    #[arg(long, value_name = "JSON", default_value = r#"["{room}","{payload}"]"#)]
    pub(super) args: String,
}

/// Who loads what.
#[derive(Debug, Args)]
pub(super) struct Clients {
    /// The server; the query, if there is one, is that of the handshake
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:3000")]
    pub(super) url: String,
    /// Clients, each with a connection of its own (over polling: two)
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(super) connections: usize,
    /// How packets travel
    #[arg(long, value_enum, default_value_t = Transport::Websocket)]
    pub(super) transport: Transport,
    /// The namespace
    #[arg(long, alias = "nsp", value_name = "NAME", default_value = "/")]
    pub(super) namespace: String,
    /// The path of the server
    #[arg(long, value_name = "PATH", default_value = "/socket.io/")]
    pub(super) path: String,
    /// What clients say when they connect, a JSON object in which {client} is the number of the client; the default is what the chat
    /// of this program asks for, and others ignore
    #[arg(
        long,
        value_name = "JSON",
        default_value = r#"{"token":"greenroom-bench-{client}"}"#
    )]
    pub(super) auth: String,
    /// A header of all requests; may be repeated [default: none]
    #[arg(long, value_name = "NAME: VALUE")]
    pub(super) header: Vec<String>,
    /// How long a connection may take, and how long one waits at the end for what is on its way
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) timeout: Duration,
    /// Threads of this program [default: half of the processors; the others are left to the server]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// An address of this machine to connect from, since one has ports for some 28000 connections to the same server; may be
    /// repeated [default: the system chooses]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) source: Vec<IpAddr>,
    /// A process of the server on this machine, whose memory and time are measured (Linux); may be repeated [default: none]
    #[arg(long, value_name = "PID")]
    pub(super) pid: Vec<u32>,
    /// Write the plots to this file [default: none]
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// What they say.
#[derive(Debug, Args)]
pub(super) struct Messages {
    /// Connections that are opened per second before the first message
    #[arg(long, value_name = "RATE", default_value = "200", value_parser = rate)]
    pub(super) connect_rate: f64,
    /// How long messages are sent before what is measured begins
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(super) warm_up: Duration,
    /// How long is measured
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) duration: Duration,
    /// Bytes of a payload, which is a text; in broadcasts at least 39, from which receivers know the message
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    pub(super) size: usize,
}

/// Who sends, and to whom.
#[derive(Debug, Args)]
pub(super) struct Senders {
    /// Senders (of each room)
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) senders: usize,
    /// The server leaves out the sender: socket.broadcast.emit, socket.to(room).emit
    #[arg(long)]
    pub(super) without_sender: bool,
    /// Clients besides, that read nothing once they are connected and in their rooms, and for whom the system keeps little. They
    /// are no receivers; told is how many of them the server has disconnected at the end
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) stalled: usize,
}

/// `10s`, `1m 30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: 10s, 500ms, 1m 30s");
    let parsed: SignedDuration = text.parse().map_err(|_| wrong())?;
    let duration = Duration::try_from(parsed).map_err(|_| wrong())?;
    match duration <= Duration::from_secs(24 * 60 * 60) {
        true => Ok(duration),
        false => Err("at most a day (24h)".to_owned()),
    }
}

/// So many per second.
fn rate(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("a number of times per second, from 0.001 to 1000000"),
    }
}
