//! Being somewhere: names, joining and leaving rooms, opening private conversations.

use super::limits::RECEIPT_PEOPLE;
use super::messages::{Came, Conv, Joined, Named, Nothing, Opened, Refused, Since, parse};
use super::people::{PersonId, Public};
use super::{Chat, Who, check, room_of};
use crate::prelude::{Args, Room, Socket, Value};

impl Chat {
    /// `name`: another name for the person.
    pub(super) fn rename(&mut self, who: &Who<'_>, args: &Args) -> Result<Named, Refused> {
        let max = self.limits.name_chars;
        let wanted = args.first::<Value>().unwrap_or_default();
        let name = wanted.as_str().and_then(|name| check::name(name, max));
        let name = name.ok_or_else(|| {
            let message = format!("A name has 1 to {max} characters that can be seen.");
            Refused::new("bad_name", message).with_limit(max)
        })?;
        if !self.people.rename(&who.person, name.clone()) {
            return Err(Refused::new("name_taken", "Somebody here has that name."));
        }
        self.tell_presence(&who.person);
        Ok(Named { name: name.into() })
    }

    /// `join`: a room, which is made if there is none.
    pub(super) fn join(&mut self, who: &Who<'_>, args: &Args) -> Result<Joined, Refused> {
        let (name, since) = parse::<(String, Option<Since>)>(args)?;
        let name = check::room(&name, self.limits.room_chars)
            .ok_or_else(|| Refused::bad_room(&self.limits))?;
        if !self.is_in(who, &name) {
            self.enter_anew(who, &name)?;
        }
        let room = self.rooms.get(&name);
        let room = room.ok_or_else(|| Refused::bad_room(&self.limits))?;
        let people = room.people().filter_map(|id| self.people.get(id.as_str()));
        let after = since.unwrap_or_default().after;
        Ok(Joined {
            people: people.map(super::people::Person::public).collect(),
            recent: room
                .history
                .recent(after, self.limits.history, &self.pictures),
            room: name,
        })
    }

    fn enter_anew(&mut self, who: &Who<'_>, name: &Room) -> Result<(), Refused> {
        let too_many =
            |message: String, limit| Err(Refused::new("too_many_rooms", message).with_limit(limit));
        let max = self.limits.rooms_per_tab;
        let tab = self.people.tab(who.socket.id());
        if tab.is_none_or(|tab| tab.rooms.len() >= max) {
            return too_many(
                format!("A tab can be in {max} rooms. Leave one first."),
                max,
            );
        }
        if !self.rooms.open(name, who.now.instant, &mut self.pictures) {
            let max = self.limits.rooms;
            return too_many(format!("There are {max} rooms already."), max);
        }
        who.socket.join(room_of(name));
        self.enter(who.socket, &who.person, name);
        Ok(())
    }

    /// A tab enters an open room; those in it are told if its person was not there.
    pub(super) fn enter(&mut self, socket: &Socket, person: &PersonId, name: &Room) {
        if let Some(tab) = self.people.tab_mut(socket.id()) {
            tab.rooms.insert(name.clone());
        }
        if self.rooms.enter(name, person)
            && let Some(person) = self.people.get_mut(person)
        {
            person.rooms.insert(name.clone());
            let came = Came {
                room: name.clone(),
                person: person.public(),
            };
            socket.to(room_of(name)).emit("joined", came);
        }
    }

    /// `leave`: a room, at once.
    pub(super) fn leave(&mut self, who: &Who<'_>, args: &Args) -> Result<Nothing, Refused> {
        let (name,) = parse::<(String,)>(args)?;
        let name = check::room(&name, self.limits.room_chars)
            .ok_or_else(|| Refused::bad_room(&self.limits))?;
        let tab = self.people.tab_mut(who.socket.id());
        if tab.is_some_and(|tab| tab.rooms.remove(&name)) {
            who.socket.leave(room_of(&name));
            if self.rooms.leave(&name, &who.person, who.now.instant) {
                self.tell_left(&who.socket.namespace(), name, who.person.clone());
            }
        }
        Ok(Nothing {})
    }

    /// `open`: the private conversation with a person, which is made if there is none.
    pub(super) fn open(&mut self, who: &Who<'_>, args: &Args) -> Result<Opened, Refused> {
        let (other, since) = parse::<(PersonId, Option<Since>)>(args)?;
        self.partner(who, &other)?;
        let person = self.people.get(other.as_str());
        let person = person.ok_or_else(Refused::no_such_person)?.presence();
        let pair = self.pairs.open(&who.person, &other, &mut self.pictures);
        let after = since.unwrap_or_default().after;
        Ok(Opened {
            person,
            recent: pair
                .history
                .recent(after, self.limits.history, &self.pictures),
        })
    }

    /// Whether a tab is in a room.
    pub(super) fn is_in(&self, who: &Who<'_>, room: &Room) -> bool {
        let tab = self.people.tab(who.socket.id());
        tab.is_some_and(|tab| tab.rooms.contains(room))
    }

    /// Refuses a partner for a private conversation who is unknown, or oneself.
    pub(super) fn partner(&self, who: &Who<'_>, other: &PersonId) -> Result<(), Refused> {
        let is_known = self.people.get(other.as_str()).is_some();
        if is_known && *other != who.person {
            return Ok(());
        }
        Err(Refused::no_such_person())
    }

    /// Refuses a conversation that the tab is not in; the room's name in its one spelling.
    pub(super) fn accessible(&self, who: &Who<'_>, conv: Conv) -> Result<Conv, Refused> {
        match conv {
            Conv::Room(name) => check::room(&name, self.limits.room_chars)
                .filter(|name| self.is_in(who, name))
                .map(Conv::Room)
                .ok_or_else(|| Refused::new("not_in_room", "You are not in that room.")),
            Conv::Person(other) => {
                self.partner(who, &other)?;
                Ok(Conv::Person(other))
            }
        }
    }

    /// The other people of a conversation, if they are few enough to be asked one by one.
    pub(super) fn others(&self, who: &Who<'_>, conv: &Conv) -> Vec<PersonId> {
        let others: Vec<_> = match conv {
            Conv::Room(name) => match self.rooms.get(name) {
                Some(room) if room.people().len() <= RECEIPT_PEOPLE + 1 => {
                    let others = room.people().filter(|id| **id != who.person);
                    others.cloned().collect()
                }
                _ => Vec::new(),
            },
            Conv::Person(other) => {
                let person = self.people.get(other.as_str());
                let is_here = person.is_some_and(super::people::Person::has_tabs);
                is_here.then(|| other.clone()).into_iter().collect()
            }
        };
        others
    }

    /// What others may know of the person an event is from.
    pub(super) fn public(&self, who: &Who<'_>) -> Result<Public, Refused> {
        let person = self.people.get(who.person.as_str());
        Ok(person.ok_or_else(Refused::no_such_person)?.public())
    }
}
