//! Namespaces whose events a program elsewhere answers, over HTTP: no handler has to be written in Rust.
//!
//! The program is told what happens by a POST, and says what is to be done in its answer. `docs/backends.md` is the guide
//! for those who write one.
//!
//! ```no_run
//! use greenroom::backend;
//! use greenroom::prelude::*;
//!
//! # fn main() -> Result<(), greenroom::Error> {
//! let config = Config::load()?;
//! let mut builder = Server::builder().config(config.clone());
//! for settings in &config.backends {
//!     builder = builder.namespace(&settings.namespace, backend::handlers(settings, &config)?);
//! }
//! builder.run()
//! # }
//! ```
//!
//! # Order
//!
//! What one socket does reaches the backend one after the other: an event is sent when the one before it has been
//! answered. Sockets do not wait for each other, except for one of the [`concurrency`](BackendConfig::concurrency) calls
//! that are made at once. 16 events of a socket wait at most; then nothing more is read from its client.
//!
//! # Failures
//!
//! A call is made once. If the backend is slow, away, fails or answers nonsense, the event's ack is refused, or the client
//! with a `connect_error` that has a message and `data.code`; a line in the log says why, and one of these
//! [counters](crate::Server::counters) rises: `backend_timeout`, `backend_busy` (no turn in time), `backend_unreachable`,
//! `backend_status`, `backend_too_large`, `backend_garbage`.

mod answer;
mod call;
mod link;
mod relay;

use std::sync::Arc;

pub use relay::Relay;

use crate::config::{BackendConfig, Config};
use crate::error::Error;
use crate::namespace::{Handlers, per_worker};
use link::Link;

/// The handlers of a namespace that has a backend.
///
/// # Errors
/// The backend is at an `https://` address, and the certificates of the system cannot be read.
pub fn handlers(settings: &BackendConfig, config: &Config) -> Result<Handlers<Relay>, Error> {
    let link = Arc::new(Link::new(settings, config)?);
    let handlers = per_worker(move || Relay::new(Arc::clone(&link)))
        .on_connect()
        .on_event();
    Ok(match settings.disconnect {
        true => handlers.on_disconnecting(),
        false => handlers,
    })
}
