//! What is known of rooms and workers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytestring::ByteString;

use super::{Coming, Concerned, Held, Locals};

/// The workers among the first hundred that a message for `rooms` goes to.
fn workers(locals: &Locals, rooms: &[&str]) -> Vec<u16> {
    let rooms: Vec<_> = rooms.iter().map(|room| ByteString::from(*room)).collect();
    let concerned = locals.concerned(0, &rooms);
    (0..100).filter(|worker| concerned.has(*worker)).collect()
}

#[test]
fn a_room_is_there_from_its_first_worker_to_its_last() {
    let locals = Locals::default();
    let room = ByteString::from("a");
    locals.entered(0, room.clone(), 1);
    locals.entered(0, room.clone(), 2);
    locals.entered(1, room.clone(), 3);
    locals.left(0, room.clone(), 1);
    assert!(locals.has(0, "a") && locals.has(1, "a"));
    assert_eq!(locals.rooms(0), ["a"]);
    locals.left(0, room.clone(), 2);
    assert!(!locals.has(0, "a") && locals.has(1, "a"));
    locals.left(0, room.clone(), 2);
    assert!(locals.rooms(0).is_empty(), "nobody was there");
}

#[test]
fn a_message_goes_to_the_workers_that_have_one_of_its_rooms() {
    let locals = Locals::default();
    let (a, b) = (ByteString::from("a"), ByteString::from("b"));
    locals.entered(0, a.clone(), 0);
    locals.entered(0, a.clone(), 70);
    locals.entered(0, b.clone(), 3);
    locals.entered(1, b.clone(), 4);
    assert_eq!(workers(&locals, &["a"]), [0, 70]);
    assert_eq!(workers(&locals, &["b"]), [3]);
    assert_eq!(workers(&locals, &["a", "none", "b"]), [0, 3, 70]);
    assert!(workers(&locals, &["none"]).is_empty());
    locals.left(0, a.clone(), 70);
    assert_eq!(workers(&locals, &["a"]), [0]);
}

#[test]
fn a_worker_that_has_a_room_twice_leaves_it_twice() {
    let locals = Locals::default();
    let id = ByteString::from("id of a socket that others have joined");
    locals.entered(0, id.clone(), 5);
    locals.entered(0, id.clone(), 5);
    locals.left(0, id.clone(), 5);
    assert_eq!(workers(&locals, &[&id]), [5]);
    locals.left(0, id.clone(), 5);
    assert!(!locals.has(0, &id));
}

#[test]
fn every_worker_hears_for_those_who_may_return() {
    let locals = Arc::new(Locals::default());
    let room = ByteString::from("a");
    locals.entered(0, room.clone(), 1);
    let held = Held::new(&locals, 0, vec![room.clone()]);
    locals.left(0, room.clone(), 1);
    assert!(locals.has(0, "a"));
    assert_eq!(locals.concerned(0, &[room]), Concerned::All);
    drop(held);
    assert!(!locals.has(0, "a"));
}

#[test]
fn very_many_may_return_to_a_room() {
    let locals = Arc::new(Locals::default());
    let hold = |_| Held::new(&locals, 0, vec!["a".into()]);
    let mut held: Vec<_> = (0..70_000).map(hold).collect();
    held.truncate(1);
    assert!(locals.has(0, "a"));
    held.clear();
    assert!(!locals.has(0, "a"));
}

#[test]
fn every_worker_hears_while_an_order_to_join_is_on_its_way() {
    let locals = Arc::new(Locals::default());
    let rooms = ["a", "b", "a"].map(ByteString::from);
    let first = Coming::new(&locals, 0, &rooms);
    let second = Coming::new(&locals, 0, &rooms[1..2]);
    assert!(locals.may_have(0, "a") && locals.may_have(0, "b"));
    assert!(!locals.has(0, "a") && !locals.may_have(1, "a") && !locals.may_have(0, "c"));
    assert_eq!(workers(&locals, &["c", "a"]).len(), 100);
    locals.entered(0, rooms[0].clone(), 2);
    drop(first);
    assert_eq!(workers(&locals, &["a"]), [2]);
    assert_eq!(workers(&locals, &["b"]).len(), 100);
    drop(second);
    assert!(workers(&locals, &["b"]).is_empty());
    assert_eq!(locals.n_coming.load(Ordering::Acquire), 0);
}
