//! A server: what it is made of, how it is built, run, mounted and ended.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use actix::dev::ToEnvelope;
use actix::prelude::*;
use actix_web::web::ServiceConfig;
use bytestring::ByteString;
use parking_lot::{Mutex, RwLock};

use crate::carrier::raw::WebSocketRoute;
use crate::config::{Config, Parser};
use crate::engine;
use crate::error::{EmitError, Error};
use crate::http::{self, Hooks};
use crate::hub::{Command, Fanout, HubHandle, local};
use crate::metrics::{Counter, Metrics};
use crate::namespace::{Definition, Handlers, Handshake, Namespace, Namespaces, Predicate};
use crate::protocol::engineio::{SidPrefix, Transports};
use crate::protocol::socketio::{self, Dialect, is_reserved_event};
use crate::protocol::websocket;
use crate::recovery::Recovery;
use crate::registry::Registry;

/// What is on top of the engine of a server.
pub(crate) enum Upper {
    SocketIo(Namespaces),
    Raw(Box<dyn engine::Application>),
}

/// All that the parts of one server share.
pub(crate) struct Shared {
    /// Distinguishes the servers of a process.
    pub(crate) id: usize,
    pub(crate) config: Config,
    pub(crate) upper: Upper,
    pub(crate) hooks: Hooks,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) recovery: Option<Recovery>,
    /// Paths where WebSockets are served without an engine.
    pub(crate) websockets: Vec<WebSocketRoute>,
    pub(crate) sid_prefix: SidPrefix,
    dialect: Dialect,
    hubs: RwLock<Vec<Option<Arc<HubHandle>>>>,
    /// Rises with every change of `hubs`: each worker keeps a copy of the list, and reads only this.
    hubs_generation: AtomicU64,
    registry: OnceLock<Addr<Registry>>,
    n_connections: AtomicUsize,
    /// Those of them that have not joined a namespace yet.
    n_half_open: AtomicUsize,
    per_ip: Mutex<HashMap<IpAddr, usize>>,
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

    pub(crate) fn packet_limits(&self) -> socketio::Limits {
        socketio::Limits {
            max_attachments: self.config.limits.attachments_per_packet,
            max_bytes: (self.config.limits.attachments_per_packet.saturating_add(1))
                .saturating_mul(self.config.engine.max_http_buffer_size),
            ..socketio::Limits::default()
        }
    }

    pub(crate) const fn websocket_limits(&self) -> websocket::Limits {
        websocket::Limits {
            max_message_bytes: self.config.engine.max_http_buffer_size,
            max_fragments: self.config.limits.message_fragments,
        }
    }

    pub(crate) fn check_event_name(&self, name: &str) -> Result<(), EmitError> {
        if name.len() > self.config.limits.event_name_bytes {
            return Err(EmitError::NameTooLong(name.len()));
        }
        if is_reserved_event(name) {
            return Err(EmitError::Reserved(name.to_owned()));
        }
        Ok(())
    }

    /// Counts a connection, unless a cap is met.
    pub(crate) fn admit_connection(&self, handshake: &Handshake) -> bool {
        let limits = &self.config.limits;
        let is_socketio = matches!(self.upper, Upper::SocketIo(_));
        if is_socketio && self.n_half_open.load(Ordering::Relaxed) >= limits.half_open {
            self.metrics.count(Counter::ConnectionRefused);
            return false;
        }
        if self.n_connections.fetch_add(1, Ordering::Relaxed) >= limits.connections {
            self.n_connections.fetch_sub(1, Ordering::Relaxed);
            self.metrics.count(Counter::ConnectionRefused);
            return false;
        }
        if limits.connections_per_ip < usize::MAX
            && let Some(ip) = handshake.address()
        {
            let mut per_ip = self.per_ip.lock();
            let n = per_ip.entry(ip).or_default();
            if *n >= limits.connections_per_ip {
                drop(per_ip);
                self.n_connections.fetch_sub(1, Ordering::Relaxed);
                self.metrics.count(Counter::ConnectionRefused);
                return false;
            }
            *n += 1;
        }
        if is_socketio {
            self.n_half_open.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// A session has joined its first namespace, or ended before.
    pub(crate) fn joined_first(&self) {
        self.n_half_open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_closed(&self, handshake: &Handshake) {
        self.n_connections.fetch_sub(1, Ordering::Relaxed);
        if self.config.limits.connections_per_ip < usize::MAX
            && let Some(ip) = handshake.address()
        {
            let mut per_ip = self.per_ip.lock();
            if let Some(n) = per_ip.get_mut(&ip) {
                *n -= 1;
                if *n == 0 {
                    per_ip.remove(&ip);
                }
            }
        }
    }

    /// Gives a new hub its number, and the registry its thread if this is the first.
    pub(crate) fn add_hub<T>(&self, make: impl FnOnce(u16) -> T) -> T
    where
        T: AsHandle,
    {
        if matches!(self.upper, Upper::SocketIo(_)) {
            self.registry.get_or_init(|| {
                Registry::start_in_arbiter(&Arbiter::new().handle(), |_| Registry::default())
            });
        }
        let mut hubs = self.hubs.write();
        let index = hubs.iter().position(Option::is_none).unwrap_or(hubs.len());
        let hub = make(u16::try_from(index).unwrap_or(u16::MAX));
        if index == hubs.len() {
            hubs.push(None);
        }
        hubs[index] = Some(hub.handle());
        self.hubs_generation.fetch_add(1, Ordering::Release);
        hub
    }

    pub(crate) fn remove_hub(&self, index: u16) {
        if let Some(hub) = self.hubs.write().get_mut(usize::from(index)) {
            *hub = None;
        }
        self.hubs_generation.fetch_add(1, Ordering::Release);
    }

    fn hubs(&self) -> Vec<Arc<HubHandle>> {
        self.hubs.read().iter().flatten().cloned().collect()
    }

    /// The hub with this number.
    pub(crate) fn hub(&self, index: u16) -> Option<Arc<HubHandle>> {
        if let Some(hub) = local(self.id)
            && let Ok(hub) = hub.try_borrow()
            && hub.index == index
        {
            return Some(Arc::clone(&hub.handle));
        }
        self.hubs.read().get(usize::from(index))?.clone()
    }

    /// One message per hub, the own one first.
    // Hot: on a worker the list of hubs is the worker's own.
    pub(crate) fn fan_out(&self, fanout: Fanout) {
        let fanout = Arc::new(fanout);
        self.to_all_hubs(|| Command::Fanout(Arc::clone(&fanout)));
    }

    pub(crate) fn to_all_hubs(&self, command: impl Fn() -> Command) {
        self.hubs_now().iter().for_each(|hub| hub.send(command()));
    }

    /// All hubs: on a worker the list that it keeps, elsewhere a new one.
    pub(crate) fn hubs_now(&self) -> Rc<Vec<Arc<HubHandle>>> {
        let Some(hub) = local(self.id) else {
            return Rc::new(self.hubs());
        };
        let Ok(hub) = hub.try_borrow() else {
            return Rc::new(self.hubs());
        };
        let generation = self.hubs_generation.load(Ordering::Acquire);
        let mut kept = hub.peers.borrow_mut();
        if kept.0 != generation {
            *kept = (generation, Rc::new(self.hubs()));
        }
        Rc::clone(&kept.1)
    }

    pub(crate) fn tell_registry<M>(&self, message: impl FnOnce() -> M)
    where
        M: Message<Result = ()> + Send + 'static,
        Registry: Handler<M>,
        Context<Registry>: ToEnvelope<Registry, M>,
    {
        if let Some(registry) = self.registry.get() {
            registry.do_send(message());
        }
    }

    /// Asks at once; the answer is `None` if there is no registry, or it ends.
    pub(crate) fn ask_registry<M>(
        &self,
        question: M,
    ) -> impl Future<Output = Option<M::Result>> + Send + use<M>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Registry: Handler<M>,
        Context<Registry>: ToEnvelope<Registry, M>,
    {
        #[expect(
            clippy::disallowed_methods,
            reason = "a question of a program; not the delivery path"
        )]
        let answer = self.registry.get().map(|registry| registry.send(question));
        async move { answer?.await.ok() }
    }
}

