//! Addresses of Redis as people write them, right and wrong.

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
        ("redis://h?protocol=2", "redis://h:6379?protocol=resp2"),
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
