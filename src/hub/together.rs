//! Writing to many clients with one system call.

use std::sync::Once;

use smallvec::SmallVec;

use super::delivery::count_sent;
use super::{Hub, SeatKey};
use crate::carrier::Ring;

/// How much is gathered for one call; who is beyond it is written to alone.
const GATHER_BYTES: usize = 256 * 1024;

/// The ring of a worker, and what its calls need.
#[derive(Debug)]
pub(super) struct Together {
    ring: State,
    gathered: Vec<u8>,
    /// Who is written to, and how many bytes each took.
    sent: Vec<SeatKey>,
    taken: Vec<usize>,
    /// Who has to be written to alone.
    pub(super) left: Vec<SeatKey>,
}

#[derive(Debug)]
enum State {
    /// A ring belongs to the thread that makes it, and a server without connections of its own needs none.
    Untried,
    Ready(Box<Ring>),
    Unwanted,
}

impl Together {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self {
            ring: if is_wanted {
                State::Untried
            } else {
                State::Unwanted
            },
            gathered: Vec::new(),
            sent: Vec::new(),
            taken: Vec::new(),
            left: Vec::new(),
        }
    }
}

impl Hub {
    /// Flushes the seats of `keys` as far as one write to each TCP stream of ours does it; [`Together::left`] gets the others.
    /// Nothing but the number of system calls depends on whether there is a ring.
    // Hot: one system call; for each seat two lookups, and two lists for all, if they are more than a few.
    pub(super) fn write_together(&mut self, keys: &[SeatKey]) {
        let Self {
            together:
                Together {
                    ring,
                    gathered,
                    sent,
                    taken,
                    left,
                },
            seats,
            tally,
            ..
        } = self;
        if matches!(ring, State::Unwanted) {
            return left.extend_from_slice(keys);
        }
        let mut pieces = SmallVec::<[_; 16]>::new();
        gathered.clear();
        for key in keys {
            let next = seats
                .get(*key)
                .filter(|_| gathered.len() < GATHER_BYTES)
                .and_then(|seat| seat.next_write(gathered));
            match next {
                Some(next) => {
                    if pieces.is_empty() {
                        pieces.reserve(keys.len());
                    }
                    pieces.push(next);
                    sent.push(*key);
                }
                None => left.push(*key),
            }
        }
        taken.clear();
        taken.resize(sent.len(), 0);
        if pieces.len() > 1
            && let Some(ready) = ring.ready()
        {
            let sends: SmallVec<[_; 16]> = pieces
                .iter()
                .map(|(connection, piece)| connection.send(piece.bytes(gathered)))
                .collect();
            if let Err(err) = ready.send(&sends, taken) {
                log::warn!("io_uring is not used any more err={err}");
                *ring = State::Unwanted;
            }
        }
        drop(pieces);
        for (key, n) in sent.drain(..).zip(taken.iter()) {
            let Some(seat) = seats.get_mut(key) else {
                continue;
            };
            let before = seat.queued();
            seat.take_written(*n);
            count_sent(tally, seat, before);
            if seat.is_empty() {
                seat.dirty = false;
            } else {
                left.push(key);
            }
        }
    }
}

impl State {
    fn ready(&mut self) -> Option<&mut Ring> {
        if let Self::Untried = self {
            *self = match Ring::new() {
                Ok(ring) => Self::Ready(Box::new(ring)),
                Err(err) => {
                    static SAID: Once = Once::new();
                    SAID.call_once(|| {
                        log::info!(
                            "io_uring is not to be had, each client is written to alone err={err}"
                        )
                    });
                    Self::Unwanted
                }
            };
        }
        match self {
            Self::Ready(ring) => Some(ring),
            Self::Untried | Self::Unwanted => None,
        }
    }
}
