//! What was measured, for people.

use std::time::Duration;

use super::conduct::Outcome;
use super::counts::Counts;
use super::messages::{Kind, Traffic};
use super::plan::Plan;
use super::plot::{Point, over_time};
use super::process::Usage;
use super::svg::{Picture, draw, percents};
use super::times::Times;
use super::words::{number, time};

/// The percents that are told.
const PERCENTS: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

pub(super) struct Report<'a> {
    pub(super) plan: &'a Plan,
    pub(super) outcome: &'a Outcome,
}

impl Report<'_> {
    /// Whether all clients were served, and all messages came, once.
    pub(super) fn is_ok(&self) -> bool {
        let tally = &self.outcome.tally;
        let is_whole = tally.warm_up.is_whole() && tally.measured.is_whole();
        tally.failures.is_empty() && tally.n_connected > 0 && is_whole
    }

    pub(super) fn text(&self) -> String {
        let (plan, tally) = (self.plan, &self.outcome.tally);
        let mut lines = vec![self.title()];
        if self.outcome.is_interrupted {
            lines.push("interrupted         this is what was measured until then".to_owned());
        }
        let connected = format!(
            "connections         {} of {}",
            tally.n_connected,
            plan.n_all()
        );
        if tally.n_connected > 0 {
            lines.push(format!(
                "{connected} in {}, {} per second",
                time(tally.last_connected),
                number(self.connected_per_second())
            ));
            lines.push(format!("  until connected   {}", latencies(&tally.connect)));
        } else {
            lines.push(connected);
        }
        if tally.n_stalled > 0 {
            let (n, n_gone) = (tally.n_stalled, tally.n_stalled_gone);
            lines.push(format!(
                "  stalled           {n}, of which the server has disconnected {n_gone}"
            ));
        }
        for (reason, n) in &tally.failures {
            lines.push(format!("  failed            {n} × {reason}"));
        }
        if let Some(traffic) = &plan.traffic
            && tally.n_connected > 0
        {
            lines.extend(self.messages(traffic));
        }
        lines.extend(self.server().map(|server| server.text()));
        if let Some(plot) = over_time(&self.slots(), self.shown()) {
            lines.extend([String::new(), plot]);
        }
        lines.join("\n")
    }

    fn title(&self) -> String {
        let plan = self.plan;
        format!(
            "{} {} {} namespace {}",
            plan.mode,
            plan.target.url,
            plan.transport.name(),
            plan.namespace
        )
    }

    fn messages(&self, traffic: &Traffic) -> Vec<String> {
        let tally = &self.outcome.tally;
        let counts = &tally.measured;
        let what = match traffic.kind {
            Kind::Echo => "answered",
            Kind::Broadcast | Kind::Rooms => "received",
        };
        let seconds = self.outcome.measured.as_secs_f64().max(1e-9);
        let per_second = |n: u64| number((n as f64 / seconds).round());
        let mut lines = vec![
            format!(
                "messages            {} sent in {}, {} per second of {} due",
                counts.sent,
                time(self.outcome.measured),
                per_second(counts.sent),
                number(traffic.schedule.total_rate()),
            ),
            format!(
                "  {what:<17} {} of {}, {} per second",
                counts.received,
                counts.expected,
                per_second(counts.received)
            ),
        ];
        let sum = |of: fn(&Counts) -> u64| of(&tally.warm_up) + of(&tally.measured);
        for (n, what) in [
            (sum(Counts::unsent), "not sent"),
            (sum(Counts::missing), "missing"),
            (sum(|counts| counts.repeated), "received again"),
            (sum(Counts::surplus), "more than asked"),
        ] {
            if n > 0 {
                lines.push(format!("  {what:<17} {n}, warm-up included"));
            }
        }
        if tally.n_other_answers > 0 {
            let answer = tally.other_answer.as_deref().unwrap_or_default();
            let n = tally.n_other_answers;
            lines.push(format!(
                "  other answers     {n} without the payload, such as {answer}"
            ));
        }
        if counts.received > 0 {
            lines.push(format!("latency             {}", latencies(&tally.latency)));
        }
        if counts.sent > 0 {
            let lag = tally.lag.percentile(99.0);
            let late = format!(
                "  sent late by us   p99 {}, max {}",
                time(lag),
                time(tally.lag.max())
            );
            let is_much = counts.received > 0 && lag * 2 > tally.latency.percentile(99.0);
            lines.push(match is_much {
                true => late + ": this machine is too busy; the latencies say more of it than of the server",
                false => late,
            });
        }
        lines
    }

    pub(super) fn svg(&self) -> String {
        let tally = &self.outcome.tally;
        // Where nothing is said, what there is to see is how connections came to be.
        let times = match self.plan.traffic {
            Some(_) => &tally.latency,
            None => &tally.connect,
        };
        let percentiles = percents().map(|percent| (percent, times.percentile(percent)));
        let points: Vec<Point> = self.slots().into_iter().flatten().collect();
        draw(&Picture {
            title: &self.title(),
            summary: &latencies(times),
            points: &points,
            length: self.shown(),
            percentiles: &percentiles.collect::<Vec<_>>(),
        })
    }

    /// What was planned to be measured, in so many pieces, as far as it came; those in which nothing was are none.
    pub(super) fn slots(&self) -> Vec<Option<Point>> {
        let tally = &self.outcome.tally;
        let piece = tally.window.piece();
        let slots = tally.slots.iter().zip(0_u32..);
        slots
            .take_while(|(_, n)| piece * *n < self.shown())
            .map(|(times, n)| {
                (times.n() > 0).then(|| Point {
                    at: piece * n + piece / 2,
                    p50: times.percentile(50.0),
                    p99: times.percentile(99.0),
                    max: times.max(),
                })
            })
            .collect()
    }

    /// How long what is shown over time took.
    fn shown(&self) -> Duration {
        match self.plan.traffic {
            Some(_) => self.outcome.measured,
            None => self.outcome.tally.window.length,
        }
    }

    pub(super) fn connected_per_second(&self) -> f64 {
        let tally = &self.outcome.tally;
        let seconds = tally.last_connected.as_secs_f64().max(1e-3);
        tally.n_connected as f64 / seconds
    }

    pub(super) fn server(&self) -> Option<Usage> {
        let tally = &self.outcome.tally;
        let Outcome {
            before,
            connected,
            measuring,
            after,
            ..
        } = *self.outcome;
        Some(Usage {
            before: before?,
            connected: connected?,
            measuring,
            after,
            n_connected: tally.n_connected,
            n_messages: tally.measured.sent + tally.measured.received,
        })
    }
}

fn latencies(times: &Times) -> String {
    let told = PERCENTS
        .iter()
        .map(|&percent| format!("p{percent} {}", time(times.percentile(percent))));
    let told: Vec<String> = told.collect();
    format!("{}, max {}", told.join(", "), time(times.max()))
}
