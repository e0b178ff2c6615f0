//! `[redis]`: the Redis through which several nodes are one server.

use std::{fmt, time::Duration};

use serde::Deserialize;

use super::{
    ConfigError, RedisUrl, redis_url::Topology, redis_url_parse::host_alone, secrets, values,
};

/// `[redis]`: the Redis through which several nodes are one server.
///
/// Without an address (the default) there is no Redis, and this node is alone. Addresses may have passwords; neither
/// errors nor `Debug` show them.
///
/// **Source**: the options of the npm packages `socket.io-redis` and `@socket.io/redis-adapter`, in snake case.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RedisConfig {
    /// Address of the Redis, a [`RedisUrl`]: `"redis://localhost:6379"`, `"localhost:6379"`, `"rediss://…"`,
    /// `"redis+cluster://…"`, `"redis+sentinel://…"`.
    ///
    /// Default empty: [`socket`](Self::socket) or [`host`](Self::host) and [`port`](Self::port) say where it is.
    /// `REDIS_URL` in the environment overrides it.
    pub uri: String,
    /// Host of the Redis, in the place of [`uri`](Self::uri).
    ///
    /// Default empty: `localhost` if [`port`](Self::port) is given, else no Redis.
    pub host: String,
    /// TCP port of the Redis, in the place of [`uri`](Self::uri).
    ///
    /// Default 0, which is 6379 if [`host`](Self::host) is given, else no Redis.
    pub port: u16,
    /// Path of the unix socket of the Redis, such as `"/tmp/redis.sock"`, in the place of [`uri`](Self::uri), host and
    /// port.
    ///
    /// Default empty. An absolute path.
    pub socket: String,
    /// What the names of all channels and keys begin with. All nodes of a cluster have the same.
    ///
    /// Default `"socket.io"`, as in Node. Not empty, without control characters.
    pub key: String,
    /// Address of the Redis that messages are published to, a [`RedisUrl`].
    ///
    /// Default empty: that of [`uri`](Self::uri).
    pub publish_uri: String,
    /// Address of the Redis that messages are heard from, a [`RedisUrl`].
    ///
    /// Default empty: that of [`uri`](Self::uri).
    pub subscribe_uri: String,
    /// Address of the Redis that the membership of rooms is kept in, a [`RedisUrl`].
    ///
    /// Default empty: that of [`uri`](Self::uri).
    pub data_uri: String,
    /// Which channels of a namespace this node subscribes to.
    ///
    /// Default `"pattern"`.
    pub subscription: Subscription,
    /// Whether Redis keeps which socket is in which room, for other programs to read.
    ///
    /// Default `true`. Messages between nodes do not need it.
    pub store_membership: bool,
    /// How long what this node stored outlives it, if it ends without cleaning up.
    ///
    /// Default `"15s"`, range 100 milliseconds to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub lease: Duration,
    /// How long answers of other nodes are waited for.
    ///
    /// Default `"5s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub requests_timeout: Duration,
    /// Whether answers go to a channel that only the asking node hears, instead of to all nodes.
    ///
    /// Default `false`, as in Node. All nodes of a cluster have the same.
    pub publish_on_specific_response_channel: bool,
    /// Bytes of messages that wait while Redis is away. Above it the oldest are dropped and counted.
    ///
    /// Default 16000000. Zero is no limit.
    #[serde(deserialize_with = "values::size")]
    pub publish_queue_bytes: usize,
    /// Time between two messages of this node to itself through Redis, by which it knows that it is heard.
    ///
    /// Default `"3s"`, range 100 milliseconds to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub canary_interval: Duration,
    /// How long connecting to Redis may take, and each of its answers.
    ///
    /// Default `"5s"`, range 1 millisecond to 24 hours.
    #[serde(deserialize_with = "values::duration")]
    pub connect_timeout: Duration,
    /// Name of this node, as other nodes and `CLIENT LIST` show it.
    ///
    /// Default empty: made from the name of the machine and the port. At most 64 printable ASCII characters without
    /// spaces.
    pub node: String,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            uri: String::new(),
            host: String::new(),
            port: 0,
            socket: String::new(),
            key: "socket.io".to_owned(),
            publish_uri: String::new(),
            subscribe_uri: String::new(),
            data_uri: String::new(),
            subscription: Subscription::Pattern,
            store_membership: true,
            lease: Duration::from_secs(15),
            requests_timeout: Duration::from_secs(5),
            publish_on_specific_response_channel: false,
            publish_queue_bytes: 16_000_000,
            canary_interval: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(5),
            node: String::new(),
        }
    }
}

