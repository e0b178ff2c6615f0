//! Requests to programs elsewhere: signed, bounded, over kept connections; what they answer, and why they do not.

mod client;
mod lanes;
mod outage;
mod signature;

use crate::config::Config;

pub(crate) use client::{Endpoint, OutboundError, Request};
pub(crate) use lanes::Lanes;
pub(crate) use outage::Outage;

/// By which name receivers know this server.
pub(crate) fn node_name(config: &Config) -> String {
    match config.redis.node.as_str() {
        "" => format!(
            "{}:{}",
            gethostname::gethostname().display(),
            config.server.port
        ),
        name => name.to_owned(),
    }
}

/// A new id: 128 random bits in hexadecimal.
///
/// # Panics
/// If the operating system gives no random bytes.
pub(crate) fn new_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    signature::hex(&bytes)
}
