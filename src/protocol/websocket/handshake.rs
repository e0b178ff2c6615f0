//! The opening handshake (RFC 6455 section 4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use thiserror::Error;

/// Appended to the client's key (RFC 6455 section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request is not upgraded.
///
/// **Source**: RFC 6455 sections 4.2.1 and 4.2.2.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// No `Upgrade` header that names `websocket`.
    #[error("upgrade header does not name websocket")]
    Upgrade,
    /// No `Connection` header that names `upgrade`.
    #[error("connection header does not name upgrade")]
    Connection,
    /// `Sec-WebSocket-Version` is missing, twice, or not 13.
    #[error("websocket version is not 13")]
    Version,
    /// `Sec-WebSocket-Key` is missing, twice, or not 16 bytes in base64.
    #[error("websocket key is not 16 bytes in base64")]
    Key,
    /// `Sec-WebSocket-Extensions` does not follow its grammar.
    #[error("websocket extensions are malformed")]
    Extensions,
}

impl HandshakeError {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Version => 426,
            Self::Upgrade | Self::Connection | Self::Key | Self::Extensions => 400,
        }
    }

    /// Headers that the answer needs besides.
    ///
    /// **Source**: RFC 6455 section 4.2.2 (version), RFC 7231 section 6.5.15 (upgrade).
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Version => &[
                ("Sec-WebSocket-Version", "13"),
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
            ],
            Self::Upgrade | Self::Connection | Self::Key | Self::Extensions => &[],
        }
    }
}

/// Checks the headers of an upgrade request and yields the `Sec-WebSocket-Accept` of the answer.
///
/// `headers` yields the values of all headers with the name it is given, such as
/// `|name| request.headers().get_all(name).map(HeaderValue::as_bytes)`. That the method is GET is for the
/// router to see.
///
/// # Errors
///
/// The first header that is not as section 4.2.1 demands.
///
/// ```
/// use greenroom::protocol::websocket::{HandshakeError, accept_upgrade};
///
/// let mut request = vec![
///     ("connection", "keep-alive, Upgrade"),
///     ("upgrade", "websocket"),
///     ("sec-websocket-version", "13"),
///     ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
/// ];
/// let accept = accept_upgrade(|wanted| values(&request, wanted));
/// assert_eq!(accept, Ok(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
///
/// request.retain(|(name, _)| *name != "sec-websocket-version");
/// let refused = accept_upgrade(|wanted| values(&request, wanted));
/// assert_eq!(refused, Err(HandshakeError::Version));
///
/// fn values<'r>(request: &[(&str, &'r str)], wanted: &str) -> impl Iterator<Item = &'r [u8]> {
///     request.iter().filter(move |(name, _)| *name == wanted).map(|(_, value)| value.as_bytes())
/// }
/// ```
pub fn accept_upgrade<'h, I>(
    headers: impl Fn(&'static str) -> I,
) -> Result<[u8; 28], HandshakeError>
where
    I: IntoIterator<Item = &'h [u8]>,
{
    if !has_token(headers("upgrade"), "websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !has_token(headers("connection"), "upgrade") {
        return Err(HandshakeError::Connection);
    }
    if only(headers("sec-websocket-version")) != Some(b"13") {
        return Err(HandshakeError::Version);
    }
    let key = only(headers("sec-websocket-key"))
        .filter(|key| is_key(key))
        .ok_or(HandshakeError::Key)?;
    Ok(accept_key(key))
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
///
/// **Source**: RFC 6455 section 4.2.2, item 5.4.
#[must_use]
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    STANDARD
        .encode_slice(digest, &mut accept)
        .expect("20 bytes are 28 symbols of base64");
    accept
}

/// Whether one of the comma-separated lists contains the token, in any case.
pub(crate) fn has_token<'h>(values: impl IntoIterator<Item = &'h [u8]>, token: &str) -> bool {
    values
        .into_iter()
        .flat_map(|value| value.split(|&byte| byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// The value of a header that may appear once.
fn only<'h>(values: impl IntoIterator<Item = &'h [u8]>) -> Option<&'h [u8]> {
    let mut values = values.into_iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.trim_ascii())
}

