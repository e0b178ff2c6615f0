//! Keys that change: a JWK set in a file or at a URL, read again and again in a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::keys::{Keys, read_set};
use crate::config::{ConfigError, JwtConfig, Secret};
use crate::metrics::{Counter, Metrics};
use crate::outbound::Endpoint;

const KEY: &str = "auth.jwt.jwks";
/// No set is larger.
const LARGEST_SET: usize = 256 * 1024;
/// How long a request may take, and how long a client waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Url(Endpoint),
}

/// Asks for the keys to be read again. When it is dropped, they are not read any more.
#[derive(Debug)]
pub(super) struct Source {
    wanted: mpsc::Sender<()>,
    /// How often they have been read, or have not been there.
    n_read: watch::Receiver<u64>,
}

impl Source {
    /// Reads keys into `keys`: those of a file before it returns, those of a URL as soon as they are there.
    pub(super) fn open(
        config: &JwtConfig,
        keys: &Arc<Keys>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ConfigError> {
        let wrong = |problem: String| ConfigError::Value { key: KEY, problem };
        let is_url = config.jwks.contains("://");
        let place = if is_url {
            if config.jwks.starts_with("http:") {
                log::warn!(
                    "the keys of tokens come over http: who can change them on their way lets anybody in"
                );
            }
            let endpoint =
                Endpoint::new(&config.jwks, Secret::default(), "", PATIENCE, LARGEST_SET);
            Place::Url(endpoint.map_err(|err| wrong(format!("cannot be fetched: {err}")))?)
        } else {
            let path = PathBuf::from(&config.jwks);
            let json = std::fs::read(&path).map_err(|source| ConfigError::Read {
                path: path.clone(),
                source,
            })?;
            let name = path.display();
            keys.replace(read_set(&json).map_err(|why| wrong(format!("is {name}: {why}")))?);
            Place::File(path)
        };
        let (wanted, is_wanted) = mpsc::channel(1);
        let (read, n_read) = watch::channel(0);
        let reader = Reader {
            place,
            keys: Arc::clone(keys),
            metrics: Arc::clone(metrics),
            refresh: config.jwks_refresh,
            cooldown: config.jwks_cooldown,
            is_wanted,
            read,
        };
        // By itself: programs that mount the server have their own runtimes, and none while it is built.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|err| wrong(format!("cannot be read again: {err}")))?;
        std::thread::Builder::new()
            .name("jwks".to_owned())
            .spawn(move || runtime.block_on(reader.run(is_url)))
            .map_err(|err| wrong(format!("cannot be read again: {err}")))?;
        Ok(Self { wanted, n_read })
    }

    /// Waits until the keys have been read anew, if it is not too early for that.
    pub(super) async fn refreshed(&self) {
        let mut n_read = self.n_read.clone();
        n_read.mark_unchanged();
        // If somebody has asked already, that is enough.
        let _ = self.wanted.try_send(());
        let _ = tokio::time::timeout(PATIENCE, n_read.changed()).await;
    }
}

struct Reader {
    place: Place,
    keys: Arc<Keys>,
    metrics: Arc<Metrics>,
    refresh: Duration,
    cooldown: Duration,
    is_wanted: mpsc::Receiver<()>,
    read: watch::Sender<u64>,
}

impl Reader {
    async fn run(mut self, mut is_due: bool) {
        let (mut is_well, mut last) = (true, Instant::now());
        loop {
            if is_due {
                is_well = self.read(is_well).await;
                last = Instant::now();
            }
            // Those who ask too early are told at once that nothing has changed.
            self.read.send_modify(|n| *n = n.wrapping_add(1));
            let pause = if is_well {
                self.refresh
            } else {
                self.cooldown.min(self.refresh)
            };
            is_due = tokio::select! {
                () = tokio::time::sleep_until((last + pause).into()) => true,
                wanted = self.is_wanted.recv() => match wanted {
                    Some(()) => last.elapsed() >= self.cooldown,
                    None => return,
                },
            };
        }
    }

    /// Whether the keys are there; if not, those of before stay.
    async fn read(&self, was_well: bool) -> bool {
        let read = self.place.read().await;
        let read = read.and_then(|json| read_set(&json));
        match read {
            Ok(keys) => {
                if !was_well {
                    log::info!("the keys of tokens are there again keys={}", keys.len());
                }
                self.keys.replace(keys);
                true
            }
            Err(why) => {
                self.metrics.count(Counter::JwksFailed);
                if was_well {
                    log::warn!("the keys of tokens cannot be read, the last ones stay why={why}");
                }
                false
            }
        }
    }
}

impl Place {
    async fn read(&self) -> Result<Bytes, String> {
        match self {
            Self::File(path) => std::fs::read(path)
                .map(Bytes::from)
                .map_err(|err| err.to_string()),
            Self::Url(endpoint) => endpoint.get().await.map_err(|err| err.to_string()),
        }
    }
}
