//! Latency over time, drawn with letters.

use std::time::Duration;

use super::words;

/// Lines of the plot.
const HEIGHT: u32 = 8;

/// What is known of one piece of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// In the middle of the piece, since the measuring began.
    pub(super) at: Duration,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) max: Duration,
}

/// The logarithm of a latency on a scale from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// From the least half to the most of all, and no less than a factor of two.
    pub(super) fn of(points: &[Point]) -> Option<Self> {
        let low = points.iter().map(|point| point.p50).min()?;
        let high = points.iter().map(|point| point.max).max()?;
        let low = logarithm(low);
        Some(Self {
            low,
            high: logarithm(high).max(low + 2.0_f64.log10()),
        })
    }

    pub(super) fn place(&self, time: Duration) -> f64 {
        ((logarithm(time) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// What is at a place.
    pub(super) fn at(&self, place: f64) -> Duration {
        let log = self.low + place * (self.high - self.low);
        Duration::try_from_secs_f64(10_f64.powf(log)).unwrap_or(Duration::MAX)
    }

    /// The powers of ten on it.
    pub(super) fn decades(&self) -> impl Iterator<Item = Duration> {
        let (low, high) = (self.low, self.high);
        (-6..5_i32)
            .filter(move |&power| (low..=high).contains(&f64::from(power)))
            .filter_map(|power| Duration::try_from_secs_f64(10_f64.powi(power)).ok())
    }
}

fn logarithm(time: Duration) -> f64 {
    time.max(Duration::from_micros(1)).as_secs_f64().log10()
}

/// A column for each piece of time: full up to the half of the messages, shaded up to 99 of 100, dotted up to the last. The
/// scale is logarithmic. Pieces in which nothing came are empty.
pub(super) fn over_time(points: &[Option<Point>], length: Duration) -> Option<String> {
    let known: Vec<Point> = points.iter().copied().flatten().collect();
    let scale = Scale::of(&known)?;
    let mut text = "latency over time, by when it was due:  █ half  ▓ 99 %  ░ all\n".to_owned();
    for line in (0..HEIGHT).rev() {
        let label = match line {
            0 => words::time(scale.at(0.0)),
            line if line == HEIGHT - 1 || line == HEIGHT / 2 => {
                words::time(scale.at(f64::from(line) / f64::from(HEIGHT - 1)))
            }
            _ => String::new(),
        };
        let row: String = points
            .iter()
            .map(|point| point.map_or(' ', |point| symbol(&point, scale, line)))
            .collect();
        text.push_str(&format!("{label:>10} │{}\n", row.trim_end()));
    }
    let n = points.len();
    let end = words::time(length);
    text.push_str(&format!("{:>10} └{}\n", "", "─".repeat(n)));
    text.push_str(&format!("{:>12}0 s{end:>1$}", "", n.saturating_sub(3)));
    Some(text)
}

fn symbol(point: &Point, scale: Scale, line: u32) -> char {
    // The middle of the line, but the lowest line is never empty.
    let level = match line {
        0 => 0.0,
        line => (f64::from(line) + 0.5) / f64::from(HEIGHT),
    };
    let reaches = |time| scale.place(time) >= level;
    match (reaches(point.p50), reaches(point.p99), reaches(point.max)) {
        (true, ..) => '█',
        (_, true, _) => '▓',
        (.., true) => '░',
        _ => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: u64, p50: u64, p99: u64, max: u64) -> Option<Point> {
        let ms = Duration::from_millis;
        Some(Point {
            at: ms(at),
            p50: ms(p50),
            p99: ms(p99),
            max: ms(max),
        })
    }

    #[test]
    fn columns_are_as_high_as_the_latency() {
        let points = [
            point(0, 1, 1, 1),
            None,
            point(2, 1, 100, 1000),
            point(3, 1000, 1000, 1000),
        ];
        let text = over_time(&points, Duration::from_secs(4)).unwrap();
        let rows: Vec<&str> = text.lines().skip(1).collect();
        let expected = [
            "    1.00 s │  ░█",
            "           │  ░█",
            "           │  ░█",
            "   51.8 ms │  ▓█",
            "           │  ▓█",
            "           │  ▓█",
            "           │  ▓█",
            "   1.00 ms │█ ██",
            "           └────",
            "            0 s4.00 s",
        ];
        assert_eq!(rows, expected);
        assert_eq!(over_time(&[None, None], Duration::ZERO), None);
    }

    #[test]
    fn a_scale_has_its_powers_of_ten() {
        let points: Vec<Point> = point(0, 2, 30, 400).into_iter().collect();
        let scale = Scale::of(&points).unwrap();
        let decades: Vec<_> = scale.decades().map(|time| time.as_millis()).collect();
        assert_eq!(decades, [10, 100]);
        assert_eq!(scale.place(Duration::from_millis(2)), 0.0);
        assert_eq!(scale.place(Duration::from_secs(9)), 1.0);
        let flat: Vec<Point> = point(0, 0, 0, 0).into_iter().collect();
        assert!(Scale::of(&flat).unwrap().place(Duration::ZERO) == 0.0);
    }
}
