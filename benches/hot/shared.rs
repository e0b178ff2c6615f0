//! Two workers of one server, in turns, for `benches/shared`: which memory do both write?

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use actix::{System, SystemRunner};
use greenroom::Server;

use super::journeys::{Clients, peers, prepare, server};

/// Written before and after each turn: who traces what this program writes finds the turns by it.
static MARK: AtomicUsize = AtomicUsize::new(0);

/// What no program should have.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The turns, in this order.
const TURNS: [(usize, Job); 6] = [
    (0, Job::Ask),
    (1, Job::Ask),
    (0, Job::Whisper),
    (1, Job::Whisper),
    (0, Job::Speak),
    (1, Job::Hear),
];

/// Each worker takes a turn with acks, and one with messages to a room that only it has. Then one broadcasts, and the other,
/// whose clients hear it too, delivers its part of it. All of that twice, only the second time between marks: then
/// everything that grows has grown. Prints first where the mark and this function are. With `is_spoilt` each ack counts
/// for both workers, as it should not.
pub(super) fn run(n_peers: usize, times: usize, is_spoilt: bool) {
    println!(
        "{:#x} {:#x}",
        MARK.as_ptr().addr(),
        run as *const () as usize
    );
    let server = server();
    let workers = [(); 2].map(|()| Worker::start(server.clone(), n_peers));
    for is_marked in [false, true] {
        for (worker, job) in TURNS {
            workers[worker].take(Turn {
                job,
                times,
                is_marked,
                is_spoilt,
            });
        }
    }
}

#[derive(Clone, Copy)]
enum Job {
    Ask,
    Whisper,
    Speak,
    Hear,
}

#[derive(Clone, Copy)]
struct Turn {
    job: Job,
    times: usize,
    is_marked: bool,
    is_spoilt: bool,
}

/// How long a thread may take to go to sleep.
const REST: Duration = Duration::from_millis(50);

/// A thread with a hub and its clients, which stands still but in its turn.
struct Worker {
    turns: Sender<Turn>,
    taken: Receiver<()>,
}

impl Worker {
    fn start(server: Server, n_peers: usize) -> Self {
        let (turns, to_take) = channel();
        let (tell, taken) = channel();
        thread::spawn(move || {
            let system = System::new();
            let mut clients = Clients::new(prepare(&system, peers(&server, n_peers + 1)));
            let _ = tell.send(());
            for turn in to_take {
                take(&system, &mut clients, turn);
                let _ = tell.send(());
            }
        });
        let worker = Self { turns, taken };
        worker.wait();
        worker
    }

    #[expect(clippy::disallowed_methods, reason = "there is no event to wait for")]
    fn take(&self, turn: Turn) {
        self.turns
            .send(turn)
            .expect("a worker ends after its turns");
        self.wait();
        // It has told, and has yet to go to sleep, which nobody can see: what it writes till then would be in the next
        // turn, which is another's.
        thread::sleep(REST);
    }

    fn wait(&self) {
        self.taken.recv().expect("a worker does not panic");
    }
}

fn take(system: &SystemRunner, clients: &mut Clients, turn: Turn) {
    let mark = || {
        if turn.is_marked {
            MARK.fetch_add(1, Ordering::SeqCst);
        }
    };
    let done = system.block_on(async {
        mark();
        for _ in 0..turn.times {
            match turn.job {
                Job::Ask => {
                    clients.ask().await?;
                    if turn.is_spoilt {
                        spoil();
                    }
                }
                Job::Whisper => clients.whisper().await?,
                Job::Speak => clients.speak().await?,
                Job::Hear => clients.hear_all().await?,
            }
        }
        mark();
        std::io::Result::Ok(())
    });
    done.expect("the loopback interface works");
}

#[inline(never)]
fn spoil() {
    COUNT.fetch_add(1, Ordering::Relaxed);
}
