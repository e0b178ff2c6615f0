//! The commands: emit, with answers or without, join, leave, disconnect, and events for servers.
//!
//! A command has taken effect when [`Command::start`] returns; what it returns collects the answers.

use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::problem::Problem;
use super::whom::{Whom, names};
use super::{Api, body, reply, value};
use crate::{Args, Broadcast, EmitError, Namespace, Room, Value};

/// The answer to a command that was started.
pub(super) type Answer = LocalBoxFuture<'static, Result<Json, Problem>>;

fn root() -> String {
    "/".to_owned()
}

/// A command that addresses sockets. The members that say whom are the same in all of them; serde cannot flatten them
/// and refuse unknown ones too.
macro_rules! to_sockets {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            #[serde(default = "root")]
            namespace: String,
            #[serde(default)]
            rooms: Vec<String>,
            #[serde(default)]
            sockets: Vec<String>,
            #[serde(default)]
            users: Vec<String>,
            #[serde(default)]
            all: bool,
            #[serde(default)]
            except: Vec<String>,
            #[serde(default)]
            local: bool,
            $($(#[$attribute])* $field: $type,)*
        }

        impl $name {
            fn broadcast(&self, api: &Api, namespace: &Namespace) -> Result<Broadcast, Problem> {
                let Self { rooms, sockets, users, all, except, local, .. } = self;
                let (all, local) = (*all, *local);
                Whom { namespace, rooms, sockets, users, all, except, local }.broadcast(api)
            }
        }
    };
}

to_sockets! {
    /// An event for clients.
    Emit {
        event: String,
        #[serde(default)]
        args: Vec<Value>,
        #[serde(default)]
        volatile: bool,
        #[serde(default = "yes")]
        compress: bool,
    }
}

to_sockets! {
    /// An event that clients answer.
    EmitWithAck {
        event: String,
        #[serde(default)]
        args: Vec<Value>,
        #[serde(default = "yes")]
        compress: bool,
        timeout_ms: Option<u64>,
    }
}

to_sockets! {
    /// Sockets join rooms.
    Join {
        join: Vec<String>,
    }
}

to_sockets! {
    /// Sockets leave rooms.
    Leave {
        leave: Vec<String>,
    }
}

to_sockets! {
    /// Sockets are disconnected.
    Disconnect {
        #[serde(default)]
        close: bool,
    }
}

/// An event for the handlers of all servers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerSideEmit {
    #[serde(default = "root")]
    namespace: String,
    event: String,
    #[serde(default)]
    args: Vec<Value>,
    #[serde(default)]
    ack: bool,
}

const fn yes() -> bool {
    true
}

/// A command, as a batch has it: an object whose one member has the name of the command.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Command {
    Emit(Box<Emit>),
    EmitWithAck(Box<EmitWithAck>),
    Join(Box<Join>),
    Leave(Box<Leave>),
    Disconnect(Box<Disconnect>),
    ServerSideEmit(Box<ServerSideEmit>),
}

/// The names of the commands, which are their paths too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Emit,
    EmitWithAck,
    Join,
    Leave,
    Disconnect,
    ServerSideEmit,
}

impl Verb {
    /// What it is called where its time is counted.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Emit => "emit",
            Self::EmitWithAck => "emit_with_ack",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Disconnect => "disconnect",
            Self::ServerSideEmit => "server_side_emit",
        }
    }

    /// The command that a body describes.
    pub(super) fn parse(self, bytes: &[u8]) -> Result<Command, Problem> {
        Ok(match self {
            Self::Emit => Command::Emit(body::parse(bytes)?),
            Self::EmitWithAck => Command::EmitWithAck(body::parse(bytes)?),
            Self::Join => Command::Join(body::parse(bytes)?),
            Self::Leave => Command::Leave(body::parse(bytes)?),
            Self::Disconnect => Command::Disconnect(body::parse(bytes)?),
            Self::ServerSideEmit => Command::ServerSideEmit(body::parse(bytes)?),
        })
    }
}

impl Command {
    /// The namespace that it is for.
    pub(super) fn namespace(&self) -> &str {
        match self {
            Self::Emit(emit) => &emit.namespace,
            Self::EmitWithAck(emit) => &emit.namespace,
            Self::Join(order) => &order.namespace,
            Self::Leave(order) => &order.namespace,
            Self::Disconnect(order) => &order.namespace,
            Self::ServerSideEmit(emit) => &emit.namespace,
        }
    }

    /// Whether it collects answers of clients.
    pub(super) const fn collects(&self) -> bool {
        matches!(self, Self::EmitWithAck(_))
    }

