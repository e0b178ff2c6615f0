//! What is known of an array at a glance, beside what `serde_json` sees.

use proptest::{collection::vec, prelude::*};

use super::super::{json, json_plain};

#[test]
fn what_is_wrong_or_rare_is_left_to_serde_json() {
    let wrong = [
        "",
        "[",
        "]",
        "[1",
        "1",
        "{}",
        "[}",
        "[1}",
        "[[]",
        "[]]",
        "[] x",
        "[,]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1:2]",
        "[{]}",
        "[{]",
        "[{\"a\"}]",
        "[{\"a\" 1}]",
        "[{\"a\":}]",
        "[{\"a\":1,}]",
        "[{1:1}]",
        "[\"a\":1]",
        "[{\"a\":1]",
        "[tru]",
        "[truee]",
        "[nul]",
        "[TRUE]",
        "[-]",
        "[01]",
        "[-01]",
        "[+1]",
        "[1.]",
        "[.5]",
        "[1.e1]",
        "[1e]",
        "[1e+]",
        "[\"]",
        "[\"a]",
        "[\"\\\"]",
        "[\"\\x\"]",
        "[\"\u{1}\"]",
        "[\"eight or more \u{1f} of them\"]",
        "[\"\\u12\"]",
        "[\u{a0}1]",
        "[\0]",
    ];
    for text in wrong {
        assert_eq!(json_plain::array(text), None, "{text:?}");
        assert!(json::any_array(text).is_err(), "{text:?}");
    }
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let rare = [
        " []".to_owned(),
        "[] ".to_owned(),
        r#"["\u00e9"]"#.to_owned(),
        nested(66),
    ];
    for text in rare {
        assert_eq!(json_plain::array(&text), None, "{text:?}");
        assert!(json::any_array(&text).is_ok(), "{text:?}");
    }
    assert_eq!(
        json_plain::array(&nested(65)),
        json::any_array(&nested(65)).ok()
    );
}

proptest! {
    #[test]
    fn what_is_accepted_at_a_glance_is_what_serde_json_sees(text in almost_array()) {
        if let Some(shape) = json_plain::array(&text) {
            prop_assert_eq!(Ok(shape), json::any_array(&text));
        }
    }

    #[test]
    fn what_clients_write_is_seen_at_a_glance(values in vec(any_json(), 0..6), is_pretty in any::<bool>()) {
        let text = if is_pretty {
            serde_json::to_string_pretty(&values).unwrap()
        } else {
            serde_json::to_string(&values).unwrap()
        };
        prop_assert_eq!(json_plain::array(&text), json::any_array(&text).ok());
    }
}

/// Text that is often a JSON array, or nearly.
fn almost_array() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("[1]".to_owned()),
        Just("{\"a\":".to_owned()),
        Just("\"a long plain text é\"".to_owned()),
        r#"[\[\]{}":, 0-9.eE+\-aé\\/\n\t\x01]"#,
        r#"-?[0-9]{1,3}(\.[0-9]{1,2})?([eE][+-]?[0-9])?"#,
        r#""[ -~é\n]{0,20}""#,
        r#"true|false|null|tru|"\\u00e9"|"\\[nrtbfux/"\\]""#,
        r"\[|\]|\{|\}|,|:| |\n",
    ];
    prop_oneof![
        vec(token, 0..12).prop_map(|tokens| format!("[{}]", tokens.concat())),
        (vec(any_json(), 0..6), 0..80_usize, any::<char>()).prop_map(|(values, at, symbol)| {
            let mut text = serde_json::Value::from(values).to_string();
            if let Some((at, _)) = text.char_indices().nth(at) {
                text.insert(at, symbol);
            }
            text
        }),
    ]
}

/// Any JSON.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        "[ -~é€\n\t]{0,20}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 30, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            vec(("[ -~é]{0,12}", inner), 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}
