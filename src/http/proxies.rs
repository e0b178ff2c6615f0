//! Who a client is, if proxies that are believed stand in between.

use std::net::IpAddr;

use actix_web::http::header::X_FORWARDED_FOR;
use ipnet::IpNet;

use super::headers::Headers;

/// Whether the word of this peer is taken.
pub(crate) fn is_trusted(proxies: &[IpNet], peer: IpAddr) -> bool {
    // A listener on `::` sees clients of IPv4 as addresses of IPv6.
    let peer = peer.to_canonical();
    proxies.iter().any(|network| network.contains(&peer))
}

/// The address of the client: that of the peer, or the last in `X-Forwarded-For` that no believed proxy has.
///
/// Each proxy adds the address that it sees to the end, so what stands before the word of the last believed one is what
/// its client claims. `X-Real-IP` and `Forwarded` are not read: two sources could contradict each other.
pub(crate) fn client(proxies: &[IpNet], peer: IpAddr, headers: Headers<'_>) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(proxies, client) {
        return client;
    }
    let lines = headers.get_all(X_FORWARDED_FOR).rev();
    let words = lines.flat_map(|line| line.rsplit(|byte| *byte == b','));
    for word in words {
        // What is no address was not written by a proxy that can be followed further.
        let Some(address) = std::str::from_utf8(word).ok().and_then(address) else {
            break;
        };
        client = address.to_canonical();
        if !is_trusted(proxies, client) {
            break;
        }
    }
    client
}

/// An address, as some proxies write it with a port behind it: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn address(word: &str) -> Option<IpAddr> {
    let word = word.trim();
    let bare = word.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let plain = || word.parse().ok();
    let with_port = || {
        word.parse()
            .ok()
            .map(|socket: std::net::SocketAddr| socket.ip())
    };
    match bare {
        Some((inside, _)) => inside.parse().ok(),
        None => plain().or_else(with_port),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() {
        let proxies: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"]
            .map(|net| net.parse().unwrap())
            .into();
        for (peer, lines, expected) in [
            // Nobody believes a client.
            ("192.0.2.1", &["198.51.100.9"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            // What the client itself sent comes first.
            ("10.0.0.1", &["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["10.9.9.9, 192.0.2.1"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            ("10.0.0.1", &["192.0.2.1,10.0.0.2 , 10.0.0.3"], "192.0.2.1"),
            (
                "10.0.0.1",
                &["198.51.100.9", "192.0.2.1", "10.0.0.2"],
                "192.0.2.1",
            ),
            // Clients of our own network.
            ("10.0.0.1", &["10.0.0.7, 10.0.0.2"], "10.0.0.7"),
            ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
            // Junk ends the search, and is never skipped.
            ("10.0.0.1", &["192.0.2.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["192.0.2.1,"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            let name = HeaderName::from_static("x-forwarded-for");
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(name.clone(), HeaderValue::from_str(line).unwrap());
            }
            let client = client(&proxies, peer.parse().unwrap(), Headers::Map(&headers));
            assert_eq!(client.to_string(), expected, "{peer} {lines:?}");
        }
    }
}
