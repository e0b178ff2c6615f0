//! `POST /batch`: several commands in one request.

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::HashMap;

use super::Api;
use super::commands::Command;
use super::problem::{Kind, Problem};
use super::whom::find;
use crate::Namespace;

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
        let namespaces = self.namespaces(api).await;
        // All have taken effect before the first answer is waited for.
        let started: Vec<_> = self
            .commands
            .into_iter()
            .map(|command| match namespaces.get(command.namespace()) {
                Some(Ok(nsp)) => command.start(api, nsp, n_collect.max(1)),
                Some(Err(problem)) => Err(problem.clone()),
                None => Err(Problem::new(
                    Kind::Internal,
                    "a namespace was not looked for",
                )),
            })
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

    /// The namespaces that the commands are for, or why they are not there.
    async fn namespaces(&self, api: &Api) -> HashMap<String, Result<Namespace, Problem>> {
        let mut found = HashMap::new();
        for name in self.commands.iter().map(Command::namespace) {
            if !found.contains_key(name) {
                found.insert(name.to_owned(), find(api, name).await);
            }
        }
        found
    }
}
