//! The hot path, one piece at a time, for `benches/check` to count.
//!
//! `hot` lists the pieces: name, how often to run it for a count, and what it is. `hot NAME TIMES` runs one of them and
//! prints the nanoseconds that took, its preparation aside. `shared PEERS TIMES` is for `benches/shared`.

#![expect(clippy::print_stdout, reason = "it is a program")]

mod frames;
mod hub;
mod journeys;
mod packets;
mod polling;
mod shared;
mod wire;

use std::fmt::Debug;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use actix::SystemRunner;

/// A part of the hot path.
struct Piece {
    name: &'static str,
    about: &'static str,
    /// How often it runs for a count: enough to make what is not exact small.
    times: usize,
    run: fn(usize),
}

const fn piece(name: &'static str, about: &'static str, run: fn(usize)) -> Piece {
    Piece {
        name,
        about,
        times: 1000,
        run,
    }
}

/// One that goes through the kernel or is large.
const fn long(name: &'static str, about: &'static str, run: fn(usize)) -> Piece {
    Piece {
        times: 200,
        ..piece(name, about, run)
    }
}

/// Calls something so that nothing of it is optimized away. Once before it counts, so that what grows has grown.
fn repeat<T>(times: usize, mut call: impl FnMut() -> T) {
    black_box(call());
    count(&mut || {
        for _ in 0..times {
            black_box(call());
        }
    });
}

/// The same for what waits for others on this thread.
fn repeat_on<E: Debug>(
    system: &SystemRunner,
    times: usize,
    mut call: impl AsyncFnMut() -> Result<(), E>,
) {
    let mut again = |times| {
        let done = system.block_on(async {
            for _ in 0..times {
                call().await?;
            }
            Ok::<_, E>(())
        });
        done.expect("the loopback interface works");
    };
    again(1);
    count(&mut || again(times));
}

fn count(repeat: &mut dyn FnMut()) {
    let started = Instant::now();
    counted(repeat);
    println!("{}", started.elapsed().as_nanos());
}

/// What is counted: `benches/check` knows it by its name.
#[inline(never)]
fn counted(repeat: &mut dyn FnMut()) {
    repeat();
}

pub(crate) fn main() -> ExitCode {
    let pieces = || {
        [
            frames::PIECES,
            packets::PIECES,
            polling::PIECES,
            hub::PIECES,
            wire::PIECES,
            journeys::PIECES,
        ]
        .into_iter()
        .flatten()
    };
    // Cargo adds a flag of its own.
    let args: Vec<_> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    match &args[..] {
        [] => {
            for piece in pieces() {
                println!("{}\t{}\t{}", piece.name, piece.times, piece.about);
            }
        }
        [name, times] => {
            let piece = pieces().find(|piece| piece.name == name);
            let (Some(piece), Ok(times)) = (piece, times.parse()) else {
                eprintln!("no such piece, or no number: {name} {times}");
                return ExitCode::from(2);
            };
            (piece.run)(times);
        }
        [shared, n_peers, times, spoil @ ..] if shared == "shared" => {
            let (Ok(n_peers), Ok(times)) = (n_peers.parse(), times.parse()) else {
                eprintln!("no numbers: {n_peers} {times}");
                return ExitCode::from(2);
            };
            shared::run(n_peers, times, !spoil.is_empty());
        }
        _ => {
            eprintln!("usage: hot [NAME TIMES | shared PEERS TIMES [spoil]]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
