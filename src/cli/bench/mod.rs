//! `greenroom bench`: loads any Socket.IO server, and tells how it does.
//!
//! | file | is about |
//! |---|---|
//! | `arguments`, `plan`, `messages` | what is asked for, and what that means |
//! | `conduct`, `worker`, `shared` | the run: its phases, its threads, what they share |
//! | `client`, `membership`, `traffic` | one client: how it comes, its rooms, and what it says and hears |
//! | `stalled` | one that does not read |
//! | `target`, `wire`, `websocket`, `polling` | connections, and packets of Engine.IO on them |
//! | `schedule`, `timer` | when what is due; the clock that rings then |
//! | `template`, `stamp` | what is sent, and how it is known again |
//! | `broken` | what goes wrong |
//! | `tally`, `counts`, `times`, `process` | what is counted and measured |
//! | `files` | how many connections there may be |
//! | `progress`, `report`, `json`, `words`, `plot`, `svg` | what is shown |

mod arguments;
mod broken;
mod client;
mod conduct;
mod counts;
mod files;
mod json;
mod membership;
mod messages;
mod plan;
mod plot;
mod polling;
mod process;
mod progress;
mod report;
mod schedule;
mod shared;
mod stalled;
mod stamp;
mod svg;
mod tally;
mod target;
mod template;
mod timer;
mod times;
mod traffic;
mod websocket;
mod wire;
mod words;
mod worker;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use self::arguments::{Clients, Mode};
use self::plan::Plan;
use self::report::Report;
use super::{Failure, print};

pub(super) use self::arguments::Bench;
pub(super) use self::broken::PlanError;

impl Bench {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let plan = Arc::new(Plan::new(&self.mode)?);
        let Clients { svg, json, .. } = self.mode.clients();
        // Better now than when all is done.
        let file = svg.as_deref().map(create).transpose()?;
        if let Some((old, new)) = files::allow(&plan)? {
            eprintln!("greenroom: raised the limit of open files from {old} to {new}");
        }
        let conducted = conduct::conduct(Arc::clone(&plan));
        let outcome = actix_rt::System::new().block_on(conducted)?;
        let report = Report {
            plan: &plan,
            outcome: &outcome,
        };
        if let (Some(mut file), Some(path)) = (file, svg) {
            let written = file.write_all(report.svg().as_bytes());
            written.map_err(|source| unwritten(path, source))?;
        }
        print(&match json {
            true => report.json().to_string(),
            false => report.text(),
        })?;
        match report.is_ok() {
            true => Ok(()),
            false => Err(Failure::Bench),
        }
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|source| unwritten(path, source))
}

fn unwritten(path: &Path, source: std::io::Error) -> Failure {
    Failure::Unwritten {
        path: path.to_owned(),
        source,
    }
}

impl Mode {
    const fn clients(&self) -> &Clients {
        match self {
            Self::Connect(connect) => &connect.clients,
            Self::Echo(echo) => &echo.clients,
            Self::Broadcast(broadcast) => &broadcast.clients,
            Self::Rooms(rooms) => &rooms.clients,
        }
    }
}
