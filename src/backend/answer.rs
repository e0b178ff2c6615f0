//! What a backend answers: read and checked as a whole before any of it is done.

use serde::Deserialize;

use super::call::Call;
use crate::error::Refusal;
use crate::namespace::{Room, Socket, user_room};
use crate::protocol::binary_json::decode;
use crate::protocol::socketio::{Args, Value};
use crate::throttle::throttled;

/// Emits of one answer.
const MAX_EMITS: usize = 100;

/// Rooms of one list.
const MAX_ROOMS: usize = 1000;

/// As it is written. An empty body is one without members.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    refuse: Option<WrittenRefusal>,
    user: Option<String>,
    data: Option<Value>,
    leave: Vec<String>,
    join: Vec<String>,
    emit: Vec<WrittenEmit>,
    ack: Option<Vec<Value>>,
    disconnect: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRefusal {
    message: String,
    data: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEmit {
    event: String,
    #[serde(default)]
    args: Vec<Value>,
    /// Left out: the socket itself. Empty: everybody in the namespace.
    to: Option<Vec<String>>,
    #[serde(default)]
    except: Vec<String>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) refusal: Option<Refusal>,
    data: Option<Value>,
    leave: Vec<Room>,
    join: Vec<Room>,
    emits: Vec<Emit>,
    ack: Option<Args>,
    disconnect: bool,
}

#[derive(Debug)]
struct Emit {
    event: String,
    args: Args,
    to: Option<Vec<Room>>,
    except: Vec<Room>,
}

/// A list of values as arguments.
fn args(values: Vec<Value>) -> Result<Args, String> {
    let values: Result<Vec<Value>, _> = values.into_iter().map(decode).collect();
    Ok(Args::from_vec(values?))
}

fn rooms(what: &str, rooms: Vec<String>) -> Result<Vec<Room>, String> {
    match rooms.len() {
        ..=MAX_ROOMS => Ok(rooms.into_iter().map(Room::from).collect()),
        n => Err(format!("`{what}` has {n} rooms, {MAX_ROOMS} are allowed")),
    }
}

impl Answer {
    /// The answer to `call`.
    ///
    /// # Errors
    /// What is wrong with it, for the person who wrote the backend.
    pub(super) fn read(body: &[u8], call: &Call<'_>, socket: &Socket) -> Result<Self, String> {
        let written = match body {
            [] => Written::default(),
            // serde would read a list too, member by member.
            body if !body.trim_ascii_start().starts_with(b"{") => {
                return Err("it is no object".to_owned());
            }
            body => serde_json::from_slice::<Written>(body).map_err(|err| err.to_string())?,
        };
        let is_connect = matches!(call, Call::Connect);
        for (is_there, is_right, what) in [
            (
                written.refuse.is_some(),
                is_connect,
                "`refuse` answers a connect",
            ),
            (
                written.disconnect,
                !is_connect,
                "`refuse`, not `disconnect`, answers a connect",
            ),
            (
                written.ack.is_some(),
                matches!(call, Call::Event(_)),
                "`ack` answers an event",
            ),
        ] {
            if is_there && !is_right {
                return Err(what.to_owned());
            }
        }
        let mut join = rooms("join", written.join)?;
        // Presence by user is presence in this room.
        join.extend(written.user.map(|user| user_room(&user)));
        Ok(Self {
            refusal: written.refuse.map(refusal).transpose()?,
            data: written.data.map(decode).transpose()?,
            leave: rooms("leave", written.leave)?,
            join,
            emits: emits(written.emit, socket)?,
            ack: written.ack.map(args).transpose()?,
            disconnect: written.disconnect,
        })
    }

    /// Does all of it, in this order: data, leave, join, emit; then gives the ack and disconnects. Without an ack in the
    /// answer that of the event is one without arguments.
    pub(super) fn carry_out(self, socket: &Socket, ack: Option<crate::Ack>) {
        if let Some(data) = &self.data
            && let Err(err) = socket.set_data(data)
        {
            throttled!(error, "the data of a socket cannot be set err={err}");
        }
        self.leave.into_iter().for_each(|room| socket.leave(room));
        socket.join(self.join);
        for Emit {
            event,
            args,
            to,
            except,
        } in self.emits
        {
            let done = match to {
                None => socket.emit_args(&event, &args),
                Some(rooms) => {
                    let broadcast = socket.namespace().to(rooms).except(except);
                    broadcast.emit_args(&event, &args)
                }
            };
            if let Err(err) = done {
                throttled!(
                    error,
                    "an event of a backend was not sent event={event} err={err}"
                );
            }
        }
        if let Some(ack) = ack {
            ack.send_args(&self.ack.unwrap_or_default());
        }
        if self.disconnect {
            socket.disconnect(false);
        }
    }
}

fn refusal(refusal: WrittenRefusal) -> Result<Refusal, String> {
    let message = Refusal::new(refusal.message);
    Ok(match refusal.data.map(decode).transpose()? {
        Some(data) => message.with_data(data),
        None => message,
    })
}

fn emits(emits: Vec<WrittenEmit>, socket: &Socket) -> Result<Vec<Emit>, String> {
    if emits.len() > MAX_EMITS {
        return Err(format!(
            "`emit` has {} events, {MAX_EMITS} are allowed",
            emits.len()
        ));
    }
    let read = |emit: WrittenEmit| {
        let name = socket.shared().check_event_name(&emit.event);
        name.map_err(|err| err.to_string())?;
        if emit.to.is_none() && !emit.except.is_empty() {
            return Err("`except` needs `to`, which may be empty".to_owned());
        }
        Ok(Emit {
            event: emit.event,
            args: args(emit.args)?,
            to: emit.to.map(|to| rooms("to", to)).transpose()?,
            except: rooms("except", emit.except)?,
        })
    };
    emits.into_iter().map(read).collect()
}
