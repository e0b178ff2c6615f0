//! Text that arrives in pieces, checked as it arrives.

use super::error::WsError;

/// The text of a message so far.
///
/// A piece may end inside a code point: the bytes of that code point wait in `split`. What can no longer
/// become UTF-8 is refused at its first wrong byte (Autobahn 6.4 asks for it, RFC 6455 8.1 allows it).
#[derive(Default)]
pub(super) struct TextBuffer {
    text: String,
    split: [u8; 4],
    n_split: usize,
}

impl TextBuffer {
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), WsError> {
        while self.n_split > 0
            && let Some((&byte, rest)) = bytes.split_first()
        {
            bytes = rest;
            self.split[self.n_split] = byte;
            self.n_split += 1;
            match prefix(&self.split[..self.n_split])? {
                "" => {}
                code_point => {
                    self.text.push_str(code_point);
                    self.n_split = 0;
                }
            }
        }

        let valid = prefix(bytes)?;
        self.text.push_str(valid);
        let split = &bytes[valid.len()..];
        if !split.is_empty() {
            self.split[..split.len()].copy_from_slice(split);
            self.n_split = split.len();
        }
        Ok(())
    }

    /// Says that no more will come.
    pub(super) const fn finish(&self) -> Result<(), WsError> {
        if self.n_split > 0 {
            Err(WsError::InvalidUtf8)
        } else {
            Ok(())
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }
}

impl From<String> for TextBuffer {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

/// The longest part of `bytes` that is text, if all that follows is a code point cut short (at most
/// three bytes).
fn prefix(bytes: &[u8]) -> Result<&str, WsError> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(err) if err.error_len().is_some() => Err(WsError::InvalidUtf8),
        Err(err) => str::from_utf8(&bytes[..err.valid_up_to()]).map_err(|_| WsError::InvalidUtf8),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fails_at(bytes: &[u8]) -> Option<usize> {
        let mut text = TextBuffer::default();
        (0..bytes.len()).find(|&i| text.push(&bytes[i..=i]).is_err())
    }

    #[test]
    fn the_first_byte_that_cannot_be_text_is_refused() {
        let table: [(&[u8], usize); 12] = [
            (b"\x80", 0),                                   // continuation byte alone
            (b"a\xff", 1),                                  // never in UTF-8
            (b"\xc0\x80", 0),                               // overlong NUL
            (b"\xc3(", 1),                                  // continuation byte missing
            (b"\xe0\x80\x80", 1),                           // overlong, three bytes
            (b"\xed\xa0\x80", 1),                           // surrogate
            (b"\xe2\x28\xa1", 1),                           // second byte
            (b"\xe2\x82\x28", 2),                           // third byte
            (b"\xf0\x80\x80\x80", 1),                       // overlong, four bytes
            (b"\xf4\x90\x80\x80", 1),                       // above U+10FFFF
            (b"\xf5\x80\x80\x80", 0),                       // above U+10FFFF
            (b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited", 6), // Autobahn 6.3.1 in spirit
        ];
        for (bytes, at) in table {
            assert_eq!(fails_at(bytes), Some(at), "{bytes:x?}");
        }
    }

    #[test]
    fn the_corners_of_unicode_pass() {
        for text in [
            "\0",
            "\x7f",
            "\u{80}",
            "\u{7ff}",
            "\u{800}",
            "\u{d7ff}",
            "\u{e000}",
            "\u{ffff}",
            "\u{10000}",
            "\u{10ffff}",
        ] {
            assert_eq!(fails_at(text.as_bytes()), None);
        }
    }

    #[test]
    fn a_code_point_cut_short_is_refused_at_the_end() {
        let mut text = TextBuffer::default();
        text.push(b"a\xf0\x9f\x98").unwrap();
        assert_eq!(text.as_str(), "a");
        assert_eq!(text.finish(), Err(WsError::InvalidUtf8));
        text.push(b"\x80").unwrap();
        assert_eq!((text.as_str(), text.finish()), ("a😀", Ok(())));
    }

    proptest! {
        #[test]
        fn in_pieces_equals_the_standard_library(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..12),
                any::<String>().prop_map(String::into_bytes),
            ],
            piece in 1..9_usize,
        ) {
            let mut text = TextBuffer::default();
            let outcome = bytes.chunks(piece).try_for_each(|piece| text.push(piece)).and_then(|()| text.finish());
            match str::from_utf8(&bytes) {
                Ok(expected) => {
                    prop_assert_eq!(outcome, Ok(()));
                    prop_assert_eq!(text.as_str(), expected);
                }
                Err(_) => prop_assert_eq!(outcome, Err(WsError::InvalidUtf8)),
            }
        }
    }
}
