//! Whom the sentinels call master.

use std::time::Duration;

use ::redis::{Client, Cmd, Value};
use futures_util::{StreamExt, stream::FuturesUnordered};

use crate::config::{RedisHost, RedisUrl};

use super::{Cause, Link, LinkError, dial, error::Redacted};

/// A master that said itself that it is one.
pub(super) struct Master {
    pub(super) link: Link,
    pub(super) client: Client,
    pub(super) redacted: Redacted,
}

/// Asks all sentinels at once; the first that names a server which calls itself master wins.
///
/// A sentinel that was cut off from the others may name a master that has been replaced, and for a moment during a
/// failover all of them do: hence `ROLE`.
///
/// **Source**: "Guidelines for Redis clients with support for Redis Sentinel" in the documentation of Redis.
pub(super) async fn master(
    url: &RedisUrl,
    sentinels: &[RedisHost],
    service: &str,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Master, LinkError> {
    // Less than the caller waits, so that the reason can still be told.
    let timeout_each = timeout.mul_f64(0.4);
    let mut asked: FuturesUnordered<_> = sentinels
        .iter()
        .map(|sentinel| async move {
            let there = redacted.at(&format!("sentinel {sentinel}"));
            let host = named_by(url, sentinel, service, timeout_each, &there).await?;
            let there = redacted.at(&format!("master {host}"));
            let client = dial::client(url, &host, timeout, &there)?;
            let dialed = dial::commands(&client, url.client_name(), timeout, &there);
            let link = match tokio::time::timeout(timeout_each, dialed).await {
                Ok(dialed) => dialed?,
                Err(_) => return Err(there.timeout(timeout_each)),
            };
            let mut role = Cmd::new();
            role.arg("ROLE");
            match link.pipeline(vec![role]).await?.pop() {
                Some(Ok(Value::Array(role))) if is_text(role.first(), b"master") => {}
                Some(Err(err)) => return Err(there.server(&err)),
                _ => {
                    return Err(there.error(Cause::NoMaster, "it does not call itself master"));
                }
            }
            Ok(Master {
                link,
                client,
                redacted: there,
            })
        })
        .collect();
    let mut worst: Option<LinkError> = None;
    while let Some(found) = asked.next().await {
        match found {
            Ok(master) => return Ok(master),
            // What an operator has to change says more than that somebody is away.
            Err(err) => {
                let is_worse = worst.as_ref().is_none_or(|worst| {
                    err.needs_operator() || worst.cause() == Cause::Unreachable
                });
                if is_worse {
                    worst = Some(err);
                }
            }
        }
    }
    Err(worst.unwrap_or_else(|| redacted.error(Cause::NoMaster, "")))
}

/// The master that one sentinel names.
async fn named_by(
    url: &RedisUrl,
    sentinel: &RedisHost,
    service: &str,
    timeout: Duration,
    redacted: &Redacted,
) -> Result<RedisHost, LinkError> {
    let client = dial::sentinel_client(url, sentinel, timeout, redacted)?;
    let asked = async {
        let link = dial::commands(&client, url.client_name(), timeout, redacted).await?;
        let mut command = Cmd::new();
        command
            .arg("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(service);
        link.pipeline(vec![command]).await
    };
    let mut answers = match tokio::time::timeout(timeout, asked).await {
        Ok(answers) => answers?,
        Err(_) => return Err(redacted.timeout(timeout)),
    };
    match answers.pop() {
        Some(Ok(Value::Array(address))) => address_of(&address).ok_or_else(|| {
            redacted.error(
                Cause::NoMaster,
                "it answered with something else than an address",
            )
        }),
        Some(Ok(Value::Nil)) => Err(redacted.error(
            Cause::NoMaster,
            &format!("it does not know the service `{service}`"),
        )),
        Some(Err(err)) => Err(redacted.server(&err)),
        _ => Err(redacted.error(Cause::NoMaster, "it is no sentinel")),
    }
}

fn address_of(address: &[Value]) -> Option<RedisHost> {
    let [Value::BulkString(name), Value::BulkString(port)] = address else {
        return None;
    };
    Some(RedisHost {
        name: std::str::from_utf8(name).ok()?.to_owned(),
        port: std::str::from_utf8(port).ok()?.parse().ok()?,
    })
}

fn is_text(value: Option<&Value>, text: &[u8]) -> bool {
    matches!(value, Some(Value::BulkString(found)) if found == text)
}
