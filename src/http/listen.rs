//! The listener of our own: what is for the engine is read and answered by [`super::connection`], the rest by actix-http.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::BoxBody;
use actix_http::{HttpService, Request, Response, h1};
use actix_rt::net::TcpStream;
use actix_server::{ServerBuilder, ServerServiceFactory};
use actix_service::{Service, ServiceFactoryExt, apply_fn_factory, fn_service, map_config};
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::future::Either;
use tokio_rustls::server::TlsStream;

use super::accept::{Encrypting, Entrance, closed};
use super::arrivals::{Arrivals, Silent};
use super::connection::{Ends, Front, HandedOn};
use super::monitor::Watch;
use super::request::Facts;
use super::tls::{Certificates, Encrypted};
use super::{Endpoint, configure, ending, engine, internal, upgrade};
use crate::carrier::{self, Direct, direct};
use crate::config::{Carrier, ServerConfig};
use crate::error::Error;
use crate::server::Server;

/// Runs `servers`, which differ in their paths, on the address of the first.
pub(crate) fn run(
    servers: Vec<Server>,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<(), Error> {
    let Some(first) = servers.first().cloned() else {
        return Ok(());
    };
    let config = first.config().server.clone();
    let address = format!("{}:{}", config.host, config.port);
    let workers = config.n_workers();
    for server in &servers {
        let shared = server.shared();
        shared.has_one_worker.store(workers == 1, Ordering::Relaxed);
    }
    let listening = Listening {
        opening: Opening {
            address,
            workers,
            backlog: config.backlog,
            watch: Watch::new(servers.iter().cloned()),
            closing: servers.clone(),
        },
        config,
        routes: with_api(&first, routes),
        servers,
    };
    let system = actix_rt::System::new();
    let outcome = system.block_on(async move {
        // Who watches sees it come up, and sees its last session go.
        let inside = internal::listen(&listening.config, &listening.opening.watch)?;
        let ended = match listening.config.carrier {
            Carrier::Direct => listening.direct().await,
            Carrier::Mounted => match first.shared().certificates.clone() {
                None => listening.mounted().await,
                Some(certificates) => listening.encrypted(certificates).await,
            },
        };
        if let Some(inside) = inside {
            inside.stop(true).await;
        }
        ended
    });
    // With it the threads that were started on the way end: of the registry, of connections, of shared handlers.
    actix_rt::System::current().stop();
    outcome.and(system.run().map_err(Error::Run))
}

/// What the workers of a listener serve besides: the API of the first server.
fn with_api(
    server: &Server,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let api = crate::api::api(server);
    move |app| {
        api(app);
        routes(app);
    }
}

struct Listening<R> {
    opening: Opening,
    config: ServerConfig,
    servers: Vec<Server>,
    routes: R,
}

/// What every listener does, whatever it serves: it opens, and ends.
struct Opening {
    address: String,
    workers: usize,
    backlog: u32,
    watch: Watch,
    closing: Vec<Server>,
}

impl Opening {
    /// Listens, and hands what is accepted to the services that `factory` makes, until the end.
    async fn serve<F>(self, server: ServerBuilder, factory: F) -> Result<(), Error>
    where
        F: ServerServiceFactory<TcpStream>,
    {
        let server = server
            .workers(self.workers)
            .backlog(self.backlog)
            .max_concurrent_connections(MAX_CONNECTIONS)
            .disable_signals()
            .shutdown_timeout(self.patience())
            .bind("greenroom", &self.address, factory)
            .map_err(|source| self.failed(source))?
            .run();
        self.until_the_end(server).await
    }

    /// How many seconds a shutdown waits for requests that are being answered.
    fn patience(&self) -> u64 {
        ending::timeout(&self.closing).as_secs().max(1)
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::Listen {
            address: self.address.clone(),
            source,
        }
    }

    async fn until_the_end(&self, server: actix_server::Server) -> Result<(), Error> {
        self.watch.set_listening(true);
        log::info!(
            "greenroom {} listens on {} workers={}",
            env!("CARGO_PKG_VERSION"),
            self.address,
            self.workers
        );
        ending::run(server, &self.closing).await
    }
}

impl<R: Fn(&mut ServiceConfig) + Clone + Send + 'static> Listening<R> {
    /// All routes, for one worker.
    fn app(
        servers: &[Server],
        watch: Option<&Watch>,
        routes: &R,
    ) -> impl FnOnce(&mut ServiceConfig) + use<R> {
        let (servers, routes) = (servers.to_vec(), routes.clone());
        let watch = watch.map(Watch::routes);
        move |app| {
            servers
                .iter()
                .for_each(|server| configure(server.shared(), app));
            if let Some(watch) = watch {
                watch(app);
            }
            routes(app);
        }
    }

    /// Who answers questions about the servers on this listener, if nobody does on one of his own.
    fn watch_here(&self) -> Option<Watch> {
        let is_here = self.config.internal_port.is_none();
        is_here.then(|| self.opening.watch.clone())
    }

    async fn direct(self) -> Result<(), Error> {
        let watch_here = self.watch_here();
        let Self {
            opening,
            servers,
            routes,
            ..
        } = self;
        let head_timeout = head_timeout(&servers);
        let heartbeat = longest_silence(&servers);
        let arrivals = Arrivals::new(servers[0].clone(), head_timeout);
        let server = actix_server::Server::build();
        let ends = server.graceful_shutdown_signal();
        let factory = move || {
            let ends = ends.clone();
            let entrance = Entrance::new(servers[0].clone(), arrivals.clone());
            let endpoints: Rc<[Endpoint]> = servers
                .iter()
                .map(|server| Endpoint::new(server.shared()))
                .collect();
            let app = App::new().configure(Self::app(&servers, watch_here.as_ref(), &routes));
            let front = Rc::new(Front {
                endpoints: Rc::clone(&endpoints),
                arrivals: arrivals.clone(),
                heartbeat,
                ends: Ends::heard_by({
                    let ends = ends.clone();
                    async move { ends.notified().await }
                }),
            });
            let serving = Rc::clone(&endpoints);
            let take_over = move |(request, framed): (Request, Framed<HandedOn, h1::Codec>)| {
                spoken(request.conn_data());
                let endpoints = Rc::clone(&endpoints);
                let parts = framed.into_parts();
                async move {
                    let (stream, rest) = parts.io.into_parts();
                    let early = [&parts.read_buf[..], &rest].concat();
                    let facts = Facts::of_listener(&request);
                    let stream = Direct::new(stream);
                    upgrade::taken_over(&endpoints, request.path(), &facts, stream, early).await;
                    Ok::<_, Infallible>(())
                }
            };
            // Polling goes past the `App`: finding a route there costs a fifth of a poll.
            let past_app = apply_fn_factory(
                map_config(app, |()| AppConfig::default()),
                move |request: Request, app: &_| {
                    spoken(request.conn_data());
                    if Endpoint::at(&serving, request.path()).is_some() {
                        Either::Left(serve(Rc::clone(&serving), request))
                    } else {
                        Either::Right(through_app(app, request))
                    }
                },
            );
            let http = HttpService::build()
                // Connections that nobody uses end at once then.
                .graceful_shutdown_signal(move || {
                    let ends = ends.clone();
                    async move { ends.notified().await }
                })
                .client_request_timeout(head_timeout)
                .h1_allow_half_closed(false)
                .on_connect_ext(|stream: &HandedOn, data| {
                    if let Some(silent) = stream.take_silent() {
                        data.insert(silent);
                    }
                })
                .upgrade(take_over)
                .h1(past_app);
            let serve = move |(stream, peer): (TcpStream, Option<SocketAddr>)| {
                let front = Rc::clone(&front);
                async move {
                    match front.serve(stream, peer).await {
                        Some(handed_on) => Ok((handed_on, peer)),
                        None => Err(closed()),
                    }
                }
            };
            fn_service(move |stream| Rc::clone(&entrance).enter(stream))
                .and_then(fn_service(serve))
                .and_then(http)
        };
        opening.serve(server, factory).await
    }

    async fn mounted(self) -> Result<(), Error> {
        let watch_here = self.watch_here();
        let Self {
            opening,
            servers,
            routes,
            ..
        } = self;
        let heartbeat = longest_silence(&servers);
        let head_timeout = head_timeout(&servers);
        let arrivals = Arrivals::new(servers[0].clone(), head_timeout);
        let factory = move || {
            App::new()
                .wrap_fn(|request, app| {
                    spoken(request.request().conn_data());
                    app.call(request)
                })
                .configure(Self::app(&servers, watch_here.as_ref(), &routes))
        };
        let server = HttpServer::new(factory)
            .on_connect(move |io, data| {
                carrier::on_connect(io, data, heartbeat);
                if let Some(stream) = io.downcast_ref::<TcpStream>() {
                    arrivals.arrived(stream, data);
                }
            })
            .client_request_timeout(head_timeout)
            .h1_allow_half_closed(false)
            .tcp_nodelay(true)
            .workers(opening.workers)
            .backlog(opening.backlog)
            .max_connections(MAX_CONNECTIONS)
            .disable_signals()
            .shutdown_timeout(opening.patience())
            .bind(&opening.address)
            .map_err(|source| opening.failed(source))?
            .run();
        opening.until_the_end(server).await
    }

    /// As [`Listening::mounted`], with TLS. `HttpServer` would offer HTTP/2, and has no place for the PROXY protocol.
    async fn encrypted(self, certificates: Arc<Certificates>) -> Result<(), Error> {
        let watch_here = self.watch_here();
        let Self {
            opening,
            servers,
            routes,
            ..
        } = self;
        let acceptor = certificates
            .acceptor()
            .map_err(|err| Error::Run(std::io::Error::other(err)))?;
        let heartbeat = longest_silence(&servers);
        let head_timeout = head_timeout(&servers);
        let arrivals = Arrivals::new(servers[0].clone(), head_timeout);
        let server = actix_server::Server::build();
        let ends = server.graceful_shutdown_signal();
        let factory = move || {
            let (arrivals, ends) = (arrivals.clone(), ends.clone());
            let entrance = Entrance::new(servers[0].clone(), arrivals.clone());
            let entrance = Encrypting::new(entrance, acceptor.clone());
            let app = App::new()
                .wrap_fn(|request, app| {
                    spoken(request.request().conn_data());
                    app.call(request)
                })
                .configure(Self::app(&servers, watch_here.as_ref(), &routes));
            let http = HttpService::build()
                // As in the direct carrier.
                .graceful_shutdown_signal(move || {
                    let ends = ends.clone();
                    async move { ends.notified().await }
                })
                .client_request_timeout(head_timeout)
                .h1_allow_half_closed(false)
                .on_connect_ext(move |stream: &TlsStream<TcpStream>, data| {
                    direct::prepare(stream.get_ref().0, heartbeat);
                    arrivals.arrived(stream.get_ref().0, data);
                    data.insert(Encrypted);
                })
                .h1(map_config(app, |()| AppConfig::default()));
            fn_service(move |stream| Rc::clone(&entrance).enter(stream)).and_then(http)
        };
        opening.serve(server, factory).await
    }
}

