//! `greenroom gc`: takes out of Redis what dead nodes have left there.

use clap::Args;
use greenroom::config::Source;
use greenroom::{DeadNode, GcReport};

use super::{Failure, Which, print};

/// Take out of Redis what dead nodes have left there
///
/// Living nodes do this by themselves when a lease has run out; this is for when there are none. Keys
/// of others are not touched.
#[derive(Debug, Args)]
pub(super) struct Gc {
    /// Only tell what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

impl Gc {
    pub(super) fn run(self, source: Source) -> Result<(), Failure> {
        let (config, endpoints) = self.which.settings(source)?;
        let redis = &config.redis;
        let found = greenroom::gc(
            &endpoints.data,
            &redis.key,
            redis.connect_timeout,
            self.dry_run,
        );
        let report = actix_rt::System::new().block_on(found)?;
        print(&match self.json {
            true => json(&report, self.dry_run),
            false => text(&report, self.dry_run),
        })
    }
}

/// One line per dead node, and one about the others.
fn text(report: &GcReport, is_dry_run: bool) -> String {
    let mut lines: Vec<String> = report
        .dead
        .iter()
        .map(|node| {
            let DeadNode { uid, n_sockets, .. } = node;
            let done = match (is_dry_run, node.is_removed) {
                (true, _) => "would be removed",
                (false, true) => "removed",
                (false, false) => "left to another node, which is removing them",
            };
            format!("dead node {uid}: {} {done}", counted(*n_sockets, "socket"))
        })
        .collect();
    let alive = counted(report.n_alive, "living node");
    lines.push(match report.dead.is_empty() {
        true => format!("nothing to remove; {alive}"),
        false => alive,
    });
    lines.join("\n")
}

fn json(report: &GcReport, is_dry_run: bool) -> String {
    let dead: Vec<_> = report
        .dead
        .iter()
        .map(|node| {
            serde_json::json!({
                "uid": node.uid,
                "sockets": node.n_sockets,
                "removed": node.is_removed,
            })
        })
        .collect();
    serde_json::json!({ "dry_run": is_dry_run, "alive": report.n_alive, "dead": dead }).to_string()
}

fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
