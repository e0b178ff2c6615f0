//! Nodes that end without a word, or seem to.

use super::*;

const LEASE: Duration = Duration::from_secs(3);

/// That is the last thing that is done to a dead node. Asks for no more than this, since the node that is at it
/// lives on the same thread.
async fn until_off_the_list(server: &Server, uid: &str) {
    let link = server.link().await;
    eventually("the dead node is off the list", async || {
        let nodes = vec![command(&["SISMEMBER", "socket.io-nodes", uid])];
        (ask(&link, nodes).await.unwrap() == [Value::Int(0)]).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn a_node_that_was_killed_is_reaped_within_the_lease() {
    let server = Server::start();
    for foreign in ["socket.io#their", "socket.io-their", "socket.io", "their"] {
        server.run(&["SADD", foreign, "something"]).await;
    }
    let mut witness = server.node("u1", LEASE);
    witness.join(ANN, &["foo"]);
    witness.settled().await;
    let before = server.dump().await;
    let mut node = server.node("u2", LEASE);
    for i in 0..300 {
        node.join(&format!("{i:020}"), &["foo", &format!("room {i}")]);
    }
    node.join_in("/chat", BOB, &["foo", ANN]);
    node.join(CAT, &[ANN]);
    node.settled().await;
    assert_ne!(server.dump().await, before);
    // Whenever it dies: the rest of the lease, and the time until another looks, leave some for the work.
    let rest = server.run(&["PTTL", "socket.io-lease#u2"]).await;
    let Value::Int(rest_ms @ 1..) = rest else {
        panic!("{rest:?}");
    };
    let rest = Duration::from_millis(rest_ms.unsigned_abs());
    assert!(rest + LEASE / 6 + LEASE / 12 < LEASE, "{rest:?}");
    drop(node);
    let death = Instant::now();
    until_off_the_list(&server, "u2").await;
    let took = death.elapsed();
    assert!(took < LEASE, "{took:?}");
    assert_eq!(server.dump().await, before);
    eventually("it is counted", async || {
        (witness.store.stats().n_reaped() == 302).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn the_others_are_known_by_name() {
    let server = Server::start();
    let one = server.node("u1", LEASE);
    let mut peers = one.store.peers();
    let other = server.node("u2", LEASE);
    let expected = |node: &str| BTreeMap::from([(node.to_owned(), format!("name of {node}"))]);
    let wait = async |peers: &mut watch::Receiver<Peers>, known: BTreeMap<String, String>| {
        let known = peers.wait_for(|peers| **peers == known);
        tokio::time::timeout(DEADLINE, known)
            .await
            .unwrap()
            .unwrap();
    };
    wait(&mut peers, expected("u2")).await;
    wait(&mut other.store.peers(), expected("u1")).await;
    drop(other);
    wait(&mut peers, BTreeMap::new()).await;
}

#[actix_rt::test]
async fn a_socket_that_came_back_at_another_node_stays() {
    let server = Server::start();
    let mut other = server.node("u2", LEASE);
    other.join(ANN, &["foo", "old"]);
    other.join(BOB, &["foo"]);
    other.settled().await;
    let mut node = server.node("u1", LEASE);
    node.are_back = true;
    node.join(ANN, &["foo", "new"]);
    node.settled().await;
    drop(other);
    until_off_the_list(&server, "u2").await;
    assert_eq!(server.dump().await, node.truth());
}

#[actix_rt::test]
async fn a_node_that_was_frozen_has_its_sockets_again() {
    let server = Server::start();
    let mut node = server.node("u1", LEASE);
    node.join(ANN, &["foo", "bar"]);
    node.join_in("/chat", BOB, &["foo"]);
    node.settled().await;
    let endpoint = server.endpoint();
    // This thread does nothing until the other node has tidied up: the node on it is frozen.
    let reaper = std::thread::spawn(|| {
        actix_rt::System::new().block_on(async move {
            let link = endpoint.connect(DEADLINE).await.unwrap();
            let other = Node::start(endpoint, "u2", LEASE);
            other.settled().await;
            eventually("it is reaped", async || {
                (dump(&link).await == other.truth()).then_some(())
            })
            .await;
            // The store hears of it after Redis has done it.
            eventually("it is counted", async || {
                (other.store.stats().n_reaped() == 2).then_some(())
            })
            .await;
            other.store.close(DEADLINE).await
        })
    });
    assert!(reaper.join().unwrap());
    until_stored(&server, &node.truth()).await;
    node.leave(ANN, "foo");
    node.settled().await;
    until_stored(&server, &node.truth()).await;
}

#[actix_rt::test]
async fn a_node_that_is_at_it_is_left_to_it() {
    let server = Server::start();
    let mut node = server.node("u1", LEASE);
    node.join(ANN, &["foo"]);
    node.settled().await;
    let left = server.dump().await;
    drop(node);
    let link = &server.link().await;
    server.run(&["DEL", "socket.io-lease#u1"]).await;
    server.run(&["SET", "socket.io-reap#u1", "somebody"]).await;
    let found = gc(&server.endpoint(), "socket.io", DEADLINE, false)
        .await
        .unwrap();
    let dead = DeadNode {
        uid: "u1".to_owned(),
        n_sockets: 1,
        is_removed: false,
    };
    assert_eq!(found.dead, [dead]);
    let mut now = dump(link).await;
    assert_eq!(now.remove("socket.io-reap#u1"), Some(set(["somebody"])));
    now.insert("socket.io-lease#u1".to_owned(), set(["name of u1"]));
    assert_eq!(now, left);
}

#[actix_rt::test]
async fn by_hand_it_is_told_and_then_done() {
    let server = Server::start();
    server.run(&["SADD", "socket.io#their", "something"]).await;
    let mut alive = server.node("u1", Duration::from_secs(60));
    alive.join(ANN, &["foo"]);
    alive.settled().await;
    let before = server.dump().await;
    let mut dead = server.node("u2", Duration::from_secs(60));
    dead.join(BOB, &["foo", "bar"]);
    dead.join_in("/chat", CAT, &["foo"]);
    dead.settled().await;
    drop(dead);
    server
        .run(&["SADD", "socket.io-node#u2", "junk", "-node#u1", "#nobody"])
        .await;
    server.run(&["DEL", "socket.io-lease#u2"]).await;
    let left = server.dump().await;
    let gc = |dry_run| {
        let endpoint = server.endpoint();
        async move { gc(&endpoint, "socket.io", DEADLINE, dry_run).await.unwrap() }
    };
    let report = |is_removed| GcReport {
        n_alive: 1,
        dead: vec![DeadNode {
            uid: "u2".to_owned(),
            n_sockets: 5,
            is_removed,
        }],
    };
    assert_eq!(gc(true).await, report(false));
    assert_eq!(server.dump().await, left);
    assert_eq!(gc(false).await, report(true));
    assert_eq!(server.dump().await, before);
    assert_eq!(gc(false).await.dead, []);
}
