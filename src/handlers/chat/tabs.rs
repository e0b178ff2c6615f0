//! Tabs come and go: who they belong to, what they are told first, and when a person counts as gone.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::limits::PRIVATE_LISTED;
use super::messages::{About, Auth, Left, Refused, TabData, Talk, Welcome};
use super::people::{Arrival, PersonId};
use super::{Chat, check, room_of, user_of};
use crate::prelude::{Room, Socket, SocketId};

impl Chat {
    /// Lets a tab in and tells it where it is.
    pub(super) fn welcome(&mut self, socket: &Socket, now: Instant) -> Result<(), Refused> {
        let (person, came) = self.admit(socket, now)?;
        let Some(you) = self.people.get(person.as_str()) else {
            return Ok(());
        };
        let talks = self.pairs.talks(&person, PRIVATE_LISTED).into_iter();
        let private = talks.filter_map(|(other, seq)| {
            let person = self.people.get(other.as_str())?.presence();
            Some(Talk { person, seq })
        });
        let welcome = Welcome {
            you: you.public(),
            limits: &self.limits,
            rooms: self.rooms.counts(),
            private: private.collect(),
            server: About {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
            },
        };
        socket.emit("welcome", welcome);
        self.restore_rooms(socket, &person, now);
        if came {
            self.tell_presence(&person);
        }
        Ok(())
    }

    /// The person of a tab that says something. A tab that is not known (this actor started anew) is taken in; one that has
    /// gone meanwhile is not.
    pub(super) fn person_of(&mut self, socket: &Socket, now: Instant) -> Option<PersonId> {
        if let Some(tab) = self.people.tab(socket.id()) {
            return Some(tab.person.clone());
        }
        if !socket.is_connected() {
            return None;
        }
        self.everybody.get_or_insert_with(|| socket.namespace());
        let (person, came) = self.admit(socket, now).ok()?;
        self.restore_rooms(socket, &person, now);
        if came {
            self.tell_presence(&person);
        }
        Some(person)
    }

    /// Finds out whose tab it is. The person, and whether it was not here until now.
    fn admit(&mut self, socket: &Socket, now: Instant) -> Result<(PersonId, bool), Refused> {
        let auth = socket.auth::<Auth>().ok();
        let auth = auth.filter(|auth| check::is_token(&auth.token));
        let auth = auth.ok_or_else(|| {
            Refused::new(
                "bad_auth",
                "This browser has sent no token, or a malformed one.",
            )
        })?;
        // The server alone writes this, so a recovered socket is whom it says.
        let data = socket.data::<Option<TabData>>().ok().flatten();
        let arrival = Arrival {
            token: &auth.token,
            name: auth.name(),
            id: data.map_or_else(new_id, |data| data.person),
        };
        let (person, came) = self
            .people
            .enter(&arrival, self.limits.name_chars, now)
            .ok_or_else(|| Refused::new("full", "Too many people are here. Try again later."))?;
        // An earlier connection of a recovered socket, should its end still be on the way.
        self.lose(socket.id(), now);
        self.people.add_tab(socket.id().clone(), &person);
        let data = TabData {
            person: person.clone(),
        };
        if let Err(err) = socket.set_data(&data) {
            log::error!("the data of a tab was not kept err={err}");
        }
        socket.join(user_of(&person));
        Ok((person, came))
    }

    /// Takes a tab into the rooms that its socket has been in before.
    fn restore_rooms(&mut self, socket: &Socket, person: &PersonId, now: Instant) {
        for room in socket.rooms() {
            let Some(name) = room.strip_prefix("room:").map(Room::from) else {
                continue;
            };
            if self.rooms.open(&name, now, &mut self.pictures) {
                self.enter(socket, person, &name);
            } else {
                socket.leave(room);
            }
        }
    }

    /// A tab is gone. Its person is not, for a while.
    pub(super) fn lose(&mut self, socket: &SocketId, now: Instant) {
        if let Some(tab) = self.people.remove_tab(socket, now) {
            for room in &tab.rooms {
                self.rooms.lose(room, &tab.person, now);
            }
        }
    }

    /// What time brings: people who are gone for good, counts that have changed, what nobody will ask for again.
    pub(super) fn tick(&mut self, now: Instant) {
        let Some(everybody) = self.everybody.clone() else {
            return;
        };
        // People before rooms: those in a room are told of both.
        for person in self.people.gone(now) {
            self.tell_presence(&person);
        }
        for (room, person) in self.rooms.gone(now) {
            self.tell_left(&everybody, room, person);
        }
        if self.people.forget(now) {
            let people = &self.people;
            let is_known = |id: &PersonId| people.get(id.as_str()).is_some();
            self.pairs.forget(is_known, &mut self.pictures);
        }
        self.rooms.forget(now, &mut self.pictures);
        for count in self.rooms.changed() {
            everybody.emit("room", count);
        }
    }

    /// Tells a room that somebody has left it.
    pub(super) fn tell_left(
        &mut self,
        everybody: &crate::prelude::Namespace,
        room: Room,
        id: PersonId,
    ) {
        if let Some(person) = self.people.get_mut(&id) {
            person.rooms.remove(&room);
        }
        everybody.to(room_of(&room)).emit("left", Left { room, id });
    }

    /// Tells those who see a person somewhere how it is called and whether it is here.
    pub(super) fn tell_presence(&self, id: &PersonId) {
        if let Some(everybody) = &self.everybody
            && let Some(person) = self.people.get(id.as_str())
        {
            let rooms = person.rooms.iter().map(room_of);
            let watchers = self.pairs.watchers(id);
            let users = watchers.iter().chain([id]).map(user_of);
            let audience: Vec<Room> = rooms.chain(users).collect();
            everybody.to(audience).emit("person", person.presence());
        }
    }
}

/// 72 random bits as 12 symbols.
fn new_id() -> PersonId {
    let mut bytes = [0; 9];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    PersonId::from(&*URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_twelve_url_safe_symbols_and_never_repeat() {
        let ids: HashSet<_> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        let is_url_safe = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        assert!(
            ids.iter()
                .all(|id| id.as_str().len() == 12 && id.as_str().chars().all(is_url_safe))
        );
    }
}
