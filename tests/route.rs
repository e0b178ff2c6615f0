//! Sessions of other nodes: what a client reads that asks for one here, and what is counted.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod support;

use greenroom::config::{Carrier, Config};

use support::tcp::{get, http, listen, open_polling, post};
use support::{counter, ear, on_actix};

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
    on_actix(async {
        for carrier in [Carrier::Direct, Carrier::Mounted] {
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
