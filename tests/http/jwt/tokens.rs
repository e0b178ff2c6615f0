//! Who is let in with which token, and what becomes of its claims.

use std::time::Duration;

use greenroom::Socket;
use greenroom::config::{Config, Secret};
use greenroom::testing::{Client, ClientError};
use serde_json::{Value, json};

use super::{SECRET, good, guarded, in_seconds, join, refused, token};
use crate::support::tcp::{Ws, listening};
use crate::support::{Lobby, counter, lobby, on_actix};

#[test]
fn who_has_no_good_token_reads_why() {
    on_actix(async {
        let config = guarded(|config| config.auth.jwt.audience = vec!["chat".to_owned()]);
        let Lobby {
            server,
            mut hearing,
        } = lobby(config);
        let later = in_seconds(60.0);
        let claims = |claims: Value| token(SECRET, &claims);
        for (token, code) in [
            (String::new(), "token_required"),
            ("a.b.c".to_owned(), "token_malformed"),
            ("x".repeat(20_000), "token_malformed"),
            (
                token(&SECRET.replace('0', "1"), &json!({ "exp": later })),
                "token_signature",
            ),
            (
                claims(json!({ "exp": in_seconds(-1.0), "aud": "chat" })),
                "token_expired",
            ),
            (
                claims(json!({ "exp": later, "nbf": later, "aud": "chat" })),
                "token_not_yet_valid",
            ),
            (
                claims(json!({ "exp": later, "aud": "mail" })),
                "token_audience",
            ),
            (claims(json!({ "aud": "chat" })), "token_malformed"),
        ] {
            assert_eq!(refused(&server, &token).await, code);
        }
        assert_eq!(counter(&server, "token_refused"), 8);
        let without = Client::connect(&server).await;
        assert!(matches!(without, Err(ClientError::Refused { .. })));
        let (message, _) = join(&server, "").await.expect_err("it is refused");
        assert_eq!(message, "a token is required");
        assert!(hearing.now().is_none(), "no handler was asked");
        let good = claims(json!({ "exp": later, "aud": ["mail", "chat"], "sub": "ada" }));
        join(&server, &good).await.unwrap();
        assert_eq!(sub(&hearing.connected().await), "ada");
    });
}

fn sub(socket: &Socket) -> String {
    let claims: Value = socket.claims().unwrap();
    claims["sub"].as_str().unwrap().to_owned()
}

#[test]
fn another_secret_takes_the_place_of_the_first_while_it_runs() {
    on_actix(async {
        let Lobby { server, .. } = lobby(guarded(|_| {}));
        let of_now = good("ada");
        let _stays = join(&server, &of_now).await.unwrap();
        let next = SECRET.replace('0', "1");
        let config = guarded(|config| config.auth.jwt.secret = Secret::new(next.as_str()));
        server.reload(config).unwrap();
        assert_eq!(refused(&server, &of_now).await, "token_signature");
        let claims = json!({ "sub": "ada", "exp": in_seconds(60.0) });
        join(&server, &token(&next, &claims)).await.unwrap();
        // Settings without a secret are no reason to let anybody in.
        server.reload(Config::default()).unwrap();
        assert_eq!(refused(&server, &of_now).await, "token_signature");
        assert_eq!(server.n_sessions(), 2);
    });
}

#[test]
fn rules_for_tokens_change_while_it_runs() {
    on_actix(async {
        let Lobby { server, .. } = lobby(guarded(|_| {}));
        let of = |audience: &str, age: f64| {
            let claims =
                json!({ "sub": "ada", "aud": audience, "iss": "id", "exp": in_seconds(-age) });
            token(SECRET, &claims)
        };
        assert_eq!(refused(&server, &of("us", -60.0)).await, "token_audience");
        let rules = |leeway| {
            guarded(|config| {
                config.auth.jwt.audience = vec!["us".to_owned()];
                config.auth.jwt.issuer = vec!["id".to_owned()];
                config.auth.jwt.leeway = Duration::from_secs(leeway);
            })
        };
        server.reload(rules(60)).unwrap();
        let _stays = join(&server, &of("us", 40.0)).await.unwrap();
        assert_eq!(refused(&server, &of("them", -60.0)).await, "token_audience");
        assert_eq!(refused(&server, &good("ada")).await, "token_audience");
        server.reload(rules(20)).unwrap();
        assert_eq!(refused(&server, &of("us", 40.0)).await, "token_expired");
        // Settings without the section are no reason to be less strict.
        server.reload(Config::default()).unwrap();
        assert_eq!(refused(&server, &good("ada")).await, "token_audience");
        join(&server, &of("us", -60.0)).await.unwrap();
    });
}

#[test]
fn claims_are_visible_to_handlers_and_in_what_is_fetched() {
    on_actix(async {
        let Lobby {
            server,
            mut hearing,
        } = lobby(guarded(|_| {}));
        let _client = join(&server, &good("ada")).await.unwrap();
        let socket = hearing.connected().await;
        assert_eq!(sub(&socket), "ada");
        let object = serde_json::to_value(socket.handshake_object()).unwrap();
        assert_eq!(object["claims"]["sub"], "ada");
        let found = server.root().all().fetch_sockets().await.found;
        let claims: Value = found[0].claims().unwrap();
        assert_eq!(claims["sub"], "ada");
    });
}

#[test]
fn namespaces_that_are_not_named_ask_for_none() {
    on_actix(async {
        let config = guarded(|config| config.auth.jwt.namespaces = vec!["/admin".to_owned()]);
        let Lobby {
            server,
            mut hearing,
        } = lobby(config);
        let _client = Client::connect(&server).await.unwrap();
        let claims: Option<Value> = hearing.connected().await.claims().unwrap();
        assert_eq!(claims, None);
    });
}

#[test]
fn old_clients_have_their_token_in_the_query() {
    on_actix(async {
        let (listening, mut hearing) =
            listening(guarded(|config| config.engine.allow_eio3 = true)).await;
        let url = |token: &str| {
            let address = listening.address;
            format!("ws://{address}/socket.io/?EIO=3&transport=websocket&token={token}")
        };
        let mut ws = Ws::at(&url(&good("ada"))).await;
        assert!(ws.text().await.starts_with("0{"));
        assert_eq!(ws.text().await, "40");
        assert_eq!(sub(&hearing.connected().await), "ada");
        let mut ws = Ws::at(&url("a.b.c")).await;
        assert!(ws.text().await.starts_with("0{"));
        assert_eq!(ws.text().await, r#"44{"code":"token_malformed"}"#);
    });
}
