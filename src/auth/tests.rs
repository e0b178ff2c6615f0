//! Signatures against the examples of the RFCs, claims against a table.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::keys::{Key, Keys, read_pem, read_set};
use super::*;
use crate::config::Secret;

/// Source: RFC 7515, appendix A.1 to A.3; RFC 8037, appendix A.4.
const TOKENS: &str = include_str!("../../tests/golden/jws/tokens.txt");
const SET: &[u8] = include_bytes!("../../tests/golden/jws/keys.json");
const SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

fn tokens() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOKENS.lines().map(|line| line.split_once(' ').unwrap())
}

fn keys(list: Vec<Key>) -> Keys {
    let keys = Keys::default();
    keys.replace(list);
    keys
}

fn secret() -> Keys {
    let secret = URL_SAFE_NO_PAD.decode(SECRET).unwrap();
    keys(vec![Key::of_secret(&secret)])
}

fn pem(name: &str) -> Keys {
    let path = format!("tests/golden/jws/{name}.pem");
    keys(vec![read_pem(path.as_ref()).unwrap()])
}

#[test]
fn the_examples_of_the_standard_are_verified_by_their_own_key_alone() {
    let set = keys(read_set(SET).unwrap());
    let one = [
        ("HS256", secret()),
        ("RS256", pem("rsa")),
        ("ES256", pem("ec")),
        ("EdDSA", pem("ed")),
    ];
    let mut n_tokens = 0;
    for (algorithm, token) in tokens() {
        for (of, key) in &one {
            let verified = key.verify(token);
            if of == &algorithm {
                assert_eq!(
                    token.split('.').nth(1).unwrap(),
                    URL_SAFE_NO_PAD.encode(verified.unwrap())
                );
            } else {
                assert_eq!(verified, Err(TokenError::UnknownKey), "{of} {algorithm}");
            }
        }
        // A set has no secrets: a token cannot be signed with what everybody may read.
        assert_eq!(set.verify(token).is_ok(), algorithm != "HS256");
        n_tokens += 1;
    }
    assert_eq!(n_tokens, 4);
}

#[test]
fn a_signature_that_was_changed_is_wrong() {
    let all = [
        ("HS256", secret()),
        ("RS256", pem("rsa")),
        ("ES256", pem("ec")),
        ("EdDSA", pem("ed")),
    ];
    for ((_, token), (_, key)) in tokens().zip(all) {
        let (message, signed) = token.rsplit_once('.').unwrap();
        let mut signed = URL_SAFE_NO_PAD.decode(signed).unwrap();
        signed[10] ^= 1;
        let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&signed));
        assert_eq!(key.verify(&forged), Err(TokenError::Signature));
        assert_eq!(
            key.verify(&format!("{message}.")),
            Err(TokenError::Signature)
        );
        let (header, _) = message.split_once('.').unwrap();
        let other = format!("{header}.e30.{}", token.rsplit_once('.').unwrap().1);
        assert_eq!(key.verify(&other), Err(TokenError::Signature));
    }
}

