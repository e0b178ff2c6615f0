//! Cross-origin headers, as the npm package `cors` sets them, which the reference hands its `cors` option to.

use std::sync::Arc;

use actix_web::http::{
    StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_LENGTH, HeaderMap,
        HeaderName, HeaderValue, ORIGIN, VARY,
    },
};
use arc_swap::{ArcSwapOption, Guard};

use super::headers::Headers;
use super::reply::Reply;
use crate::config::{CorsConfig, Origins, origin_parts};

/// The policy of `[cors]`, with every header that does not depend on the request made once.
///
/// A process without the section has none: then requests of the method `OPTIONS` are like any other.
#[derive(Clone, Debug)]
pub(crate) struct Cors {
    origin: Allowed,
    credentials: bool,
    methods: Option<HeaderValue>,
    /// `None` echoes what the browser asks for.
    allowed_headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    success: StatusCode,
}

/// The policy as it is now: all that have a clone see when it changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct CorsNow(Arc<ArcSwapOption<Cors>>);

impl CorsNow {
    pub(crate) fn new(config: &CorsConfig) -> Self {
        let now = Self::default();
        now.set(config);
        now
    }

    pub(crate) fn set(&self, config: &CorsConfig) {
        self.0.store(Cors::new(config).map(Arc::new));
    }

    pub(crate) fn get(&self) -> Guard<Option<Arc<Cors>>> {
        self.0.load()
    }
}

#[derive(Clone, Debug)]
enum Allowed {
    Always(HeaderValue),
    Reflect,
    List(Vec<String>),
}

impl Cors {
    /// The policy of settings that are validated, or `None` when they have none.
    pub(crate) fn new(config: &CorsConfig) -> Option<Self> {
        let origin = match &config.origins {
            Origins::Off => return None,
            Origins::Any => Allowed::Always(HeaderValue::from_static("*")),
            Origins::Reflect => Allowed::Reflect,
            Origins::One(origin) => Allowed::Always(value(origin)),
            Origins::List(list) => Allowed::List(list.clone()),
        };
        let list = |names: &[String]| (!names.is_empty()).then(|| value(&names.join(",")));
        Some(Self {
            origin,
            credentials: config.credentials,
            methods: list(&config.methods),
            allowed_headers: list(&config.allowed_headers),
            exposed_headers: list(&config.exposed_headers),
            max_age: config.max_age.map(|age| HeaderValue::from(age.as_secs())),
            success: StatusCode::from_u16(config.options_success_status)
                .expect("validated settings have a status of 200 to 299"),
        })
    }

    /// Adds to a response what lets pages of allowed origins read it.
    pub(crate) fn decorate(&self, request: Headers<'_>, response: &mut HeaderMap) {
        self.set_origin(request, response);
        set(
            response,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            self.exposed_headers.clone(),
        );
    }

    /// The answer to a request of the method `OPTIONS`, which never reaches the endpoint.
    pub(crate) fn preflight(&self, request: Headers<'_>) -> Reply {
        let mut reply = Reply::new(self.success);
        self.set_preflight(request, &mut reply.headers);
        reply
    }

