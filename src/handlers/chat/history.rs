//! What was said in one conversation: numbered, the last of it kept, given out in pages.

use std::collections::VecDeque;

use bytestring::ByteString;
use serde::Serialize;

use super::images::{PictureId, Pictures};
use super::limits::{KEPT, KEPT_BYTES};
use super::people::{PersonId, Public};
use crate::prelude::Room;

/// A message, as clients get it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Message {
    pub(super) seq: u64,
    pub(super) id: ByteString,
    pub(super) at: u64,
    pub(super) from: Public,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) room: Option<Room>,
    /// The other one, in a private conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<PersonId>,
    pub(super) text: ByteString,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<Image>,
}

/// The picture of a message, without its bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Image {
    pub(super) mime: &'static str,
    pub(super) size: usize,
    /// Its bytes are not kept any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) gone: bool,
    #[serde(skip)]
    pub(super) picture: PictureId,
}

/// Messages that follow each other.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Page {
    pub(super) messages: Vec<Message>,
    /// There are earlier ones.
    pub(super) more: bool,
}

/// The end of a conversation, or what followed a number.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Recent {
    #[serde(flatten)]
    pub(super) page: Page,
    /// Messages are missing between the number asked for and the first one here.
    pub(super) gap: bool,
}

/// The messages of one conversation.
#[derive(Debug, Default)]
pub(super) struct History {
    /// In the order of their numbers.
    kept: VecDeque<Message>,
    n_bytes: usize,
    /// The number of the last message, kept or not.
    last: u64,
    /// The number of the last message that was dropped.
    dropped: u64,
}

impl History {
    /// The number for the next message: it grows, also over a restart of the server, since it is not below the time.
    pub(super) fn next_seq(&self, now_ms: u64) -> u64 {
        now_ms.max(self.last + 1)
    }

    /// The number of the last message; 0 if there was none.
    pub(super) const fn last_seq(&self) -> u64 {
        self.last
    }

