//! The extensions of `MessagePack` that the clients and servers of the reference use: `undefined`, dates, buffers.

use super::msgpack::Token;

/// What an extension means to the clients of the reference.
///
/// **Source** `notepack.io` 2.2 (`undefined`, dates and `ArrayBuffer`s under type 0) and 3.0 (the timestamps of the specification).
pub(super) enum Extension {
    Undefined,
    /// ISO 8601, or nothing for a date that is none.
    Date(Option<String>),
    Buffer,
    Unknown,
}

impl Extension {
    pub(super) fn of(token: Token<'_>) -> Self {
        match token {
            Token::FixExt(0, [_]) => Self::Undefined,
            Token::FixExt(0, ms @ [_, _, _, _, _, _, _, _]) => Self::Date(
                ms.try_into()
                    .ok()
                    .map(i64::from_be_bytes)
                    .and_then(iso_date),
            ),
            Token::Ext(0, _) => Self::Buffer,
            Token::Ext(-1, content) | Token::FixExt(-1, content)
                if matches!(content.len(), 4 | 8 | 12) =>
            {
                Self::Date(timestamp_ms(content).and_then(iso_date))
            }
            _ => Self::Unknown,
        }
    }
}

/// Milliseconds since 1970 of a timestamp extension.
pub(in crate::protocol) fn timestamp_ms(content: &[u8]) -> Option<i64> {
    let (seconds, nanoseconds) = match content.len() {
        4 => (i64::from(u32::from_be_bytes(content.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(content.try_into().ok()?);
            ((both & ((1 << 34) - 1)).cast_signed(), both >> 34)
        }
        12 => {
            let (nanoseconds, seconds) = content.split_first_chunk::<4>()?;
            (
                i64::from_be_bytes(seconds.try_into().ok()?),
                u64::from(u32::from_be_bytes(*nanoseconds)),
            )
        }
        _ => return None,
    };
    seconds
        .checked_mul(1000)?
        .checked_add((nanoseconds / 1_000_000).cast_signed())
}

/// `2023-11-14T22:13:20.123Z`, as `Date.prototype.toISOString` writes it; nothing outside the range of JavaScript's dates.
///
/// **Source** ECMA-262, "Date Time String Format"; the calendar is `civil_from_days` of Howard Hinnant's date algorithms.
fn iso_date(ms: i64) -> Option<String> {
    const DAY_MS: i64 = 86_400_000;
    const MAX_MS: i64 = 8_640_000_000_000_000;
    if !(-MAX_MS..=MAX_MS).contains(&ms) {
        return None;
    }
    let (days, in_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // Days since 0000-03-01, in eras of 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hours, minutes) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (seconds, millis) = (in_day / 1000 % 60, in_day % 1000);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
    };
    Some(format!(
        "{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z"
    ))
}