    fn set_preflight(&self, request: Headers<'_>, response: &mut HeaderMap) {
        self.set_origin(request, response);
        set(response, ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let allowed_headers = self.allowed_headers.clone().or_else(|| {
            vary(response, "Access-Control-Request-Headers");
            request
                .get(ACCESS_CONTROL_REQUEST_HEADERS)
                .filter(|asked| !asked.is_empty())
                .and_then(echoed)
        });
        set(response, ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers);
        set(response, ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        set(
            response,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            self.exposed_headers.clone(),
        );
        // Some browsers wait for a body when it is missing, although a 204 has none.
        set(
            response,
            CONTENT_LENGTH,
            Some(HeaderValue::from_static("0")),
        );
    }

    fn set_origin(&self, request: Headers<'_>, response: &mut HeaderMap) {
        let asked = request.get(ORIGIN);
        let is_listed = |list: &[String], asked: &[u8]| {
            std::str::from_utf8(asked)
                .is_ok_and(|asked| list.iter().any(|allowed| is_match(allowed, asked)))
        };
        let origin = match &self.origin {
            Allowed::Always(origin) => Some(origin.clone()),
            Allowed::Reflect => asked.and_then(echoed),
            Allowed::List(list) => asked
                .filter(|asked| is_listed(list, asked))
                .and_then(echoed),
        };
        set(response, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // A cache must not give the answer for one origin to another.
        if !matches!(&self.origin, Allowed::Always(origin) if origin == "*") {
            vary(response, "Origin");
        }
        if self.credentials {
            set(
                response,
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                Some(HeaderValue::from_static("true")),
            );
        }
    }
}

/// Says that a response depends on a header of the request, unless it says so already.
pub(crate) fn vary(response: &mut HeaderMap, name: &'static str) {
    let said: Vec<_> = response
        .get_all(VARY)
        .filter_map(|value| value.to_str().ok())
        .collect();
    let said = said.join(", ");
    let mut names = said.split(',').map(str::trim);
    if names.any(|known| known == "*" || known.eq_ignore_ascii_case(name)) {
        return;
    }
    let all = if said.is_empty() {
        HeaderValue::from_static(name)
    } else {
        value(&format!("{said}, {name}"))
    };
    response.insert(VARY, all);
}

/// Whether an origin is the allowed one, or one of those that its wildcards stand for.
pub(super) fn is_match(allowed: &str, origin: &str) -> bool {
    if !allowed.contains('*') {
        return allowed == origin;
    }
    if allowed == "*" {
        return true;
    }
    let (Some((scheme, host, port)), Some((is_scheme, is_host, is_port))) =
        (origin_parts(allowed), origin_parts(origin))
    else {
        return false;
    };
    let is_label_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_subdomain = |domain: &str| {
        is_host
            .strip_suffix(domain)
            .is_some_and(|labels| !labels.is_empty() && labels.bytes().all(is_label_byte))
    };
    scheme == is_scheme
        && (port == is_port || port == Some("*"))
        && (host == is_host || host.strip_prefix('*').is_some_and(is_subdomain))
}

fn set(response: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        response.insert(name, value);
    }
}

/// What a request says, said back.
fn echoed(asked: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(asked).ok()
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .expect("validated settings, and headers that are set already, are plain ASCII")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use serde_json::Value;

    use super::*;

    type Plain = BTreeMap<String, String>;

    fn config(options: &Value) -> CorsConfig {
        let texts = |value: &Value| -> Option<Vec<String>> {
            Some(
                value
                    .as_array()?
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            )
        };
        let mut config = CorsConfig::default();
        config.origins = match &options["origin"] {
            Value::Bool(false) => Origins::Off,
            Value::Bool(true) => Origins::Reflect,
            Value::String(all) if all == "*" => Origins::Any,
            Value::String(one) => Origins::One(one.clone()),
            list => Origins::List(texts(list).unwrap()),
        };
        config.methods = texts(&options["methods"]).unwrap_or(config.methods);
        config.allowed_headers = texts(&options["allowedHeaders"]).unwrap_or_default();
        config.exposed_headers = texts(&options["exposedHeaders"]).unwrap_or_default();
        config.credentials = options["credentials"] == true;
        config.max_age = options["maxAge"].as_u64().map(Duration::from_secs);
        config.options_success_status = options["optionsSuccessStatus"]
            .as_u64()
            .map_or(204, |status| u16::try_from(status).unwrap());
        config
    }

    fn map(headers: &Plain) -> HeaderMap {
        headers
            .iter()
            .map(|(name, text)| (HeaderName::try_from(name).unwrap(), value(text)))
            .collect()
    }

    fn plain(headers: &HeaderMap) -> Plain {
        headers
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn headers_are_those_of_the_reference() {
        let golden = include_str!("../../tests/golden/cors.jsonl");
        for line in golden.lines() {
            let (options, method, request, set, status, expected): (
                Value,
                String,
                Plain,
                Plain,
                Value,
                Plain,
            ) = serde_json::from_str(line).unwrap();
            let request = map(&request);
            let mut response = map(&set);
            let cors = Cors::new(&config(&options));
            let preflight = cors.as_ref().filter(|_| method == "OPTIONS");
            assert_eq!(
                status.as_u64(),
                preflight.map(|cors| u64::from(cors.success.as_u16())),
                "{line}"
            );
            match (&cors, preflight) {
                (_, Some(cors)) => cors.set_preflight(Headers::Map(&request), &mut response),
                (Some(cors), None) => cors.decorate(Headers::Map(&request), &mut response),
                (None, None) => {}
            }
            assert_eq!(plain(&response), expected, "{line}");
        }
        assert_eq!(golden.lines().count(), 135);
    }

    #[test]
    fn a_preflight_is_answered_without_a_body() {
        let config = CorsConfig {
            origins: Origins::Any,
            ..CorsConfig::default()
        };
        let none = HeaderMap::new();
        let reply = Cors::new(&config).unwrap().preflight(Headers::Map(&none));
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
        assert_eq!(reply.headers.get(CONTENT_LENGTH).unwrap(), "0");
    }

    #[test]
    fn wildcards_stand_for_subdomains_and_ports_only() {
        for (allowed, origin, expected) in [
            ("*", "https://a.example", true),
            ("*", "null", true),
            ("null", "null", true),
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://a.example:8443", false),
            ("https://a.example", "http://a.example", false),
            ("https://*.a.example", "https://b.a.example", true),
            ("https://*.a.example", "https://c.b.a.example", true),
            ("https://*.a.example", "https://a.example", false),
            ("https://*.a.example", "https://.a.example", false),
            ("https://*.a.example", "https://ba.example", false),
            ("https://*.a.example", "https://b.a.example:8443", false),
            (
                "https://*.a.example",
                "https://b.a.example.evil.example",
                false,
            ),
            (
                "https://*.a.example",
                "https://evil.example/.a.example",
                false,
            ),
            (
                "https://*.a.example",
                "https://evil.example:1.a.example",
                false,
            ),
            ("https://*.a.example", "http://b.a.example", false),
            ("https://*.a.example", "null", false),
            ("http://localhost:*", "http://localhost", true),
            ("http://localhost:*", "http://localhost:5173", true),
            (
                "http://localhost:*",
                "http://localhost.evil.example:80",
                false,
            ),
            ("http://[::1]:*", "http://[::1]:80", true),
            ("http://[::1]:*", "http://[::1]", true),
            ("https://*.a.example:*", "https://b.a.example:1", true),
        ] {
            assert_eq!(is_match(allowed, origin), expected, "{allowed} {origin}");
        }
    }
}
