//! What is stored, and that nothing is left of it.

use super::*;

const LONG: Duration = Duration::from_secs(60);

#[actix_rt::test]
async fn it_is_stored_as_the_seed_says() {
    let server = Server::start();
    let mut node = server.node("u1", LONG);
    node.join(ANN, &[ANN]);
    node.settled().await;
    let one_record = server
        .run(&["SMEMBERS", "socket.io#951wMmbBjkREmCapAAAD"])
        .await;
    assert_eq!(texts(&one_record), [ANN]);
    node.join(ANN, &["foo"]);
    node.join(ANN, &["bar"]);
    node.join(BOB, &[BOB, "foo"]);
    node.settled().await;
    let mut expected = Dump::from([
        (
            "socket.io#951wMmbBjkREmCapAAAD".to_owned(),
            set([ANN, "foo", "bar"]),
        ),
        (
            "socket.io#566Mm_BjkREmRff45600".to_owned(),
            set([BOB, "foo"]),
        ),
        ("socket.io#foo".to_owned(), set([ANN, BOB])),
        ("socket.io#bar".to_owned(), set([ANN])),
        ("socket.io-nodes".to_owned(), set(["u1"])),
        ("socket.io-lease#u1".to_owned(), set(["name of u1"])),
        (
            "socket.io-node#u1".to_owned(),
            set(["#951wMmbBjkREmCapAAAD", "#566Mm_BjkREmRff45600"]),
        ),
    ]);
    assert_eq!(server.dump().await, expected);
    node.leave(ANN, "bar");
    node.gone(BOB);
    node.settled().await;
    for gone in ["socket.io#bar", "socket.io#566Mm_BjkREmRff45600"] {
        expected.remove(gone);
    }
    expected.insert(
        "socket.io#951wMmbBjkREmCapAAAD".to_owned(),
        set([ANN, "foo"]),
    );
    expected.insert("socket.io#foo".to_owned(), set([ANN]));
    expected.insert(
        "socket.io-node#u1".to_owned(),
        set(["#951wMmbBjkREmCapAAAD"]),
    );
    assert_eq!(server.dump().await, expected);
}

#[actix_rt::test]
async fn namespaces_do_not_meet() {
    let server = Server::start();
    let mut node = server.node("u1", LONG);
    node.join(ANN, &["foo"]);
    node.join_in("/chat", BOB, &["foo", "#foo"]);
    node.settled().await;
    assert_eq!(server.dump().await, node.truth());
    node.gone(ANN);
    node.settled().await;
    assert_eq!(server.dump().await, node.truth());
}

#[actix_rt::test]
async fn the_room_of_an_id_of_another_node_is_left_alone() {
    let server = Server::start();
    let (mut one, mut other) = (server.node("u1", LONG), server.node("u2", LONG));
    let key = "socket.io#951wMmbBjkREmCapAAAD";
    // The room is joined before there is such a socket, and after.
    one.join(BOB, &[ANN]);
    one.settled().await;
    assert_eq!(server.dump().await[key], set([BOB]));
    other.join(ANN, &["foo", BOB]);
    other.settled().await;
    assert_eq!(server.dump().await[key], set([ANN, "foo", BOB]));
    one.join(CAT, &[ANN]);
    one.settled().await;
    assert_eq!(server.dump().await[key], set([ANN, "foo", BOB]));
    // Ann is in a room that is called Bob: nothing of hers goes with him.
    one.gone(BOB);
    one.leave(CAT, ANN);
    one.settled().await;
    assert_eq!(server.dump().await[key], set([ANN, "foo", BOB]));
    other.gone(ANN);
    one.gone(CAT);
    one.settled().await;
    other.settled().await;
    assert_eq!(server.dump().await, together([one.truth(), other.truth()]));
}

#[actix_rt::test]
async fn a_node_that_is_closed_leaves_nothing() {
    let server = Server::start();
    for foreign in ["socket.io#their", "socket.io-their", "socket.io", "their"] {
        server.run(&["SADD", foreign, "something"]).await;
    }
    let before = server.dump().await;
    let mut node = server.node("u1", LONG);
    for i in 0..3000 {
        node.join(&format!("{i:020}"), &["all", &format!("room {i}")]);
    }
    node.settled().await;
    assert_ne!(server.dump().await, before);
    let (first, second) = (node.store.close(DEADLINE), node.store.close(DEADLINE));
    assert!(first.await);
    assert!(second.await);
    assert_eq!(server.dump().await, before);
    // Too late.
    node.join(ANN, &["foo"]);
    assert!(node.store.close(DEADLINE).await);
    assert_eq!(server.dump().await, before);
}

#[actix_rt::test]
async fn closed_at_once_it_leaves_nothing() {
    let server = Server::start();
    let mut node = server.node("u1", LONG);
    node.join(ANN, &["foo"]);
    node.store.close(DEADLINE).await;
    assert_eq!(server.dump().await, Dump::new());
    drop(node);
    assert_eq!(server.dump().await, Dump::new());
}

#[actix_rt::test]
async fn what_is_much_is_counted() {
    let server = Server::start();
    let mut node = server.node("u1", LONG);
    node.settled().await;
    let stats = node.store.stats();
    assert!(stats.is_synced());
    for i in 0..1000 {
        node.join(&format!("{i:020}"), &["all"]);
    }
    assert_eq!(stats.n_pending(), 1000);
    eventually("it waits", async || (!stats.lag().is_zero()).then_some(())).await;
    node.settled().await;
    assert_eq!((stats.n_pending(), stats.lag()), (0, Duration::ZERO));
    assert_eq!(stats.n_flushes(), 4);
    assert_eq!((stats.n_rewrites(), stats.n_errors()), (1, 0));
    assert_eq!(server.dump().await, node.truth());
}

#[actix_rt::test]
async fn a_key_that_others_use_otherwise_stays_theirs() {
    let server = Server::start();
    server.run(&["SET", "socket.io#foo", "theirs"]).await;
    let mut node = server.node("u1", LONG);
    node.join(ANN, &["foo", "bar"]);
    node.settled().await;
    let dump = server.dump().await;
    assert_eq!(dump["socket.io#foo"], set(["theirs"]));
    assert_eq!(
        dump["socket.io#951wMmbBjkREmCapAAAD"],
        set([ANN, "foo", "bar"])
    );
    assert_eq!(node.store.stats().n_errors(), 1);
    assert!(node.store.close(DEADLINE).await);
    assert_eq!(
        server.dump().await,
        Dump::from([("socket.io#foo".to_owned(), set(["theirs"]))])
    );
}

#[actix_rt::test]
async fn a_node_without_sockets_is_not_behind() {
    let server = Server::start();
    let node = server.node("u1", LONG);
    node.settled().await;
    let stats = node.store.stats();
    assert!(stats.is_synced());
    assert_eq!((stats.n_pending(), stats.lag()), (0, Duration::ZERO));
}
