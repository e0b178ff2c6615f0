//! Who may connect, with what, and how fast.

use std::time::Duration;

use super::{Checked, SHORTEST, ensure, lasts, origins, within};
use crate::config::syntax::{is_free_event, is_http_url};
use crate::config::{
    Carrier, Config, JwtConfig, Rate, RatesConfig, SecurityConfig, ServerConfig, TlsConfig,
};

pub(super) fn all(config: &mut Config) -> Checked {
    tls(&config.tls, &config.server)?;
    security(&mut config.security, &config.server, &config.tls)?;
    jwt(&config.auth.jwt)?;
    rates(&config.rates)
}

fn tls(tls: &TlsConfig, server: &ServerConfig) -> Checked {
    let is_empty = |path: &std::path::Path| path.as_os_str().is_empty();
    ensure(
        is_empty(&tls.cert) || !is_empty(&tls.key),
        "tls.cert",
        "is given without tls.key; they belong together",
    )?;
    ensure(
        is_empty(&tls.key) || !is_empty(&tls.cert),
        "tls.key",
        "is given without tls.cert; they belong together",
    )?;
    ensure(
        !tls.is_on() || server.carrier == Carrier::Mounted,
        "tls.cert",
        "needs server.carrier = \"mounted\": the direct carrier reads the TCP connection itself",
    )
}

fn security(security: &mut SecurityConfig, server: &ServerConfig, tls: &TlsConfig) -> Checked {
    origins("security.allowed_origins", &mut security.allowed_origins)?;
    ensure(
        !server.proxy_protocol || !security.trusted_proxies.is_empty(),
        "server.proxy_protocol",
        "is true, but security.trusted_proxies is empty: it says from which addresses the PROXY header is believed",
    )?;
    ensure(
        !server.proxy_protocol || server.carrier == Carrier::Direct || tls.is_on(),
        "server.proxy_protocol",
        "needs server.carrier = \"direct\", or tls",
    )
}

fn jwt(jwt: &JwtConfig) -> Checked {
    let n_secret = jwt.secret.expose().len();
    let n_keys = [
        n_secret > 0,
        !jwt.public_key.as_os_str().is_empty(),
        !jwt.jwks.is_empty(),
    ]
    .into_iter()
    .filter(|is_given| *is_given)
    .count();
    ensure(
        jwt.namespaces.is_empty() || n_keys > 0,
        "auth.jwt.namespaces",
        "needs a key: one of auth.jwt.secret, public_key and jwks",
    )?;
    ensure(
        n_keys < 2,
        "auth.jwt",
        "has several of secret, public_key and jwks; it has one",
    )?;
    ensure(
        !jwt.jwks.contains("://") || is_http_url(&jwt.jwks),
        "auth.jwt.jwks",
        format!("is `{}`, which is no URL of http or https", jwt.jwks),
    )?;
    for name in &jwt.namespaces {
        let plain = name.strip_suffix('*').unwrap_or(name);
        ensure(
            name == "*" || (plain.starts_with('/') && !plain.contains('*')),
            "auth.jwt.namespaces",
            format!("has `{name}`; it is `/`, `/chat`, `/game-*` or `*`"),
        )?;
    }
    // Source: RFC 7518, section 3.2.
    ensure(
        n_secret == 0 || n_secret >= 32,
        "auth.jwt.secret",
        format!("has {n_secret} bytes; it has at least 32"),
    )?;
    ensure(
        !jwt.token.is_empty(),
        "auth.jwt.token",
        "is empty; it names a member of the payload",
    )?;
    ensure(
        is_free_event(&jwt.refresh_event),
        "auth.jwt.refresh_event",
        format!(
            "is {:?}; it is a name of at most 255 bytes that the protocol has not taken",
            jwt.refresh_event
        ),
    )?;
    lasts(
        "auth.jwt.jwks_refresh",
        jwt.jwks_refresh,
        Duration::from_secs(1),
    )?;
    lasts("auth.jwt.jwks_cooldown", jwt.jwks_cooldown, SHORTEST)?;
    lasts("auth.jwt.leeway", jwt.leeway, Duration::ZERO)?;
    lasts("auth.jwt.grace", jwt.grace, Duration::ZERO)
}

fn rates(rates: &RatesConfig) -> Checked {
    let named = rates
        .events
        .values()
        .map(|rate| ("rates.events", Some(*rate)));
    let all = [
        ("rates.session_events", rates.session_events),
        ("rates.session_bytes", rates.session_bytes),
        ("rates.address_handshakes", rates.address_handshakes),
        ("rates.address_events", rates.address_events),
    ];
    for (key, rate) in all.into_iter().chain(named) {
        if let Some(problem) = rate.and_then(Rate::problem) {
            ensure(false, key, problem)?;
        }
    }
    for (key, percent) in [
        ("rates.warn_over", Some(rates.warn_over)),
        ("rates.drop_over", rates.drop_over),
        ("rates.disconnect_over", rates.disconnect_over),
    ] {
        within(key, percent.unwrap_or_default(), 0..=10_000)?;
    }
    let event = &rates.notice_event;
    ensure(
        event.is_empty() || is_free_event(event),
        "rates.notice_event",
        format!("is {event:?}; it is a name of at most 255 bytes that the protocol has not taken"),
    )
}
