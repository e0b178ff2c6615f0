//! A Redis Cluster of three masters: each key is somewhere else, and the order between them is ours to keep.

use super::*;

const LEASE: Duration = Duration::from_secs(3);

struct Cluster(Vec<Server>);

impl Cluster {
    fn start() -> Self {
        let cluster = servers::Cluster::start();
        Self(cluster.nodes.into_iter().map(Server).collect())
    }

    fn node(&self, uid: &str) -> Node {
        let hosts: Vec<_> = self
            .0
            .iter()
            .map(|server| format!("127.0.0.1:{}", server.0.port()))
            .collect();
        let url = format!("redis+cluster://{}", hosts.join(","));
        Node::start(Endpoint::Url(url.parse().unwrap()), uid, LEASE)
    }

    async fn dump(&self) -> Dump {
        let mut all = Dump::new();
        for server in &self.0 {
            all.extend(server.dump().await);
        }
        all
    }

    async fn until_stored(&self, truth: &Dump) {
        eventually("the truth is stored", async || {
            (self.dump().await == *truth).then_some(())
        })
        .await;
    }
}

#[actix_rt::test]
async fn a_cluster_is_as_good() {
    let cluster = Cluster::start();
    let mut node = cluster.node("u1");
    node.join(ANN, &["foo", "bar"]);
    node.join(BOB, &["foo", ANN]);
    node.settled().await;
    let mut truth = node.truth();
    truth.insert(format!("socket.io#{ANN}"), set([ANN, "foo", "bar"]));
    assert_eq!(cluster.dump().await, truth);
    let mut other = cluster.node("u2");
    for i in 0..300 {
        other.join(&format!("{i:020}"), &["foo", &format!("room {i}"), ANN]);
    }
    other.settled().await;
    assert_ne!(cluster.dump().await, truth);
    drop(other);
    cluster.until_stored(&truth).await;
    // One of the three has lost all it had, the SET of a room at least.
    for server in &cluster.0 {
        if server.dump().await.contains_key("socket.io#foo") {
            server.run(&["FLUSHALL"]).await;
        }
    }
    let flag = node.store.shared.keys.rewrite("u1");
    let flagged = node.store.shared.settings.endpoint.connect(DEADLINE).await;
    let set = vec![command(&["SET", &flag, "1"])];
    ask(&flagged.unwrap(), set).await.unwrap();
    cluster.until_stored(&truth).await;
    node.gone(BOB);
    assert!(node.store.close(DEADLINE).await);
    assert_eq!(cluster.dump().await, Dump::new());
}
