//! Latency over time and by percentile, as a picture.

use std::fmt::Write as _;
use std::time::Duration;

use super::plot::{Point, Scale};
use super::words;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 40.0;
/// Of one plot, without what is written around it.
const HEIGHT: f64 = 220.0;
/// Where the two plots begin.
const TOPS: [f64; 2] = [90.0, 390.0];

/// How often the part that is left is cut to a tenth: 90 %, 99 %, and so on to 99.999 %.
const NINES: u32 = 5;

const LABELS: [&str; NINES as usize + 1] = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];

/// What is drawn.
pub(super) struct Picture<'a> {
    pub(super) title: &'a str,
    /// Below it.
    pub(super) summary: &'a str,
    pub(super) points: &'a [Point],
    pub(super) length: Duration,
    /// Latency by percent, in rising order.
    pub(super) percentiles: &'a [(f64, Duration)],
}

/// The picture, as the text of an SVG document.
pub(super) fn draw(picture: &Picture<'_>) -> String {
    let [over_time, by_percentile] = TOPS;
    let end = by_percentile + HEIGHT + 50.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {end}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{end}\" fill=\"#fff\"/>\n"
    );
    text(&mut svg, LEFT, 24.0, "start", picture.title);
    text(&mut svg, LEFT, 44.0, "start", picture.summary);
    let Some(scale) = Scale::of(picture.points) else {
        text(&mut svg, LEFT, over_time, "start", "nothing was received");
        svg.push_str("</svg>\n");
        return svg;
    };
    let seconds = picture.length.as_secs_f64().max(1e-9);
    let heading = "latency over time, by when it was due";
    frame(&mut svg, over_time, scale, heading);
    for (n, tenth) in (0..=10).map(|n| (f64::from(n), f64::from(n) / 10.0)) {
        let label = format!("{} s", (seconds * n * 10.0).round() / 100.0);
        text(
            &mut svg,
            x(tenth),
            over_time + HEIGHT + 16.0,
            "middle",
            &label,
        );
    }
    for (nth, (name, colour, of)) in LINES.into_iter().enumerate() {
        let places = picture
            .points
            .iter()
            .map(|point| (point.at.as_secs_f64() / seconds, scale.place(of(point))));
        line(&mut svg, over_time, colour, places);
        let column = u32::try_from(nth).unwrap_or(0);
        legend(
            &mut svg,
            x(0.70 + 0.1 * f64::from(column)),
            over_time - 8.0,
            colour,
            name,
        );
    }
    frame(&mut svg, by_percentile, scale, "latency by percentile");
    for (n, label) in (0_u32..).zip(LABELS) {
        let place = f64::from(n) / f64::from(NINES);
        text(
            &mut svg,
            x(place),
            by_percentile + HEIGHT + 16.0,
            "middle",
            label,
        );
    }
    let places = picture.percentiles.iter().map(|&(percent, time)| {
        let nines = -(1.0 - percent / 100.0).max(1e-9).log10();
        ((nines / f64::from(NINES)).min(1.0), scale.place(time))
    });
    line(&mut svg, by_percentile, LINES[1].1, places);
    svg.push_str("</svg>\n");
    svg
}

/// A name, a colour, and what of a point.
type Line = (&'static str, &'static str, fn(&Point) -> Duration);

/// What is drawn over time.
const LINES: [Line; 3] = [
    ("half", "#1f6feb", |point| point.p50),
    ("99 %", "#d4730a", |point| point.p99),
    ("all", "#c62b2b", |point| point.max),
];

/// The percents whose latency a picture shows: evenly in what is left of a hundred.
pub(super) fn percents() -> impl Iterator<Item = f64> {
    const STEPS: u32 = 20;
    (0..=NINES * STEPS).map(|step| {
        let nines = f64::from(step) / f64::from(STEPS);
        100.0 - 100.0 * 10_f64.powf(-nines)
    })
}

fn x(place: f64) -> f64 {
    LEFT + place * (WIDTH - LEFT - RIGHT)
}

fn y(top: f64, place: f64) -> f64 {
    top + (1.0 - place) * HEIGHT
}

