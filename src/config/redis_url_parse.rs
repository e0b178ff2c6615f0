//! From a text to a [`RedisUrl`].

use std::{net::Ipv6Addr, path::PathBuf};

use percent_encoding::percent_decode_str;

use super::redis_url::{Credentials, Host, RedisUrl, RedisUrlError, RespVersion, Tls, Topology};

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Where the servers are, by scheme.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Single,
    Unix,
    Cluster,
    Sentinel,
}

pub(super) fn parse(text: &str) -> Result<RedisUrl, RedisUrlError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(RedisUrlError::Empty);
    }
    // An error quotes a part of the text only if no part of it can be a password.
    let quote = |part: &str| {
        let is_safe = !text.contains('@') && !text.contains("password");
        is_safe.then(|| format!("`{part}`"))
    };
    let quoted = |part: &str| quote(part).map_or_else(String::new, |part| format!(" {part}"));
    let (kind, is_tls, rest) = match text.split_once("://") {
        Some((scheme, rest)) => {
            let (kind, is_tls) = scheme_of(scheme).ok_or_else(|| RedisUrlError::Scheme {
                found: quoted(scheme),
            })?;
            (kind, is_tls, rest)
        }
        None if text.contains('@') => return Err(RedisUrlError::NoScheme),
        None if text.starts_with('/') => return Err(RedisUrlError::Path),
        None => (Kind::Single, false, text),
    };
    let (rest, fragment) = rest.split_once('#').map_or((rest, None), split_some);
    let (rest, query) = rest.split_once('?').map_or((rest, None), split_some);
    let (authority, path) = rest.split_once('/').map_or((rest, None), split_some);
    let (userinfo, hosts) = match authority.rsplit_once('@') {
        Some((userinfo, hosts)) => (Some(userinfo), hosts),
        None => (None, authority),
    };
    if [path, query, fragment]
        .into_iter()
        .flatten()
        .any(|part| part.contains('@'))
    {
        return Err(RedisUrlError::Unescaped);
    }
    let mut url = RedisUrl::new(match kind {
        Kind::Unix => {
            let path = path.filter(|path| hosts.is_empty() && !path.is_empty());
            let path = decoded("path", path.ok_or(RedisUrlError::Path)?)?;
            Topology::Unix(PathBuf::from(format!("/{path}")))
        }
        Kind::Single => match host_list(hosts, REDIS_PORT, &quote)?.as_slice() {
            [host] => Topology::Single(host.clone()),
            _ => return Err(RedisUrlError::SeveralHosts),
        },
        Kind::Cluster => Topology::Cluster(host_list(hosts, REDIS_PORT, &quote)?),
        Kind::Sentinel => {
            let (service, _) = service_of(path);
            if service.is_empty() {
                return Err(RedisUrlError::Service);
            }
            Topology::Sentinel {
                sentinels: host_list(hosts, SENTINEL_PORT, &quote)?,
                service: decoded("service", service)?,
            }
        }
    });
    url.credentials = userinfo.map(credentials_of).transpose()?;
    url.tls = is_tls.then(Tls::default);
    let database = match kind {
        Kind::Unix => "",
        Kind::Single | Kind::Cluster => path.unwrap_or_default().trim_end_matches('/'),
        Kind::Sentinel => service_of(path).1,
    };
    url.database = database_of(database, &quoted)?;
    options(&mut url, query.unwrap_or_default(), &quoted)?;
    match (fragment, &mut url.tls) {
        (None | Some(""), _) => {}
        (Some("insecure"), Some(tls)) => tls.is_insecure = true,
        (Some("insecure"), None) => return Err(tls_only("insecure")),
        (Some(_), _) => return Err(RedisUrlError::Fragment),
    }
    if kind == Kind::Cluster && url.database != 0 {
        return Err(RedisUrlError::ClusterDatabase);
    }
    Ok(url)
}

fn split_some<'a>((before, after): (&'a str, &'a str)) -> (&'a str, Option<&'a str>) {
    (before, Some(after))
}

