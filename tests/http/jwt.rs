//! Namespaces that require a token: who comes in, what handlers see, what happens when it expires, and keys that change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use greenroom::config::{Config, Secret};
use greenroom::testing::{Client, ClientError};
use greenroom::{Server, Socket};
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::backend::Backend;
use crate::support::tcp::{Ws, listening};
use crate::support::{Hearing, Lobby, counter, eventually, lobby, on_actix, within};

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

// --- expiry --------------------------------------------------------------------------------------

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

// --- keys that change ----------------------------------------------------------------------------

/// A key pair for ES256.
struct Signer {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
        Self { id, pair }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let part = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "x": part(&point[1..33]), "y": part(&point[33..]) })
    }

    fn token(&self) -> String {
        let header = json!({ "alg": "ES256", "kid": self.id });
        let message = message(&header, &json!({ "sub": self.id, "exp": in_seconds(60.0) }));
        let signed = self
            .pair
            .sign(&SystemRandom::new(), message.as_bytes())
            .unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signed))
    }
}

fn set(signers: &[&Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// A server that has keys, or something else, and counts who asks.
struct Issuer {
    url: String,
    response: Arc<Mutex<Option<String>>>,
    n_asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let (response, n_asked) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
        let (to_send, counted) = (Arc::clone(&response), Arc::clone(&n_asked));
        actix::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let to_send = Arc::clone(&to_send);
                let counted = Arc::clone(&counted);
                actix::spawn(async move {
                    // One read has the whole request, one request is all that is answered.
                    let _ = stream.read(&mut [0; 4096]).await;
                    counted.fetch_add(1, Ordering::Relaxed);
                    let response: Option<String> = to_send.lock().clone();
                    if let Some(response) = response {
                        let _ = stream.write_all(response.as_bytes()).await;
                    } else {
                        // It hangs until the client has enough.
                        let _ = stream.read(&mut [0; 16]).await;
                    }
                });
            }
        });
        Self {
            url,
            response,
            n_asked,
        }
    }

    fn says(&self, status: &str, body: &str) {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        *self.response.lock() = Some(head + body);
    }

    fn has(&self, signers: &[&Signer]) {
        self.says("200 OK", &set(signers));
    }

    fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::Relaxed)
    }

    fn config(&self, cooldown: Duration) -> Config {
        guarded(|config| {
            let jwt = &mut config.auth.jwt;
            jwt.secret = Secret::default();
            jwt.jwks = self.url.clone();
            jwt.jwks_cooldown = cooldown;
        })
    }
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(600);

#[test]
fn a_key_that_is_new_is_fetched_when_its_first_token_comes() {
    on_actix(async {
        let (old, new) = (Signer::new("old"), Signer::new("new"));
        let issuer = Issuer::new().await;
        issuer.has(&[&old]);
        let Lobby { server, .. } = lobby(issuer.config(SHORT));
        join(&server, &old.token()).await.unwrap();
        assert_eq!(issuer.n_asked(), 1);
        issuer.has(&[&new]);
        within("a fresh key", async {
            // As long as the last look was too short a time ago, nothing is fetched.
            while join(&server, &new.token()).await.is_err() {}
        })
        .await;
        assert_eq!(issuer.n_asked(), 2);
        assert_eq!(refused(&server, &old.token()).await, "token_key_unknown");
    });
}

#[test]
fn a_backend_is_told_the_claims() {
    on_actix(async {
        let mut backend = Backend::start();
        let mut settings = greenroom::config::BackendConfig::default();
        settings.url.clone_from(&backend.url);
        let config = guarded(|_| {});
        let relay = greenroom::backend::handlers(&settings, &config).unwrap();
        let builder = Server::builder().config(config);
        let server = builder.namespace("/", relay).build().unwrap();
        let mut client = join(&server, &good("ada")).await.unwrap();
        client.emit("say", ()).await.unwrap();
        let call = backend.next().await;
        assert_eq!(call.body["socket"]["claims"]["sub"], "ada");
        call.answer(&json!({}));
    });
}

#[test]
fn tokens_with_unknown_keys_do_not_make_it_ask_again_and_again() {
    on_actix(async {
        let (known, unknown) = (Signer::new("known"), Signer::new("unknown"));
        let issuer = Issuer::new().await;
        issuer.has(&[&known]);
        let Lobby { server, .. } = lobby(issuer.config(LONG));
        join(&server, &known.token()).await.unwrap();
        for _ in 0..20 {
            assert_eq!(
                refused(&server, &unknown.token()).await,
                "token_key_unknown"
            );
        }
        assert_eq!(issuer.n_asked(), 1);
        // A wrong signature under a known name asks nobody at all.
        let forged = Signer {
            id: "known",
            ..unknown
        };
        assert_eq!(refused(&server, &forged.token()).await, "token_signature");
    });
}

