//! Clients that want more than there is.

use std::time::Duration;

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::{AckError, Event, per_worker};
use serde_json::json;

use super::counted;
use crate::support::lobby;
use crate::support::log::{alone, logged};
use crate::support::tcp::{Raw, Ws, get, http, listen, listening, on_both_carriers, text_frame};

#[test]
fn headers_beyond_the_limit() {
    alone(async {
        let mut config = Config::default();
        config.limits.headers_bytes = 1000;
        let (listening, mut hearing) = listening(config).await;
        let large = format!("Host: a\r\nX-Large: {}", "x".repeat(2000));
        let request = get("").replace("Host: a", &large);
        assert_eq!(http(&listening, &request).await.0, 200);
        logged(&["headers are left out why=too many bytes headers=1 limit=1000"]).await;
        counted(&listening.server, "headers_left_out", 1).await;
        let (_ws, _) = Ws::join(&listening, json!({})).await;
        assert!(
            hearing
                .connected()
                .await
                .handshake()
                .header("host")
                .is_some()
        );
    });
}

#[test]
fn names_and_numbers_beyond_the_limits() {
    alone(async {
        let mut config = Config::default();
        config.limits.event_name_bytes = 5;
        config.limits.room_name_bytes = 5;
        config.limits.rooms_per_socket = 1;
        config.limits.pending_acks_per_socket = 2;
        let mut lobby = lobby(config);
        let (mut client, socket) = lobby.join().await;
        let answer = client.emit_with_ack("123456", ()).await.unwrap();
        assert_eq!(
            answer.first::<serde_json::Value>().unwrap(),
            json!({ "error": "the event name is too long" })
        );
        logged(&["an event name is too long sid=", "bytes=6"]).await;
        counted(&lobby.server, "event_refused", 1).await;
        socket.join("123456");
        logged(&[
            "a room is refused nsp=/ id=",
            "why=its name is too long bytes=6",
        ])
        .await;
        socket.join(["a", "b"]);
        logged(&["a room is refused nsp=/ id=", "why=too many rooms"]).await;
        counted(&lobby.server, "room_refused", 2).await;
        // A client that never answers, and one that answers too late.
        let _never = socket.emit_with_ack("never", ());
        let late = socket.clone().timeout(Duration::from_millis(100));
        let late = late.emit_with_ack("late", ());
        let refused = socket.emit_with_ack("more", ()).await;
        assert!(matches!(refused, Err(AckError::TooMany)), "{refused:?}");
        logged(&[
            "an emit is refused nsp=/ id=",
            "why=too many acks outstanding event=more",
        ])
        .await;
        counted(&lobby.server, "ack_refused", 1).await;
        let late = late.await;
        assert!(matches!(late, Err(AckError::Timeout)), "{late:?}");
        logged(&["a client did not answer in time nsp=/ id="]).await;
        counted(&lobby.server, "ack_timeout", 1).await;
        let asked = client.event("late").await.unwrap();
        client.ack(asked.ack.unwrap(), ()).await.unwrap();
        logged(&["nobody waits for an ack sid="]).await;
        counted(&lobby.server, "unknown_ack", 1).await;
    });
}

/// A handler that never gets through its first event.
struct Stuck;

impl Actor for Stuck {
    type Context = Context<Self>;
}

impl Handler<Event> for Stuck {
    type Result = ();

    fn handle(&mut self, _: Event, ctx: &mut Context<Self>) {
        ctx.wait(std::future::pending().into_actor(self));
    }
}

#[test]
fn events_for_a_handler_that_is_full() {
    alone(async {
        let mut config = Config::default();
        config.limits.handler_queue = 2;
        let stuck = per_worker(|| Stuck).on_event();
        let listening = listen(config, |builder| builder.namespace("/", stuck)).await;
        let (mut ws, _) = Ws::join(&listening, json!({})).await;
        for n in 0..20 {
            ws.send(&format!("42[\"a\",{n}]")).await;
        }
        logged(&["a client is not read why=the queue of its handler is full queue=2"]).await;
        // It is not asked again for as long as the first that does not fit waits.
        counted(&listening.server, "handler_full", 1).await;
        assert_eq!(listening.server.n_sessions(), 1);
    });
}

/// A frame that two reads bring is still whole.
#[test]
fn what_is_slow_is_not_refused() {
    alone(async {
        for (listening, mut hearing) in on_both_carriers(&Config::default()).await {
            let mut raw = Raw::join(&listening).await;
            for byte in text_frame(r#"42["slow"]"#) {
                raw.write(&[byte]).await;
            }
            assert_eq!(hearing.event().await.name(), "slow");
        }
    });
}
