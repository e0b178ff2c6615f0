//! Numbers as people read them.

use std::time::Duration;

/// Three digits and a unit: `0.213 ms`, `48.1 ms`, `1.52 s`.
pub(super) fn time(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        0.0 => "0 ms".to_owned(),
        ms if ms < 999.5 => format!("{} ms", digits(ms)),
        ms => format!("{} s", digits(ms / 1e3)),
    }
}

/// `12.3 MB`, `870 B`.
pub(super) fn bytes(n: f64) -> String {
    let sign = if n < 0.0 { "-" } else { "" };
    let (n, unit) = match n.abs() {
        n if n < 999.5 => return format!("{sign}{n:.0} B"),
        n if n < 999.5e3 => (n / 1e3, "kB"),
        n if n < 999.5e6 => (n / 1e6, "MB"),
        n => (n / 1e9, "GB"),
    };
    format!("{sign}{} {unit}", digits(n))
}

/// `0.25`, `81.3`, `12400`.
pub(super) fn number(n: f64) -> String {
    match n.fract() == 0.0 && n < 1e15 {
        true => format!("{n:.0}"),
        false => digits(n),
    }
}

fn digits(n: f64) -> String {
    let n_places = match n.abs() {
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    match n.abs() < 0.9995 {
        true => format!("{n:.3}"),
        false => format!("{n:.n_places$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        for (micros, expected) in [
            (0, "0 ms"),
            (1, "0.001 ms"),
            (213, "0.213 ms"),
            (1_234, "1.23 ms"),
            (48_123, "48.1 ms"),
            (999_400, "999 ms"),
            (999_900, "1.00 s"),
            (61_000_000, "61.0 s"),
            (3_600_000_000, "3600 s"),
        ] {
            assert_eq!(time(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn sizes_and_numbers_are_short() {
        for (n, expected) in [
            (0.0, "0 B"),
            (870.2, "870 B"),
            (12_345.0, "12.3 kB"),
            (-5e6, "-5.00 MB"),
            (2.5e9, "2.50 GB"),
        ] {
            assert_eq!(bytes(n), expected);
        }
        assert_eq!(
            [number(12_400.0), number(0.25), number(81.27)],
            ["12400", "0.250", "81.3"]
        );
    }
}
