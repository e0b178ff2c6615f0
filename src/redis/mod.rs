//! Connections to Redis: where to, how they are made, what they can do, what goes wrong.
//!
//! [`RedisUrl`] says where; `Endpoint::connect` dials for commands, `Endpoint::pubsub` for subscriptions and
//! `Endpoint::shared` for both on one connection. `Link` is a connection for commands, `PubSub` one for subscriptions.
//! Nothing here dials again by itself: the owner of a connection does, with `Backoff`, because only the owner knows
//! what has to be said anew on a fresh one.
//!
//! | topology | commands | subscriptions |
//! |---|---|---|
//! | one server, TCP, TLS or unix socket | one connection | one connection |
//! | Sentinel | to the master that the sentinels name, asked at each dial, and that says so itself | the same |
//! | Cluster | commands with a key to the master of its slot, others (PUBLISH) to one master for all | one master |
//!
//! With RESP3 (Redis 6) a connection with subscriptions takes commands too. Publishing and hearing on the same one saves
//! Redis a write and us a wake-up for each message that we publish, since the answer and our own message, which comes back
//! to us, leave together. What ends it, a limit of Redis on who reads too slowly (`client-output-buffer-limit pubsub`), ends
//! both for a moment. A server that does not speak it, and a Cluster, get a connection for each.
//!
//! A broken connection is noticed in three ways: an answer that does not come within the timeout, unacknowledged data
//! (`TCP_USER_TIMEOUT`), and keepalive probes on a connection where nothing is said.

mod backoff;
mod cluster;
mod dial;
mod endpoint;
mod error;
mod link;
mod pubsub;
mod sentinel;

#[cfg(test)]
mod tests;

pub use crate::config::RedisUrl;
pub use endpoint::{Endpoint, Endpoints};
pub use error::LinkError;

pub(crate) use backoff::Backoff;
pub(crate) use error::Cause;
pub(crate) use link::Link;
pub(crate) use pubsub::{PubSub, Sink};
#[cfg(test)]
pub(crate) use tests::servers;