/// Of all servers: a connection may be to any of them.
fn longest_silence(servers: &[Server]) -> Duration {
    let each = servers
        .iter()
        .map(|server| server.config().engine.longest_silence());
    each.max().unwrap_or_default()
}

/// Connections are capped by the limits of the configuration, with an answer; not here, in silence.
const MAX_CONNECTIONS: usize = 1 << 24;

/// How long the head of a request may take: of the servers that listen together, the one that gives most.
fn head_timeout(servers: &[Server]) -> Duration {
    let of = |server: &Server| server.config().limits.time_to_complete_head;
    servers.iter().map(of).max().unwrap_or_default()
}

/// A connection has sent a request.
fn spoken(connection: Option<&Silent>) {
    if let Some(connection) = connection {
        connection.has_spoken();
    }
}

/// A request of polling.
async fn serve(
    endpoints: Rc<[Endpoint]>,
    mut request: Request,
) -> Result<Response<BoxBody>, actix_web::Error> {
    let payload = request.take_payload();
    let Some(endpoint) = Endpoint::at(&endpoints, request.path()) else {
        return Ok(Response::not_found());
    };
    let reply = engine::serve(&Facts::of_listener(&request), payload, endpoint).await;
    Ok(HttpResponse::from(reply).into())
}

/// Any other request.
fn through_app<S>(
    app: &S,
    request: Request,
) -> impl Future<Output = Result<Response<BoxBody>, actix_web::Error>> + use<S>
where
    S: Service<Request, Response = ServiceResponse, Error = actix_web::Error>,
{
    let response = app.call(request);
    async move { Ok(response.await?.into()) }
}
