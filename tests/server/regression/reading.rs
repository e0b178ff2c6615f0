//! Reading.

use std::sync::Arc;
use std::time::Duration;

use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Server, engine};
use tokio::sync::Semaphore;

use super::CARRIERS;
use crate::support::tcp::{Raw, Ws, frame, get, http, join_polling, listen, post, text_frame};
use crate::support::{Heard, counter, ear, eventually, on_actix};

/// Sends each message back.
struct Echo(engine::Client);

impl engine::Connection for Echo {
    fn message(&mut self, message: engine::Message<'_>) {
        match message {
            engine::Message::Text("panic") => panic!("a panic on purpose"),
            engine::Message::Text(text) => self.0.send_text(text.to_owned()),
            engine::Message::Binary(bytes) => self.0.send_binary(bytes.to_vec()),
        }
    }
}

#[test]
fn an_engine_client_may_stream_for_longer_than_one_packet_may_take() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let limit = Duration::from_millis(100);
            config.limits.time_to_complete_packet = limit;
            let listening = listen(config, |builder| {
                builder.engine(|client, _: &Arc<greenroom::Handshake>| Echo(client))
            })
            .await;
            let mut raw = Raw::websocket(&listening, "").await;
            assert!(raw.text().await.starts_with('0'));
            let whole = text_frame("4hello");
            let (head, tail) = whole.split_at(8);
            raw.write(head).await;
            let begin = std::time::Instant::now();
            while begin.elapsed() < 4 * limit {
                raw.write(&[tail, head].concat()).await;
                assert_eq!(raw.text().await, "4hello");
            }
            assert_eq!(counter(&listening.server, "incomplete_packet"), 0);
        }
    });
}

#[test]
fn a_panic_of_an_engine_application_ends_its_session() {
    on_actix(async {
        let listening = listen(Config::default(), |builder| {
            builder.engine(|client, _: &Arc<greenroom::Handshake>| Echo(client))
        })
        .await;
        let mut ws = Ws::open(&listening).await;
        ws.send("4panic").await;
        ws.end().await;
        let server = &listening.server;
        eventually("it has gone", || server.n_sessions() == 0).await;
        let mut ws = Ws::open(&listening).await;
        ws.send("4hello").await;
        assert_eq!(ws.text().await, "4hello");
    });
}

#[test]
fn a_poll_that_comes_a_moment_after_the_goodbye_goes_home() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let (handlers, _hearing) = ear();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let sid = join_polling(&listening).await;
            let (goodbye, poll) = (post(&sid, "1"), get(&format!("&sid={sid}")));
            // The one that is written first is met first.
            let (posted, polled) =
                tokio::join!(http(&listening, &goodbye), http(&listening, &poll));
            assert_eq!(posted.0, 200, "{}", posted.1);
            assert_eq!(polled.0, 200, "{}", polled.1);
            assert!(polled.1.ends_with("\r\n\r\n6"), "{}", polled.1);
            let (status, _) = http(&listening, &poll).await;
            assert_eq!(status, 400, "and the session is gone");
        }
    });
}

#[test]
fn what_follows_a_failed_probe_is_not_the_session_s() {
    on_actix(async {
        for carrier in CARRIERS {
            let mut config = Config::default();
            config.server.carrier = carrier;
            let (handlers, mut hearing) = ear();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let sid = join_polling(&listening).await;
            let socket = hearing.connected().await;
            let behind = [
                frame(8, &1000_u16.to_be_bytes()),
                text_frame(r#"42["from the probe"]"#),
                text_frame("1"),
                text_frame("nonsense"),
                vec![0xff; 20],
            ];
            for bytes in behind {
                let mut raw = Raw::websocket(&listening, &format!("&sid={sid}")).await;
                raw.write(&[text_frame("4no probe"), bytes].concat()).await;
                raw.end().await;
            }
            // Polling goes on.
            let body = post(&sid, r#"42["by polling"]"#);
            assert_eq!(http(&listening, &body).await.0, 200);
            assert_eq!(hearing.event().await.name(), "by polling");
            socket.emit("still here", ());
            let (_, response) = http(&listening, &get(&format!("&sid={sid}"))).await;
            assert!(response.ends_with(r#"42["still here"]"#), "{response}");
            assert!(counter(&listening.server, "upgrade_failed") >= 5);
        }
    });
}

#[test]
fn events_that_waited_are_not_delivered_after_the_end() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(0));
        let (handlers, mut hearing) = ear();
        let waits = Arc::clone(&gate);
        let handlers = handlers.event_middleware(move |_| {
            let gate = Arc::clone(&waits);
            async move {
                gate.acquire().await.expect("the gate stays").forget();
                Ok(())
            }
        });
        let (other, _others) = ear();
        let server = Server::builder()
            .namespace("/", handlers)
            .namespace("/other", other)
            .build()
            .unwrap();
        let mut client = Client::connect(&server).await.unwrap();
        let socket = hearing.connected().await;
        let sending = actix::spawn(async move {
            client.emit("waits", ()).await.unwrap();
            client
        });
        // The event is in the middleware when the socket is disconnected.
        let mut probe = Client::connect_to(&server, "/other", ()).await.unwrap();
        probe.emit("round", ()).await.unwrap();
        socket.disconnect(false);
        assert_eq!(hearing.gone().await.0, socket);
        gate.add_permits(1);
        sending.await.unwrap();
        let _client = Client::connect(&server).await.unwrap();
        match hearing.next().await {
            Heard::Connect(_) => {}
            other => panic!("after the end: {other:?}"),
        }
    });
}