/// Something that a [`HubHandle`] leads to.
pub(crate) trait AsHandle {
    fn handle(&self) -> Arc<HubHandle>;
}

impl AsHandle for Rc<std::cell::RefCell<crate::hub::Hub>> {
    fn handle(&self) -> Arc<HubHandle> {
        Arc::clone(&self.borrow().handle)
    }
}

/// A Socket.IO server: a handle that is cheap to clone and may be used from any thread, also before it
/// runs.
///
/// ```
/// use greenroom::prelude::*;
///
/// # fn main() -> Result<(), greenroom::Error> {
/// let server = Server::builder().build()?;
/// let elsewhere = server.clone();
/// std::thread::spawn(move || elsewhere.emit("tick", 1)).join().expect("the thread ends");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server(Arc<Shared>);

impl From<Arc<Shared>> for Server {
    fn from(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl Server {
    /// A server with the default configuration, to be given namespaces.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// A server with the configuration of a file, to be given namespaces.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong.
    pub fn from_config(path: impl AsRef<Path>) -> Result<ServerBuilder, Error> {
        Ok(Self::builder().config(Config::from_file(path)?))
    }

    /// The namespace of that name, if it exists.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Namespace> {
        Some(Namespace::new(self.0.namespaces()?.get(name)?))
    }

    /// The root namespace.
    ///
    /// # Panics
    /// Never for a server with Socket.IO: it always has one.
    #[must_use]
    pub fn root(&self) -> Namespace {
        self.of("/").expect("the builder adds a root namespace")
    }

    /// The names of all namespaces, sorted.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .0
            .namespaces()
            .map(Namespaces::names)
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect();
        names.sort_unstable();
        names
    }

