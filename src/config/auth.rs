//! `[auth]`: what clients have to show.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::security::texts;
use super::values;
use super::webhooks::Secret;

/// `[auth]`: what clients have to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AuthConfig {
    /// `[auth.jwt]`: namespaces that let in only who has a token.
    pub jwt: JwtConfig,
}

/// `[auth.jwt]`: namespaces that let in only who has a token (RFC 7519), signed with HS256, RS256, ES256 or EdDSA.
///
/// Exactly one of [`secret`](Self::secret), [`public_key`](Self::public_key) and [`jwks`](Self::jwks) is given. The key says
/// which algorithm a token has; what the token says of it has to agree.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct JwtConfig {
    /// Namespaces that require a token; `"/game-*"` those that begin like that, `"*"` all.
    ///
    /// Default empty: none, and the rest of the section has no effect.
    #[serde(deserialize_with = "names")]
    pub namespaces: Vec<String>,
    /// Member of the auth payload that has the token. Clients of revision 3 have it in the query.
    ///
    /// Default `"token"`.
    pub token: String,
    /// Secret that HS256 tokens are signed with, at least 32 bytes.
    ///
    /// Default empty: none.
    pub secret: Secret,
    /// File with one public key in PEM form: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA).
    ///
    /// Default empty: none.
    pub public_key: PathBuf,
    /// File or URL with public keys as a JWK set (RFC 7517).
    ///
    /// Default empty: none. At a URL the keys may be away: the last good ones are kept.
    pub jwks: String,
    /// After which time the JWK set is read again.
    ///
    /// Default `"15m"`, range 1 second to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub jwks_refresh: Duration,
    /// How long the JWK set is not read again for the sake of a token with an unknown key, or after a failure.
    ///
    /// Default `"30s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub jwks_cooldown: Duration,
    /// Values of `aud` of which a token has to have one.
    ///
    /// Default empty: tokens must not have an `aud`, since it names somebody else.
    #[serde(deserialize_with = "names")]
    pub audience: Vec<String>,
    /// Values of `iss` of which a token has to have one.
    ///
    /// Default empty: any, and none.
    #[serde(deserialize_with = "names")]
    pub issuer: Vec<String>,
    /// By how much the clocks of who signs and who checks may differ.
    ///
    /// Default `"30s"`, at most 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub leeway: Duration,
    /// How long a socket may stay, beyond the leeway, after its token has expired.
    ///
    /// Default `"30s"`, at most 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub grace: Duration,
    /// Event by which a client is asked for a fresh token, when the old one expires, and by which it sends one.
    ///
    /// Default `"auth:refresh"`. Handlers do not get it.
    pub refresh_event: String,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            namespaces: Vec::new(),
            token: "token".to_owned(),
            secret: Secret::default(),
            public_key: PathBuf::new(),
            jwks: String::new(),
            jwks_refresh: Duration::from_secs(15 * 60),
            jwks_cooldown: Duration::from_secs(30),
            audience: Vec::new(),
            issuer: Vec::new(),
            leeway: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            refresh_event: "auth:refresh".to_owned(),
        }
    }
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    texts(deserializer, "a text or a list of texts")
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn wrong(lines: &str) -> String {
        Config::from_toml(&format!("[auth.jwt]\n{lines}"))
            .expect_err(lines)
            .to_string()
    }

    #[test]
    fn a_secret_is_in_no_text() {
        let secret = "0123456789abcdef0123456789abcdef";
        let file = format!("[auth.jwt]\nnamespaces = \"/\"\nsecret = \"{secret}\"");
        let config = Config::from_toml(&file).unwrap();
        assert_eq!(config.auth.jwt.secret.expose(), secret);
        assert!(!format!("{config:?}").contains(secret));
        let short = wrong("namespaces = \"/\"\nsecret = \"s3cret\"");
        assert!(short.contains("auth.jwt.secret has 6 bytes"), "{short}");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (lines, why) in [
            ("namespaces = \"/\"", "auth.jwt.namespaces needs a key"),
            (
                "namespaces = \"/\"\njwks = \"a\"\npublic_key = \"b\"",
                "auth.jwt has several",
            ),
            (
                "namespaces = \"chat\"\njwks = \"a\"",
                "auth.jwt.namespaces has `chat`",
            ),
            (
                "namespaces = \"/a*b\"\njwks = \"a\"",
                "auth.jwt.namespaces has `/a*b`",
            ),
            ("namespaces = [1]", "invalid type"),
            ("token = \"\"", "auth.jwt.token"),
            ("refresh_event = \"disconnect\"", "auth.jwt.refresh_event"),
            ("jwks_refresh = \"1ms\"", "auth.jwt.jwks_refresh"),
            ("grace = \"25h\"", "auth.jwt.grace"),
        ] {
            let err = wrong(lines);
            assert!(err.contains(why), "{err}");
        }
    }
}
