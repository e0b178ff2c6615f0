//! A handler that is slow: its queue holds the client up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::prelude::*;
use greenroom::config::Config;
use greenroom::testing::Client;
use greenroom::{Handlers, On, Server, per_worker, shared};
use tokio::sync::{Semaphore, mpsc};

use super::serve_with;
use crate::support::{counter, ear, on_actix, within};

/// Handles one event per permit, and nothing meanwhile.
struct Slow {
    gate: Arc<Semaphore>,
    handled: mpsc::UnboundedSender<usize>,
}

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Handler<On<usize>> for Slow {
    type Result = ();

    fn handle(&mut self, on: On<usize>, ctx: &mut Context<Self>) {
        let (gate, handled) = (Arc::clone(&self.gate), self.handled.clone());
        let wait = async move {
            gate.acquire().await.expect("the gate stays").forget();
            handled.send(on.args).unwrap();
        };
        ctx.wait(wait.into_actor(self));
    }
}

fn slow(
    gate: &Arc<Semaphore>,
    handlers: impl FnOnce(Box<dyn Fn() -> Slow + Send + Sync>) -> Handlers<Slow>,
) -> (Handlers<Slow>, mpsc::UnboundedReceiver<usize>) {
    let (sender, handled) = mpsc::unbounded_channel();
    let gate = Arc::clone(gate);
    let factory = move || Slow {
        gate: Arc::clone(&gate),
        handled: sender.clone(),
    };
    (handlers(Box::new(factory)).on::<usize>("n"), handled)
}

const N_EVENTS: usize = 500;

async fn a_full_queue_holds_the_client_up(
    handlers: impl FnOnce(Box<dyn Fn() -> Slow + Send + Sync>) -> Handlers<Slow>,
) {
    let gate = Arc::new(Semaphore::new(0));
    let (handlers, mut handled) = slow(&gate, handlers);
    let mut config = Config::default();
    config.limits.handler_queue = 8;
    let (ears, mut hearing) = ear();
    let builder = Server::builder().config(config).namespace("/", handlers);
    let server = builder.namespace("/other", ears).build().unwrap();
    let mut client = Client::connect(&server).await.unwrap();
    let mut other = Client::connect_to(&server, "/other", ()).await.unwrap();
    let n_sent = Arc::new(AtomicUsize::new(0));
    let sending = actix::spawn({
        let n_sent = Arc::clone(&n_sent);
        async move {
            for n in 0..N_EVENTS {
                client.emit("n", n).await.unwrap();
                n_sent.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    // The loop has gone round a hundred times: what could be sent was sent.
    for _ in 0..100 {
        other.emit("round", ()).await.unwrap();
        hearing.event().await;
    }
    let n_sent = n_sent.load(Ordering::SeqCst);
    assert!((8..40).contains(&n_sent), "{n_sent} events were taken");
    assert!(handled.try_recv().is_err());
    gate.add_permits(N_EVENTS);
    for n in 0..N_EVENTS {
        assert_eq!(within("an event", handled.recv()).await, Some(n));
    }
    sending.await.unwrap();
    assert_eq!(counter(&server, "handler_gone"), 0);
    assert!(counter(&server, "handler_full") > 0);
}

#[test]
fn a_full_queue_holds_the_client_up_and_loses_nothing() {
    on_actix(a_full_queue_holds_the_client_up(per_worker));
}

#[test]
fn a_full_queue_of_a_shared_instance_holds_the_client_up_and_loses_nothing() {
    on_actix(a_full_queue_holds_the_client_up(shared));
}

#[test]
fn a_queue_without_limit_takes_everything() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(0));
        let (handlers, mut handled) = slow(&gate, per_worker);
        let mut config = Config::default();
        config.limits.handler_queue = 0;
        let server = serve_with(config, handlers);
        let mut client = Client::connect(&server).await.unwrap();
        for n in 0..N_EVENTS {
            within("the queue takes it", client.emit("n", n))
                .await
                .unwrap();
        }
        gate.add_permits(N_EVENTS);
        for n in 0..N_EVENTS {
            assert_eq!(within("an event", handled.recv()).await, Some(n));
        }
    });
}
