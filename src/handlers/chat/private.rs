//! Private conversations: two people, what they said, and who looks at whom.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::history::History;
use super::images::Pictures;
use super::people::PersonId;

/// Two people, the lesser id first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key(PersonId, PersonId);

impl Key {
    fn of(one: &PersonId, other: &PersonId) -> Self {
        let (one, other) = (one.clone(), other.clone());
        if one < other {
            Self(one, other)
        } else {
            Self(other, one)
        }
    }
}

/// One private conversation.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) history: History,
    /// Whether each of the two has it open or got a message in it, and so hears of the other.
    watches: [bool; 2],
    used: u64,
}

/// All private conversations.
#[derive(Debug)]
pub(super) struct Pairs {
    by_people: HashMap<Key, Pair>,
    /// Which was used when, in steps of [`Self::steps`].
    by_use: BTreeMap<u64, Key>,
    steps: u64,
    max_pairs: usize,
}

impl Pairs {
    pub(super) fn new(max_pairs: usize) -> Self {
        Self {
            by_people: HashMap::new(),
            by_use: BTreeMap::new(),
            steps: 0,
            max_pairs,
        }
    }

    pub(super) fn get(&self, one: &PersonId, other: &PersonId) -> Option<&Pair> {
        self.by_people.get(&Key::of(one, other))
    }

    /// The conversation of two, for one who watches it from now on; made if there is none, for which the one that was used
    /// least recently may have to go.
    pub(super) fn open(
        &mut self,
        watcher: &PersonId,
        other: &PersonId,
        pictures: &mut Pictures,
    ) -> &mut Pair {
        let key = Key::of(watcher, other);
        if !self.by_people.contains_key(&key)
            && self.by_people.len() >= self.max_pairs
            && let Some((_, oldest)) = self.by_use.pop_first()
            && let Some(pair) = self.by_people.remove(&oldest)
        {
            pictures.remove(pair.history.pictures());
        }
        self.steps += 1;
        let side = usize::from(key.0 != *watcher);
        let pair = self.by_people.entry(key.clone()).or_default();
        self.by_use.remove(&pair.used);
        self.by_use.insert(self.steps, key);
        pair.used = self.steps;
        pair.watches[side] = true;
        pair
    }

    /// Those who hear of `person` because of a conversation with it.
    pub(super) fn watchers(&self, person: &PersonId) -> Vec<PersonId> {
        let others = self.of(person);
        let watchers = others.filter(|(other, key, pair)| {
            let side = usize::from(key.0 != **other);
            pair.watches[side]
        });
        watchers.map(|(other, _, _)| other.clone()).collect()
    }

    /// The people that `person` has exchanged messages with, and the number of the last; the latest first, at most `n`.
    pub(super) fn talks(&self, person: &PersonId, n: usize) -> Vec<(PersonId, u64)> {
        let talks = self
            .of(person)
            .map(|(other, _, pair)| (other.clone(), pair.history.last_seq()));
        let mut talks: Vec<_> = talks.filter(|(_, last)| *last > 0).collect();
        talks.sort_unstable_by_key(|(_, last)| Reverse(*last));
        talks.truncate(n);
        talks
    }

    /// Forgets conversations of people whom nobody knows any more.
    pub(super) fn forget(&mut self, is_known: impl Fn(&PersonId) -> bool, pictures: &mut Pictures) {
        let by_use = &mut self.by_use;
        self.by_people.retain(|Key(one, other), pair| {
            let stays = is_known(one) && is_known(other);
            if !stays {
                by_use.remove(&pair.used);
                pictures.remove(pair.history.pictures());
            }
            stays
        });
    }

