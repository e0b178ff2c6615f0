//! What a payload begins with: from it who receives it knows when it was due.

use std::time::Duration;

use memchr::memmem::Finder;

use super::schedule::Due;

/// How long a stamp is; no payload that has to be known again is shorter.
pub(super) const STAMP_BYTES: usize = 8 + 1 + 6 + 1 + 8 + 1 + 14;

/// Makes and finds stamps. Those of another run are not found.
#[derive(Clone, Debug)]
pub(super) struct Stamps {
    run: String,
    finder: Finder<'static>,
}

/// What a stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) lane: u32,
    pub(super) seq: u32,
    /// When the message was due, since the start.
    pub(super) at: Duration,
}

impl Stamps {
    pub(super) fn new(run: u32) -> Self {
        let run = format!("{run:08x}-");
        Self {
            finder: Finder::new(run.as_bytes()).into_owned(),
            run,
        }
    }

    /// A name for a message.
    pub(super) fn id(&self, due: &Due) -> String {
        format!("{}{:06x}-{:08x}", self.run, due.lane, due.seq)
    }

    /// A payload for a message, as long as it was asked for, if that is long enough.
    pub(super) fn payload(&self, due: &Due, n_bytes: usize) -> String {
        let mut payload = format!("{}-{:014x}", self.id(due), due.at.as_nanos());
        let missing = n_bytes.saturating_sub(payload.len());
        payload.extend(std::iter::repeat_n('.', missing));
        payload
    }

    /// The first stamp that is somewhere in a text.
    pub(super) fn find(&self, text: &str) -> Option<Stamp> {
        self.finder
            .find_iter(text.as_bytes())
            .find_map(|at| read(text.get(at + self.run.len()..)?))
    }
}

fn read(text: &str) -> Option<Stamp> {
    let (lane, text) = (text.get(..6)?, text.get(6..)?.strip_prefix('-')?);
    let (seq, text) = (text.get(..8)?, text.get(8..)?.strip_prefix('-')?);
    let nanos = u64::from_str_radix(text.get(..14)?, 16).ok()?;
    Some(Stamp {
        lane: u32::from_str_radix(lane, 16).ok()?,
        seq: u32::from_str_radix(seq, 16).ok()?,
        at: Duration::from_nanos(nanos),
    })
}

/// Which messages of a lane a client has: what comes a second time is no new one, whatever order they come in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// One more than the highest.
    next: u32,
    /// The last 64, the highest in the lowest bit.
    recent: u64,
}

impl Seen {
    /// Whether it is there for the first time. Who is more than 64 behind the others is taken for one that is not.
    pub(super) fn is_new(&mut self, seq: u32) -> bool {
        if seq >= self.next {
            let ahead = seq - self.next + 1;
            self.recent = self.recent.checked_shl(ahead).unwrap_or(0) | 1;
            self.next = seq.saturating_add(1);
            return true;
        }
        let Some(bit) = 1_u64.checked_shl(self.next - 1 - seq) else {
            return false;
        };
        let is_new = self.recent & bit == 0;
        self.recent |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUE: Due = Due {
        at: Duration::from_nanos(1_234_567_891),
        lane: 5,
        seq: 77,
        is_measured: true,
    };

    #[test]
    fn a_stamp_is_found_wherever_it_is() {
        let stamps = Stamps::new(0xbeef);
        let payload = stamps.payload(&DUE, 64);
        assert_eq!(payload.len(), 64);
        let expected = Some(Stamp {
            lane: 5,
            seq: 77,
            at: DUE.at,
        });
        assert_eq!(stamps.find(&payload), expected);
        let id = stamps.id(&DUE);
        let wrapped = format!(r#"["message",{{"id":"{id}","text":"{payload}"}}]"#);
        assert_eq!(stamps.find(&wrapped), expected);
    }

    #[test]
    fn a_payload_is_never_shorter_than_its_stamp() {
        let stamps = Stamps::new(1);
        let payload = stamps.payload(&DUE, 0);
        assert_eq!(payload.len(), STAMP_BYTES);
        assert!(stamps.find(&payload).is_some());
    }

    #[test]
    fn what_is_no_stamp_of_this_run_is_not_found() {
        let stamps = Stamps::new(1);
        let other = Stamps::new(2).payload(&DUE, 64);
        let cut = &stamps.payload(&DUE, 0)[..STAMP_BYTES - 1];
        for text in ["", "00000001-", "00000001-äöü-x", &*other, cut] {
            assert_eq!(stamps.find(text), None, "{text}");
        }
    }

    #[test]
    fn a_message_is_new_once_in_any_order() {
        let mut seen = Seen::default();
        let order = [0, 2, 1, 3, 2, 3, 70, 69, 4, 70, 69, 7];
        let expected = [
            true, true, true, true, false, false, true, true, false, false, false, true,
        ];
        let found = order.map(|seq| seen.is_new(seq));
        assert_eq!(found, expected);
        assert!(seen.is_new(u32::MAX - 1));
        assert!(!seen.is_new(u32::MAX - 1));
    }
}
