//! The metrics of a node of a cluster.

use std::time::Instant;

use super::exposition::{Exposition, Kind};
use super::workers::PATIENCE;
use crate::cluster::{Cluster, Part};
use crate::server::Shared;
use crate::subscriber::CountHeard;

/// What the store tells under short names, and what that is here: name, unit, kind, help.
const STORED: &[(&str, &str, Kind, &str)] = &[
    (
        "membership_pending",
        "greenroom_membership_pending",
        Kind::Gauge,
        "Sockets of which something is not in Redis yet.",
    ),
    (
        "membership_lag_ms",
        "greenroom_membership_lag_seconds",
        Kind::Gauge,
        "How long the oldest change has been waiting to be in Redis.",
    ),
    (
        "membership_flushes",
        "greenroom_membership_flushes_total",
        Kind::Counter,
        "Batches of changes that were written.",
    ),
    (
        "membership_rewrites",
        "greenroom_membership_rewrites_total",
        Kind::Counter,
        "How often everything was compared and written.",
    ),
    (
        "membership_reaped",
        "greenroom_membership_reaped_total",
        Kind::Counter,
        "Sockets of dead nodes whose entries were removed.",
    ),
    (
        "membership_errors",
        "greenroom_membership_errors_total",
        Kind::Counter,
        "Commands that Redis refused, and connections that broke or were not made.",
    ),
    (
        "membership_synced",
        "greenroom_membership_synced",
        Kind::Gauge,
        "Whether Redis has everything, but for what is pending.",
    ),
];

/// What the node has heard of others, if its subscriber answers in time.
pub(super) async fn heard(text: &mut Exposition, shared: &Shared) {
    let asked = tokio::time::timeout(PATIENCE, shared.ask_subscriber(CountHeard)).await;
    let Ok(Some(heard)) = asked else {
        return;
    };
    text.counter(
        "greenroom_cluster_messages_total",
        "Messages that came from Redis, also those of this node.",
    )
    .is(heard.messages);
    text.counter("greenroom_cluster_bytes_total", "Bytes of these messages.")
        .is(heard.bytes);
    text.counter(
        "greenroom_cluster_needless_total",
        "Those of them that were for rooms without members here.",
    )
    .is(heard.needless);
}

pub(super) fn describe(text: &mut Exposition, cluster: &Cluster) {
    let mut connections = text.gauge(
        "greenroom_redis_connected",
        "Whether a connection to Redis stands.",
    );
    for part in Part::ALL {
        let is_up = u8::from(cluster.health.is_up(part));
        connections = connections.with("connection", part.name(), is_up);
    }
    text.gauge(
        "greenroom_redis_canary_age_seconds",
        "How long ago a message to itself came back through Redis.",
    )
    .is(cluster.health.canary_age(Instant::now()).as_secs_f64());
    text.gauge(
        "greenroom_publish_queue_bytes",
        "Bytes that wait to be published.",
    )
    .is(cluster.publications.bytes());
    text.counter(
        "greenroom_publish_lost_total",
        "Messages for other nodes that Redis has not got, or of which nobody knows.",
    )
    .is(cluster.health.lost());
    text.gauge(
        "greenroom_cluster_peers",
        "Other nodes of this program that live.",
    )
    .is(cluster.n_peers());
    text.counter(
        "greenroom_cluster_silent_total",
        "Answers of other nodes that were waited for in vain.",
    )
    .is(cluster.n_silent());
    for (question, durations) in cluster.questions.read() {
        let _ = text
            .histogram(
                "greenroom_cluster_question_seconds",
                "Questions to other nodes, until all have answered or are waited for no more.",
            )
            .durations(&[("question", question.name())], &durations);
    }
    for (name, value) in cluster.gauges() {
        let Some((_, family, kind, help)) = STORED.iter().find(|(known, ..)| *known == name) else {
            continue;
        };
        let sample = text.family(*kind, family, help);
        if name.ends_with("_ms") {
            sample.is(std::time::Duration::from_millis(value).as_secs_f64());
        } else {
            sample.is(value);
        }
    }
}