    /// The conversations of a person, with the other one. Looks at all of them: there are few.
    fn of<'a>(
        &'a self,
        person: &'a PersonId,
    ) -> impl Iterator<Item = (&'a PersonId, &'a Key, &'a Pair)> {
        let pairs = self.by_people.iter();
        pairs.filter_map(move |(key, pair)| match key {
            Key(one, other) if one == person => Some((other, key, pair)),
            Key(one, other) if other == person => Some((one, key, pair)),
            Key(..) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use bytestring::ByteString;

    use super::super::history::Message;
    use super::super::people::Public;
    use super::*;

    fn person(id: &str) -> PersonId {
        PersonId::from(id)
    }

    fn say(pairs: &mut Pairs, pictures: &mut Pictures, from: &str, to: &str, seq: u64) {
        pairs.open(&person(to), &person(from), pictures);
        let pair = pairs.open(&person(from), &person(to), pictures);
        let message = Message {
            seq,
            id: ByteString::from("message-1"),
            at: seq,
            from: Public {
                id: person(from),
                name: from.into(),
            },
            room: None,
            to: Some(person(to)),
            text: "x".into(),
            image: None,
        };
        pair.history.push(message, pictures);
    }

    #[test]
    fn a_conversation_is_the_same_from_both_sides() {
        let (mut pairs, mut pictures) = (Pairs::new(10), Pictures::new(10));
        say(&mut pairs, &mut pictures, "bob", "ada", 5);
        for (one, other) in [("ada", "bob"), ("bob", "ada")] {
            let pair = pairs.get(&person(one), &person(other)).unwrap();
            assert_eq!(pair.history.last_seq(), 5);
        }
        assert!(pairs.get(&person("ada"), &person("cleo")).is_none());
    }

    #[test]
    fn who_opens_watches_and_who_is_watched_does_not_know() {
        let (mut pairs, mut pictures) = (Pairs::new(10), Pictures::new(10));
        pairs.open(&person("ada"), &person("bob"), &mut pictures);
        assert_eq!(pairs.watchers(&person("bob")), [person("ada")]);
        assert_eq!(pairs.watchers(&person("ada")), []);
        assert_eq!(pairs.talks(&person("ada"), 50), []);
        say(&mut pairs, &mut pictures, "ada", "bob", 1);
        assert_eq!(pairs.watchers(&person("ada")), [person("bob")]);
    }

    #[test]
    fn talks_are_those_with_messages_the_latest_first() {
        let (mut pairs, mut pictures) = (Pairs::new(10), Pictures::new(10));
        for (other, seq) in [("bob", 7), ("cleo", 9), ("dora", 8)] {
            say(&mut pairs, &mut pictures, "ada", other, seq);
        }
        pairs.open(&person("ada"), &person("emil"), &mut pictures);
        let talks = pairs.talks(&person("ada"), 2);
        assert_eq!(talks, [(person("cleo"), 9), (person("dora"), 8)]);
        assert_eq!(pairs.talks(&person("cleo"), 50), [(person("ada"), 9)]);
    }

    #[test]
    fn above_the_cap_the_one_that_was_used_least_recently_goes() {
        let (mut pairs, mut pictures) = (Pairs::new(2), Pictures::new(10));
        say(&mut pairs, &mut pictures, "ada", "bob", 1);
        say(&mut pairs, &mut pictures, "ada", "cleo", 2);
        pairs.open(&person("bob"), &person("ada"), &mut pictures);
        say(&mut pairs, &mut pictures, "ada", "dora", 3);
        let talks = pairs.talks(&person("ada"), 50);
        assert_eq!(talks, [(person("dora"), 3), (person("bob"), 1)]);
        assert_eq!(pairs.by_use.len(), pairs.by_people.len());
    }

    #[test]
    fn conversations_of_forgotten_people_go_with_them() {
        let (mut pairs, mut pictures) = (Pairs::new(10), Pictures::new(10));
        say(&mut pairs, &mut pictures, "ada", "bob", 1);
        say(&mut pairs, &mut pictures, "ada", "cleo", 2);
        pairs.forget(|known| known.as_str() != "bob", &mut pictures);
        assert_eq!(pairs.talks(&person("ada"), 50), [(person("cleo"), 2)]);
        assert_eq!(pairs.by_use.len(), 1);
    }
}