/// Kind of topology, and whether through TLS.
fn scheme_of(scheme: &str) -> Option<(Kind, bool)> {
    let scheme = scheme.to_ascii_lowercase();
    let (base, kind) = match scheme.split_once('+') {
        None => (scheme.as_str(), None),
        Some((base, kind)) => (base, Some(kind)),
    };
    let is_tls = match base {
        "unix" if kind.is_none() => return Some((Kind::Unix, false)),
        "redis" | "valkey" => false,
        "rediss" | "valkeys" => true,
        _ => return None,
    };
    match kind {
        None => Some((Kind::Single, is_tls)),
        Some("cluster") => Some((Kind::Cluster, is_tls)),
        Some("sentinel") => Some((Kind::Sentinel, is_tls)),
        Some("unix") if !is_tls => Some((Kind::Unix, false)),
        Some(_) => None,
    }
}

fn host_list(
    text: &str,
    default_port: u16,
    quote: &impl Fn(&str) -> Option<String>,
) -> Result<Vec<Host>, RedisUrlError> {
    text.split(',')
        .map(|host| host_of(host, default_port, quote))
        .collect()
}

/// A host with or without a port.
fn host_of(
    text: &str,
    default_port: u16,
    quote: &impl Fn(&str) -> Option<String>,
) -> Result<Host, RedisUrlError> {
    let wrong_host = |found: &str| RedisUrlError::Host {
        found: match found {
            "" => "nothing".to_owned(),
            _ => quote(found).unwrap_or_else(|| "something else".to_owned()),
        },
    };
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']').ok_or_else(|| wrong_host(text))?;
            name.parse::<Ipv6Addr>().map_err(|_| wrong_host(text))?;
            (name, port)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let name = &text[..end];
            // An IPv6 address without brackets would otherwise be a host with a strange port.
            let is_ipv6 = text.parse::<Ipv6Addr>().is_ok();
            if is_ipv6 || !is_host_name(name) {
                let is_missing = name.is_empty() && !is_ipv6;
                return Err(wrong_host(if is_missing { "" } else { text }));
            }
            (name, &text[end..])
        }
    };
    for wildcard in ["0.0.0.0", "::"] {
        if name == wildcard {
            return Err(RedisUrlError::Wildcard { found: wildcard });
        }
    }
    let wrong_port = || RedisUrlError::Port {
        found: quote(port.trim_start_matches(':')).map_or_else(String::new, |it| format!(" {it}")),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default_port,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| wrong_port())?
        }
        _ => return Err(wrong_port()),
    };
    if port == 0 {
        return Err(wrong_port());
    }
    Ok(Host {
        name: name.to_owned(),
        port,
    })
}

/// A host of the settings, which has a key of its own for the port.
pub(super) fn host_alone(name: &str, port: u16) -> Result<Host, RedisUrlError> {
    let port = if port == 0 { REDIS_PORT } else { port };
    let quote = |part: &str| (!part.contains('@')).then(|| format!("`{part}`"));
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<Ipv6Addr>().is_ok() {
        return host_of(&format!("[{bare}]"), port, &quote);
    }
    if name.contains(':') {
        return Err(RedisUrlError::Host {
            found: quote(name).unwrap_or_else(|| "something else".to_owned()),
        });
    }
    host_of(name, port, &quote)
}

fn is_host_name(name: &str) -> bool {
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !name.is_empty() && name.bytes().all(is_host_byte)
}

/// Service and database of a path.
fn service_of(path: Option<&str>) -> (&str, &str) {
    let path = path.unwrap_or_default().trim_end_matches('/');
    path.split_once('/').unwrap_or((path, ""))
}

fn credentials_of(userinfo: &str) -> Result<Credentials, RedisUrlError> {
    let (user, password) = userinfo.split_once(':').ok_or(RedisUrlError::UserAlone)?;
    Ok(Credentials {
        user: decoded("user", user)?,
        password: decoded("password", password)?,
    })
}

fn database_of(text: &str, quoted: &impl Fn(&str) -> String) -> Result<u32, RedisUrlError> {
    if text.is_empty() {
        return Ok(0);
    }
    // `parse` would take a sign.
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = || RedisUrlError::Database {
        found: quoted(text),
    };
    let number = text.parse().ok().filter(|_| is_number);
    number.ok_or_else(wrong)
}