/// Which channels of a namespace a node subscribes to. Nodes with either understand each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Subscription {
    /// All of them, with a pattern, as Node does.
    #[default]
    Pattern,
    /// Those of the rooms that have members here: less to hear, more to subscribe.
    Exact,
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |text: &str| secrets::hidden(text);
        out.debug_struct("RedisConfig")
            .field("uri", &hidden(&self.uri))
            .field("host", &hidden(&self.host))
            .field("port", &self.port)
            .field("socket", &self.socket)
            .field("key", &self.key)
            .field("publish_uri", &hidden(&self.publish_uri))
            .field("subscribe_uri", &hidden(&self.subscribe_uri))
            .field("data_uri", &hidden(&self.data_uri))
            .field("subscription", &self.subscription)
            .field("store_membership", &self.store_membership)
            .field("lease", &self.lease)
            .field("requests_timeout", &self.requests_timeout)
            .field(
                "publish_on_specific_response_channel",
                &self.publish_on_specific_response_channel,
            )
            .field("publish_queue_bytes", &self.publish_queue_bytes)
            .field("canary_interval", &self.canary_interval)
            .field("connect_timeout", &self.connect_timeout)
            .field("node", &self.node)
            .finish()
    }
}

/// The addresses of the three connections.
#[derive(Clone, Debug)]
pub(crate) struct RedisUrls {
    pub(crate) publish: RedisUrl,
    pub(crate) subscribe: RedisUrl,
    pub(crate) data: RedisUrl,
}

impl RedisConfig {
    /// The addresses of the three connections; `None` when no Redis is configured.
    pub(crate) fn urls(&self) -> Result<Option<RedisUrls>, ConfigError> {
        let main = self.main()?;
        let publish = named("redis.publish_uri", &self.publish_uri)?;
        let subscribe = named("redis.subscribe_uri", &self.subscribe_uri)?;
        let data = named("redis.data_uri", &self.data_uri)?;
        if main.is_none() && publish.is_none() && subscribe.is_none() && data.is_none() {
            return Ok(None);
        }
        let client_name = match self.node.as_str() {
            "" => "greenroom".to_owned(),
            node => format!("greenroom-{node}"),
        };
        let with_main = |key: &'static str, url: Option<RedisUrl>| {
            let url = url.or_else(|| main.clone()).ok_or_else(|| {
                wrong(
                    key,
                    "is not set, and neither is redis.uri, but others are; set redis.uri or all three",
                )
            })?;
            Ok::<_, ConfigError>(url.with_client_name(&client_name))
        };
        Ok(Some(RedisUrls {
            publish: with_main("redis.publish_uri", publish)?,
            subscribe: with_main("redis.subscribe_uri", subscribe)?,
            data: with_main("redis.data_uri", data)?,
        }))
    }

    /// What `uri`, or `socket`, or `host` and `port` say.
    fn main(&self) -> Result<Option<RedisUrl>, ConfigError> {
        let uri = named("redis.uri", &self.uri)?;
        let socket = match self.socket.as_str() {
            "" => None,
            path if path.starts_with('/') => Some(RedisUrl::unix(path.as_ref())),
            _ => {
                return Err(wrong(
                    "redis.socket",
                    "is not an absolute path such as \"/tmp/redis.sock\"",
                ));
            }
        };
        let host = if self.host.is_empty() && self.port == 0 {
            None
        } else {
            let name = match self.host.as_str() {
                "" => "localhost",
                name => name,
            };
            let host = host_alone(name, self.port)
                .map_err(|problem| wrong("redis.host", &problem.to_string()))?;
            Some(RedisUrl::single(host))
        };
        let mut chosen: Option<(&'static str, RedisUrl)> = None;
        for (key, url) in [
            ("redis.uri", uri),
            ("redis.socket", socket),
            ("redis.host", host),
        ] {
            let Some(url) = url else { continue };
            match &chosen {
                None => chosen = Some((key, url)),
                Some((_, better)) if is_same_place(better.topology(), url.topology()) => {}
                Some((better, _)) => {
                    return Err(wrong(
                        key,
                        &format!("names another Redis than {better}; leave one of them out"),
                    ));
                }
            }
        }
        Ok(chosen.map(|(_, url)| url))
    }
}

fn is_same_place(one: &Topology, other: &Topology) -> bool {
    one == other
}

