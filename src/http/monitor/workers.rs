//! Asks the hubs of a server what they have counted.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use crate::hub::{Command, Report, Tally};
use crate::server::Shared;

/// How long hubs are waited for, and other actors. A worker that is busy for so long is a finding of its own.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// All hubs of a server together.
#[derive(Debug, Default)]
pub(super) struct Workers {
    /// With what hubs that have gone have counted.
    pub(super) tally: Tally,
    pub(super) n_sessions: [usize; 2],
    pub(super) n_blocked: usize,
    pub(super) outbox_bytes: usize,
    pub(super) largest_outbox_bytes: usize,
    pub(super) n_workers: usize,
    /// Those that did not answer in time: of them it is what they told the last time.
    pub(super) n_silent: usize,
    /// How much has been sent to the hubs that they have not taken.
    pub(super) backlog: usize,
}

impl Workers {
    pub(super) async fn ask(shared: &Shared) -> Self {
        let hubs = shared.hubs_now();
        let backlog = hubs.iter().map(|hub| hub.n_waiting()).sum();
        let asked = hubs.iter().map(|hub| {
            let (to, report) = oneshot::channel();
            hub.send(Command::Report(to));
            (hub.index, report)
        });
        // All of them at once, before the first is waited for.
        let asked: Vec<_> = asked.collect();
        let answers = asked.into_iter().map(|(index, report)| async move {
            let report = tokio::time::timeout(PATIENCE, report).await;
            (index, report.ok().and_then(Result::ok))
        });
        let answers = join_all(answers).await;
        let mut all = Self {
            tally: shared.tallies.retired(),
            n_workers: answers.len(),
            backlog,
            ..Self::default()
        };
        for (index, report) in answers {
            all.n_silent += usize::from(report.is_none());
            if let Some(report) = shared.tallies.latest(index, report) {
                all.add(&report);
            }
        }
        all
    }

    fn add(&mut self, report: &Report) {
        self.tally.merge(&report.tally);
        for (sum, n) in self.n_sessions.iter_mut().zip(report.n_sessions) {
            *sum += n;
        }
        self.n_blocked += report.n_blocked;
        self.outbox_bytes += report.outbox_bytes;
        self.largest_outbox_bytes = self.largest_outbox_bytes.max(report.largest_outbox_bytes);
    }
}
