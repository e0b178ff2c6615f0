//! The cookie of a handshake, which carries the session id for load balancers.

use std::fmt::Write as _;

use crate::config::{CookieConfig, SameSite};

/// Everything of the cookie but the session id, written once.
///
/// **Source**: `engine.io/lib/server.ts`, `cookie`; the order of the attributes is that of the npm package `cookie`.
#[derive(Clone, Debug)]
pub(crate) struct SidCookie {
    /// The name and `=`.
    start: String,
    /// The attributes, each with `; ` before it.
    attributes: String,
}

impl SidCookie {
    /// From settings that are validated.
    pub(crate) fn new(config: &CookieConfig) -> Self {
        let mut attributes = String::new();
        if let Some(age) = config.max_age {
            // Writing to a `String` cannot fail.
            let _ = write!(attributes, "; Max-Age={}", age.as_secs());
        }
        if let Some(domain) = &config.domain {
            attributes += "; Domain=";
            attributes += domain;
        }
        if !config.path.is_empty() {
            attributes += "; Path=";
            attributes += &config.path;
        }
        if config.http_only {
            attributes += "; HttpOnly";
        }
        if config.secure {
            attributes += "; Secure";
        }
        attributes += match config.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        };
        Self {
            start: format!("{}=", config.name),
            attributes,
        }
    }

    /// The value of `Set-Cookie` for a session. The id is URL-safe and stands as it is.
    pub(crate) fn for_sid(&self, sid: &str) -> String {
        [&self.start, sid, &self.attributes].concat()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;

    fn config(options: &Value) -> CookieConfig {
        let text = |key: &str| options[key].as_str().map(str::to_owned);
        CookieConfig {
            name: text("name").unwrap(),
            path: text("path").unwrap(),
            http_only: options["httpOnly"].as_bool().unwrap(),
            secure: options["secure"].as_bool().unwrap_or(false),
            domain: text("domain"),
            max_age: options["maxAge"].as_f64().map(Duration::from_secs_f64),
            same_site: match text("sameSite").as_deref() {
                Some("strict") => SameSite::Strict,
                Some("none") => SameSite::None,
                _ => SameSite::Lax,
            },
        }
    }

    #[test]
    fn cookies_read_like_those_of_the_reference() {
        let golden = include_str!("../../tests/golden/cookie.jsonl");
        for line in golden.lines() {
            let (options, header): (Value, String) = serde_json::from_str(line).unwrap();
            assert_eq!(
                SidCookie::new(&config(&options)).for_sid("node1-Ab_-9"),
                header,
                "{options}"
            );
        }
        assert_eq!(golden.lines().count(), 10);
    }

    #[test]
    fn the_default_cookie_is_http_only_and_lax() {
        let cookie = SidCookie::new(&CookieConfig::default());
        assert_eq!(
            cookie.for_sid("abc"),
            "io=abc; Path=/; HttpOnly; SameSite=Lax"
        );
    }
}
