//! From the text of a file to [`Config`].

use serde::Deserialize;

use super::{
    Config, ConfigError, CorsConfig, EngineConfig, Limits, LogConfig, RecoveryConfig, ServerConfig,
    SocketIoConfig,
};

/// The file as it was written: right in its types, not yet judged.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawConfig {
    server: ServerConfig,
    engine: EngineConfig,
    socketio: SocketIoConfig,
    recovery: RecoveryConfig,
    cors: CorsConfig,
    limits: Limits,
    log: LogConfig,
}

impl TryFrom<RawConfig> for Config {
    type Error = ConfigError;

    fn try_from(raw: RawConfig) -> Result<Self, ConfigError> {
        let RawConfig {
            server,
            engine,
            socketio,
            recovery,
            cors,
            limits,
            log,
        } = raw;
        Self {
            server,
            engine,
            socketio,
            recovery,
            cors,
            limits,
            log,
        }
        .validated()
    }
}
