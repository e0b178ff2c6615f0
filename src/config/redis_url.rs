//! The address of a Redis, as one URL.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::redis_url_parse;

/// The address of a Redis (or Valkey), and how to talk to it.
///
/// **Shape**: one grammar for every topology.
///
/// | written | means |
/// |---|---|
/// | `redis://[[user]:password@]host[:port][/database]` | one server; port 6379 and database 0 when left out |
/// | `host[:port][/database]` | the same without credentials, as in `localhost:6379` |
/// | `unix://[[user]:password@]/path.sock[?db=1]` | one server behind a unix socket |
/// | `redis+cluster://[[user]:password@]host[:port],host[:port]` | a Redis Cluster, known by some of its nodes; it has no databases |
/// | `redis+sentinel://[[user]:password@]host[:port],host[:port]/service[/database]` | the master that these sentinels name for `service`; port 26379 when left out |
/// | `rediss` in the place of `redis` | the same through TLS; with Sentinel both to the sentinels and to the master |
/// | `valkey`, `valkeys` in the place of `redis`, `rediss` | the same |
///
/// | option in the query | means |
/// |---|---|
/// | `protocol=resp2` or `resp3` | version of the protocol; when left out, RESP3 where one connection publishes and subscribes and the server knows it, else RESP2 |
/// | `ca=/path.pem` | with TLS: the authorities to trust, in the place of the system's |
/// | `cert=/path.pem` and `key=/path.pem` | with TLS: the certificate that we show |
/// | `insecure=true`, or `#insecure` at the end | with TLS: whoever answers is believed |
/// | `db=1` | with `unix://`: the database |
/// | `sentinel_user=`, `sentinel_password=` | with Sentinel: credentials for the sentinels; none when left out |
///
/// What is not a letter, a digit or one of `-._~` is percent-encoded in user, password, service and values: `p@ss` is
/// `p%40ss`. IPv6 addresses stand in brackets. `Debug` and `Display` give the URL with `***` for a password.
///
/// ```
/// use greenroom::config::RedisUrl;
///
/// let url: RedisUrl = "rediss://app:s3cret@redis.example:6380/2?protocol=resp3".parse()?;
/// assert_eq!(url.to_string(), "rediss://app:***@redis.example:6380/2?protocol=resp3");
/// # Ok::<(), greenroom::config::RedisUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub(super) topology: Topology,
    pub(super) credentials: Option<Credentials>,
    pub(super) database: u32,
    pub(super) protocol: Option<RespVersion>,
    pub(super) tls: Option<Tls>,
    pub(super) sentinel_credentials: Option<Credentials>,
    pub(super) client_name: String,
}

/// A version of the protocol of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RespVersion {
    Resp2,
    Resp3,
}

/// Where the servers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server.
    Single(Host),
    /// One server behind a unix socket.
    Unix(PathBuf),
    /// Some nodes of a Redis Cluster.
    Cluster(Vec<Host>),
    /// Whichever server is master of a service.
    Sentinel {
        /// Those who know.
        sentinels: Vec<Host>,
        /// The name they know it by.
        service: String,
    },
}

/// A host, without the brackets of an IPv6 address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: u16,
}

/// Who we say that we are. Without `Debug`, so that no password gets into a log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Empty for the default user.
    pub(crate) user: String,
    pub(crate) password: String,
}

/// How TLS is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Whether the certificate of the server is not looked at.
    pub(crate) is_insecure: bool,
    /// The authorities to trust.
    pub(crate) ca: Option<PathBuf>,
    /// Our certificate and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

impl RedisUrl {
    /// One server without credentials.
    pub(super) fn single(host: Host) -> Self {
        Self::new(Topology::Single(host))
    }

    /// One server behind a unix socket, without credentials.
    pub(super) fn unix(path: &Path) -> Self {
        Self::new(Topology::Unix(path.to_owned()))
    }

    pub(super) fn new(topology: Topology) -> Self {
        Self {
            topology,
            credentials: None,
            database: 0,
            protocol: None,
            tls: None,
            sentinel_credentials: None,
            client_name: "greenroom".to_owned(),
        }
    }

    /// Sets the name by which `CLIENT LIST` shows our connections for commands.
    pub(crate) fn with_client_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.client_name);
        self
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    pub(crate) fn sentinel_credentials(&self) -> Option<&Credentials> {
        self.sentinel_credentials.as_ref()
    }

    pub(crate) fn database(&self) -> u32 {
        self.database
    }

    pub(crate) fn protocol(&self) -> Option<RespVersion> {
        self.protocol
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(crate) fn client_name(&self) -> &str {
        &self.client_name
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, RedisUrlError> {
        redis_url_parse::parse(text)
    }
}

/// What is left as it is in the parts of a URL.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl fmt::Display for RedisUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        out.write_str(match (&self.topology, self.tls.is_some()) {
            (Topology::Unix(_), _) => "unix://",
            (Topology::Single(_), false) => "redis://",
            (Topology::Single(_), true) => "rediss://",
            (Topology::Cluster(_), false) => "redis+cluster://",
            (Topology::Cluster(_), true) => "rediss+cluster://",
            (Topology::Sentinel { .. }, false) => "redis+sentinel://",
            (Topology::Sentinel { .. }, true) => "rediss+sentinel://",
        })?;
        if let Some(Credentials { user, .. }) = &self.credentials {
            write!(out, "{}:***@", escaped(user))?;
        }
        match &self.topology {
            Topology::Single(host) => write!(out, "{host}")?,
            Topology::Unix(path) => write!(out, "{}", path.display())?,
            Topology::Cluster(hosts) => list(out, hosts)?,
            Topology::Sentinel { sentinels, service } => {
                list(out, sentinels)?;
                write!(out, "/{}", escaped(service))?;
            }
        }
        let mut options = Vec::new();
        if self.database != 0 {
            match &self.topology {
                Topology::Unix(_) => options.push(format!("db={}", self.database)),
                _ => write!(out, "/{}", self.database)?,
            }
        }
        let protocol = self.protocol.map(|version| match version {
            RespVersion::Resp2 => "protocol=resp2",
            RespVersion::Resp3 => "protocol=resp3",
        });
        options.extend(protocol.map(str::to_owned));
        let path = |path: &Path| path.display().to_string();
        if let Some(tls) = &self.tls {
            options.extend(tls.ca.as_deref().map(|ca| format!("ca={}", path(ca))));
            if let Some((cert, key)) = &tls.identity {
                options.push(format!("cert={}", path(cert)));
                options.push(format!("key={}", path(key)));
            }
            options.extend(tls.is_insecure.then(|| "insecure=true".to_owned()));
        }
        if let Some(Credentials { user, .. }) = &self.sentinel_credentials {
            if !user.is_empty() {
                options.push(format!("sentinel_user={}", escaped(user)));
            }
            options.push("sentinel_password=***".to_owned());
        }
        if !options.is_empty() {
            write!(out, "?{}", options.join("&"))?;
        }
        Ok(())
    }
}

