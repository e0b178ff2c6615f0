//! Settings that change while the server runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::Server;
use crate::config::{Config, ConfigError, Limits, Settings};
use crate::http::cors::CorsNow;
use crate::http::origin::AllowedOrigins;
use crate::hub::Command;
use crate::rates::RatesNow;

/// What [`Server::reload`] carries out, with `log.filter`, which belongs to the program: sections, and keys.
const LIVE: &[&str] = &[
    "api.keys",
    "auth.jwt.audience",
    "auth.jwt.grace",
    "auth.jwt.issuer",
    "auth.jwt.leeway",
    "auth.jwt.public_key",
    "auth.jwt.secret",
    "cors",
    "limits",
    "log.filter",
    "rates",
    "security.allowed_origins",
];

/// What it does not, of these sections: it was given to others at the start.
const FIXED: &[&str] = &["limits.handler_queue", "limits.time_to_complete_head"];

/// The settings that can change, as they are now.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) limits: ArcSwap<Limits>,
    pub(super) cors: CorsNow,
    pub(super) origins: ArcSwap<AllowedOrigins>,
    pub(super) rates: ArcSwap<RatesNow>,
}

impl Live {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            limits: ArcSwap::from_pointee(config.limits.clone()),
            cors: CorsNow::new(&config.cors),
            origins: ArcSwap::from_pointee(AllowedOrigins::new(config)),
            rates: ArcSwap::from_pointee(RatesNow::new(&config.rates)),
        }
    }
}

/// Where the configuration is from.
pub(crate) struct Reload {
    /// What is in effect.
    last: Mutex<Settings>,
    changed: Box<dyn Fn(&Config) + Send + Sync>,
}

impl Reload {
    pub(super) fn new(settings: Settings, changed: Box<dyn Fn(&Config) + Send + Sync>) -> Self {
        Self {
            last: Mutex::new(settings),
            changed,
        }
    }
}

impl Server {
    /// Takes over what can change while a server runs: `[cors]`, `security.allowed_origins`, the keys of `[api]` (which is
    /// there at all if it had one at the start), of `[auth.jwt]` `secret` or `public_key` (of that it had at the start),
    /// `audience`, `issuer`, `leeway` and `grace`, `[rates]`, and `[limits]` without `handler_queue` and
    /// `time_to_complete_head`. The files of `[tls]` are read again. The rest of `config` is not looked at.
    ///
    /// Nobody is ended by a lower limit: who is above it stays, and can have no more. Of the limits only `message_fragments` is
    /// that under which a connection began; the rates are those under which a session did.
    ///
    /// # Errors
    /// Something in it is wrong; then nothing has changed.
    pub fn reload(&self, config: Config) -> Result<(), ConfigError> {
        let config = config.validated()?;
        // What is in files may be wrong: first, before anything has changed.
        let certificate = match &self.0.certificates {
            Some(certificates) => Some((certificates, certificates.read()?)),
            None => None,
        };
        let token_key = match &self.0.auth {
            Some(auth) => auth.read_key(&config.auth.jwt)?.map(|key| (auth, key)),
            None => None,
        };
        if let Some((certificates, certificate)) = certificate {
            certificates.replace(certificate);
        }
        if let Some((auth, key)) = token_key {
            auth.replace_key(key);
        }
        if let Some(auth) = &self.0.auth {
            auth.replace_rules(&config.auth.jwt);
        }
        let live = &self.0.live;
        live.cors.set(&config.cors);
        let origins = AllowedOrigins::new(&config);
        origins.warn();
        live.origins.store(Arc::new(origins));
        if !live.rates.load().is_of(&config.rates) {
            live.rates.store(Arc::new(RatesNow::new(&config.rates)));
        }
        self.set_api_keys(config.api.keys);
        let outbox_bytes = config.limits.outbox_bytes;
        live.limits.store(Arc::new(config.limits));
        self.0.to_all_hubs(|| Command::OutboxLimit(outbox_bytes));
        Ok(())
    }

    /// Whether there is a source to read again.
    pub(crate) fn has_source(&self) -> bool {
        self.0.reload.is_some()
    }

    /// Reads the source again, if there is one, and says in one line what came of it.
    pub(crate) fn reread(&self) {
        let Some(reload) = &self.0.reload else { return };
        let mut last = reload.last.lock();
        let done = last.read_again().and_then(|settings| {
            self.reload(settings.config.clone())?;
            Ok(settings)
        });
        let settings = match done {
            Ok(settings) => settings,
            Err(err) => {
                // The parser shows the place in several lines.
                let why = err.to_string().replace('\n', " ");
                return log::error!(
                    "the configuration stays as it was, the new one is wrong: {why}"
                );
            }
        };
        (reload.changed)(&settings.config);
        let changes = settings.changes(&last);
        // What takes no effect is told every time, until the server is started anew or it is taken back.
        let (live, fixed): (Vec<_>, Vec<_>) = changes.into_iter().partition(|key| is_live(key));
        log::info!(
            "the configuration was read again changed={} wait_for_a_restart={}",
            listed(&live),
            listed(&fixed)
        );
        last.adopt(&settings, is_live);
    }
}

fn is_live(key: &str) -> bool {
    let section = key.split_once('.').map_or(key, |(section, _)| section);
    (LIVE.contains(&section) || LIVE.contains(&key)) && !FIXED.contains(&key)
}

fn listed(keys: &[String]) -> String {
    match keys {
        [] => "nothing".to_owned(),
        keys => keys.join(","),
    }
}
