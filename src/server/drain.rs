//! The end of a server, one step after the other.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Server;
use crate::carrier;
use crate::hub::Command;
use crate::subscriber::StopAnswering;

/// A handful of sessions need not be spread over the whole time: each adds this.
const PER_SESSION: Duration = Duration::from_millis(50);

/// What an order may take to be carried out: a farewell to be fetched, Redis to answer.
const MOMENT: Duration = Duration::from_secs(1);

/// How far the end has got.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    /// Sessions that were there when it began.
    n_begun: OnceLock<usize>,
    /// Those of them that were cut off.
    n_cut: AtomicUsize,
}

impl Drained {
    /// While so many are here: how many remain to be ended, how many have ended, and how many were cut off. Nothing, if
    /// it has not begun.
    pub(crate) fn progress(&self, n_sessions: usize) -> [usize; 3] {
        let Some(n_begun) = self.n_begun.get() else {
            return [0; 3];
        };
        let n_cut = self.n_cut.load(Ordering::Relaxed);
        let n_remaining = n_sessions.saturating_sub(n_cut);
        [
            n_remaining,
            n_begun.saturating_sub(n_remaining + n_cut),
            n_cut,
        ]
    }
}

impl Server {
    /// Ends what [`Server::run`] has begun, from anywhere, as SIGTERM does: in the order of [`Server::drain`], and then `run`
    /// returns. It waits for none of that. Asked before `run`, it ends once it listens; of several servers on one address
    /// ([`Server::run_all`]) one ends all.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), greenroom::Error> {
    /// let server = greenroom::Server::builder().build()?;
    /// let running = server.clone();
    /// let thread = std::thread::spawn(move || running.run());
    /// // …
    /// server.stop();
    /// thread.join().expect("it does not panic")
    /// # }
    /// ```
    pub fn stop(&self) {
        self.0.stop.notify_one();
    }

    /// Ends this server in good order, as [`Server::run`] does when it is told to, for a server inside somebody's `App`.
    /// How many sessions were cut off, because `shutdown.timeout` was over.
    ///
    /// ```no_run
    /// # async fn example(server: greenroom::Server, listener: actix_web::dev::ServerHandle) {
    /// if server.drain().await > 0 {
    ///     log::warn!("not everybody could be seen off");
    /// }
    /// listener.stop(true).await;
    /// # }
    /// ```
    ///
    /// In this order:
    ///
    /// 1. New handshakes are answered 503, so that a load balancer goes on to the next server. The listener stays: the
    ///    polls of the sessions that are there come over new connections too.
    /// 2. In a cluster, nobody who asks the servers counts on this one any more: requests are unsubscribed from. What was
    ///    asked before is answered. Broadcasts still arrive, for the clients that are still here; broadcasts with an
    ///    acknowledgement and orders to join, leave or go do not, since they are requests.
    /// 3. All sockets get the event `shutdown.notice_event`, if it has a name.
    /// 4. The sessions end, evenly spread over `shutdown.spread`, each with what was queued for it before.
    /// 5. The cluster is left: all subscriptions, what Redis has of the membership, the lease.
    /// 6. Handlers hear of the last ends ([`Disconnecting`](crate::Disconnecting)), and webhooks that wait are delivered, as
    ///    far as the time allows.
    pub async fn drain(&self) -> usize {
        let config = &self.0.config.shutdown;
        let end = Instant::now() + config.timeout;
        // What is before and after the sessions: half of what they leave.
        let moment = MOMENT.min((config.timeout - config.spread) / 4);
        self.0.is_ending.store(true, Ordering::Relaxed);
        // Whoever ends it a second time looks at the same end.
        let _ = self.0.drained.n_begun.set(self.n_sessions());
        self.stop_answering(moment).await;
        let within =
            (PER_SESSION * u32::try_from(self.n_sessions()).unwrap_or(u32::MAX)).min(config.spread);
        log::info!(
            "sessions end sessions={} within_ms={}",
            self.n_sessions(),
            within.as_millis()
        );
        self.give_notice(within);
        let last = end - moment;
        let is_in_time = tokio::time::timeout_at(last.into(), self.sessions_end(within)).await;
        let n_cut = match is_in_time {
            Ok(()) => 0,
            Err(_) => self.cut_off(end).await,
        };
        self.leave_cluster(end.saturating_duration_since(Instant::now()))
            .await;
        // What listens needs its moment still.
        self.all_told(end - moment).await;
        n_cut
    }

    async fn stop_answering(&self, patience: Duration) {
        let (done, is_done) = tokio::sync::oneshot::channel();
        self.0.tell_subscriber(|| StopAnswering(done));
        // Without a cluster the sender is gone already. Without a Redis there is nobody to wait for.
        let _ = tokio::time::timeout(patience, is_done).await;
    }

    fn give_notice(&self, within: Duration) {
        let event = &self.0.config.shutdown.notice_event;
        if event.is_empty() {
            return;
        }
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        for nsp in self.namespaces().iter().filter_map(|name| self.of(name)) {
            nsp.local().emit(event, within_ms);
        }
    }

    async fn sessions_end(&self, mut within: Duration) {
        loop {
            self.0.to_all_hubs(|| Command::Drain(within));
            let gone = self.all_gone();
            if tokio::time::timeout(within + 2 * MOMENT, gone)
                .await
                .is_ok()
            {
                return;
            }
            // Who came in while the order was on its way.
            within = Duration::ZERO;
        }
    }

    /// Waits until nobody is here, and all have taken what was said to them last.
    async fn all_gone(&self) {
        until(|| self.n_sessions() == 0 && carrier::n_goodbyes() == 0).await;
    }

    /// Waits until handlers have heard of all ends, and programs elsewhere too; it is behind the sessions and the cluster,
    /// which bring the last ones.
    async fn all_told(&self, end: Instant) {
        let told = until(|| self.0.n_leaving.load(Ordering::Acquire) == 0);
        if tokio::time::timeout_at(end.into(), told).await.is_err() {
            let n_sockets = self.0.n_leaving.load(Ordering::Acquire);
            log::error!("a handler has not heard of all ends sockets={n_sockets}");
        }
        self.finish_webhooks(end.saturating_duration_since(Instant::now()))
            .await;
    }

    /// How many sessions were still there.
    async fn cut_off(&self, end: Instant) -> usize {
        let n_cut = self.n_sessions();
        self.0.drained.n_cut.store(n_cut, Ordering::Relaxed);
        self.0.to_all_hubs(|| Command::Shutdown);
        // Handlers hear of it.
        let gone = until(|| self.n_sessions() == 0);
        let _ = tokio::time::timeout_at(end.into(), gone).await;
        n_cut
    }
}

/// Looks again and again: nothing tells of these ends, and they are not worth it.
async fn until(is_so: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    while !is_so() {
        look.tick().await;
    }
}
