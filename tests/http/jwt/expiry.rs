//! Tokens expire.

use std::time::Duration;

use greenroom::testing::{Client, ClientError};
use greenroom::{Server, Socket};
use serde_json::{Value, json};

use super::{SECRET, good, guarded, in_seconds, join, token};
use crate::support::{Hearing, Lobby, counter, lobby, on_actix};

async fn expiring(hearing: &mut Hearing, server: &Server, seconds: f64) -> (Client, Socket) {
    let claims = json!({ "sub": "ada", "exp": in_seconds(seconds) });
    let client = join(server, &token(SECRET, &claims)).await.unwrap();
    (client, hearing.connected().await)
}

#[test]
fn a_socket_whose_token_expires_is_asked_and_then_disconnected() {
    on_actix(async {
        let config = guarded(|config| config.auth.jwt.grace = Duration::from_millis(200));
        let Lobby {
            server,
            mut hearing,
        } = lobby(config);
        let (mut client, _) = expiring(&mut hearing, &server, 1.5).await;
        let asked = client.event("auth:refresh").await.unwrap();
        let words: Value = asked.args.first().unwrap();
        assert!(words["remaining_ms"].as_u64().unwrap() <= 200, "{words}");
        let (_, reason) = hearing.gone().await;
        assert_eq!(reason.to_string(), "server namespace disconnect");
        assert_eq!(counter(&server, "token_expired"), 1);
        assert!(matches!(
            client.event("anything").await,
            Err(ClientError::Disconnected)
        ));
    });
}

#[test]
fn a_fresh_token_in_time_keeps_the_socket() {
    on_actix(async {
        let config = guarded(|config| config.auth.jwt.grace = Duration::from_secs(20));
        let Lobby {
            server,
            mut hearing,
        } = lobby(config);
        let (mut client, socket) = expiring(&mut hearing, &server, 1.5).await;
        client.event("auth:refresh").await.unwrap();
        let old: Value = socket.claims().unwrap();
        for (bad, code) in [
            (json!("a.b.c"), "token_malformed"),
            (json!(good("bob")), "token_subject"),
            (json!(17), "token_required"),
            (json!({ "token": "" }), "token_required"),
        ] {
            let answer = client.emit_with_ack("auth:refresh", (bad,)).await.unwrap();
            let answer: Value = answer.first().unwrap();
            assert_eq!(answer["code"], code);
            assert_eq!(socket.claims::<Value>().unwrap(), old);
        }
        // It ends soon as well, and the client is asked again.
        let fresh = token(SECRET, &json!({ "sub": "ada", "exp": in_seconds(1.5) }));
        let answer = client.emit_with_ack("auth:refresh", fresh).await.unwrap();
        let answer: Value = answer.first().unwrap();
        assert!(answer["expires"].is_u64(), "{answer}");
        client.event("auth:refresh").await.unwrap();
        let fresh = json!({ "token": good("ada") });
        client.emit_with_ack("auth:refresh", fresh).await.unwrap();
        assert!(socket.is_connected());
        client.emit("hello", ()).await.unwrap();
        // Handlers get what is theirs.
        assert_eq!(hearing.event().await.name(), "hello");
        assert_eq!(counter(&server, "token_expired"), 0);
    });
}
