//! Which pages may connect: the `Origin` header of a request.
//!
//! Browsers open a WebSocket to any host that a page names, with the cookies of that host, and ask nobody; what they add
//! is the origin of the page, which scripts cannot change. Clients that are no browsers mostly send none.

use actix_web::http::header::{HOST, ORIGIN, X_FORWARDED_HOST};

use super::cors::is_match;
use super::headers::Headers;
use crate::config::{Config, Origins, origin_parts};

/// The origins that may connect.
#[derive(Debug)]
pub(crate) struct AllowedOrigins {
    /// All may, by the key of this name.
    any_by: Option<&'static str>,
    listed: Vec<String>,
}

impl AllowedOrigins {
    /// Those of `[security]`, and those that `[cors]` lets read what is answered.
    pub(crate) fn new(config: &Config) -> Self {
        let mut listed = config.security.allowed_origins.clone();
        let mut any_by = None;
        match &config.cors.origins {
            Origins::Off => {}
            Origins::Any | Origins::Reflect => any_by = Some("cors.origins"),
            Origins::One(origin) => listed.push(origin.clone()),
            Origins::List(list) if list.iter().any(|origin| origin == "*") => {
                any_by = Some("cors.origins");
            }
            Origins::List(list) => listed.extend_from_slice(list),
        }
        if listed.iter().any(|origin| origin == "*") {
            any_by = Some("security.allowed_origins");
        }
        Self { any_by, listed }
    }

    /// Tells the operator if they are all.
    pub(crate) fn warn(&self) {
        if let Some(key) = self.any_by {
            log::warn!(
                "PAGES OF ALL ORIGINS MAY CONNECT, by {key}: any page that a user opens can act in the user's name here if \
                 cookies or the user's network let it in"
            );
        }
    }

    /// Whether a request may pass. `is_proxied`: it comes from a proxy that is believed.
    pub(crate) fn allow(&self, headers: Headers<'_>, is_proxied: bool) -> bool {
        let Some(origin) = headers.get(ORIGIN) else {
            return true;
        };
        if self.any_by.is_some() {
            return true;
        }
        let Ok(origin) = std::str::from_utf8(origin) else {
            return false;
        };
        let asked = is_proxied.then(|| headers.text(X_FORWARDED_HOST));
        let is_own = asked
            .flatten()
            .into_iter()
            .chain(headers.text(HOST))
            .any(|hosts| is_at(origin, first(hosts)));
        if is_own {
            return true;
        }
        // Browsers write origins in lower case, others need not.
        let origin = origin.to_ascii_lowercase();
        self.listed.iter().any(|allowed| is_match(allowed, &origin))
    }
}

/// The first of several proxies writes what the client asked for.
fn first(hosts: &str) -> &str {
    hosts.split(',').next().unwrap_or_default().trim()
}

/// Whether an origin is that of pages at this host and port. The scheme is not compared: behind a proxy that ends TLS we
/// do not know it.
fn is_at(origin: &str, host: &str) -> bool {
    let Some((scheme, name, port)) = origin_parts(origin) else {
        return false;
    };
    let usual = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return false,
    };
    let (host, host_port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (host, usual),
    };
    !name.is_empty() && name.eq_ignore_ascii_case(host) && port.unwrap_or(usual) == host_port
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        };
        pairs.iter().map(pair).collect()
    }

    fn allowed(file: &str) -> AllowedOrigins {
        AllowedOrigins::new(&Config::from_toml(file).unwrap())
    }

    #[test]
    fn pages_of_the_same_host_and_port_may_connect_and_no_others() {
        let same = allowed("");
        for (origin, host, expected) in [
            ("http://a.example", "a.example", true),
            ("https://a.example", "a.example", true),
            ("https://a.example", "A.Example", true),
            ("https://a.example", "a.example:443", true),
            ("http://a.example", "a.example:80", true),
            ("http://a.example:3000", "a.example:3000", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("http://[::1]", "[::1]", true),
            ("http://a.example", "a.example:443", false),
            ("http://a.example:3000", "a.example", false),
            ("http://a.example", "a.example:3000", false),
            ("http://b.example", "a.example", false),
            ("http://a.example.evil.example", "a.example", false),
            ("http://evil.example/a.example", "a.example", false),
            ("null", "null", false),
            ("file://", "", false),
            ("", "", false),
            ("a.example", "a.example", false),
            ("chrome-extension://a.example", "a.example", false),
            ("http://", "", false),
        ] {
            let headers = headers(&[("origin", origin), ("host", host)]);
            assert_eq!(
                same.allow(Headers::Map(&headers), false),
                expected,
                "{origin} {host}"
            );
        }
        assert!(
            same.allow(Headers::Map(&headers(&[("host", "a")])), false),
            "no browser"
        );
        assert!(
            !same.allow(Headers::Map(&headers(&[("origin", "http://a")])), false),
            "no host"
        );
    }

    #[test]
    fn the_host_that_a_proxy_was_asked_for_counts_if_the_proxy_is_believed() {
        let same = allowed("");
        let headers = headers(&[
            ("origin", "https://a.example"),
            ("host", "10.0.0.1:3000"),
            ("x-forwarded-host", "a.example, inner"),
        ]);
        assert!(same.allow(Headers::Map(&headers), true));
        assert!(!same.allow(Headers::Map(&headers), false));
    }

    #[test]
    fn both_lists_count_with_their_wildcards() {
        let listed = allowed(
            "[security]\nallowed_origins = [\"https://*.a.example\", \"null\"]\n[cors]\norigins = \"https://B.example\"",
        );
        for (origin, expected) in [
            ("https://x.a.example", true),
            ("HTTPS://X.A.example", true),
            ("null", true),
            ("https://b.example", true),
            ("https://a.example", false),
            ("http://b.example", false),
        ] {
            assert_eq!(
                listed.allow(Headers::Map(&headers(&[("origin", origin)])), false),
                expected,
                "{origin}"
            );
        }
    }

    #[test]
    fn all_may_connect_where_a_key_says_so() {
        for (file, key) in [
            (
                "[security]\nallowed_origins = \"*\"",
                "security.allowed_origins",
            ),
            ("[cors]\norigins = \"*\"", "cors.origins"),
            ("[cors]\norigins = \"reflect\"", "cors.origins"),
            (
                "[cors]\norigins = [\"https://a.example\", \"*\"]",
                "cors.origins",
            ),
        ] {
            let any = allowed(file);
            assert_eq!(any.any_by, Some(key));
            assert!(any.allow(
                Headers::Map(&headers(&[("origin", "https://evil.example")])),
                false
            ));
        }
    }
}
