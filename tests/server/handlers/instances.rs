//! Instances of handler actors, and their panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::prelude::*;
use greenroom::testing::Client;
use greenroom::{Ack, Connect, Handlers, On, Refusal, Server, per_worker, shared};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{error_of, refused, serve};
use crate::support::{Worker, counter, on_actix, within};

/// Counts the events it was given; its instances are counted too.
struct Counting {
    n_events: usize,
}

impl Counting {
    fn factory(n_made: &Arc<AtomicUsize>) -> impl Fn() -> Self + Send + Sync + 'static {
        let n_made = Arc::clone(n_made);
        move || {
            n_made.fetch_add(1, Ordering::SeqCst);
            Self { n_events: 0 }
        }
    }
}

impl Actor for Counting {
    type Context = Context<Self>;
}

impl Handler<On<()>> for Counting {
    type Result = ();

    fn handle(&mut self, on: On<()>, _: &mut Context<Self>) {
        self.n_events += 1;
        on.ack.send(self.n_events);
    }
}

/// Six events of three clients on two workers: what the last one was told.
async fn count_six(server: &Server) -> usize {
    let (here, there) = (Worker::new(), Worker::new());
    let mut last = 0;
    let mut a = here.connect(server).await;
    let mut b = here.connect(server).await;
    let mut c = there.connect(server).await;
    for _ in 0..2 {
        for client in [&mut a, &mut b, &mut c] {
            last = client
                .emit_with_ack("n", ())
                .await
                .unwrap()
                .first()
                .unwrap();
        }
    }
    last
}

#[test]
fn each_worker_has_an_instance_of_its_own() {
    on_actix(async {
        let n_made = Arc::default();
        let server = serve(per_worker(Counting::factory(&n_made)).on::<()>("n"));
        assert_eq!(n_made.load(Ordering::SeqCst), 0, "made when it is needed");
        assert_eq!(count_six(&server).await, 2, "of the second worker's client");
        assert_eq!(n_made.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_shared_instance_hears_all_workers() {
    on_actix(async {
        let n_made = Arc::default();
        let server = serve(shared(Counting::factory(&n_made)).on::<()>("n"));
        assert_eq!(count_six(&server).await, 6);
        assert_eq!(n_made.load(Ordering::SeqCst), 1);
    });
}

/// Keeps the acks of `keep`, panics at `boom`, says how many it keeps at `n`.
#[derive(Default)]
struct Fragile {
    kept: Vec<Ack>,
}

struct Boom;
struct Count;

impl<'de> Deserialize<'de> for Boom {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

impl Actor for Fragile {
    type Context = Context<Self>;
}

impl Handler<Connect> for Fragile {
    type Result = Result<(), Refusal>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        assert!(
            socket.auth::<Value>().unwrap() == json!({}),
            "a handler that panics on purpose"
        );
        Ok(())
    }
}

impl Handler<On<String>> for Fragile {
    type Result = ();

    fn handle(&mut self, on: On<String>, _: &mut Context<Self>) {
        self.kept.push(on.ack);
    }
}

impl Handler<On<Boom>> for Fragile {
    type Result = ();

    fn handle(&mut self, _: On<Boom>, _: &mut Context<Self>) {
        panic!("a handler that panics on purpose");
    }
}

impl Handler<On<Count>> for Fragile {
    type Result = ();

    fn handle(&mut self, on: On<Count>, _: &mut Context<Self>) {
        on.ack.send(self.kept.len());
    }
}

fn fragile(handlers: Handlers<Fragile>) -> Handlers<Fragile> {
    handlers
        .on_connect()
        .on::<String>("keep")
        .on::<Boom>("boom")
        .on::<Count>("n")
}

async fn panics_take_no_sessions_down(handlers: Handlers<Fragile>) {
    let server = serve(fragile(handlers));
    let mut keeper = Client::connect(&server).await.unwrap();
    let mut bomber = Client::connect(&server).await.unwrap();
    let keeping = actix::spawn(async move {
        let answer = keeper.emit_with_ack("keep", "this").await.unwrap();
        (keeper, answer)
    });
    let is_kept = async {
        while bomber
            .emit_with_ack("n", ())
            .await
            .unwrap()
            .first::<u8>()
            .unwrap()
            == 0
        {}
    };
    within("an ack is kept", is_kept).await;
    // The ack of the event that panics and the one that is kept are refused.
    let answer = bomber.emit_with_ack("boom", ()).await.unwrap();
    assert_eq!(error_of(&answer), "not answered");
    let (mut keeper, answer) = keeping.await.unwrap();
    assert_eq!(error_of(&answer), "not answered");
    assert_eq!(counter(&server, "forgotten_ack"), 2);
    // A new instance answers the same sockets. On another thread the old one may still be on its way out.
    let answer = within("an answer", async {
        loop {
            let answer = keeper.emit_with_ack("n", ()).await.unwrap();
            if answer.first::<u8>().is_ok() || error_of(&answer) != "not answered" {
                return answer;
            }
        }
    })
    .await;
    assert_eq!(answer.first::<u8>().unwrap(), 0);
    assert_eq!(counter(&server, "handler_restarted"), 1);
    // Failures in a row: sooner or later there is no instance for a while, which the ack says.
    let is_left_alone = async {
        loop {
            bomber.emit_with_ack("boom", ()).await.unwrap();
            let answer = keeper.emit_with_ack("n", ()).await.unwrap();
            // On another thread the ack of `boom` comes before the instance is gone.
            if answer.first::<u8>().is_err() && error_of(&answer) != "not answered" {
                return answer;
            }
        }
    };
    let answer = within("the handler is left alone", is_left_alone).await;
    assert_eq!(error_of(&answer), "the handler is not available");
    assert!(counter(&server, "handler_gone") >= 1);
    let comes_back = async {
        while keeper
            .emit_with_ack("n", ())
            .await
            .unwrap()
            .first::<u8>()
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    };
    within("the handler is back", comes_back).await;
    assert!(counter(&server, "handler_restarted") >= 2);
    assert_eq!(server.root().fetch_sockets().await.len(), 2);
}

#[test]
fn a_panic_restarts_the_instance_of_the_worker_and_takes_no_session_down() {
    on_actix(panics_take_no_sessions_down(per_worker(Fragile::default)));
}

#[test]
fn a_panic_restarts_the_shared_instance_and_takes_no_session_down() {
    on_actix(panics_take_no_sessions_down(shared(Fragile::default)));
}

#[test]
fn a_panic_in_connect_refuses_the_client() {
    on_actix(async {
        let server = serve(fragile(per_worker(Fragile::default)));
        let mut client = Client::connect(&server).await.unwrap();
        let (message, _) = refused(Client::connect_to(&server, "/", json!({ "a": 1 })).await);
        assert_eq!(message, "the handler is not available");
        client.emit_with_ack("n", ()).await.unwrap();
        assert_eq!(counter(&server, "handler_restarted"), 1);
        assert_eq!(server.root().n_sockets(), 1);
    });
}
