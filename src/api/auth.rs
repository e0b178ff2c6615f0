//! Who may come in: those that have one of the keys.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use subtle::{Choice, ConstantTimeEq};

use super::problem::{Kind, Problem};
use crate::config::ApiKey;

/// The header of those that cannot set `Authorization`.
const API_KEY: &str = "x-api-key";

/// Lets in who has one of `keys`.
pub(super) fn authorize(keys: &[ApiKey], headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(Kind::Unauthorized, detail));
    let given = match headers.get(AUTHORIZATION) {
        Some(value) => match bearer(value.as_bytes()) {
            Some(key) => Some(key),
            None => return refused("the header Authorization is not of the form `Bearer <key>`"),
        },
        None => headers.get(API_KEY).map(|value| value.as_bytes()),
    };
    let Some(given) = given else {
        return refused("a key has to come as `Authorization: Bearer <key>` or `X-API-Key: <key>`");
    };
    match is_one_of(keys, given) {
        true => Ok(()),
        false => refused("the key is not known"),
    }
}

/// The key after the scheme, which is in any case (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then_some(key.trim_ascii())
}

/// Compares with all of them, so that the time tells neither which it is nor how much of it is right.
fn is_one_of(keys: &[ApiKey], given: &[u8]) -> bool {
    let matches = keys
        .iter()
        .map(|key| key.expose().as_bytes().ct_eq(given))
        .fold(Choice::from(0), |any, one| any | one);
    matches.into()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn who_has_a_key_comes_in() {
        let keys = ["0123456789abcdef", "fedcba9876543210"].map(ApiKey::new);
        for (name, value, is_in) in [
            ("authorization", "Bearer 0123456789abcdef", true),
            ("authorization", "bearer  fedcba9876543210", true),
            ("x-api-key", "fedcba9876543210", true),
            ("authorization", "Bearer 0123456789abcdeF", false),
            ("authorization", "Bearer 0123456789abcde", false),
            ("authorization", "Bearer 0123456789abcdef0", false),
            ("authorization", "Bearer ", false),
            ("authorization", "Bearer", false),
            ("authorization", "Basic 0123456789abcdef", false),
            ("authorization", "0123456789abcdef", false),
            ("x-api-key", "Bearer 0123456789abcdef", false),
            ("x-api-key", "", false),
            ("api-key", "0123456789abcdef", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            assert_eq!(authorize(&keys, &headers).is_ok(), is_in, "{name}: {value}");
            assert!(authorize(&[], &headers).is_err(), "without keys nobody");
        }
    }
}
