//! People: one per browser, whatever the number of its tabs; who is here, who was, and under which name.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::check;
use super::limits::{FORGET_PERSON_AFTER, GRACE, PEOPLE, Rates};
use super::sent::Sent;
use crate::prelude::{Room, SocketId};

/// The public name of a person for machines: 12 random symbols.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct PersonId(ByteString);

impl PersonId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PersonId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl Borrow<str> for PersonId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What others may know of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Public {
    pub(super) id: PersonId,
    pub(super) name: ByteString,
}

/// A person, and whether it is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Presence {
    #[serde(flatten)]
    pub(super) person: Public,
    pub(super) online: bool,
}

/// A browser that has a tab here, or had one within the last hour.
#[derive(Debug)]
pub(super) struct Person {
    id: PersonId,
    name: ByteString,
    /// The secret of the browser. It leaves this module for nobody.
    token: String,
    tabs: HashSet<SocketId>,
    /// When the last tab went; the person counts as here for a while longer.
    left_at: Option<Instant>,
    is_online: bool,
    /// The rooms that others see it in.
    pub(super) rooms: BTreeSet<Room>,
    pub(super) rates: Rates,
    pub(super) sent: Sent,
}

impl Person {
    pub(super) fn public(&self) -> Public {
        Public {
            id: self.id.clone(),
            name: self.name.clone(),
        }
    }

    pub(super) fn presence(&self) -> Presence {
        Presence {
            person: self.public(),
            online: self.is_online,
        }
    }

    /// Whether there is a tab that can be asked.
    pub(super) fn has_tabs(&self) -> bool {
        !self.tabs.is_empty()
    }
}

/// A tab: one socket.
#[derive(Debug)]
pub(super) struct Tab {
    pub(super) person: PersonId,
    pub(super) rooms: BTreeSet<Room>,
}

/// Who comes.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub(super) token: &'a str,
    /// The name it wants, unchecked.
    pub(super) name: Option<&'a str>,
    /// The id for a person that is not known (any more).
    pub(super) id: PersonId,
}

/// Everybody.
#[derive(Debug, Default)]
pub(super) struct People {
    by_id: HashMap<PersonId, Person>,
    by_token: HashMap<String, PersonId>,
    /// Who has which name, in lower case: those who are here.
    names: HashMap<String, PersonId>,
    tabs: HashMap<SocketId, Tab>,
    /// Without a tab, but still here, by when they went.
    leaving: BTreeSet<(Instant, PersonId)>,
    /// Not here, by when they went.
    away: BTreeSet<(Instant, PersonId)>,
    /// Somebody was forgotten since [`Self::forget`] told so.
    has_forgotten: bool,
}

impl People {
    pub(super) fn get(&self, id: &str) -> Option<&Person> {
        self.by_id.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &PersonId) -> Option<&mut Person> {
        self.by_id.get_mut(id)
    }

    pub(super) fn tab(&self, socket: &SocketId) -> Option<&Tab> {
        self.tabs.get(socket)
    }

    pub(super) fn tab_mut(&mut self, socket: &SocketId) -> Option<&mut Tab> {
        self.tabs.get_mut(socket)
    }

    /// Lets a person in, who then is online: who it is, and whether it was not until now. `None` if too many are here.
    ///
    /// A person who is online keeps its name. For others it is the one they want, or had, or one of ours.
    pub(super) fn enter(
        &mut self,
        arrival: &Arrival<'_>,
        name_chars: usize,
        now: Instant,
    ) -> Option<(PersonId, bool)> {
        let known = self.by_id.get_key_value(&arrival.id).map(|(id, _)| id);
        let known = known.or_else(|| self.by_token.get(arrival.token)).cloned();
        let id = match known {
            Some(id) => id,
            None => self.add(arrival, now)?,
        };
        let person = self.by_id.get(&id)?;
        if person.is_online {
            return Some((id, false));
        }
        let wanted = arrival
            .name
            .and_then(|name| check::name(name, name_chars))
            .or_else(|| (!person.name.is_empty()).then(|| person.name.to_string()));
        let name = self.free_name(wanted, &id, name_chars);
        self.names.insert(name.to_lowercase(), id.clone());
        let person = self.by_id.get_mut(&id)?;
        person.name = name.into();
        person.is_online = true;
        if let Some(left_at) = person.left_at.take() {
            self.away.remove(&(left_at, id.clone()));
        }
        Some((id, true))
    }

