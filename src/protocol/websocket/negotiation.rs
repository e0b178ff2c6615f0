//! The negotiation of permessage-deflate (RFC 7692 section 7.1).

use super::handshake::HandshakeError;

/// What was agreed on for one connection.
///
/// Always without context takeover, in both directions. So a message compresses to the same bytes for
/// every client, and no connection holds zlib state between messages. A server may demand both even if
/// the client did not offer them (sections 7.1.1.1 and 7.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    names_server_window: bool,
}

impl Negotiated {
    /// The value of the `Sec-WebSocket-Extensions` header of the response.
    #[must_use]
    pub const fn header_value(self) -> &'static str {
        if self.names_server_window {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"
        } else {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        }
    }
}

/// Picks the first acceptable offer from the `Sec-WebSocket-Extensions` headers of a request.
///
/// | parameter of an offer | answer |
/// |---|---|
/// | `server_no_context_takeover`, `client_no_context_takeover` | we demand both, asked or not |
/// | `server_max_window_bits=15` | repeated in the answer (7.1.2.1) |
/// | `server_max_window_bits=8` to `14` | the offer is declined: one compressed frame serves all clients, and it may look back 32 KiB |
/// | `client_max_window_bits`, with a value of 8 to 15 or none | accepted, not repeated: we can inflate any window (7.1.2.2) |
/// | unknown, twice, or with a value out of range | the offer is declined (7.1) |
///
/// # Errors
///
/// [`HandshakeError::Extensions`] if a header does not follow the grammar (RFC 6455 section 9.1).
///
/// ```
/// use greenroom::protocol::websocket::negotiate;
///
/// let chrome = ["permessage-deflate; client_max_window_bits"];
/// let agreed = negotiate(chrome)?.expect("an offer without demands is accepted");
/// assert_eq!(agreed.header_value(), "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
/// # Ok::<(), greenroom::protocol::websocket::HandshakeError>(())
/// ```
pub fn negotiate<'h>(
    header_values: impl IntoIterator<Item = &'h str>,
) -> Result<Option<Negotiated>, HandshakeError> {
    let mut agreed = None;
    for value in header_values {
        // To the end, even after an agreement: what follows has to be well-formed all the same.
        let mut scanner = Scanner { rest: value };
        while let Some(offer) = scanner.offer().ok_or(HandshakeError::Extensions)? {
            agreed = agreed.or_else(|| offer.agree());
        }
    }
    Ok(agreed)
}

/// One element of the header.
#[derive(Default)]
struct Offer {
    is_acceptable: bool,
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: bool,
    client_max_window_bits: bool,
}

impl Offer {
    fn new(extension: &str) -> Self {
        Self {
            is_acceptable: extension == "permessage-deflate",
            ..Self::default()
        }
    }

    fn parameter(&mut self, name: &str, value: Option<&str>) {
        let (seen, is_acceptable) = match name {
            "server_no_context_takeover" => (&mut self.server_no_context_takeover, value.is_none()),
            "client_no_context_takeover" => (&mut self.client_no_context_takeover, value.is_none()),
            "server_max_window_bits" => (&mut self.server_max_window_bits, value == Some("15")),
            "client_max_window_bits" => (
                &mut self.client_max_window_bits,
                value.is_none_or(is_window),
            ),
            _ => {
                self.is_acceptable = false;
                return;
            }
        };
        self.is_acceptable &= is_acceptable && !*seen;
        *seen = true;
    }

    fn agree(&self) -> Option<Negotiated> {
        self.is_acceptable.then_some(Negotiated {
            names_server_window: self.server_max_window_bits,
        })
    }
}

/// 8 to 15, without leading zeros (RFC 7692 7.1.2).
fn is_window(value: &str) -> bool {
    matches!(value, "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15")
}

