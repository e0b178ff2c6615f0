//! Captured bytes of other servers and emitters, junk, properties.
//!
//! The captures are of `@socket.io/redis-adapter` 8.3.0, `socket.io-redis` 5.4.0 and 1.1.1, the emitters of JavaScript from 1.1.0 to
//! 5.1.0, and two of Python.

mod broadcasts;
mod junk;
mod legacy;
mod properties;
mod requests;
mod responses;

use std::time::Duration;

use bytes::Bytes;

use super::{
    response_encode::{Id, Numbering},
    *,
};
use crate::protocol::socketio::{Args, Value};

/// Bytes written as hex.
fn hex(text: &str) -> Bytes {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect::<Vec<_>>()
        .into()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A payload as it is written here: JSON, or hex behind `b:`.
fn payload(text: &str) -> Bytes {
    match text.strip_prefix("b:") {
        Some(digits) => hex(digits),
        None => Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// The values in a JSON array, in which `{"$b":"0102"}` is binary.
fn values(json: &str) -> Vec<Value> {
    fn revive(value: &mut Value) {
        if let Some(bytes) = value.member("$b").and_then(Value::as_str) {
            *value = Value::Binary(hex(bytes));
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(revive),
            Value::Object(members) => members.values_mut().for_each(revive),
            _ => {}
        }
    }
    let mut values: Vec<Value> = serde_json::from_str(json).unwrap();
    values.iter_mut().for_each(revive);
    values
}

/// Arguments, in the form that is read from this wire.
fn args(json: &str) -> Args {
    Args::from_vec(values(json)).to_dialect(crate::protocol::socketio::Dialect::Msgpack)
}

/// Options from `{"rooms":[..],"except":[..],"flags":{..}}`.
fn opts(json: &str) -> Opts {
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let names = |name: &str| -> Names {
        let names = json[name].as_array().into_iter().flatten();
        names
            .map(|name| match name {
                serde_json::Value::String(name) => name.as_str().into(),
                other => other.to_string().into(),
            })
            .collect()
    };
    let flag = |name: &str| json["flags"][name].as_bool();
    Opts {
        rooms: names("rooms"),
        except: names("except"),
        flags: OptFlags {
            volatile: flag("volatile").unwrap_or(false),
            compress: flag("compress"),
            timeout: json["flags"]["timeout"].as_u64().map(Duration::from_millis),
            expect_single_response: flag("expectSingleResponse").unwrap_or(false),
        },
    }
}

fn current(id: &str, uid: Option<&'static str>) -> Asker {
    Asker::new(Numbering::Current, Id::Text(id.into()), uid.map(Into::into))
}

fn old(id: &str) -> Asker {
    Asker::new(Numbering::Old, Id::Text(id.into()), None)
}
