//! One line that says how far a run is, for those who watch it.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::plan::Plan;
use super::shared::{Phase, Shared};

/// How often it is written anew.
const INTERVAL: Duration = Duration::from_millis(250);

/// On the standard error, if that is a terminal.
pub(super) struct Progress {
    is_watched: bool,
    written: Option<Instant>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            is_watched: std::io::stderr().is_terminal(),
            written: None,
        }
    }

    pub(super) fn tell(&mut self, plan: &Plan, shared: &Shared, phase: Phase) {
        let is_early = self.written.is_some_and(|at| at.elapsed() < INTERVAL);
        if !self.is_watched || is_early {
            return;
        }
        self.written = Some(Instant::now());
        write(&line(plan, shared, phase));
    }

    /// Leaves an empty line, for what is printed now.
    pub(super) fn end(&self) {
        if self.written.is_some() {
            write("");
        }
    }
}

fn write(line: &str) {
    let mut output = std::io::stderr().lock();
    // Nobody has to see it. To the start of the line, and nothing behind it.
    let _ = write!(output, "\r{line}\u{1b}[K").and_then(|()| output.flush());
}

fn line(plan: &Plan, shared: &Shared, phase: Phase) -> String {
    let ready = shared.ready.get();
    let mut line = match phase {
        Phase::Connecting => format!("connecting: {ready} of {}", plan.n_all()),
        Phase::Traffic(epoch) => running(plan, shared, epoch),
        Phase::Draining => format!(
            "waiting for {} on their way",
            shared.expected.get().saturating_sub(shared.received.get())
        ),
        Phase::Over => "closing".to_owned(),
    };
    let failed = shared.failed.get() + shared.dropped.get();
    if failed > 0 {
        line.push_str(&format!(", {failed} clients failed"));
    }
    line
}

fn running(plan: &Plan, shared: &Shared, epoch: Instant) -> String {
    let Some(traffic) = &plan.traffic else {
        let left = plan.hold.saturating_sub(epoch.elapsed());
        return format!(
            "holding {}: {:.0} s left",
            shared.ready.get(),
            left.as_secs_f64()
        );
    };
    let schedule = &traffic.schedule;
    let what = match epoch.elapsed() < schedule.warm_up() {
        true => "warming up",
        false => "measuring",
    };
    let left = schedule.length().saturating_sub(epoch.elapsed());
    format!(
        "{what}: {:.0} s left, sent {}, received {} of {}",
        left.as_secs_f64(),
        shared.sent.get(),
        shared.received.get(),
        shared.expected.get(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::plan::typed;
    use super::*;

    #[test]
    fn each_phase_has_its_words() {
        let plan = typed("echo -n 7 --warm-up 0s --duration 1h").unwrap();
        let shared = Shared::new(plan.n_rooms());
        shared.ready.add(5);
        let now = Instant::now();
        assert_eq!(
            line(&plan, &shared, Phase::Connecting),
            "connecting: 5 of 7"
        );
        shared.failed.add(2);
        shared.sent.add(9);
        shared.expected.add(9);
        shared.received.add(6);
        for (phase, expected) in [
            (
                Phase::Traffic(now),
                "measuring: 3600 s left, sent 9, received 6 of 9, 2 clients failed",
            ),
            (
                Phase::Draining,
                "waiting for 3 on their way, 2 clients failed",
            ),
            (Phase::Over, "closing, 2 clients failed"),
        ] {
            assert_eq!(line(&plan, &shared, phase), expected);
        }
        let holding = typed("connect --duration 1h").unwrap();
        let text = line(&holding, &shared, Phase::Traffic(now));
        assert_eq!(text, "holding 5: 3600 s left, 2 clients failed");
    }
}