    fn add(&mut self, arrival: &Arrival<'_>, now: Instant) -> Option<PersonId> {
        if self.by_id.len() >= PEOPLE {
            let (_, oldest) = self.away.pop_first()?;
            self.drop_person(&oldest);
        }
        let id = arrival.id.clone();
        let person = Person {
            id: id.clone(),
            name: ByteString::new(),
            token: arrival.token.to_owned(),
            tabs: HashSet::new(),
            left_at: None,
            is_online: false,
            rooms: BTreeSet::new(),
            rates: Rates::new(now),
            sent: Sent::default(),
        };
        self.by_token.insert(arrival.token.to_owned(), id.clone());
        self.by_id.insert(id.clone(), person);
        Some(id)
    }

    /// The wanted name, with a number if somebody who is here has it; a guest's for who wants none.
    fn free_name(&self, wanted: Option<String>, id: &PersonId, max_chars: usize) -> String {
        let wanted = wanted.unwrap_or_else(|| format!("Guest {}", guest_number(id)));
        if self.has_name(&wanted).is_none() {
            return wanted;
        }
        let numbers = (2..100).chain(guest_number(id)..);
        let numbered = numbers.map(|number| {
            let end = format!(" {number}");
            let start = wanted.chars().take(max_chars.saturating_sub(end.len()));
            start.collect::<String>().trim_end().to_owned() + &end
        });
        // The numbers are more than the people, so one is free.
        numbered
            .into_iter()
            .find(|name| self.has_name(name).is_none())
            .unwrap_or(wanted)
    }

    fn has_name(&self, name: &str) -> Option<&PersonId> {
        self.names.get(&name.to_lowercase())
    }

    /// Gives a person another name. `false` if somebody else who is here has it.
    pub(super) fn rename(&mut self, id: &PersonId, name: String) -> bool {
        if self.has_name(&name).is_some_and(|other| other != id) {
            return false;
        }
        if let Some(person) = self.by_id.get_mut(id) {
            self.names.remove(&person.name.to_lowercase());
            self.names.insert(name.to_lowercase(), id.clone());
            person.name = name.into();
        }
        true
    }

    /// A person has one more tab.
    pub(super) fn add_tab(&mut self, socket: SocketId, id: &PersonId) {
        let Some(person) = self.by_id.get_mut(id) else {
            return;
        };
        if let Some(left_at) = person.left_at.take() {
            self.leaving.remove(&(left_at, id.clone()));
        }
        person.tabs.insert(socket.clone());
        let tab = Tab {
            person: id.clone(),
            rooms: BTreeSet::new(),
        };
        self.tabs.insert(socket, tab);
    }

    /// A tab is gone. `None` if it was not known.
    pub(super) fn remove_tab(&mut self, socket: &SocketId, now: Instant) -> Option<Tab> {
        let tab = self.tabs.remove(socket)?;
        if let Some(person) = self.by_id.get_mut(&tab.person) {
            person.tabs.remove(socket);
            if person.tabs.is_empty() {
                person.left_at = Some(now);
                self.leaving.insert((now, tab.person.clone()));
            }
        }
        Some(tab)
    }

