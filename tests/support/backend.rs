//! A program elsewhere that is told things over HTTP, and answers as the test wants.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::within;

/// A receiver of calls and webhooks, until the process ends.
pub(crate) struct Backend {
    pub(crate) url: String,
    calls: UnboundedReceiver<Call>,
}

/// A request that waits for its answer. One that is dropped is answered with status 500.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) body: Value,
    raw: Bytes,
    headers: Vec<(String, String)>,
    pub(crate) peer: SocketAddr,
    reply: oneshot::Sender<(u16, String)>,
}

type Calls = web::Data<UnboundedSender<Call>>;

async fn called(request: HttpRequest, raw: Bytes, calls: Calls) -> HttpResponse {
    let (reply, replied) = oneshot::channel();
    let headers = request.headers().iter();
    let call = Call {
        body: serde_json::from_slice(&raw).unwrap(),
        raw,
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        peer: request.peer_addr().unwrap(),
        reply,
    };
    // The test may be over.
    let _ = calls.send(call);
    let (status, body) = replied.await.unwrap_or((500, String::new()));
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    response.insert_header((header::LOCATION, "/elsewhere"));
    response.body(body)
}

impl Backend {
    pub(crate) fn start() -> Self {
        Self::at(([127, 0, 0, 1], 0).into())
    }

    /// At an address that is free again.
    pub(crate) fn at(address: SocketAddr) -> Self {
        let (told, calls) = unbounded_channel();
        let told = web::Data::new(told);
        let app = move || {
            App::new()
                .app_data(told.clone())
                .app_data(web::PayloadConfig::new(1 << 24))
                .default_service(web::post().to(called))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .keep_alive(Duration::from_secs(60))
            .disable_signals()
            .bind(address)
            .unwrap();
        let url = format!("http://{}/hook?a=b", server.addrs()[0]);
        actix::spawn(server.run());
        Self { url, calls }
    }

    /// The next call.
    pub(crate) async fn next(&mut self) -> Call {
        let call = within("a call", self.calls.recv()).await;
        call.expect("the backend lives as long as the test")
    }

    /// What is there already.
    pub(crate) fn now(&mut self) -> Option<Call> {
        self.calls.try_recv().ok()
    }
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| &**value)
    }

    /// A member of the body: `call.text("event")`.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// Answers with status 200.
    pub(crate) fn answer(self, body: &Value) {
        self.reply(200, body.to_string());
    }

    pub(crate) fn reply(self, status: u16, body: impl Into<String>) {
        // Who asked may have given up.
        let _ = self.reply.send((status, body.into()));
    }

    /// The seconds of the signature, which has to be right.
    pub(crate) fn signed_at(&self, secret: &str) -> u64 {
        use hmac::{Hmac, KeyInit, Mac};
        let header = self.header("greenroom-signature").expect("it is signed");
        let (time, signature) = header.split_once(",v1=").unwrap();
        let time = time.strip_prefix("t=").unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(&self.raw);
        let computed = mac.finalize().into_bytes();
        let computed: String = computed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(signature, computed);
        time.parse().unwrap()
    }
}
