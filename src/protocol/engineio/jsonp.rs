//! JSONP polling: a payload as a script, and a payload out of a form.
//!
//! Source: v3.md, "JSONP"; `engine.io/lib/transports/polling-jsonp.ts`. The reference offers it in v4 as well.

use super::query::form_pairs;

/// Number of the callback that a JSONP client waits with, the `j` query parameter. It is the one of the handshake, for
/// the life of the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonpIndex(u64);

impl JsonpIndex {
    /// Keeps the digits of the parameter and nothing else, since they become part of a script.
    #[must_use]
    pub(super) fn from_param(param: &str) -> Self {
        let digits = param.bytes().filter(u8::is_ascii_digit);
        Self(digits.fold(0, |index, digit| {
            index.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
        }))
    }
}

/// Wraps a textual payload into the script that hands it to the client.
///
/// Shape: `___eio[4]("packet data");`, the payload as a JavaScript string.
#[must_use]
pub fn encode_jsonp(index: JsonpIndex, payload: &str) -> String {
    let json = serde_json::to_string(payload).expect("a string always serializes");
    // Both are line ends within a JavaScript string, though not within a JSON one.
    let script = json
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("___eio[{}]({script});", index.0)
}

/// Takes the payload out of the body of a JSONP POST, a form with the one field `d`.
///
/// Clients write `\n` for a line feed and one backslash more in front of an `n` that already has some. `None` without
/// field `d`, or with more than one: the reference answers `ok` and does nothing.
#[must_use]
pub fn decode_jsonp_body(body: &str) -> Option<String> {
    let mut fields = form_pairs(body).filter(|(name, _)| name == "d");
    let (_, payload) = fields.next()?;
    fields.next().is_none().then(|| unescape(&payload))
}

fn unescape(escaped: &str) -> String {
    let mut text = String::with_capacity(escaped.len());
    let mut n_backslashes = 0usize;
    for character in escaped.chars() {
        match character {
            '\\' => n_backslashes += 1,
            'n' if n_backslashes == 1 => {
                text.pop();
                text.push('\n');
                n_backslashes = 0;
                continue;
            }
            'n' if n_backslashes > 1 => {
                text.pop();
                n_backslashes = 0;
            }
            _ => n_backslashes = 0,
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_digits_of_the_index_reach_the_script() {
        for (param, script) in [
            ("4", r#"___eio[4]("x");"#),
            ("0", r#"___eio[0]("x");"#),
            ("1];alert(2)//", r#"___eio[12]("x");"#),
            ("", r#"___eio[0]("x");"#),
            ("alert", r#"___eio[0]("x");"#),
        ] {
            assert_eq!(
                encode_jsonp(JsonpIndex::from_param(param), "x"),
                script,
                "{param}"
            );
        }
        let _ = JsonpIndex::from_param(&"9".repeat(1000));
    }

    // v3.md, "JSONP"; the second row is what Node's JSON.stringify and the reference's two replacements give.
    #[test]
    fn a_payload_becomes_a_javascript_string() {
        let index = JsonpIndex::from_param("4");
        assert_eq!(
            encode_jsonp(index, "packet data"),
            r#"___eio[4]("packet data");"#
        );
        assert_eq!(
            encode_jsonp(
                index,
                "a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{1e}\u{7f}\u{2028}\u{2029}é😀</script>"
            ),
            concat!(
                r#"___eio[4]("a\"b\\c\n\r\t\b\f\u0001\u001e"#,
                "\u{7f}",
                r#"\u2028\u2029é😀</script>");"#
            )
        );
    }

    // Each row was run through Node's querystring and the reference's two regular expressions.
    #[test]
    fn forms_that_the_reference_reads() {
        for (body, payload) in [
            ("d=6%3A4hello", Some("6:4hello")),
            (r"d=4a%5Cnb", Some("4a\nb")),
            (r"d=4a%5C%5Cnb", Some(r"4a\nb")),
            (r"d=4a%5C%5C%5Cnb", Some(r"4a\\nb")),
            (r"d=4a%5C%5C%5C%5Cnb", Some(r"4a\\\nb")),
            (r"d=%5Cn%5Cn%5C%5Cn", Some("\n\n\\n")),
            ("d=a+b%2B", Some("a b+")),
            ("d=", Some("")),
            ("d", Some("")),
            ("x=1&d=4a", Some("4a")),
            ("d=%zz", Some("%zz")),
            ("d=%ff", Some("\u{fffd}")),
            (r"d=%5Cm", Some(r"\m")),
            (r"d=%5C", Some(r"\")),
            ("d=a\nb", Some("a\nb")),
            ("x=1", None),
            ("", None),
            ("d=1&d=2", None),
        ] {
            assert_eq!(decode_jsonp_body(body).as_deref(), payload, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_escapes_is_read_back(text in r"(\\{0,3}[na€]|\n){0,10}") {
            // engine.io-client, polling-jsonp: first `\n` (backslash, n) gets one backslash more, then line feeds
            // become backslash and n. A backslash in front of a line feed is lost on the way, here and there.
            let escaped = text.replace("\\n", "\\\\n").replace('\n', "\\n");
            prop_assert_eq!(unescape(&escaped), text);
        }

        #[test]
        fn the_script_holds_the_payload_as_json(text: String) {
            let script = encode_jsonp(JsonpIndex::from_param("7"), &text);
            let json = script.strip_prefix("___eio[7](").and_then(|rest| rest.strip_suffix(");")).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(json).unwrap(), text);
            let has_line_end = script.contains(['\u{2028}', '\u{2029}', '\n', '\r']);
            prop_assert!(!has_line_end);
        }
    }
}
