//! The log of the crate, for tests that run one after the other and say what has to be in it.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use actix_rt::System;
use parking_lot::Mutex;

use super::{eventually, on_actix};

static TURN: Mutex<()> = Mutex::new(());
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// The number of the first system of the test that has its turn.
static SYSTEM: AtomicUsize = AtomicUsize::new(0);

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("greenroom")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) && !is_of_an_earlier_test() {
            LINES.lock().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// The threads of a system outlive it for a moment; systems are numbered in the order of their beginnings.
fn is_of_an_earlier_test() -> bool {
    let current = thread::current();
    let of_a_system = current
        .name()
        .and_then(|name| name.strip_prefix("actix-rt|system:"));
    let number = of_a_system.and_then(|rest| rest.split('|').next()?.parse().ok());
    number.is_some_and(|number: usize| number < SYSTEM.load(Ordering::Relaxed))
}

/// Runs a test on an actix system of its own while no other test of this file runs; the log begins with it.
pub(crate) fn alone<F: Future>(test: F) -> F::Output {
    static KEEPER: Keeper = Keeper;
    let _turn = TURN.lock();
    // All but the first find it set.
    let _ = log::set_logger(&KEEPER);
    log::set_max_level(log::LevelFilter::Debug);
    on_actix(async {
        SYSTEM.store(System::current().id(), Ordering::Relaxed);
        LINES.lock().clear();
        test.await
    })
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