    /// Those who went long enough ago to be gone; they are not online any more.
    pub(super) fn gone(&mut self, now: Instant) -> Vec<PersonId> {
        let mut gone = Vec::new();
        while let Some((left_at, _)) = self.leaving.first()
            && now.saturating_duration_since(*left_at) >= GRACE
            && let Some((left_at, id)) = self.leaving.pop_first()
        {
            if let Some(person) = self.by_id.get_mut(&id) {
                person.is_online = false;
                self.names.remove(&person.name.to_lowercase());
                self.away.insert((left_at, id.clone()));
                gone.push(id);
            }
        }
        gone
    }

    /// Forgets those who went an hour ago. Whether anybody was forgotten since this was asked last.
    pub(super) fn forget(&mut self, now: Instant) -> bool {
        while let Some((left_at, _)) = self.away.first()
            && now.saturating_duration_since(*left_at) >= FORGET_PERSON_AFTER
            && let Some((_, id)) = self.away.pop_first()
        {
            self.drop_person(&id);
        }
        std::mem::take(&mut self.has_forgotten)
    }

    fn drop_person(&mut self, id: &PersonId) {
        self.has_forgotten = true;
        if let Some(person) = self.by_id.remove(id)
            && self.by_token.get(&person.token) == Some(id)
        {
            self.by_token.remove(&person.token);
        }
    }
}

