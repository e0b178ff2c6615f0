//! A client that stops reading: what is sent to it piles up in the system, and then at the server.

use std::time::Duration;

use tokio::time::timeout;

use super::client::Client;
use super::shared::Phase;

/// How long a client may take to find out, at the end, whether it is connected still.
const PATIENCE: Duration = Duration::from_secs(2);

impl Client {
    /// Reads nothing until the run is over.
    pub(super) async fn stall(&mut self) {
        let shared = &self.crew.shared;
        // In this order: who is ready and does not stall is one that the run can begin with.
        shared.stalled.add(1);
        shared.ready.add(1);
        self.crew.tally.borrow_mut().n_stalled += 1;
        let mut phase = self.crew.phase.clone();
        let _ = phase.wait_for(Phase::is_over).await;
        // The end is behind what was sent before it. Not all of that need come: who would be given ever more is connected.
        let to_the_end = async { while self.wire.next().await.is_ok() {} };
        if timeout(PATIENCE, to_the_end).await.is_ok() {
            self.crew.tally.borrow_mut().n_stalled_gone += 1;
        } else {
            self.close().await;
        }
    }
}
