//! From a file, a text or the environment to [`Config`].

use std::{fs, path::Path};

use serde::Deserialize;

use super::{
    ApiConfig, AuthConfig, BackendConfig, Config, ConfigError, CorsConfig, EngineConfig, Limits,
    LogConfig, RatesConfig, RecoveryConfig, RedisConfig, SecurityConfig, ServerConfig,
    ShutdownConfig, SocketIoConfig, Source, TlsConfig, WebhooksConfig, secrets,
};

/// The file as it was written: right in its types, not yet judged.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawConfig {
    server: ServerConfig,
    engine: EngineConfig,
    socketio: SocketIoConfig,
    recovery: RecoveryConfig,
    redis: RedisConfig,
    backends: Vec<BackendConfig>,
    webhooks: WebhooksConfig,
    api: ApiConfig,
    cors: CorsConfig,
    security: SecurityConfig,
    tls: TlsConfig,
    auth: AuthConfig,
    rates: RatesConfig,
    limits: Limits,
    shutdown: ShutdownConfig,
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
            redis,
            backends,
            webhooks,
            api,
            cors,
            security,
            tls,
            auth,
            rates,
            limits,
            shutdown,
            log,
        } = raw;
        Self {
            server,
            engine,
            socketio,
            recovery,
            redis,
            backends,
            webhooks,
            api,
            cors,
            security,
            tls,
            auth,
            rates,
            limits,
            shutdown,
            log,
        }
        .validated()
    }
}

impl Config {
    /// The file of [`Config::load`], in the working directory.
    pub const FILE: &str = "config.toml";

    /// The settings of a process: `config.toml` in the working directory when there is one, and the environment; see
    /// [`Source`].
    ///
    /// # Errors
    ///
    /// As [`Source::read`].
    pub fn load() -> Result<Self, ConfigError> {
        Ok(Source::default().read()?.config)
    }

    /// As [`Config::load`], with another file in the place of `config.toml`. It has to be there.
    ///
    /// # Errors
    ///
    /// As [`Source::read`].
    pub fn load_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Ok(Source::file(path).read()?.config)
    }

    /// The settings in a file; sections and keys that it does not have keep their defaults.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is not TOML, has an unknown key, or a value of the wrong type or range.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_toml(&text).map_err(|problem| ConfigError::InFile {
            path: path.to_owned(),
            problem: Box::new(problem),
        })
    }

    /// The settings in a text; sections and keys that it does not have keep their defaults.
    ///
    /// # Errors
    ///
    /// When the text is not TOML, has an unknown key, or a value of the wrong type or range.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        parse(text)?.try_into()
    }
}

pub(super) fn parse(text: &str) -> Result<RawConfig, ConfigError> {
    toml::from_str(text).map_err(|err| ConfigError::Parse {
        message: explain(text, &err),
    })
}

/// The parser's text with line and column, where an unknown key names the one that was probably meant.
fn explain(file: &str, err: &toml::de::Error) -> String {
    let text = match err.span() {
        Some(span) if is_of_keys(file, span.start) => without_quotation(&err.to_string()),
        _ => err.to_string(),
    };
    let Some((found, known)) = unknown_key(err.message()) else {
        return secrets::hidden(text.trim_end());
    };
    let advice = match nearest(found, &known) {
        Some(key) => format!("unknown key `{found}`: did you mean `{key}`?"),
        None => format!(
            "unknown key `{found}`: the keys here are {}",
            known.join(", ")
        ),
    };
    // The line that is quoted may be an address with a password.
    secrets::hidden(text.replace(err.message(), &advice).trim_end())
}

/// Whether this place in a file is in the section that has keys of the API, which nobody should read in an error.
fn is_of_keys(file: &str, at: usize) -> bool {
    let before = file.get(..at).unwrap_or(file);
    let is_bare = |name: &&str| {
        let is_part = |symbol: char| symbol.is_ascii_alphanumeric() || "_-. ".contains(symbol);
        name.chars().all(is_part)
    };
    let header = |line| str::trim(line).strip_prefix('[')?.split_once(']');
    let mut sections = before
        .lines()
        .filter_map(header)
        .map(|(name, _)| name.trim());
    match sections.rfind(is_bare) {
        Some(name) => name == "api" || name.starts_with("api."),
        None => before.contains("api"),
    }
}

/// What the parser says without the line it quotes: where it is, and what is wrong.
fn without_quotation(text: &str) -> String {
    let is_quoted = |line: &str| {
        line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ')
            .starts_with('|')
    };
    let lines: Vec<_> = text.lines().filter(|line| !is_quoted(line)).collect();
    lines.join("\n")
}

/// What serde says about a key that no field bears: "unknown field `found`, expected one of `known`, `known`".
pub(super) fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let (found, known) = message
        .strip_prefix("unknown field `")?
        .split_once("`, expected ")?;
    Some((found, known.split('`').skip(1).step_by(2).collect()))
}

