//! Namespaces that require a token: who comes in, what handlers see, what happens when it expires, and keys that change.

mod expiry;
mod keys;
mod tokens;

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use greenroom::Server;
use greenroom::config::{Config, Secret};
use greenroom::testing::{Client, ClientError};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[expect(clippy::disallowed_methods, reason = "tokens carry the time of day")]
fn in_seconds(seconds: f64) -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs_f64() + seconds
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A token of HS256.
fn token(secret: &str, claims: &Value) -> String {
    let message = message(&json!({ "alg": "HS256" }), claims);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let signed = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed))
}

fn good(sub: &str) -> String {
    token(SECRET, &json!({ "sub": sub, "exp": in_seconds(60.0) }))
}

/// A server that lets nobody into `/` without a token.
fn guarded(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    let jwt = &mut config.auth.jwt;
    jwt.namespaces = vec!["/".to_owned()];
    jwt.secret = Secret::new(SECRET);
    jwt.leeway = Duration::ZERO;
    change(&mut config);
    config
}

async fn join(server: &Server, token: &str) -> Result<Client, (String, String)> {
    match Client::connect_to(server, "/", json!({ "token": token })).await {
        Ok(client) => Ok(client),
        Err(ClientError::Refused { message, payload }) => {
            let payload: Value = payload.first().unwrap();
            Err((
                message,
                payload["data"]["code"].as_str().unwrap().to_owned(),
            ))
        }
        Err(other) => panic!("{other}"),
    }
}

async fn refused(server: &Server, token: &str) -> String {
    join(server, token).await.expect_err("it is refused").1
}
