//! Middleware of events.

use std::sync::Arc;

use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Event, Refusal};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::{error_of, serve};
use crate::support::tcp::{Ws, listen};
use crate::support::{counter, ear, on_actix};

/// Notes `name` for each event; refuses those whose first argument is the name.
fn noting(
    name: &'static str,
    seen: &mpsc::UnboundedSender<String>,
) -> impl Fn(&Event) -> futures_util::future::BoxFuture<'static, Result<(), Refusal>>
+ Send
+ Sync
+ 'static {
    let seen = seen.clone();
    move |event| {
        let seen = seen.clone();
        let first: Value = event.args().first().unwrap();
        let label = format!("{name} {}", event.name());
        Box::pin(async move {
            tokio::task::yield_now().await;
            seen.send(label).unwrap();
            if first == name {
                return Err(Refusal::new(format!("{name} refuses")));
            }
            Ok(())
        })
    }
}

#[test]
fn event_middlewares_of_the_namespace_run_before_those_of_the_socket() {
    on_actix(async {
        let (seen, mut order) = mpsc::unbounded_channel();
        let (handlers, mut hearing) = ear();
        let server = serve(
            handlers
                .event_middleware(noting("n1", &seen))
                .event_middleware(noting("n2", &seen)),
        );
        let mut client = Client::connect(&server).await.unwrap();
        let socket = hearing.connected().await;
        socket.use_middleware(noting("s1", &seen));
        socket.use_middleware(noting("s2", &seen));
        client.emit("a", "ok").await.unwrap();
        assert_eq!(hearing.event().await.name(), "a");
        for refuser in ["n1", "n2", "s1", "s2"] {
            let answer = client.emit_with_ack("b", refuser).await.unwrap();
            assert_eq!(error_of(&answer), format!("{refuser} refuses"));
        }
        // Without an ack the event is dropped, and the next one comes.
        client.emit("c", "n1").await.unwrap();
        client.emit("d", "ok").await.unwrap();
        assert_eq!(hearing.event().await.name(), "d");
        assert_eq!(counter(&server, "event_refused"), 5);
        let mut notes = Vec::new();
        while let Ok(note) = order.try_recv() {
            notes.push(note);
        }
        let expected = [
            "n1 a", "n2 a", "s1 a", "s2 a", "n1 b", "n1 b", "n2 b", "n1 b", "n2 b", "s1 b", "n1 b",
            "n2 b", "s1 b", "s2 b", "n1 c", "n1 d", "n2 d", "s1 d", "s2 d",
        ];
        assert_eq!(notes, expected);
    });
}

#[test]
fn an_event_that_waits_in_a_middleware_is_not_overtaken() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(0));
        let (handlers, mut hearing) = ear();
        let waits = Arc::clone(&gate);
        let server = serve(handlers.event_middleware(move |event| {
            let gate = (event.name() == "slow").then(|| Arc::clone(&waits));
            async move {
                if let Some(gate) = gate {
                    gate.acquire().await.expect("the gate stays").forget();
                }
                Ok(())
            }
        }));
        let mut client = Client::connect(&server).await.unwrap();
        let mut other = Client::connect(&server).await.unwrap();
        let sending = actix::spawn(async move {
            for name in ["slow", "fast", "slow", "fast"] {
                client.emit(name, ()).await.unwrap();
            }
            client
        });
        // Other clients are not held up.
        other.emit("other", ()).await.unwrap();
        assert_eq!(hearing.event().await.name(), "other");
        assert!(!sending.is_finished());
        gate.add_permits(2);
        for name in ["slow", "fast", "slow", "fast"] {
            assert_eq!(hearing.event().await.name(), name);
        }
        sending.await.unwrap();
    });
}

#[test]
fn events_pass_the_middleware_on_both_carriers() {
    on_actix(async {
        for carrier in ["direct", "mounted"] {
            let toml = format!("[server]\ncarrier = {carrier:?}");
            let (handlers, mut hearing) = ear();
            let handlers = handlers.event_middleware(|_| async {
                tokio::task::yield_now().await;
                Ok(())
            });
            let config = Config::from_toml(&toml).unwrap();
            let listening = listen(config, |builder| builder.namespace("/", handlers)).await;
            let (mut ws, _) = Ws::join(&listening, json!({})).await;
            for n in 0..20 {
                ws.send(&format!(r#"42["n",{n}]"#)).await;
            }
            for n in 0..20 {
                let event = hearing.event().await;
                assert_eq!(event.args().first::<i32>().unwrap(), n, "{carrier}");
            }
            // Once more, after everything before was handled.
            ws.send(r#"42["again"]"#).await;
            assert_eq!(hearing.event().await.name(), "again", "{carrier}");
        }
    });
}
