//! Clients that are too fast: noted, then dropped, then disconnected, with a reason that they can read.

use std::sync::Arc;
use std::time::Duration;

use greenroom::Handshake;
use greenroom::config::{Config, Rate};
use greenroom::engine::{Client, Connection, Message};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::tcp::{
    Listening, Ws, get, http, join_polling, listen, listening, on_both_carriers, post,
};
use crate::support::{Hearing, counter, eventually, on_actix, within};

const HOUR: Duration = Duration::from_secs(3600);

/// So many at once, and none for an hour.
fn at_once(n: u64) -> Option<Rate> {
    Some(Rate::new(1, HOUR).burst(n))
}

/// Without a rung between the rate and the drop.
fn dropping(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.rates.drop_over = Some(0);
    config.rates.disconnect_over = None;
    change(&mut config);
    config
}

async fn heard(hearing: &mut Hearing, names: &[&str]) {
    for name in names {
        assert_eq!(hearing.event().await.name(), *name);
    }
}

fn refused(limit: &str) -> Value {
    json!([{ "error": format!("rate limit exceeded: {limit}") }])
}

#[test]
fn a_session_climbs_the_ladder() {
    on_actix(async {
        let mut config = Config::default();
        // CONNECT is one of them.
        config.rates.session_events = at_once(3);
        config.rates.drop_over = Some(100);
        config.rates.disconnect_over = Some(200);
        config.rates.notice_event = "too fast".to_owned();
        for (listening, mut hearing) in on_both_carriers(&config).await {
            let notice = |action| {
                let notice = json!({ "limit": "session_events", "action": action });
                ("too fast".to_owned(), vec![notice])
            };
            let (mut ws, _) = Ws::join(&listening, json!({})).await;
            for n in 1..=5 {
                ws.send(&format!(r#"42["{n}"]"#)).await;
            }
            heard(&mut hearing, &["1", "2", "3", "4", "5"]).await;
            assert_eq!(ws.event().await, notice("warn"));
            assert_eq!(counter(&listening.server, "rate_warned"), 3);
            ws.send(r#"426["6"]"#).await;
            assert_eq!(ws.event().await, notice("drop"));
            assert_eq!(ws.text().await, format!("436{}", refused("session_events")));
            ws.send(r#"42["7"]"#).await;
            ws.send(r#"428["8"]"#).await;
            assert_eq!(ws.text().await, format!("438{}", refused("session_events")));
            assert_eq!(counter(&listening.server, "rate_dropped"), 3);
            ws.send(r#"42["9"]"#).await;
            assert_eq!(ws.event().await, notice("disconnect"));
            let reason = "rate limit exceeded: session_events".to_owned();
            assert_eq!(ws.end().await, (Some(1000), reason));
            assert_eq!(hearing.gone().await.1.to_string(), "forced close");
            assert_eq!(counter(&listening.server, "rate_disconnected"), 1);
            // Another one has buckets of its own.
            let (mut other, _) = Ws::join(&listening, json!({})).await;
            other.send(r#"42["hello"]"#).await;
            heard(&mut hearing, &["hello"]).await;
        }
    });
}

#[test]
fn a_polling_client_reads_why() {
    on_actix(async {
        let config = dropping(|config| config.rates.session_events = at_once(2));
        let (listening, mut hearing) = listening(config).await;
        let sid = join_polling(&listening).await;
        let events = "420[\"1\"]\x1e421[\"2\"]\x1e422[\"3\"]";
        assert_eq!(http(&listening, &post(&sid, events)).await.0, 200);
        let event = hearing.event().await;
        assert_eq!(event.name(), "1");
        event.ack.forget();
        let (status, response) = http(&listening, &get(&format!("&sid={sid}"))).await;
        assert_eq!(status, 200);
        let refused = refused("session_events");
        let expected = format!("\r\n\r\n431{refused}\x1e432{refused}");
        assert!(response.ends_with(&expected), "{response}");
    });
}

#[test]
fn who_waits_is_within_the_rate_again() {
    on_actix(async {
        let config = dropping(|config| {
            let rate = Rate::new(1, Duration::from_secs(1));
            config.rates.events.insert("say".to_owned(), rate);
        });
        let (listening, mut hearing) = listening(config).await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        ws.send(r#"421["say",1]"#).await;
        hearing.event().await.ack.forget();
        // As often as it takes: each is refused until a second has gone by, and refused ones cost nothing further.
        within("a second", async {
            for n in 2.. {
                ws.send(&format!(r#"42{n}["say",{n}]"#)).await;
                ws.send(&format!(r#"42["other",{n}]"#)).await;
                let event = hearing.event().await;
                if event.name() == "say" {
                    event.ack.forget();
                    break;
                }
                assert_eq!(ws.text().await, format!("43{n}{}", refused("events")));
            }
        })
        .await;
    });
}

#[test]
fn bytes_are_those_of_whole_packets() {
    on_actix(async {
        let config = dropping(|config| config.rates.session_bytes = Some(Rate::new(1000, HOUR)));
        let (listening, mut hearing) = listening(config).await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        // The attachment belongs to its packet: the next packet is found where it begins.
        ws.send(r#"451-1["a",{"_placeholder":true,"num":0}]"#).await;
        ws.send_binary(&[0; 1000]).await;
        assert_eq!(ws.text().await, format!("431{}", refused("session_bytes")));
        assert_eq!(counter(&listening.server, "parse_error"), 0);
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        ws.send(r#"451-["b",{"_placeholder":true,"num":0}]"#).await;
        ws.send_binary(&[0; 800]).await;
        heard(&mut hearing, &["b"]).await;
    });
}

#[test]
fn answers_and_goodbyes_are_not_dropped() {
    on_actix(async {
        let config = dropping(|config| config.rates.session_events = at_once(1));
        let (listening, mut hearing) = listening(config).await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        let socket = hearing.connected().await;
        let answer = socket.emit_with_ack("ready?", ());
        let question = ws.text().await;
        let id: String = question[2..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        ws.send(&format!("43{id}[true]")).await;
        let answer = within("an answer", answer).await.unwrap();
        assert!(answer.first::<bool>().unwrap());
        ws.send("41").await;
        assert_eq!(
            hearing.gone().await.1.to_string(),
            "client namespace disconnect"
        );
        assert_eq!(counter(&listening.server, "rate_dropped"), 2);
    });
}

#[test]
fn sessions_of_one_address_share_a_rate() {
    on_actix(async {
        let config = dropping(|config| {
            config.rates.address_events = at_once(4);
            config.security.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        });
        let (listening, mut hearing) = listening(config).await;
        let (mut ada, _) = Ws::join(&listening, json!({})).await;
        let (mut bob, _) = Ws::join(&listening, json!({})).await;
        ada.send(r#"42["1"]"#).await;
        heard(&mut hearing, &["1"]).await;
        bob.send(r#"42["2"]"#).await;
        heard(&mut hearing, &["2"]).await;
        for ws in [&mut ada, &mut bob] {
            ws.send(r#"420["3"]"#).await;
            assert_eq!(ws.text().await, format!("430{}", refused("address_events")));
        }
    });
}

async fn shake(listening: &Listening, client: &str) -> (u16, String) {
    let request = get("").replace("Host: a", &format!("Host: a\r\nX-Forwarded-For: {client}"));
    http(listening, &request).await
}

#[test]
fn handshakes_of_one_address_have_a_rate() {
    on_actix(async {
        let mut config = Config::default();
        config.rates.address_handshakes = at_once(2);
        config.security.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        for (listening, _hearing) in on_both_carriers(&config).await {
            assert_eq!(shake(&listening, "192.0.2.1").await.0, 200);
            assert_eq!(shake(&listening, "192.0.2.1").await.0, 200);
            let (status, response) = shake(&listening, "192.0.2.1").await;
            assert_eq!(status, 429);
            let body = r#"{"code":4,"message":"Too many requests"}"#;
            assert!(response.ends_with(body), "{response}");
            // The next one comes after an hour.
            let head = response.to_ascii_lowercase();
            assert!(head.contains("\r\nretry-after: 3600\r\n"), "{head}");
            assert_eq!(shake(&listening, "192.0.2.2").await.0, 200);
            // WebSockets count as well.
            for _ in 0..2 {
                Ws::try_open_at(&listening, "").await.unwrap();
            }
            let (status, body) = Ws::try_open_at(&listening, "").await.unwrap_err();
            assert_eq!((status, body.as_str()), (429, "Too many requests"));
            let websocket = get("&transport=websocket").replace("&transport=polling", "");
            let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
            let websocket = websocket.replace("Connection: close\r\n", upgrade);
            let (status, head) = http(&listening, &websocket).await;
            assert_eq!(status, 429);
            let head = head.to_ascii_lowercase();
            assert!(head.contains("\r\nretry-after: 3600\r\n"), "{head}");
            assert_eq!(counter(&listening.server, "rate_handshake"), 3);
        }
    });
}

struct Told(UnboundedSender<String>);

impl Connection for Told {
    fn message(&mut self, message: Message<'_>) {
        // The test may be over.
        let _ = self.0.send(format!("{message:?}"));
    }
}

#[test]
fn rates_that_change_hold_for_who_comes_after_that() {
    on_actix(async {
        let (listening, mut hearing) = listening(Config::default()).await;
        let (mut before, _) = Ws::join(&listening, json!({})).await;
        hearing.connected().await;
        // CONNECT is one of them.
        let slow = dropping(|config| config.rates.session_events = at_once(2));
        listening.server.reload(slow.clone()).unwrap();
        let (mut after, _) = Ws::join(&listening, json!({})).await;
        hearing.connected().await;
        for (ws, passed) in [(&mut before, &["one", "two"][..]), (&mut after, &["one"])] {
            for name in ["one", "two"] {
                ws.send(&format!("42[\"{name}\"]")).await;
            }
            heard(&mut hearing, passed).await;
        }
        let n_dropped = || counter(&listening.server, "rate_dropped");
        eventually("one is dropped", || n_dropped() == 1).await;

        // The same again gives nobody a full bucket.
        let address = dropping(|config| config.rates.address_handshakes = at_once(1));
        listening.server.reload(address.clone()).unwrap();
        assert_eq!(http(&listening, &get("")).await.0, 200);
        listening.server.reload(address).unwrap();
        assert_eq!(http(&listening, &get("")).await.0, 429);
        listening.server.reload(Config::default()).unwrap();
        assert_eq!(http(&listening, &get("")).await.0, 200);
    });
}

#[test]
fn messages_without_socketio_have_a_rate() {
    on_actix(async {
        let mut config = dropping(|config| config.rates.session_events = at_once(1));
        config.rates.disconnect_over = Some(200);
        let (sender, mut told) = unbounded_channel();
        let listening = listen(config, |builder| {
            builder.engine(move |_: Client, _: &Arc<Handshake>| Told(sender.clone()))
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        for text in ["4first", "4second", "4third", "4fourth"] {
            ws.send(text).await;
        }
        let reason = "rate limit exceeded: session_events".to_owned();
        assert_eq!(ws.end().await, (Some(1000), reason));
        assert_eq!(told.recv().await.unwrap(), r#"Text("first")"#);
        assert!(told.try_recv().is_err());
    });
}