    /// Emits to everybody in the root namespace; see [`Namespace::emit`].
    pub fn emit<T: serde::Serialize>(&self, name: &str, values: T) {
        self.root().emit(name, values);
    }

    /// How many sessions are open.
    #[must_use]
    pub fn n_sessions(&self) -> usize {
        self.0.n_connections.load(Ordering::Relaxed)
    }

    /// What was counted since the start: refusals and failures, by cause.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.metrics.read()
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Mounts this server into an actix-web `App`: `App::new().configure(server.routes())`.
    ///
    /// Build the `HttpServer` with `.h1_allow_half_closed(false)` and `.tcp_nodelay(true)`: the first
    /// lets it notice a poll that the client breaks off, the second lets small frames leave at once.
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let shared = Arc::clone(&self.0);
        move |app| http::configure(&shared, app)
    }

    /// Ends all sessions, with the reason `server shutting down`.
    pub fn close(&self) {
        self.0.to_all_hubs(|| Command::Shutdown);
    }

    /// Runs until SIGINT or SIGTERM: listens on the configured address with the direct carrier.
    ///
    /// # Errors
    /// The address cannot be listened on, or the system fails.
    pub fn run(self) -> Result<(), Error> {
        self.run_with(|_| {})
    }

    /// As [`Server::run`], with more routes: `server.run_with(|app| { app.route("/", …); })`. The
    /// closure is called once per worker.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn run_with(
        self,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Result<(), Error> {
        http::listen::run(vec![self], routes)
    }

    /// Runs several servers, whose paths differ, on the address of the first; with more routes.
    ///
    /// # Errors
    /// As [`Server::run`].
    pub fn run_all(
        servers: Vec<Self>,
        routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Result<(), Error> {
        http::listen::run(servers, routes)
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

/// Builds a [`Server`].
#[must_use = "a server has to be built and run"]
#[derive(Default)]
pub struct ServerBuilder {
    config: Config,
    named: Vec<(ByteString, Arc<Definition>)>,
    parents: Vec<(Predicate, Arc<Definition>)>,
    application: Option<Box<dyn engine::Application>>,
    websockets: Vec<WebSocketRoute>,
    hooks: Hooks,
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// Replaces the configuration.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a namespace and its handlers. The name begins with `/`.
    pub fn namespace<A: Actor<Context = Context<A>>>(
        mut self,
        name: &str,
        handlers: Handlers<A>,
    ) -> Self {
        self.named.push((name.into(), handlers.define(false)));
        self
    }

    /// Adds the namespaces whose names `matches` accepts; each is made when the first client asks for
    /// it, all have the same handlers. Asked in the order of adding, after the names.
    pub fn namespace_matching<A: Actor<Context = Context<A>>>(
        mut self,
        matches: impl Fn(&str, &Handshake) -> bool + Send + Sync + 'static,
        handlers: Handlers<A>,
    ) -> Self {
        self.parents
            .push((Box::new(matches), handlers.define(true)));
        self
    }

    /// Serves Engine.IO alone, without Socket.IO on top: namespaces have no meaning then.
    pub fn engine(mut self, application: impl engine::Application) -> Self {
        self.application = Some(Box::new(application));
        self
    }

    /// Serves WebSockets without Engine.IO at a path of their own.
    pub fn websocket(mut self, route: WebSocketRoute) -> Self {
        self.websockets.push(route);
        self
    }

    /// Asks `allow` about each handshake; what it answers with `Err` refuses the client with HTTP 403,
    /// the Engine.IO error 4 and that message.
    pub fn allow_request<F, Fut>(mut self, allow: F) -> Self
    where
        F: Fn(Arc<Handshake>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), crate::Refusal>> + 'static,
    {
        self.hooks.allow_request = Some(Box::new(move |handshake| Box::pin(allow(handshake))));
        self
    }

    /// Runs `middleware` before each request and each upgrade of the engine; what it refuses is answered with the
    /// Engine.IO error 3.
    pub fn engine_middleware<F, Fut>(mut self, middleware: F) -> Self
    where
        F: Fn(Arc<Handshake>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), crate::Refusal>> + 'static,
    {
        self.hooks
            .middleware
            .push(Box::new(move |request| Box::pin(middleware(request))));
        self
    }

    /// Adds headers to the first response of each session.
    pub fn initial_headers(mut self, headers: impl http::HeaderHook) -> Self {
        self.hooks.initial_headers = Some(Box::new(headers));
        self
    }

    /// Adds headers to every response of the engine.
    pub fn headers(mut self, headers: impl http::HeaderHook) -> Self {
        self.hooks.headers = Some(Box::new(headers));
        self
    }

    /// Builds the server.
    ///
    /// # Errors
    /// The configuration is wrong, or a namespace is.
    pub fn build(self) -> Result<Server, Error> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let Self {
            config,
            mut named,
            parents,
            application,
            websockets,
            hooks,
        } = self;
        let config = config.validated()?;
        check_names(&named)?;
        if !named.iter().any(|(name, _)| name == "/") {
            named.push((
                "/".into(),
                crate::namespace::per_worker(|| Nobody).define(false),
            ));
        }
        let shared = Arc::new(Shared {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            upper: match application {
                Some(application) => Upper::Raw(application),
                None => Upper::SocketIo(Namespaces::new(parents)),
            },
            hooks,
            websockets,
            metrics: Arc::default(),
            recovery: config
                .recovery
                .enabled
                .then(|| Recovery::new(&config.recovery)),
            sid_prefix: config.engine.sid_prefix.parse().unwrap_or_default(),
            dialect: match config.socketio.parser {
                Parser::Json => Dialect::Json,
                Parser::Msgpack => Dialect::Msgpack,
            },
            hubs: RwLock::default(),
            hubs_generation: AtomicU64::new(1),
            registry: OnceLock::new(),
            n_connections: AtomicUsize::new(0),
            n_half_open: AtomicUsize::new(0),
            per_ip: Mutex::default(),
            config,
        });
        if let Some(namespaces) = shared.namespaces() {
            namespaces.open(&shared, named);
        }
        Ok(Server(shared))
    }

    /// Builds the server and runs it; see [`Server::run`].
    ///
    /// # Errors
    /// As [`ServerBuilder::build`] and [`Server::run`].
    pub fn run(self) -> Result<(), Error> {
        self.build()?.run()
    }
}

fn check_names(named: &[(ByteString, Arc<Definition>)]) -> Result<(), Error> {
    let wrong = |name: &ByteString, problem| {
        Err(Error::Namespace {
            name: name.to_string(),
            problem,
        })
    };
    for (n, (name, _)) in named.iter().enumerate() {
        if !name.starts_with('/') {
            return wrong(name, "the name has to begin with a slash");
        }
        if name.contains(',') || name.contains('?') {
            return wrong(
                name,
                "a comma or a question mark would end the name on the wire",
            );
        }
        if named[..n].iter().any(|(other, _)| other == name) {
            return wrong(name, "it is registered twice");
        }
    }
    Ok(())
}

/// The handler of a root namespace that nobody registered: lets everybody in and hears nothing.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}
