//! How a server is built.

use super::Server;
use super::drain::Drained;
use super::reload::{Live, Reload};
use super::shared::{Shared, Upper};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use actix::prelude::*;
use bytestring::ByteString;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::auth::Auth;
use crate::carrier::raw::WebSocketRoute;
use crate::cluster::Cluster;
use crate::config::{Config, Parser, Settings};
use crate::engine;
use crate::error::Error;
use crate::http::{self, Hooks, stray::Strays, tls::Certificates};
use crate::hub::Tallies;
use crate::namespace::{Definition, Handlers, Handshake, Namespaces, Predicate};
use crate::outbound;
use crate::protocol::engineio::SidPrefix;
use crate::protocol::socketio::Dialect;
use crate::recovery::Recovery;
use crate::redis::Endpoints;
use crate::webhooks::Webhooks;

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
    endpoints: Option<Endpoints>,
    reload: Option<Reload>,
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

    /// Replaces the configuration by settings that [`Server::run`] reads again at a SIGHUP. If there is nothing wrong with
    /// them, [`Server::reload`] takes them over, and `changed` is told.
    pub fn settings(
        mut self,
        settings: Settings,
        changed: impl Fn(&Config) + Send + Sync + 'static,
    ) -> Self {
        self.config = settings.config.clone();
        self.reload = Some(Reload::new(settings, Box::new(changed)));
        self
    }

    /// Says where Redis is, in the place of the configuration's addresses: other addresses, or clients that the
    /// program has made; for each of the three connections.
    ///
    /// ```
    /// use greenroom::prelude::*;
    /// use greenroom::redis::{Endpoints, RedisUrl};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let near: RedisUrl = "redis://127.0.0.1:6379".parse()?;
    /// let far: RedisUrl = "rediss://redis.example:6380".parse()?;
    /// let mut endpoints = Endpoints::all(near);
    /// endpoints.data = far.into();
    /// let server = Server::builder().redis(endpoints).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn redis(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = Some(endpoints);
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

    /// Adds namespaces by pattern.
    ///
    /// ```
    /// # use greenroom::prelude::*;
    /// # #[derive(Default)]
    /// # struct Game;
    /// # impl Actor for Game {
    /// #     type Context = Context<Self>;
    /// # }
    /// # fn main() -> Result<(), greenroom::Error> {
    /// let server = Server::builder()
    ///     .namespace_matching(|name, _| name.starts_with("/game-"), per_worker(Game::default))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It adds those whose names `matches` accepts; each is made when the first client asks for
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

    /// Asks about each handshake.
    ///
    /// ```
    /// # use greenroom::prelude::*;
    /// # fn main() -> Result<(), greenroom::Error> {
    /// let server = Server::builder()
    ///     .allow_request(|request| async move {
    ///         if request.header("user-agent").is_some() { Ok(()) } else { Err("who are you?".into()) }
    ///     })
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What `allow` answers with `Err` refuses the client with HTTP 403,
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
            endpoints,
            reload,
        } = self;
        let config = config.validated()?;
        let endpoints = match endpoints {
            None => config.redis.endpoints()?,
            given => given,
        };
        // Engine.IO alone has no rooms, and nothing to say to other servers.
        let cluster = endpoints
            .filter(|_| application.is_none())
            .map(|endpoints| Arc::new(Cluster::new(config.redis.clone(), endpoints)));
        check_names(&named)?;
        if !named.iter().any(|(name, _)| name == "/") {
            named.push((
                "/".into(),
                crate::namespace::per_worker(|| Nobody).define(false),
            ));
        }
        // A node that has a name has a route of that name.
        let sid_prefix: SidPrefix = match (&cluster, config.engine.sid_prefix.as_str()) {
            (Some(_), "") => SidPrefix::of_node(&config.redis.node),
            (_, prefix) => prefix.parse().unwrap_or_default(),
        };
        let name = outbound::node_name(&config);
        if let Some(cluster) = &cluster {
            cluster.set_self(name.clone(), sid_prefix.as_str().to_owned());
        }
        let metrics = Arc::default();
        // Engine.IO alone has neither sockets nor rooms.
        let webhooks = match &application {
            None => Webhooks::new(&config, &metrics)?,
            Some(_) => None,
        };
        let shared = Arc::new(Shared {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name,
            started: Instant::now(),
            api_keys: RwLock::new(config.api.keys.clone().into()),
            upper: match application {
                Some(application) => Upper::Raw(application),
                None => Upper::SocketIo(Namespaces::new(parents)),
            },
            hooks,
            websockets,
            metrics: Arc::clone(&metrics),
            webhooks,
            recovery: config
                .recovery
                .enabled
                .then(|| Recovery::new(&config.recovery)),
            strays: strays(cluster.as_ref()),
            certificates: Certificates::new(&config.tls)?,
            auth: Auth::new(&config.auth.jwt, &metrics)?.map(Arc::new),
            locals: Arc::default(),
            cluster,
            sid_prefix,
            dialect: match config.socketio.parser {
                Parser::Json => Dialect::Json,
                Parser::Msgpack => Dialect::Msgpack,
            },
            tallies: Tallies::default(),
            hubs: RwLock::default(),
            hubs_generation: AtomicU64::new(1),
            registry: OnceLock::new(),
            changes: Mutex::default(),
            subscriber: OnceLock::new(),
            live: Live::new(&config),
            has_one_worker: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            stop: Notify::new(),
            drained: Drained::default(),
            n_leaving: AtomicUsize::new(0),
            n_connections: AtomicUsize::new(0),
            n_half_open: AtomicUsize::new(0),
            per_ip: Mutex::default(),
            reload,
            config,
        });
        shared.origins().warn();
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

/// Knows the routes of the other servers.
fn strays(cluster: Option<&Arc<Cluster>>) -> Strays {
    let cluster = cluster.cloned();
    Strays::new(move |route| cluster.as_ref()?.owner(route))
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
pub(super) struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}
