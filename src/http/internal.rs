//! The listener for those who watch: metrics, health, readiness, on an address of its own.

use std::time::Duration;

use actix_server::ServerHandle;
use actix_web::{App, HttpServer};

use super::monitor::Watch;
use crate::config::ServerConfig;
use crate::error::Error;

/// A scraper, a kubelet and some curious people: more is a mistake, and each costs a file.
const MAX_CONNECTIONS: usize = 256;

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Listens on the internal address, if there is one, on a thread of its own. From then on `watch` says that clients
/// cannot connect, until it is told otherwise.
///
/// # Errors
/// The address cannot be listened on.
pub(super) fn listen(config: &ServerConfig, watch: &Watch) -> Result<Option<ServerHandle>, Error> {
    let Some(port) = config.internal_port else {
        return Ok(None);
    };
    watch.set_listening(false);
    let address = format!("{}:{port}", config.internal_host);
    let watch = watch.clone();
    let server = HttpServer::new(move || App::new().configure(watch.routes()))
        .workers(1)
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .disable_signals()
        .shutdown_timeout(1)
        .bind(&address)
        .map_err(|source| Error::Listen { address, source })?;
    for address in server.addrs() {
        log::info!("metrics and health are answered at http://{address}");
    }
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    Ok(Some(handle))
}
