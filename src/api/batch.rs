//! `POST /batch`: several commands in one request.

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Api;
use super::commands::Command;
use super::problem::Problem;

/// Commands, begun in their order. One that is refused does not keep the others from being carried out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    commands: Vec<Command>,
}

impl Batch {
    pub(super) async fn run(self, api: &Api, at: &str) -> Result<Json, Problem> {
        let (n, most) = (self.commands.len(), api.settings.commands_per_batch);
        if n > most {
            return Err(Problem::invalid(format!(
                "commands: there are {n}, which are at most {most}"
            )));
        }
        let n_collect = self
            .commands
            .iter()
            .filter(|command| command.collects())
            .count();
        // All have taken effect before the first answer is waited for.
        let started: Vec<_> = self
            .commands
            .into_iter()
            .map(|command| command.start(api, n_collect.max(1)))
            .collect();
        let results = started
            .into_iter()
            .enumerate()
            .map(async |(index, started)| {
                let result = match started {
                    Ok(answer) => answer.await,
                    Err(problem) => Err(problem),
                };
                match result {
                    Ok(body) => json!({ "status": 200, "body": body }),
                    Err(problem) => {
                        let (document, instance) =
                            problem.document(&format!("{at}/commands/{index}"));
                        api.refused(&problem, &instance);
                        json!({ "status": problem.status(), "body": document })
                    }
                }
            });
        Ok(json!({ "results": join_all(results).await }))
    }
}