fn list(out: &mut fmt::Formatter<'_>, hosts: &[Host]) -> fmt::Result {
    for (at, host) in hosts.iter().enumerate() {
        write!(out, "{}{host}", if at == 0 { "" } else { "," })?;
    }
    Ok(())
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') {
            write!(out, "[{name}]:{port}")
        } else {
            write!(out, "{name}:{port}")
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RedisUrl({self})")
    }
}

/// What can be wrong with a [`RedisUrl`].
///
/// The text says what would be right. It repeats nothing of a URL that has or may have a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisUrlError {
    /// There is nothing.
    #[error("is empty; an address of a Redis is such as `redis://localhost:6379`")]
    Empty,
    /// What is before `://` is not known.
    #[error(
        "has an unknown scheme{found}; the schemes are redis, rediss (TLS), unix, redis+cluster, rediss+cluster, \
         redis+sentinel and rediss+sentinel"
    )]
    Scheme {
        /// The scheme, in quotes, or nothing.
        found: String,
    },
    /// Credentials without a scheme.
    #[error("has credentials but no scheme; write `redis://user:password@host`")]
    NoScheme,
    /// A character that needs an escape stands in user or password, or nothing precedes an `@`.
    #[error(
        "has an `@` behind the host; in a user or password `/` is written %2F, `?` %3F, `#` %23 and `@` %40"
    )]
    Unescaped,
    /// A user and no password.
    #[error(
        "has a user without a password; write `:password@` for a password alone, `user:@` for a user that has none"
    )]
    UserAlone,
    /// A `%` that begins no escape, or an escape that is not UTF-8.
    #[error(
        "has a wrong escape in its {part}; `%` is followed by two hexadecimal digits, and is itself written %25"
    )]
    Escape {
        /// Which part.
        part: &'static str,
    },
    /// No host, or one that cannot be.
    #[error(
        "has {found} for a host; it is a name, an IPv4 address, or an IPv6 address in brackets"
    )]
    Host {
        /// The host, in quotes, or `nothing` or `something else`.
        found: String,
    },
    /// An address to listen on.
    #[error("has the host {found}, which one can listen on but not connect to; write `localhost`")]
    Wildcard {
        /// The host.
        found: &'static str,
    },
    /// Not a port.
    #[error("has a wrong port{found}; a port is a number from 1 to 65535")]
    Port {
        /// The port, in quotes, or nothing.
        found: String,
    },
    /// More hosts than the scheme can have.
    #[error("has several hosts; they need the scheme redis+cluster or redis+sentinel")]
    SeveralHosts,
    /// Not a database.
    #[error("has a wrong database{found}; a database is a number such as 0 or 1")]
    Database {
        /// The database, in quotes, or nothing.
        found: String,
    },
    /// A database in a Cluster.
    #[error("has a database, but a Redis Cluster has none; leave it out")]
    ClusterDatabase,
    /// Sentinels without a service.
    #[error(
        "does not say which service the sentinels are asked for; write `redis+sentinel://host1,host2/mymaster`"
    )]
    Service,
    /// A unix socket without a path, or with a host.
    #[error("has no absolute path; write `unix:///path/to/redis.sock`")]
    Path,
    /// An option nobody knows.
    #[error(
        "has an unknown option{found}; the options are protocol, ca, cert, key, insecure, db, sentinel_user and \
         sentinel_password"
    )]
    Option {
        /// The option, in quotes, or nothing.
        found: String,
    },
    /// An option that means nothing here.
    #[error("has the option `{name}`, which is only for {place}")]
    Misplaced {
        /// The option.
        name: &'static str,
        /// Where it would be right.
        place: &'static str,
    },
    /// An option that needs another.
    #[error("has the option `{name}` without `{other}`")]
    Incomplete {
        /// The option that is there.
        name: &'static str,
        /// The one that is missing.
        other: &'static str,
    },
    /// An option twice.
    #[error("has the option `{name}` twice")]
    Twice {
        /// The option.
        name: &'static str,
    },
    /// An option with a wrong value.
    #[error("has a wrong value for the option `{name}`; it is {expected}")]
    Value {
        /// The option.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// Something behind `#`.
    #[error(
        "has something behind `#`; only `#insecure` may stand there, and in a password `#` is written %23"
    )]
    Fragment,
}