/// Reads `extension *( ";" name [ "=" value ] )`, separated by commas (RFC 6455 section 9.1).
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// The next element; `Some(None)` at the end, `None` if it does not follow the grammar.
    fn offer(&mut self) -> Option<Option<Offer>> {
        while self.eat(',') {}
        if self.rest.is_empty() {
            return Some(None);
        }
        let mut offer = Offer::new(self.token()?);
        while self.eat(';') {
            let name = self.token()?;
            if !self.eat('=') {
                offer.parameter(name, None);
            } else if self.eat('"') {
                offer.parameter(name, Some(&self.quoted()?));
            } else {
                offer.parameter(name, Some(self.token()?));
            }
        }
        (self.rest.is_empty() || self.eat(',')).then_some(Some(offer))
    }

    /// Skips blanks, the symbol if it comes next, and blanks.
    fn eat(&mut self, symbol: char) -> bool {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                // A blank after the opening quote belongs to the value.
                self.rest = if symbol == '"' {
                    rest
                } else {
                    rest.trim_start_matches([' ', '\t'])
                };
                true
            }
            None => false,
        }
    }

    fn token(&mut self) -> Option<&'a str> {
        let len = self
            .rest
            .bytes()
            .position(|byte| !is_token_byte(byte))
            .unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest.trim_start_matches([' ', '\t']);
        (!token.is_empty()).then_some(token)
    }

    /// The value after an opening quote. Without its quotes and backslashes it has to be a token.
    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut symbols = self.rest.chars();
        loop {
            match symbols.next()? {
                '"' => break,
                '\\' => value.push(symbols.next()?),
                symbol => value.push(symbol),
            }
        }
        self.rest = symbols.as_str().trim_start_matches([' ', '\t']);
        (!value.is_empty() && value.bytes().all(is_token_byte)).then_some(value)
    }
}

/// RFC 7230 section 3.2.6.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Option<&str> =
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    const WITH_WINDOW: Option<&str> = Some(
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15",
    );

    fn answer(values: &[&str]) -> Result<Option<&'static str>, HandshakeError> {
        Ok(negotiate(values.iter().copied())?.map(Negotiated::header_value))
    }

    #[test]
    fn offers_are_answered_by_the_table() {
        let table: [(&str, Option<&str>); 27] = [
            ("permessage-deflate", PLAIN),
            ("permessage-deflate; client_max_window_bits", PLAIN), // Chrome, Safari, ws
            ("permessage-deflate; client_max_window_bits=10", PLAIN),
            ("permessage-deflate; client_max_window_bits=\"10\"", PLAIN),
            ("permessage-deflate; client_max_window_bits=\"1\\0\"", PLAIN),
            (
                "permessage-deflate;server_no_context_takeover;client_no_context_takeover",
                PLAIN,
            ),
            (" permessage-deflate\t; client_max_window_bits = 8 ", PLAIN),
            ("permessage-deflate; server_max_window_bits=15", WITH_WINDOW),
            // One compressed frame for all: it may look back 32 KiB.
            ("permessage-deflate; server_max_window_bits=14", None),
            (
                "permessage-deflate; server_max_window_bits=10, permessage-deflate",
                PLAIN,
            ), // RFC 7692 7.1.3
            // Values.
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits=015", None),
            ("permessage-deflate; client_max_window_bits=7", None),
            ("permessage-deflate; client_max_window_bits=16", None),
            ("permessage-deflate; client_max_window_bits=08", None),
            ("permessage-deflate; client_max_window_bits=x", None),
            ("permessage-deflate; server_no_context_takeover=true", None),
            ("permessage-deflate; client_no_context_takeover=1", None),
            // Unknown, twice.
            ("permessage-deflate; unknown", None),
            (
                "permessage-deflate; unknown=\"value\", permessage-deflate; client_max_window_bits",
                PLAIN,
            ),
            (
                "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
                None,
            ),
            (
                "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                None,
            ),
            // Other extensions.
            ("x-webkit-deflate-frame", None),
            (
                "permessage-bzip2; client_max_window_bits, , permessage-deflate",
                PLAIN,
            ),
            ("", None),
            (" , ", None),
        ];
        for (offer, expected) in table {
            assert_eq!(answer(&[offer]), Ok(expected), "{offer}");
        }
    }

    #[test]
    fn several_headers_are_one_list() {
        assert_eq!(answer(&[]), Ok(None));
        assert_eq!(
            answer(&["permessage-deflate; unknown", "permessage-deflate"]),
            Ok(PLAIN)
        );
        assert_eq!(
            answer(&[
                "permessage-deflate; server_max_window_bits=15",
                "permessage-deflate"
            ]),
            Ok(WITH_WINDOW)
        );
    }

    #[test]
    fn malformed_headers_are_refused() {
        for header in [
            ";",
            "permessage-deflate;",
            "permessage-deflate; ;",
            "permessage-deflate; a=",
            "permessage-deflate; a=\"",
            "permessage-deflate; a=\"\"",
            "permessage-deflate; a=\"b c\"",
            "permessage-deflate; a=\"b\\",
            "permessage-deflate; a=b c",
            "permessage deflate",
            "permessage-deflate, ä",
            "permessage-deflate; =1",
            "\"permessage-deflate\"",
        ] {
            assert_eq!(
                answer(&[header]),
                Err(HandshakeError::Extensions),
                "{header}"
            );
        }
    }
}
