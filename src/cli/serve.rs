//! `greenroom serve`: the server, and what its command line says about the settings.

use clap::Args;
use greenroom::config::Source;

use super::at_redis;

/// Serve, which is what is done without a command too
///
/// Any other key of the configuration: --set limits.connections=1000
#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    /// Address to listen on: server.host [env: GREENROOM_SERVER__HOST, HOST] [default: 127.0.0.1]
    #[arg(short = 'a', long, value_name = "ADDRESS")]
    host: Option<String>,
    /// TCP port to listen on, 0 for one that is free: server.port [env: GREENROOM_SERVER__PORT, PORT] [default: 3000]
    #[arg(short, long, value_name = "PORT")]
    port: Option<String>,
    /// Worker threads, 0 for one per core: server.workers [env: GREENROOM_SERVER__WORKERS] [default: 0]
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Folder with the pages served under /: server.static_dir [env: GREENROOM_SERVER__STATIC_DIR] [default: static]
    #[arg(long, value_name = "FOLDER")]
    static_dir: Option<String>,
    /// Redis through which several servers are one: redis.uri; others see it in the list of processes, so better set one
    /// with a password elsewhere [env: GREENROOM_REDIS__URI, REDIS_URL] [default: none]
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Name of this server, as others show it: redis.node [env: GREENROOM_REDIS__NODE] [default: made from host name and
    /// port]
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// What is logged: log.filter [env: GREENROOM_LOG__FILTER; RUST_LOG is stronger] [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

impl Serve {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.said().next().is_none() && self.redis.is_none()
    }

    /// The settings with this on top.
    pub(super) fn on_top_of(&self, mut source: Source) -> Source {
        if let Some(url) = &self.redis {
            source = at_redis(source, url);
        }
        self.said()
            .fold(source, |source, (key, value)| source.set(key, value))
    }

    fn said(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("server.host", self.host.as_deref()),
            ("server.port", self.port.as_deref()),
            ("server.workers", self.workers.as_deref()),
            ("server.static_dir", self.static_dir.as_deref()),
            ("redis.node", self.node.as_deref()),
            ("log.filter", self.log.as_deref()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
    }
}
