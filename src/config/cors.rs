//! `[cors]`: which pages of other origins may talk to us over HTTP.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::values;

/// `[cors]`: which pages of other origins may talk to us over HTTP.
///
/// The options of the npm package `cors`, which the reference hands them to. They set headers that browsers obey; they
/// do not keep a WebSocket or a program out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CorsConfig {
    /// Origins whose pages may read our responses.
    ///
    /// Default `false`: no header is sent. `"*"` is every origin (browsers then refuse credentials), `"reflect"` echoes
    /// the origin of the request, a text is that one origin, a list is these.
    /// In a list, `https://*.example.com` stands for all subdomains and `http://localhost:*` for all ports.
    pub origins: Origins,
    /// Methods that a preflight allows.
    ///
    /// Default `["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]`.
    pub methods: Vec<String>,
    /// Request headers that a preflight allows.
    ///
    /// Default empty: those that the browser asks for.
    pub allowed_headers: Vec<String>,
    /// Response headers that scripts may read besides the basic ones.
    ///
    /// Default empty.
    pub exposed_headers: Vec<String>,
    /// Whether requests may carry cookies.
    ///
    /// Default `false`.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight, in whole seconds.
    ///
    /// Default none: the browser's own default. Zero: not at all.
    #[serde(deserialize_with = "values::some_duration")]
    pub max_age: Option<Duration>,
    /// Status of the answer to a preflight.
    ///
    /// Default 204; some old browsers want 200. Range 200 to 299.
    pub options_success_status: u16,
}

impl Default for CorsConfig {
    fn default() -> Self {
        Self {
            origins: Origins::Off,
            methods: ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]
                .map(str::to_owned)
                .to_vec(),
            allowed_headers: Vec::new(),
            exposed_headers: Vec::new(),
            credentials: false,
            max_age: None,
            options_success_status: 204,
        }
    }
}

/// Origins whose pages may read our responses.
///
/// **Shape**: in the file `false`, `"*"`, `"reflect"`, one origin, or a list of origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origins {
    /// No CORS at all: no headers, and preflights are not answered.
    #[default]
    Off,
    /// Every origin, as `*`.
    Any,
    /// The origin of the request, whatever it is.
    Reflect,
    /// This one, named in every response whether the request came from it or not.
    One(String),
    /// The origin of the request when it is in the list; `*` as first label or as port is a wildcard.
    List(Vec<String>),
}

impl<'de> Deserialize<'de> for Origins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Origins;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("false, \"*\", \"reflect\", an origin or a list of origins")
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Origins, E> {
                Ok(if on { Origins::Reflect } else { Origins::Off })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Origins, E> {
                Ok(match text {
                    "*" => Origins::Any,
                    "reflect" => Origins::Reflect,
                    pattern if pattern.contains('*') => Origins::List(vec![pattern.to_owned()]),
                    origin => Origins::One(origin.to_owned()),
                })
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Origins, A::Error> {
                let mut list = Vec::new();
                while let Some(origin) = seq.next_element()? {
                    list.push(origin);
                }
                Ok(Origins::List(list))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
