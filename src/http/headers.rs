//! The headers of a request, whoever has read it.

use std::borrow::Cow;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::connection::Head;

/// The headers of a request. Names are in lower case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Headers<'a> {
    /// Of a request that actix-http has read.
    Map(&'a HeaderMap),
    /// Of one that we have read ourselves.
    Lines(&'a Head),
}

impl<'a> Headers<'a> {
    /// The first value of that name.
    pub(crate) fn get(self, name: HeaderName) -> Option<&'a [u8]> {
        self.get_all(name).next()
    }

    /// The first value of that name, if it is text.
    pub(crate) fn text(self, name: HeaderName) -> Option<&'a str> {
        self.get(name).and_then(text)
    }

    /// All values of that name, in their order.
    // Hot: once or twice per poll. The lines of a request are few; comparing names is cheaper than hashing them all first.
    pub(crate) fn get_all(
        self,
        name: HeaderName,
    ) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a> {
        let (map, head) = self.either();
        let of_map = map.map(|map| map.get_all(&name).map(HeaderValue::as_bytes));
        let of_head = head.map(|head| {
            head.lines()
                .filter_map(move |(known, value)| (known == name.as_str()).then_some(value))
        });
        of_map
            .into_iter()
            .flatten()
            .chain(of_head.into_iter().flatten())
    }

    /// As [`Headers::get_all`], those that are text.
    pub(crate) fn texts(
        self,
        name: HeaderName,
    ) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
        self.get_all(name).filter_map(text)
    }

    /// All of them, those of one name one after the other or not.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let (map, head) = self.either();
        let of_map = map.map(|map| {
            map.iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
        });
        let of_head = head.map(Head::lines);
        of_map
            .into_iter()
            .flatten()
            .chain(of_head.into_iter().flatten())
    }

    const fn either(self) -> (Option<&'a HeaderMap>, Option<&'a Head>) {
        match self {
            Self::Map(map) => (Some(map), None),
            Self::Lines(head) => (None, Some(head)),
        }
    }

    /// As a program sees them.
    pub(crate) fn to_map(self) -> Cow<'a, HeaderMap> {
        match self {
            Self::Map(map) => Cow::Borrowed(map),
            Self::Lines(head) => {
                let pair = |(name, value): (&str, &[u8])| {
                    Some((name.parse().ok()?, HeaderValue::from_bytes(value).ok()?))
                };
                let mut map = HeaderMap::new();
                for (name, value) in head.lines().filter_map(pair) {
                    let name: HeaderName = name;
                    map.append(name, value);
                }
                Cow::Owned(map)
            }
        }
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{ACCEPT, COOKIE, HOST};
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn they_say_the_same_whoever_has_read_them() {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nACCEPT: b\r\nx-Odd: \u{e4}\r\nAccept: c, d\r\nCookie: \r\n\r\n";
        let head = Head::take(&mut BytesMut::from(request), |_, _| true).unwrap();
        let lines = Headers::Lines(&head);
        let copy = lines.to_map().into_owned();
        let map = Headers::Map(&copy);
        for headers in [lines, map] {
            assert_eq!(headers.get(HOST), Some(&b"a"[..]));
            assert_eq!(
                headers.get_all(ACCEPT).collect::<Vec<_>>(),
                [&b"b"[..], b"c, d"]
            );
            let rev: Vec<_> = headers.texts(ACCEPT).rev().collect();
            assert_eq!(rev, ["c, d", "b"]);
            assert_eq!(headers.text(COOKIE), Some(""));
            assert_eq!(
                headers.text(HeaderName::from_static("x-odd")),
                Some("\u{e4}")
            );
            assert_eq!(headers.get(HeaderName::from_static("x-none")), None);
        }
        let mut all = [lines, map].map(|headers| headers.iter().collect::<Vec<_>>());
        all.iter_mut().for_each(|all| all.sort_unstable());
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0].len(), 5);
    }
}
