//! `greenroom check`: whether a server with these settings would work here.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use clap::Args;
use greenroom::Observer;
use greenroom::config::{Config, Source};
use serde_json::json;

use super::{Failure, print};

/// Check the settings, that the port is free, that enough files may be open, and that Redis can do what is needed
///
/// Ends with 1 if something would keep a server from working, with 2 if the settings are wrong.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// End with 1 for warnings too
    #[arg(long)]
    strict: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Ok,
    Warning,
    Error,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What was looked at, what came of it, and words.
type Finding = (&'static str, Outcome, String);

impl Check {
    pub(super) fn run(self, source: &Source) -> Result<(), Failure> {
        let settings = source.read()?;
        let config = &settings.config;
        let from = match &settings.file {
            Some(file) => file.display().to_string(),
            None => "the defaults and the environment, without a file".to_owned(),
        };
        let mut findings = vec![
            ("settings", Outcome::Ok, from),
            address(config),
            files(config),
        ];
        findings.extend(redis(config)?);
        let worst = findings.iter().map(|finding| finding.1).max();
        let worst = worst.unwrap_or(Outcome::Ok);
        let is_ok = worst == Outcome::Ok || (worst == Outcome::Warning && !self.strict);
        print(&match self.json {
            true => as_json(&findings, is_ok),
            false => as_text(&findings),
        })?;
        match is_ok {
            true => Ok(()),
            false => Err(Failure::Check),
        }
    }
}

fn as_text(findings: &[Finding]) -> String {
    let lines = findings
        .iter()
        .map(|(what, outcome, words)| format!("{}: {what}: {words}", outcome.name()));
    lines.collect::<Vec<_>>().join("\n")
}

fn as_json(findings: &[Finding], is_ok: bool) -> String {
    let findings: Vec<_> = findings
        .iter()
        .map(|(what, outcome, words)| json!({ "what": what, "outcome": outcome.name(), "text": words }))
        .collect();
    json!({ "ok": is_ok, "checks": findings }).to_string()
}

/// Whether it can be listened on. Somebody who does so already may be the server that is to be replaced.
fn address(config: &Config) -> Finding {
    let address = format!("{}:{}", config.server.host, config.server.port);
    let (outcome, words) = match TcpListener::bind(&address) {
        Ok(_) => (Outcome::Ok, address),
        Err(err) if err.kind() == ErrorKind::AddrInUse => (
            Outcome::Warning,
            format!("somebody listens on {address} already"),
        ),
        Err(err) => (Outcome::Error, format!("cannot listen on {address}: {err}")),
    };
    ("server.host, server.port", outcome, words)
}

/// Besides the connections: Redis, logs, what the system needs.
const OTHER_FILES: usize = 100;

/// Each connection is a file, and each process may have so many.
fn files(config: &Config) -> Finding {
    let wanted = config.limits.connections;
    let (outcome, words) = match open_files() {
        Some(may) if wanted != usize::MAX && may < wanted.saturating_add(OTHER_FILES) => (
            Outcome::Warning,
            format!(
                "only {may} files may be open, each connection is one, and limits.connections is {wanted}: raise the \
                 first (ulimit -n, LimitNOFILE=), or lower the second"
            ),
        ),
        Some(may) => (Outcome::Ok, format!("{may} files may be open")),
        None => (
            Outcome::Ok,
            "how many files may be open is not known here".to_owned(),
        ),
    };
    ("limits.connections", outcome, words)
}

/// How many files this process may have open.
///
/// **Source**: proc_pid_limits(5).
fn open_files() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

fn redis(config: &Config) -> Result<Vec<Finding>, Failure> {
    const WHAT: &str = "redis";
    let Some(endpoints) = config.redis.endpoints()? else {
        return Ok(vec![(
            WHAT,
            Outcome::Ok,
            "none: this server is alone".to_owned(),
        )]);
    };
    let observer = Observer::new(endpoints, &config.redis);
    let checking = observer.check(config);
    let checks = actix_rt::System::new().block_on(checking);
    let found = checks.into_iter().map(|check| match check.problem {
        None => (WHAT, Outcome::Ok, check.what.to_owned()),
        Some(problem) => (
            WHAT,
            Outcome::Error,
            format!("cannot {}: {problem}", check.what),
        ),
    });
    Ok(found.collect())
}
