//! Rooms: who is in them, what was said, which counts have changed, which stand empty.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use serde::Serialize;

use super::history::History;
use super::images::Pictures;
use super::limits::{FORGET_ROOM_AFTER, GRACE};
use super::people::PersonId;
use crate::prelude::Room;

/// The room that is always there.
pub(super) const LOBBY: &str = "lobby";

/// How many people are in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    pub(super) name: Room,
    pub(super) people: usize,
    /// There is no such room any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) gone: bool,
}

/// One room.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) history: History,
    people: BTreeMap<PersonId, Stay>,
    empty_since: Option<Instant>,
}

/// One person in a room.
#[derive(Debug, Default)]
struct Stay {
    n_tabs: usize,
    /// When the last tab went; the person counts as in it for a while longer.
    left_at: Option<Instant>,
}

impl State {
    /// Who is in it.
    pub(super) fn people(&self) -> impl ExactSizeIterator<Item = &PersonId> {
        self.people.keys()
    }
}

/// All rooms.
#[derive(Debug)]
pub(super) struct Rooms {
    by_name: HashMap<Room, State>,
    max_rooms: usize,
    /// Without people, by when the last one went.
    empty: BTreeSet<(Instant, Room)>,
    /// People without a tab in a room, by when they went.
    leaving: BTreeSet<(Instant, Room, PersonId)>,
    /// Rooms whose count was not told yet.
    changed: BTreeSet<Room>,
}

