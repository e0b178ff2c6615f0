//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

use indexmap::IndexMap;

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

    pub(super) fn with(mut self, label: &str, name: &str, value: impl Display) -> Self {
        self.sample("", &[(label, name)], value);
        self
    }

    /// The samples of a histogram: `counts` has one more than there are `bounds`.
    pub(super) fn distribution(mut self, bounds: &[f64], counts: &[u64], sum: f64) {
        let mut n = 0;
        let ends = bounds.iter().map(ToString::to_string);
        for (end, count) in ends.chain(["+Inf".to_owned()]).zip(counts) {
            n += count;
            self.sample("_bucket", &[("le", &end)], n);
        }
        self.sample("_sum", &[], sum);
        self.sample("_count", &[], n);
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
        let mut text = Exposition::default();
        text.family(Kind::Histogram, "t_seconds", "How long.")
            .distribution(&[0.005, 1.0], &[3, 0, 2], 12.5);
        assert_eq!(
            text.into_text(),
            "# HELP t_seconds How long.\n# TYPE t_seconds histogram\n\
             t_seconds_bucket{le=\"0.005\"} 3\nt_seconds_bucket{le=\"1\"} 3\n\
             t_seconds_bucket{le=\"+Inf\"} 5\nt_seconds_sum 12.5\nt_seconds_count 5\n"
        );
    }
}
