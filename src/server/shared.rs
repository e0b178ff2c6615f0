//! All that the parts of one server share.

use super::drain::Drained;
use super::reload::{Live, Reload};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use arc_swap::Guard;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::auth::Auth;
use crate::carrier::raw::WebSocketRoute;
use crate::cluster::Cluster;
use crate::config::{ApiKey, Config, Limits};
use crate::engine;
use crate::error::EmitError;
use crate::http::{Hooks, cors::CorsNow, origin::AllowedOrigins, stray::Strays, tls::Certificates};
use crate::hub::{HubHandle, Tallies};
use crate::locals::Locals;
use crate::metrics::{Counter, Metrics};
use crate::namespace::{Handshake, Namespaces};
use crate::protocol::adapter::is_reserved_server_event;
use crate::protocol::engineio::{HandshakeError, SidPrefix, Transports};
use crate::protocol::socketio::{self, Dialect, is_reserved_event};
use crate::protocol::websocket;
use crate::publisher::Publisher;
use crate::rates::{self, RatesNow};
use crate::recovery::Recovery;
use crate::registry::{self, NODES_EVENT, Registry};
use crate::subscriber::Subscriber;
use crate::webhooks::Webhooks;

/// What is on top of the engine of a server.
pub(crate) enum Upper {
    SocketIo(Namespaces),
    Raw(Box<dyn engine::Application>),
}