/// Whether this is 16 bytes in base64. The four bits that pad the last symbol may be anything, as in the
/// reference.
fn is_key(key: &[u8]) -> bool {
    let symbols = key.strip_suffix(b"==").unwrap_or_default();
    symbols.len() == 22
        && symbols
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const VERSION: (&str, &str) = ("sec-websocket-version", "13");
    const CONNECTION: (&str, &str) = ("connection", "Upgrade");
    const UPGRADE: (&str, &str) = ("upgrade", "websocket");

    fn answer(request: &[(&str, &str)]) -> Result<[u8; 28], HandshakeError> {
        accept_upgrade(|wanted| {
            request
                .iter()
                .filter(move |(name, _)| *name == wanted)
                .map(|(_, value)| value.as_bytes())
        })
    }

    #[test]
    fn example_of_section_1_3() {
        assert_eq!(
            accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
            *b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(
            answer(&[UPGRADE, CONNECTION, VERSION, KEY]),
            Ok(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
    }

    #[test]
    fn lists_blanks_and_case_do_not_matter_in_names() {
        for (upgrade, connection) in [
            ("WebSocket", "upgrade"),
            ("websocket", "keep-alive, Upgrade"), // Firefox
            ("h2c ,\twebsocket", " UPGRADE "),
        ] {
            assert!(
                answer(&[
                    ("upgrade", upgrade),
                    ("connection", connection),
                    VERSION,
                    KEY
                ])
                .is_ok()
            );
        }
        let two_lines = [
            ("connection", "keep-alive"),
            UPGRADE,
            CONNECTION,
            VERSION,
            KEY,
        ];
        assert!(answer(&two_lines).is_ok());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        use HandshakeError::{Connection, Key, Upgrade, Version};
        let key = |key| [UPGRADE, CONNECTION, VERSION, ("sec-websocket-key", key)];
        let version = |version| [UPGRADE, CONNECTION, ("sec-websocket-version", version), KEY];
        let table: [(&[(&str, &str)], HandshakeError); 14] = [
            (&[CONNECTION, VERSION, KEY], Upgrade),
            (
                &[("upgrade", "websockets"), CONNECTION, VERSION, KEY],
                Upgrade,
            ),
            (&[UPGRADE, VERSION, KEY], Connection),
            (
                &[UPGRADE, ("connection", "keep-alive"), VERSION, KEY],
                Connection,
            ),
            (&[UPGRADE, CONNECTION, KEY], Version),
            (&version("8"), Version),
            (&version("13, 8"), Version),
            (&[UPGRADE, CONNECTION, VERSION, VERSION, KEY], Version),
            (&[UPGRADE, CONNECTION, VERSION], Key),
            (&[UPGRADE, CONNECTION, VERSION, KEY, KEY], Key),
            (&key(""), Key),
            (&key("dGhlIHNhbXBsZSBub25jZQ"), Key),
            (&key("dGhlIHNhbXBsZSBub25jZQAA"), Key),
            (&key("dGhlIHNhbXBsZSBub25j-Q=="), Key),
        ];
        for (request, err) in table {
            assert_eq!(answer(request), Err(err), "{request:?}");
        }
    }

    #[test]
    fn only_a_wrong_version_is_426_and_names_the_right_one() {
        assert_eq!(HandshakeError::Version.status(), 426);
        assert!(
            HandshakeError::Version
                .headers()
                .contains(&("Sec-WebSocket-Version", "13"))
        );
        for err in [
            HandshakeError::Upgrade,
            HandshakeError::Connection,
            HandshakeError::Key,
            HandshakeError::Extensions,
        ] {
            assert_eq!((err.status(), err.headers()), (400, &[][..]));
        }
    }
}
