//! What the system says of this process, under the names that all exporters of Prometheus use.
//!
//! Source: "Writing client libraries", standard and runtime metrics, in the documentation of Prometheus.

use std::fs;

use super::exposition::Exposition;

/// Ticks per second in `/proc/self/stat`: fixed for programs, whatever the kernel counts in (`proc(5)`, `USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Adds what is known: all of it on Linux, nothing elsewhere.
pub(super) fn describe(text: &mut Exposition) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kilobytes) = number_after(&status, "VmRSS:") {
        text.gauge(
            "process_resident_memory_bytes",
            "Memory that the process holds.",
        )
        .is(kilobytes * 1024);
    }
    if let Some(threads) = number_after(&status, "Threads:") {
        text.gauge("process_threads", "Threads of the process.")
            .is(threads);
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(seconds) = cpu_seconds(&stat) {
        text.counter(
            "process_cpu_seconds_total",
            "Time that all cores spent on the process.",
        )
        .is(seconds);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The directory that is being read is one of them.
        text.gauge("process_open_fds", "Open files and sockets.")
            .is(open.count().saturating_sub(1));
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(limit) = number_after(&limits, "Max open files") {
        text.gauge(
            "process_max_fds",
            "Files and sockets that may be open at once.",
        )
        .is(limit);
    }
}

/// The number behind a word at the beginning of a line.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Fields 14 and 15; the name before them, in parentheses, may have anything in it.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found() {
        let status = "Name:\ta\nVmRSS:\t   10240 kB\nThreads:\t3\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(10240));
        assert_eq!(number_after(status, "Threads:"), Some(3));
        assert_eq!(number_after(status, "VmSwap:"), None);
        let limits = "Max open files            1024                 524288               files\n";
        assert_eq!(number_after(limits, "Max open files"), Some(1024));
        let unlimited = "Max open files            unlimited            unlimited   files\n";
        assert_eq!(number_after(unlimited, "Max open files"), None);
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 3 0 99 1 2";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds(""), None);
    }
}
