//! How many files may be open: each connection is one.

use super::broken::PlanError;
use super::plan::Plan;
use super::wire::Transport;

/// Besides the connections: pollers and timers of the threads, what is printed to.
const OTHERS: u64 = 64;

/// Sees to it that enough files may be open. What was raised for it, if anything: the old limit and the new one.
///
/// # Errors
/// Only root may raise it so far.
pub(super) fn allow(plan: &Plan) -> Result<Option<(u64, u64)>, PlanError> {
    let each = match plan.transport {
        Transport::Websocket => 1,
        Transport::Polling => 2,
    };
    let n_clients = u64::try_from(plan.n_all()).unwrap_or(u64::MAX);
    let n_threads = u64::try_from(plan.n_threads).unwrap_or(u64::MAX);
    raise(n_clients * each + n_threads * 8 + OTHERS)
}

#[cfg(unix)]
fn raise(wanted: u64) -> Result<Option<(u64, u64)>, PlanError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::MAX);
    if wanted <= current {
        return Ok(None);
    }
    let limit = maximum.unwrap_or(u64::MAX);
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    if wanted > limit || setrlimit(Resource::Nofile, raised).is_err() {
        return Err(PlanError::Files { wanted, limit });
    }
    Ok(Some((current, wanted)))
}

#[cfg(not(unix))]
fn raise(_: u64) -> Result<Option<(u64, u64)>, PlanError> {
    Ok(None)
}
