//! Emits from a plain thread, which knows nothing of actors and runtimes: the server is a handle that can be cloned.
//!
//! `cargo run --example background`, then listen to `tick` with any client.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use greenroom::prelude::*;

const INTERVAL: Duration = Duration::from_millis(500);

/// Counts until the other end of `stop` is dropped.
fn count(server: &Server, stop: &Receiver<()>) {
    let mut n_ticks = 0;
    while stop.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        n_ticks += 1;
        // Who is slow misses a tick and gets the next one: a tick that is late is of no use.
        server.root().volatile().emit("tick", n_ticks);
    }
}

fn main() -> Result<(), greenroom::Error> {
    env_logger::init();
    let server = Server::builder().config(Config::load()?).build()?;

    // The thread may emit before the server runs: nobody is there to hear it then.
    let (running, stop) = mpsc::channel();
    let ticker = server.clone();
    let thread = thread::spawn(move || count(&ticker, &stop));

    let result = server.run();
    drop(running);
    if thread.join().is_err() {
        log::error!("the ticking thread panicked");
    }
    result
}
