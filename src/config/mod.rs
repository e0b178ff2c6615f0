//! Settings: `config.toml` on one side, validated values on the other.
//!
//! [`Config::load`] reads the file, [`Config::default`] is what holds without one, and [`Config::validated`] is the only
//! place that judges values: it runs on everything that comes from a file, and once more when a server is started from
//! settings made in code. After that nothing checks again.
//!
//! One rule for all counts and sizes of [`Limits`] and [`RecoveryConfig`]: `0` in the file means "no limit" and is
//! `usize::MAX` in code, so that those who enforce a limit need one comparison and no special case.

mod api;
mod auth;
mod backend;
mod commented;
mod cors;
mod engine;
mod environment;
mod error;
mod limits;
mod rates;
mod read;
mod redis;
mod redis_url;
mod redis_url_parse;
mod secrets;
mod security;
mod server;
mod shutdown;
mod socketio;
mod source;
mod syntax;
mod tls;
mod validate;
mod values;
mod webhooks;

pub use self::{
    api::{ApiConfig, ApiKey},
    auth::{AuthConfig, JwtConfig},
    backend::BackendConfig,
    cors::{CorsConfig, Origins},
    engine::{CompressionConfig, CookieConfig, DeflateConfig, EngineConfig, SameSite, Transports},
    error::ConfigError,
    limits::Limits,
    rates::{Rate, RatesConfig},
    redis::{RedisConfig, Subscription},
    redis_url::{RedisUrl, RedisUrlError},
    security::SecurityConfig,
    server::{Carrier, LogConfig, LogFormat, ServerConfig},
    shutdown::ShutdownConfig,
    socketio::{Parser, RecoveryConfig, SocketIoConfig},
    source::{Settings, Source},
    tls::TlsConfig,
    webhooks::{Secret, WebhookEvent, WebhooksConfig},
};

pub(crate) use self::{
    redis_url::{
        Credentials as RedisCredentials, Host as RedisHost, RespVersion, Tls as RedisTls,
        Topology as RedisTopology,
    },
    syntax::origin_parts,
};

use self::read::RawConfig;

/// Everything that can be set, in the sections of `config.toml`.
///
/// **Shape**: one field per section; a section that is missing in the file has its defaults.
///
/// ```
/// use std::time::Duration;
/// use greenroom::config::Config;
///
/// let config = Config::from_toml("[engine]\nping_interval = \"10s\"")?;
/// assert_eq!(config.engine.ping_interval, Duration::from_secs(10));
/// assert_eq!(config.engine.ping_timeout, Duration::from_secs(20));
/// # Ok::<(), greenroom::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(try_from = "RawConfig")]
#[non_exhaustive]
pub struct Config {
    /// `[server]`: where the process listens and what it serves.
    pub server: ServerConfig,
    /// `[engine]`: Engine.IO, under the reference's names in snake case.
    pub engine: EngineConfig,
    /// `[socketio]`: Socket.IO on top of it.
    pub socketio: SocketIoConfig,
    /// `[recovery]`: connection state recovery.
    pub recovery: RecoveryConfig,
    /// `[redis]`: the Redis through which several nodes are one server.
    pub redis: RedisConfig,
    /// `[[backends]]`: namespaces whose events a program elsewhere answers, over HTTP.
    pub backends: Vec<BackendConfig>,
    /// `[webhooks]`: what a program elsewhere is told over HTTP.
    pub webhooks: WebhooksConfig,
    /// `[api]`: the HTTP API for backends.
    pub api: ApiConfig,
    /// `[cors]`: which pages of other origins may talk to us over HTTP.
    pub cors: CorsConfig,
    /// `[security]`: which pages may connect, and whom to believe about clients.
    pub security: SecurityConfig,
    /// `[tls]`: encryption of the connections that are accepted.
    pub tls: TlsConfig,
    /// `[auth]`: what clients have to show.
    pub auth: AuthConfig,
    /// `[rates]`: how fast clients may go.
    pub rates: RatesConfig,
    /// `[limits]`: a cap on everything that a peer can fill.
    pub limits: Limits,
    /// `[shutdown]`: how a server ends that is told to.
    pub shutdown: ShutdownConfig,
    /// `[log]`: what is logged.
    pub log: LogConfig,
}
