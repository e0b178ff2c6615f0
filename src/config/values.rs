//! How durations and sizes are written in the file.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error};

/// A duration with its unit, such as `"25s"`, `"300ms"`, `"2m"` or `"1h 30m"`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer).map_err(|_| {
        D::Error::custom("a duration is a text with its unit, such as \"25s\" or \"300ms\"")
    })?;
    let parsed = text.parse::<SignedDuration>().map_err(|_| {
        D::Error::custom(format_args!(
            "`{text}` is not a duration: write \"25s\", \"300ms\", \"2m\" or \"1h 30m\""
        ))
    })?;
    Duration::try_from(parsed).map_err(|_| D::Error::custom(format_args!("`{text}` is negative")))
}

/// [`duration`] for keys that may be left out.
pub(super) fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Bytes: a number, or a text such as `"1MB"` (1000000) or `"64KiB"` (65536).
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let size = ByteSize::deserialize(deserializer)?;
    usize::try_from(size.as_u64())
        .map_err(|_| D::Error::custom("more bytes than this machine can count"))
}