fn named(key: &'static str, text: &str) -> Result<Option<RedisUrl>, ConfigError> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.parse();
    parsed
        .map(Some)
        .map_err(|problem: super::RedisUrlError| wrong(key, &problem.to_string()))
}

fn wrong(key: &'static str, problem: &str) -> ConfigError {
    ConfigError::Value {
        key,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    /// The three addresses of a `[redis]` section.
    fn urls(section: &str) -> Result<Option<[String; 3]>, String> {
        let config = Config::from_toml(&format!("[redis]\n{section}"));
        let urls = config.and_then(|config| config.redis.urls());
        urls.map_err(|err| err.to_string()).map(|urls| {
            urls.map(|urls| [urls.publish, urls.subscribe, urls.data].map(|url| url.to_string()))
        })
    }

    #[test]
    fn a_redis_is_named_in_several_ways() {
        for (section, expected) in [
            ("uri = \"rediss://h:1/2\"", "rediss://h:1/2"),
            ("uri = \"localhost:6379\"", "redis://localhost:6379"),
            ("host = \"h\"", "redis://h:6379"),
            ("host = \"::1\"\nport = 1", "redis://[::1]:1"),
            ("host = \"[::1]\"", "redis://[::1]:6379"),
            ("port = 6380", "redis://localhost:6380"),
            ("socket = \"/tmp/redis.sock\"", "unix:///tmp/redis.sock"),
            // Twice the same is no contradiction, and the uri has more to say.
            (
                "uri = \"redis://:p@h/3\"\nhost = \"h\"",
                "redis://:***@h:6379/3",
            ),
            (
                "uri = \"unix:///a?db=1\"\nsocket = \"/a\"",
                "unix:///a?db=1",
            ),
        ] {
            let [publish, subscribe, data] = urls(section).unwrap().expect(section);
            assert_eq!(
                (publish.as_str(), &subscribe, &data),
                (expected, &publish, &publish)
            );
        }
        assert_eq!(urls("").unwrap(), None);
        assert_eq!(urls("key = \"x\"").unwrap(), None);
    }

    #[test]
    fn each_connection_may_have_its_own() {
        let expected = ["redis://h:6379", "redis://s:6379", "redis://h:6379"];
        assert_eq!(
            urls("host = \"h\"\nsubscribe_uri = \"s\"")
                .unwrap()
                .unwrap(),
            expected
        );
        let three = "publish_uri = \"p\"\nsubscribe_uri = \"s\"\ndata_uri = \"d\"";
        assert_eq!(
            urls(three).unwrap().unwrap(),
            ["redis://p:6379", "redis://s:6379", "redis://d:6379"]
        );
    }

    #[test]
    fn what_contradicts_or_is_missing_is_named() {
        for (section, expected) in [
            (
                "uri = \"redis://h\"\nport = 6380",
                "redis.host names another Redis than redis.uri; leave one of them out",
            ),
            (
                "uri = \"redis://h\"\nsocket = \"/a\"",
                "redis.socket names another Redis than redis.uri; leave one of them out",
            ),
            (
                "socket = \"/a\"\nhost = \"h\"",
                "redis.host names another Redis than redis.socket; leave one of them out",
            ),
            (
                "data_uri = \"h\"",
                "redis.publish_uri is not set, and neither is redis.uri, but others are; set redis.uri or all three",
            ),
            (
                "uri = \"http://h\"",
                "redis.uri has an unknown scheme `http`",
            ),
            ("data_uri = \"h:x\"", "redis.data_uri has a wrong port `x`"),
            ("host = \"h:1\"", "redis.host has `h:1` for a host"),
            ("host = \"0.0.0.0\"", "redis.host has the host 0.0.0.0"),
            ("socket = \"tmp\"", "redis.socket is not an absolute path"),
            ("key = \"\"", "redis.key is \"\"; it is a text"),
            ("node = \"a b\"", "redis.node is \"a b\"; it has at most 64"),
            ("lease = \"1ms\"", "redis.lease is"),
            ("canary_interval = \"0s\"", "redis.canary_interval is"),
            ("connect_timeout = \"0s\"", "redis.connect_timeout is"),
            ("requests_timeout = \"0s\"", "redis.requests_timeout is"),
        ] {
            let message = urls(section).expect_err(section);
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn a_queue_of_zero_bytes_has_no_limit() {
        let config = Config::from_toml("[redis]\npublish_queue_bytes = 0").unwrap();
        assert_eq!(config.redis.publish_queue_bytes, usize::MAX);
    }
}
