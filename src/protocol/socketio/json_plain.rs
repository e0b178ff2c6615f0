//! JSON as most clients write it, in one pass: an array whose nesting fits into a word, without `\u` escapes.
//!
//! What is accepted here is valid. What is not may be valid all the same: `serde_json` decides then, and says so too when
//! it is wrong. Every event is checked, and this takes a third fewer instructions.

use super::json::ArrayShape;

/// How deep arrays and objects may be inside each other, the outermost included.
const MAX_DEPTH: u32 = u64::BITS;

/// The shape of the array that `text` is; `None` if that is not to be seen here.
// Hot: one pass; nothing is built or allocated.
pub(super) fn array(text: &str) -> Option<ArrayShape<'_>> {
    let mut scan = Scan {
        text: text.as_bytes(),
        at: 0,
    };
    scan.expect(b'[')?;
    let start = scan.skip_blanks();
    if scan.peek() == b']' {
        scan.at += 1;
        return scan.is_at_end().then_some(ArrayShape {
            first: None,
            rest: "",
            joined: "",
            n_items: 0,
        });
    }
    // A bit for each container that is open, the innermost lowest: 1 for an object.
    let (mut open, mut depth) = (0_u64, 1);
    let (mut n_items, mut first, mut rest) = (0, 0, 0);
    loop {
        // A value begins.
        match scan.peek() {
            b'"' => scan.string()?,
            byte @ (b'[' | b'{') => {
                scan.at += 1;
                scan.skip_blanks();
                // Each closing bracket is two behind the opening one.
                if scan.peek() == byte + 2 {
                    scan.at += 1;
                } else {
                    if depth == MAX_DEPTH {
                        return None;
                    }
                    depth += 1;
                    open = open << 1 | u64::from(byte == b'{');
                    if byte == b'{' {
                        scan.key()?;
                    }
                    continue;
                }
            }
            b't' => scan.word(b"true")?,
            b'f' => scan.word(b"false")?,
            b'n' => scan.word(b"null")?,
            _ => scan.number()?,
        }
        // It has ended, and so may those that it is in.
        let end = loop {
            if depth == 1 {
                n_items += 1;
                if n_items == 1 {
                    first = scan.at;
                }
            }
            let end = scan.at;
            scan.skip_blanks();
            let is_object = open & 1 == 1;
            match scan.peek() {
                b',' => {
                    scan.at += 1;
                    scan.skip_blanks();
                    if is_object {
                        scan.key()?;
                    }
                    break None;
                }
                b']' if depth == 1 => break Some(end),
                byte if byte == if is_object { b'}' } else { b']' } => {
                    scan.at += 1;
                    depth -= 1;
                    open >>= 1;
                }
                _ => return None,
            }
        };
        if depth == 1 && n_items == 1 {
            rest = scan.at;
        }
        let Some(end) = end else { continue };
        scan.at += 1;
        return Some(ArrayShape {
            first: Some(text.get(start..first)?),
            rest: text.get(rest.min(end)..end)?,
            joined: text.get(start..end)?,
            n_items,
        })
        .filter(|_| scan.is_at_end());
    }
}

/// A text, and how much of it has been read.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// The next byte; 0, which JSON has nowhere, at the end.
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Says where it is then.
    fn skip_blanks(&mut self) -> usize {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.at
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let is_there = self.text.get(self.at..)?.starts_with(word);
        is_there.then(|| self.at += word.len())
    }

    /// A key, its colon, and the blanks around that.
    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.skip_blanks();
        self.expect(b':')?;
        self.skip_blanks();
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        loop {
            self.skip_plain();
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    let escaped = self.text.get(self.at + 1)?;
                    if !matches!(
                        escaped,
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'
                    ) {
                        return None;
                    }
                    self.at += 2;
                }
                _ => return None,
            }
        }
    }

    /// To the next quote, backslash or control character, or the end.
    fn skip_plain(&mut self) {
        const ONES: u64 = u64::from_ne_bytes([1; 8]);
        const QUOTES: u64 = ONES * b'"' as u64;
        const BACKSLASHES: u64 = ONES * b'\\' as u64;
        while let Some(chunk) = self.text.get(self.at..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_le_bytes(*chunk);
            // A byte that is less than what is taken from it borrows, and gets its highest bit. So may bytes above it, which does
            // not matter: the first is found.
            let control = word.wrapping_sub(ONES * u64::from(b' '));
            let quote = (word ^ QUOTES).wrapping_sub(ONES);
            let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES);
            let found = (control | quote | backslash) & !word & (ONES << 7);
            if found != 0 {
                self.at += found.trailing_zeros() as usize / 8;
                return;
            }
            self.at += chunk.len();
        }
        while !matches!(self.peek(), b'"' | b'\\' | 0..=0x1f) {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// At least one.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}
