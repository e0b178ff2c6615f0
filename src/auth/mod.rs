//! # Auth
//!
//! Tokens: whose they are, whether they are good, and until when. It knows keys and claims, not sockets.

mod claims;
mod jwks;
mod keys;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use thiserror::Error;

pub(crate) use claims::Claims;
use jwks::Source;
pub(crate) use keys::Key;
use keys::Keys;

use crate::clock::now;
use crate::config::{ConfigError, JwtConfig};
use crate::metrics::{Counter, Metrics};

/// No token is longer.
const LONGEST_TOKEN: usize = 16 * 1024;

/// Why a token is refused. The text is what the client reads.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum TokenError {
    #[error("a token is required")]
    Missing,
    #[error("the token is malformed")]
    Malformed,
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    #[error("the signature of the token is wrong")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token is for somebody else")]
    Audience,
    #[error("the token is from somebody else")]
    Issuer,
    #[error("the token is that of another user")]
    Subject,
    #[error("tokens cannot be checked now")]
    NoKeys,
}

impl TokenError {
    /// What the client's code compares.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Missing => "token_required",
            Self::Malformed => "token_malformed",
            Self::UnknownKey => "token_key_unknown",
            Self::Signature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Audience => "token_audience",
            Self::Issuer => "token_issuer",
            Self::Subject => "token_subject",
            Self::NoKeys => "token_keys_unavailable",
        }
    }
}

/// Checks tokens.
#[derive(Debug)]
pub(crate) struct Auth {
    config: ArcSwap<JwtConfig>,
    keys: Arc<Keys>,
    /// Where the keys come from, if they change.
    source: Option<Source>,
    metrics: Arc<Metrics>,
}

impl Auth {
    /// By settings that are validated; `None` if no namespace requires a token.
    ///
    /// # Errors
    /// A file with keys cannot be read or used.
    pub(crate) fn new(
        config: &JwtConfig,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<Self>, ConfigError> {
        if config.namespaces.is_empty() {
            return Ok(None);
        }
        let keys = Arc::new(Keys::default());
        let source = match own_key(config)? {
            Some(key) => {
                keys.replace(vec![key]);
                None
            }
            None => Some(Source::open(config, &keys, metrics)?),
        };
        Ok(Some(Self {
            config: ArcSwap::from_pointee(config.clone()),
            keys,
            source,
            metrics: Arc::clone(metrics),
        }))
    }

    /// The settings as they are now; to be looked up, not to be kept.
    pub(crate) fn config(&self) -> Guard<Arc<JwtConfig>> {
        self.config.load()
    }

    /// Takes over what tokens have to say, and for how long they are good. Of settings in which no namespace requires a
    /// token it takes nothing: they are no reason to be less strict.
    pub(crate) fn replace_rules(&self, config: &JwtConfig) {
        if config.namespaces.is_empty() {
            return;
        }
        let before = self.config();
        self.config.store(Arc::new(JwtConfig {
            audience: config.audience.clone(),
            issuer: config.issuer.clone(),
            leeway: config.leeway,
            grace: config.grace,
            ..JwtConfig::clone(&before)
        }));
    }

    /// The key that settings give now; `None` if it was none at the start, or is none now: a JWK set is read again by itself.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub(crate) fn read_key(&self, config: &JwtConfig) -> Result<Option<Key>, ConfigError> {
        if self.source.is_some() {
            return Ok(None);
        }
        own_key(config)
    }

    /// Tokens are checked with this key from now on.
    pub(crate) fn replace_key(&self, key: Key) {
        self.keys.replace(vec![key]);
    }

    /// Whether this namespace lets in only who has a token.
    pub(crate) fn is_required(&self, namespace: &str) -> bool {
        let is_meant = |name: &String| match name.strip_suffix('*') {
            Some(beginning) => namespace.starts_with(beginning),
            None => namespace == name,
        };
        self.config().namespaces.iter().any(is_meant)
    }

    /// What a token claims, if it is good. Waits for the keys if they may have changed.
    ///
    /// # Errors
    /// Why it is not; counted.
    pub(crate) async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let first = self.verify_now(token, now());
        let result = match (first, &self.source) {
            (Err(TokenError::UnknownKey | TokenError::NoKeys), Some(source)) => {
                source.refreshed().await;
                self.verify_now(token, now())
            }
            (first, _) => first,
        };
        result.inspect_err(|err| {
            self.metrics.count(Counter::TokenRefused);
            log::debug!("a token is refused why={}", err.code());
        })
    }

    fn verify_now(&self, token: &str, now: Duration) -> Result<Claims, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Malformed);
        }
        let payload = self.keys.verify(token)?;
        Claims::read(&payload, &self.config(), now)
    }
}

/// The key, unless it is in a JWK set.
fn own_key(config: &JwtConfig) -> Result<Option<Key>, ConfigError> {
    if !config.secret.is_empty() {
        return Ok(Some(Key::of_secret(config.secret.expose().as_bytes())));
    }
    if !config.public_key.as_os_str().is_empty() {
        return keys::read_pem(&config.public_key).map(Some);
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
