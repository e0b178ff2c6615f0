//! The metrics of what programs elsewhere have to do with a server: the HTTP API, backends, webhooks.

use super::exposition::Exposition;
use crate::server::Shared;

/// Adds what there is; what has not been done yet is not there.
pub(super) fn describe(text: &mut Exposition, shared: &Shared) {
    for ((command, status), durations) in shared.metrics.api.read() {
        let labels = [("command", command), ("status", status)];
        let _ = text
            .histogram(
                "greenroom_api_seconds",
                "Requests to the HTTP API, from their head until the answer, by class of status.",
            )
            .durations(&labels, &durations);
    }
    for ((namespace, result), durations) in shared.metrics.backend.read() {
        let labels = [("namespace", &*namespace), ("result", result)];
        let _ = text
            .histogram(
                "greenroom_backend_seconds",
                "Calls of backends, from when they are due until the answer or the failure.",
            )
            .durations(&labels, &durations);
    }
    if let Some(webhooks) = &shared.webhooks {
        text.gauge(
            "greenroom_webhooks_pending",
            "Webhooks that are neither delivered nor given up.",
        )
        .is(webhooks.n_waiting());
        let _ = text
            .histogram(
                "greenroom_webhook_seconds",
                "From what a webhook tells of until it is delivered.",
            )
            .durations(&[], &webhooks.delivered());
    }
}
