//! A server: what it is made of, how it is built, run, mounted and ended.

mod builder;
mod drain;
mod elsewhere;
mod hubs;
mod nodes;
mod reload;
mod shared;
mod to_registry;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::web::ServiceConfig;

use crate::carrier;
use crate::config::{ApiKey, Config};
use crate::error::Error;
use crate::http::{self};
use crate::hub::Command;
use crate::namespace::{Namespace, Namespaces};
use crate::recovery::Recovery;
use crate::registry;
use crate::subscriber::Leave;

pub use builder::ServerBuilder;
pub use nodes::{Node, Nodes};
pub(crate) use shared::{Shared, Upper};

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
        self.0.n_sessions()
    }

    /// Replaces the keys of the [HTTP API](crate::api), where it is mounted. Without keys nobody is let in.
    pub fn set_api_keys(&self, keys: Vec<ApiKey>) {
        *self.0.api_keys.write() = keys.into();
    }

    /// What was counted since the start: refusals and failures, by cause. With recovery also what its caps have dropped
    /// before its time (`recovery_packet_dropped`, `recovery_session_dropped`). In a cluster also what was lost on the way to
    /// Redis, and the state of the stored membership (`membership_pending`: sockets that are not written yet,
    /// `membership_lag_ms`: how long the oldest of them has been waiting).
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let cluster = self.0.cluster.as_ref();
        let gauges = cluster.into_iter().flat_map(|cluster| cluster.gauges());
        let recovery = self.0.recovery.iter().flat_map(Recovery::counters);
        self.0.metrics.read().chain(recovery).chain(gauges)
    }

    /// The name of this server in its cluster: `redis.node`, or made from the machine's name and the port. `None` for a
    /// server that is alone.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        Some(self.0.cluster.as_ref()?.name())
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Mounts this server into an actix-web `App`.
    ///
    /// ```no_run
    /// use actix_web::{App, HttpServer};
    /// use greenroom::prelude::*;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::builder().build()?;
    /// let on_connect = server.on_connect();
    /// HttpServer::new(move || App::new().configure(server.routes()))
    ///     .on_connect(on_connect)
    ///     .h1_allow_half_closed(false)
    ///     .bind(("127.0.0.1", 3000))?
    ///     .run()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Build the `HttpServer` with `.h1_allow_half_closed(false)`, which lets it notice a poll that the client breaks off, and
    /// with [`Server::on_connect`].
    pub fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let shared = Arc::clone(&self.0);
        move |app| http::configure(&shared, app)
    }

    /// For `HttpServer::on_connect`, where this server is [mounted](Server::routes): prepares the connections that it accepts, as
    /// [`Server::run`] does. Small frames leave at once, the kernel ends the connection of a client that takes nothing for as long
    /// as a heartbeat, and broadcasts are written past actix-web, many with one system call. For the last of these a
    /// connection has a second file descriptor, as long as the process has not half of those that it may have; one with TLS has
    /// none.
    pub fn on_connect(&self) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static + use<> {
        let heartbeat = self.config().engine.longest_silence();
        move |connection, data| carrier::on_connect(connection, data, heartbeat)
    }

    /// Ends all sessions at once, with the reason `server shutting down`, and leaves the cluster. [`Server::drain`] takes
    /// more care.
    pub fn close(&self) {
        self.0.tell_subscriber(|| Leave(None));
        self.0.to_all_hubs(|| Command::Shutdown);
        // Not asked: actix drops a question when nobody waits for its answer any more.
        let budget = self.0.config.shutdown.timeout;
        self.0.tell_registry(|| registry::Close(budget));
    }

    /// Why this server should not be sent clients now, if so: in a cluster, that Redis cannot be reached, or that
    /// what is published through it does not come back.
    ///
    /// The clients that are connected are served all the same.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let cluster = self.0.cluster.as_ref()?;
        cluster.health.trouble(std::time::Instant::now())
    }

    /// Reads the files of `[tls]` again: connections that are accepted from now on get the new certificate. Without TLS it
    /// does nothing.
    ///
    /// # Errors
    /// A file cannot be read, or has not what it should; then the certificate of before stays. Logged as well.
    pub fn reload_certificates(&self) -> Result<(), Error> {
        let Some(certificates) = &self.0.certificates else {
            return Ok(());
        };
        match certificates.read() {
            Ok(certificate) => {
                certificates.replace(certificate);
                log::info!("the certificate was read again");
            }
            Err(err) => {
                log::error!("the certificate cannot be read again, the last one stays err={err}");
                return Err(err.into());
            }
        }
        Ok(())
    }

    /// Leaves the cluster: nobody counts on this server any more, and Redis keeps nothing of it. Within this time.
    pub(crate) async fn leave_cluster(&self, budget: Duration) {
        if self.0.cluster.is_none() {
            return;
        }
        let (left, has_left) = tokio::sync::oneshot::channel();
        self.0.tell_subscriber(|| Leave(Some(left)));
        let closed = self.0.ask_registry(registry::Close(budget));
        let both = async { tokio::join!(has_left, closed) };
        match tokio::time::timeout(budget, both).await {
            Ok((_, Some(true))) => {}
            _ => log::warn!("redis keeps entries of this server until its lease has expired"),
        }
    }

    /// Waits until what programs elsewhere are told has reached them, for this time at most.
    pub(crate) async fn finish_webhooks(&self, budget: Duration) {
        if let Some(webhooks) = &self.0.webhooks {
            webhooks.finish(budget).await;
        }
    }

    /// Runs until SIGINT, SIGTERM or [`Server::stop`]: listens on the configured address. Then it ends as [`Server::drain`]
    /// says; a second signal ends it at once.
    ///
    /// # Errors
    /// The address cannot be listened on, the system fails, or the end was cut short ([`Error::Cut`]).
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