    /// Carries it out; `share` commands share the room for answers.
    pub(super) fn start(self, api: &Api, nsp: &Namespace, share: usize) -> Result<Answer, Problem> {
        match self {
            Self::Emit(emit) => emit.start(api, nsp),
            Self::EmitWithAck(emit) => emit.start(api, nsp, share),
            Self::Join(order) => {
                let rooms = rooms(api, "join", &order.join)?;
                order.broadcast(api, nsp)?.sockets_join(rooms);
                Ok(told(api, order.local))
            }
            Self::Leave(order) => {
                let rooms = rooms(api, "leave", &order.leave)?;
                order.broadcast(api, nsp)?.sockets_leave(rooms);
                Ok(told(api, order.local))
            }
            Self::Disconnect(order) => {
                order.broadcast(api, nsp)?.disconnect_sockets(order.close);
                Ok(told(api, order.local))
            }
            Self::ServerSideEmit(emit) => emit.start(api, nsp),
        }
    }
}

fn told(api: &Api, is_local: bool) -> Answer {
    ready(Ok(reply::told(api, is_local))).boxed_local()
}

/// The rooms to join or to leave.
fn rooms(api: &Api, member: &str, rooms: &[String]) -> Result<Vec<Room>, Problem> {
    match rooms {
        [] => Err(Problem::invalid(format!("{member}: it names no room"))),
        rooms => Ok(names(api, member, rooms)?.collect()),
    }
}

fn refused(err: &EmitError) -> Problem {
    Problem::invalid(format!("event: {err}"))
}

/// Arguments that clients can take.
fn arguments(api: &Api, values: Vec<Value>) -> Result<Args, Problem> {
    let args = value::args(values)?;
    // Clients of the reference refuse more than they may send.
    let (n, most) = (
        args.attachments().len(),
        api.server.shared().limits().attachments_per_packet,
    );
    match n > most {
        true => Err(Problem::invalid(format!(
            "args: there are {n} binary values, which are at most {most}"
        ))),
        false => Ok(args),
    }
}

impl Emit {
    fn start(mut self, api: &Api, nsp: &Namespace) -> Result<Answer, Problem> {
        let mut broadcast = self.broadcast(api, nsp)?.compress(self.compress);
        if self.volatile {
            broadcast = broadcast.volatile();
        }
        let args = arguments(api, std::mem::take(&mut self.args))?;
        let sent = broadcast.emit_args(&self.event, &args);
        sent.map_err(|err| refused(&err))?;
        Ok(told(api, self.local))
    }
}

impl EmitWithAck {
    fn start(mut self, api: &Api, nsp: &Namespace, share: usize) -> Result<Answer, Problem> {
        let broadcast = self.broadcast(api, nsp)?.compress(self.compress);
        let timeout = self.timeout(api)?;
        let args = arguments(api, std::mem::take(&mut self.args))?;
        let (most, bytes) = (api.settings.answers, api.settings.answer_bytes);
        let asked = broadcast
            .timeout(timeout)
            .max_answers(most.div_ceil(share), bytes.div_ceil(share))
            .emit_args_with_ack(&self.event, &args);
        let api = api.clone();
        Ok(async move {
            let answers = asked.await.map_err(|err| refused(&err))?;
            let values: Vec<Json> = answers.responses.iter().filter_map(shown).collect();
            let unreadable = answers.responses.len() - values.len();
            let counted = json!({
                "answers": values,
                "missing": answers.missing,
                "left_out": answers.left_out + unreadable,
            });
            let mut reply = reply::gathered(&api, counted, &answers.silent, self.local);
            if !answers.is_complete() || unreadable > 0 {
                reply["complete"] = false.into();
            }
            Ok(reply)
        }
        .boxed_local())
    }

    fn timeout(&self, api: &Api) -> Result<Duration, Problem> {
        let most = api.settings.max_timeout;
        let Some(ms) = self.timeout_ms else {
            return Ok(api.server.config().socketio.default_ack_timeout.min(most));
        };
        let timeout = Duration::from_millis(ms);
        match timeout.is_zero() || timeout > most {
            true => Err(Problem::invalid(format!(
                "timeout_ms: the range is 1 to {}",
                most.as_millis()
            ))),
            false => Ok(timeout),
        }
    }
}

/// The arguments of an answer; none if they are nested deeper than JSON may be.
fn shown(args: &Args) -> Option<Json> {
    let values = args.to_values().ok()?;
    Some(values.iter().map(value::to_json).collect())
}

impl ServerSideEmit {
    fn start(self, api: &Api, nsp: &Namespace) -> Result<Answer, Problem> {
        let args = value::args(self.args)?;
        if args.has_binary() {
            return Err(Problem::invalid(
                "args: servers tell each other JSON, which has no binary",
            ));
        }
        if !self.ack {
            let sent = nsp.tell_servers(&self.event, &args);
            sent.map_err(|err| refused(&err))?;
            return Ok(told(api, false));
        }
        let (asked, api) = (nsp.ask_servers(&self.event, &args), api.clone());
        Ok(async move {
            let answers = asked.await.map_err(|err| refused(&err))?;
            let values: Vec<Json> = answers.iter().map(first).collect();
            let reply = json!({ "answers": values });
            Ok(reply::gathered(&api, reply, &answers.silent, false))
        }
        .boxed_local())
    }
}

/// The one value that a server answers.
fn first(args: &Args) -> Json {
    let value: Value = args.first().unwrap_or_default();
    value::to_json(&value)
}
