//! From a text to a [`RedisUrl`].

use std::{net::Ipv6Addr, path::PathBuf};

use percent_encoding::percent_decode_str;

use super::redis_url::{Credentials, Host, RedisUrl, RedisUrlError, Tls, Topology};

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
                url.is_resp3 = match value.as_str() {
                    "resp2" | "2" => false,
                    "resp3" | "3" => true,
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
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<RedisUrl>()
            .unwrap_or_else(|err| panic!("{text} {err}"))
            .to_string()
    }

    #[test]
    fn every_form_is_understood() {
        for (text, expected) in [
            ("localhost:6379", "redis://localhost:6379"),
            ("localhost", "redis://localhost:6379"),
            (" localhost \n", "redis://localhost:6379"),
            ("10.0.0.1:7/3", "redis://10.0.0.1:7/3"),
            ("[::1]:7", "redis://[::1]:7"),
            ("redis_1:7", "redis://redis_1:7"),
            (
                "localhost:7?protocol=resp3",
                "redis://localhost:7?protocol=resp3",
            ),
            ("redis://h", "redis://h:6379"),
            ("redis://h/", "redis://h:6379"),
            ("redis://h/0", "redis://h:6379"),
            ("redis://h/15/", "redis://h:6379/15"),
            ("redis://[fe80::1]", "redis://[fe80::1]:6379"),
            ("redis://:p@h", "redis://:***@h:6379"),
            ("redis://u:p@h:1/2", "redis://u:***@h:1/2"),
            ("redis://u:@h", "redis://u:***@h:6379"),
            (
                "redis://a%40b:p%2F%3F%23%40%3A@h",
                "redis://a%40b:***@h:6379",
            ),
            ("redis://:p@s:s@h", "redis://:***@h:6379"),
            ("redis://h?protocol=resp2", "redis://h:6379"),
            ("redis://h?protocol=3", "redis://h:6379?protocol=resp3"),
            ("redis://h?", "redis://h:6379"),
            ("valkey://h", "redis://h:6379"),
            ("valkeys://h", "rediss://h:6379"),
            ("rediss://h:1#insecure", "rediss://h:1?insecure=true"),
            ("rediss://h:1/?insecure=true", "rediss://h:1?insecure=true"),
            ("rediss://h:1?insecure=false", "rediss://h:1"),
            (
                "rediss://h?ca=/a%20b.pem&cert=/c&key=/k&protocol=resp3",
                "rediss://h:6379?protocol=resp3&ca=/a b.pem&cert=/c&key=/k",
            ),
            ("unix:///tmp/redis.sock", "unix:///tmp/redis.sock"),
            (
                "redis+unix:///a.sock?db=1&protocol=3",
                "unix:///a.sock?db=1&protocol=resp3",
            ),
            ("unix://u:p@/a.sock", "unix://u:***@/a.sock"),
            (
                "redis+cluster://a,b:1,[::1]:2",
                "redis+cluster://a:6379,b:1,[::1]:2",
            ),
            ("rediss+cluster://u:p@a/0", "rediss+cluster://u:***@a:6379"),
            ("valkey+cluster://a", "redis+cluster://a:6379"),
            (
                "redis+sentinel://a,b:1/mymaster",
                "redis+sentinel://a:26379,b:1/mymaster",
            ),
            (
                "REDISS+SENTINEL://u:p@a/my%20master/2?sentinel_password=x&sentinel_user=y",
                "rediss+sentinel://u:***@a:26379/my%20master/2?sentinel_user=y&sentinel_password=***",
            ),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        let url: RedisUrl = "redis+sentinel://a%3Ab:p%40%2F%25@h/s%2Ft?sentinel_password=%26+"
            .parse()
            .unwrap();
        let credentials = url.credentials().unwrap();
        assert_eq!(
            (credentials.user.as_str(), credentials.password.as_str()),
            ("a:b", "p@/%")
        );
        assert_eq!(url.sentinel_credentials().unwrap().password, "&+");
        assert!(matches!(url.topology(), Topology::Sentinel { service, .. } if service == "s/t"));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (text, part) in [
            ("", "is empty; an address of a Redis is such as"),
            (
                "http://h",
                "unknown scheme `http`; the schemes are redis, rediss",
            ),
            ("tcp://h:1", "unknown scheme `tcp`"),
            ("unix+cluster:///a", "unknown scheme"),
            ("rediss+unix:///a", "unknown scheme"),
            ("redis+what://h", "unknown scheme"),
            ("u:p@h", "no scheme; write `redis://user:password@host`"),
            ("/tmp/redis.sock", "write `unix:///path/to/redis.sock`"),
            (
                "unix://tmp/redis.sock",
                "write `unix:///path/to/redis.sock`",
            ),
            ("unix://", "no absolute path"),
            ("redis://", "has nothing for a host"),
            ("redis://:1", "has nothing for a host"),
            ("redis://a b", "has `a b` for a host"),
            (
                "redis://::1",
                "has `::1` for a host; it is a name, an IPv4 address, or an IPv6 address in brackets",
            ),
            ("redis://[::1", "has `[::1` for a host"),
            ("redis://[x]", "has `[x]` for a host"),
            ("redis://0.0.0.0", "host 0.0.0.0, which one can listen on"),
            ("redis://[::]", "host ::, which one can listen on"),
            (
                "redis://h:x",
                "wrong port `x`; a port is a number from 1 to 65535",
            ),
            ("redis://h:0", "wrong port `0`"),
            ("redis://h:65536", "wrong port `65536`"),
            ("redis://h:+1", "wrong port `+1`"),
            ("redis://h:", "wrong port"),
            ("redis://[::1]1", "wrong port `1`"),
            (
                "redis://a,b",
                "several hosts; they need the scheme redis+cluster or redis+sentinel",
            ),
            ("redis://h/x", "wrong database `x`; a database is a number"),
            ("redis://h/-1", "wrong database `-1`"),
            ("redis://h/1/2", "wrong database"),
            ("unix:///a?db=x", "wrong database `x`"),
            ("redis+cluster://h/1", "a Redis Cluster has none"),
            ("redis+cluster://a,,b", "has nothing for a host"),
            (
                "redis+sentinel://h",
                "write `redis+sentinel://host1,host2/mymaster`",
            ),
            (
                "redis+sentinel://h//1",
                "write `redis+sentinel://host1,host2/mymaster`",
            ),
            ("redis+sentinel://h/m/x", "wrong database"),
            (
                "redis://h?resp=3",
                "unknown option `resp`; the options are protocol",
            ),
            (
                "redis://h?protocol=4",
                "wrong value for the option `protocol`; it is `resp2` or `resp3`",
            ),
            ("redis://h?protocol=2&protocol=3", "option `protocol` twice"),
            (
                "redis://h?ca=/a",
                "`ca`, which is only for TLS, with the scheme rediss",
            ),
            ("redis://h#insecure", "`insecure`, which is only for TLS"),
            ("rediss://h#secure", "only `#insecure` may stand there"),
            ("rediss://h?insecure=yes", "`true` or `false`"),
            ("rediss://h?ca=", "the path of a PEM file"),
            ("rediss://h?cert=/a", "the option `cert` without `key`"),
            ("rediss://h?key=/a", "the option `key` without `cert`"),
            ("redis://h?db=1", "the database is the end of the path"),
            ("redis://h?sentinel_user=a", "only for Sentinel"),
            (
                "redis+sentinel://h/m?sentinel_user=a",
                "the option `sentinel_user` without `sentinel_password`",
            ),
            ("redis://u@h", "write `:password@` for a password alone"),
            ("redis://u:p%4@h", "wrong escape in its password"),
            ("redis://u%zz:p@h", "wrong escape in its user"),
            ("redis://u:%ff@h", "wrong escape in its password"),
            ("redis://u:p/q@h", "`/` is written %2F"),
            ("redis://u:p?q@h", "`?` %3F"),
            ("redis://u:p#q@h", "`#` %23"),
        ] {
            let message = text.parse::<RedisUrl>().expect_err(text).to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn no_error_and_no_debug_text_shows_a_password() {
        // The password, whole and in pieces, wherever it may end up in what could not be understood.
        let passwords = [
            "hunter2", "hun/ter2", "hun?ter2", "hun#ter2", "hun%ter2", "hun ter2", "hun:ter2",
            "hun@ter2", "hun,ter2",
        ];
        let forms = [
            "redis://:{}@h",
            "redis://{}@h",
            "redis://{}:x@h",
            "redis://u:{}@h:x",
            "redis://u:{}@",
            "redis://u:{}@h/x",
            "redis://u:{}@a,b",
            "redis://u:{}@h?x=y",
            "redis://u:{}@0.0.0.0",
            "redis://u:{}@h#x",
            "http://u:{}@h",
            "u:{}@h:1",
            ":{}@h",
            "rediss://u:{}@h?insecure=maybe",
            "unix://u:{}@h",
            "unix://u:{}@/a?db=x",
            "redis+cluster://u:{}@h/1",
            "redis+sentinel://u:{}@h",
            "redis+sentinel://u:x@h/m?sentinel_password={}",
            "redis+sentinel://h?sentinel_password={}",
            "redis+sentinel://h/m/x?sentinel_password={}",
            "redis+sentinel://h/m?password={}",
            "redis://h?password={}",
            "redis://h:x?password={}",
            "{}@",
            "redis://u:{}@@h x",
        ];
        for password in passwords {
            for form in forms {
                let text = form.replace("{}", password);
                let shown = match text.parse::<RedisUrl>() {
                    // A user is shown, if that is what the text says.
                    Ok(_) if form.contains("{}:x@") => continue,
                    Ok(_) if form == "redis://{}@h" && password.contains(':') => continue,
                    Ok(url) => format!("{url} {url:?} {url:#?}"),
                    Err(err) => format!("{err} {err:?}"),
                };
                for piece in ["hun", "ter2"] {
                    assert!(!shown.contains(piece), "{text}: {shown}");
                }
            }
        }
    }
}
