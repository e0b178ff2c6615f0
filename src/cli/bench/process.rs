//! What a process of the server takes: memory and time; and how often it waits.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::broken::PlanError;
use super::words::{bytes, time};

/// The unit of times in `/proc`, which is the same on all Linux of today.
///
/// **Source**: `USER_HZ`, proc_pid_stat(5).
const TICK: Duration = Duration::from_millis(10);

/// At one moment, of all processes together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) rss_bytes: u64,
    pub(super) cpu: Duration,
    switches: Switches,
}

/// How often threads have left a processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Switches {
    /// They waited for something: so often they had to be woken up.
    voluntary: u64,
    /// Somebody else had his turn.
    involuntary: u64,
}

impl Sample {
    /// `None` if there is no process to look at.
    ///
    /// # Errors
    /// One of them is not there.
    pub(super) fn take(pids: &[u32]) -> Result<Option<Self>, PlanError> {
        if pids.is_empty() {
            return Ok(None);
        }
        let mut sample = Self {
            at: Instant::now(),
            rss_bytes: 0,
            cpu: Duration::ZERO,
            switches: Switches::default(),
        };
        for &pid in pids {
            let looked = sample.add(pid);
            looked.map_err(|source| PlanError::Process { pid, source })?;
        }
        Ok(Some(sample))
    }

    fn add(&mut self, pid: u32) -> io::Result<()> {
        self.rss_bytes += rss(pid)?;
        self.cpu += cpu(pid)?;
        self.switches.add(switches(pid)?);
        Ok(())
    }
}

/// What the processes of the server took.
pub(super) struct Usage {
    pub(super) before: Sample,
    pub(super) connected: Sample,
    /// When the warm-up was over.
    pub(super) measuring: Option<Sample>,
    pub(super) after: Option<Sample>,
    pub(super) n_connected: u64,
    /// In and out, while it was measured.
    pub(super) n_messages: u64,
}

impl Usage {
    /// Its time while it was measured, and how long that was.
    fn cpu(&self) -> Option<(Duration, Duration)> {
        let (begin, end) = (self.measuring?, self.after?);
        let used = end.cpu.saturating_sub(begin.cpu);
        Some((used, end.at.saturating_duration_since(begin.at)))
    }

    /// How often it has waited, and was made to, while it was measured.
    fn switches(&self) -> Option<Switches> {
        let (begin, end) = (self.measuring?.switches, self.after?.switches);
        // The counts of threads that have ended are gone with them.
        Some(Switches {
            voluntary: end.voluntary.saturating_sub(begin.voluntary),
            involuntary: end.involuntary.saturating_sub(begin.involuntary),
        })
    }

    /// Bytes by which each connection has made it grow.
    fn per_connection(&self) -> Option<f64> {
        let grown = self.connected.rss_bytes as f64 - self.before.rss_bytes as f64;
        (self.n_connected > 0).then(|| grown / self.n_connected as f64)
    }

    pub(super) fn text(&self) -> String {
        let rss = |sample: &Sample| bytes(sample.rss_bytes as f64);
        let mut text = format!(
            "server memory       {} before, {} with all connections",
            rss(&self.before),
            rss(&self.connected)
        );
        if let Some(each) = self.per_connection() {
            text.push_str(&format!(" ({} each)", bytes(each)));
        }
        match &self.after {
            Some(after) => text.push_str(&format!(", {} at the end", rss(after))),
            None => text.push_str(", gone at the end"),
        }
        if let Some((used, within)) = self.cpu() {
            let share = 100.0 * used.as_secs_f64() / within.as_secs_f64().max(1e-9);
            text.push_str(&format!(
                "\nserver time         {} of {}, {share:.0} % of a processor",
                time(used),
                time(within)
            ));
            if self.n_messages > 0 {
                let each = used.as_secs_f64() / self.n_messages as f64;
                text.push_str(&format!(
                    ", {:.1} µs for each message in or out",
                    each * 1e6
                ));
            }
        }
        if let Some(Switches {
            voluntary,
            involuntary,
        }) = self.switches()
        {
            text.push_str(&format!("\nserver wake-ups     {voluntary}"));
            if self.n_messages > 0 {
                let each = voluntary as f64 / self.n_messages as f64;
                text.push_str(&format!(", {each:.2} for each message in or out"));
            }
            text.push_str(&format!("; interrupted {involuntary} times"));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let cpu = self.cpu();
        let switches = self.switches();
        json!({
            "rss_before_bytes": self.before.rss_bytes,
            "rss_connected_bytes": self.connected.rss_bytes,
            "rss_after_bytes": self.after.map(|after| after.rss_bytes),
            "bytes_per_connection": self.per_connection(),
            "cpu_connecting_s": self.connected.cpu.saturating_sub(self.before.cpu).as_secs_f64(),
            "cpu_measured_s": cpu.map(|(used, _)| used.as_secs_f64()),
            "cpu_measured_over_s": cpu.map(|(_, within)| within.as_secs_f64()),
            "voluntary_switches_measured": switches.map(|switches| switches.voluntary),
            "involuntary_switches_measured": switches.map(|switches| switches.involuntary),
        })
    }
}

/// **Source**: `VmRSS`, proc_pid_status(5).
fn rss(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: Option<u64> = kib.and_then(|kib| kib.parse().ok());
    // A process that has ended and was not waited for has none.
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("it has no memory"))
}

/// **Source**: `utime` and `stime`, proc_pid_stat(5).
fn cpu(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    ticks(&stat)
        .map(|n_ticks| TICK * n_ticks)
        .ok_or_else(|| io::Error::other("its times are not understood"))
}

fn ticks(stat: &str) -> Option<u32> {
    // The name, in parentheses, may have anything in it. The state is the third field, the times are 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(14 - 3);
    let user: u32 = times.next()?.parse().ok()?;
    let system: u32 = times.next()?.parse().ok()?;
    user.checked_add(system)
}

/// Of all its threads: the file of the process has those of the first.
///
/// **Source**: `voluntary_ctxt_switches` and `nonvoluntary_ctxt_switches`, proc_pid_status(5).
fn switches(pid: u32) -> io::Result<Switches> {
    let mut sum = Switches::default();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        match fs::read_to_string(task?.path().join("status")) {
            Ok(status) => sum.add(Switches::of(&status)),
            // The thread has ended meanwhile.
            Err(_) => continue,
        }
    }
    Ok(sum)
}

impl Switches {
    fn of(status: &str) -> Self {
        let count = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
        };
        Self {
            voluntary: count("voluntary_ctxt_switches:"),
            involuntary: count("nonvoluntary_ctxt_switches:"),
        }
    }

    const fn add(&mut self, other: Self) {
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 21 12 0 0 20 0 1 0 5 0 0";
        assert_eq!(ticks(stat), Some(33));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn switches_are_told_apart() {
        let status = "Name:\ta\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t7\n";
        let expected = Switches {
            voluntary: 150,
            involuntary: 7,
        };
        assert_eq!(Switches::of(status), expected);
        assert_eq!(Switches::of("Name:\ta\n"), Switches::default());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_no_process_has_none() {
        let sample = Sample::take(&[std::process::id()]).unwrap().unwrap();
        assert!(sample.rss_bytes > 100_000);
        let Switches {
            voluntary,
            involuntary,
        } = sample.switches;
        assert!(voluntary + involuntary > 0);
        assert!(Sample::take(&[]).unwrap().is_none());
        let missing = Sample::take(&[u32::MAX]);
        assert!(matches!(missing, Err(PlanError::Process { .. })));
    }
}
