//! The name that logs have for the request that opened a session.

use std::fmt;

use sha1::{Digest, Sha1};

use crate::namespace::Handshake;
use crate::protocol::engineio::Sid;

/// The header in which proxies number requests, in lower case.
const HEADER: &str = "x-request-id";

/// What a proxy makes is a UUID or a few digits more; what is longer does not belong into a line.
const LONGEST: usize = 64;

/// Made when a line is written: sessions keep nothing for it.
///
/// It is the `x-request-id` of the handshake if that is short and plain. A client can choose it, so it says which lines
/// belong together and no more. Without one it is made of the session id, which it does not give away.
pub(super) enum RequestId<'a> {
    Given(&'a str),
    Made(&'a Sid),
}

impl<'a> RequestId<'a> {
    pub(super) fn new(handshake: &'a Handshake, sid: &'a Sid) -> Self {
        match handshake.header(HEADER) {
            Some(id) if is_plain(id) => Self::Given(id),
            _ => Self::Made(sid),
        }
    }
}

impl fmt::Display for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(id) => f.write_str(id),
            Self::Made(sid) => Sha1::digest(sid.as_str())
                .iter()
                .take(6)
                .try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// Whether a text can stand in a line of a log without looking like something else.
fn is_plain(id: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !id.is_empty() && id.len() <= LONGEST && id.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::namespace::Pairs;
    use crate::protocol::engineio::SidPrefix;

    fn id(header: &str, sid: &Sid) -> String {
        let handshake = Handshake {
            headers: [(HEADER, header)].into_iter().collect(),
            url: "/".into(),
            query: Pairs::default(),
            address: None,
            secure: false,
            issued: Duration::ZERO,
        };
        RequestId::new(&handshake, sid).to_string()
    }

    #[test]
    fn a_plain_id_is_taken_and_any_other_is_made() {
        let sid = Sid::generate(&SidPrefix::default(), 0);
        let given = "9f86d081-884c.7d65_9A";
        assert_eq!(id(given, &sid), given);
        let made = id("", &sid);
        assert_eq!(made.len(), 12);
        assert!(!sid.as_str().contains(&made));
        for wrong in ["a b", "a\nb", "a=b", "\"a\"", "ä", &"a".repeat(65)] {
            assert_eq!(id(wrong, &sid), made, "{wrong}");
        }
        assert_ne!(id("", &Sid::generate(&SidPrefix::default(), 0)), made);
    }
}
