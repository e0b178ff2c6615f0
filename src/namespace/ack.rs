//! Acknowledgements: those we owe ([`Ack`]) and those we wait for ([`Answer`]).

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;
use serde::Serialize;
use tokio::sync::oneshot;

use super::broadcast_acks::{Answers, BroadcastAcks};
use super::socket::Socket;
use crate::error::{AckError, EmitError};
use crate::metrics::Counter;
use crate::protocol::socketio::Args;
use crate::throttle::throttled;

/// The answer that a client asked for with an event.
///
/// A value: pass it on, keep it in an actor, send it from another thread. [`Ack::send`] uses it up.
/// Dropping one that the client waits for is a mistake that shows: the client gets a refusal
/// (`{"error": "…"}` as the only argument) instead of waiting for its timeout, the log a warning, and
/// a counter rises. A panic in a handler refuses its pending acks the same way.
///
/// If the client asked for none, every method does nothing.
#[must_use = "a client that asked for an ack waits for `send`"]
#[derive(Debug)]
pub struct Ack(Option<Owed>);

#[derive(Debug)]
struct Owed {
    socket: Socket,
    id: u64,
}

impl Ack {
    pub(crate) const fn new(socket: Socket, id: u64) -> Self {
        Self(Some(Owed { socket, id }))
    }

    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Whether the client asked for an answer.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Answers.
    ///
    /// Shape: a tuple is several arguments, `()` none, anything else one; see [`Args::from_values`].
    /// What cannot be serialized is logged, and the client gets a refusal.
    pub fn send<T: Serialize>(self, values: T) {
        match Args::from_values(&values) {
            Ok(args) => self.send_args(&args),
            Err(err) => {
                throttled!(error, "an ack cannot be serialized err={err}");
                self.refuse("the answer cannot be serialized");
            }
        }
    }

    /// Answers with arguments that are encoded already, for example those of an event.
    pub fn send_args(mut self, args: &Args) {
        if let Some(Owed { socket, id }) = self.0.take() {
            socket.send_ack(id, args);
        }
    }

    /// Tells the client why it gets no answer.
    ///
    /// Shape: one argument, `{"error": reason}`. Socket.IO has no other form for it.
    pub fn refuse(self, reason: &str) {
        let args = Args::from_values(&serde_json::json!({ "error": reason }));
        self.send_args(&args.unwrap_or_default());
    }

    /// Leaves the client without an answer, on purpose.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if let Some(Owed { socket, id }) = self.0.take() {
            if socket.is_connected() {
                throttled!(
                    warn,
                    "an ack was dropped without an answer nsp={} ack={id}",
                    socket.namespace_name()
                );
            }
            socket.shared().metrics.count(Counter::ForgottenAck);
            Self::new(socket, id).refuse("not answered");
        }
    }
}

/// The acks that one socket owes us, by the id under which the client will answer.
#[derive(Debug, Default)]
pub(crate) struct AckTable(HashMap<u64, Waiter, FxBuildHasher>);

#[derive(Debug)]
enum Waiter {
    /// Since then.
    One(Instant, oneshot::Sender<Args>),
    Broadcast(Arc<BroadcastAcks>),
}

impl AckTable {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes out what nobody waits for any more.
    pub(crate) fn purge(&mut self) {
        self.0.retain(|_, waiter| match waiter {
            Waiter::One(_, sender) => !sender.is_closed(),
            Waiter::Broadcast(acks) => !acks.is_over(),
        });
    }

    pub(crate) fn wait(&mut self, id: u64) -> oneshot::Receiver<Args> {
        let (sender, receiver) = oneshot::channel();
        self.0.insert(id, Waiter::One(Instant::now(), sender));
        receiver
    }

    pub(crate) fn wait_broadcast(&mut self, id: u64, acks: Arc<BroadcastAcks>) {
        // Clients that never answer broadcasts leave entries behind: swept whenever the table would grow.
        if self.0.len() == self.0.capacity() {
            self.purge();
        }
        self.0.insert(id, Waiter::Broadcast(acks));
    }

    pub(crate) fn forget(&mut self, id: u64) {
        self.0.remove(&id);
    }

    /// Hands over an answer: how long it took. `None` if nobody waits for it (any more).
    pub(crate) fn resolve(&mut self, id: u64, args: Args) -> Option<Duration> {
        match self.0.remove(&id)? {
            // Whoever waited may have gone.
            Waiter::One(since, sender) => sender.send(args).ok().map(|()| since.elapsed()),
            Waiter::Broadcast(acks) if acks.is_over() => None,
            Waiter::Broadcast(acks) => {
                acks.answered(Some(args));
                Some(acks.since.elapsed())
            }
        }
    }

    /// The socket is gone: nobody will answer.
    pub(crate) fn clear(&mut self) {
        for (_, waiter) in std::mem::take(&mut self.0) {
            if let Waiter::Broadcast(acks) = waiter {
                acks.answered(None);
            }
        }
    }
}

/// The answer of one client, to be awaited (on a tokio runtime, which the timer needs).
///
/// # Errors
/// [`AckError::Timeout`] after the time of [`Socket::timeout`] or the configured default,
/// [`AckError::Disconnected`] if the client goes, [`AckError::Unsent`] if the event could not be sent.
#[must_use = "the answer is only waited for when this is awaited"]
pub struct Answer(Pin<Box<dyn Future<Output = Result<Args, AckError>> + Send>>);

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}

impl Answer {
    pub(crate) fn unsent(err: AckError) -> Self {
        Self(Box::pin(std::future::ready(Err(err))))
    }

    /// The first answer to a broadcast that addresses one socket, wherever it is.
    pub(crate) fn of_one(
        answers: impl Future<Output = Result<Answers, EmitError>> + Send + 'static,
    ) -> Self {
        Self(Box::pin(async move {
            let answers = answers.await.map_err(AckError::Unsent)?;
            // All servers say that they have no such client.
            let is_gone = answers.is_complete();
            let answer = answers.responses.into_iter().next();
            answer.ok_or(if is_gone {
                AckError::Disconnected
            } else {
                AckError::Timeout
            })
        }))
    }

    pub(crate) fn new(
        socket: Socket,
        id: u64,
        receiver: oneshot::Receiver<Args>,
        timeout: Duration,
    ) -> Self {
        Self(Box::pin(async move {
            match tokio::time::timeout(timeout, receiver).await {
                Ok(Ok(args)) => Ok(args),
                Ok(Err(_)) => Err(AckError::Disconnected),
                Err(_) => {
                    socket.forget_ack(id);
                    socket.shared().metrics.count(Counter::AckTimeout);
                    log::debug!(
                        "a client did not answer in time nsp={} id={} ack={id}",
                        socket.namespace_name(),
                        socket.id()
                    );
                    Err(AckError::Timeout)
                }
            }
        }))
    }
}

impl Future for Answer {
    type Output = Result<Args, AckError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}