/// The known key that resembles `found` most, if one does. `pingInterval` resembles `ping_interval` completely.
pub(super) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |key: &str| key.replace(['_', '-'], "").to_ascii_lowercase();
    let found = plain(found);
    let likeness = |key: &str| strsim::jaro_winkler(&found, &plain(key));
    let best = known
        .iter()
        .copied()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.8).then_some(best)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Carrier, CookieConfig, Origins, Parser, SameSite, Transports};

    /// The file that ships, which documents the defaults.
    const SHIPPED: &str = include_str!("../../config.toml");

    fn wrong(text: &str) -> String {
        Config::from_toml(text).expect_err(text).to_string()
    }

    /// Every section and the keys that may stand in it, as serde reports them for a key it does not know.
    fn keys() -> Vec<(&'static str, Vec<String>)> {
        let sections = [
            "server",
            "engine",
            "engine.cookie",
            "engine.per_message_deflate",
            "engine.http_compression",
            "socketio",
            "recovery",
            "redis",
            // An array of tables.
            "[backends]",
            "webhooks",
            "api",
            "cors",
            "security",
            "tls",
            "auth",
            "auth.jwt",
            "rates",
            "limits",
            "shutdown",
            "log",
        ];
        let keys_of = |section: &str| {
            let err =
                toml::from_str::<RawConfig>(&format!("[{section}]\n\"?\" = 0")).expect_err(section);
            let (_, known) = unknown_key(err.message()).expect(section);
            known.into_iter().map(str::to_owned).collect()
        };
        sections.map(|section| (section, keys_of(section))).into()
    }

    #[test]
    fn the_shipped_file_says_what_the_defaults_say_and_turns_recovery_on() {
        let mut expected = Config::default();
        assert!(!expected.recovery.enabled);
        expected.recovery.enabled = true;
        assert_eq!(Config::from_toml(SHIPPED).unwrap(), expected);
    }

    #[test]
    fn the_shipped_file_has_every_key_once_and_no_other() {
        for (section, known) in keys() {
            let is_header = |line: &str| line.trim_start_matches("# ") == format!("[{section}]");
            let body: Vec<_> = SHIPPED
                .lines()
                .skip_while(|line| !is_header(line))
                .skip(1)
                .take_while(|line| !line.trim_start_matches("# ").starts_with('['))
                .collect();
            let mut written: Vec<_> = body
                .iter()
                .filter_map(|line| line.trim_start_matches("# ").split_once(" = "))
                .map(|(key, _)| key.to_owned())
                .filter(|key| !key.contains(' '))
                .collect();
            let tables = ["cookie", "per_message_deflate", "http_compression", "jwt"];
            let mut known: Vec<_> = known
                .into_iter()
                .filter(|key| !tables.contains(&key.as_str()))
                .collect();
            written.sort();
            known.sort();
            assert_eq!(written, known, "section [{section}]");
        }
    }

    #[test]
    fn the_keys_that_have_no_default_can_be_uncommented_in_the_shipped_file() {
        let all: String = SHIPPED
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key)
                    if key.starts_with('[')
                        || key
                            .split_once(" = ")
                            .is_some_and(|(key, _)| !key.contains(' ')) =>
                {
                    key
                }
                _ => line,
            })
            .fold(String::new(), |text, line| text + line + "\n");
        let config = Config::from_toml(&all).unwrap();
        let cookie = config
            .engine
            .cookie
            .expect("the cookie table was uncommented");
        assert_eq!(cookie.name, CookieConfig::default().name);
        assert!(config.engine.initial_packet.is_some());
        assert!(config.cors.max_age.is_some());
        let backend = BackendConfig {
            url: "http://127.0.0.1:8000/greenroom".to_owned(),
            ..BackendConfig::default()
        };
        assert_eq!(config.backends, [backend]);
    }

    #[test]
    fn defaults_pass_their_own_validation_unchanged() {
        assert_eq!(Config::default().validated().unwrap(), Config::default());
    }

    #[test]
    fn every_section_is_read() {
        let config = Config::from_toml(
            r#"
            [server]
            host = "::1"
            port = 0
            path = "/live/"
            carrier = "mounted"
            [engine]
            ping_interval = "300ms"
            ping_timeout = "1m 30s"
            max_http_buffer_size = "64KiB"
            transports = ["websocket"]
            cookie = { name = "sticky", same_site = "none", secure = true, max_age = "1h" }
            per_message_deflate = { enabled = true, threshold = 0 }
            [socketio]
            parser = "msgpack"
            [recovery]
            enabled = true
            max_packets = 0
            [cors]
            origins = ["https://a.example", "https://*.b.example"]
            [limits]
            outbox_bytes = "1MB"
            connections = 0
            [log]
            filter = "debug"
            "#,
        )
        .unwrap();
        assert_eq!(
            (config.server.host.as_str(), config.server.port),
            ("::1", 0)
        );
        assert_eq!(config.server.path, "/live");
        assert_eq!(config.server.carrier, Carrier::Mounted);
        assert_eq!(config.engine.ping_interval, Duration::from_millis(300));
        assert_eq!(config.engine.ping_timeout, Duration::from_secs(90));
        assert_eq!(config.engine.max_http_buffer_size, 65_536);
        assert_eq!(
            config.engine.transports,
            Transports {
                polling: false,
                websocket: true
            }
        );
        let cookie = config.engine.cookie.unwrap();
        assert_eq!(
            (cookie.name.as_str(), cookie.path.as_str(), cookie.http_only),
            ("sticky", "/", true)
        );
        assert_eq!(
            (cookie.same_site, cookie.max_age),
            (SameSite::None, Some(Duration::from_secs(3600)))
        );
        assert!(config.engine.per_message_deflate.enabled);
        assert_eq!(config.engine.per_message_deflate.level, 6);
        assert_eq!(config.socketio.parser, Parser::Msgpack);
        assert_eq!(config.recovery.max_packets, usize::MAX);
        assert_eq!(
            config.cors.origins,
            Origins::List(vec![
                "https://a.example".to_owned(),
                "https://*.b.example".to_owned()
            ])
        );
        assert_eq!(
            (config.limits.outbox_bytes, config.limits.connections),
            (1_000_000, usize::MAX)
        );
        assert_eq!(config.log.filter, "debug");
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        for (text, meant) in [
            ("[engine]\nping_intervall = \"1s\"", "`ping_interval`"),
            ("[engine]\npingTimeout = 20000", "`ping_timeout`"),
            (
                "[engine]\nmaxHttpBufferSize = 1e6",
                "`max_http_buffer_size`",
            ),
            (
                "[engine]\nperMessageDeflate = true",
                "`per_message_deflate`",
            ),
            ("[engine.cookie]\nhttponly = true", "`http_only`"),
            ("[socketio]\nconnectTimeout = 1", "`connect_timeout`"),
            ("[limit]\n", "`limits`"),
            ("[socket_io]\n", "`socketio`"),
            ("[log]\nfilters = \"x\"", "`filter`"),
        ] {
            let message = wrong(text);
            assert!(
                message.contains(&format!("did you mean {meant}?")),
                "{message}"
            );
            assert!(message.contains("at line"), "{message}");
        }
    }

    #[test]
    fn an_unknown_key_like_no_other_lists_those_that_exist() {
        assert!(
            wrong("[log]\nzzz = 1")
                .ends_with("unknown key `zzz`: the keys here are filter, format")
        );
        assert!(
            wrong("[qwx]\nzzz = 1")
                .ends_with("cors, security, tls, auth, rates, limits, shutdown, log")
        );
    }

    #[test]
    fn a_wrong_type_says_what_would_be_right() {
        for (text, part) in [
            (
                "[engine]\nping_interval = 25",
                "a duration is a text with its unit, such as \"25s\"",
            ),
            ("[engine]\nping_interval = \"25\"", "`25` is not a duration"),
            ("[engine]\nping_interval = \"-5s\"", "`-5s` is negative"),
            ("[engine]\nmax_http_buffer_size = \"much\"", "much"),
            ("[engine]\nmax_http_buffer_size = -1", "-1"),
            ("[engine]\ntransports = []", "at least one transport"),
            (
                "[engine]\ntransports = [\"webtransport\"]",
                "expected `polling` or `websocket`",
            ),
            (
                "[socketio]\nparser = \"xml\"",
                "expected `json` or `msgpack`",
            ),
            ("[cors]\norigins = 5", "an origin or a list of origins"),
            ("[server]\nport = 65536", "65536"),
            ("[server]\nport = 1\nport = 2", "duplicate key"),
            ("[server", "line 1"),
        ] {
            let message = wrong(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn origins_are_written_in_five_ways() {
        let origins = |value: &str| {
            Config::from_toml(&format!("[cors]\norigins = {value}"))
                .unwrap()
                .cors
                .origins
        };
        assert_eq!(origins("false"), Origins::Off);
        assert_eq!(origins("\"*\""), Origins::Any);
        assert_eq!(origins("\"reflect\""), Origins::Reflect);
        assert_eq!(origins("true"), Origins::Reflect);
        assert_eq!(
            origins("\"https://a.example\""),
            Origins::One("https://a.example".to_owned())
        );
        assert_eq!(
            origins("[\"null\"]"),
            Origins::List(vec!["null".to_owned()])
        );
        assert_eq!(
            origins("\"http://localhost:*\""),
            Origins::List(vec!["http://localhost:*".to_owned()])
        );
    }

    #[test]
    fn a_file_that_is_wrong_or_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let err = Config::from_file(&path).expect_err("no file").to_string();
        assert_eq!(err, format!("cannot read {}", path.display()));
        fs::write(&path, "[server]\nworkers = 5000").unwrap();
        let err = Config::from_file(&path).expect_err("too many").to_string();
        assert_eq!(
            err,
            format!(
                "{}: server.workers is 5000; the range is 0 to 1024",
                path.display()
            )
        );
        fs::write(&path, "[server]\nworkers = 3").unwrap();
        assert_eq!(Config::from_file(&path).unwrap().server.workers, 3);
    }
}
