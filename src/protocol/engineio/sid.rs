//! The private id of a session. Whoever knows it can speak for the client.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use super::{SidPrefixError, random};

/// A sid longer than this is not one of ours.
const MAX_LEN: usize = SidPrefix::MAX_LEN + MAX_WORKER_SYMBOLS + random::N_SYMBOLS;

/// 18 bits, for a worker index of 16.
pub(super) const MAX_WORKER_SYMBOLS: usize = 3;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The private id of an Engine.IO session: names its node and its worker, cannot be guessed, is never logged whole.
///
/// Shape: `<prefix><worker><random>`: the node's [`SidPrefix`], the worker's index as 1 to 3 symbols, 20 random
/// symbols (120 bits); all of them safe in a URL and a cookie. With the prefix `a.` and worker 1: `a.BlvVI97HAXpY6yYWAAACx`.
///
/// `Debug` and `Display` show six of the random symbols. Copied, not counted: 48 bytes.
#[derive(Clone, Copy)]
pub struct Sid {
    len: u8,
    /// ASCII, of which `len` count; the rest is zero.
    bytes: [u8; MAX_LEN],
}

impl Sid {
    /// A new sid for a session on this worker.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    #[must_use]
    pub fn generate(prefix: &SidPrefix, worker: u16) -> Self {
        let mut sid = Self {
            len: 0,
            bytes: [0; MAX_LEN],
        };
        sid.push(prefix.as_str().as_bytes());
        let worker = usize::from(worker);
        for shift in [12, 6, 0] {
            // Leading zeros are left out, so that up to 64 workers cost one symbol.
            if shift == 0 || worker >> shift != 0 {
                sid.push(&[ALPHABET[worker >> shift & 63]]);
            }
        }
        sid.push(&random::symbols());
        sid
    }

    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.len += u8::try_from(bytes.len()).expect("a part of a sid is short");
    }

    /// The worker that has the session, if this sid can be one of this node's. The sid may be invented: the answer is
    /// where to look, not whether there is something.
    #[must_use]
    pub fn worker(&self, prefix: &SidPrefix) -> Option<u16> {
        let bytes = &self.bytes[..usize::from(self.len)];
        let tail = bytes.strip_prefix(prefix.as_str().as_bytes())?;
        let symbols = &tail[..tail.len().checked_sub(random::N_SYMBOLS)?];
        let is_canonical = match symbols {
            [_] => true,
            [first, ..] => *first != ALPHABET[0] && symbols.len() <= MAX_WORKER_SYMBOLS,
            [] => false,
        };
        if !is_canonical {
            return None;
        }
        let worker = symbols.iter().try_fold(0u32, |worker, &symbol| {
            Some(worker << 6 | index_of(symbol)?)
        })?;
        u16::try_from(worker).ok()
    }

    /// The whole secret, for the handshake, the cookie and the lookup. Not for logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("a sid is ascii")
    }

    /// Six symbols that tell sessions apart in a log and leave 84 bits secret.
    fn excerpt(&self) -> &str {
        let sid = self.as_str();
        let start = sid.len().saturating_sub(random::N_SYMBOLS);
        &sid[start..sid.len().min(start + 6)]
    }
}