/// A number for a guest, which comes out of its random id.
fn guest_number(id: &PersonId) -> u32 {
    let hash = id.as_str().bytes().fold(0_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(byte.into())
    });
    100 + hash % 9_900
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// People who come, `SocketId` being their token for short.
    struct House {
        people: People,
        start: Instant,
    }

    impl House {
        fn new() -> Self {
            Self {
                people: People::default(),
                start: Instant::now(),
            }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        /// A tab `tab` of the browser `token` comes; its name, and whether the person came with it.
        fn comes(&mut self, tab: &str, token: &str, name: &str, seconds: u64) -> (String, bool) {
            let arrival = Arrival {
                token,
                name: Some(name),
                id: PersonId::from(&*format!("id of {tab}")),
            };
            let now = self.at(seconds);
            let (id, came) = self.people.enter(&arrival, 24, now).unwrap();
            self.people.add_tab(tab.into(), &id);
            (self.people.get(id.as_str()).unwrap().name.to_string(), came)
        }

        fn goes(&mut self, tab: &str, seconds: u64) {
            let now = self.at(seconds);
            self.people.remove_tab(&tab.into(), now).unwrap();
        }

        fn gone(&mut self, seconds: u64) -> usize {
            let now = self.at(seconds);
            self.people.gone(now).len()
        }
    }

    #[test]
    fn a_token_is_one_person_whatever_its_tabs() {
        let mut house = House::new();
        assert_eq!(house.comes("a", "one", "Ada", 0), ("Ada".to_owned(), true));
        assert_eq!(house.comes("b", "one", "Bob", 0), ("Ada".to_owned(), false));
        assert_eq!(house.people.by_id.len(), 1);
        house.goes("a", 1);
        assert_eq!(house.gone(100), 0);
        house.goes("b", 100);
        assert!(house.people.remove_tab(&"b".into(), house.start).is_none());
        assert_eq!(house.gone(102), 0);
        assert_eq!(house.gone(103), 1);
        assert_eq!(house.gone(104), 0);
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut house = House::new();
        assert_eq!(house.comes("a", "one", "Ada", 0).0, "Ada");
        assert_eq!(house.comes("b", "two", "ADA", 0).0, "ADA 2");
        assert_eq!(house.comes("c", "three", " ada ", 0).0, "ada 3");
        let long = "x".repeat(24);
        assert_eq!(house.comes("d", "four", &long, 0).0, long);
        assert_eq!(
            house.comes("e", "five", &long, 0).0,
            format!("{} 2", "x".repeat(22))
        );
        for n in 0..150 {
            let (name, _) = house.comes(&format!("many {n}"), &format!("many {n}"), "Many", 0);
            assert!(name.starts_with("Many") && name.chars().count() <= 24);
        }
        assert_eq!(house.people.names.len(), house.people.by_id.len());
    }

    #[test]
    fn who_wants_no_name_or_a_bad_one_is_a_guest() {
        let mut house = House::new();
        for (tab, bad) in [("a", ""), ("b", "  "), ("c", "a\0b"), ("d", "a\u{202e}b")] {
            let (name, _) = house.comes(tab, tab, bad, 0);
            assert!(name.starts_with("Guest "), "{name}");
        }
        assert_eq!(house.people.names.len(), 4);
    }

    #[test]
    fn a_person_can_be_renamed_to_what_nobody_else_has() {
        let mut house = House::new();
        house.comes("a", "one", "Ada", 0);
        house.comes("b", "two", "Bob", 0);
        let ada = house.people.tab(&"a".into()).unwrap().person.clone();
        assert!(!house.people.rename(&ada, "bob".to_owned()));
        assert!(house.people.rename(&ada, "ADA".to_owned()));
        assert!(house.people.rename(&ada, "Countess".to_owned()));
        assert_eq!(house.comes("c", "three", "Ada", 0).0, "Ada");
        assert_eq!(house.people.names.len(), 3);
    }

    #[test]
    fn who_returns_within_the_grace_never_left_and_within_the_hour_is_the_same() {
        let mut house = House::new();
        house.comes("a", "one", "Ada", 0);
        let ada = house.people.tab(&"a".into()).unwrap().person.clone();
        house.goes("a", 10);
        assert_eq!(
            house.comes("b", "one", "Ada", 12),
            ("Ada".to_owned(), false)
        );
        assert_eq!(house.gone(100), 0);
        house.goes("b", 100);
        assert_eq!(house.gone(103), 1);
        assert!(!house.people.get(ada.as_str()).unwrap().presence().online);
        // The name is free meanwhile, and the place of the one who had it is not.
        assert_eq!(house.comes("c", "two", "Ada", 200).0, "Ada");
        assert!(!house.people.forget(house.at(3699)));
        assert_eq!(
            house.comes("d", "one", "Ada", 3699),
            ("Ada 2".to_owned(), true)
        );
        assert_eq!(house.people.tab(&"d".into()).unwrap().person, ada);
        house.goes("d", 4000);
        house.gone(4010);
        assert!(house.people.forget(house.at(7600)));
        assert!(!house.people.forget(house.at(7600)));
        assert!(house.people.get(ada.as_str()).is_none());
        assert_eq!(house.people.by_token.len(), 1);
        assert!(house.people.away.is_empty() && house.people.leaving.is_empty());
    }

    #[test]
    fn above_the_cap_who_went_first_is_forgotten_and_nobody_else() {
        let mut house = House::new();
        for n in 0..PEOPLE {
            house.comes(
                &format!("tab {n}"),
                &format!("token {n}"),
                &format!("name {n}"),
                0,
            );
        }
        let arrival = Arrival {
            token: "late",
            name: None,
            id: PersonId::from("late"),
        };
        assert_eq!(house.people.enter(&arrival, 24, house.at(1)), None);
        house.goes("tab 5", 1);
        house.goes("tab 3", 2);
        house.gone(10);
        assert!(house.people.enter(&arrival, 24, house.at(11)).is_some());
        assert!(!house.people.by_token.contains_key("token 5"));
        assert!(house.people.by_token.contains_key("token 3"));
        assert_eq!(house.people.by_id.len(), PEOPLE);
    }

    #[test]
    fn a_recovered_tab_is_the_person_its_data_names() {
        let mut house = House::new();
        house.comes("a", "one", "Ada", 0);
        let ada = house.people.tab(&"a".into()).unwrap().person.clone();
        let arrival = Arrival {
            token: "another token",
            name: Some("Mallory"),
            id: ada.clone(),
        };
        assert_eq!(
            house.people.enter(&arrival, 24, house.start),
            Some((ada, false))
        );
        assert_eq!(house.people.by_token.len(), 1);
    }
}
