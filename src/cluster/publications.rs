//! What waits to be published: the way to the publisher, from any thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use bytestring::ByteString;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A message and its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) channel: ByteString,
    pub(crate) payload: Bytes,
}

impl Publication {
    fn len(&self) -> usize {
        self.channel.len() + self.payload.len()
    }
}

/// A queue with a bound in bytes. While Redis is away it fills up; then the oldest message makes room for the
/// newest.
#[derive(Debug)]
pub(crate) struct Publications {
    queue: Mutex<Queue>,
    wake: Notify,
    /// The publisher had nothing to do when something came, so it writes that in its next turn.
    is_due: AtomicBool,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Publication>,
    bytes: usize,
    /// The publisher waits for a message, not for an answer of Redis.
    is_awaited: bool,
}

impl Publications {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Notify::new(),
            is_due: AtomicBool::new(false),
            max_bytes,
        }
    }

    /// Queues a message: how many others were dropped for it.
    // Hot: one lock, one push, and one wake-up if the publisher sleeps.
    pub(crate) fn push(&self, publication: Publication) -> usize {
        let mut queue = self.queue.lock();
        let mut n_dropped = 0;
        while queue.bytes + publication.len() > self.max_bytes
            && let Some(oldest) = queue.messages.pop_front()
        {
            queue.bytes -= oldest.len();
            n_dropped += 1;
        }
        queue.bytes += publication.len();
        let is_first = queue.messages.is_empty();
        queue.messages.push_back(publication);
        if std::mem::take(&mut queue.is_awaited) {
            self.is_due.store(true, Ordering::Relaxed);
        }
        drop(queue);
        if is_first {
            self.wake.notify_one();
        }
        n_dropped
    }

    /// Whether the publisher is about to write, and not to wait for an answer of Redis first. Says so once.
    // Hot: one read, if it is not.
    pub(crate) fn take_due(&self) -> bool {
        self.is_due.load(Ordering::Relaxed) && self.is_due.swap(false, Ordering::Relaxed)
    }

    /// Takes what has gathered, up to about `max_bytes`, once there is something.
    pub(crate) async fn next(&self, max_bytes: usize) -> Vec<Publication> {
        loop {
            let batch = self.take(max_bytes);
            if !batch.is_empty() {
                return batch;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self, max_bytes: usize) -> Vec<Publication> {
        let mut queue = self.queue.lock();
        queue.is_awaited = queue.messages.is_empty();
        if queue.bytes <= max_bytes {
            queue.bytes = 0;
            return std::mem::take(&mut queue.messages).into();
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < max_bytes
            && let Some(message) = queue.messages.pop_front()
        {
            bytes += message.len();
            batch.push(message);
        }
        queue.bytes -= bytes;
        batch
    }

    pub(crate) fn bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().messages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: u8, len: usize) -> Publication {
        Publication {
            channel: "c".into(),
            payload: vec![n; len - 1].into(),
        }
    }

    fn numbers(batch: &[Publication]) -> Vec<u8> {
        batch.iter().map(|message| message.payload[0]).collect()
    }

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let queue = Publications::new(100);
        assert_eq!(queue.push(message(1, 40)), 0);
        assert_eq!(queue.push(message(2, 40)), 0);
        assert_eq!(queue.push(message(3, 40)), 1);
        assert_eq!(queue.push(message(4, 90)), 2);
        assert_eq!(queue.push(message(5, 200)), 1, "one always fits");
        assert_eq!(numbers(&queue.take(1000)), [5]);
        assert!(queue.is_empty());
    }

    #[test]
    fn only_what_finds_the_publisher_idle_is_due() {
        let queue = Publications::new(1000);
        queue.push(message(1, 40));
        assert!(!queue.take_due(), "nobody waits for it yet");
        assert_eq!(numbers(&queue.take(1000)), [1]);
        queue.push(message(2, 40));
        assert!(!queue.take_due(), "the first is on its way");
        assert_eq!(numbers(&queue.take(1000)), [2]);
        assert!(queue.take(1000).is_empty());
        queue.push(message(3, 40));
        queue.push(message(4, 40));
        assert!(queue.take_due());
        assert!(!queue.take_due(), "said already");
    }

    #[test]
    fn batches_are_bounded_and_in_order() {
        let queue = Publications::new(1000);
        for n in 0..5 {
            queue.push(message(n, 40));
        }
        assert_eq!(numbers(&queue.take(80)), [0, 1]);
        assert_eq!(numbers(&queue.take(1)), [2]);
        assert_eq!(numbers(&queue.take(80)), [3, 4]);
    }
}
