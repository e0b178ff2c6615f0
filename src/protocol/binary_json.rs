//! Values in plain JSON, as backends write and read them: binary is `{"$binary": "<base64>"}`.
//!
//! An object with this one member is binary; any other is an object. So that an object of that very shape can be said
//! too, one whose only member is named `$$binary` stands for one with `$binary`, `$$$binary` for `$$binary`, and so on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::socketio::Value;

const BINARY: &str = "binary";

/// How many `$` a name begins with that ends in `binary` behind them; 0 for any other name.
fn dollars(name: &str) -> usize {
    match name.strip_suffix(BINARY) {
        Some(dollars) if dollars.bytes().all(|byte| byte == b'$') => dollars.len(),
        _ => 0,
    }
}

/// What a value that was read as JSON stands for.
///
/// # Errors
/// What is marked as binary is none.
pub(crate) fn decode(value: Value) -> Result<Value, &'static str> {
    Ok(match value {
        Value::Array(items) => {
            Value::Array(items.into_iter().map(decode).collect::<Result<_, _>>()?)
        }
        Value::Object(mut members) => {
            let only = (members.len() == 1).then(|| members.pop()).flatten();
            match only {
                Some((name, value)) => match (dollars(&name), value) {
                    (1, Value::String(text)) => STANDARD
                        .decode(text)
                        .map(|bytes| Value::Binary(bytes.into()))
                        .map_err(|_| "the value of `$binary` is not base64 with padding")?,
                    (1, _) => return Err("the value of `$binary` is not a text"),
                    (0, value) => {
                        members.insert(name, decode(value)?);
                        Value::Object(members)
                    }
                    (_, value) => {
                        members.insert(name[1..].to_owned(), decode(value)?);
                        Value::Object(members)
                    }
                },
                None => {
                    for member in members.values_mut() {
                        *member = decode(std::mem::take(member))?;
                    }
                    Value::Object(members)
                }
            }
        }
        other => other,
    })
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
            let is_escaped = |name: &str| members.len() == 1 && dollars(name) > 0;
            let members = members.iter().map(|(name, member)| {
                let name = match is_escaped(name) {
                    true => format!("${name}"),
                    false => name.clone(),
                };
                (name, to_json(member))
            });
            Json::Object(members.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Result<Value, &'static str> {
        decode(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn binary_is_an_object_of_one_member() {
        for (json, expected) in [
            (
                r#"{"$binary":"AQL/"}"#,
                Value::Binary(Bytes::from_static(&[1, 2, 255])),
            ),
            (r#"{"$binary":""}"#, Value::Binary(Bytes::new())),
        ] {
            assert_eq!(read(json), Ok(expected));
        }
        for (json, means) in [
            (
                r#"{"$binary":"AQ==","more":1}"#,
                r#"{"$binary":"AQ==","more":1}"#,
            ),
            (r#"{"$$binary":"x"}"#, r#"{"$binary":"x"}"#),
            (
                r#"{"$$$binary":[{"$$binary":1}]}"#,
                r#"{"$$binary":[{"$binary":1}]}"#,
            ),
            (r#"{"binary":1}"#, r#"{"binary":1}"#),
            (r#"{"$Binary":1}"#, r#"{"$Binary":1}"#),
        ] {
            let means: Value = serde_json::from_str(means).unwrap();
            assert_eq!(read(json), Ok(means), "{json}");
        }
        for (json, problem) in [
            (
                r#"[0,{"$binary":"AQ"}]"#,
                "the value of `$binary` is not base64 with padding",
            ),
            (
                r#"[{"a":[{"$binary":"_-8="}]}]"#,
                "the value of `$binary` is not base64 with padding",
            ),
            (r#"[{"$binary":7}]"#, "the value of `$binary` is not a text"),
        ] {
            assert_eq!(read(json).expect_err(json), problem);
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
            let json = to_json(&value).to_string();
            prop_assert_eq!(read(&json), Ok(value));
        }
    }
}
