//! The HTTP API for backends, and requests that are wrong: each is answered with its problem, and has no effect.

mod requests;
mod values;

use greenroom::config::{ApiKey, Config};

use crate::support::Hearing;
use crate::support::api::{Backend, key};
use crate::support::tcp::{Listening, listening};

async fn served(change: impl FnOnce(&mut Config)) -> (Listening, Hearing, Backend) {
    let mut config = Config::default();
    config.api.keys = vec![ApiKey::new(key())];
    change(&mut config);
    let (listening, hearing) = listening(config).await;
    let backend = Backend(listening.address);
    (listening, hearing, backend)
}
