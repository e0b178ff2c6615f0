//! The HTTP API for backends: JSON below `/api/v1`, described by the OpenAPI document that it serves.
//!
//! It is written against the public face of the crate: what it does, a program can do.

mod auth;
mod batch;
mod body;
mod commands;
mod idempotency;
mod problem;
mod queries;
mod query;
mod reply;
mod routes;
mod value;
mod whom;

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Server;
use crate::config::ApiConfig;
use crate::metrics::Counter;
use crate::throttle::throttled;
use batch::Batch;
use commands::Command;
use idempotency::{Begun, Kept, Turn};
use problem::{Kind, Problem};
use routes::Route;

/// Where it is.
const PATH: &str = "/api/v1";

/// The command of requests for paths that do not exist, where times are counted.
const NO_COMMAND: &str = "none";

/// Says that an answer is the one of an earlier request.
const REPLAYED: &str = "idempotent-replayed";

/// What each request needs.
#[derive(Clone, Debug)]
struct Api {
    server: Server,
    settings: Arc<ApiConfig>,
    /// As many as requests may be carried out at once.
    running: Arc<Semaphore>,
    kept: Kept,
}

/// The HTTP API of a server for backends, to be mounted into an actix-web `App`: commands and questions as JSON below
/// `/api/v1`. [`Server::run`] has it by itself.
///
/// There is none if the server has no [keys](ApiConfig::keys).
///
/// ```
/// use actix_web::App;
/// use greenroom::Server;
///
/// # fn main() -> Result<(), greenroom::Error> {
/// let server = Server::builder().build()?;
/// // Once, before the workers: they share what is kept for requests that are repeated.
/// let api = greenroom::api(&server);
/// let app = move || App::new().configure(server.routes()).configure(api.clone());
/// # let _ = app;
/// # Ok(())
/// # }
/// ```
pub fn api(server: &Server) -> impl Fn(&mut ServiceConfig) + Clone + Send + use<> {
    let settings = Arc::new(server.config().api.clone());
    let api = Api {
        server: server.clone(),
        running: Arc::new(Semaphore::new(settings.concurrent_requests)),
        kept: Kept::new(settings.idempotency_window, settings.idempotency_bytes),
        settings,
    };
    move |app| {
        if api.settings.keys.is_empty() {
            return;
        }
        let scope = web::scope(PATH)
            .app_data(web::Data::new(api.clone()))
            .default_service(web::to(serve));
        app.service(scope);
    }
}

/// Any request below the path.
async fn serve(request: HttpRequest, payload: Payload, api: web::Data<Api>) -> HttpResponse {
    let since = Instant::now();
    let path = request.uri().path();
    let route = Route::find(path.strip_prefix(PATH).unwrap_or_default());
    let command = route.as_ref().map_or(NO_COMMAND, Route::name);
    let response = match api.answer(&request, payload, route).await {
        Ok(response) => response,
        Err(problem) => {
            let (response, instance) = problem.response(path);
            api.refused(&problem, &instance);
            response
        }
    };
    let labels = (command, class(response.status()));
    let timings = &api.server.shared().metrics.api;
    timings.add(labels, since.elapsed());
    response
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..400 => "2xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

impl Api {
    /// Tells the operator of a request, or of a command of a batch.
    fn refused(&self, problem: &Problem, instance: &str) {
        self.server.shared().metrics.count(Counter::ApiRefused);
        let (kind, detail) = (problem.kind(), problem.detail());
        log::debug!(
            "a request of a backend is refused kind={kind:?} instance={instance} why={detail}"
        );
    }

    async fn answer(
        &self,
        request: &HttpRequest,
        payload: Payload,
        route: Option<Route>,
    ) -> Result<HttpResponse, Problem> {
        let is_open = route == Some(Route::OpenApi);
        // The description is no secret: tools load it before they are given a key.
        if !is_open {
            let keys = Arc::clone(&self.server.shared().api_keys.read());
            auth::authorize(&keys, request.headers())?;
        }
        let route = route.ok_or_else(|| {
            Problem::new(
                Kind::NotFound,
                "the paths are described in /api/v1/openapi.json",
            )
        })?;
        if request.method().as_str() != route.method() {
            return Err(Problem::not_allowed(route.method()));
        }
        if is_open {
            return Ok(json(Bytes::from_static(OPENAPI.as_bytes()), false));
        }
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else {
            let most = self.settings.concurrent_requests;
            return Err(Problem::new(
                Kind::Busy,
                format!("{most} requests are being carried out"),
            ));
        };
        let query = request.query_string();
        let reply = match route {
            Route::OpenApi | Route::Command(_) | Route::Batch => {
                query::Query::parse(query, &[])?;
                return self.order(request, payload, &route, permit).await;
            }
            Route::Rooms => queries::rooms(self, query).await,
            Route::Sockets => queries::sockets(self, query).await,
            Route::Socket(id) => queries::socket(self, &id, query).await,
            Route::SocketsOf(user) => queries::sockets_of(self, &user, query).await,
            Route::Presence => queries::presence(self, query).await,
            Route::Nodes => queries::nodes(self, query).await,
        };
        Ok(json(reply?.to_string().into(), false))
    }

    /// A request that has effects.
    async fn order(
        &self,
        request: &HttpRequest,
        payload: Payload,
        route: &Route,
        permit: OwnedSemaphorePermit,
    ) -> Result<HttpResponse, Problem> {
        let headers = request.headers();
        let key = idempotency::key(headers)?;
        let limit = self.server.shared().limits().time_to_complete_packet;
        let body = body::read(headers, payload, self.settings.body_bytes, limit).await?;
        let path = request.uri().path().to_owned();
        let order = match route {
            Route::Command(verb) => Order::One(verb.parse(&body)?),
            _ => Order::Many(body::parse(&body)?),
        };
        let Some(key) = key else {
            let reply = order.run(self, &path).await?;
            return Ok(json(reply.to_string().into(), false));
        };
        let fingerprint = idempotency::fingerprint(&path, &body);
        match self.kept.begin(key, fingerprint, Instant::now())? {
            Begun::Again(answer) => Ok(json(answer, true)),
            Begun::First(turn) => {
                // To its end, also if the backend does not wait for it: that is when it repeats the request.
                let run = order.run_in_turn(self.clone(), path, turn, permit);
                let answer = actix_rt::spawn(run).await.map_err(|err| {
                    throttled!(error, "a request of a backend has failed err={err}");
                    Problem::new(Kind::Internal, "the log of the server says more")
                })?;
                Ok(json(answer?, false))
            }
        }
    }
}

/// What a request orders.
enum Order {
    One(Command),
    Many(Batch),
}

impl Order {
    async fn run(self, api: &Api, path: &str) -> Result<Value, Problem> {
        match self {
            Self::One(command) => {
                let nsp = whom::find(api, command.namespace()).await?;
                command.start(api, &nsp, 1)?.await
            }
            Self::Many(batch) => batch.run(api, path).await,
        }
    }

    async fn run_in_turn(
        self,
        api: Api,
        path: String,
        turn: Turn,
        _permit: OwnedSemaphorePermit,
    ) -> Result<Bytes, Problem> {
        let answer = Bytes::from(self.run(&api, &path).await?.to_string());
        turn.keep(&answer, Instant::now());
        Ok(answer)
    }
}

const OPENAPI: &str = include_str!("openapi.json");

fn json(body: Bytes, is_again: bool) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"));
    if is_again {
        response.insert_header((REPLAYED, "true"));
    }
    response.body(body)
}
