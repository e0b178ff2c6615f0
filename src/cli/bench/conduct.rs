//! A run from its begin to its end: which phase it is in, and what is looked at between them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::signal::ctrl_c;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::broken::PlanError;
use super::plan::Plan;
use super::process::Sample;
use super::progress::Progress;
use super::shared::{Phase, Shared};
use super::tally::Tally;
use super::worker::Worker;

/// How often somebody looks how far it is.
const LOOK: Duration = Duration::from_millis(10);

/// Until the first message: time for all threads to hear of it.
const RUN_UP: Duration = Duration::from_millis(20);

/// How long what is on its way is waited for when somebody is impatient.
const IMPATIENT: Duration = Duration::from_secs(1);

/// What has come of it.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) is_interrupted: bool,
    /// How long was measured; less than was planned if it was interrupted.
    pub(super) measured: Duration,
    pub(super) before: Option<Sample>,
    pub(super) connected: Option<Sample>,
    /// When the warm-up was over.
    pub(super) measuring: Option<Sample>,
    pub(super) after: Option<Sample>,
}

struct Conductor {
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    progress: Progress,
    look: Interval,
    interrupt: Pin<Box<dyn Future<Output = io::Result<()>>>>,
    n_interrupts: u32,
}

/// Does what is planned.
///
/// # Errors
/// A process that is to be looked at is not there, or the system has no threads.
pub(super) async fn conduct(plan: Arc<Plan>) -> Result<Outcome, PlanError> {
    let before = Sample::take(&plan.pids)?;
    let (phase, _) = watch::channel(Phase::Connecting);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut conductor = Conductor {
        shared: Arc::new(Shared::new(plan.n_rooms())),
        plan,
        phase,
        progress: Progress::new(),
        look,
        interrupt: Box::pin(ctrl_c()),
        n_interrupts: 0,
    };
    let workers = conductor.start()?;
    let mut outcome = conductor.run(before).await;
    conductor.phase.send_replace(Phase::Over);
    conductor.progress.end();
    for worker in workers {
        // Whoever panics has said why.
        let tally = worker
            .join()
            .map_err(|_| PlanError::System(io::Error::other("a thread panicked")))?;
        outcome.tally.add(tally.map_err(PlanError::System)?);
    }
    Ok(outcome)
}

impl Conductor {
    fn start(&self) -> Result<Vec<JoinHandle<io::Result<Tally>>>, PlanError> {
        let start = Instant::now() + RUN_UP;
        let start_one = |index| {
            let worker = Worker {
                index,
                plan: Arc::clone(&self.plan),
                shared: Arc::clone(&self.shared),
                phase: self.phase.subscribe(),
                start,
            };
            let thread = thread::Builder::new().name(format!("bench-{index}"));
            thread.spawn(move || worker.run())
        };
        let started: io::Result<_> = (0..self.plan.n_threads).map(start_one).collect();
        started.map_err(PlanError::System)
    }

    async fn run(&mut self, before: Option<Sample>) -> Outcome {
        let plan = Arc::clone(&self.plan);
        let n_all = u64::try_from(plan.n_all()).unwrap_or(u64::MAX);
        self.until(None, |shared| {
            shared.ready.get() + shared.failed.get() == n_all
        })
        .await;
        let mut outcome = Outcome {
            tally: plan.tally(),
            is_interrupted: false,
            measured: Duration::ZERO,
            before,
            connected: self.sample(),
            measuring: None,
            after: None,
        };
        if self.n_interrupts == 0 && self.shared.ready.get() > self.shared.stalled.get() {
            let epoch = Instant::now() + RUN_UP;
            let epoch = *self.shared.epoch.get_or_init(|| epoch);
            self.phase.send_replace(Phase::Traffic(epoch));
            match &plan.traffic {
                None => self.until(Some(epoch + plan.hold), |_| false).await,
                Some(traffic) => {
                    let begin = epoch + traffic.schedule.warm_up();
                    self.until(Some(begin), |_| false).await;
                    outcome.measuring = self.sample();
                    if self.n_interrupts == 0 {
                        let end = epoch + traffic.schedule.length();
                        self.until(Some(end), |_| false).await;
                    }
                    let planned = traffic.schedule.length() - traffic.schedule.warm_up();
                    outcome.measured = begin.elapsed().min(planned);
                    self.drain().await;
                }
            }
        }
        outcome.is_interrupted = self.n_interrupts > 0;
        outcome.after = self.sample();
        outcome
    }

    /// What the server takes now. One that has died meanwhile is no reason not to tell what was measured.
    fn sample(&self) -> Option<Sample> {
        Sample::take(&self.plan.pids).ok().flatten()
    }

    /// Waits for what is on its way.
    async fn drain(&mut self) {
        let n_threads = u64::try_from(self.plan.n_threads).unwrap_or(u64::MAX);
        let patience = match self.n_interrupts {
            0 => self.plan.timeout,
            _ => IMPATIENT.min(self.plan.timeout),
        };
        let deadline = Some(Instant::now() + patience);
        let is_handed_out = move |shared: &Shared| shared.idle_threads.get() == n_threads;
        if self.n_interrupts == 0 {
            // Threads that are late hand out the last messages after their time.
            self.until(deadline, is_handed_out).await;
        }
        self.phase.send_replace(Phase::Draining);
        self.until(deadline, |shared| {
            is_handed_out(shared) && shared.is_quiet()
        })
        .await;
    }

    /// Waits until something is so, until a moment, or until somebody interrupts.
    async fn until(&mut self, deadline: Option<Instant>, is_so: impl Fn(&Shared) -> bool) {
        loop {
            if is_so(&self.shared) || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return;
            }
            let phase = *self.phase.borrow();
            self.progress.tell(&self.plan, &self.shared, phase);
            tokio::select! {
                _ = self.look.tick() => {}
                _ = &mut self.interrupt => {
                    self.interrupt = Box::pin(ctrl_c());
                    self.n_interrupts += 1;
                    return;
                }
            }
        }
    }
}
