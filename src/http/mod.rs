//! HTTP: the routes of a server, its own listener, and what every response carries.

mod accept;
mod arrivals;
pub(crate) mod client_files;
pub(crate) mod compression;
mod connection;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod ending;
pub(crate) mod engine;
mod headers;
mod internal;
pub(crate) mod listen;
pub(crate) mod monitor;
pub(crate) mod origin;
pub(crate) mod pages;
pub(crate) mod proxies;
mod proxy_protocol;
mod reply;
pub(crate) mod request;
pub(crate) mod stray;
mod systemd;
pub(crate) mod tls;
pub(crate) mod upgrade;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{self, ServiceConfig};

use crate::error::Refusal;
use crate::hub::{self, HubHandle};
use crate::metrics::Counter;
use crate::namespace::Handshake;
use crate::protocol::engineio::{
    Admission, BadRequest, HandshakeError, Query, Request, Sid, Transport, verify,
};
use crate::server::Shared;
use crate::session::Command;
use client_files::ClientFiles;
#[cfg(feature = "_bench")]
pub(crate) use connection::Head;
use cookie::SidCookie;
pub(crate) use reply::Reply;
use request::Facts;

/// Changes the headers of a response; gets the request that the response answers.
pub trait HeaderHook: Fn(&mut HeaderMap, &RequestHead<'_>) + Send + Sync + 'static {}

impl<F> HeaderHook for F where F: Fn(&mut HeaderMap, &RequestHead<'_>) + Send + Sync + 'static {}

/// The request that a [`HeaderHook`] is about.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Path and query.
    pub url: &'a str,
}

type AllowRequest =
    dyn Fn(Arc<Handshake>) -> Pin<Box<dyn Future<Output = Result<(), Refusal>>>> + Send + Sync;
type BoxedHook = Box<dyn Fn(&mut HeaderMap, &RequestHead<'_>) + Send + Sync>;

/// Where a program takes part in requests.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) allow_request: Option<Box<AllowRequest>>,
    pub(crate) middleware: Vec<Box<AllowRequest>>,
    pub(crate) initial_headers: Option<BoxedHook>,
    pub(crate) headers: Option<BoxedHook>,
}

/// What the routes of one server need besides the server.
pub(crate) struct Endpoint {
    pub(crate) shared: Arc<Shared>,
    cookie: Option<SidCookie>,
}

impl Endpoint {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        if shared.cluster.is_some() {
            // A server without clients is a member of its cluster all the same: it is counted, and answers.
            hub::here(shared);
        }
        Self {
            shared: Arc::clone(shared),
            cookie: shared.config.engine.cookie.as_ref().map(SidCookie::new),
        }
    }

    /// The one of `all` that answers requests to `path`.
    fn at<'a>(all: &'a [Self], path: &str) -> Option<&'a Self> {
        all.iter().find(|endpoint| endpoint.is_at(path))
    }

    /// Whether this endpoint answers requests to `path`.
    fn is_at(&self, path: &str) -> bool {
        path.strip_prefix(&*self.shared.config.server.path)
            .is_some_and(|rest| rest.is_empty() || rest == "/")
    }

    /// Sends a command to the session `sid`, on whatever worker it is.
    pub(crate) fn to_session(&self, sid: &Sid, command: Command) {
        match self.hub_of(sid) {
            Some(hub) => hub.send(hub::Command::Session { sid: *sid, command }),
            None => command.refuse(),
        }
    }

    /// Asks the session `sid` a question of a polling client.
    pub(crate) fn ask(&self, sid: &Sid, question: hub::Polling) {
        match self.hub_of(sid) {
            Some(hub) => hub.send(hub::Command::Polling {
                sid: *sid,
                question,
            }),
            None => question.refuse(HandshakeError::UnknownSid),
        }
    }

    /// The hub that has the session `sid` if anybody here has. A sid of another node is told to the operator.
    fn hub_of(&self, sid: &Sid) -> Option<Arc<HubHandle>> {
        let shared = &self.shared;
        if let Some(index) = sid.worker(&shared.sid_prefix) {
            return shared.hub(index);
        }
        if let Some(route) = sid.foreign_route(&shared.sid_prefix) {
            shared.metrics.count(Counter::ForeignSession);
            if let Some(line) = shared.strays.seen(route, Instant::now()) {
                log::warn!("{line}");
            }
        }
        None
    }

    /// Runs the middleware of the program; most have none, and then nothing is made for it.
    pub(crate) async fn run_middleware(
        &self,
        request: impl FnOnce() -> Arc<Handshake>,
    ) -> Result<(), HandshakeError> {
        let middleware = &self.shared.hooks.middleware;
        if middleware.is_empty() {
            return Ok(());
        }
        let request = request();
        for middleware in middleware {
            middleware(Arc::clone(&request)).await.map_err(|refusal| {
                log::debug!("a middleware refuses a request why={refusal}");
                HandshakeError::BadRequest(BadRequest::Middleware)
            })?;
        }
        Ok(())
    }

    /// What every request goes through first, in the order of the reference: the middleware, then its
    /// parameters, then its origin; and the session it names.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) async fn verify(
        &self,
        facts: &Facts<'_>,
        query: &Query<'_>,
        is_upgrade: bool,
    ) -> Result<(Admission, Option<Sid>), HandshakeError> {
        let shared = &self.shared;
        self.run_middleware(|| facts.remember(shared, query))
            .await?;
        let sid: Option<Sid> = match query.sid() {
            None => None,
            Some(sid) => Some(sid.parse().map_err(|()| HandshakeError::UnknownSid)?),
        };
        let admission = verify(&Request {
            query,
            method: facts.method.as_str(),
            is_upgrade,
            origin: facts.headers.get(header::ORIGIN),
            enabled: shared.transports(),
            // Whether it is there, and on which transport, its own worker will say.
            session: sid.map(|_| Transport::Polling),
        })?;
        self.check_origin(facts)?;
        Ok((admission, sid))
    }

    /// Whether the page that sends this request may.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn check_origin(&self, facts: &Facts<'_>) -> Result<(), HandshakeError> {
        let shared = &self.shared;
        let headers = facts.headers;
        let is_proxied = || {
            let proxies = &shared.config.security.trusted_proxies;
            facts
                .peer
                .is_some_and(|peer| proxies::is_trusted(proxies, peer.ip()))
        };
        if headers.get(header::ORIGIN).is_none() || shared.origins().allow(headers, is_proxied()) {
            return Ok(());
        }
        shared.metrics.count(Counter::OriginRefused);
        log::debug!(
            "an origin is refused origin={:?} host={:?}",
            headers.text(header::ORIGIN),
            headers.text(header::HOST),
        );
        Err(HandshakeError::OriginNotAllowed)
    }

    /// As [`Endpoint::decorate`]; a hook of the program sees all headers of the response.
    pub(crate) fn decorate_reply(&self, reply: &mut Reply, facts: &Facts<'_>, sid: Option<&str>) {
        let hooks = &self.shared.hooks;
        let headers = if hooks.headers.is_some() || hooks.initial_headers.is_some() {
            reply.all_headers()
        } else {
            &mut reply.headers
        };
        self.decorate(headers, facts, sid);
    }

    /// Adds to a response what the configuration and the program want there. `sid`: the response is the
    /// first of this session.
    pub(crate) fn decorate(&self, response: &mut HeaderMap, facts: &Facts<'_>, sid: Option<&str>) {
        if let Some(cors) = &*self.shared.cors().get() {
            cors.decorate(facts.headers, response);
        }
        let run = |hook: &BoxedHook, response: &mut HeaderMap| {
            let headers = facts.headers.to_map();
            let request = RequestHead {
                headers: &headers,
                url: facts.url,
            };
            hook(response, &request);
        };
        if let Some(sid) = sid {
            if let Some(cookie) = &self.cookie
                && let Ok(value) = cookie.for_sid(sid).parse()
            {
                response.append(header::SET_COOKIE, value);
            }
            if let Some(hook) = &self.shared.hooks.initial_headers {
                run(hook, response);
            }
        }
        if let Some(hook) = &self.shared.hooks.headers {
            run(hook, response);
        }
    }
}

/// Adds the routes of a server to an `App`.
pub(crate) fn configure(shared: &Arc<Shared>, app: &mut ServiceConfig) {
    let endpoint = web::Data::new(Endpoint::new(shared));
    let path = &shared.config.server.path;
    if shared.config.server.serve_client && shared.namespaces().is_some() {
        ClientFiles::new(&shared.config.server.client_dir, shared.cors().clone())
            .configure(path, app);
    }
    let mut paths = vec![format!("{path}/")];
    if !shared.config.engine.add_trailing_slash || !path.is_empty() {
        paths.push(path.clone());
    }
    for path in paths.into_iter().filter(|path| !path.is_empty()) {
        app.service(
            web::resource(path)
                .app_data(endpoint.clone())
                .to(engine::mounted),
        );
    }
    for route in &shared.websockets {
        let route = route.clone();
        let endpoint = endpoint.clone();
        app.route(
            &route.path.clone(),
            web::get().to(move |request: HttpRequest, payload: web::Payload| {
                std::future::ready(upgrade::mounted_raw(&request, payload, &route, &endpoint))
            }),
        );
    }
    // On the worker itself, so that the first session finds it running.
    if actix_rt::System::try_current().is_some() {
        hub::here(shared);
    }
}
