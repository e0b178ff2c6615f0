//! Sessions of other nodes: what a client reads that asks for one here, and what is counted.

use std::time::Duration;

use greenroom::config::Config;

use crate::support::log::{alone, lines, logged};
use crate::support::servers::Redis;
use crate::support::tcp::{CARRIERS, get, http, listen, open_polling, post};
use crate::support::{counter, ear, eventually};

/// The end of a sid: worker and random symbols.
const TAIL: &str = "AlvVI97HAXpY6yYWAAACx";

fn upgrade(sid: &str) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

#[test]
fn a_session_of_another_node_is_unknown_and_counted() {
    alone(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            config.engine.sid_prefix = "a.".to_owned();
            let (handlers, _hearing) = ear();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let own = open_polling(&listening).await;
            assert!(own.starts_with("a."), "{own}");

            let foreign_ones = |route: &str| {
                let sid = format!("{route}{TAIL}");
                [get(&format!("&sid={sid}")), post(&sid, "2"), upgrade(&sid)]
            };
            // One that has expired here is unknown too, but nobody's mistake.
            for (route, n_counted) in [("a.", 0), ("b.", 3), ("web2-3000.", 6), ("", 6)] {
                for request in foreign_ones(route) {
                    let (status, response) = http(&listening, &request).await;
                    assert_eq!(status, 400, "{response}");
                    let body = response.split_once("\r\n\r\n").unwrap().1;
                    let is_plain = !request.contains("Upgrade");
                    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
                    assert_eq!(
                        body,
                        if is_plain {
                            unknown
                        } else {
                            "Session ID unknown"
                        }
                    );
                }
                let counted = counter(&listening.server, "foreign_session");
                assert_eq!(counted, n_counted, "{carrier:?} {route}");
            }
        }
    });
}

#[test]
fn the_log_names_the_node_that_has_the_session() {
    alone(async {
        for carrier in CARRIERS {
            let redis = Redis::start();
            let start = async |node: &str, sid_prefix: &str| {
                let mut config = Config::default();
                config.server.carrier = carrier;
                config.engine.sid_prefix = sid_prefix.to_owned();
                config.redis.uri = redis.url();
                config.redis.node = node.to_owned();
                // Nodes look at each other six times as often.
                config.redis.lease = Duration::from_secs(2);
                let (handlers, _) = ear();
                listen(config, |builder| builder.namespace("/", handlers)).await
            };
            // The route of the first is made of its name.
            let (web1, web2) = (format!("{carrier:?}1"), format!("{carrier:?}2"));
            let (one, two) = (start(&web1, "").await, start(&web2, "b.").await);
            let (sid_one, sid_two) = (open_polling(&one).await, open_polling(&two).await);
            let route_one = format!("{web1}.");
            assert!(sid_one.starts_with(&route_one), "{sid_one}");
            assert!(sid_two.starts_with("b."), "{sid_two}");
            eventually("they know each other", || {
                let known = lines("other nodes live nodes=");
                [&web1, &web2]
                    .iter()
                    .all(|name| known.iter().any(|line| line.ends_with(&***name)))
            })
            .await;
            for (here, sid, owner, route) in [
                (&one, &sid_two, &web2, "b."),
                (&two, &sid_one, &web1, &*route_one),
            ] {
                let request = get(&format!("&sid={sid}"));
                let (status, response) = http(here, &request).await;
                assert_eq!(status, 400, "{response}");
                let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
                assert!(response.ends_with(unknown), "{response}");
                let line = format!("not sticky route={route} node={owner} n_requests=1");
                logged(&["requests for sessions of another node", &line]).await;
                assert_eq!(counter(&here.server, "foreign_session"), 1);
            }
        }
    });
}
