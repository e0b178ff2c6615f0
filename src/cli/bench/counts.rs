//! How many messages there were, and what has become of them.

/// Messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Those whose time had come.
    pub(super) due: u64,
    pub(super) sent: u64,
    /// How many receipts the sent ones ask for: an answer each, or as many as there are receivers.
    pub(super) expected: u64,
    pub(super) received: u64,
    /// Received again.
    pub(super) repeated: u64,
}

impl Counts {
    pub(super) const fn unsent(&self) -> u64 {
        self.due.saturating_sub(self.sent)
    }

    pub(super) const fn missing(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// Who receives what was not for him; or somebody has miscounted.
    pub(super) const fn surplus(&self) -> u64 {
        self.received.saturating_sub(self.expected)
    }

    /// Whether all that was due was sent, and came as often as it should.
    pub(super) const fn is_whole(&self) -> bool {
        self.unsent() == 0 && self.received == self.expected && self.repeated == 0
    }

    pub(super) const fn add(&mut self, other: &Self) {
        self.due += other.due;
        self.sent += other.sent;
        self.expected += other.expected;
        self.received += other.received;
        self.repeated += other.repeated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_often_is_as_wrong_as_what_does_not_come() {
        let whole = Counts {
            due: 2,
            sent: 2,
            expected: 6,
            received: 6,
            repeated: 0,
        };
        assert!(whole.is_whole());
        for wrong in [
            Counts { due: 3, ..whole },
            Counts {
                received: 5,
                ..whole
            },
            Counts {
                received: 7,
                ..whole
            },
            Counts {
                repeated: 1,
                ..whole
            },
        ] {
            assert!(!wrong.is_whole(), "{wrong:?}");
        }
    }
}
