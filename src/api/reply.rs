//! What all answers have in common: whether they are complete, and if not, why.

use serde_json::{Value, json};

use super::Api;
use crate::Silent;

/// Whether everybody was told.
pub(super) fn told(api: &Api, is_local: bool) -> Value {
    let trouble = api.server.trouble().filter(|_| !is_local);
    let mut reply = json!({ "complete": trouble.is_none() });
    add_trouble(&mut reply, trouble);
    reply
}

/// Adds to an answer whether all servers have answered, and who has not.
pub(super) fn gathered(api: &Api, mut reply: Value, silent: &Silent, is_local: bool) -> Value {
    let trouble = api.server.trouble().filter(|_| !is_local);
    reply["complete"] = (trouble.is_none() && silent.is_nobody()).into();
    reply["silent"] = json!({ "nodes": silent.nodes, "unnamed": silent.unnamed });
    add_trouble(&mut reply, trouble);
    reply
}

fn add_trouble(reply: &mut Value, trouble: Option<String>) {
    if let Some(trouble) = trouble {
        reply["trouble"] = trouble.into();
    }
}
