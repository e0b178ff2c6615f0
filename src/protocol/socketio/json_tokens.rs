//! JSON text as a stream of symbols. Nothing here recurses, so depth costs no stack.

use memchr::memchr2;

/// One symbol of a JSON text. Strings and keys include their quotes and are still escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    ArrayStart,
    ArrayEnd,
    ObjectStart,
    ObjectEnd,
    Key(&'a str),
    Str(&'a str),
    Number(&'a str),
    True,
    False,
    Null,
}

/// Splits valid JSON (or valid values joined by commas) into tokens. Text that is not valid gives some tokens and ends.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    /// Where the last token starts.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            start: 0,
            at: 0,
        }
    }

    /// Reads on to the end of the container that has just begun; gives the containers inside it.
    pub(super) fn leave(&mut self) -> usize {
        let (mut depth, mut n_inside) = (1_usize, 0);
        while depth > 0 {
            match self.next() {
                Some(Token::ArrayStart | Token::ObjectStart) => {
                    n_inside += 1;
                    depth += 1;
                }
                Some(Token::ArrayEnd | Token::ObjectEnd) => depth -= 1,
                Some(_) => {}
                None => break,
            }
        }
        n_inside
    }

    fn skip_blanks(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// The quoted string that starts at `at`.
    fn quoted(&mut self) -> Option<&'a str> {
        let start = self.at;
        let mut at = start + 1;
        loop {
            let rest = self.text.as_bytes().get(at..)?;
            at += memchr2(b'"', b'\\', rest)?;
            if self.text.as_bytes().get(at) == Some(&b'"') {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        self.text.get(start..self.at)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let byte = loop {
            match self.skip_blanks()? {
                b',' | b':' => self.at += 1,
                byte => break byte,
            }
        };
        let start = self.at;
        self.start = start;
        self.at += 1;
        Some(match byte {
            b'[' => Token::ArrayStart,
            b']' => Token::ArrayEnd,
            b'{' => Token::ObjectStart,
            b'}' => Token::ObjectEnd,
            b'"' => {
                self.at = start;
                let text = self.quoted()?;
                let end = self.at;
                let is_key = self.skip_blanks() == Some(b':');
                self.at = end;
                if is_key {
                    Token::Key(text)
                } else {
                    Token::Str(text)
                }
            }
            _ => {
                let rest = self.text.as_bytes().get(start..)?;
                let ends =
                    |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
                self.at = start + rest.iter().position(ends).unwrap_or(rest.len());
                match byte {
                    b't' => Token::True,
                    b'f' => Token::False,
                    b'n' => Token::Null,
                    _ => Token::Number(self.text.get(start..self.at)?),
                }
            }
        })
    }
}

/// The values of a text in which they are joined by commas, each without blanks around it.
pub(super) fn values(joined: &str) -> impl Iterator<Item = &str> {
    let mut tokens = Tokens::new(joined);
    std::iter::from_fn(move || {
        let first = tokens.next()?;
        let start = tokens.start;
        if matches!(first, Token::ArrayStart | Token::ObjectStart) {
            tokens.leave();
        }
        joined.get(start..tokens.at)
    })
}

/// Depth of nesting: 0 without containers.
pub(super) fn depth(text: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    for token in Tokens::new(text) {
        match token {
            Token::ArrayStart | Token::ObjectStart => {
                now += 1;
                deepest = deepest.max(now);
            }
            Token::ArrayEnd | Token::ObjectEnd => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
