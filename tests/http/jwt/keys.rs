//! Keys that change, of an issuer or in a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use greenroom::Server;
use greenroom::config::{Config, Secret};
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{good, guarded, in_seconds, join, message, refused};
use crate::support::backend::Backend;
use crate::support::{Lobby, counter, eventually, lobby, on_actix, within};

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
