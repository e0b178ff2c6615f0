//! Events between the servers of a cluster.

use std::sync::Arc;

use actix::Message;
use bytestring::ByteString;
use serde::Serialize;
use tokio::sync::oneshot;

use super::table::NamespaceInner;
use crate::hub::Command;
use crate::metrics::Counter;
use crate::protocol::adapter::Asker;
use crate::protocol::socketio::Args;
use crate::throttle::throttled;

/// An event that another server sent with
/// [`Namespace::server_side_emit`](super::Namespace::server_side_emit), or a program with an emitter.
///
/// Each reaches one instance of the handler on every other server: with
/// [`per_worker`](super::per_worker) the one of the first worker.
///
/// ```
/// use greenroom::prelude::*;
///
/// #[derive(Default)]
/// struct Cache;
///
/// impl Actor for Cache {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<ServerEvent> for Cache {
///     type Result = ();
///
///     fn handle(&mut self, event: ServerEvent, _: &mut Context<Self>) {
///         match event.name() {
///             "forget" => event.ack.send(true),
///             _ => event.ack.forget(),
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::builder().namespace("/", shared(Cache::default).on_server_event()).build()?;
/// server.root().server_side_emit("forget", "everything")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ServerEvent {
    /// The answer that the other server may have asked for.
    pub ack: ServerAck,
    nsp: Arc<NamespaceInner>,
    name: ByteString,
    args: Args,
}

impl Message for ServerEvent {
    type Result = ();
}

impl ServerEvent {
    pub(crate) const fn new(
        nsp: Arc<NamespaceInner>,
        name: ByteString,
        args: Args,
        ack: ServerAck,
    ) -> Self {
        Self {
            ack,
            nsp,
            name,
            args,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments, which are parsed when asked.
    #[must_use]
    pub const fn args(&self) -> &Args {
        &self.args
    }

    /// The namespace it was sent in.
    #[must_use]
    pub fn namespace(&self) -> super::Namespace {
        super::Namespace::new(Arc::clone(&self.nsp))
    }

    /// Takes it apart: name, arguments, ack.
    pub fn into_parts(self) -> (ByteString, Args, ServerAck) {
        (self.name, self.args, self.ack)
    }

    /// Hands it to the handler of its namespace on this worker.
    pub(crate) fn dispatch(self) {
        let nsp = Arc::clone(&self.nsp);
        nsp.definition.here(|| nsp.env()).server_event(self);
    }

    /// Hands it to the first worker.
    pub(crate) fn hand_over(self) {
        match self.nsp.shared().hubs_now().first() {
            Some(hub) => hub.send(Command::ServerEvent(Box::new(self))),
            None => self.unheard(Counter::UnhandledServerEvent),
        }
    }

    /// Nobody here listens: as on a server without a listener, no answer is given.
    pub(crate) fn unheard(self, why: Counter) {
        self.nsp.shared().metrics.count(why);
        self.ack.forget();
    }
}

/// The answer to a [`ServerEvent`], a value as [`Ack`](super::Ack) is: one that is dropped is counted and
/// refused with `{"error": "not answered"}`, so that the asker does not wait for its timeout.
///
/// If no answer was asked for, every method does nothing.
#[must_use = "a server that asked for an ack waits for `send`"]
#[derive(Debug)]
pub struct ServerAck(Option<(Arc<NamespaceInner>, To)>);

/// Who gets the answer.
#[derive(Debug)]
enum To {
    Server(Asker),
    /// Somebody who asked all servers, this one too.
    Here(oneshot::Sender<Args>),
}

impl ServerAck {
    pub(crate) fn new(nsp: Arc<NamespaceInner>, to: Option<Asker>) -> Self {
        Self(to.map(|to| (nsp, To::Server(to))))
    }

    /// For somebody on this server.
    pub(super) fn here(nsp: Arc<NamespaceInner>, to: Option<oneshot::Sender<Args>>) -> Self {
        Self(to.map(|to| (nsp, To::Here(to))))
    }

    /// Whether the other server asked for an answer.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Answers with one value, as JSON. What cannot be serialized is logged, and the asker gets a refusal.
    pub fn send<T: Serialize>(self, value: T) {
        match Args::from_values(&(value,)) {
            Ok(args) => self.send_args(&args),
            Err(err) => {
                throttled!(
                    error,
                    "an answer to a server cannot be serialized err={err}"
                );
                self.refuse("the answer cannot be serialized");
            }
        }
    }

    /// Answers with the first of these arguments.
    pub fn send_args(mut self, args: &Args) {
        match self.0.take() {
            Some((nsp, To::Server(to))) => {
                if let Some(cluster) = &nsp.shared().cluster {
                    // Always on the shared channel: servers of 7.0 name themselves in the request and listen to no
                    // other.
                    let channel = to.channel(&cluster.channels, nsp.name(), false);
                    cluster.publish_encoded(channel, to.emitted(args, Some(&cluster.uid)));
                }
            }
            // Who asked may not wait any more.
            Some((_, To::Here(to))) => drop(to.send(args.nth(0).unwrap_or_default())),
            None => {}
        }
    }

    /// Tells the other server why it gets no answer: `{"error": reason}`.
    pub fn refuse(self, reason: &str) {
        let args = Args::from_values(&(serde_json::json!({ "error": reason }),));
        self.send_args(&args.unwrap_or_default());
    }

    /// Leaves the other server without an answer, on purpose.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for ServerAck {
    fn drop(&mut self) {
        if let Some((nsp, to)) = self.0.take() {
            throttled!(
                warn,
                "an ack for a server was dropped without an answer nsp={}",
                nsp.name()
            );
            nsp.shared().metrics.count(Counter::ForgottenAck);
            Self(Some((nsp, to))).refuse("not answered");
        }
    }
}
