//! What words, cookies and origins look like.

/// **Source**: `token` in RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// An origin in lower case, as browsers send it (RFC 6454, section 6.1), or a pattern for some. Programs that show local
/// pages, as Electron does, send `file://`.
/// The address of a program that is spoken to over HTTP.
pub(super) fn is_http_url(text: &str) -> bool {
    let Ok(url) = text.parse::<hyper::Uri>() else {
        return false;
    };
    let has_host = url
        .authority()
        .is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
    // `Uri` drops a fragment without a word.
    matches!(url.scheme_str(), Some("http" | "https")) && has_host && !text.contains('#')
}

/// An origin in lower case, as browsers send it (RFC 6454, section 6.1), or a pattern for some.
pub(super) fn is_origin(text: &str) -> bool {
    if matches!(text, "null" | "*" | "file://") {
        return true;
    }
    let Some((scheme, host, port)) = origin_parts(text) else {
        return false;
    };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    !scheme.is_empty()
        && scheme.bytes().all(is_scheme_byte)
        && !host.is_empty()
        && host.bytes().all(is_host_byte)
        && port.is_none_or(|port| port == "*" || port.parse::<u16>().is_ok())
}

/// Scheme, host and port of an origin.
pub(crate) fn origin_parts(text: &str) -> Option<(&str, &str, Option<&str>)> {
    let (scheme, authority) = text.split_once("://")?;
    // The last colon is the one before the port, unless it stands inside an IPv6 address.
    Some(match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (scheme, host, Some(port)),
        _ => (scheme, authority, None),
    })
}

/// A name for an event of ours: short, and not taken by the protocol.
///
/// Source: `RESERVED_EVENTS` in `packages/socket.io/lib/socket-types.ts`.
pub(super) fn is_free_event(name: &str) -> bool {
    const TAKEN: [&str; 6] = [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ];
    (1..=255).contains(&name.len()) && !TAKEN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_no_path_and_wildcards_only_where_they_are_safe() {
        for right in [
            "https://example.com",
            "http://localhost:3000",
            "http://[::1]:3000",
            "http://[::1]",
            "https://*.example.com",
            "https://*.example.com:*",
            "http://localhost:*",
            "chrome-extension://abcdef",
            "null",
            "file://",
            "*",
        ] {
            assert!(is_origin(right), "{right}");
        }
        for wrong in [
            "",
            "example.com",
            "https://",
            "https://example.com/",
            "https://example.com/a",
            "https://*",
            "https://*example.com",
            "https://a.*.com",
            "https://example.*",
            "https://example.com:99999",
            "https://a b",
            "://a",
        ] {
            assert!(!is_origin(wrong), "{wrong}");
        }
    }

    #[test]
    fn tokens_have_no_spaces_and_separators() {
        for right in ["io", "X-Requested-With", "a_b.c~d", "!#$%&'*+-.^_`|~"] {
            assert!(is_token(right), "{right}");
        }
        for wrong in ["", "a b", "a;b", "a=b", "a,b", "\"a\"", "ä", "a\r\nb"] {
            assert!(!is_token(wrong), "{wrong}");
        }
    }
}
