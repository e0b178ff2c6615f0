//! Redis away, empty, full, read-only: what is true is there again as soon as it can be.

use super::*;

const LEASE: Duration = Duration::from_secs(3);

async fn node_with_sockets(server: &Server) -> Node {
    let mut node = server.node("u1", LEASE);
    node.join(ANN, &[ANN, "foo", "bar"]);
    node.join(BOB, &[BOB, "foo"]);
    node.join_in("/chat", CAT, &["foo"]);
    node.settled().await;
    assert_eq!(server.dump().await, node.truth());
    node
}

/// What happens to the sockets while Redis is of no use.
fn change(node: &mut Node) {
    node.join(ANN, &["baz"]);
    node.leave(ANN, "bar");
    node.gone(BOB);
    node.join("DanDanDanDanDanDanDa", &["foo"]);
}

async fn until_away(node: &Node) {
    let stats = node.store.stats();
    eventually("the store sees it", async || {
        (!stats.is_synced() && stats.n_errors() > 0).then_some(())
    })
    .await;
}

#[actix_rt::test]
async fn after_a_restart_everything_is_written_again() {
    let mut server = Server::start();
    let mut node = node_with_sockets(&server).await;
    server.0.kill();
    until_away(&node).await;
    change(&mut node);
    let settled = node.store.settled();
    assert_eq!(node.store.stats().n_pending(), 0);
    server.0.restart();
    assert!(settled.await);
    assert_eq!(server.dump().await, node.truth());
    assert_eq!(node.store.stats().n_rewrites(), 2);
}

#[actix_rt::test]
async fn after_a_cut_what_has_changed_is_written() {
    let server = Server::start();
    let mut node = node_with_sockets(&server).await;
    // Redis keeps what it had; what went meanwhile has to go.
    for _ in 0..3 {
        server
            .run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
            .await;
        change(&mut node);
        node.settled().await;
        until_stored(&server, &node.truth()).await;
        node.gone("DanDanDanDanDanDanDa");
        node.join(BOB, &["foo"]);
        until_stored(&server, &node.truth()).await;
    }
}

#[actix_rt::test]
async fn after_flushall_everything_is_written_again() {
    let server = Server::start();
    let mut node = node_with_sockets(&server).await;
    server.run(&["FLUSHALL"]).await;
    until_stored(&server, &node.truth()).await;
    change(&mut node);
    server.run(&["FLUSHALL"]).await;
    until_stored(&server, &node.truth()).await;
}

#[actix_rt::test]
async fn a_node_that_is_told_to_compare_does() {
    let server = Server::start();
    let node = node_with_sockets(&server).await;
    // The lease is there, so it has no other way to know.
    server.run(&["DEL", "socket.io#foo"]).await;
    server
        .run(&["SREM", "socket.io#951wMmbBjkREmCapAAAD", "bar"])
        .await;
    server
        .run(&["SADD", "socket.io#951wMmbBjkREmCapAAAD", "stale"])
        .await;
    server.run(&["SADD", "socket.io#stale", ANN]).await;
    server.run(&["SET", "socket.io-rewrite#u1", "1"]).await;
    until_stored(&server, &node.truth()).await;
}

#[actix_rt::test]
async fn what_redis_has_evicted_is_written_again() {
    let server = Server::start();
    let node = node_with_sockets(&server).await;
    for key in ["socket.io#951wMmbBjkREmCapAAAD", "socket.io-node#u1"] {
        server.run(&["DEL", key]).await;
        until_stored(&server, &node.truth()).await;
    }
}

#[actix_rt::test]
async fn without_memory_it_waits_and_keeps_its_lease() {
    let server = Server::start();
    let mut node = node_with_sockets(&server).await;
    server.run(&["CONFIG", "SET", "maxmemory", "1"]).await;
    change(&mut node);
    until_away(&node).await;
    let lease = Instant::now() + LEASE;
    eventually("the lease would have expired", async || {
        (Instant::now() > lease).then_some(())
    })
    .await;
    // While it tries again, what it tries is counted.
    eventually("nothing waits between two tries", async || {
        (node.store.stats().n_pending() == 0).then_some(())
    })
    .await;
    assert!(server.dump().await.contains_key("socket.io-lease#u1"));
    server.run(&["CONFIG", "SET", "maxmemory", "0"]).await;
    node.settled().await;
    assert_eq!(server.dump().await, node.truth());
}

#[actix_rt::test]
async fn a_replica_is_no_place_to_write() {
    let server = Server::start();
    let mut node = node_with_sockets(&server).await;
    server.run(&["REPLICAOF", "127.0.0.1", "1"]).await;
    change(&mut node);
    until_away(&node).await;
    server.run(&["REPLICAOF", "NO", "ONE"]).await;
    node.settled().await;
    until_stored(&server, &node.truth()).await;
}

#[actix_rt::test]
async fn without_permission_for_scripts_all_other_rooms_are_stored() {
    let server = Server::start();
    server.run(&["ACL", "SETUSER", "default", "-eval"]).await;
    let mut node = server.node("u1", LEASE);
    node.join(ANN, &[CAT, "foo"]);
    node.settled().await;
    let mut truth = node.truth();
    truth.remove(&format!("socket.io#{CAT}"));
    assert_eq!(server.dump().await, truth);
    assert_eq!(node.store.stats().n_errors(), 1);
}

#[actix_rt::test]
async fn nothing_is_kept_of_who_came_and_went_while_redis_is_away() {
    let nobody = format!("redis://127.0.0.1:{}", servers::free_port());
    let endpoint = Endpoint::Url(nobody.parse().unwrap());
    let mut node = Node::start(endpoint, "u1", LEASE);
    for i in 0..1000 {
        let id = format!("{i:020}");
        node.join(&id, &["foo"]);
        node.gone(&id);
    }
    node.join(ANN, &[]);
    assert_eq!(node.store.shared.state.borrow().changes.n_slots(), 1);
    let settled = node.store.settled();
    until_away(&node).await;
    // Nothing can be removed, and it does not take the time that it may take.
    let begin = Instant::now();
    assert!(!node.store.close(DEADLINE).await);
    assert!(begin.elapsed() < DEADLINE);
    drop(node);
    assert!(!settled.await);
}
