//! What is wrong with a request, in the form of RFC 9457.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use serde_json::{Value, json};

use crate::SocketId;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $status:literal $name:literal $title:literal,)*) => {
        /// A kind of problem: the end of its `type`, its status and its title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$variant),*];

            const fn facts(self) -> (u16, &'static str, &'static str) {
                match self { $(Self::$variant => ($status, $name, $title),)* }
            }
        }
    };
}

kinds! {
    /// JSON, a parameter or a header that is not of the shape described.
    Malformed => 400 "malformed" "The request cannot be read",
    /// No key, or one that is not known.
    Unauthorized => 401 "unauthorized" "A valid key is missing",
    /// No such path.
    NotFound => 404 "not-found" "There is nothing at this path",
    /// No such namespace.
    UnknownNamespace => 404 "unknown-namespace" "No server has the namespace",
    /// No such socket.
    UnknownSocket => 404 "unknown-socket" "There is no such socket",
    /// Another method than that of the path.
    MethodNotAllowed => 405 "method-not-allowed" "The path does not have this method",
    /// The body did not come in time.
    Timeout => 408 "timeout" "The body did not become complete in time",
    /// The first request with this idempotency key has no answer yet.
    InProgress => 409 "in-progress" "The same request is being carried out",
    /// The body is larger than the limit.
    TooLarge => 413 "too-large" "The body is too large",
    /// The body is no JSON, or is compressed.
    UnsupportedMediaType => 415 "unsupported-media-type" "The body has to be plain JSON",
    /// Options that exclude each other, or of which one is needed.
    Conflict => 422 "conflicting-options" "The options do not go together",
    /// A value that is out of its range.
    Invalid => 422 "invalid" "A value is out of its range",
    /// Another request had this idempotency key.
    KeyReused => 422 "key-reused" "The idempotency key belongs to another request",
    /// A failure of ours.
    Internal => 500 "internal" "The server has failed",
    /// Too many requests at once.
    Busy => 503 "busy" "Too many requests at once",
    /// The answer depends on servers that were silent.
    Incomplete => 503 "incomplete" "Not all servers have answered",
}

/// What is wrong with a request.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    /// Further members of the document.
    more: Vec<(&'static str, Value)>,
    /// The one method that the path has.
    allowed: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            more: Vec::new(),
            allowed: None,
        }
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, detail)
    }

    /// A path with another method.
    pub(super) fn not_allowed(allowed: &'static str) -> Self {
        let mut problem = Self::new(
            Kind::MethodNotAllowed,
            format!("the method of this path is {allowed}"),
        );
        problem.allowed = Some(allowed);
        problem
    }

    /// Adds a member to the document.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn status(&self) -> u16 {
        self.kind.facts().0
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The document. `at` is the path of the request; the id behind it is in the log too.
    pub(super) fn document(&self, at: &str) -> (Value, String) {
        let (status, name, title) = self.kind.facts();
        let id = SocketId::generate();
        let instance = format!("{at}#{}", &id.as_str()[..8]);
        let mut document = json!({
            "type": format!("urn:greenroom:problem:{name}"),
            "title": title,
            "status": status,
            "detail": self.detail,
            "instance": instance,
        });
        for (name, value) in &self.more {
            document[*name] = value.clone();
        }
        (document, instance)
    }

    /// What the status asks for besides.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self.kind {
            Kind::Unauthorized => Some((WWW_AUTHENTICATE, "Bearer realm=\"greenroom\"")),
            Kind::MethodNotAllowed => Some((ALLOW, self.allowed?)),
            Kind::InProgress | Kind::Busy | Kind::Incomplete => Some((RETRY_AFTER, "1")),
            _ => None,
        }
    }

    pub(super) fn response(&self, at: &str) -> (HttpResponse, String) {
        let (document, instance) = self.document(at);
        let status = StatusCode::from_u16(self.status()).unwrap_or_default();
        let mut response = HttpResponse::build(status);
        if matches!(self.kind, Kind::TooLarge | Kind::Timeout) {
            // What is left of the body would be read as the next request.
            response.force_close();
        }
        let mut response = response.body(document.to_string());
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.header() {
            headers.insert(name, HeaderValue::from_static(value));
        }
        (response, instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_names_every_kind() {
        let manual = include_str!("../../docs/http-api.md");
        for kind in Kind::ALL {
            let (status, name, _) = kind.facts();
            let row = format!("| {status} | `{name}` |");
            assert!(manual.contains(&row), "{row}");
        }
    }
}