/// All that the parts of one server share.
pub(crate) struct Shared {
    /// Distinguishes the servers of a process.
    pub(crate) id: usize,
    /// As it was at the start; of what can change since then, [`Shared::limits`] and [`Shared::cors`] have the present.
    pub(crate) config: Config,
    /// The name of this server for people: `redis.node`, or made of the machine's name and the port.
    pub(crate) name: String,
    pub(crate) started: Instant,
    /// The keys of the HTTP API, which may change while the server runs.
    pub(crate) api_keys: RwLock<Arc<[ApiKey]>>,
    pub(super) live: Live,
    pub(crate) upper: Upper,
    pub(crate) hooks: Hooks,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) recovery: Option<Recovery>,
    /// What is shared with other servers; none on a single node.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// Which of its workers have which rooms; see [`Shared::kept_locals`].
    pub(crate) locals: Arc<Locals>,
    /// Who is told of sockets and rooms elsewhere; none if nobody is.
    pub(crate) webhooks: Option<Webhooks>,
    /// Paths where WebSockets are served without an engine.
    pub(crate) websockets: Vec<WebSocketRoute>,
    pub(crate) sid_prefix: SidPrefix,
    pub(crate) strays: Strays,
    /// For TLS, if it is on.
    pub(crate) certificates: Option<Arc<Certificates>>,
    /// Checks tokens, if a namespace requires one.
    pub(crate) auth: Option<Arc<Auth>>,
    pub(super) dialect: Dialect,
    pub(crate) tallies: Tallies,
    pub(super) hubs: RwLock<Vec<Option<Arc<HubHandle>>>>,
    /// Rises with every change of `hubs`: each worker keeps a copy of the list, and reads only this.
    pub(super) hubs_generation: AtomicU64,
    pub(super) registry: OnceLock<Addr<Registry>>,
    /// What the registry is told at the end of the round.
    pub(super) changes: Mutex<Vec<registry::Change>>,
    pub(super) subscriber: OnceLock<Addr<Subscriber>>,
    /// It runs by itself, on one thread.
    pub(crate) has_one_worker: AtomicBool,
    /// Set once, before the sessions are told to end: nobody comes in any more.
    pub(crate) is_ending: AtomicBool,
    /// And how far that has got.
    pub(crate) drained: Drained,
    /// Tells [`Server::run`](super::Server::run) that the program wants it to end.
    pub(crate) stop: Notify,
    /// Sockets whose handlers have not heard everything of their end yet.
    pub(crate) n_leaving: AtomicUsize,
    pub(super) n_connections: AtomicUsize,
    /// Those of them that have not joined a namespace yet.
    pub(super) n_half_open: AtomicUsize,
    pub(super) per_ip: Mutex<HashMap<IpAddr, usize>>,
    /// Where the configuration is from, if it can be read again.
    pub(super) reload: Option<Reload>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) const fn namespaces(&self) -> Option<&Namespaces> {
        match &self.upper {
            Upper::SocketIo(namespaces) => Some(namespaces),
            Upper::Raw(_) => None,
        }
    }

    pub(crate) const fn transports(&self) -> Transports {
        let enabled = self.config.engine.transports;
        Transports {
            polling: enabled.polling,
            websocket: enabled.websocket,
        }
    }

    /// The limits as they are now; to be looked up, not to be kept.
    // Hot: no lock, and nothing is written that other threads read.
    pub(crate) fn limits(&self) -> Guard<Arc<Limits>> {
        self.live.limits.load()
    }

    /// The origins that may connect, as they are now.
    pub(crate) fn origins(&self) -> Guard<Arc<AllowedOrigins>> {
        self.live.origins.load()
    }

    /// How fast clients may go, as it is now.
    pub(crate) fn rates(&self) -> Guard<Arc<RatesNow>> {
        self.live.rates.load()
    }

    pub(crate) const fn cors(&self) -> &CorsNow {
        &self.live.cors
    }

    pub(crate) fn packet_limits(&self) -> socketio::Limits {
        let max_attachments = self.limits().attachments_per_packet;
        socketio::Limits {
            max_attachments,
            max_bytes: (max_attachments.saturating_add(1))
                .saturating_mul(self.config.engine.max_http_buffer_size),
            ..socketio::Limits::default()
        }
    }

    pub(crate) fn websocket_limits(&self) -> websocket::Limits {
        websocket::Limits {
            max_message_bytes: self.config.engine.max_http_buffer_size,
            max_fragments: self.limits().message_fragments,
        }
    }

    pub(crate) fn check_event_name(&self, name: &str) -> Result<(), EmitError> {
        if name.len() > self.limits().event_name_bytes {
            return Err(EmitError::NameTooLong(name.len()));
        }
        if is_reserved_event(name) {
            return Err(EmitError::Reserved(name.to_owned()));
        }
        Ok(())
    }

    /// As [`Shared::check_event_name`], for events between servers.
    pub(crate) fn check_server_event_name(&self, name: &str) -> Result<(), EmitError> {
        self.check_event_name(name)?;
        if is_reserved_server_event(name) || name == NODES_EVENT {
            return Err(EmitError::Reserved(name.to_owned()));
        }
        Ok(())
    }

    /// Whether the address of this handshake may open one more session.
    ///
    /// # Errors
    /// It has opened too many in a short time.
    pub(crate) fn admit_address(&self, handshake: &Handshake) -> Result<(), HandshakeError> {
        let rates = self.rates();
        let Some(rates) = rates.get() else {
            return Ok(());
        };
        rates
            .admit(handshake.counted_address(), rates::now())
            .map_err(|wait| {
                self.metrics.count(Counter::RateHandshake);
                log::debug!("a handshake is refused why=address_handshakes");
                HandshakeError::TooManyRequests(wait)
            })
    }

    /// Counts a connection, unless a cap is met or the server ends.
    pub(crate) fn admit_connection(&self, handshake: &Handshake) -> bool {
        if self.is_ending.load(Ordering::Relaxed) {
            self.metrics.count(Counter::ConnectionRefused);
            return false;
        }
        let limits = self.limits();
        let is_socketio = matches!(self.upper, Upper::SocketIo(_));
        if is_socketio && self.n_half_open.load(Ordering::Relaxed) >= limits.half_open {
            return self.refuse_connection("half_open", limits.half_open);
        }
        if self.n_connections.fetch_add(1, Ordering::Relaxed) >= limits.connections {
            self.n_connections.fetch_sub(1, Ordering::Relaxed);
            return self.refuse_connection("connections", limits.connections);
        }
        // Counted without a limit too: there may be one before this connection is closed.
        if let Some(ip) = handshake.counted_address() {
            let mut per_ip = self.per_ip.lock();
            let n = per_ip.entry(ip).or_default();
            if *n >= limits.connections_per_ip {
                drop(per_ip);
                self.n_connections.fetch_sub(1, Ordering::Relaxed);
                return self.refuse_connection("connections_per_ip", limits.connections_per_ip);
            }
            *n += 1;
        }
        if is_socketio {
            self.n_half_open.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// What a client that was not admitted is told.
    pub(crate) fn why_refused(&self) -> &'static str {
        if self.is_ending.load(Ordering::Relaxed) {
            "shutting down"
        } else {
            "too many connections"
        }
    }

    pub(crate) fn refuse_connection(&self, why: &str, limit: usize) -> bool {
        self.metrics.count(Counter::ConnectionRefused);
        log::debug!("a connection is refused why={why} limit={limit}");
        false
    }

    pub(crate) fn n_sessions(&self) -> usize {
        self.n_connections.load(Ordering::Relaxed)
    }

    /// A session has joined its first namespace, or ended before.
    pub(crate) fn joined_first(&self) {
        self.n_half_open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn n_half_open(&self) -> usize {
        self.n_half_open.load(Ordering::Relaxed)
    }

    pub(crate) fn connection_closed(&self, handshake: &Handshake) {
        self.n_connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(ip) = handshake.counted_address() {
            let mut per_ip = self.per_ip.lock();
            if let Some(n) = per_ip.get_mut(&ip) {
                *n -= 1;
                if *n == 0 {
                    per_ip.remove(&ip);
                }
            }
        }
    }

    /// Starts the actors that own the pub/sub connections: on a thread of theirs, or on the worker if it is the only
    /// one. Then there is no other core that could take work from it, and each message would cost the turns of two
    /// threads.
    pub(super) fn join_cluster(self: &Arc<Self>, cluster: &Arc<Cluster>) -> Addr<Subscriber> {
        let publisher = Publisher::new(Arc::clone(cluster));
        let subscriber = Subscriber::new(Arc::clone(self), Arc::clone(cluster));
        let subscriber = if self.has_one_worker.load(Ordering::Relaxed) {
            publisher.start();
            subscriber.start()
        } else {
            let arbiter = Arbiter::new().handle();
            Publisher::start_in_arbiter(&arbiter, |_| publisher);
            Subscriber::start_in_arbiter(&arbiter, |_| subscriber)
        };
        if cluster.is_exact() {
            // Rooms that were there before are asked for when it connects.
            self.locals.tell(subscriber.clone().recipient());
        }
        subscriber
    }

    /// Tells the subscriber, if there is one.
    pub(crate) fn tell_subscriber<M>(&self, message: impl FnOnce() -> M)
    where
        M: Message<Result = ()> + Send + 'static,
        Subscriber: Handler<M>,
        Context<Subscriber>: ToEnvelope<Subscriber, M>,
    {
        if let Some(subscriber) = self.subscriber.get() {
            subscriber.do_send(message());
        }
    }

    /// Asks the subscriber; the answer is `None` if there is none, or it ends.
    pub(crate) fn ask_subscriber<M>(
        &self,
        question: M,
    ) -> impl Future<Output = Option<M::Result>> + Send + use<M>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Subscriber: Handler<M>,
        Context<Subscriber>: ToEnvelope<Subscriber, M>,
    {
        #[expect(
            clippy::disallowed_methods,
            reason = "a question of an operator; not the delivery path"
        )]
        let answer = (self.subscriber.get()).map(|subscriber| subscriber.send(question));
        async move { answer?.await.ok() }
    }
}
