//! Values that a variable does not have itself: it names the file they are in.

use std::fs::File;
use std::io::Read;

use super::{FALLBACKS, OF_FILE, PREFIX, is_key};
use crate::config::ConfigError;

/// No value is longer; who names a device or a log by mistake gets an answer.
const LONGEST: u64 = 64 * 1024;

/// The variable in whose place this one names a file, if it does: `GREENROOM_REDIS__URI` for `GREENROOM_REDIS__URI_FILE`.
/// A key whose own name ends like that is meant itself.
pub(super) fn key_of(name: &str) -> Option<&str> {
    let key = name.strip_suffix(OF_FILE)?;
    if FALLBACKS.iter().any(|(known, _)| *known == key) {
        return Some(key);
    }
    let is_ours = |name: &str| name.strip_prefix(PREFIX).is_some_and(is_key);
    (is_ours(key) && !is_ours(name)).then_some(key)
}

/// What is in the file, without the ends of lines that editors put behind it.
pub(super) fn read(variable: &str, path: &str) -> Result<String, ConfigError> {
    let wrong = |problem: String| ConfigError::Environment {
        name: variable.to_owned(),
        problem,
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
    match read {
        Err(err) => Err(wrong(format!(
            "names the file {path}, which cannot be read: {err}"
        ))),
        Ok(n_bytes) if n_bytes as u64 > LONGEST => Err(wrong(format!(
            "names the file {path}, which has more than {LONGEST} bytes"
        ))),
        Ok(_) => match text.trim_end_matches(['\r', '\n']) {
            "" => Err(wrong(format!("names the file {path}, which is empty"))),
            value => Ok(value.to_owned()),
        },
    }
}
