//! Whom a command addresses: rooms, sockets, users, or all; without some.

use super::Api;
use super::problem::{Kind, Problem};
use crate::{Broadcast, Namespace, Room, user_room};

/// Names of one list.
const MOST_NAMES: usize = 1000;

/// The members of a command that say whom it addresses.
#[derive(Debug)]
pub(super) struct Whom<'a> {
    pub(super) namespace: &'a Namespace,
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
        let broadcast = self.namespace.to(named).except(except);
        Ok(match self.local {
            true => broadcast.local(),
            false => broadcast,
        })
    }
}

/// The namespace of that name, here or on another server.
pub(super) async fn find(api: &Api, name: &str) -> Result<Namespace, Problem> {
    if let Some(namespace) = api.server.of_cluster(name).await {
        return Ok(namespace);
    }
    let problem = match api.server.trouble() {
        None => Problem::new(
            Kind::UnknownNamespace,
            "no server has a namespace of this name",
        ),
        Some(trouble) => {
            let detail = "this node does not have the namespace, and others cannot be asked";
            Problem::new(Kind::Incomplete, detail).with("trouble", trouble)
        }
    };
    Err(problem.with("namespace", name))
}

/// Names of rooms, if they are not too long and not too many.
pub(super) fn names(
    api: &Api,
    list: &str,
    names: &[String],
) -> Result<impl Iterator<Item = Room>, Problem> {
    let longest = api.server.shared().limits().room_name_bytes;
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