fn decoded(part: &'static str, text: &str) -> Result<String, RedisUrlError> {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('%') {
        if !is_hex(bytes.get(at + 1)) || !is_hex(bytes.get(at + 2)) {
            return Err(RedisUrlError::Escape { part });
        }
    }
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded
        .map_err(|_| RedisUrlError::Escape { part })?
        .into_owned())
}

fn tls_only(name: &'static str) -> RedisUrlError {
    RedisUrlError::Misplaced {
        name,
        place: "TLS, with the scheme rediss",
    }
}

const OPTIONS: &[&str] = &[
    "protocol",
    "ca",
    "cert",
    "key",
    "insecure",
    "db",
    "sentinel_user",
    "sentinel_password",
];

fn options(
    url: &mut RedisUrl,
    query: &str,
    quoted: &impl Fn(&str) -> String,
) -> Result<(), RedisUrlError> {
    let mut seen: Vec<(&'static str, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = OPTIONS.iter().copied().find(|known| *known == name);
        let name = known.ok_or_else(|| RedisUrlError::Option {
            found: quoted(name),
        })?;
        if seen.iter().any(|(other, _)| *other == name) {
            return Err(RedisUrlError::Twice { name });
        }
        seen.push((name, decoded(name, value)?));
    }
    let is_sentinel = matches!(url.topology, Topology::Sentinel { .. });
    let mut sentinel = (None, None);
    let mut identity = (None, None);
    for (name, value) in seen {
        match name {
            "protocol" => {
                url.protocol = match value.as_str() {
                    "resp2" | "2" => Some(RespVersion::Resp2),
                    "resp3" | "3" => Some(RespVersion::Resp3),
                    _ => {
                        return Err(RedisUrlError::Value {
                            name,
                            expected: "`resp2` or `resp3`",
                        });
                    }
                }
            }
            "db" => {
                if !matches!(url.topology, Topology::Unix(_)) {
                    return Err(RedisUrlError::Misplaced {
                        name,
                        place: "unix sockets; elsewhere the database is the end of the path",
                    });
                }
                url.database = database_of(&value, quoted)?;
            }
            "sentinel_user" | "sentinel_password" if !is_sentinel => {
                return Err(RedisUrlError::Misplaced {
                    name,
                    place: "Sentinel, with the scheme redis+sentinel",
                });
            }
            "sentinel_user" => sentinel.0 = Some(value),
            "sentinel_password" => sentinel.1 = Some(value),
            _ => {
                let tls = url.tls.as_mut().ok_or_else(|| tls_only(name))?;
                match (name, value.as_str()) {
                    ("insecure", "true" | "") => tls.is_insecure = true,
                    ("insecure", "false") => tls.is_insecure = false,
                    ("insecure", _) => {
                        return Err(RedisUrlError::Value {
                            name,
                            expected: "`true` or `false`",
                        });
                    }
                    (_, "") => {
                        return Err(RedisUrlError::Value {
                            name,
                            expected: "the path of a PEM file",
                        });
                    }
                    ("ca", _) => tls.ca = Some(value.into()),
                    ("cert", _) => identity.0 = Some(PathBuf::from(value)),
                    _ => identity.1 = Some(PathBuf::from(value)),
                }
            }
        }
    }
    if let Some(tls) = &mut url.tls {
        tls.identity = match identity {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(RedisUrlError::Incomplete {
                    name: "cert",
                    other: "key",
                });
            }
            (None, Some(_)) => {
                return Err(RedisUrlError::Incomplete {
                    name: "key",
                    other: "cert",
                });
            }
        };
    }
    url.sentinel_credentials = match sentinel {
        (user, Some(password)) => Some(Credentials {
            user: user.unwrap_or_default(),
            password,
        }),
        (Some(_), None) => {
            return Err(RedisUrlError::Incomplete {
                name: "sentinel_user",
                other: "sentinel_password",
            });
        }
        (None, None) => None,
    };
    Ok(())
}

#[cfg(test)]
mod tests;
