//! What Redis answers, and what can go wrong with it.

use bytestring::ByteString;
use redis::{Cmd, ServerError, Value};

use crate::redis::{Cause, Link, LinkError};

/// Why nothing can be written now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The connection was not made or broke.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// Redis refuses a command.
    #[error("{} {}", .0.code(), .0.details().unwrap_or_default())]
    Refused(ServerError),
}

impl Trouble {
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Link(err) => err.cause(),
            Self::Refused(err) => Cause::of(err),
        }
    }
}

/// Whether it is about this key or this command alone, so that there is no use in waiting for better times: a key
/// of ours that somebody else uses for something else, or scripts that are forbidden (rooms that are called as
/// an id are not stored then).
pub(super) fn is_lasting(err: &ServerError) -> bool {
    let details = err.details().unwrap_or_default();
    // Older servers say what has befallen a script in the text alone.
    let passes = ["OOM ", "READONLY ", "MISCONF ", "NOREPLICAS "];
    match err.code() {
        "WRONGTYPE" => true,
        "ERR" => !passes.iter().any(|code| details.contains(code)),
        _ => Cause::of(err) == Cause::Permission && details.contains("'eval'"),
    }
}

/// Sends commands of which none may fail.
pub(super) async fn ask(link: &Link, commands: Vec<Cmd>) -> Result<Vec<Value>, Trouble> {
    let answers = link.pipeline(commands).await?;
    answers
        .into_iter()
        .map(|answer| answer.map_err(Trouble::Refused))
        .collect()
}

/// Sends commands and gives the answers that are texts in lists, each answer's as one list. A key that holds
/// something else is as good as none.
pub(super) async fn ask_members(
    link: &Link,
    commands: Vec<Cmd>,
) -> Result<Vec<Vec<ByteString>>, Trouble> {
    let answers = link.pipeline(commands).await?;
    answers
        .into_iter()
        .map(|answer| match answer {
            Ok(value) => Ok(texts(&value)),
            Err(err) if is_lasting(&err) => Ok(Vec::new()),
            Err(err) => Err(Trouble::Refused(err)),
        })
        .collect()
}

/// A command and its arguments.
pub(super) fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

pub(super) fn is_one(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Int(1) | Value::Boolean(true)))
}

pub(super) fn text(value: &Value) -> Option<ByteString> {
    match value {
        Value::BulkString(bytes) => ByteString::try_from(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.as_str().into()),
        _ => None,
    }
}

/// The texts of a list; what is none is left out: nobody of ours wrote it.
pub(super) fn texts(value: &Value) -> Vec<ByteString> {
    match value {
        Value::Array(items) | Value::Set(items) => items.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

/// One step over the members of a SET: where to go on ("0": that was all), and what was there.
pub(super) async fn scan(
    link: &Link,
    key: &str,
    cursor: &str,
    about: &str,
) -> Result<(ByteString, Vec<ByteString>), Trouble> {
    let answers = ask(link, vec![command(&["SSCAN", key, cursor, "COUNT", about])]).await?;
    let Some(Value::Array(answer)) = answers.first() else {
        return Ok(("0".into(), Vec::new()));
    };
    let next = answer.first().and_then(text).unwrap_or_else(|| "0".into());
    Ok((next, answer.get(1).map(texts).unwrap_or_default()))
}