#[test]
fn what_is_no_token_is_malformed() {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let none = format!("{}.e30.", encode(r#"{"alg":"none"}"#));
    let critical = format!(
        "{}.e30.AA",
        encode(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#)
    );
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "e30.e30.AA",
        none.as_str(),
        critical.as_str(),
    ] {
        assert_eq!(
            secret().verify(token),
            Err(TokenError::Malformed),
            "{token}"
        );
    }
    assert_eq!(Keys::default().verify("a.b.c"), Err(TokenError::NoKeys));
}

#[test]
fn keys_of_other_kinds_are_left_out_of_a_set() {
    let ed = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    for (key, n_usable) in [
        (format!("{{{ed}}}"), 1),
        (format!(r#"{{{ed},"use":"sig","alg":"EdDSA"}}"#), 1),
        (format!(r#"{{{ed},"use":"enc"}}"#), 0),
        (format!(r#"{{{ed},"alg":"ES256"}}"#), 0),
        (format!(r#"{{{ed},"alg":"unheard-of"}}"#), 0),
        (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), 0),
        (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(), 0),
        (
            r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#.to_owned(),
            0,
        ),
        ("{}".to_owned(), 0),
        ("1".to_owned(), 0),
    ] {
        let set = format!(r#"{{"keys":[{key}]}}"#);
        let usable = read_set(set.as_bytes()).map_or(0, |keys| keys.len());
        assert_eq!(usable, n_usable, "{key}");
    }
    for (junk, why) in [
        ("", "no JWK set"),
        ("[]", "no JWK set"),
        ("{\"keys\":[]}", "none of its 0 keys"),
    ] {
        assert!(
            read_set(junk.as_bytes()).unwrap_err().contains(why),
            "{junk}"
        );
    }
}

#[test]
fn claims_are_for_us_and_for_now() {
    let config = JwtConfig {
        leeway: Duration::from_secs(10),
        ..JwtConfig::default()
    };
    let mut strict = config.clone();
    strict.audience = vec!["chat".to_owned(), "all".to_owned()];
    strict.issuer = vec!["us".to_owned()];
    let now = Duration::from_secs(1000);
    let check = |config, claims: serde_json::Value| {
        Claims::read(claims.to_string().as_bytes(), config, now)
            .map(|claims| claims.expires.as_secs())
    };
    for (claims, expected) in [
        (json!({ "exp": 1001 }), Ok(1001)),
        (
            json!({ "exp": 1000.5, "nbf": 1009, "iss": "anybody" }),
            Ok(1000),
        ),
        (json!({ "exp": 991 }), Ok(991)),
        (json!({ "exp": 990 }), Err(TokenError::Expired)),
        (json!({ "exp": -1 }), Err(TokenError::Expired)),
        (json!({ "exp": 1e300 }), Ok(u64::MAX)),
        (
            json!({ "exp": 2000, "nbf": 1011 }),
            Err(TokenError::NotYetValid),
        ),
        (
            json!({ "exp": 2000, "aud": "chat" }),
            Err(TokenError::Audience),
        ),
        (json!({}), Err(TokenError::Malformed)),
        (json!({ "exp": "2000" }), Err(TokenError::Malformed)),
        (json!({ "exp": null }), Err(TokenError::Malformed)),
        (json!([1]), Err(TokenError::Malformed)),
    ] {
        assert_eq!(check(&config, claims.clone()), expected, "{claims}");
    }
    for (claims, expected) in [
        (json!({ "exp": 2000, "iss": "us", "aud": "chat" }), Ok(2000)),
        (
            json!({ "exp": 2000, "iss": "us", "aud": ["x", "all"] }),
            Ok(2000),
        ),
        (
            json!({ "exp": 2000, "iss": "us" }),
            Err(TokenError::Audience),
        ),
        (
            json!({ "exp": 2000, "iss": "us", "aud": [] }),
            Err(TokenError::Audience),
        ),
        (
            json!({ "exp": 2000, "iss": "us", "aud": "cha" }),
            Err(TokenError::Audience),
        ),
        (
            json!({ "exp": 2000, "iss": "them", "aud": "chat" }),
            Err(TokenError::Issuer),
        ),
        (
            json!({ "exp": 2000, "aud": "chat" }),
            Err(TokenError::Issuer),
        ),
    ] {
        assert_eq!(check(&strict, claims.clone()), expected, "{claims}");
    }
}

#[test]
fn namespaces_are_named_or_begin_alike() {
    let metrics = Arc::default();
    let auth = |names: &[&str]| {
        let config = JwtConfig {
            namespaces: names.iter().map(ToString::to_string).collect(),
            secret: Secret::new("0123456789abcdef0123456789abcdef"),
            ..JwtConfig::default()
        };
        Auth::new(&config, &metrics).unwrap()
    };
    assert!(auth(&[]).is_none());
    let auth = |names| auth(names).unwrap();
    assert!(auth(&["*"]).is_required("/") && auth(&["*"]).is_required("/chat"));
    assert!(auth(&["/"]).is_required("/") && !auth(&["/"]).is_required("/chat"));
    let games = auth(&["/game-*", "/admin"]);
    assert!(games.is_required("/game-1") && games.is_required("/admin"));
    assert!(!games.is_required("/game") && !games.is_required("/administration"));
}

proptest! {
    #[test]
    fn no_token_and_no_claims_panic(token: String, payload: Vec<u8>) {
        let _ = secret().verify(&token);
        let _ = Claims::read(&payload, &JwtConfig::default(), Duration::ZERO);
        let _ = read_set(&payload);
    }
}
