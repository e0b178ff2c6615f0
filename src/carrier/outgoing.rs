//! Frames that wait for a stream: which bytes the next write takes, and what is left after it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::Written;

thread_local! {
    /// Frames that leave with one write.
    static GATHER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Up to which size a frame is copied behind others, and how much is gathered so.
const SMALL_BYTES: usize = 4096;
const GATHER_BYTES: usize = 16 * 1024;

/// What one write takes.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// A frame, without what has left of it already.
    Frame(Cow<'a, Bytes>, usize),
    /// This part of the buffer that [`next`] was given.
    Gathered(Range<usize>),
}

impl Piece<'_> {
    /// `gathered` is the buffer that [`next`] was given.
    pub(crate) fn bytes<'b>(&'b self, gathered: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Frame(frame, written) => &frame[*written..],
            Self::Gathered(range) => &gathered[range.clone()],
        }
    }
}

/// What the next write takes of `queue`, whose front is given too; `written` is the part of it that has left already.
// Hot: several small frames are copied behind each other: that costs less than the list of their places, which the kernel
// would read and check.
#[inline]
pub(crate) fn next<'a, T>(
    front: &'a T,
    queue: &'a VecDeque<T>,
    written: usize,
    frame: impl Fn(&'a T) -> Cow<'a, Bytes>,
    gathered: &mut Vec<u8>,
) -> Piece<'a> {
    let first = frame(front);
    let is_small = |frame: &Cow<'_, Bytes>| frame.len() <= SMALL_BYTES;
    if queue.len() == 1 || !is_small(&first) || !is_small(&frame(&queue[1])) {
        return Piece::Frame(first, written);
    }
    let from = gathered.len();
    gathered.extend_from_slice(&first[written..]);
    for next in queue.iter().skip(1).map(frame) {
        if !is_small(&next) || gathered.len() - from > GATHER_BYTES {
            break;
        }
        gathered.extend_from_slice(&next);
    }
    Piece::Gathered(from..gathered.len())
}

/// Takes out of `queue` what has left with a write of `n` bytes.
#[inline]
pub(crate) fn take_written<T>(
    queue: &mut VecDeque<T>,
    written: &mut usize,
    n: usize,
    frame: impl for<'a> Fn(&'a T) -> Cow<'a, Bytes>,
) {
    *written += n;
    while let Some(front) = queue.front()
        && let len = frame(front).len()
        && len <= *written
    {
        *written -= len;
        queue.pop_front();
    }
}

/// Writes what is queued, as much as `send` takes now; `written` is the part of the front frame that has left already.
// Hot: one `send`.
#[inline]
pub(crate) fn write<T>(
    queue: &mut VecDeque<T>,
    written: &mut usize,
    frame: impl for<'a> Fn(&'a T) -> Cow<'a, Bytes>,
    send: impl Fn(&[u8]) -> io::Result<usize>,
) -> Written {
    while let Some(front) = queue.front() {
        let outcome = if queue.len() == 1 {
            send(&frame(front)[*written..])
        } else {
            GATHER.with_borrow_mut(|gathered| {
                gathered.clear();
                let piece = next(front, queue, *written, &frame, gathered);
                send(piece.bytes(gathered))
            })
        };
        match outcome {
            Ok(n) => take_written(queue, written, n, &frame),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Written::Some,
            Err(_) => return Written::Failed,
        }
    }
    Written::All
}
