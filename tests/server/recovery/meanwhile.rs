//! What happens at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use greenroom::testing::Client;
use greenroom::{Connect, Refusal, Server, Socket, per_worker};
use tokio::sync::{Semaphore, mpsc};

use super::{enabled, names, offset, ticket};
use crate::support::{Worker, eventually, lobby, on_actix, within};

/// Lets nobody in without a permit.
struct Gatekeeper {
    gate: Arc<Semaphore>,
    seen: mpsc::UnboundedSender<Socket>,
}

impl Actor for Gatekeeper {
    type Context = Context<Self>;
}

impl Handler<Connect> for Gatekeeper {
    type Result = ResponseFuture<Result<(), Refusal>>;

    fn handle(&mut self, Connect { socket }: Connect, _: &mut Context<Self>) -> Self::Result {
        self.seen.send(socket).unwrap();
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            gate.acquire().await.expect("the gate stays").forget();
            Ok(())
        })
    }
}

#[test]
fn what_is_sent_while_the_handler_thinks_is_not_lost() {
    on_actix(async {
        let gate = Arc::new(Semaphore::new(1));
        let (seen, mut sockets) = mpsc::unbounded_channel();
        let keeper = Arc::clone(&gate);
        let handlers = per_worker(move || Gatekeeper {
            gate: Arc::clone(&keeper),
            seen: seen.clone(),
        });
        let builder = Server::builder().config(enabled());
        let server = builder
            .namespace("/", handlers.on_connect())
            .build()
            .unwrap();
        let mut client = Client::connect(&server).await.unwrap();
        let socket = within("the socket", sockets.recv()).await.unwrap();
        let ticket = ticket(&mut client, &socket).await;
        drop(client);
        let nsp = server.root();
        eventually("it has gone", || nsp.n_sockets() == 0).await;
        nsp.emit("before", ());
        let returning = actix::spawn({
            let (ticket, server) = (ticket.clone(), server.clone());
            async move { ticket.try_return(&server).await.unwrap() }
        });
        let socket = within("the socket", sockets.recv()).await.unwrap();
        nsp.emit("meanwhile", ());
        socket.emit("meanwhile to it", ());
        nsp.to(&ticket.id).emit("meanwhile to its id", ());
        gate.add_permits(1);
        let mut client = within("it is in", returning).await.unwrap();
        nsp.emit("after", ());
        assert_eq!(
            names(&mut client, &socket).await,
            [
                "before",
                "meanwhile",
                "meanwhile to it",
                "meanwhile to its id",
                "after"
            ]
        );
    });
}

/// Emits numbers from a thread of its own, to everybody and to a room by turns, as many as are allowed; `u64::MAX` ends
/// it.
fn emit_allowed(server: &Server, name: &'static str, allowed: &Arc<AtomicU64>) {
    let (server, allowed) = (server.clone(), Arc::clone(allowed));
    std::thread::spawn(move || {
        let mut n = 0;
        loop {
            match allowed.load(Ordering::Relaxed) {
                u64::MAX => return,
                up_to if n < up_to => {
                    match n % 2 {
                        0 => server.root().emit(name, n),
                        _ => server.root().to("room").emit(name, n),
                    }
                    n += 1;
                }
                _ => std::thread::park_timeout(Duration::from_millis(1)),
            }
        }
    });
}

#[test]
fn nothing_is_lost_or_doubled_while_a_client_comes_and_goes() {
    on_actix(async {
        let workers = [Worker::new(), Worker::new()];
        let mut lobby = lobby(enabled());
        let (mut client, socket) = lobby.join_on(&workers[0]).await;
        socket.join("room");
        let mut ticket = ticket(&mut client, &socket).await;
        let allowed: Arc<AtomicU64> = Arc::default();
        emit_allowed(&lobby.server, "n", &allowed);
        let mut next = 0_u64;
        for round in 0..60 {
            // More than is read in this round: the thread emits while the client goes and comes.
            allowed.fetch_add(40, Ordering::Relaxed);
            for _ in 0..round * 3 % 40 {
                let event = client.event("n").await.unwrap();
                assert_eq!(event.args.first::<u64>().unwrap(), next, "round {round}");
                next += 1;
                ticket.offset = offset(&event);
            }
            drop(client);
            lobby.hearing.gone().await;
            let (ticket, server) = (ticket.clone(), lobby.server.clone());
            client = workers[round % 2]
                .run(move || async move { ticket.try_return(&server).await.unwrap() })
                .await;
            assert!(lobby.hearing.connected().await.is_recovered());
        }
        while next < allowed.load(Ordering::Relaxed) {
            let event = client.event("n").await.unwrap();
            assert_eq!(event.args.first::<u64>().unwrap(), next);
            next += 1;
        }
        allowed.store(u64::MAX, Ordering::Relaxed);
    });
}
