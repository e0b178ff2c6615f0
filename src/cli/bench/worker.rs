//! One thread: it opens the connections of its clients, and hands out to them what is due.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::sync::watch;

use super::client::{Crew, Mailbox, live};
use super::messages::Traffic;
use super::plan::Plan;
use super::schedule::opening;
use super::shared::{Phase, Shared};
use super::tally::Tally;
use super::timer::Timer;

/// After so many messages that were due already the clients get a turn.
const BATCH: u32 = 32;

/// What a thread begins with.
pub(super) struct Worker {
    /// Which of the threads this is.
    pub(super) index: usize,
    pub(super) plan: Arc<Plan>,
    pub(super) shared: Arc<Shared>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) start: Instant,
}

impl Worker {
    /// Does all of it.
    ///
    /// # Errors
    /// The system has no timer for us.
    pub(super) fn run(self) -> io::Result<Tally> {
        let shared = Arc::clone(&self.shared);
        let n_clients = self.clients().count();
        let runtime = actix_rt::Runtime::new();
        let done = runtime.and_then(|runtime| runtime.block_on(self.work()));
        if done.is_err() {
            // Nobody is to wait for us.
            shared
                .failed
                .add(u64::try_from(n_clients).unwrap_or(u64::MAX));
            shared.idle_threads.add(1);
        }
        done
    }

    /// Threads take turns in taking clients.
    fn clients(&self) -> impl Iterator<Item = usize> {
        (self.index..self.plan.n_all()).step_by(self.plan.n_threads)
    }

    async fn work(mut self) -> io::Result<Tally> {
        let timer = Timer::new()?;
        let traffic = self.plan.traffic.as_ref();
        let crew = Rc::new(Crew {
            plan: Arc::clone(&self.plan),
            shared: Arc::clone(&self.shared),
            tally: RefCell::new(self.plan.tally()),
            phase: self.phase.clone(),
            start: self.start,
        });
        let mut clients = Vec::new();
        let mut mailboxes = FxHashMap::default();
        for n in self.clients() {
            let due = opening(n, self.plan.connect_rate);
            let is_on_time = self.wait(&timer, self.start, due).await?;
            if !is_on_time {
                break;
            }
            let mailbox = Rc::new(Mailbox::default());
            mailboxes.insert(n, Rc::clone(&mailbox));
            clients.push(actix_rt::spawn(live(Rc::clone(&crew), n, due, mailbox)));
        }
        let phase = self.phase.wait_for(|phase| *phase != Phase::Connecting);
        let phase = phase.await.map_or(Phase::Over, |phase| *phase);
        if let (Phase::Traffic(epoch), Some(traffic)) = (phase, traffic) {
            self.hand_out(&crew, traffic, epoch, &timer, &mailboxes)
                .await?;
        }
        self.shared.idle_threads.add(1);
        for client in clients {
            // A client that panicked has said so; its messages are missing.
            let _ = client.await;
        }
        Ok(crew.tally.replace(self.plan.tally()))
    }

    /// Hands out what the lanes of our clients have to send, when it is due.
    async fn hand_out(
        &self,
        crew: &Crew,
        traffic: &Traffic,
        epoch: Instant,
        timer: &Timer,
        mailboxes: &FxHashMap<usize, Rc<Mailbox>>,
    ) -> io::Result<()> {
        let ours = traffic.lanes.iter().zip(0_u32..);
        let (lanes, senders): (Vec<u32>, Vec<_>) = ours
            .filter_map(|(lane, number)| Some((number, mailboxes.get(&lane.client)?)))
            .unzip();
        let places: FxHashMap<u32, usize> = lanes.iter().copied().zip(0..).collect();
        let mut n_late = 0;
        for due in traffic.schedule.of(&lanes) {
            if (epoch + due.at).elapsed().is_zero() {
                n_late = 0;
                if !self.wait(timer, epoch, due.at).await? {
                    return Ok(());
                }
            } else {
                n_late += 1;
                if n_late % BATCH == 0 {
                    tokio::task::yield_now().await;
                    if self.phase.borrow().is_ending() {
                        return Ok(());
                    }
                }
            }
            crew.tally.borrow_mut().counts(due.is_measured).due += 1;
            self.shared.due.add(1);
            if let Some(&place) = places.get(&due.lane) {
                senders[place].put(due);
            }
        }
        Ok(())
    }

    /// Waits for a moment; false if the run has come to an end before it.
    async fn wait(&self, timer: &Timer, start: Instant, due: Duration) -> io::Result<bool> {
        let mut phase = self.phase.clone();
        let Some(at) = start.checked_add(due) else {
            // So late that nobody lives to see it.
            let _ = phase.wait_for(Phase::is_ending).await;
            return Ok(false);
        };
        tokio::select! {
            biased;
            _ = phase.wait_for(Phase::is_ending) => Ok(false),
            rung = timer.until(at) => rung.map(|()| true),
        }
    }
}
