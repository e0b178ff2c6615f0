//! A text message that is a frame already.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use super::encoder::header;
use super::header::Opcode;

/// A text with the header of the frame that carries it in front, in one piece of memory: over a WebSocket it leaves as it
/// is, however many clients get it, and for every other way it is a text.
///
/// ```
/// use greenroom::protocol::websocket::TextFrame;
///
/// let text = TextFrame::concat(&["Hel", "lo"]);
/// assert_eq!(&*text, "Hello");
/// assert_eq!(text.frame()[..], *b"\x81\x05Hello");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TextFrame {
    frame: Bytes,
    header_len: u8,
}

impl TextFrame {
    /// The text that its parts are one after the other.
    // Hot: one exactly sized allocation, in which each part is copied once.
    #[must_use]
    pub fn concat(parts: &[&str]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum();
        let header = header(Opcode::Text, len, false);
        let mut frame = Vec::with_capacity(header.len() + len);
        frame.extend_from_slice(&header);
        for part in parts {
            frame.extend_from_slice(part.as_bytes());
        }
        debug_assert_eq!(frame.len(), frame.capacity(), "sized exactly");
        Self {
            frame: frame.into(),
            // At most ten.
            header_len: u8::try_from(header.len()).unwrap_or(u8::MAX),
        }
    }

    /// The whole frame.
    #[must_use]
    pub const fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The text as bytes. Cheaper than the text, which is looked at to be sure that it is one.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.frame[usize::from(self.header_len)..]
    }

    /// How many bytes the text has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Deref for TextFrame {
    type Target = str;

    fn deref(&self) -> &str {
        // It was made of texts.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for TextFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for TextFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl From<&str> for TextFrame {
    fn from(text: &str) -> Self {
        Self::concat(&[text])
    }
}

impl From<String> for TextFrame {
    fn from(text: String) -> Self {
        Self::concat(&[&*text])
    }
}

#[cfg(test)]
mod tests {
    use super::super::encoder::frame;
    use super::*;

    #[test]
    fn it_is_the_frame_that_is_made_of_its_text() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let text = "ä".repeat(len / 2) + &"x".repeat(len % 2);
            let framed = TextFrame::from(&*text);
            assert_eq!(framed.len(), len);
            assert_eq!(&*framed, text);
            assert_eq!(framed.as_bytes(), text.as_bytes());
            assert_eq!(*framed.frame(), frame(Opcode::Text, text.as_bytes()));
            let (a, b) = text.split_at(text.floor_char_boundary(len / 3));
            assert_eq!(TextFrame::concat(&[a, "", b]), framed);
        }
        assert!(TextFrame::from("").is_empty());
    }
}
