//! What a connection is made from, and which of them the settings give.

use std::{fmt, time::Duration};

use ::redis::aio::PubSub;

use crate::config::{ConfigError, RedisConfig, RedisUrl};

use super::{Link, LinkError, cluster, dial, error::Redacted, sentinel};
use crate::config::RedisTopology as Topology;

/// What a connection to Redis is made from: an address, or a client that the embedding program made.
///
/// A client knows one server; it brings its own credentials, TLS and protocol.
#[derive(Clone)]
#[non_exhaustive]
pub enum Endpoint {
    /// An address.
    Url(RedisUrl),
    /// A client of the crate `redis`.
    Client(::redis::Client),
}

impl From<RedisUrl> for Endpoint {
    fn from(url: RedisUrl) -> Self {
        Self::Url(url)
    }
}

impl From<::redis::Client> for Endpoint {
    fn from(client: ::redis::Client) -> Self {
        Self::Client(client)
    }
}

/// The address; never a password.
impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(out),
            Self::Client(client) => client.get_connection_info().addr().fmt(out),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Endpoint({self})")
    }
}

/// The three connections of a node, each with an owner of its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Endpoints {
    /// Where messages to other nodes are published.
    pub publish: Endpoint,
    /// Where messages of other nodes are heard.
    pub subscribe: Endpoint,
    /// Where the membership of rooms is kept.
    pub data: Endpoint,
}

impl Endpoints {
    /// The same for all three.
    pub fn all(endpoint: impl Into<Endpoint>) -> Self {
        let endpoint = endpoint.into();
        Self {
            publish: endpoint.clone(),
            subscribe: endpoint.clone(),
            data: endpoint,
        }
    }
}

impl RedisConfig {
    /// What the connections of a node are made from; `None` when no Redis is configured.
    ///
    /// # Errors
    ///
    /// When an address is wrong, or when there are some that contradict each other.
    pub fn endpoints(&self) -> Result<Option<Endpoints>, ConfigError> {
        Ok(self.urls()?.map(|urls| Endpoints {
            publish: urls.publish.into(),
            subscribe: urls.subscribe.into(),
            data: urls.data.into(),
        }))
    }
}

impl Endpoint {
    /// Dials for commands. `timeout` is for the dial as a whole, and later for each answer.
    pub(crate) async fn connect(&self, timeout: Duration) -> Result<Link, LinkError> {
        let redacted = self.redacted();
        within(timeout, &redacted, async {
            match self {
                Self::Client(client) => {
                    dial::commands(client, "greenroom", timeout, &redacted).await
                }
                Self::Url(url) => match url.topology() {
                    Topology::Single(host) => {
                        let client = dial::client(url, host, timeout, &redacted)?;
                        dial::commands(&client, url.client_name(), timeout, &redacted).await
                    }
                    Topology::Unix(path) => {
                        let client = dial::unix_client(url, path, timeout, &redacted)?;
                        dial::commands(&client, url.client_name(), timeout, &redacted).await
                    }
                    Topology::Sentinel { sentinels, service } => {
                        let found =
                            sentinel::master(url, sentinels, service, timeout, &redacted).await?;
                        Ok(found.link)
                    }
                    Topology::Cluster(hosts) => {
                        cluster::connect(url, hosts, timeout, &redacted).await
                    }
                },
            }
        })
        .await
    }

    /// Dials for subscriptions. `timeout` is for the dial as a whole; the requests on the connection have none.
    pub(crate) async fn pubsub(&self, timeout: Duration) -> Result<PubSub, LinkError> {
        let redacted = self.redacted();
        within(timeout, &redacted, async {
            match self {
                Self::Client(client) => dial::pubsub(client, timeout, &redacted).await,
                Self::Url(url) => match url.topology() {
                    Topology::Single(host) => {
                        let client = dial::client(url, host, timeout, &redacted)?;
                        dial::pubsub(&client, timeout, &redacted).await
                    }
                    Topology::Unix(path) => {
                        let client = dial::unix_client(url, path, timeout, &redacted)?;
                        dial::pubsub(&client, timeout, &redacted).await
                    }
                    Topology::Sentinel { sentinels, service } => {
                        let found =
                            sentinel::master(url, sentinels, service, timeout, &redacted).await?;
                        dial::pubsub(&found.client, timeout, &found.redacted).await
                    }
                    Topology::Cluster(hosts) => {
                        cluster::pubsub(url, hosts, timeout, &redacted).await
                    }
                },
            }
        })
        .await
    }

    /// What the server has said to a request on a connection of [`Endpoint::pubsub`].
    pub(crate) fn refused(&self, err: &::redis::RedisError, timeout: Duration) -> LinkError {
        self.redacted().of(err, timeout)
    }

    /// It has said nothing.
    pub(crate) fn silent(&self, timeout: Duration) -> LinkError {
        self.redacted().timeout(timeout)
    }

    fn redacted(&self) -> Redacted {
        let (password, sentinel_password) = match self {
            Self::Url(url) => (
                url.credentials().map(|known| known.password.clone()),
                url.sentinel_credentials()
                    .map(|known| known.password.clone()),
            ),
            Self::Client(client) => {
                let redis = client.get_connection_info().redis_settings();
                (redis.password().map(str::to_owned), None)
            }
        };
        let secrets = password.into_iter().chain(sentinel_password);
        Redacted::new(&self.to_string(), secrets)
    }
}

async fn within<T>(
    timeout: Duration,
    redacted: &Redacted,
    work: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(redacted.timeout(timeout)),
    }
}
