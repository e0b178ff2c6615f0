//! Compression of response bodies: which encoding a client wants, and the encoding itself.

use std::{cmp::Ordering, io::Write as _};

use actix_web::http::header::ACCEPT_ENCODING;
use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};

use super::headers::Headers;

/// A content encoding that we can produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// RFC 1952.
    Gzip,
    /// The zlib format of RFC 1950, which is what HTTP means by `deflate`.
    Deflate,
}

impl Encoding {
    /// In the order in which we offer them: the first wins when a client likes both alike.
    const OFFERED: [Self; 2] = [Self::Gzip, Self::Deflate];

    /// The value of `Content-Encoding`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// The encoding that a request wants its response in, if it wants one of ours.
    pub(crate) fn accepted(request: Headers<'_>) -> Option<Self> {
        let mut values = request.texts(ACCEPT_ENCODING);
        let first = values.next()?;
        match values.next() {
            None => Self::negotiate(first),
            // Several headers of one name are one list (RFC 9110, section 5.3).
            Some(second) => {
                let list: Vec<_> = [first, second].into_iter().chain(values).collect();
                Self::negotiate(&list.join(","))
            }
        }
    }

    /// The encoding that a value of `Accept-Encoding` prefers, if it accepts one of ours.
    ///
    /// As in the reference, an encoding that is accepted at all goes before `identity`, whatever their weights.
    /// **Source**: RFC 9110, section 12.5.3; `accepts(req).encodings(["gzip", "deflate"])` in
    /// `engine.io/lib/transports/polling.ts`.
    fn negotiate(accept: &str) -> Option<Self> {
        let mut best: Option<(Self, Wish)> = None;
        for offered in Self::OFFERED {
            let Some(wish) = wish_for(offered, accept).filter(|wish| wish.weight > 0.0) else {
                continue;
            };
            if best.is_none_or(|(_, leader)| wish.is_preferred_to(leader)) {
                best = Some((offered, wish));
            }
        }
        best.map(|(encoding, _)| encoding)
    }

    /// Compresses a body with an effort of 0 (none) to 9.
    pub(crate) fn compress(self, body: &[u8], level: u32) -> Bytes {
        const NEVER_FAILS: &str = "writing to a vector does not fail";
        let level = Compression::new(level.min(9));
        // Text, which is what is compressed, shrinks to less than half.
        let out = Vec::with_capacity(body.len() / 2 + 64);
        let compressed = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, level);
                encoder.write_all(body).expect(NEVER_FAILS);
                encoder.finish().expect(NEVER_FAILS)
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, level);
                encoder.write_all(body).expect(NEVER_FAILS);
                encoder.finish().expect(NEVER_FAILS)
            }
        };
        compressed.into()
    }
}

/// What a client says about one encoding.
#[derive(Clone, Copy, Debug)]
struct Wish {
    /// Its `q`, from 0 (never) to 1; not a number when it is not written as one.
    weight: f64,
    /// Whether it is named, not only meant by `*`.
    is_named: bool,
    /// Its place in the header.
    place: usize,
}

impl Wish {
    fn is_preferred_to(self, other: Self) -> bool {
        let by_weight = self
            .weight
            .partial_cmp(&other.weight)
            .unwrap_or(Ordering::Equal);
        by_weight
            .then(self.is_named.cmp(&other.is_named))
            .then(other.place.cmp(&self.place))
            .is_gt()
    }
}

/// What an `Accept-Encoding` says about an encoding: its own name counts more than `*`, then the higher weight.
fn wish_for(encoding: Encoding, accept: &str) -> Option<Wish> {
    let mut best: Option<Wish> = None;
    for (place, spec) in accept.split(',').enumerate() {
        let (name, params) = spec.split_once(';').unwrap_or((spec, ""));
        let name = name.trim();
        let is_named = name.eq_ignore_ascii_case(encoding.name());
        if !is_named && name != "*" {
            continue;
        }
        let wish = Wish {
            weight: weight(params),
            is_named,
            place,
        };
        let is_better = best.is_none_or(|best| {
            let by_weight = wish
                .weight
                .partial_cmp(&best.weight)
                .unwrap_or(Ordering::Equal);
            is_named.cmp(&best.is_named).then(by_weight).is_ge()
        });
        if is_better {
            best = Some(wish);
        }
    }
    best
}

/// The `q` among the parameters of an encoding.
fn weight(params: &str) -> f64 {
    let mut pairs = params
        .split(';')
        .map(|param| param.trim().split_once('=').unwrap_or((param.trim(), "")));
    pairs
        .find(|(name, _)| *name == "q")
        .map_or(1.0, |(_, value)| leading_number(value))
}

/// The number that a text begins with, or not a number, as JavaScript's `parseFloat` reads it.
fn leading_number(text: &str) -> f64 {
    // A weight has five characters (RFC 9110, section 12.4.2); a longer text is not worth more attempts.
    let text = text.trim_start();
    let is_number_byte = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let n_bytes = text.bytes().take(16).take_while(is_number_byte).count();
    (1..=n_bytes)
        .rev()
        .find_map(|end| text[..end].parse().ok())
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use actix_web::http::header::{HeaderMap, HeaderValue};
    use flate2::read::{GzDecoder, ZlibDecoder};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn encodings_are_chosen_as_in_the_reference() {
        let golden = include_str!("../../tests/golden/accept-encoding.jsonl");
        for line in golden.lines() {
            let (header, chosen): (String, Value) = serde_json::from_str(line).unwrap();
            assert_eq!(
                Encoding::negotiate(&header).map(Encoding::name),
                chosen.as_str(),
                "{header}"
            );
        }
        assert!(golden.lines().count() > 400);
    }

    #[test]
    fn a_request_without_the_header_wants_none() {
        assert_eq!(Encoding::accepted(Headers::Map(&HeaderMap::new())), None);
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut request = HeaderMap::new();
        request.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip;q=0.1"));
        request.append(ACCEPT_ENCODING, HeaderValue::from_static("deflate"));
        assert_eq!(
            Encoding::accepted(Headers::Map(&request)),
            Some(Encoding::Deflate)
        );
    }

    #[test]
    fn deflate_means_the_zlib_format() {
        assert_eq!(Encoding::Deflate.compress(b"greenroom", 6)[0], 0x78);
        assert_eq!(Encoding::Gzip.compress(b"greenroom", 6)[..2], [0x1f, 0x8b]);
    }

    #[test]
    fn text_becomes_smaller() {
        let body = "the same words again and again, ".repeat(64);
        for encoding in Encoding::OFFERED {
            assert!(encoding.compress(body.as_bytes(), 6).len() < body.len() / 10);
        }
    }

    fn decoded(encoding: Encoding, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match encoding {
            Encoding::Gzip => GzDecoder::new(body).read_to_end(&mut out).unwrap(),
            Encoding::Deflate => ZlibDecoder::new(body).read_to_end(&mut out).unwrap(),
        };
        out
    }

    proptest! {
        #[test]
        fn what_is_compressed_can_be_read_again(body in prop::collection::vec(any::<u8>(), 0..5000), level in 0..12_u32) {
            for encoding in Encoding::OFFERED {
                prop_assert_eq!(&decoded(encoding, &encoding.compress(&body, level)), &body);
            }
        }

        #[test]
        fn no_header_is_too_strange(header in ".{0,200}") {
            let _ = Encoding::negotiate(&header);
        }
    }
}
