//! Connections that have not sent a request yet: how many there may be, and what becomes of one that sends none.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_http::Extensions;
use actix_rt::net::TcpStream;

use crate::carrier::direct;
use crate::metrics::Counter;
use crate::server::Server;

/// What one is told that is too many. Nothing waits for it: an empty send buffer takes it.
pub(super) const TOO_MANY: &str = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\n\
    Content-Length: 20\r\n\r\ntoo many connections";

/// The step of the clock by which the HTTP server measures: it may end a connection that much earlier.
const CLOCK: Duration = Duration::from_millis(500);

/// The connections of a listener.
#[derive(Clone)]
pub(super) struct Arrivals {
    /// Whose limit holds, and who counts.
    server: Server,
    n_silent: Arc<AtomicUsize>,
    patience: Duration,
}

impl Arrivals {
    /// `patience`: how long the head of a request may take.
    pub(super) fn new(server: Server, patience: Duration) -> Self {
        Self {
            server,
            n_silent: Arc::new(AtomicUsize::new(0)),
            patience,
        }
    }

    /// Notes a new connection in `data`, which lives as long as it does, or turns it away.
    pub(super) fn arrived(&self, stream: &TcpStream, data: &mut Extensions) {
        if let Some(silent) = self.admit(stream) {
            data.insert(silent);
        }
    }

    /// Counts a new connection as long as it is silent, or turns it away.
    pub(super) fn admit(&self, stream: &TcpStream) -> Option<Silent> {
        let limit = self.server.shared().limits().silent_connections;
        if self.n_silent.fetch_add(1, Ordering::Relaxed) >= limit {
            self.n_silent.fetch_sub(1, Ordering::Relaxed);
            let shared = self.server.shared();
            shared.refuse_connection("silent_connections", limit);
            // The HTTP server notices the end, and closes.
            direct::turn_away(stream, TOO_MANY.as_bytes());
            return None;
        }
        Some(Silent {
            arrivals: self.clone(),
            since: Instant::now(),
            is_silent: Cell::new(true),
        })
    }

    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }
}

/// A connection, for as long as it has sent no request.
pub(super) struct Silent {
    arrivals: Arrivals,
    since: Instant,
    is_silent: Cell<bool>,
}

impl Silent {
    /// It has sent a request; the first call of a connection counts.
    pub(super) fn has_spoken(&self) {
        if self.is_silent.replace(false) {
            self.arrivals.n_silent.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let patience = self.arrivals.patience;
        if self.is_silent.get() && self.since.elapsed() + CLOCK >= patience {
            self.arrivals
                .server
                .shared()
                .metrics
                .count(Counter::NoRequest);
            log::debug!("a connection is closed why=no request came limit={patience:?}");
        }
        self.has_spoken();
    }
}