#[test]
fn the_last_good_keys_stay_when_the_issuer_is_away() {
    on_actix(async {
        let (known, unknown) = (Signer::new("known"), Signer::new("unknown"));
        let issuer = Issuer::new().await;
        issuer.has(&[&known]);
        let Lobby { server, .. } = lobby(issuer.config(SHORT));
        join(&server, &known.token()).await.unwrap();
        let large = format!("{{\"keys\":[{}1]}}", "1,".repeat(200_000));
        for (status, body) in [
            ("500 Internal Server Error", "{}"),
            ("302 Found", ""),
            ("200 OK", "<html>"),
            ("200 OK", "{\"keys\":[]}"),
            ("200 OK", &set(&[&known])[..50]),
            ("200 OK", &large),
        ] {
            issuer.says(status, body);
            let n_failed = counter(&server, "jwks_failed");
            eventually("it is asked", || {
                counter(&server, "jwks_failed") > n_failed || {
                    let (server, token) = (server.clone(), unknown.token());
                    actix::spawn(async move { drop(join(&server, &token).await) });
                    false
                }
            })
            .await;
            join(&server, &known.token()).await.unwrap();
        }
        // It comes back.
        issuer.has(&[&known, &unknown]);
        within("the new key", async {
            while join(&server, &unknown.token()).await.is_err() {}
        })
        .await;
    });
}

#[test]
fn nobody_comes_in_until_the_first_keys_are_there() {
    on_actix(async {
        let signer = Signer::new("a");
        let issuer = Issuer::new().await;
        issuer.says("503 Service Unavailable", "");
        let Lobby { server, .. } = lobby(issuer.config(SHORT));
        assert_eq!(
            refused(&server, &signer.token()).await,
            "token_keys_unavailable"
        );
        issuer.has(&[&signer]);
        within("the keys", async {
            while join(&server, &signer.token()).await.is_err() {}
        })
        .await;
    });
}

#[test]
fn a_file_with_keys_is_read_again_and_half_a_file_is_not_taken() {
    on_actix(async {
        let (old, new) = (Signer::new("old"), Signer::new("new"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), set(&[&old])).unwrap();
        let config = guarded(|config| {
            let jwt = &mut config.auth.jwt;
            jwt.secret = Secret::default();
            jwt.jwks = file.path().to_str().unwrap().to_owned();
            jwt.jwks_refresh = Duration::from_secs(1);
            jwt.jwks_cooldown = LONG;
        });
        let Lobby { server, .. } = lobby(config);
        join(&server, &old.token()).await.unwrap();
        std::fs::write(file.path(), &set(&[&new])[..40]).unwrap();
        eventually("it is read", || counter(&server, "jwks_failed") > 0).await;
        join(&server, &old.token()).await.unwrap();
        std::fs::write(file.path(), set(&[&new])).unwrap();
        within("the new key", async {
            while join(&server, &new.token()).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    });
}

#[test]
fn a_server_does_not_start_without_keys_that_it_can_use() {
    let problem = |change: fn(&mut greenroom::config::JwtConfig)| {
        let config = guarded(|config| {
            config.auth.jwt.secret = Secret::default();
            change(&mut config.auth.jwt);
        });
        let err = Server::builder().config(config).build().unwrap_err();
        err.to_string()
    };
    for (err, why) in [
        (
            problem(|jwt| jwt.public_key = "no/such/file".into()),
            "cannot read no/such/file",
        ),
        (
            problem(|jwt| jwt.public_key = "Cargo.toml".into()),
            "is no public key",
        ),
        (
            problem(|jwt| jwt.jwks = "no/such/file".to_owned()),
            "cannot read no/such/file",
        ),
        (
            problem(|jwt| jwt.jwks = "Cargo.toml".to_owned()),
            "it is no JWK set",
        ),
        (
            problem(|jwt| jwt.jwks = "ftp://a/b".to_owned()),
            "which is no URL",
        ),
        (
            problem(|jwt| jwt.jwks = "http://".to_owned()),
            "which is no URL",
        ),
    ] {
        assert!(err.contains(why), "{err}");
    }
}
