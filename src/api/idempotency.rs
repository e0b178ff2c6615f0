//! Requests that are repeated because their answer was lost: the second gets the answer of the first, and has no effect.
//!
//! **Source** The header `Idempotency-Key` and its statuses: draft-ietf-httpapi-idempotency-key-header, section 2.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use foldhash::quality::RandomState;
use parking_lot::Mutex;
use sha1::{Digest, Sha1};

use super::problem::{Kind, Problem};

pub(super) const HEADER: &str = "idempotency-key";

const LONGEST_KEY: usize = 255;

/// What an entry costs besides its key and its answer.
const OVERHEAD: usize = 160;

/// The key of a request, if it has one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    let key = value.as_bytes();
    let is_right = (1..=LONGEST_KEY).contains(&key.len())
        && key.iter().all(|byte| matches!(byte, b'!'..=b'~'))
        && headers.get_all(HEADER).count() == 1;
    match is_right {
        true => Ok(Some(String::from_utf8_lossy(key).into_owned())),
        false => Err(Problem::new(
            Kind::Malformed,
            "the header Idempotency-Key is there once, with 1 to 255 printable characters without blanks",
        )),
    }
}

/// What tells requests apart: not to be secure, the caller has a key.
pub(super) type Fingerprint = [u8; 20];

pub(super) fn fingerprint(path: &str, body: &[u8]) -> Fingerprint {
    let hash = Sha1::new()
        .chain_update(path)
        .chain_update([0])
        .chain_update(body);
    hash.finalize().into()
}

/// The answers that are kept.
#[derive(Clone, Debug)]
pub(super) struct Kept(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    window: Duration,
    most_bytes: usize,
    entries: HashMap<String, Entry, RandomState>,
    /// Those with an answer, the oldest first.
    order: VecDeque<(Instant, String)>,
    n_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    request: Fingerprint,
    /// None while it is carried out. As many as requests may be carried out at once, so they need no other cap.
    answer: Option<Bytes>,
}

/// What to do about a request.
#[derive(Debug)]
pub(super) enum Begun {
    /// Carry it out, and [keep](Turn::keep) its answer.
    First(Turn),
    /// Give this answer.
    Again(Bytes),
}

/// The right to carry a request out. Dropped without an answer, it was no first.
#[derive(Debug)]
pub(super) struct Turn {
    kept: Kept,
    key: String,
    is_over: bool,
}

impl Kept {
    pub(super) fn new(window: Duration, most_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            window,
            most_bytes,
            entries: HashMap::default(),
            order: VecDeque::new(),
            n_bytes: 0,
        })))
    }

    pub(super) fn begin(
        &self,
        key: String,
        request: Fingerprint,
        now: Instant,
    ) -> Result<Begun, Problem> {
        let mut state = self.0.lock();
        state.expire(now);
        match state.entries.get(&key) {
            Some(entry) if entry.request != request => Err(Problem::new(
                Kind::KeyReused,
                "a request with this Idempotency-Key had another path or body",
            )),
            Some(Entry { answer: None, .. }) => Err(Problem::new(
                Kind::InProgress,
                "the first request with this Idempotency-Key is being carried out",
            )),
            Some(Entry {
                answer: Some(answer),
                ..
            }) => Ok(Begun::Again(answer.clone())),
            None => {
                let entry = Entry {
                    request,
                    answer: None,
                };
                state.entries.insert(key.clone(), entry);
                let kept = self.clone();
                Ok(Begun::First(Turn {
                    kept,
                    key,
                    is_over: false,
                }))
            }
        }
    }
}

impl State {
    fn expire(&mut self, now: Instant) {
        while let Some((at, _)) = self.order.front()
            && now.saturating_duration_since(*at) >= self.window
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.order.pop_front();
        let entry = oldest.and_then(|(_, key)| self.entries.remove_entry(&key));
        if let Some((key, entry)) = entry {
            self.n_bytes -= cost(&key, &entry.answer.unwrap_or_default());
        }
    }
}

fn cost(key: &str, answer: &Bytes) -> usize {
    2 * key.len() + answer.len() + OVERHEAD
}

impl Turn {
    /// Keeps the answer, in the place of the oldest if need be. One that is larger than all that may be kept is not.
    pub(super) fn keep(mut self, answer: &Bytes, now: Instant) {
        let kept = self.kept.clone();
        let mut state = kept.0.lock();
        let n_bytes = cost(&self.key, answer);
        if n_bytes > state.most_bytes {
            return;
        }
        while state.n_bytes + n_bytes > state.most_bytes {
            state.drop_oldest();
        }
        if let Some(entry) = state.entries.get_mut(&self.key) {
            entry.answer = Some(answer.clone());
            state.n_bytes += n_bytes;
            state.order.push_back((now, std::mem::take(&mut self.key)));
            self.is_over = true;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            self.kept.0.lock().entries.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn first(kept: &Kept, key: &str, now: Instant) -> Turn {
        match kept.begin(key.to_owned(), fingerprint("/emit", b"{}"), now) {
            Ok(Begun::First(turn)) => turn,
            other => panic!("{other:?}"),
        }
    }

    fn again(kept: &Kept, key: &str, body: &[u8], now: Instant) -> Result<Bytes, u16> {
        match kept.begin(key.to_owned(), fingerprint("/emit", body), now) {
            Ok(Begun::Again(answer)) => Ok(answer),
            Ok(Begun::First(_)) => Err(0),
            Err(problem) => Err(problem.status()),
        }
    }

    #[test]
    fn a_request_is_carried_out_once() {
        let (kept, start) = (Kept::new(WINDOW, 10_000), Instant::now());
        let turn = first(&kept, "k", start);
        assert_eq!(again(&kept, "k", b"{}", start), Err(409));
        assert_eq!(again(&kept, "k", b"{ }", start), Err(422));
        turn.keep(&Bytes::from_static(b"done"), start);
        assert_eq!(
            again(&kept, "k", b"{}", start),
            Ok(Bytes::from_static(b"done"))
        );
        assert_eq!(again(&kept, "k", b"{ }", start), Err(422));
        let late = start + WINDOW;
        assert_eq!(again(&kept, "k", b"{ }", late), Err(0));
        // What has failed may be tried again.
        drop(first(&kept, "f", late));
        drop(first(&kept, "f", late));
        assert!(kept.0.lock().entries.is_empty());
        assert_eq!(kept.0.lock().n_bytes, 0);
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let answer = Bytes::from(vec![b'x'; 1000]);
        let (kept, now) = (Kept::new(WINDOW, 3 * cost("k1", &answer)), Instant::now());
        for key in ["k1", "k2", "k3", "k4"] {
            first(&kept, key, now).keep(&answer, now);
        }
        assert_eq!(again(&kept, "k1", b"{}", now), Err(0));
        assert_eq!(again(&kept, "k2", b"{}", now), Ok(answer.clone()));
        first(&kept, "large", now).keep(&Bytes::from(vec![0; 4000]), now);
        assert_eq!(again(&kept, "large", b"{}", now), Err(0));
        let state = kept.0.lock();
        assert_eq!((state.entries.len(), state.order.len()), (3, 3));
        assert_eq!(state.n_bytes, state.most_bytes);
    }
}
