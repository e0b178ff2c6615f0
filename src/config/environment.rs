//! Settings in environment variables.
//!
//! A variable is merged into the table of the file before that becomes settings, so that there is no list of keys here:
//! what serde takes from a file it takes from the environment too.

mod file;

use std::ffi::OsString;

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    ConfigError,
    read::{RawConfig, nearest, unknown_key},
    secrets,
};

/// What our variables begin with.
const PREFIX: &str = "GREENROOM_";

/// Variables that others set for us, and the keys they are for.
const FALLBACKS: &[(&str, [&str; 2])] = &[
    ("HOST", ["server", "host"]),
    ("PORT", ["server", "port"]),
    ("REDIS_URL", ["redis", "uri"]),
];

/// What the name of a variable ends in that names a file with the value: secrets come as files from Docker and Kubernetes.
const OF_FILE: &str = "_FILE";

/// Keys that are one address together.
const ADDRESS: &[&str] = &["uri", "socket", "host", "port"];

/// Who says something; the later is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A variable of [`FALLBACKS`].
    Fallback,
    /// One of our variables.
    Own,
    /// A word of the command line, or of a program.
    Said,
}

/// Something that sets a key, and is stronger than the file: a variable, mostly.
pub(super) struct Variable {
    rank: Rank,
    /// As it was written: `GREENROOM_SERVER__PORT`, or `server.port` if it was said.
    name: String,
    path: Vec<String>,
    value: String,
}

impl Variable {
    /// What was said on the command line, or in code: `engine.ping_interval`, `10s`.
    pub(super) fn said(key: &str, value: &str) -> Self {
        Self {
            rank: Rank::Said,
            name: key.to_owned(),
            path: key.split('.').map(str::to_owned).collect(),
            value: value.to_owned(),
        }
    }
}

/// The variables that set something, the weakest first.
pub(super) fn relevant(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<Variable>, ConfigError> {
    let mut found = Vec::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else {
            continue;
        };
        let named = file::key_of(&name);
        let key = named.unwrap_or(&name);
        let fallback = FALLBACKS.iter().position(|(known, _)| *known == key);
        let ours = key.strip_prefix(PREFIX);
        let (rank, path): (Rank, Vec<String>) = match (fallback, ours) {
            (Some(at), _) => (Rank::Fallback, FALLBACKS[at].1.map(str::to_owned).into()),
            (None, Some(key)) => (
                Rank::Own,
                key.to_ascii_lowercase()
                    .split("__")
                    .map(str::to_owned)
                    .collect(),
            ),
            (None, None) => continue,
        };
        let Ok(value) = value.into_string() else {
            return Err(ConfigError::Environment {
                name,
                problem: "is not UTF-8".to_owned(),
            });
        };
        let is_set_by_kubernetes = ours.is_some_and(|key| is_of_kubernetes(key, &value));
        if value.is_empty() || is_set_by_kubernetes {
            continue;
        }
        let value = match named {
            Some(_) => file::read(&name, &value)?,
            None => value,
        };
        found.push(Variable {
            rank,
            name,
            path,
            value,
        });
    }
    // Names make the order, and so which error is told first, the same each time.
    found.sort_by(|one, other| {
        (one.rank, &one.path, &one.name).cmp(&(other.rank, &other.path, &other.name))
    });
    for pair in found.windows(2) {
        if let [one, other] = pair
            && (one.rank, &one.path) == (other.rank, &other.path)
        {
            return Err(ConfigError::Environment {
                name: other.name.clone(),
                problem: format!("says the same as {}: unset one of them", one.name),
            });
        }
    }
    Ok(found)
}

/// Whether Kubernetes has set a variable for a service whose name begins with `greenroom`.
///
/// **Source**: "Environment variables" of services in the documentation of Kubernetes: `<NAME>_SERVICE_HOST`,
/// `<NAME>_SERVICE_PORT`, `<NAME>_SERVICE_PORT_<PORT>`, `<NAME>_PORT`, `<NAME>_PORT_<NUMBER>_<PROTOCOL>` and the latter
/// with `_PROTO`, `_PORT` and `_ADDR`.
fn is_of_kubernetes(key: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    let is_detail = ["_TCP_", "_UDP_", "_SCTP_"].iter().any(|protocol| {
        key.split_once(protocol)
            .is_some_and(|(_, detail)| ["PROTO", "PORT", "ADDR"].contains(&detail))
    });
    !key.contains("__")
        && (key.ends_with("SERVICE_HOST") || key.contains("SERVICE_PORT") || is_url || is_detail)
}

