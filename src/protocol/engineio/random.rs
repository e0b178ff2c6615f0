//! Random symbols for ids.

use std::cell::RefCell;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Random bytes of one id: as many as make whole base64 symbols, the reference's number.
const N_BYTES: usize = 15;

/// Symbols of one id.
pub(super) const N_SYMBOLS: usize = 20;

/// Ids per question to the operating system: one question costs about 300 ns.
const N_POOLED: usize = 34;

struct Pool {
    bytes: [u8; N_BYTES * N_POOLED],
    n_left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; N_BYTES * N_POOLED], n_left: 0 }) };
}

/// 120 random bits as 20 symbols of the URL-safe base64 alphabet.
///
/// # Panics
/// If the operating system gives no random bytes: then there are no ids to be had, and guessable ones would be worse.
pub(super) fn symbols() -> [u8; N_SYMBOLS] {
    let bytes = POOL.with_borrow_mut(Pool::take);
    let mut symbols = [0; N_SYMBOLS];
    URL_SAFE_NO_PAD
        .encode_slice(bytes, &mut symbols)
        .expect("15 bytes are 20 symbols");
    symbols
}

impl Pool {
    fn take(&mut self) -> [u8; N_BYTES] {
        if self.n_left == 0 {
            getrandom::fill(&mut self.bytes).expect("the operating system has random bytes");
            self.n_left = N_POOLED;
        }
        self.n_left -= 1;
        let mut taken = [0; N_BYTES];
        // What was handed out leaves the pool, so that no memory but the id's own holds it.
        taken.swap_with_slice(&mut self.bytes[self.n_left * N_BYTES..][..N_BYTES]);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn symbols_are_url_safe_and_never_repeat() {
        let ids: HashSet<_> = (0..10 * N_POOLED).map(|_| symbols()).collect();
        assert_eq!(ids.len(), 10 * N_POOLED);
        assert!(
            ids.iter()
                .flatten()
                .all(|symbol| symbol.is_ascii_alphanumeric() || b"-_".contains(symbol))
        );
        // Every place of an id varies.
        for place in 0..N_SYMBOLS {
            assert!(
                ids.iter().map(|id| id[place]).collect::<HashSet<_>>().len() > 32,
                "{place}"
            );
        }
    }

    #[test]
    fn threads_do_not_share_a_pool() {
        let here = symbols();
        let there = std::thread::spawn(symbols).join().unwrap();
        assert_ne!(here, there);
    }

    #[test]
    fn what_is_taken_leaves_the_pool() {
        let mut pool = Pool {
            bytes: [0; N_BYTES * N_POOLED],
            n_left: 0,
        };
        let taken = pool.take();
        assert!(!pool.bytes.chunks(N_BYTES).any(|chunk| chunk == taken));
        assert_eq!(pool.n_left, N_POOLED - 1);
    }
}
