//! One address that is posted to, or read from.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::signature::signature;
use crate::clock;
use crate::config::Secret;
use crate::error::Error;

/// How long a connection that nobody uses is kept: less than the two seconds that common servers keep theirs, so that a
/// request does not meet one that is about to be closed.
const KEPT_IDLE: Duration = Duration::from_millis(1500);

/// Who asks.
const AGENT: &str = concat!("greenroom/", env!("CARGO_PKG_VERSION"));

/// Why a request has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// It took longer than it may.
    #[error("no answer in time")]
    Timeout,
    /// Nobody is there, or the connection broke.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The status says that it was not done.
    #[error("answered with status {0}")]
    Status(u16),
    /// The answer is larger than it may be.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer is not what it should be.
    #[error("the answer makes no sense: {0}")]
    Garbage(String),
}

/// What is posted. A request that is tried again has the same id, and is signed anew.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// By which the receiver knows what it has got already.
    pub(crate) id: String,
    /// JSON.
    pub(crate) body: Bytes,
}

/// An address that is posted to. Cheap to clone; the connections are shared.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    secret: Secret,
    node: HeaderValue,
    timeout: Duration,
    max_answer_bytes: usize,
}

impl Endpoint {
    /// `node` says who posts. The URL has been judged with the configuration.
    ///
    /// # Errors
    /// It is an `https://` one, and the certificates of the system cannot be read.
    pub(crate) fn new(
        url: &str,
        secret: Secret,
        node: &str,
        timeout: Duration,
        max_answer_bytes: usize,
    ) -> Result<Self, Error> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(timeout));
        let https = HttpsConnectorBuilder::new();
        let provider = rustls::crypto::ring::default_provider();
        let https = if url.starts_with("https:") {
            https
                .with_provider_and_native_roots(provider)
                .map_err(Error::Certificates)?
        } else {
            // Reading the certificates takes a while, and there may be none.
            let nobody = rustls::ClientConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()
                .expect("ring knows the default versions")
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            https.with_tls_config(nobody)
        };
        let connector = https.https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT_IDLE)
            .build(connector);
        Ok(Self(Arc::new(Inner {
            client,
            url: url.to_owned(),
            secret,
            node: HeaderValue::from_str(node).unwrap_or(HeaderValue::from_static("?")),
            timeout,
            max_answer_bytes,
        })))
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Posts, and gives the body of the answer if its status is one of success.
    ///
    /// # Errors
    /// [`OutboundError`], but for garbage: what is in the body the caller knows.
    pub(crate) async fn post(&self, request: &Request) -> Result<Bytes, OutboundError> {
        let answered = tokio::time::timeout(self.0.timeout, self.exchange(request));
        answered.await.unwrap_or(Err(OutboundError::Timeout))
    }

    /// Gets what is at the address, unsigned.
    ///
    /// # Errors
    /// As [`Endpoint::post`].
    pub(crate) async fn get(&self) -> Result<Bytes, OutboundError> {
        let got = async {
            let request = hyper::Request::builder()
                .uri(self.uri()?)
                .header(USER_AGENT, AGENT)
                .body(Full::default())
                .map_err(|err| broken(&err))?;
            self.answer(request).await
        };
        let got = tokio::time::timeout(self.0.timeout, got);
        got.await.unwrap_or(Err(OutboundError::Timeout))
    }

    fn uri(&self) -> Result<Uri, OutboundError> {
        self.0.url.parse().map_err(|err| broken(&err))
    }

    async fn exchange(&self, request: &Request) -> Result<Bytes, OutboundError> {
        let inner = &*self.0;
        let uri = self.uri()?;
        let mut head = hyper::Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header("Greenroom-Id", &request.id)
            .header("Greenroom-Node", &inner.node);
        if !inner.secret.is_empty() {
            let secret = inner.secret.expose().as_bytes();
            let signed = signature(secret, clock::now().as_secs(), &request.body);
            head = head.header("Greenroom-Signature", signed);
        }
        let request = head
            .body(Full::new(request.body.clone()))
            .map_err(|err| broken(&err))?;
        self.answer(request).await
    }

    async fn answer(&self, request: hyper::Request<Full<Bytes>>) -> Result<Bytes, OutboundError> {
        let inner = &*self.0;
        let response = inner.client.request(request).await;
        let (head, body) = response.map_err(|err| broken(&err))?.into_parts();
        if !head.status.is_success() {
            return Err(OutboundError::Status(head.status.as_u16()));
        }
        if head.status == StatusCode::NO_CONTENT {
            return Ok(Bytes::new());
        }
        let body = Limited::new(body, inner.max_answer_bytes).collect().await;
        match body {
            Ok(body) => Ok(body.to_bytes()),
            Err(err) if err.is::<LengthLimitError>() => Err(OutboundError::TooLarge),
            Err(err) => Err(broken(&*err)),
        }
    }
}

fn broken(err: &dyn std::error::Error) -> OutboundError {
    OutboundError::Unreachable(explained(err))
}

/// An error with its causes.
fn explained(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        let next = err.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = err.source();
    }
    text
}
