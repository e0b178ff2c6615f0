//! `[security]`: which pages may connect, and whom to believe about clients.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

/// `[security]`: which pages may connect, and whom to believe about clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SecurityConfig {
    /// Origins whose pages may connect, besides the server's own and those of [`cors.origins`](super::CorsConfig::origins).
    ///
    /// Default empty: only pages of the same host and port as the server, and clients that are no browsers and send no
    /// origin. `"*"` is every origin, with a warning at the start. In a list, `https://*.example.com` stands for all
    /// subdomains and `http://localhost:*` for all ports. What is not allowed is answered 403 on both transports.
    #[serde(deserialize_with = "origins")]
    pub allowed_origins: Vec<String>,
    /// Networks of the proxies in front of the server, whose word about the client is taken.
    ///
    /// Default empty: nobody's. From an address in these networks `X-Forwarded-For` names the client (the last address
    /// in it that is no proxy itself), `X-Forwarded-Host` the host that it asked for, and with
    /// [`server.proxy_protocol`](super::ServerConfig::proxy_protocol) the PROXY header the connection. From all others
    /// they are ignored.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
}

/// A list of origins, or one.
fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    texts(deserializer, "an origin or a list of origins")
}

/// A list of networks, or one: `10.0.0.0/8`, or a single address.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let address = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().or_else(address);
        let network = network.ok_or_else(|| {
            de::Error::custom(format_args!(
                "`{text}` is no network: write \"10.0.0.0/8\", \"fd00::/8\" or an address"
            ))
        })?;
        // With bits behind the prefix it is more likely a slip than a wish.
        if network.trunc() == network {
            Ok(network)
        } else {
            Err(de::Error::custom(format_args!(
                "`{text}` has bits behind its prefix: is it {}?",
                network.trunc()
            )))
        }
    };
    texts(deserializer, "a network or a list of networks")?
        .into_iter()
        .map(network)
        .collect()
}

/// A list of texts; one stands for a list of one.
pub(super) fn texts<'de, D: Deserializer<'de>>(
    deserializer: D,
    expecting: &'static str,
) -> Result<Vec<String>, D::Error> {
    struct Visitor(&'static str);

    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Vec<String>;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(text) = seq.next_element()? {
                list.push(text);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(Visitor(expecting))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn read(line: &str) -> Result<Config, String> {
        Config::from_toml(&format!("[security]\n{line}")).map_err(|err| err.to_string())
    }

    #[test]
    fn networks_are_lists_or_texts_of_cidrs_and_addresses() {
        let several = read(r#"trusted_proxies = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]"#).unwrap();
        let written: Vec<_> = several
            .security
            .trusted_proxies
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(written, ["10.0.0.0/8", "fd00::/8", "192.0.2.7/32"]);
        let one = read(r#"trusted_proxies = "10.0.0.0/8""#).unwrap();
        assert_eq!(one.security.trusted_proxies.len(), 1);
        for (wrong, why) in [
            (r#""10.0.0.0/33""#, "`10.0.0.0/33` is no network"),
            (r#"["nginx"]"#, "`nginx` is no network"),
            (r#"["10.0.0.1/8"]"#, "is it 10.0.0.0/8?"),
            ("[1]", "invalid type"),
            ("true", "expected a network or a list of networks"),
        ] {
            let err = read(&format!("trusted_proxies = {wrong}")).unwrap_err();
            assert!(err.contains(why), "{err}");
        }
    }

    #[test]
    fn origins_are_lists_or_texts() {
        let one = read(r#"allowed_origins = "*""#).unwrap();
        assert_eq!(one.security.allowed_origins, ["*"]);
        let list = read(r#"allowed_origins = ["https://A.example", "file://"]"#).unwrap();
        assert_eq!(
            list.security.allowed_origins,
            ["https://a.example", "file://"]
        );
        let err = read(r#"allowed_origins = ["a.example/b"]"#).unwrap_err();
        assert!(
            err.contains("security.allowed_origins has `a.example/b`"),
            "{err}"
        );
    }
}
