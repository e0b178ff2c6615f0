//! Whether Redis can do what the store needs.

use std::time::Duration;

use super::answers::{Trouble, ask, command};
use super::keys::Keys;
use crate::redis::Endpoint;

/// Redis is not there, or refuses something.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct CheckError(#[from] Trouble);

/// Runs each kind of command of the store once, with keys of a node `uid` that does not exist, and removes them.
/// `is_watched`: somebody is told which rooms are in use.
///
/// # Errors
/// The first that does not work.
pub(crate) async fn check_data(
    endpoint: &Endpoint,
    key: &str,
    uid: &str,
    is_watched: bool,
    timeout: Duration,
) -> Result<(), CheckError> {
    let link = endpoint.connect(timeout).await.map_err(Trouble::from)?;
    let keys = Keys::new(key);
    let (lease, node) = (keys.lease(uid), keys.node(uid));
    // It would be reaped by others when its lease is over, were we to end in between.
    let commands: [&[&str]; 14] = [
        &["SET", &lease, "check", "PX", "10000"],
        &["PEXPIRE", &lease, "10000"],
        &["GET", &lease],
        &["EXISTS", &lease],
        &["SADD", &node, "#check"],
        &["SISMEMBER", &node, "#check"],
        &["SMEMBERS", &node],
        &["SCARD", &node],
        &["SSCAN", &node, "0"],
        &["EVAL", "return redis.call('SCARD', KEYS[1])", "1", &node],
        &["SREM", &node, "#check"],
        &["SMEMBERS", &keys.nodes()],
        &["DEL", &lease],
        &["DEL", &node],
    ];
    let mut commands: Vec<_> = commands.iter().map(|words| command(words)).collect();
    if is_watched {
        // Those who are told of a room are told when.
        commands.push(command(&["TIME"]));
    }
    ask(&link, commands).await?;
    Ok(())
}
