//! How a receiver knows who has sent a request.
//!
//! `Greenroom-Signature: t=<seconds since 1970>,v1=<hex of HMAC-SHA256(secret, "<t>.<body>")>`. The time is part of what is
//! signed, so that a request that somebody has recorded cannot be sent again much later.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The value of the header.
pub(super) fn signature(secret: &[u8], seconds: u64, body: &[u8]) -> String {
    // HMAC takes keys of any length (RFC 2104, section 2).
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length is one");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={seconds},v1={}", hex(&mac.finalize().into_bytes()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_others_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 's3cret'
        let expected =
            "t=1700000000,v1=1698a50bc74d1ff1db85c4e0a5297c2ad9fdba245d5737cdb789e4cc6e098940";
        assert_eq!(signature(b"s3cret", 1_700_000_000, br#"{"a":1}"#), expected);
    }

    #[test]
    fn time_body_and_secret_make_it() {
        let one = signature(b"a", 1, b"x");
        for other in [
            signature(b"b", 1, b"x"),
            signature(b"a", 2, b"x"),
            signature(b"a", 1, b"y"),
        ] {
            assert_ne!(one, other);
        }
    }
}
