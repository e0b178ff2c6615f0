//! Whom a command addresses: rooms, sockets, users, or all; without some.

use super::Api;
use super::problem::{Kind, Problem};
use crate::{Broadcast, Namespace, Room, user_room};

/// Names of one list.
const MOST_NAMES: usize = 1000;

/// The members of a command that say whom it addresses.
#[derive(Debug)]
pub(super) struct Whom<'a> {
    pub(super) namespace: &'a str,
    pub(super) rooms: &'a [String],
    pub(super) sockets: &'a [String],
    pub(super) users: &'a [String],
    pub(super) all: bool,
    pub(super) except: &'a [String],
    pub(super) local: bool,
}

impl Whom<'_> {
    /// The broadcast to them.
    pub(super) fn broadcast(&self, api: &Api) -> Result<Broadcast, Problem> {
        let namespace = namespace(api, self.namespace)?;
        let rooms = names(api, "rooms", self.rooms)?;
        let sockets = names(api, "sockets", self.sockets)?;
        let users = names(api, "users", self.users)?;
        let users = users.map(|id| user_room(&id));
        let named: Vec<Room> = rooms.chain(sockets).chain(users).collect();
        let except: Vec<Room> = names(api, "except", self.except)?.collect();
        match (self.all, named.is_empty()) {
            (true, false) => {
                return Err(Problem::conflict(
                    "`all` and `rooms`, `sockets` or `users` exclude each other",
                ));
            }
            // An empty list is a mistake of the caller more often than it means everybody.
            (false, true) => {
                return Err(Problem::conflict(
                    "nobody is addressed: name `rooms`, `sockets` or `users`, or say `\"all\": true`",
                ));
            }
            _ => {}
        }
        let broadcast = namespace.to(named).except(except);
        Ok(match self.local {
            true => broadcast.local(),
            false => broadcast,
        })
    }
}

/// The namespace of that name.
pub(super) fn namespace(api: &Api, name: &str) -> Result<Namespace, Problem> {
    api.server.of(name).ok_or_else(|| {
        let detail = "no namespace has this name; one that is made by a pattern is there while clients are in it";
        Problem::new(Kind::UnknownNamespace, detail).with("namespace", name)
    })
}

/// Names of rooms, if they are not too long and not too many.
pub(super) fn names(
    api: &Api,
    list: &str,
    names: &[String],
) -> Result<impl Iterator<Item = Room>, Problem> {
    let longest = api.server.config().limits.room_name_bytes;
    if names.len() > MOST_NAMES {
        return Err(Problem::invalid(format!(
            "{list}: it has {} names, which are at most {MOST_NAMES}",
            names.len()
        )));
    }
    if let Some(at) = names.iter().position(|name| name.len() > longest) {
        return Err(Problem::invalid(format!(
            "{list}[{at}]: a name has at most {longest} bytes"
        )));
    }
    Ok(names.iter().map(|name| name.as_str().into()))
}
