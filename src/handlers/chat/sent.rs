//! What a person has sent lately, so that a message that is sent again is not said again.

use std::collections::VecDeque;

use bytestring::ByteString;
use serde::Serialize;

/// The place that a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Posted {
    /// Its number in the conversation.
    pub(super) seq: u64,
    /// When it came, in milliseconds since 1970.
    pub(super) at: u64,
    /// Whether it had come before.
    pub(super) duplicate: bool,
}

/// The last message ids of a person, with the places they got.
#[derive(Debug, Default)]
pub(super) struct Sent(VecDeque<(ByteString, Posted)>);

impl Sent {
    /// The place that the message with this id got, if it is one of the last.
    pub(super) fn find(&self, id: &str) -> Option<Posted> {
        // The newest first: what is sent again was mostly sent just before.
        let (_, posted) = self.0.iter().rev().find(|(known, _)| known == id)?;
        Some(Posted {
            duplicate: true,
            ..*posted
        })
    }

    /// Remembers a message, and forgets the oldest above `max`.
    pub(super) fn add(&mut self, id: ByteString, posted: Posted, max: usize) {
        if self.0.len() >= max {
            self.0.pop_front();
        }
        self.0.push_back((id, posted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(seq: u64) -> Posted {
        Posted {
            seq,
            at: seq + 1,
            duplicate: false,
        }
    }

    #[test]
    fn a_known_id_gets_the_answer_it_got_before() {
        let mut sent = Sent::default();
        assert_eq!(sent.find("message-1"), None);
        sent.add("message-1".into(), posted(7), 256);
        let again = sent.find("message-1").unwrap();
        assert_eq!((again.seq, again.at, again.duplicate), (7, 8, true));
        assert_eq!(sent.find("message-1"), Some(again));
        assert_eq!(sent.find("message-2"), None);
    }

    #[test]
    fn the_last_256_are_known() {
        let mut sent = Sent::default();
        for seq in 0..1000 {
            sent.add(format!("message-{seq}").into(), posted(seq), 256);
        }
        assert_eq!(sent.find("message-743"), None);
        assert_eq!(sent.find("message-744").unwrap().seq, 744);
        assert_eq!(sent.find("message-999").unwrap().seq, 999);
        assert_eq!(sent.0.len(), 256);
    }
}
