//! # Courier
//! Owns: the webhooks that wait behind another of the same socket or room.
//! Runs: one per server that has webhooks, on its own arbiter.
//! Receives: `Hook` of the sessions, [`Occupancy`] of the registry, `Done` of its own tries.
//! Stops: with its arbiter. Never: waits; stands on the delivery path.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::{Hook, Key, Post};
use crate::metrics::Counter;
use crate::outbound::{Lanes, OutboundError};
use crate::registry::Occupancy;
use crate::throttle::throttled;

/// The first delay between two tries is up to this long.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// No delay is longer.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Courier {
    post: Arc<Post>,
    lanes: Lanes<Key, Hook>,
}

impl Courier {
    pub(super) fn new(post: Arc<Post>) -> Self {
        Self {
            post,
            lanes: Lanes::default(),
        }
    }

    fn queue(&mut self, hook: Hook, ctx: &Context<Self>) {
        if let Some(hook) = self.lanes.push(hook.key.clone(), hook) {
            self.begin(hook, ctx);
        }
    }

    fn begin(&self, hook: Hook, ctx: &Context<Self>) {
        let done = Turn {
            courier: ctx.address(),
            key: hook.key.clone(),
        };
        let post = Arc::clone(&self.post);
        // Not a future of this actor: it would be polled whenever any other of them is.
        actix_rt::spawn(async move {
            deliver(&post, &hook).await;
            drop(done);
        });
    }
}

/// A webhook is delivered or dead. Sent when dropped, also by a panic.
struct Turn {
    courier: Addr<Courier>,
    key: Key,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.courier.do_send(Done(self.key.clone()));
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Done(Key);

/// Tries until it is delivered or dead.
async fn deliver(post: &Post, hook: &Hook) {
    let mut n_tries = 0;
    loop {
        let result = {
            // Nobody closes them.
            let _turn = post.turns.acquire().await;
            post.endpoint.post(&hook.request).await
        };
        let err = match result {
            // Only the status counts.
            Ok(_) | Err(OutboundError::TooLarge) => {
                post.delivered.lock().add(hook.since.elapsed());
                return post.outage.succeeded(post.endpoint.url());
            }
            Err(err) => err,
        };
        post.metrics.count(Counter::WebhookFailed);
        post.outage.failed(post.endpoint.url(), &err);
        let delay = delay(n_tries);
        if hook.since.elapsed() + delay > post.retry_for {
            post.metrics.count(Counter::WebhookDead);
            throttled!(
                error,
                "a webhook is given up tries={} err={err}",
                n_tries + 1
            );
            return;
        }
        n_tries += 1;
        tokio::time::sleep(delay).await;
    }
}

/// How long to wait after so many tries: twice as long each time, and half of it by chance, so that servers and rooms do
/// not come all at once.
fn delay(n_tries: u32) -> Duration {
    let most = FIRST_DELAY
        .saturating_mul(1 << n_tries.min(16))
        .min(LONGEST_DELAY);
    // Without random numbers the full delay is right too, only less polite.
    let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
    most.mul_f64(0.5 + share / 2.0)
}

impl Actor for Courier {
    type Context = Context<Self>;
}

impl Handler<Hook> for Courier {
    type Result = ();

    fn handle(&mut self, hook: Hook, ctx: &mut Context<Self>) {
        self.queue(hook, ctx);
    }
}

impl Handler<Occupancy> for Courier {
    type Result = ();

    fn handle(&mut self, edge: Occupancy, ctx: &mut Context<Self>) {
        if let Some(hook) = self.post.room(edge) {
            self.queue(hook, ctx);
        }
    }
}

impl Handler<Done> for Courier {
    type Result = ();

    fn handle(&mut self, Done(key): Done, ctx: &mut Context<Self>) {
        if let Some(hook) = self.lanes.done(&key) {
            self.begin(hook, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_minute_and_have_jitter() {
        for (n_tries, most) in [(0, 1), (1, 2), (5, 32), (6, 60), (40, 60)] {
            let most = Duration::from_secs(most);
            let mut delays: Vec<_> = (0..100).map(|_| delay(n_tries)).collect();
            assert!(delays.iter().all(|delay| (most / 2..=most).contains(delay)));
            delays.sort();
            delays.dedup();
            assert!(delays.len() > 50);
        }
    }
}