/// The box of a plot, and the lines of its scale.
fn frame(svg: &mut String, top: f64, scale: Scale, heading: &str) {
    text(svg, LEFT, top - 8.0, "start", heading);
    let width = WIDTH - LEFT - RIGHT;
    let _ = writeln!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#888\"/>"
    );
    let ends = [scale.at(0.0), scale.at(1.0)];
    let decades = scale.decades().filter(|&time| {
        // Not where the end of the scale is written already.
        (0.06..0.94).contains(&scale.place(time))
    });
    for time in decades.chain(ends) {
        let y = y(top, scale.place(time));
        let right = x(1.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>"
        );
        text(svg, LEFT - 6.0, y + 4.0, "end", &words::time(time));
    }
}

fn line(svg: &mut String, top: f64, colour: &str, places: impl Iterator<Item = (f64, f64)>) {
    let points: Vec<String> = places
        .map(|(across, up)| format!("{:.1},{:.1}", x(across), y(top, up)))
        .collect();
    let points = points.join(" ");
    let _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
    );
}

fn legend(svg: &mut String, x: f64, y: f64, colour: &str, name: &str) {
    let (end, y_line) = (x + 18.0, y - 4.0);
    let _ = writeln!(
        svg,
        "<line x1=\"{x:.1}\" y1=\"{y_line}\" x2=\"{end:.1}\" y2=\"{y_line}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
    );
    text(svg, end + 4.0, y, "start", name);
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words: String = words
        .chars()
        .filter(|symbol| !symbol.is_control())
        .map(|symbol| match symbol {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            symbol => symbol.to_string(),
        })
        .collect();
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each tag that is opened is closed, attributes are quoted, and text is escaped.
    fn is_well_formed(svg: &str) -> bool {
        let mut open = Vec::new();
        let mut rest = svg;
        while let Some((text, behind)) = rest.split_once('<') {
            let Some((tag, after)) = behind.split_once('>') else {
                return false;
            };
            let is_escaped = text.split('&').skip(1).all(|entity| {
                ["amp;", "lt;", "gt;"]
                    .iter()
                    .any(|known| entity.starts_with(known))
            });
            if text.contains('>') || !is_escaped || tag.matches('"').count() % 2 != 0 {
                return false;
            }
            let name = tag.split([' ', '/']).next().unwrap_or_default();
            match tag.strip_prefix('/') {
                Some(closed) if open.pop() != Some(closed) => return false,
                Some(_) => {}
                None if tag.ends_with('/') => {}
                None => open.push(name),
            }
            rest = after;
        }
        open.is_empty() && rest.trim().is_empty()
    }

    fn points() -> Vec<Point> {
        let ms = Duration::from_millis;
        (0..10)
            .map(|n| Point {
                at: ms(n * 100),
                p50: ms(1 + n),
                p99: ms(10 + n),
                max: ms(100 + n),
            })
            .collect()
    }

    #[test]
    fn a_picture_is_well_formed_whatever_the_server_is_called() {
        let percentiles: Vec<_> = percents()
            .map(|percent| (percent, Duration::from_millis(5)))
            .collect();
        for points in [points(), Vec::new()] {
            let svg = draw(&Picture {
                title: "echo <http://a?b=\"c\"&d=e>\u{1b}",
                summary: "",
                points: &points,
                length: Duration::from_secs(1),
                percentiles: &percentiles,
            });
            assert!(is_well_formed(&svg), "{svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        assert!(!is_well_formed("<svg><a></svg>"));
        assert!(!is_well_formed("<svg>a & b</svg>"));
    }

    #[test]
    fn a_picture_has_a_point_for_each_piece_of_time() {
        let points = points();
        let svg = draw(&Picture {
            title: "",
            summary: "",
            points: &points,
            length: Duration::from_secs(1),
            percentiles: &[(50.0, Duration::from_millis(5))],
        });
        let n_points: Vec<usize> = svg
            .split("points=\"")
            .skip(1)
            .map(|line| {
                line.split('"')
                    .next()
                    .unwrap_or_default()
                    .split(' ')
                    .count()
            })
            .collect();
        assert_eq!(n_points, [10, 10, 10, 1]);
    }

    #[test]
    fn percents_get_as_close_to_a_hundred_as_the_scale() {
        let percents: Vec<f64> = percents().collect();
        assert!(percents.is_sorted());
        assert_eq!(percents[0], 0.0);
        assert!((percents.last().unwrap() - 99.999).abs() < 1e-9);
    }
}
