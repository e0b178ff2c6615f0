//! The same by hand: what `greenroom gc` does.

use std::time::Duration;

use redis::Value;

use super::answers::{Trouble, ask, command, texts};
use super::keys::Keys;
use super::reaper::{Reaped, Reaping};
use crate::redis::{Endpoint, Link};

/// For how long other nodes leave to us a node that we are at, from batch to batch.
const LOCK_MS: &str = "10000";

/// A node that has no lease any more, and what it has left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadNode {
    /// Its uid.
    pub uid: String,
    /// How many sockets it has left behind.
    pub n_sockets: usize,
    /// Whether nothing of it is left now. If it is not, another node is at it, or nothing was to be removed.
    pub is_removed: bool,
}

/// What [`gc`] has found and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcReport {
    /// How many nodes have a lease.
    pub n_alive: usize,
    /// Those that have none, sorted by uid.
    pub dead: Vec<DeadNode>,
}

/// Redis is not there, or refuses something.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct GcError(#[from] Trouble);

/// Removes what dead nodes have left behind below the prefix `key`, without waiting for a living node to do it.
///
/// Nobody else's keys are touched, nor is a socket that has come back at another node. With `dry_run` nothing is
/// removed, and the report says what would be. `timeout` is for connecting, and then for each answer.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use greenroom::{config::Config, gc};
///
/// let redis = Config::load()?.redis;
/// if let Some(endpoints) = redis.endpoints()? {
///     let report = gc(&endpoints.data, &redis.key, redis.connect_timeout, true).await?;
///     println!("{} nodes are dead", report.dead.len());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Redis is not there or refuses. Part of it may be done then.
pub async fn gc(
    endpoint: &Endpoint,
    key: &str,
    timeout: Duration,
    dry_run: bool,
) -> Result<GcReport, GcError> {
    let link = &endpoint.connect(timeout).await.map_err(Trouble::from)?;
    let keys = &Keys::new(key);
    let by = format!("gc-{}", crate::SocketId::generate());
    let nodes = ask(link, vec![command(&["SMEMBERS", &keys.nodes()])]).await?;
    let mut nodes = nodes.first().map(texts).unwrap_or_default();
    nodes.sort_unstable();
    let mut report = GcReport::default();
    for uid in &nodes {
        let (is_alive, n_sockets) = look(link, keys, uid).await?;
        if is_alive {
            report.n_alive += 1;
            continue;
        }
        let mut found = DeadNode {
            uid: uid.to_string(),
            n_sockets,
            is_removed: false,
        };
        if !dry_run {
            let reaping = Reaping {
                link,
                keys,
                uid,
                by: &by,
                // Nobody is here who could be told.
                watcher: None,
            };
            let end = reaping.node(LOCK_MS).await?;
            found.is_removed = matches!(end, Reaped::All(_));
        }
        report.dead.push(found);
    }
    Ok(report)
}

/// Whether a node has a lease, and how many entries.
async fn look(link: &Link, keys: &Keys, uid: &str) -> Result<(bool, usize), Trouble> {
    let questions = vec![
        command(&["EXISTS", &keys.lease(uid)]),
        command(&["SCARD", &keys.node(uid)]),
    ];
    match ask(link, questions).await?[..] {
        [Value::Int(is_alive), Value::Int(n_entries)] => {
            Ok((is_alive == 1, usize::try_from(n_entries).unwrap_or(0)))
        }
        // An answer that is no number is from no Redis; nothing is touched.
        _ => Ok((true, 0)),
    }
}