/// The file with the variables on top: as it would have been written, and as settings that are not judged yet.
pub(super) fn merged(
    text: &str,
    variables: &[Variable],
) -> Result<(Table, RawConfig), ConfigError> {
    let mut table: Table = text
        .parse()
        .map_err(|err: toml::de::Error| ConfigError::Parse {
            message: secrets::hidden(&err.to_string()),
        })?;
    let is_address = |path: &[String]| matches!(path, [section, key] if section == "redis" && ADDRESS.contains(&key.as_str()));
    let clear = |table: &mut Table| {
        if let Some(Value::Table(redis)) = table.get_mut("redis") {
            redis.retain(|key, _| !ADDRESS.contains(&key));
        }
    };
    for rank in [Rank::Fallback, Rank::Own, Rank::Said] {
        let of_rank = || variables.iter().filter(|variable| variable.rank == rank);
        // One address takes the place of another, not of a part of it.
        if of_rank().any(|variable| is_address(&variable.path)) {
            clear(&mut table);
        }
        for variable in of_rank() {
            table = set(&table, variable)?;
        }
    }
    let raw = RawConfig::deserialize(table.clone()).map_err(|err| ConfigError::Parse {
        message: secrets::hidden(&err.to_string()),
    })?;
    Ok((table, raw))
}

/// The table with one variable more. The table becomes settings each time, so that an error is told of its variable.
fn set(table: &Table, variable: &Variable) -> Result<Table, ConfigError> {
    let typed = variable.value.parse::<Value>();
    let text = Value::String(variable.value.clone());
    // A text that looks like a number is a number to TOML: `GREENROOM_REDIS__KEY=1`.
    let candidates = match typed {
        Ok(typed) if typed != text => vec![typed, text],
        _ => vec![text],
    };
    let mut first = None;
    for value in candidates {
        let mut table = table.clone();
        insert(&mut table, &variable.path, value);
        match RawConfig::deserialize(table.clone()) {
            Ok(_) => return Ok(table),
            Err(err) => first = first.or(Some(err)),
        }
    }
    let problem = first.map_or_else(String::new, |err| explained(variable, err.message()));
    let name = variable.name.clone();
    Err(match variable.rank {
        Rank::Said => ConfigError::Said { name, problem },
        Rank::Fallback | Rank::Own => ConfigError::Environment { name, problem },
    })
}

fn insert(table: &mut Table, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let entry = table
        .entry(first.clone())
        .or_insert_with(|| Value::Table(Table::new()));
    if !entry.is_table() {
        *entry = Value::Table(Table::new());
    }
    if let Value::Table(table) = entry {
        insert(table, rest, value);
    }
}

fn explained(variable: &Variable, message: &str) -> String {
    let is_known = || is_key(&variable.path.join("__"));
    if unknown_key(message).is_none() || is_known() {
        return format!("is wrong: {}", secrets::hidden(message));
    }
    let is_said = variable.rank == Rank::Said;
    let names: Vec<String> = keys(&mut Vec::new())
        .iter()
        .map(|key| match is_said {
            true => key.replace("__", "."),
            false => format!("{PREFIX}{}", key.to_ascii_uppercase()),
        })
        .collect();
    let plain: Vec<&str> = names.iter().map(String::as_str).collect();
    let between = if is_said { "." } else { "__" };
    let last = |name: &str| name.rsplit(between).next().unwrap_or_default().to_owned();
    // Who forgot the section has the key right.
    let wanted = variable.name.trim_start_matches(PREFIX);
    let by_key: Vec<&&str> = plain
        .iter()
        .filter(|name| last(name).eq_ignore_ascii_case(wanted))
        .collect();
    match (by_key.as_slice(), nearest(&variable.name, &plain)) {
        ([], Some(name)) => format!("is unknown: did you mean {name}?"),
        ([], None) if is_said => {
            "is unknown: the keys are <section>.<key>, such as engine.ping_interval".to_owned()
        }
        ([], None) => format!(
            "is unknown: the names are {PREFIX}<SECTION>__<KEY>, such as {PREFIX}ENGINE__PING_INTERVAL"
        ),
        (names, _) => {
            let names: Vec<&str> = names.iter().map(|name| **name).collect();
            format!("is unknown: did you mean {}?", names.join(" or "))
        }
    }
}

/// Whether there is a key of this name, as in names of variables.
fn is_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    keys(&mut Vec::new()).contains(&name)
}

/// All keys that there are, as in names of variables but in lower case: serde tells those of a section when it meets one
/// it does not know.
fn keys(section: &mut Vec<String>) -> Vec<String> {
    let mut table = Table::new();
    let mut probe = section.clone();
    probe.push("?".to_owned());
    insert(&mut table, &probe, Value::Boolean(true));
    let Err(err) = RawConfig::deserialize(table) else {
        return Vec::new();
    };
    let Some((_, known)) = unknown_key(err.message()) else {
        // No section: a key.
        return vec![section.join("__")];
    };
    known
        .into_iter()
        .flat_map(|key| {
            section.push(key.to_owned());
            let found = keys(section);
            section.pop();
            found
        })
        .collect()
}

#[cfg(test)]
mod tests;
