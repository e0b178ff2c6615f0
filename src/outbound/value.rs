//! Values in JSON, where binary is `{"$binary": "<base64>"}`.
//!
//! An object with this one member is binary; any other is an object. So that an object of that very shape can be said
//! too, one whose only member is named `$$binary` stands for one with `$binary`, `$$$binary` for `$$binary`, and so on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::protocol::socketio::Value;

/// Whether a name is `binary` with this many `$` or more before it.
fn is_marked(name: &str, least: usize) -> bool {
    let dollars = name.strip_suffix("binary").unwrap_or("-");
    dollars.len() >= least && dollars.bytes().all(|byte| byte == b'$')
}

/// What a value is in JSON.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(value) => Json::Number(value.clone()),
        Value::String(value) => Json::String(value.clone()),
        Value::Binary(bytes) => serde_json::json!({ "$binary": STANDARD.encode(bytes) }),
        Value::Array(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Object(members) => {
            let is_only = members.len() == 1;
            let members = members.iter().map(|(name, member)| {
                let is_escaped = is_only && is_marked(name, 1);
                let name = [if is_escaped { "$" } else { "" }, name].concat();
                (name, to_json(member))
            });
            Json::Object(members.collect())
        }
    }
}

/// What JSON stands for.
///
/// # Errors
/// What is marked as binary is none.
pub(crate) fn from_json(json: Json) -> Result<Value, &'static str> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(value) => Value::Number(value),
        Json::String(value) => Value::String(value),
        Json::Array(items) => {
            Value::Array(items.into_iter().map(from_json).collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let is_only = members.len() == 1;
            let mut object = indexmap::IndexMap::with_capacity(members.len());
            for (name, member) in members {
                if is_only && name == "$binary" {
                    let Json::String(text) = member else {
                        return Err("the value of `$binary` is not a text");
                    };
                    let bytes = STANDARD
                        .decode(text)
                        .map_err(|_| "the value of `$binary` is not base64 with padding")?;
                    return Ok(Value::Binary(bytes.into()));
                }
                let is_escaped = is_only && is_marked(&name, 2);
                let name = name[usize::from(is_escaped)..].to_owned();
                object.insert(name, from_json(member)?);
            }
            Value::Object(object)
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn binary_is_an_object_of_one_member() {
        let read = |json: &str| from_json(serde_json::from_str(json).unwrap());
        let bytes = bytes::Bytes::from_static(&[1, 2, 255]);
        assert_eq!(read(r#"{"$binary":"AQL/"}"#), Ok(Value::Binary(bytes)));
        for same in [r#"{"$binary":"AQ==","more":1}"#, r#"{"binary":1}"#] {
            assert_eq!(read(same), Ok(serde_json::from_str(same).unwrap()));
        }
        let escaped = serde_json::from_str(r#"{"$binary":"x"}"#).unwrap();
        assert_eq!(read(r#"{"$$binary":"x"}"#), Ok(escaped));
        for wrong in [r#"{"$binary":7}"#, r#"[{"$binary":"AQ"}]"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[a-z$]{0,8}".prop_map(Value::from),
            prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| Value::Binary(bytes.into())),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec(("\\${0,3}(binary|b)", inner), 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back_as_it_was(value in any_value()) {
            prop_assert_eq!(from_json(to_json(&value)), Ok(value));
        }
    }
}
