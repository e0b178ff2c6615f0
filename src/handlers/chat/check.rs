//! What names, rooms, texts, ids and tokens have to look like. Lengths are counted in Unicode scalar values.

use crate::prelude::Room;

/// A person's name: white space joined, nothing in it that is invisible or turns the direction of the text around it.
/// `None` if it cannot be one.
pub(super) fn name(text: &str, max_chars: usize) -> Option<String> {
    // White space at the ends and between the words may be anything, so the cap is on the bytes looked at as well.
    if text.len() > max_chars * 16 {
        return None;
    }
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let n_chars = name.chars().count();
    let is_plain = !name.chars().any(|c| c.is_control() || is_invisible(c));
    (is_plain && (1..=max_chars).contains(&n_chars)).then_some(name)
}

/// Characters without a shape of their own, and those that change the direction of what follows.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        // Soft hyphen, joiner of graphemes, fillers of Hangul, vowels of Khmer that are not to be seen.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        // Zero width and direction.
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        // An empty Braille pattern, more fillers, the byte order mark, annotations.
        | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        // Musical formatting, tags and the variation selectors behind them.
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A room's name in its one spelling: lower case, letters and digits of any script, `-` and `_`, not first. `None` if it
/// cannot be one.
pub(super) fn room(text: &str, max_chars: usize) -> Option<Room> {
    if text.len() > max_chars * 4 {
        return None;
    }
    let name = text.to_lowercase();
    let is_fit = name
        .chars()
        .enumerate()
        .all(|(index, c)| c.is_alphanumeric() || (index > 0 && matches!(c, '-' | '_')));
    let n_chars = name.chars().count();
    (is_fit && (1..=max_chars).contains(&n_chars)).then(|| name.into())
}

/// A message's text without white space around it. `None` if it has control characters other than line feed and tab.
pub(super) fn text(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    (!text.contains(is_control)).then_some(text)
}

/// Whether it can be the id of a message.
pub(super) fn is_message_id(id: &str) -> bool {
    (8..=40).contains(&id.len()) && is_url_safe(id)
}

/// Whether it can be the secret of a browser.
pub(super) fn is_token(token: &str) -> bool {
    (16..=64).contains(&token.len()) && is_url_safe(token)
}

fn is_url_safe(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_tidied_or_refused() {
        for (given, kept) in [
            ("Ada", Some("Ada")),
            ("  Ada \t Lovelace\n", Some("Ada Lovelace")),
            ("<b>Ada</b><svg onload=1>", Some("<b>Ada</b><svg onload=1>")),
            ("王小明", Some("王小明")),
            ("Zoë", Some("Zoë")),
            ("", None),
            (" \t\n\u{3000}", None),
            ("a\0b", None),
            ("a\u{85}", Some("a")),
            ("a\u{9f}b", None),
            ("a\u{202e}b", None),
            ("a\u{2067}b", None),
            ("a\u{200b}b", None),
            ("\u{200d}", None),
            ("\u{3164}", None),
            ("\u{2800}", None),
            ("\u{feff}Ada", None),
            ("Ada\u{e0041}", None),
        ] {
            assert_eq!(name(given, 24).as_deref(), kept, "{given:?}");
        }
        let emoji = "🎭".repeat(24);
        assert_eq!(name(&emoji, 24), Some(emoji));
        assert_eq!(name(&"x".repeat(25), 24), None);
        assert_eq!(name(&"a ".repeat(1_000_000), 24), None);
    }

    #[test]
    fn rooms_have_one_spelling_or_none() {
        for (given, kept) in [
            ("lobby", Some("lobby")),
            ("Ünder-Stage_9", Some("ünder-stage_9")),
            ("9", Some("9")),
            ("комната", Some("комната")),
            ("楽屋", Some("楽屋")),
            ("", None),
            ("-a", None),
            ("_a", None),
            ("a b", None),
            ("a/b", None),
            ("a:b", None),
            ("user:x", None),
            ("@id", None),
            ("<b>", None),
            ("a\n", None),
            (" a", None),
        ] {
            assert_eq!(room(given, 32).as_deref(), kept, "{given:?}");
        }
        assert!(room(&"ß".repeat(32), 32).is_some());
        assert_eq!(room(&"x".repeat(33), 32), None);
        assert_eq!(room(&"x".repeat(1_000_000), 32), None);
    }

    #[test]
    fn texts_are_trimmed_and_may_have_lines_and_tabs() {
        assert_eq!(text("  hello\n\tyou \n"), Some("hello\n\tyou"));
        assert_eq!(text(" \n "), Some(""));
        assert_eq!(text("\u{202e}abc"), Some("\u{202e}abc"));
        for bad in [
            "a\u{7}b",
            "a\0",
            "a\u{1b}[31m",
            "a\r\nb",
            "a\u{7f}",
            "a\u{9b}b",
        ] {
            assert_eq!(text(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ids_and_tokens_are_url_safe_and_of_some_length() {
        assert!(is_message_id("abcd-_09"));
        assert!(is_message_id(&"x".repeat(40)));
        assert!(is_token(&"x".repeat(16)) && is_token(&"x".repeat(64)));
        for bad in [
            "",
            "short",
            "eight ch",
            "ümlauteü",
            "a/b/c/d/e",
            "12345678\n",
        ] {
            assert!(!is_message_id(bad), "{bad:?}");
        }
        assert!(!is_message_id(&"x".repeat(41)));
        assert!(!is_token(&"x".repeat(15)) && !is_token(&"x".repeat(65)));
        assert!(!is_token("with space in it!!"));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_kept_again(given in "\\PC{0,40}|[ -~]{0,40}|.{0,40}") {
            if let Some(kept) = name(&given, 24) {
                prop_assert_eq!(name(&kept, 24), Some(kept.clone()));
                prop_assert!((1..=24).contains(&kept.chars().count()));
            }
            if let Some(kept) = room(&given, 32) {
                prop_assert_eq!(room(&kept, 32), Some(kept.clone()));
                prop_assert!(!kept.contains(':'));
            }
            if let Some(kept) = text(&given) {
                prop_assert_eq!(text(kept), Some(kept));
            }
        }
    }
}
