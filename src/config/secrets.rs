//! Texts without the passwords in them.

/// A text that may have addresses with passwords in it, line by line with `***` in their place.
///
/// It is meant for what nobody could parse, and therefore hides rather too much: all from the beginning of an address,
/// or what looks like one, to the last `@` of the line, the value of whatever ends in `password=`, and what stands behind
/// `secret =`.
pub(super) fn hidden(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn line(line: &str) -> String {
    let mut line = line.to_owned();
    if let Some(end) = line.rfind('@') {
        let before = &line[..end];
        let start = match (before.find("://"), before.find(['"', '\'', '`', '='])) {
            (Some(at), _) => at + 3,
            (None, Some(at)) => at + 1,
            (None, None) => 0,
        };
        line.replace_range(start..end, "***");
    }
    let mut from = 0;
    while let Some(at) = line[from..].find("password=") {
        let start = from + at + "password=".len();
        let length = line[start..].find(['&', '"', '\'', '`', '#']);
        let end = length.map_or(line.len(), |length| start + length);
        line.replace_range(start..end, "***");
        from = start + 3;
    }
    if let Some(at) = line.find("secret")
        && let Some(equals) = line[at..].find('=')
    {
        line.replace_range(at + equals + 1.., " ***");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_password_is_left() {
        for text in [
            "redis://:s3cret@h",
            "redis://user:s3cret@h:1/2",
            "redis://s3cret@h",
            "redis://:s3@cret@h",
            "redis://:s3 cret@h",
            "uri = \"redis://:s3cret@h",
            "uri = \"user:s3cret@h\"",
            "user:s3cret@h",
            "redis+sentinel://h/m?sentinel_password=s3cret",
            "redis+sentinel://:s3cret@h/m?sentinel_password=s3cret&protocol=resp3",
            "TOML parse error at line 1\n  |\n1 | uri = 'redis://:s3cret@h\n  | ^^^",
        ] {
            let hidden = hidden(text);
            assert!(!hidden.contains("s3"), "{hidden}");
            assert!(!hidden.contains("cret"), "{hidden}");
            assert!(hidden.contains("***"), "{hidden}");
        }
    }

    #[test]
    fn nothing_behind_a_secret_is_left() {
        for text in [
            "3 | secret = \"hunter2\"",
            "3 | 'secret'= ['hunter2']",
            "3 | a = { secret = \"hunter2",
        ] {
            let hidden = hidden(text);
            assert!(!hidden.contains("hunter2"), "{hidden}");
            assert!(hidden.ends_with("= ***"), "{hidden}");
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["", "localhost:6379", "redis://h/1?protocol=resp3\n | ^"] {
            assert_eq!(hidden(text), text);
        }
    }
}
