//! The header of the PROXY protocol, by which a proxy says whose connection it passes on.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, sections 2.1 and 2.2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// The longest header of version 2 behind its first 16 bytes: addresses, and what proxies add about TLS.
const LONGEST_TAIL: usize = 4096;

/// Why a connection does not begin with a header.
#[derive(Debug, Error)]
pub(crate) enum ProxyError {
    /// It begins with something else, or in a way that no version has.
    #[error("no PROXY header")]
    NoHeader,
    /// It is longer than any that is sent.
    #[error("the PROXY header has {0} bytes")]
    TooLong(usize),
    /// The connection ended or broke.
    #[error("the connection ended within the PROXY header")]
    Read(#[from] std::io::Error),
}

/// Reads the header and nothing behind it: the client's address, or `None` if the proxy speaks for itself (health checks)
/// or does not know.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, ProxyError> {
    // No header is shorter.
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    if start == *SIGNATURE {
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await?;
        let [version_and_command, family, high, low] = rest;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > LONGEST_TAIL {
            return Err(ProxyError::TooLong(16 + length));
        }
        let mut tail = vec![0; length];
        stream.read_exact(&mut tail).await?;
        return binary(version_and_command, family, &tail);
    }
    if !start.starts_with(b"PROXY ") {
        return Err(ProxyError::NoHeader);
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(ProxyError::TooLong(LONGEST_LINE + 1));
        }
        // One at a time: what follows is not ours. Once per connection, and of version 1 only.
        line.push(stream.read_u8().await?);
    }
    text(&line[..line.len() - 2])
}

/// Version 1: `PROXY TCP4 192.0.2.1 192.0.2.9 4711 443`.
fn text(line: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::NoHeader)?;
    let words: Vec<_> = line.split(' ').collect();
    let client: Option<(IpAddr, u16)> = match words[..] {
        ["PROXY", "UNKNOWN", ..] => return Ok(None),
        ["PROXY", "TCP4", from, to, port, to_port] => {
            let from = from.parse().ok().zip(to.parse::<Ipv4Addr>().ok());
            from.zip(ports(port, to_port))
                .map(|((from, _), port): ((Ipv4Addr, _), _)| (from.into(), port))
        }
        ["PROXY", "TCP6", from, to, port, to_port] => {
            let from = from.parse().ok().zip(to.parse::<Ipv6Addr>().ok());
            from.zip(ports(port, to_port))
                .map(|((from, _), port): ((Ipv6Addr, _), _)| (from.into(), port))
        }
        _ => None,
    };
    client
        .map(|client| Some(client.into()))
        .ok_or(ProxyError::NoHeader)
}

fn ports(from: &str, to: &str) -> Option<u16> {
    to.parse::<u16>().ok().and(from.parse().ok())
}

/// Version 2.
fn binary(
    version_and_command: u8,
    family: u8,
    tail: &[u8],
) -> Result<Option<SocketAddr>, ProxyError> {
    match version_and_command {
        // LOCAL: the proxy itself.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(ProxyError::NoHeader),
    }
    match (family, tail) {
        // TCP over IPv4: two addresses, two ports.
        (0x11, [a, b, c, d, _, _, _, _, high, low, _, _, ..]) => {
            let port = u16::from_be_bytes([*high, *low]);
            Ok(Some((Ipv4Addr::new(*a, *b, *c, *d), port).into()))
        }
        // TCP over IPv6.
        (0x21, tail) if tail.len() >= 36 => {
            let from: [u8; 16] = tail[..16].try_into().map_err(|_| ProxyError::NoHeader)?;
            let port = u16::from_be_bytes([tail[32], tail[33]]);
            Ok(Some((Ipv6Addr::from(from), port).into()))
        }
        (0x11 | 0x21, _) => Err(ProxyError::NoHeader),
        // Unspecified, datagrams, sockets of UNIX: no address that could be used.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    /// What is read, and how many bytes are left.
    fn read_all(mut bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyError>, usize) {
        let result = read(&mut bytes).now_or_never().expect("all is there");
        (result, bytes.len())
    }

    fn v2(version_and_command: u8, family: u8, tail: &[u8]) -> Vec<u8> {
        let length = u16::try_from(tail.len()).unwrap().to_be_bytes();
        [
            &SIGNATURE[..],
            &[version_and_command, family],
            &length,
            tail,
        ]
        .concat()
    }

    #[test]
    fn headers_of_both_versions_are_read_and_nothing_behind_them() {
        let four = [192, 0, 2, 1, 192, 0, 2, 9, 0x12, 0x67, 0x01, 0xbb];
        let mut six = [0; 36];
        six[..2].copy_from_slice(&[0x20, 0x01]);
        six[15] = 1;
        six[32..34].copy_from_slice(&[0x12, 0x67]);
        let with_more = [&four[..], b"\x04\0\x01x"].concat();
        for (header, expected) in [
            (
                b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 443\r\n".to_vec(),
                Some("192.0.2.1:4711"),
            ),
            (
                b"PROXY TCP6 2001::1 ::1 4711 443\r\n".to_vec(),
                Some("[2001::1]:4711"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (v2(0x21, 0x11, &four), Some("192.0.2.1:4711")),
            (v2(0x21, 0x11, &with_more), Some("192.0.2.1:4711")),
            (v2(0x21, 0x21, &six), Some("[2001::1]:4711")),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &four), None),
            (v2(0x21, 0x00, &[]), None),
            (v2(0x21, 0x31, &[0; 216]), None),
        ] {
            let (read, left) = read_all(&[&header[..], b"GET / HTTP/1.1"].concat());
            assert_eq!(
                read.unwrap().map(|client| client.to_string()).as_deref(),
                expected
            );
            assert_eq!(left, 14);
        }
    }

    #[test]
    fn what_is_no_header_is_an_error() {
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.9 4711\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 192.0.2.9 99999 443\r\n".to_vec(),
            b"PROXY TCP4 2001::1 ::1 4711 443\r\n".to_vec(),
            b"PROXY TCP4 a b c d\r\n".to_vec(),
            b"PROXY SCTP 192.0.2.1 192.0.2.9 4711 443\r\n".to_vec(),
            b"PROXY \xff\xff\xff\xff\xff\xff\xff\r\n".to_vec(),
            [&b"PROXY UNKNOWN "[..], &[b'a'; 200]].concat(),
            v2(0x11, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x11, &[0; 5000]),
            SIGNATURE.to_vec(),
            Vec::new(),
        ] {
            assert!(read_all(&bytes).0.is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(start in prop_oneof![Just(SIGNATURE.to_vec()), Just(b"PROXY TCP4 ".to_vec()), Just(Vec::new())], rest: Vec<u8>) {
            let _ = read_all(&[start, rest].concat());
        }
    }
}
