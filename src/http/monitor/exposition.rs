//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};
use std::time::Duration;

use indexmap::IndexMap;

use crate::metrics::{BOUNDS_MS, Durations};

/// A text that grows by families of samples.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// In the order of their first sample. A family that is asked for again goes on where it was: all of its samples
    /// have to stand together.
    families: IndexMap<&'static str, String>,
    /// The first label of all samples, if there is one.
    common: Option<(&'static str, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Exposition {
    /// From now on every sample has this label too.
    pub(super) fn set_common(&mut self, label: Option<(&'static str, String)>) {
        self.common = label;
    }

    /// `help` is one line.
    pub(super) fn family(
        &mut self,
        kind: Kind,
        name: &'static str,
        help: &'static str,
    ) -> Family<'_> {
        let text = self
            .families
            .entry(name)
            .or_insert_with(|| format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.name()));
        Family {
            name,
            text,
            common: self.common.as_ref(),
        }
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(Kind::Counter, name, help)
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(Kind::Gauge, name, help)
    }

    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(Kind::Histogram, name, help)
    }

    pub(super) fn into_text(self) -> String {
        self.families.into_values().collect()
    }
}

/// One family, to add samples to.
pub(super) struct Family<'a> {
    name: &'static str,
    text: &'a mut String,
    common: Option<&'a (&'static str, String)>,
}

impl Family<'_> {
    /// The one sample of a family without labels.
    pub(super) fn is(mut self, value: impl Display) {
        self.sample("", &[], value);
    }

    pub(super) fn with(self, label: &str, name: &str, value: impl Display) -> Self {
        self.with_all(&[(label, name)], value)
    }

    pub(super) fn with_all(mut self, labels: &[(&str, &str)], value: impl Display) -> Self {
        self.sample("", labels, value);
        self
    }

    /// The samples of a histogram, in seconds.
    pub(super) fn durations(mut self, labels: &[(&str, &str)], durations: &Durations) -> Self {
        let mut n = 0;
        let ends = BOUNDS_MS.map(|ms| Duration::from_millis(ms).as_secs_f64().to_string());
        for (end, count) in ends
            .iter()
            .map(|end| &**end)
            .chain(["+Inf"])
            .zip(durations.counts)
        {
            n += count;
            self.sample("_bucket", &[labels, &[("le", end)]].concat(), n);
        }
        self.sample("_sum", labels, durations.sum.as_secs_f64());
        self.sample("_count", labels, n);
        self
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let common = self.common.map(|(label, name)| (*label, name.as_str()));
        let mut opening = '{';
        for (label, name) in common.into_iter().chain(labels.iter().copied()) {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{opening}{label}=\"{}\"", escaped(name));
            opening = ',';
        }
        if opening == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

fn escaped(name: &str) -> String {
    name.replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_stand_together_whatever_the_order_of_asking() {
        let mut text = Exposition::default();
        text.gauge("up", "Whether.").is(1);
        for path in ["/a", "/b"] {
            text.set_common(Some(("path", path.to_owned())));
            text.counter("n_total", "How many.")
                .with("kind", "x", 2)
                .with("kind", "\"\\\n", 0.5);
            text.gauge("size", "How large.").is(7);
        }
        assert_eq!(
            text.into_text(),
            "# HELP up Whether.\n# TYPE up gauge\nup 1\n\
             # HELP n_total How many.\n# TYPE n_total counter\n\
             n_total{path=\"/a\",kind=\"x\"} 2\nn_total{path=\"/a\",kind=\"\\\"\\\\\\n\"} 0.5\n\
             n_total{path=\"/b\",kind=\"x\"} 2\nn_total{path=\"/b\",kind=\"\\\"\\\\\\n\"} 0.5\n\
             # HELP size How large.\n# TYPE size gauge\nsize{path=\"/a\"} 7\nsize{path=\"/b\"} 7\n"
        );
    }

    #[test]
    fn a_histogram_adds_up_from_below() {
        let mut durations = Durations::default();
        for ms in [3, 4, 2000, 11_000] {
            durations.add(Duration::from_millis(ms));
        }
        let mut text = Exposition::default();
        let _ = text
            .histogram("t_seconds", "How long.")
            .durations(&[("kind", "x")], &durations);
        let text = text.into_text();
        let head = "# HELP t_seconds How long.\n# TYPE t_seconds histogram\n\
                    t_seconds_bucket{kind=\"x\",le=\"0.005\"} 2\n";
        assert!(text.starts_with(head), "{text}");
        let tail = "t_seconds_bucket{kind=\"x\",le=\"1\"} 2\n\
                    t_seconds_bucket{kind=\"x\",le=\"2.5\"} 3\n\
                    t_seconds_bucket{kind=\"x\",le=\"5\"} 3\n\
                    t_seconds_bucket{kind=\"x\",le=\"10\"} 3\n\
                    t_seconds_bucket{kind=\"x\",le=\"+Inf\"} 4\n\
                    t_seconds_sum{kind=\"x\"} 13.007\nt_seconds_count{kind=\"x\"} 4\n";
        assert!(text.ends_with(tail), "{text}");
    }
}
