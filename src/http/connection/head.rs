//! The head of a request that we read ourselves.

use std::mem::MaybeUninit;
use std::ops::Range;

use actix_web::http::Method;
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::protocol::websocket::has_token;

/// As many lines as actix-http takes.
const MAX_LINES: usize = 96;

/// The head of a plain request, as almost all clients send it. Others have actix-http read theirs.
#[derive(Debug)]
pub(crate) struct Head {
    /// Up to the empty line, names of headers in lower case.
    bytes: Bytes,
    method: Method,
    target: Part,
    lines: SmallVec<[Line; 16]>,
    pub(super) content_length: usize,
    /// It wants to leave HTTP.
    pub(super) is_upgrade: bool,
    /// The client sends nothing after it.
    pub(super) is_last: bool,
}

/// Where something lies in a head.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: u16,
    end: u16,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    name: Part,
    value: Part,
}

impl Part {
    const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Head {
    /// Takes the head of a request from the front of `input`, if `is_ours` says so of its path, and of whether it wants to leave
    /// HTTP. `None`, and nothing is taken: it is not ours, not complete, or not plain.
    // Hot: once per request; one pass, and nothing is allocated.
    pub(crate) fn take(input: &mut BytesMut, is_ours: impl Fn(&str, bool) -> bool) -> Option<Self> {
        let (mut head, len) = Self::parse(input)?;
        let target = std::str::from_utf8(&input[head.target.range()]).ok()?;
        if !is_ours(path(target), head.is_upgrade) {
            return None;
        }
        for line in &head.lines {
            input[line.name.range()].make_ascii_lowercase();
        }
        head.bytes = input.split_to(len).freeze();
        Some(head)
    }

    fn parse(input: &[u8]) -> Option<(Self, usize)> {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(input, &mut lines).ok()?;
        let httparse::Status::Complete(len) = parsed else {
            return None;
        };
        // All parts lie in it then.
        u16::try_from(len).ok()?;
        let part = |part: &[u8]| {
            let start = part.as_ptr().addr() - input.as_ptr().addr();
            let at = |place| u16::try_from(place).unwrap_or(u16::MAX);
            Part {
                start: at(start),
                end: at(start + part.len()),
            }
        };
        let method = match request.method? {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "OPTIONS" => Method::OPTIONS,
            _ => return None,
        };
        let target = request.path.filter(|target| is_plain(target))?;
        if request.version != Some(1) {
            return None;
        }
        let mut head = Self {
            bytes: Bytes::new(),
            method,
            target: part(target.as_bytes()),
            lines: SmallVec::new(),
            content_length: 0,
            is_upgrade: false,
            is_last: false,
        };
        let mut has_length = false;
        for header in &*request.headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                if std::mem::replace(&mut has_length, true) {
                    return None;
                }
                head.content_length = length(header.value)?;
            } else if is("connection") {
                let has = |token| has_token([header.value], token);
                head.is_upgrade |= has("upgrade");
                head.is_last |= has("close");
            } else if is("transfer-encoding") || is("expect") {
                return None;
            }
            head.lines.push(Line {
                name: part(header.name.as_bytes()),
                value: part(header.value),
            });
        }
        let may_have_body = head.method == Method::POST && !head.is_upgrade;
        (may_have_body || head.content_length == 0).then_some((head, len))
    }

    /// Names and values, in their order.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = (&str, &[u8])> {
        self.lines.iter().map(|line| {
            let name = std::str::from_utf8(&self.bytes[line.name.range()]);
            // What was parsed is a token.
            (name.unwrap_or_default(), &self.bytes[line.value.range()])
        })
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        // What was parsed is ASCII.
        std::str::from_utf8(&self.bytes[self.target.range()]).unwrap_or_default()
    }

    pub(super) fn path(&self) -> &str {
        path(self.target())
    }

    /// The query string, without its question mark.
    pub(crate) fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    pub(crate) const fn method(&self) -> &Method {
        &self.method
    }
}

fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// Whether a target is a path, with a query or not, of which nothing has to be taken off.
fn is_plain(target: &str) -> bool {
    target.starts_with('/')
        && target
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// The value of `Content-Length`: digits alone.
fn length(value: &[u8]) -> Option<usize> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(value).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(input: &str) -> (Option<Head>, BytesMut) {
        let mut input = BytesMut::from(input);
        let head = Head::take(&mut input, |_, _| true);
        (head, input)
    }

    #[test]
    fn a_plain_head_is_taken_and_what_follows_stays() {
        let request =
            "POST /io/?a=b?c HTTP/1.1\r\nHost: x\r\nCONTENT-Length: 5\r\nX-Y:  z \r\n\r\nhello";
        let (head, rest) = take(request);
        let head = head.unwrap();
        assert_eq!(rest, "hello");
        assert_eq!(head.method(), Method::POST);
        assert_eq!(
            (head.target(), head.path(), head.query()),
            ("/io/?a=b?c", "/io/", "a=b?c")
        );
        assert_eq!(head.content_length, 5);
        assert!(!head.is_upgrade && !head.is_last);
        let lines: Vec<_> = head.lines().collect();
        let expected: [(_, &[u8]); 3] = [("host", b"x"), ("content-length", b"5"), ("x-y", b"z")];
        assert_eq!(lines, expected);
    }

    #[test]
    fn connection_says_what_follows() {
        for (value, is_upgrade, is_last) in [
            ("keep-alive", false, false),
            ("Close", false, true),
            ("keep-alive, Upgrade", true, false),
            ("upgraded", false, false),
        ] {
            let (head, _) = take(&format!("GET / HTTP/1.1\r\nConnection: {value}\r\n\r\n"));
            let head = head.unwrap();
            assert_eq!(
                (head.is_upgrade, head.is_last),
                (is_upgrade, is_last),
                "{value}"
            );
        }
    }

    #[test]
    fn others_are_left_as_they_are() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 16));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_LINES + 1));
        for request in [
            "",
            "GET / HTTP/1.1\r\nHost: x\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "HEAD / HTTP/1.1\r\n\r\n",
            "BREW / HTTP/1.1\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\n\r\n",
            "GET /#a HTTP/1.1\r\n\r\n",
            "GET /\u{e4} HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\na b: c\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\na",
            "GET / HTTP/1.1\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\na",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\na",
            "POST / HTTP/1.1\r\nContent-Length: \r\n\r\na",
            "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
            &long,
            &many,
        ] {
            let (head, rest) = take(request);
            assert!(head.is_none(), "{request}");
            assert_eq!(rest, request);
        }
        let mut input = BytesMut::from("GET /Theirs HTTP/1.1\r\nHost: x\r\n\r\n");
        let theirs = Head::take(&mut input, |path, is_upgrade| path == "/ours" || is_upgrade);
        assert!(theirs.is_none());
        assert_eq!(input, "GET /Theirs HTTP/1.1\r\nHost: x\r\n\r\n");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_sent_panics(input: Vec<u8>) {
            let mut input = BytesMut::from(&input[..]);
            let _ = Head::take(&mut input, |_, _| true);
        }

        #[test]
        fn nothing_like_a_request_panics(input in "(GET|POST) /[ -~]{0,9} HTTP/1.1\r\n([A-Za-z-]{0,9}[: ]{0,2}[ -~]{0,9}\r?\n){0,9}\r\n") {
            let mut bytes = BytesMut::from(&*input);
            if let Some(head) = Head::take(&mut bytes, |_, _| true) {
                proptest::prop_assert!(head.target().starts_with('/'));
                proptest::prop_assert!(head.lines().all(|(name, _)| !name.is_empty()));
            }
        }
    }
}
