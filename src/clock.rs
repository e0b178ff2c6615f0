//! The time of day, which is only for what others read: everything here measures with `Instant`.

use std::time::{Duration, SystemTime};

/// Since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the one place that asks for it")]
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(now().as_millis()).unwrap_or(u64::MAX)
}
