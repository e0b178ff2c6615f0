//! `greenroom emit`: one message to the clients or the servers of a cluster.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use bytes::Bytes;
use clap::builder::NonEmptyStringValueParser as NonEmpty;
use clap::{ArgGroup, Args};
use greenroom::config::Source;
use greenroom::protocol::adapter::MAX_DEPTH;
use greenroom::{Emitter, EmitterError, Value};

use super::{Failure, Which};

const EXAMPLES: &str = "\
Examples:
  greenroom emit news 'It works.'
  greenroom emit --to red --to blue --except muted score '{\"home\":1}' 2
  greenroom emit --nsp /chat --to red picture --binary cat.png
  greenroom emit --to red --join purple
  greenroom emit --to red --disconnect --close
  greenroom emit --server-side forget everything

Arguments that begin with a minus and are no numbers follow `--`.";

/// What is no event. (`requires = "event"` would not do: clap requires nothing that is in conflict with what is there.)
const ORDERS: [&str; 3] = ["join", "leave", "disconnect"];

/// Send an event to clients, or make them join, leave or go, through Redis
///
/// Ends when Redis has the message. Whether anybody heard it is not known.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group(ArgGroup::new("what").required(true).args(["event", "join", "leave", "disconnect"]))
)]
pub(super) struct Emit {
    /// Name of the event
    #[arg(value_name = "EVENT")]
    event: Option<String>,
    /// Its arguments: those that are JSON as what they say, others as text
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    args: Vec<String>,
    /// The namespace
    #[arg(long, value_name = "NAME", default_value = "/")]
    nsp: String,
    // Of the ids of sockets, one in 64 begins with a minus.
    /// Only to the sockets in this room, or with this id; may be repeated
    #[arg(long, value_name = "ROOM", value_parser = NonEmpty::new(), allow_hyphen_values = true)]
    to: Vec<String>,
    /// Without the sockets in this room, or with this id; may be repeated
    #[arg(long, value_name = "ROOM", value_parser = NonEmpty::new(), allow_hyphen_values = true)]
    except: Vec<String>,
    /// Not to clients that cannot take it at once
    #[arg(long, conflicts_with_all = ORDERS)]
    volatile: bool,
    /// One more argument, binary: what is in this file; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with_all = ORDERS)]
    binary: Vec<PathBuf>,
    /// One more argument, binary: what comes on the standard input
    #[arg(long, conflicts_with_all = ORDERS, conflicts_with = "binary")]
    binary_stdin: bool,
    /// No event: make the sockets join this room; may be repeated
    #[arg(long, value_name = "ROOM", value_parser = NonEmpty::new(), allow_hyphen_values = true)]
    join: Vec<String>,
    /// No event: make the sockets leave this room; may be repeated
    #[arg(long, value_name = "ROOM", value_parser = NonEmpty::new(), allow_hyphen_values = true)]
    leave: Vec<String>,
    /// No event: disconnect the sockets from the namespace
    #[arg(long)]
    disconnect: bool,
    /// With --disconnect: end their whole sessions
    #[arg(long, conflicts_with_all = ["event", "join", "leave"])]
    close: bool,
    /// To the handlers of the servers, not to clients
    #[arg(long, conflicts_with_all = ORDERS, conflicts_with_all = ["to", "except", "volatile"])]
    server_side: bool,
    #[command(flatten)]
    which: Which,
}

impl Emit {
    pub(super) fn run(self, source: Source) -> Result<(), Failure> {
        let Self { which, nsp, .. } = self;
        let (config, endpoints) = which.settings(source)?;
        let emitter = Emitter::new(endpoints.publish)
            .key(&config.redis.key)
            .timeout(config.redis.connect_timeout)
            .of(&nsp);
        let args = event_args(&self.args, binary(self.binary, self.binary_stdin)?)?;
        let mut whom = emitter.to(self.to).except(self.except);
        if self.volatile {
            whom = whom.volatile();
        }
        let sent = async {
            match self.event {
                Some(event) if self.server_side => {
                    emitter.server_side_emit_args(&event, &args).await
                }
                Some(event) => whom.emit_args(&event, &args).await,
                None if self.disconnect => whom.disconnect_sockets(self.close).await,
                None if self.leave.is_empty() => whom.sockets_join(self.join).await,
                None => whom.sockets_leave(self.leave).await,
            }
        };
        Ok(actix_rt::System::new().block_on(sent)?)
    }
}

/// What was given as binary, in order.
fn binary(files: Vec<PathBuf>, is_on_stdin: bool) -> Result<Vec<Bytes>, Failure> {
    if is_on_stdin {
        let mut content = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut content);
        read.map_err(|source| Failure::File {
            path: "the standard input".into(),
            source,
        })?;
        return Ok(vec![content.into()]);
    }
    files
        .into_iter()
        .map(|path| match fs::read(&path) {
            Ok(content) => Ok(content.into()),
            Err(source) => Err(Failure::File { path, source }),
        })
        .collect()
}

/// The arguments as they were typed, and binary behind them.
fn event_args(texts: &[String], binary: Vec<Bytes>) -> Result<greenroom::Args, Failure> {
    let items: Vec<String> = texts.iter().map(|text| json(text)).collect();
    let args = greenroom::Args::from_json(&format!("[{}]", items.join(",")).into())?;
    if binary.is_empty() {
        return Ok(args);
    }
    if args.is_deeper_than(MAX_DEPTH) {
        return Err(EmitterError::TooDeep.into());
    }
    let mut values = args.to_values()?;
    values.extend(binary.into_iter().map(Value::Binary));
    Ok(greenroom::Args::from_vec(values))
}

/// A text that is one JSON value, as it is; another as a JSON string.
fn json(text: &str) -> String {
    // The array decides, so that a text which closes it is none.
    let parsed = greenroom::Args::from_json(&format!("[{text}]").into());
    match parsed {
        Ok(args) if args.len() == 1 => text.to_owned(),
        _ => serde_json::Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_json_and_the_rest_is_text() {
        for (text, expected) in [
            ("1", "1"),
            ("-5", "-5"),
            ("1.50", "1.50"),
            ("true", "true"),
            ("null", "null"),
            (r#""quoted""#, r#""quoted""#),
            (r#"{"a":[1,2]}"#, r#"{"a":[1,2]}"#),
            ("hello", r#""hello""#),
            ("1,2", r#""1,2""#),
            ("", r#""""#),
            ("[1],[2]", r#""[1],[2]""#),
            ("1],[2", r#""1],[2""#),
            ("say \"x\"\n", r#""say \"x\"\n""#),
            ("True", r#""True""#),
            ("01", r#""01""#),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn binary_comes_last() {
        let texts = ["x".to_owned(), r#"{"num":0}"#.to_owned()];
        let args = event_args(&texts, vec![Bytes::from_static(&[1, 2])]).unwrap();
        let values = args.to_values().unwrap();
        assert_eq!(values.len(), 3);
        assert_eq!(values[0], Value::String("x".to_owned()));
        assert_eq!(values[1].member("num"), Some(&Value::Number(0.into())));
        assert_eq!(values[2], Value::Binary(Bytes::from_static(&[1, 2])));
    }

    #[test]
    fn nesting_is_bounded_before_it_is_followed() {
        let deep = "[".repeat(50_000) + &"]".repeat(50_000);
        let refused = event_args(&[deep], vec![Bytes::new()]);
        assert!(matches!(
            refused,
            Err(Failure::Emitter(EmitterError::TooDeep))
        ));
    }
}