/// The place of a symbol in [`ALPHABET`].
const fn index_of(symbol: u8) -> Option<u32> {
    match symbol {
        b'A'..=b'Z' => Some((symbol - b'A') as u32),
        b'a'..=b'z' => Some((symbol - b'a') as u32 + 26),
        b'0'..=b'9' => Some((symbol - b'0') as u32 + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

/// A symbol of a worker or of the random part.
pub(super) const fn is_symbol(byte: u8) -> bool {
    index_of(byte).is_some()
}

/// A character that means itself in a URL and in a cookie.
///
/// Source: RFC 3986, 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// For ids that clients present. `Err(())`: no server of ours ever made it, so there is no session of that name.
impl FromStr for Sid {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // At least one symbol for the worker.
        let lengths = random::N_SYMBOLS + 1..=MAX_LEN;
        if !lengths.contains(&text.len()) || !text.bytes().all(is_unreserved) {
            return Err(());
        }
        let mut sid = Self {
            len: 0,
            bytes: [0; MAX_LEN],
        };
        sid.push(text.as_bytes());
        Ok(sid)
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({self})")
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.excerpt())
    }
}

impl PartialEq for Sid {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Sid {}

/// As its text, so that maps can be asked with what a client sent.
impl Hash for Sid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Sid {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// The route of a node: what its sids begin with, so that a balancer can send a request to the node that has the session.
/// Empty by default.
///
/// Shape: at most 24 letters, digits, `-`, `.`, `_` and `~`. No prefix of the cluster should begin with another one, and
/// each should end with a `.`, which marks the end of the route in a sid: `a.`, `b.`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SidPrefix(Box<str>);

impl SidPrefix {
    /// Bytes of the longest prefix.
    pub const MAX_LEN: usize = 24;

    /// The prefix as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// # Errors
/// [`SidPrefixError`], with what is wrong.
impl FromStr for SidPrefix {
    type Err = SidPrefixError;

    fn from_str(prefix: &str) -> Result<Self, SidPrefixError> {
        if let Some(character) = prefix
            .chars()
            .find(|&character| !u8::try_from(character).is_ok_and(is_unreserved))
        {
            return Err(SidPrefixError::Character(character));
        }
        if prefix.len() > Self::MAX_LEN {
            return Err(SidPrefixError::TooLong {
                len: prefix.len(),
                max: Self::MAX_LEN,
            });
        }
        Ok(Self(prefix.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> SidPrefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_sid_is_prefix_worker_and_random() {
        for (node, worker, head) in [
            ("", 0, "A"),
            ("", 63, "_"),
            ("", 64, "BA"),
            ("a.", 1, "a.B"),
            ("", 4095, "__"),
            ("", 4096, "BAA"),
            (
                "node-7~eu_west.012345678",
                u16::MAX,
                "node-7~eu_west.012345678P__",
            ),
        ] {
            let node = prefix(node);
            let sid = Sid::generate(&node, worker);
            assert_eq!(&sid.as_str()[..sid.as_str().len() - 20], head);
            assert_eq!(sid.worker(&node), Some(worker));
            assert_eq!(sid.as_str().parse(), Ok(sid));
        }
    }

    #[test]
    fn foreign_and_invented_sids_name_no_worker() {
        let sid = Sid::generate(&prefix("a."), 5);
        assert_eq!(sid.worker(&prefix("b.")), None);
        assert_eq!(sid.worker(&prefix("a.F")), None);
        // With no prefix of its own a node takes `a.F` for a worker, whose `.` is none of the alphabet.
        assert_eq!(sid.worker(&SidPrefix::default()), None);
        for head in ["AA", "AB", "AAA", "AAAA", "BAAA", "___", "~"] {
            let sid: Sid = format!("{head}{}", "x".repeat(20)).parse().unwrap();
            assert_eq!(sid.worker(&SidPrefix::default()), None, "{head}");
        }
    }

    #[test]
    fn texts_that_no_server_of_ours_made_are_no_sids() {
        for text in [
            "",
            "x",
            &"x".repeat(20),
            &"x".repeat(48),
            &"x".repeat(100_000),
            "xxxxxxxxxxxxxxxxxxxx/",
            "xxxxxxxxxxxxxxxxxxxé",
            "xxxxxxxxxxxxxxxxxxxx\0",
        ] {
            assert_eq!(text.parse::<Sid>(), Err(()), "{text:.60}");
        }
        assert!("x".repeat(21).parse::<Sid>().is_ok());
        assert!("x".repeat(47).parse::<Sid>().is_ok());
    }

    #[test]
    fn prefixes_are_checked_at_the_start() {
        assert_eq!(
            "a/b".parse::<SidPrefix>(),
            Err(SidPrefixError::Character('/'))
        );
        assert_eq!(
            "é".parse::<SidPrefix>(),
            Err(SidPrefixError::Character('é'))
        );
        assert_eq!(
            "x".repeat(25).parse::<SidPrefix>(),
            Err(SidPrefixError::TooLong { len: 25, max: 24 })
        );
        assert_eq!("".parse(), Ok(SidPrefix::default()));
    }

    #[test]
    fn a_printed_sid_shows_six_random_symbols() {
        let sid: Sid = "a.BlvVI97HAXpY6yYWAAACx".parse().unwrap();
        assert_eq!(sid.to_string(), "lvVI97…");
        assert_eq!(format!("{sid:?}"), "Sid(lvVI97…)");
        assert_eq!(format!("{:?}", Some(sid)), "Some(Sid(lvVI97…))");
    }

    #[test]
    fn a_map_of_sids_is_asked_with_text() {
        let sid = Sid::generate(&SidPrefix::default(), 3);
        let sessions = HashMap::from([(sid, 1)]);
        assert_eq!(sessions.get(sid.as_str()), Some(&1));
        assert_eq!(size_of::<Sid>(), 48);
    }

    #[test]
    fn sids_do_not_repeat() {
        let sids: HashSet<_> = (0..1000)
            .map(|_| Sid::generate(&SidPrefix::default(), 0))
            .collect();
        assert_eq!(sids.len(), 1000);
    }

    proptest! {
        #[test]
        fn every_worker_is_found_again(node in "[A-Za-z0-9._~-]{0,24}", worker: u16) {
            let node = prefix(&node);
            let sid = Sid::generate(&node, worker);
            prop_assert_eq!(sid.worker(&node), Some(worker));
            prop_assert_eq!(sid.as_str().parse(), Ok(sid));
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "[A-Za-z0-9._~\\-/é]{0,60}", node in "[A-Za-z0-9._~-]{0,24}") {
            if let Ok(sid) = text.parse::<Sid>() {
                prop_assert_eq!(sid.as_str(), &text);
                prop_assert!(!sid.to_string().contains(&text));
                let _ = sid.worker(&prefix(&node));
            }
        }
    }
}
