//! Where the settings of a process come from, so that they can be read again.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{Config, ConfigError, environment, environment::Variable, read};

/// Where the settings of a process come from.
///
/// From the strongest to the weakest:
///
/// 1. What was said with [`Source::set`], as the program does with its command line.
/// 2. `GREENROOM_<SECTION>__<KEY>` in upper case, for each key: `GREENROOM_ENGINE__PING_INTERVAL=10s`. Sections inside
///    sections have two more underscores: `GREENROOM_ENGINE__COOKIE__NAME`. The value is one of TOML (`["websocket"]`,
///    `true`) or a text without quotes. Unknown names with this beginning are errors, except those that Kubernetes sets for
///    a service which is called `greenroom`.
///    A variable whose name ends in `_FILE` names the file that has the value, as secrets are often given:
///    `GREENROOM_REDIS__URI_FILE=/run/secrets/redis`. It takes the place of the one without; both at once are an error.
///    The end of the last line in the file does not count.
/// 3. `HOST`, `PORT` and `REDIS_URL`, for `server.host`, `server.port` and `redis.uri`, as hosting platforms set them.
/// 4. The file: `config.toml` in the working directory when there is one, or the one that was named.
/// 5. The defaults.
///
/// An empty variable counts as unset. `redis.uri`, `redis.socket`, `redis.host` and `redis.port` are one address: where one
/// of them is set, what is weaker says nothing about the others.
///
/// ```
/// use greenroom::config::Source;
///
/// let settings = Source::default().set("engine.ping_interval", "10s").read()?;
/// assert_eq!(settings.config.engine.ping_interval.as_secs(), 10);
/// # Ok::<(), greenroom::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Source {
    file: Option<PathBuf>,
    said: Vec<(String, String)>,
}

/// Settings as they were read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// All of them.
    pub config: Config,
    /// The file, if there was one.
    pub file: Option<PathBuf>,
    source: Source,
    /// What was set, as it was written.
    table: Table,
}