impl Rooms {
    pub(super) fn new(max_rooms: usize) -> Self {
        Self {
            by_name: HashMap::from([(LOBBY.into(), State::default())]),
            max_rooms,
            empty: BTreeSet::new(),
            leaving: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&State> {
        self.by_name.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut State> {
        self.by_name.get_mut(name)
    }

    /// How many people are in each room.
    pub(super) fn counts(&self) -> Vec<Count> {
        let counts = self.by_name.iter().map(|(name, room)| Count {
            name: name.clone(),
            people: room.people.len(),
            gone: false,
        });
        counts.collect()
    }

    /// Makes a room if there is none of that name; the one that is empty for longest makes place for it if need be.
    /// `false` if there are too many.
    pub(super) fn open(&mut self, name: &Room, now: Instant, pictures: &mut Pictures) -> bool {
        if self.by_name.contains_key(name) {
            return true;
        }
        if self.by_name.len() >= self.max_rooms {
            let Some((_, longest)) = self.empty.pop_first() else {
                return false;
            };
            self.remove(&longest, pictures);
        }
        let room = State {
            empty_since: Some(now),
            ..State::default()
        };
        self.by_name.insert(name.clone(), room);
        self.empty.insert((now, name.clone()));
        true
    }

    /// A tab has entered a room that is open. Whether its person was not in it until now.
    pub(super) fn enter(&mut self, name: &Room, person: &PersonId) -> bool {
        let Some(room) = self.by_name.get_mut(name) else {
            return false;
        };
        if let Some(since) = room.empty_since.take() {
            self.empty.remove(&(since, name.clone()));
        }
        let is_new = !room.people.contains_key(person);
        let stay = room.people.entry(person.clone()).or_default();
        stay.n_tabs += 1;
        if let Some(left_at) = stay.left_at.take() {
            self.leaving
                .remove(&(left_at, name.clone(), person.clone()));
        }
        if is_new {
            self.changed.insert(name.clone());
        }
        is_new
    }

    /// A tab that was in a room is gone; its person may come back.
    pub(super) fn lose(&mut self, name: &Room, person: &PersonId, now: Instant) {
        let Some(room) = self.by_name.get_mut(name) else {
            return;
        };
        if let Some(stay) = room.people.get_mut(person) {
            stay.n_tabs = stay.n_tabs.saturating_sub(1);
            if stay.n_tabs == 0 && stay.left_at.is_none() {
                stay.left_at = Some(now);
                self.leaving.insert((now, name.clone(), person.clone()));
            }
        }
    }

    /// A tab leaves a room. Whether its person has left with it.
    pub(super) fn leave(&mut self, name: &Room, person: &PersonId, now: Instant) -> bool {
        self.lose(name, person, now);
        let stay = self
            .by_name
            .get(name)
            .and_then(|room| room.people.get(person));
        let Some(left_at) = stay.and_then(|stay| stay.left_at) else {
            return false;
        };
        self.leaving
            .remove(&(left_at, name.clone(), person.clone()));
        self.take_out(name, person, now);
        true
    }

    /// Those who went long enough ago; they are in the room no more.
    pub(super) fn gone(&mut self, now: Instant) -> Vec<(Room, PersonId)> {
        let mut gone = Vec::new();
        while let Some((left_at, _, _)) = self.leaving.first()
            && now.saturating_duration_since(*left_at) >= GRACE
            && let Some((_, name, person)) = self.leaving.pop_first()
        {
            self.take_out(&name, &person, now);
            gone.push((name, person));
        }
        gone
    }

    fn take_out(&mut self, name: &Room, person: &PersonId, now: Instant) {
        let Some(room) = self.by_name.get_mut(name) else {
            return;
        };
        room.people.remove(person);
        self.changed.insert(name.clone());
        if room.people.is_empty() && **name != *LOBBY {
            room.empty_since = Some(now);
            self.empty.insert((now, name.clone()));
        }
    }

    /// The counts that have changed since they were asked for last.
    pub(super) fn changed(&mut self) -> Vec<Count> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let counts = changed.map(|name| {
            let room = self.by_name.get(&name);
            Count {
                people: room.map_or(0, |room| room.people.len()),
                gone: room.is_none(),
                name,
            }
        });
        counts.collect()
    }

    /// Forgets rooms that have been empty for long.
    pub(super) fn forget(&mut self, now: Instant, pictures: &mut Pictures) {
        while let Some((since, _)) = self.empty.first()
            && now.saturating_duration_since(*since) >= FORGET_ROOM_AFTER
            && let Some((_, name)) = self.empty.pop_first()
        {
            self.remove(&name, pictures);
        }
    }

    fn remove(&mut self, name: &Room, pictures: &mut Pictures) {
        if let Some(room) = self.by_name.remove(name) {
            pictures.remove(room.history.pictures());
            self.changed.insert(name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn person(id: &str) -> PersonId {
        PersonId::from(id)
    }

    struct House {
        rooms: Rooms,
        pictures: Pictures,
        start: Instant,
    }

    impl House {
        fn with(max_rooms: usize) -> Self {
            Self {
                rooms: Rooms::new(max_rooms),
                pictures: Pictures::new(100),
                start: Instant::now(),
            }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        fn enter(&mut self, room: &str, who: &str, seconds: u64) -> Option<bool> {
            let (room, now) = (Room::from(room), self.at(seconds));
            let is_open = self.rooms.open(&room, now, &mut self.pictures);
            is_open.then(|| self.rooms.enter(&room, &person(who)))
        }

        /// The counts that have changed: name, people, and whether it is gone.
        fn changed(&mut self) -> Vec<(String, usize, bool)> {
            let changed = self.rooms.changed().into_iter();
            changed
                .map(|count| (count.name.to_string(), count.people, count.gone))
                .collect()
        }
    }

    #[test]
    fn people_are_counted_and_not_tabs() {
        let mut house = House::with(10);
        assert_eq!(house.enter("a", "ada", 0), Some(true));
        assert_eq!(house.enter("a", "ada", 0), Some(false));
        assert_eq!(house.enter("a", "bob", 0), Some(true));
        assert_eq!(house.changed(), [("a".to_owned(), 2, false)]);
        assert_eq!(house.changed(), []);
        let room = Room::from("a");
        let now = house.at(1);
        assert!(!house.rooms.leave(&room, &person("ada"), now));
        assert_eq!(house.changed(), []);
        assert!(house.rooms.leave(&room, &person("ada"), now));
        assert!(!house.rooms.leave(&room, &person("ada"), now));
        assert!(!house.rooms.leave(&"other".into(), &person("ada"), now));
        assert_eq!(house.changed(), [("a".to_owned(), 1, false)]);
    }

    #[test]
    fn who_lost_its_tabs_is_gone_after_the_grace_unless_it_is_back() {
        let mut house = House::with(10);
        let room = Room::from("a");
        for who in ["ada", "bob"] {
            house.enter("a", who, 0);
            let now = house.at(10);
            house.rooms.lose(&room, &person(who), now);
        }
        assert_eq!(house.enter("a", "ada", 12), Some(false));
        assert_eq!(house.rooms.gone(house.at(12)), []);
        assert_eq!(
            house.rooms.gone(house.at(13)),
            [(room.clone(), person("bob"))]
        );
        assert_eq!(house.rooms.gone(house.at(99)), []);
        assert_eq!(house.changed(), [("a".to_owned(), 1, false)]);
        // Leaving on purpose is not delayed by an earlier loss.
        house.enter("a", "ada", 20);
        let now = house.at(20);
        house.rooms.lose(&room, &person("ada"), now);
        assert!(house.rooms.leave(&room, &person("ada"), now));
        assert_eq!(house.rooms.gone(house.at(99)), []);
        assert!(house.rooms.leaving.is_empty());
    }

    #[test]
    fn an_empty_room_goes_after_ten_minutes_and_the_lobby_stays() {
        let mut house = House::with(10);
        for room in ["a", LOBBY] {
            house.enter(room, "ada", 0);
            let now = house.at(60);
            assert!(house.rooms.leave(&room.into(), &person("ada"), now));
        }
        house.changed();
        house.rooms.forget(house.at(659), &mut house.pictures);
        assert!(house.rooms.get("a").is_some());
        house.rooms.forget(house.at(660), &mut house.pictures);
        assert!(house.rooms.get("a").is_none());
        assert_eq!(house.changed(), [("a".to_owned(), 0, true)]);
        house.rooms.forget(house.at(999_999), &mut house.pictures);
        assert!(house.rooms.get(LOBBY).is_some());
    }

    #[test]
    fn a_room_that_was_entered_again_stays() {
        let mut house = House::with(10);
        house.enter("a", "ada", 0);
        let now = house.at(1);
        house.rooms.leave(&"a".into(), &person("ada"), now);
        house.enter("a", "bob", 100);
        house.rooms.forget(house.at(9999), &mut house.pictures);
        assert!(house.rooms.get("a").is_some());
        assert!(house.rooms.empty.is_empty());
    }

    #[test]
    fn above_the_cap_the_room_that_is_empty_for_longest_makes_place() {
        let mut house = House::with(3);
        assert_eq!(house.enter("a", "ada", 0), Some(true));
        assert_eq!(house.enter("b", "ada", 0), Some(true));
        assert_eq!(house.enter("c", "ada", 0), None);
        for (room, seconds) in [("b", 1), ("a", 2)] {
            let now = house.at(seconds);
            house.rooms.leave(&room.into(), &person("ada"), now);
        }
        house.changed();
        assert_eq!(house.enter("c", "ada", 3), Some(true));
        assert!(house.rooms.get("b").is_none() && house.rooms.get("a").is_some());
        assert_eq!(
            house.changed(),
            [("b".to_owned(), 0, true), ("c".to_owned(), 1, false)]
        );
        assert_eq!(house.rooms.counts().len(), 3);
    }
}
