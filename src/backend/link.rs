//! One backend, as all workers share it: calls are bounded, counted and logged.

use std::collections::HashSet;
use std::time::Instant;

use bytestring::ByteString;
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::call::Call;
use crate::config::{BackendConfig, Config};
use crate::error::{ArgsError, Error, Refusal};
use crate::metrics::Counter;
use crate::namespace::Socket;
use crate::outbound::{self, Endpoint, Outage, OutboundError};

/// A backend.
#[derive(Debug)]
pub(super) struct Link {
    endpoint: Endpoint,
    /// Calls that may be made now. First come, first served.
    turns: Semaphore,
    outage: Outage,
    /// `None`: all.
    events: Option<HashSet<String>>,
    pub(super) connect: bool,
    /// Under which its calls are timed: sockets may be in many that one pattern made.
    namespace: ByteString,
    node: String,
}

/// Why a call has failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not its turn in time.
    Busy,
    /// What the client has sent cannot be passed on.
    Arguments(ArgsError),
    Request(OutboundError),
}

impl Failure {
    /// What the client may know.
    pub(super) const fn message(&self) -> &'static str {
        match self {
            Self::Busy => "the backend is busy",
            Self::Arguments(_) => "invalid arguments: they are nested too deep",
            Self::Request(OutboundError::Timeout) => "the backend did not answer in time",
            Self::Request(OutboundError::Unreachable(_)) => "the backend is not reachable",
            Self::Request(OutboundError::Status(_)) => "the backend has failed",
            Self::Request(OutboundError::TooLarge | OutboundError::Garbage(_)) => {
                "the backend gave no usable answer"
            }
        }
    }

    /// Under which name it is counted, which the client may know too.
    const fn cause(&self) -> (Counter, &'static str) {
        match self {
            Self::Busy => (Counter::BackendBusy, "backend_busy"),
            Self::Arguments(_) => (Counter::ArgumentsRefused, "arguments_refused"),
            Self::Request(OutboundError::Timeout) => (Counter::BackendTimeout, "backend_timeout"),
            Self::Request(OutboundError::Unreachable(_)) => {
                (Counter::BackendUnreachable, "backend_unreachable")
            }
            Self::Request(OutboundError::Status(_)) => (Counter::BackendStatus, "backend_status"),
            Self::Request(OutboundError::TooLarge) => {
                (Counter::BackendTooLarge, "backend_too_large")
            }
            Self::Request(OutboundError::Garbage(_)) => {
                (Counter::BackendGarbage, "backend_garbage")
            }
        }
    }

    /// What a client is told that wanted in.
    pub(super) fn refusal(&self) -> Refusal {
        let (_, code) = self.cause();
        Refusal::new(self.message()).with_data(serde_json::json!({ "code": code }))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Busy => f.write_str("too many calls wait for their turn"),
            Self::Arguments(err) => err.fmt(f),
            Self::Request(err) => err.fmt(f),
        }
    }
}

impl Link {
    pub(super) fn new(settings: &BackendConfig, config: &Config) -> Result<Self, Error> {
        let secret = match settings.secret.is_empty() {
            true => config.webhooks.secret.clone(),
            false => settings.secret.clone(),
        };
        let node = outbound::node_name(config);
        let endpoint = Endpoint::new(
            &settings.url,
            secret,
            &node,
            settings.timeout,
            settings.max_answer_bytes,
        )?;
        let is_all = settings.events.iter().any(|event| event == "*");
        Ok(Self {
            endpoint,
            turns: Semaphore::new(settings.concurrency),
            outage: Outage::default(),
            events: (!is_all).then(|| settings.events.iter().cloned().collect()),
            connect: settings.connect,
            namespace: settings.namespace.as_str().into(),
            node,
        })
    }

    /// Whether this event is for the backend.
    pub(super) fn answers(&self, event: &str) -> bool {
        self.events
            .as_ref()
            .is_none_or(|events| events.contains(event))
    }

    /// Makes a call: what is to be done, checked but not done.
    pub(super) async fn call(&self, socket: &Socket, call: Call<'_>) -> Result<Answer, Failure> {
        let since = Instant::now();
        let result = self.attempt(socket, call).await;
        let labels = (
            self.namespace.clone(),
            if result.is_ok() { "ok" } else { "failed" },
        );
        let metrics = &socket.shared().metrics;
        metrics.backend.add(labels, since.elapsed());
        match &result {
            Ok(_) => self.outage.succeeded(self.endpoint.url()),
            Err(failure) => {
                let (counter, code) = failure.cause();
                metrics.count(counter);
                if !matches!(failure, Failure::Arguments(_)) {
                    self.outage.failed(self.endpoint.url(), failure);
                }
                log::debug!(
                    "a call of a backend has failed nsp={} id={} why={code} err={failure}",
                    socket.namespace_name(),
                    socket.id()
                );
            }
        }
        result
    }

    async fn attempt(&self, socket: &Socket, call: Call<'_>) -> Result<Answer, Failure> {
        let turn = tokio::time::timeout(self.endpoint.timeout(), self.turns.acquire());
        let Ok(Ok(_turn)) = turn.await else {
            return Err(Failure::Busy);
        };
        // Only now: what the call before has changed is in it.
        let request = call.request(socket, &self.node);
        let request = request.map_err(Failure::Arguments)?;
        let body = self
            .endpoint
            .post(&request)
            .await
            .map_err(Failure::Request)?;
        Answer::read(&body, &call, socket)
            .map_err(|err| Failure::Request(OutboundError::Garbage(err)))
    }
}
