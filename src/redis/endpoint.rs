//! What a connection is made from, and which of them the settings give.

use std::{fmt, time::Duration};

use ::redis::{Client, ConnectionInfo};

use crate::config::{ConfigError, RedisConfig, RedisHost, RedisUrl, RespVersion};

use super::{Link, LinkError, cluster, dial, error::Redacted, pubsub::PubSub, sentinel};
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
    Client(Client),
}

impl From<RedisUrl> for Endpoint {
    fn from(url: RedisUrl) -> Self {
        Self::Url(url)
    }
}

impl From<Client> for Endpoint {
    fn from(client: Client) -> Self {
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

/// Where a node connects to, by what for; each has an owner of its own.
///
/// What is published and what is heard share a connection if both go to the same server and it speaks RESP3.
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

    /// Whether what is published and what is heard can share a connection.
    pub(crate) fn are_shared(&self) -> bool {
        match (&self.publish, &self.subscribe) {
            (Endpoint::Url(publish), Endpoint::Url(subscribe)) => publish == subscribe,
            (Endpoint::Client(publish), Endpoint::Client(subscribe)) => {
                let [publish, subscribe] = [publish, subscribe].map(Client::get_connection_info);
                let [one, other] = [publish, subscribe].map(ConnectionInfo::redis_settings);
                publish.addr() == subscribe.addr()
                    && one.username() == other.username()
                    && one.password() == other.password()
            }
            _ => false,
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
            let only = match self.server(timeout, &redacted).await? {
                Ok((client, redacted)) => dial::pubsub(&client, timeout, &redacted).await?,
                Err((url, hosts)) => cluster::pubsub(url, hosts, timeout, &redacted).await?,
            };
            Ok(only.into())
        })
        .await
    }

    /// Dials for subscriptions and commands on one connection, where the server speaks RESP3 and is one; else as
    /// [`Endpoint::pubsub`].
    pub(crate) async fn shared(&self, timeout: Duration) -> Result<PubSub, LinkError> {
        let (redacted, name) = (self.redacted(), self.client_name());
        let shared = within(timeout, &redacted, async {
            match self.server(timeout, &redacted).await? {
                Ok((client, redacted)) if self.may_be_resp3() => {
                    dial::shared(&client, name, timeout, &redacted).await
                }
                _ => Ok(None),
            }
        });
        match shared.await? {
            Some(shared) => Ok(shared),
            None => self.pubsub(timeout).await,
        }
    }

    /// The one server to dial, with its name in errors; of a Cluster the servers that are known.
    async fn server(
        &self,
        timeout: Duration,
        redacted: &Redacted,
    ) -> Result<Result<(Client, Redacted), (&RedisUrl, &[RedisHost])>, LinkError> {
        let client = match self {
            Self::Client(client) => client.clone(),
            Self::Url(url) => match url.topology() {
                Topology::Single(host) => dial::client(url, host, timeout, redacted)?,
                Topology::Unix(path) => dial::unix_client(url, path, timeout, redacted)?,
                Topology::Sentinel { sentinels, service } => {
                    let found =
                        sentinel::master(url, sentinels, service, timeout, redacted).await?;
                    return Ok(Ok((found.client, found.redacted)));
                }
                Topology::Cluster(hosts) => return Ok(Err((url, hosts))),
            },
        };
        Ok(Ok((client, redacted.clone())))
    }

    fn client_name(&self) -> &str {
        match self {
            Self::Url(url) => url.client_name(),
            Self::Client(_) => "greenroom",
        }
    }

    /// Whether nobody has said that it is RESP2.
    fn may_be_resp3(&self) -> bool {
        match self {
            Self::Url(url) => url.protocol() != Some(RespVersion::Resp2),
            Self::Client(client) => {
                let settings = client.get_connection_info().redis_settings();
                settings.protocol().supports_resp3()
            }
        }
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
