//! The bodies of requests: plain JSON, of a size and within a time.

use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use super::problem::{Kind, Problem};

/// Reads a body.
pub(super) async fn read(
    headers: &HeaderMap,
    mut payload: Payload,
    most: usize,
    limit: Duration,
) -> Result<Bytes, Problem> {
    check_type(headers)?;
    let too_large = || {
        let detail = format!("a body has at most {most} bytes");
        Problem::new(Kind::TooLarge, detail).with("limit", most)
    };
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if length
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > most as u64)
    {
        return Err(too_large());
    }
    let complete = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|err| Problem::new(Kind::Malformed, err.to_string()))?;
            if body.len() + chunk.len() > most {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    match tokio::time::timeout(limit, complete).await {
        Ok(body) => body,
        Err(_) => {
            let detail = format!("a body has to come within {} ms", limit.as_millis());
            Err(Problem::new(Kind::Timeout, detail))
        }
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(Kind::UnsupportedMediaType, detail));
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        return refused("the header Content-Type has to be `application/json`");
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            refused("the body may not be compressed")
        }
        _ => Ok(()),
    }
}

/// What JSON says, as a value of this type.
pub(super) fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|err| {
        Problem::new(Kind::Malformed, err.to_string())
            .with("line", err.line())
            .with("column", err.column())
    })
}