    /// Adds a message with the number of [`Self::next_seq`], and drops what is too much, with its pictures.
    pub(super) fn push(&mut self, message: Message, pictures: &mut Pictures) {
        self.last = message.seq;
        self.n_bytes += message.text.len();
        self.kept.push_back(message);
        while (self.kept.len() > KEPT || self.n_bytes > KEPT_BYTES)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.n_bytes -= oldest.text.len();
            self.dropped = oldest.seq;
            pictures.remove(oldest.image.map(|image| image.picture));
        }
    }

    /// The last `n`; with `after` those of them that follow this number.
    pub(super) fn recent(&self, after: Option<u64>, n: usize, pictures: &Pictures) -> Recent {
        let after = after.unwrap_or(u64::MAX);
        let start = match after {
            u64::MAX => 0,
            after => self.position(after.saturating_add(1)),
        };
        let first = start.max(self.kept.len().saturating_sub(n));
        Recent {
            gap: after != u64::MAX && (first > start || self.dropped > after),
            page: self.page(first, self.kept.len(), pictures),
        }
    }

    /// The last `n` before this number.
    pub(super) fn before(&self, before: u64, n: usize, pictures: &Pictures) -> Page {
        let end = self.position(before);
        self.page(end.saturating_sub(n), end, pictures)
    }

    /// The message with this number, if it is kept.
    pub(super) fn find(&self, seq: u64) -> Option<&Message> {
        self.kept
            .get(self.position(seq))
            .filter(|message| message.seq == seq)
    }

    /// The pictures of all that is kept.
    pub(super) fn pictures(&self) -> impl Iterator<Item = PictureId> {
        let images = self.kept.iter().filter_map(|message| message.image);
        images.map(|image| image.picture)
    }

    /// How many are below this number.
    fn position(&self, seq: u64) -> usize {
        self.kept.partition_point(|message| message.seq < seq)
    }

    fn page(&self, first: usize, end: usize, pictures: &Pictures) -> Page {
        let mut messages: Vec<_> = self.kept.range(first..end).cloned().collect();
        for image in messages.iter_mut().filter_map(|one| one.image.as_mut()) {
            image.gone = pictures.get(image.picture).is_none();
        }
        Page {
            more: first > 0 && !messages.is_empty(),
            messages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: u64, text: &str) -> Message {
        Message {
            seq,
            id: format!("message-{seq}").into(),
            at: seq,
            from: Public {
                id: PersonId::from("ada"),
                name: "Ada".into(),
            },
            room: Some("lobby".into()),
            to: None,
            text: text.into(),
            image: None,
        }
    }

    /// Messages with the numbers 1 to `n`.
    fn history(n: u64) -> (History, Pictures) {
        let (mut history, mut pictures) = (History::default(), Pictures::new(100));
        for _ in 0..n {
            let seq = history.next_seq(0);
            history.push(message(seq, "x"), &mut pictures);
        }
        (history, pictures)
    }

    fn seqs(page: &Page) -> Vec<u64> {
        page.messages.iter().map(|message| message.seq).collect()
    }

    #[test]
    fn numbers_grow_and_are_not_below_the_time() {
        let (mut history, mut pictures) = history(0);
        let mut numbers = Vec::new();
        for now in [1000, 1000, 999, 5, 2000] {
            let seq = history.next_seq(now);
            history.push(message(seq, ""), &mut pictures);
            numbers.push(seq);
        }
        assert_eq!(numbers, [1000, 1001, 1002, 1003, 2000]);
        assert_eq!(history.last_seq(), 2000);
    }

    #[test]
    fn a_newcomer_gets_the_last() {
        let (history, pictures) = history(60);
        let recent = history.recent(None, 50, &pictures);
        assert_eq!(seqs(&recent.page), (11..=60).collect::<Vec<_>>());
        assert_eq!((recent.page.more, recent.gap), (true, false));
    }

    #[test]
    fn who_returns_gets_what_was_missed_and_hears_of_gaps() {
        let (history, pictures) = history(260);
        for (after, first, gap) in [
            (0, 211, true),
            (60, 211, true),
            (209, 211, true),
            (210, 211, false),
            (250, 251, false),
            (260, 261, false),
            (9999, 261, false),
        ] {
            let recent = history.recent(Some(after), 50, &pictures);
            assert_eq!(seqs(&recent.page), (first..=260).collect::<Vec<_>>());
            assert_eq!(recent.gap, gap, "{after}");
        }
        let all = history.recent(Some(59), 200, &pictures);
        assert_eq!((all.page.messages.len(), all.gap), (200, true));
        assert!(!history.recent(Some(60), 200, &pictures).gap);
    }

    #[test]
    fn nothing_is_missing_in_a_conversation_without_messages() {
        let (history, pictures) = history(0);
        for after in [None, Some(0), Some(1000), Some(u64::MAX)] {
            let recent = history.recent(after, 50, &pictures);
            assert_eq!((recent.page.more, recent.gap), (false, false));
            assert!(recent.page.messages.is_empty());
        }
    }

    #[test]
    fn earlier_pages_end_at_the_first_that_is_kept() {
        let (history, pictures) = history(260);
        let page = history.before(211, 50, &pictures);
        assert_eq!(seqs(&page), (161..=210).collect::<Vec<_>>());
        assert!(page.more);
        let page = history.before(100, 50, &pictures);
        assert_eq!(seqs(&page), (61..=99).collect::<Vec<_>>());
        assert!(!page.more);
        assert!(history.before(61, 50, &pictures).messages.is_empty());
        assert!(history.before(0, 50, &pictures).messages.is_empty());
        assert_eq!(history.before(u64::MAX, 1, &pictures).messages.len(), 1);
    }

    #[test]
    fn two_hundred_are_kept_and_fewer_if_they_are_long() {
        let (mut history, mut pictures) = history(1000);
        assert_eq!(history.kept.len(), 200);
        assert!(history.find(801).is_some() && history.find(800).is_none());
        let long = "🎭".repeat(2000);
        for _ in 0..200 {
            let seq = history.next_seq(0);
            history.push(message(seq, &long), &mut pictures);
        }
        assert!(history.kept.len() >= 50 && history.n_bytes <= KEPT_BYTES);
        assert!(history.recent(Some(1000), 50, &pictures).gap);
    }

    #[test]
    fn a_dropped_message_takes_its_picture_along() {
        let (mut history, mut pictures) = history(0);
        let picture = pictures.add(bytes::Bytes::from_static(b"picture"));
        let image = Image {
            mime: "image/png",
            size: 7,
            gone: false,
            picture,
        };
        let mut first = message(1, "");
        first.image = Some(image);
        history.push(first, &mut pictures);
        assert_eq!(history.pictures().collect::<Vec<_>>(), [picture]);
        for _ in 0..200 {
            assert!(pictures.get(picture).is_some());
            let seq = history.next_seq(0);
            history.push(message(seq, ""), &mut pictures);
        }
        assert!(pictures.get(picture).is_none());
        assert_eq!(history.pictures().count(), 0);
    }

    #[test]
    fn a_message_has_the_shape_of_the_contract() {
        let (mut history, mut pictures) = history(0);
        let mut shown = message(5, "hello");
        let picture = pictures.add(vec![0; 90].into());
        shown.image = Some(Image {
            mime: "image/gif",
            size: 90,
            gone: false,
            picture,
        });
        history.push(shown, &mut pictures);
        let mut json = serde_json::json!({
            "seq": 5, "id": "message-5", "at": 5, "from": {"id": "ada", "name": "Ada"}, "room": "lobby", "text": "hello",
            "image": {"mime": "image/gif", "size": 90},
        });
        let page = history.before(6, 50, &pictures);
        assert_eq!(serde_json::to_value(&page.messages[0]).unwrap(), json);
        pictures.add(vec![0; 90].into());
        json["image"]["gone"] = true.into();
        let page = history.before(6, 50, &pictures);
        assert_eq!(serde_json::to_value(&page.messages[0]).unwrap(), json);
    }
}
