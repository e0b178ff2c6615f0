//! What operators and their programs ask: is it alive, is it ready, and the numbers.

mod cluster;
mod exposition;
mod families;
mod process;
mod programs;
mod ready;
mod sockets;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{ALLOW, CACHE_CONTROL};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource};

use crate::server::Server;

/// Source: "Exposition formats" in the documentation of Prometheus, text-based format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers `/metrics`, `/healthz` and `/readyz` (and `/health` and `/ready`, as some type) for these servers.
///
/// [`Server::run`] has these routes already, on the address of `server.internal_port` or else on its own.
///
/// ```no_run
/// use actix_web::{App, HttpServer};
/// use greenroom::monitoring;
/// use greenroom::prelude::*;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::builder().build()?;
/// let watched = server.clone();
/// let inside = HttpServer::new(move || App::new().configure(monitoring([watched.clone()])))
///     .workers(1)
///     .bind(("127.0.0.1", 9090))?
///     .run();
/// let outside = HttpServer::new(move || App::new().configure(server.routes()))
///     .bind(("0.0.0.0", 3000))?
///     .run();
/// tokio::try_join!(inside, outside)?;
/// # Ok(())
/// # }
/// ```
///
/// | path | method | answer |
/// |---|---|---|
/// | `/metrics` | GET, HEAD | 200, the text format of Prometheus |
/// | `/healthz`, `/health` | GET, HEAD | 200, `ok` while the process answers at all |
/// | `/readyz`, `/ready` | GET, HEAD | 200 `{"ready":true,"reasons":[]}`, or 503 with the reasons |
///
/// Other methods are answered 405. Nobody is asked who they are: keep them from the world.
pub fn monitoring<I: IntoIterator<Item = Server>>(
    servers: I,
) -> impl FnOnce(&mut ServiceConfig) + use<I> {
    Watch::new(servers).routes()
}

/// The servers that are asked about.
#[derive(Clone)]
pub(crate) struct Watch {
    servers: Arc<[Server]>,
    /// Clients can connect. Until then nobody should be sent here.
    is_listening: Arc<AtomicBool>,
}

impl Watch {
    /// Of servers that listen, or whose listening is not our business.
    pub(crate) fn new(servers: impl IntoIterator<Item = Server>) -> Self {
        Self {
            servers: servers.into_iter().collect(),
            is_listening: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Says whether clients can connect.
    pub(crate) fn set_listening(&self, is_listening: bool) {
        self.is_listening.store(is_listening, Ordering::Relaxed);
    }

    pub(crate) fn routes(&self) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let watch = self.clone();
        move |app| {
            app.service(resource(&["/metrics"], watch.clone(), Self::metrics))
                .service(resource(&["/healthz", "/health"], (), |()| async {
                    plain("ok\n")
                }))
                .service(resource(&["/readyz", "/ready"], watch, Self::readiness));
        }
    }

    async fn metrics(self) -> HttpResponse {
        let is_ready = self.reasons().is_empty();
        let text = families::scrape(&self.servers, is_ready).await;
        HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .content_type(TEXT_FORMAT)
            .body(text)
    }

    async fn readiness(self) -> HttpResponse {
        let reasons = self.reasons();
        let mut response = match reasons.is_empty() {
            true => HttpResponse::Ok(),
            false => HttpResponse::ServiceUnavailable(),
        };
        response
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons }))
    }

    fn reasons(&self) -> Vec<String> {
        let mut reasons = ready::reasons(&self.servers);
        if !self.is_listening.load(Ordering::Relaxed) {
            reasons.push("not listening yet".to_owned());
        }
        reasons
    }
}

/// What is asked with GET or HEAD, and nothing else.
fn resource<T, F>(
    paths: &'static [&'static str],
    watch: T,
    answer: impl Fn(T) -> F + Clone + 'static,
) -> Resource
where
    T: Clone + 'static,
    F: Future<Output = HttpResponse> + 'static,
{
    let handler = move || answer(watch.clone());
    web::resource(paths.to_vec())
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(|| async {
            HttpResponse::MethodNotAllowed()
                .insert_header((ALLOW, "GET, HEAD"))
                .content_type("text/plain; charset=utf-8")
                .body("GET and HEAD only.\n")
        }))
}

fn plain(text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body(text)
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Config;

    async fn readiness(watch: &Watch) -> (u16, Value) {
        let app = test::init_service(App::new().configure(watch.routes())).await;
        let request = test::TestRequest::get().uri("/ready").to_request();
        let response = test::call_service(&app, request).await;
        let status = response.status().as_u16();
        (status, test::read_body_json(response).await)
    }

    fn server(path: &str) -> Server {
        let mut config = Config::default();
        config.server.path = path.to_owned();
        Server::builder().config(config).build().unwrap()
    }

    #[actix_web::test]
    async fn nobody_is_sent_to_who_does_not_listen_or_ends() {
        let server = server("/one");
        let watch = Watch::new([server.clone()]);
        watch.set_listening(false);
        let not_yet = json!({ "ready": false, "reasons": ["not listening yet"] });
        assert_eq!(readiness(&watch).await, (503, not_yet));
        watch.set_listening(true);
        assert_eq!(readiness(&watch).await.0, 200);
        server.shared().is_ending.store(true, Ordering::Relaxed);
        let ends = json!({ "ready": false, "reasons": ["shutting down"] });
        assert_eq!(readiness(&watch).await, (503, ends));
    }

    #[actix_web::test]
    async fn of_several_servers_each_has_its_reasons() {
        let servers = ["/one", "/two"].map(server);
        servers[1].shared().is_ending.store(true, Ordering::Relaxed);
        let (status, answer) = readiness(&Watch::new(servers)).await;
        assert_eq!(status, 503);
        assert_eq!(answer["reasons"], json!(["/two: shutting down"]));
    }
}
