//! Whether a load balancer should send clients here.

use std::sync::atomic::Ordering;

use crate::server::{Server, Shared};

/// Why clients should go to another node, in words for the operator. Nothing: they are welcome.
pub(super) fn reasons(servers: &[Server]) -> Vec<String> {
    let mut reasons = Vec::new();
    for server in servers {
        let found = of_one(server);
        // Which of several it is.
        let path = &server.config().server.path;
        reasons.extend(found.into_iter().map(|reason| match servers.len() {
            1 => reason,
            _ => format!("{path}: {reason}"),
        }));
    }
    reasons
}

fn of_one(server: &Server) -> Vec<String> {
    let shared: &Shared = server.shared();
    let mut reasons = Vec::new();
    if shared.is_ending.load(Ordering::Relaxed) {
        reasons.push("shutting down".to_owned());
    }
    reasons.extend(server.trouble());
    let limits = shared.limits();
    for (name, n, limit) in [
        ("connections", server.n_sessions(), limits.connections),
        ("half_open", shared.n_half_open(), limits.half_open),
    ] {
        if n >= limit {
            reasons.push(format!("limits.{name} is met: {n} of {limit}"));
        }
    }
    reasons
}