impl Source {
    /// This file in the place of `config.toml`. It has to be there.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self {
            file: Some(path.as_ref().to_owned()),
            said: Vec::new(),
        }
    }

    /// Sets one key, past file and environment: `engine.ping_interval` to `10s`. The value is written as in the environment.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.said.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Reads them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is wrong, or when something else is unknown or wrong.
    pub fn read(&self) -> Result<Settings, ConfigError> {
        let path = self.file.as_deref().unwrap_or("config.toml".as_ref());
        self.read_from(path, env::vars_os())
    }

    pub(super) fn read_from(
        &self,
        path: &Path,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Settings, ConfigError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(err) if err.kind() == io::ErrorKind::NotFound && self.file.is_none() => None,
            Err(source) => {
                return Err(ConfigError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let in_file = |problem| match &text {
            Some(_) => ConfigError::InFile {
                path: path.to_owned(),
                problem: Box::new(problem),
            },
            None => problem,
        };
        let written = text.as_deref().unwrap_or_default();
        // Read by itself first, so that errors in it are told with their line; what is out of range is judged at the end,
        // when it may have been overridden.
        read::parse(written).map_err(in_file)?;
        let mut variables = environment::relevant(variables)?;
        variables.extend(
            self.said
                .iter()
                .map(|(key, value)| Variable::said(key, value)),
        );
        let (table, raw) = environment::merged(written, &variables)?;
        let config = match variables.is_empty() {
            true => raw.try_into().map_err(in_file)?,
            false => raw.try_into()?,
        };
        Ok(Settings {
            config,
            file: text.is_some().then(|| path.to_owned()),
            source: self.clone(),
            table,
        })
    }
}

impl Settings {
    /// What is there now.
    ///
    /// # Errors
    ///
    /// As [`Source::read`].
    pub fn read_again(&self) -> Result<Self, ConfigError> {
        self.source.read()
    }

    /// The keys that are written in another way now, or only in one of the two: `limits.connections`.
    #[must_use]
    pub fn changes(&self, other: &Self) -> BTreeSet<String> {
        let mut changes = BTreeSet::new();
        for (section, key) in self.keys().chain(other.keys()) {
            if self.value(section, key) != other.value(section, key) {
                let name = match key {
                    "" => section.to_owned(),
                    key => format!("{section}.{key}"),
                };
                changes.insert(name);
            }
        }
        changes
    }

    /// Takes these keys over from `other`.
    pub(crate) fn adopt(&mut self, other: &Self, is_wanted: impl Fn(&str) -> bool) {
        for change in self.changes(other).iter().filter(|key| is_wanted(key)) {
            let Some((section, key)) = change.split_once('.') else {
                continue;
            };
            let keys = self
                .table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(keys) = keys {
                match other.value(section, key) {
                    Some(value) => keys.insert(key.to_owned(), value.clone()),
                    None => keys.remove(key),
                };
            }
        }
    }

    /// Section and key of all that is set; without a key what is a list of sections.
    fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.table.iter().flat_map(|(section, keys)| {
            let names: Vec<&str> = match keys.as_table() {
                Some(keys) => keys.keys().map(String::as_str).collect(),
                None => vec![""],
            };
            names.into_iter().map(move |key| (section.as_str(), key))
        })
    }

    fn value(&self, section: &str, key: &str) -> Option<&Value> {
        let section = self.table.get(section)?;
        match key {
            "" => Some(section),
            key => section.get(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, text).unwrap();
        let source = Source::default();
        source.read_from(&path, std::iter::empty()).unwrap()
    }

    #[test]
    fn what_was_written_differently_is_named() {
        let one = settings("[limits]\nconnections = 1\nhalf_open = 2\n[log]\nfilter = \"warn\"");
        let other = settings("[limits]\nconnections = 1\nhalf_open = 3\n[engine]\ncookie = {}");
        let changes: Vec<_> = one.changes(&other).into_iter().collect();
        assert_eq!(changes, ["engine.cookie", "limits.half_open", "log.filter"]);
        assert_eq!(one.changes(&other), other.changes(&one));
        assert!(one.changes(&one).is_empty());
    }

    #[test]
    fn what_was_said_is_the_strongest() {
        let variables = [("GREENROOM_SERVER__PORT", "1"), ("PORT", "2")];
        let read = |source: &Source| {
            let variables = variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()));
            source.read_from("nowhere".as_ref(), variables)
        };
        let source = Source::default();
        assert_eq!(read(&source).unwrap().config.server.port, 1);
        let source = source.set("server.port", "3").set("redis.key", "4");
        let config = read(&source).unwrap().config;
        assert_eq!((config.server.port, config.redis.key.as_str()), (3, "4"));
        let source = source
            .set("server.port", "0")
            .set("engine.cookie.name", "x");
        let config = read(&source).unwrap().config;
        assert_eq!(config.server.port, 0);
        assert_eq!(config.engine.cookie.unwrap().name, "x");
    }

    #[test]
    fn an_address_that_was_said_takes_the_place_of_another() {
        let variables = [
            ("GREENROOM_REDIS__SOCKET", "/nowhere"),
            ("REDIS_URL", "redis://a"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let source = Source::default().set("redis.host", "b");
        let read = source.read_from("nowhere".as_ref(), variables.into_iter());
        let redis = read.unwrap().config.redis;
        assert_eq!(
            (
                redis.host.as_str(),
                redis.uri.as_str(),
                redis.socket.as_str()
            ),
            ("b", "", "")
        );
    }

    #[test]
    fn what_was_said_wrongly_names_the_nearest() {
        let wrong = |key: &str, value: &str| {
            let source = Source::default().set(key, value);
            let read = source.read_from("nowhere".as_ref(), std::iter::empty());
            read.unwrap_err().to_string()
        };
        for (key, value, message) in [
            (
                "engine.ping_intervall",
                "1s",
                "the setting engine.ping_intervall is unknown: did you mean engine.ping_interval?",
            ),
            (
                "ping_interval",
                "1s",
                "the setting ping_interval is unknown: did you mean engine.ping_interval?",
            ),
            (
                "x",
                "1",
                "the setting x is unknown: the keys are <section>.<key>, such as engine.ping_interval",
            ),
        ] {
            assert_eq!(wrong(key, value), message);
        }
        let message = wrong("server.port", "many");
        assert!(
            message.starts_with("the setting server.port is wrong: "),
            "{message}"
        );
    }
}
