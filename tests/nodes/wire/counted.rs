//! How many servers there are.

use serde_json::{Value, json};

use crate::support::cluster::{self, Node, Peer, Told, config};
use crate::support::servers::Redis;
use crate::support::{on_actix, within};

#[test]
fn who_comes_and_goes_is_counted_right() {
    on_actix(async {
        let redis = Redis::start();
        let mut peer = Peer::asking(&redis).await;
        let (mut node, _client, _) = Node::start(config(&redis, "one")).await;
        for nsp in ["/", "/chat"] {
            let channel = format!("k-request#{nsp}#");
            let n: Vec<Value> = numsub(&mut peer, &channel).await;
            assert_eq!(n, [json!(channel), json!(1)], "one subscription, not two");
        }
        let (mut client, socket) = node.join_in("/chat", ()).await;
        let request = json!({"type": 4, "opts": {}, "close": false});
        peer.say("k-request#/chat#", request.to_string()).await;
        assert_eq!(peer.settled_in("/chat").await, []);
        client.disconnected().await.unwrap();
        within("the handler is told", async {
            loop {
                if let Told::Disconnect(gone, _) = node.next().await {
                    assert_eq!(gone.id(), socket.id());
                    break;
                }
            }
        })
        .await;
        node.server.close();
        cluster::until("nobody counts on it", async || {
            numsub(&mut peer, "k-request#/#").await == [json!("k-request#/#"), json!(0)]
        })
        .await;
    });
}

async fn numsub(peer: &mut Peer, channel: &str) -> Vec<Value> {
    let (name, n): (String, u64) = peer.ask(&["PUBSUB", "NUMSUB", channel]).await;
    vec![json!(name), json!(n)]
}
