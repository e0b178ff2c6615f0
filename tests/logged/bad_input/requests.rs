//! Requests that are wrong.

use std::time::Duration;

use greenroom::config::{Carrier, Config};

use super::{counted, polled_to_the_end};
use crate::support::log::{alone, logged};
use crate::support::tcp::{
    Raw, Ws, frame, get, http, join_polling, on_both_carriers, open_polling, post,
};
use crate::support::{counter, eventually};

#[test]
fn wrong_session_ids() {
    alone(async {
        for (listening, _hearing) in on_both_carriers(&Config::default()).await {
            let server = &listening.server;
            let sid = open_polling(&listening).await;
            let mut stranger: Vec<_> = sid.chars().collect();
            stranger.reverse();
            let stranger = String::from_iter(stranger);
            let mut n = 0;
            for sid in [&*stranger, "a", "%00", &"x".repeat(5000)] {
                for request in [get(&format!("&sid={sid}")), post(sid, "4a")] {
                    let (status, response) = http(&listening, &request).await;
                    assert_eq!(status, 400);
                    let body = r#"{"code":1,"message":"Session ID unknown"}"#;
                    assert!(response.ends_with(body), "{response}");
                    n += 1;
                }
                let refused = Ws::try_open_at(&listening, &format!("&sid={sid}")).await;
                assert_eq!(refused.unwrap_err().0, 400);
                n += 1;
            }
            logged(&["a request is refused code=1 why="]).await;
            if listening.server.config().server.carrier == Carrier::Direct {
                logged(&["a websocket is refused code=1 why="]).await;
            }
            // An upgrade of a session that is not there is answered by the hub.
            counted(server, "handshake_refused", n).await;
            assert_eq!(server.n_sessions(), 1, "the session of the test goes on");
        }
    });
}

#[test]
fn duplicate_polls_and_posts() {
    alone(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let sid = join_polling(&listening).await;
            let mut first = Raw::connect(&listening).await;
            first.write(get(&format!("&sid={sid}")).as_bytes()).await;
            // Which of the two comes first is the server's to say: one gets the close packet, the other an error.
            let second = http(&listening, &get(&format!("&sid={sid}"))).await;
            let first = first.response().await;
            let mut both = [first.0, second.0];
            both.sort_unstable();
            assert_eq!(both, [200, 400]);
            let closed = if first.0 == 200 { first.1 } else { second.1 };
            assert!(closed.ends_with("\r\n\r\n1"), "{closed}");
            assert_eq!(hearing.gone().await.1.to_string(), "transport error");
            logged(&["polling is broken sid=", "why=polls overlap"]).await;
            counted(&listening.server, "polling_broken", 1).await;
            polled_to_the_end(&listening, &sid).await;

            let sid = join_polling(&listening).await;
            let mut first = Raw::connect(&listening).await;
            let request = post(&sid, r#"42["a"]"#);
            first.write(&request.as_bytes()[..request.len() - 1]).await;
            let mut n = 0;
            // Until the first has been seen, the second is alone.
            while http(&listening, &post(&sid, "3")).await.0 == 200 {
                n += 1;
                assert!(n < 1000, "the first post is never seen");
            }
            assert_eq!(first.response().await.0, 400);
            logged(&["polling is broken sid=", "why=posts overlap"]).await;
            counted(&listening.server, "polling_broken", 2).await;
            polled_to_the_end(&listening, &sid).await;
        }
    });
}

#[test]
fn a_second_websocket_for_a_session() {
    alone(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let server = &listening.server;
            // While the first is being probed.
            let sid = join_polling(&listening).await;
            hearing.connected().await;
            let query = format!("&sid={sid}");
            let mut first = Ws::try_open_at(&listening, &query).await.unwrap();
            let mut second = Ws::try_open_at(&listening, &query).await.unwrap();
            let why = "an upgrade is under way";
            assert_eq!(second.end().await, (Some(1000), why.to_owned()));
            logged(&["an upgrade is refused sid=", "why=", why]).await;
            counted(server, "upgrade_failed", 1).await;
            // What it says and how it ends are not the session's.
            drop(second);
            first.send("2probe").await;
            assert_eq!(first.text().await, "3probe");
            first.send("5").await;
            first.send(r#"42["over the first"]"#).await;
            assert_eq!(hearing.event().await.name(), "over the first");
            // When it has a websocket.
            let mut third = Ws::try_open_at(&listening, &query).await.unwrap();
            let why = "the session has a websocket";
            assert_eq!(third.end().await, (Some(1000), why.to_owned()));
            logged(&["an upgrade is refused sid=", "why=", why]).await;
            counted(server, "upgrade_failed", 2).await;
            first.send(r#"42["still"]"#).await;
            assert_eq!(hearing.event().await.name(), "still");
        }
    });
}

#[test]
fn upgrades_that_go_wrong() {
    alone(async {
        let mut config = Config::default();
        config.engine.upgrade_timeout = Duration::from_millis(50);
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let sid = join_polling(&listening).await;
            let query = format!("&sid={sid}");
            for (n, (sent, why)) in [
                (Some("4a"), "not a probe"),
                (None, "it did not end in time"),
            ]
            .into_iter()
            .enumerate()
            {
                let mut ws = Ws::try_open_at(&listening, &query).await.unwrap();
                if let Some(sent) = sent {
                    ws.send(sent).await;
                }
                assert_eq!(ws.end().await, (Some(1008), why.to_owned()));
                logged(&["an upgrade has failed sid=", "why=", why]).await;
                counted(&listening.server, "upgrade_failed", n as u64 + 1).await;
            }
            http(&listening, &post(&sid, r#"42["over polling"]"#)).await;
            assert_eq!(hearing.event().await.name(), "over polling");
        }
    });
}

#[test]
fn pings_without_end_before_the_probe() {
    alone(async {
        for (listening, _hearing) in on_both_carriers(&Config::default()).await {
            let sid = join_polling(&listening).await;
            let mut raw = Raw::websocket(&listening, &format!("&sid={sid}")).await;
            let many = frame(9, &[0; 125]).repeat(5000);
            let server = &listening.server;
            // Nothing is read: the answers pile up, first in the kernel, then at the server.
            let flood = async {
                while tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &many)
                    .await
                    .is_ok()
                {}
            };
            tokio::select! {
                () = flood => {}
                () = eventually("it is given up", || counter(server, "upgrade_failed") == 1) => {}
            }
            logged(&["an upgrade has failed sid=", "why=the client does not read"]).await;
            counted(server, "slow_consumer", 1).await;
            assert_eq!(http(&listening, &post(&sid, "3")).await.0, 200);
        }
    });
}
