//! The log of the crate, for tests that run one after the other and say what has to be in it.

use std::future::Future;

use parking_lot::Mutex;

use super::{eventually, on_actix};

static TURN: Mutex<()> = Mutex::new(());
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("greenroom")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.lock().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Runs a test on an actix system of its own while no other test of this file runs; the log begins with it.
pub(crate) fn alone<F: Future>(test: F) -> F::Output {
    static KEEPER: Keeper = Keeper;
    let _turn = TURN.lock();
    // All but the first find it set.
    let _ = log::set_logger(&KEEPER);
    log::set_max_level(log::LevelFilter::Debug);
    LINES.lock().clear();
    on_actix(test)
}

/// How many lines have it in them, of those that were not looked at.
#[allow(dead_code, reason = "a part of the test files counts")]
pub(crate) fn n_logged(part: &str) -> usize {
    let lines = LINES.lock();
    lines.iter().filter(|line| line.contains(part)).count()
}

/// Waits for a line that has all these parts, in their order; it and those before it are not looked at again.
pub(crate) async fn logged(parts: &[&str]) {
    eventually(&format!("{parts:?} in the log"), || {
        let mut lines = LINES.lock();
        let found = lines.iter().position(|line| {
            let mut rest = &**line;
            parts.iter().all(|part| match rest.split_once(part) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
        });
        found.is_some_and(|at| {
            lines.drain(..=at);
            true
        })
    })
    .await;
}

/// The lines so far that begin like this.
pub(crate) fn lines(beginning: &str) -> Vec<String> {
    let lines = LINES.lock();
    let found = lines.iter().filter(|line| line.starts_with(beginning));
    found.cloned().collect()
}
