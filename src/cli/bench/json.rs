//! What was measured, for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::counts::Counts;
use super::messages::Traffic;
use super::report::Report;
use super::times::Times;

impl Report<'_> {
    pub(super) fn json(&self) -> Value {
        let (plan, outcome) = (self.plan, self.outcome);
        let tally = &outcome.tally;
        json!({
            "ok": self.is_ok(),
            "interrupted": outcome.is_interrupted,
            "mode": plan.mode,
            "url": plan.target.url,
            "transport": plan.transport.name(),
            "namespace": plan.namespace,
            "connections": {
                "wanted": plan.n_all(),
                "connected": tally.n_connected,
                "dropped": tally.n_dropped,
                "stalled": tally.n_stalled,
                "stalled_disconnected": tally.n_stalled_gone,
                "seconds": tally.last_connected.as_secs_f64(),
                "per_second": self.connected_per_second(),
                "latency_ms": times(&tally.connect),
                "failures": tally.failures,
            },
            "messages": plan.traffic.as_ref().map(|traffic| self.messages_json(traffic)),
            "latency_over_time_ms": self.over_time_json(),
            "server": self.server().map(|server| server.json()),
        })
    }

    fn messages_json(&self, traffic: &Traffic) -> Value {
        let tally = &self.outcome.tally;
        let counts = |counts: &Counts| {
            json!({
                "due": counts.due,
                "sent": counts.sent,
                "unsent": counts.unsent(),
                "expected": counts.expected,
                "received": counts.received,
                "missing": counts.missing(),
                "surplus": counts.surplus(),
                "repeated": counts.repeated,
            })
        };
        let seconds = self.outcome.measured.as_secs_f64();
        let per_second = |n: u64| n as f64 / seconds.max(1e-9);
        json!({
            "seconds": seconds,
            "rate": traffic.schedule.total_rate(),
            "measured": counts(&tally.measured),
            "warm_up": counts(&tally.warm_up),
            "sent_per_second": per_second(tally.measured.sent),
            "received_per_second": per_second(tally.measured.received),
            "latency_ms": times(&tally.latency),
            "sent_late_ms": times(&tally.lag),
            "other_answers": tally.n_other_answers,
            "other_answer": tally.other_answer,
        })
    }

    fn over_time_json(&self) -> Vec<Value> {
        let points = self.slots().into_iter().flatten();
        points
            .map(|point| {
                json!({
                    "at_s": point.at.as_secs_f64(),
                    "p50": ms(point.p50),
                    "p99": ms(point.p99),
                    "max": ms(point.max),
                })
            })
            .collect()
    }
}

fn ms(time: Duration) -> f64 {
    // To the microsecond that it was measured to.
    time.as_micros() as f64 / 1e3
}

fn times(times: &Times) -> Value {
    json!({
        "mean": ms(times.mean()),
        "p50": ms(times.percentile(50.0)),
        "p90": ms(times.percentile(90.0)),
        "p99": ms(times.percentile(99.0)),
        "p99.9": ms(times.percentile(99.9)),
        "max": ms(times.max()),
    })
}
