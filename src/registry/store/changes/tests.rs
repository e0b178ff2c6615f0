//! What has to be written, against a model of Redis.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use proptest::prelude::*;
use redis::Cmd;

use super::*;

/// A socket that is nothing but its rooms.
#[derive(Debug)]
struct Fake {
    id: String,
    rooms: Mutex<BTreeSet<Room>>,
}

impl Occupant for Fake {
    fn nsp(&self) -> &str {
        "/"
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn rooms(&self) -> Vec<Room> {
        let own = Room::from(self.id.as_str());
        std::iter::once(own)
            .chain(self.rooms.lock().iter().cloned())
            .collect()
    }

    fn is_back(&self) -> bool {
        self.id == CAT
    }
}

/// A Redis that knows the four commands a flush consists of.
#[derive(Debug, Default)]
struct Model {
    sets: BTreeMap<String, BTreeSet<String>>,
    n_commands: usize,
}

impl Model {
    fn run(&mut self, command: &Cmd) {
        let words: Vec<String> = command
            .args_iter()
            .map(|arg| match arg {
                redis::Arg::Simple(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                _ => panic!("no cursors here"),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.n_commands += 1;
        match &words[..] {
            ["EVAL", script, "1", key, name, members @ ..] => {
                assert!(members.len() <= MEMBERS_AT_MOST);
                if self.sets.get(*key).is_some_and(|set| set.contains(*name)) {
                    return;
                }
                let verb = if script.contains("SADD") {
                    "SADD"
                } else {
                    "SREM"
                };
                self.change(verb, key, members);
            }
            [verb, key, members @ ..] => self.change(verb, key, members),
            _ => panic!("{words:?}"),
        }
    }

    fn change(&mut self, verb: &str, key: &str, members: &[&str]) {
        assert!(members.len() <= MEMBERS_AT_MOST);
        let set = self.sets.entry(key.to_owned()).or_default();
        match verb {
            "DEL" => set.clear(),
            "SADD" => set.extend(members.iter().map(|&member| member.to_owned())),
            "SREM" => set.retain(|member| !members.contains(&member.as_str())),
            other => panic!("{other}"),
        }
        if set.is_empty() {
            self.sets.remove(key);
        }
    }

    fn members(&self, key: &str) -> Vec<Room> {
        let set = self.sets.get(key).into_iter().flatten();
        set.map(|member| Room::from(member.as_str())).collect()
    }
}

const MEMBERS_AT_MOST: usize = 512;

const NODE: &str = "k-node#u";

/// A node: its sockets, what it has to write, and the Redis it writes to.
struct Node {
    keys: Keys,
    changes: Changes,
    live: BTreeMap<String, Arc<Fake>>,
    redis: Model,
}

impl Node {
    fn new() -> Self {
        let mut changes = Changes::default();
        changes.recall();
        Self {
            keys: Keys::new("k"),
            changes,
            live: BTreeMap::new(),
            redis: Model::default(),
        }
    }

    fn join(&mut self, id: &str, room: &str) {
        let fake = self.live.entry(id.to_owned()).or_insert_with(|| {
            Arc::new(Fake {
                id: id.to_owned(),
                rooms: Mutex::default(),
            })
        });
        if room != id {
            fake.rooms.lock().insert(room.into());
        }
        let socket: Arc<dyn Occupant> = Arc::clone(fake) as _;
        self.changes.joined(&socket);
    }

    fn leave(&mut self, id: &str, room: &str) {
        if let Some(fake) = self.live.get(id) {
            fake.rooms.lock().remove(room);
            let socket: Arc<dyn Occupant> = Arc::clone(fake) as _;
            self.changes.left(&socket);
        }
    }

    fn gone(&mut self, id: &str) {
        if let Some(fake) = self.live.remove(id) {
            let socket: Arc<dyn Occupant> = fake as _;
            self.changes.gone(&socket);
        }
    }

    /// One batch, as the writer does it: the answers to its questions, then the orders.
    fn flush(&mut self, at_most: usize, max_members: usize) {
        let orders = self.orders(at_most, max_members);
        for command in orders.phases(NODE).iter().flatten() {
            self.redis.run(command);
        }
    }

    /// One batch of which only these commands are carried out, since Redis goes away; it comes back with what it has.
    fn flush_in_part(&mut self, mut is_done: impl FnMut(usize, &Cmd) -> bool) {
        let orders = self.orders(100, 1000);
        for (phase, commands) in orders.phases(NODE).iter().enumerate() {
            for command in commands {
                if is_done(phase, command) {
                    self.redis.run(command);
                }
            }
        }
        self.changes.suspend();
        self.come_back();
        self.settle();
    }

    fn orders(&mut self, at_most: usize, max_members: usize) -> Orders {
        let mut batch = self.changes.next_batch(at_most);
        let ghosts: Vec<_> = batch
            .extract_if(.., |entry| self.changes.is_ghost(entry))
            .collect();
        for ghost in ghosts {
            self.reap(&ghost);
        }
        for entry in batch
            .iter()
            .filter(|entry| self.changes.is_unknown(entry))
            .cloned()
            .collect::<Vec<_>>()
        {
            let members = self.redis.members(&self.keys.socket(&entry));
            self.changes.learn(&entry, members);
        }
        self.changes.orders(batch, &self.keys, max_members)
    }

    /// What the reaper does with an entry without a socket, when no other node has it.
    fn reap(&mut self, ghost: &Entry) {
        let mut orders = Orders::default();
        let members = self.redis.members(&self.keys.socket(ghost));
        if members.iter().any(|room| **room == *ghost.id()) {
            orders.delete(&self.keys, ghost);
            for room in members.iter().filter(|room| ***room != *ghost.id()) {
                orders.room(&self.keys, ghost, room, false);
            }
        } else {
            orders.forget(ghost);
        }
        for command in orders.phases(NODE).iter().flatten() {
            self.redis.run(command);
        }
        self.changes.removed(ghost);
    }

    fn settle(&mut self) {
        while self.changes.n_pending() > 0 {
            self.flush(100, 1000);
        }
    }

    /// Redis comes back with what it kept.
    fn come_back(&mut self) {
        self.changes.recall();
        for entry in self.redis.members(NODE) {
            self.changes.found(Entry::parse(entry.as_bytes()).unwrap());
        }
    }

    /// What Redis should have. Rooms that are called as an id are left out: whether a room like this has a
    /// SET depends on who was there first.
    fn truth(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for fake in self.live.values() {
            let mut set = BTreeSet::from([fake.id.clone()]);
            for room in fake.rooms.lock().iter() {
                set.insert(room.to_string());
                if !is_id_shaped(room) {
                    let members = sets.entry(format!("k#{room}")).or_default();
                    members.insert(fake.id.clone());
                }
            }
            sets.insert(format!("k#{}", fake.id), set);
            let entries = sets.entry(NODE.to_owned()).or_default();
            entries.insert(format!("#{}", fake.id));
        }
        sets
    }

    /// Redis, without the rooms that are called as an id and are no socket here.
    fn stored(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut sets = self.redis.sets.clone();
        sets.retain(|key, _| {
            let name = key.trim_start_matches("k#");
            !is_id_shaped(name) || self.live.contains_key(name)
        });
        sets
    }

    fn check(&self) {
        assert_eq!(self.stored(), self.truth());
        // What is left of rooms called as an id: members of such rooms only.
        for (key, members) in &self.redis.sets {
            let name = key.trim_start_matches("k#");
            if is_id_shaped(name) && !self.live.contains_key(name) {
                for member in members {
                    let fake = self.live.get(member).expect("a member that is here");
                    assert!(fake.rooms.lock().contains(name), "{member} in {key}");
                }
            }
        }
    }
}

const ANN: &str = "AnnAnnAnnAnnAnnAnnAn";
const BOB: &str = "BobBobBobBobBobBobBo";
/// Is always back.
const CAT: &str = "CatCatCatCatCatCatCa";

#[test]
fn it_looks_as_in_the_seed() {
    let mut node = Node::new();
    for (id, room) in [
        (ANN, ANN),
        (ANN, "foo"),
        (ANN, "bar"),
        (BOB, BOB),
        (BOB, "foo"),
    ] {
        node.join(id, room);
    }
    node.settle();
    node.check();
    assert_eq!(
        node.redis.members("k#AnnAnnAnnAnnAnnAnnAn"),
        [ANN, "bar", "foo"]
    );
    assert_eq!(node.redis.members("k#foo"), [ANN, BOB]);
    assert_eq!(node.redis.members("k#bar"), [ANN]);
    // Entries: one. The sockets: four. Rooms: two.
    assert_eq!(node.redis.n_commands, 7);
}

#[test]
fn a_join_and_a_leave_between_two_flushes_are_nothing() {
    let mut node = Node::new();
    node.join(ANN, ANN);
    node.settle();
    let before = node.redis.n_commands;
    node.join(ANN, "foo");
    node.leave(ANN, "foo");
    node.settle();
    node.join(BOB, BOB);
    node.join(BOB, "foo");
    node.gone(BOB);
    node.settle();
    assert_eq!(node.redis.n_commands, before);
    node.check();
    assert_eq!(node.changes.n_slots(), 1);
}

#[test]
fn a_socket_that_goes_and_comes_back_between_two_flushes_is_the_new_one() {
    let mut node = Node::new();
    node.join(ANN, "foo");
    node.settle();
    node.gone(ANN);
    node.join(ANN, "bar");
    node.settle();
    node.check();
    // And if the new one is told of before the old one goes.
    let old = node.live.remove(ANN).unwrap();
    node.join(ANN, "baz");
    let old: Arc<dyn Occupant> = old;
    node.changes.left(&old);
    node.changes.gone(&old);
    node.settle();
    node.check();
}

#[test]
fn a_foreign_join_to_the_room_of_an_id_is_harmless() {
    for ann_is_first in [true, false] {
        let mut node = Node::new();
        for id in if ann_is_first { [ANN, BOB] } else { [BOB, ANN] } {
            node.join(id, if id == BOB { ANN } else { BOB });
            node.settle();
        }
        node.check();
        assert_eq!(node.redis.members("k#AnnAnnAnnAnnAnnAnnAn"), [ANN, BOB]);
        // Ann is in a room called Bob: that Bob leaves hers does not change it.
        node.leave(BOB, ANN);
        node.settle();
        node.check();
        assert_eq!(node.redis.members("k#AnnAnnAnnAnnAnnAnnAn"), [ANN, BOB]);
        node.gone(ANN);
        node.gone(BOB);
        node.settle();
        assert_eq!(node.redis.sets, BTreeMap::new());
    }
}

#[test]
fn a_socket_of_another_node_is_guarded_by_redis() {
    let mut node = Node::new();
    let key = "k#AnnAnnAnnAnnAnnAnnAn";
    let ann = BTreeSet::from([ANN.to_owned(), BOB.to_owned()]);
    node.redis.sets.insert(key.to_owned(), ann.clone());
    node.join(BOB, ANN);
    node.settle();
    assert_eq!(node.redis.sets[key], ann);
    node.gone(BOB);
    node.settle();
    assert_eq!(node.redis.sets, BTreeMap::from([(key.to_owned(), ann)]));
}

#[test]
fn while_redis_is_away_only_who_is_here_is_kept() {
    let mut node = Node::new();
    node.join(ANN, "foo");
    node.settle();
    node.changes.suspend();
    for i in 0..1000 {
        node.join(BOB, &format!("room {i}"));
        node.gone(BOB);
    }
    assert_eq!((node.changes.n_slots(), node.changes.n_pending()), (1, 0));
    node.redis.sets.clear();
    node.come_back();
    node.settle();
    node.check();
}

#[test]
fn a_socket_that_goes_while_it_is_read_leaves_no_entry() {
    for is_set_lost in [true, false] {
        let mut node = Node::new();
        node.join(ANN, "foo");
        node.settle();
        node.changes.suspend();
        if is_set_lost {
            node.redis.sets.remove("k#AnnAnnAnnAnnAnnAnnAn");
            node.redis.sets.remove("k#foo");
        }
        node.come_back();
        let batch = node.changes.next_batch(1);
        let members = node.redis.members(&node.keys.socket(&batch[0]));
        node.changes.learn(&batch[0], members);
        node.gone(ANN);
        let orders = node.changes.orders(batch, &node.keys, 1000);
        for command in orders.phases(NODE).iter().flatten() {
            node.redis.run(command);
        }
        node.settle();
        assert_eq!(node.redis.sets, BTreeMap::new());
        assert_eq!(node.changes.n_slots(), 0);
    }
}

/// Sockets come, go, join and leave; all of it waits to be written.
fn busy_node() -> Node {
    let mut node = Node::new();
    for (id, room) in [(ANN, "foo"), (ANN, "bar"), (BOB, "foo"), (BOB, "bar")] {
        node.join(id, room);
    }
    node.settle();
    node.leave(ANN, "foo");
    node.join(ANN, "baz");
    node.gone(BOB);
    node.join(CAT, "foo");
    node
}

#[test]
fn a_flush_that_breaks_off_is_made_up_for() {
    // One server has carried out the first commands.
    for n_done in 0..20 {
        let (mut node, mut n) = (busy_node(), 0);
        node.flush_in_part(|_, _| {
            n += 1;
            n <= n_done
        });
        assert!(n < 20, "all of them");
        node.check();
    }
    // Of a Cluster one server is gone, which has one key: the others have done what they were told together with it.
    for key in ["node#u", ANN, BOB, CAT, "foo", "bar", "baz"] {
        let (mut node, mut last) = (busy_node(), usize::MAX);
        node.flush_in_part(|phase, command| {
            if command.args_iter().any(|arg| is_key(&arg, key)) {
                last = last.min(phase);
                return false;
            }
            phase <= last
        });
        assert_ne!(last, usize::MAX, "{key} is written");
        node.check();
    }
}

fn is_key(arg: &redis::Arg<&[u8]>, name: &str) -> bool {
    let redis::Arg::Simple(arg) = arg else {
        return false;
    };
    let key = str::from_utf8(arg).unwrap();
    key == format!("k#{name}") || key == format!("k-{name}")
}

#[test]
fn what_is_much_goes_in_pieces() {
    let mut node = Node::new();
    for i in 0..2000 {
        node.join(ANN, &format!("room {i}"));
        node.join(&format!("{i:020}"), "all");
    }
    let before = node.changes.n_queued();
    node.flush(100, 1000);
    assert!(node.changes.n_taken() < before);
    assert_eq!(
        node.changes.n_pending(),
        2001 - usize::try_from(node.changes.n_taken()).unwrap()
    );
    node.settle();
    assert_eq!(node.changes.n_taken(), before);
    node.check();
}

#[derive(Clone, Debug)]
enum Step {
    Join(usize, usize),
    Leave(usize, usize),
    Gone(usize),
    Flush(usize, usize),
    /// Redis is away and comes back, with all it had, or with the keys left out that have this remainder.
    Away(Option<usize>),
    Back,
}

const NAMES: [&str; 6] = [ANN, BOB, CAT, "foo", "bar", ""];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 0..NAMES.len()).prop_map(|(id, room)| Step::Join(id, room)),
        4 => (0..3_usize, 0..NAMES.len()).prop_map(|(id, room)| Step::Leave(id, room)),
        2 => (0..3_usize).prop_map(Step::Gone),
        4 => (1..4_usize, 1..6_usize).prop_map(|(entries, members)| Step::Flush(entries, members)),
        1 => prop::option::of(0..3_usize).prop_map(Step::Away),
        2 => Just(Step::Back),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn redis_ends_with_the_truth(steps in prop::collection::vec(step(), 0..60)) {
        let mut node = Node::new();
        let mut is_away = false;
        for step in steps {
            match step {
                Step::Join(id, room) => node.join(NAMES[id], NAMES[room]),
                Step::Leave(id, room) => node.leave(NAMES[id], NAMES[room]),
                Step::Gone(id) => node.gone(NAMES[id]),
                Step::Flush(entries, members) if !is_away => node.flush(entries, members),
                Step::Flush(..) => {}
                Step::Away(lost) => {
                    is_away = true;
                    node.changes.suspend();
                    // All of it is lost or nothing: without its entry nobody could know of what is left.
                    if lost == Some(0) {
                        node.redis.sets.clear();
                    }
                }
                Step::Back if is_away => {
                    is_away = false;
                    node.come_back();
                }
                Step::Back => {}
            }
        }
        if is_away {
            node.come_back();
        }
        node.settle();
        node.check();
        let all: Vec<_> = node.live.keys().cloned().collect();
        all.iter().for_each(|id| node.gone(id));
        node.settle();
        prop_assert_eq!(&node.redis.sets, &BTreeMap::new());
        prop_assert_eq!(node.changes.n_slots(), 0);
    }
}
