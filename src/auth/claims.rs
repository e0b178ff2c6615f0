//! What a token says, and whether it is for us and for now.

use std::time::Duration;

use serde::Deserialize;

use super::TokenError;
use crate::config::JwtConfig;
use crate::protocol::socketio::Value;

/// The claims of a token that is good.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    /// All of them.
    pub(crate) all: Value,
    /// Since the Unix epoch.
    pub(crate) expires: Duration,
    pub(crate) subject: Option<String>,
}

/// Source: RFC 7519, section 4.1.
#[derive(Deserialize)]
struct Registered {
    exp: f64,
    nbf: Option<f64>,
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Claims {
    pub(super) fn read(
        payload: &[u8],
        config: &JwtConfig,
        now: Duration,
    ) -> Result<Self, TokenError> {
        let malformed = |_| TokenError::Malformed;
        let registered: Registered = serde_json::from_slice(payload).map_err(malformed)?;
        let all: Value = serde_json::from_slice(payload).map_err(malformed)?;
        let expires = since_epoch(registered.exp);
        if now >= expires.saturating_add(config.leeway) {
            return Err(TokenError::Expired);
        }
        let begins = registered.nbf.map(since_epoch);
        if begins.is_some_and(|begins| begins > now.saturating_add(config.leeway)) {
            return Err(TokenError::NotYetValid);
        }
        let is_listed = |list: &[String], value: &String| list.contains(value);
        let is_for_us = match &registered.aud {
            None => config.audience.is_empty(),
            Some(Audience::One(name)) => is_listed(&config.audience, name),
            Some(Audience::Several(names)) => {
                names.iter().any(|name| is_listed(&config.audience, name))
            }
        };
        if !is_for_us {
            return Err(TokenError::Audience);
        }
        let issuer = registered.iss.as_ref();
        if !config.issuer.is_empty() && !issuer.is_some_and(|name| is_listed(&config.issuer, name))
        {
            return Err(TokenError::Issuer);
        }
        Ok(Self {
            all,
            expires,
            subject: registered.sub,
        })
    }
}

/// What is before the epoch, or no number, is the epoch; what is too far away is as far as it goes.
fn since_epoch(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
