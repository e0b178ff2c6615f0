//! Every metric of a server: its name, its help, where its value comes from.

use std::sync::atomic::Ordering;

use super::exposition::{Exposition, Family};
use super::workers::Workers;
use super::{cluster, process, programs, sockets};
use crate::metrics::Counter;
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::Transport;
use crate::recovery::Recovery;
use crate::server::{Server, Shared};

const TRANSPORTS: [Transport; 2] = [Transport::Polling, Transport::Websocket];

/// What all namespaces that patterns made are called together: clients choose their names.
pub(super) const DYNAMIC: &str = "dynamic";

/// Causes that have a family of their own.
const APART: [Counter; 3] = [
    Counter::HandshakeRefused,
    Counter::UpgradeFailed,
    Counter::Recovered,
];

/// The text of one scrape. With several servers each sample bears the path of its server.
pub(super) async fn scrape(servers: &[Server], is_ready: bool) -> String {
    let mut text = Exposition::default();
    text.gauge("greenroom_build_info", "The version; always 1.")
        .with("version", env!("CARGO_PKG_VERSION"), 1);
    text.gauge(
        "greenroom_ready",
        "Whether clients should be sent here, as /readyz says.",
    )
    .is(u8::from(is_ready));
    process::describe(&mut text);
    for server in servers {
        let shared = server.shared();
        let path = &shared.config.server.path;
        text.set_common((servers.len() > 1).then(|| ("path", path.clone())));
        let _turn = shared.tallies.turn.lock().await;
        let workers = Workers::ask(shared).await;
        lives(&mut text, shared, &workers);
        sessions(&mut text, shared, &workers);
        drain(&mut text, shared);
        traffic(&mut text, &workers);
        if let Some(namespaces) = shared.namespaces() {
            let (named, dynamic) = namespaces.census();
            sockets::sockets(&mut text, &named, &dynamic, &workers);
            sockets::rooms(&mut text, shared, &named).await;
        }
        causes(&mut text, shared);
        programs::describe(&mut text, shared);
        if let Some(cluster) = &shared.cluster {
            cluster::describe(&mut text, cluster);
            cluster::heard(&mut text, shared).await;
        }
    }
    text.into_text()
}

fn lives(text: &mut Exposition, shared: &Shared, workers: &Workers) {
    text.gauge(
        "greenroom_uptime_seconds",
        "How long ago the server was made.",
    )
    .is(shared.started.elapsed().as_secs_f64());
    text.gauge("greenroom_workers", "Workers that serve clients.")
        .is(workers.n_workers);
    text.gauge(
        "greenroom_workers_silent",
        "Workers that did not report within a second; of them the last numbers are shown.",
    )
    .is(workers.n_silent);
    text.gauge(
        "greenroom_worker_backlog",
        "Messages between workers that wait to be carried out.",
    )
    .is(workers.backlog);
}

fn sessions(text: &mut Exposition, shared: &Shared, workers: &Workers) {
    let tally = &workers.tally;
    by_transport(
        text.gauge(
            "greenroom_sessions",
            "Sessions that are open, by their transport.",
        ),
        workers.n_sessions.map(|n| n as u64),
    );
    text.gauge(
        "greenroom_sessions_half_open",
        "Sessions that have not joined a namespace yet.",
    )
    .is(shared.n_half_open());
    let limit = shared.limits().connections;
    if limit < usize::MAX {
        text.gauge(
            "greenroom_sessions_limit",
            "limits.connections; missing without a limit.",
        )
        .is(limit);
    }
    by_transport(
        text.counter(
            "greenroom_sessions_opened_total",
            "Handshakes that were accepted, by their transport.",
        ),
        tally.opened,
    );
    labelled(
        text.counter(
            "greenroom_sessions_closed_total",
            "Sessions that have ended, by reason.",
        ),
        "reason",
        &DisconnectReason::ALL,
        tally.closed,
    );
    text.counter(
        "greenroom_sessions_recovered_total",
        "Sockets that came back with their state.",
    )
    .is(shared.metrics.get(Counter::Recovered));
    text.counter(
        "greenroom_upgrades_total",
        "Upgrades from polling to WebSocket, by result.",
    )
    .with("result", "ok", tally.upgraded)
    .with(
        "result",
        "failed",
        shared.metrics.get(Counter::UpgradeFailed),
    );
    refused(text, shared);
    let _ = text
        .histogram(
            "greenroom_heartbeat_seconds",
            "From the time a ping is due until its pong.",
        )
        .durations(&[], &tally.round_trips);
}

fn refused(text: &mut Exposition, shared: &Shared) {
    let by_code = shared.metrics.refused();
    let all = shared.metrics.get(Counter::HandshakeRefused);
    let mut family = text.counter(
        "greenroom_requests_refused_total",
        "Handshakes and requests that were refused, by the number of the Engine.IO error.",
    );
    for (code, n) in by_code.iter().enumerate() {
        family = family.with("code", &code.to_string(), n);
    }
    // WebSockets without an engine are refused without a number.
    let without = all.saturating_sub(by_code.iter().sum());
    family.with("code", "none", without);
}

fn drain(text: &mut Exposition, shared: &Shared) {
    text.gauge("greenroom_draining", "Whether the server ends.")
        .is(u8::from(shared.is_ending.load(Ordering::Relaxed)));
    let [remaining, ended, cut_off] = shared.drained.progress(shared.n_sessions());
    text.gauge(
        "greenroom_drain_sessions",
        "Sessions of a server that ends, by what has become of them; 0 before.",
    )
    .with("state", "remaining", remaining)
    .with("state", "ended", ended)
    .with("state", "cut_off", cut_off);
}

fn traffic(text: &mut Exposition, workers: &Workers) {
    let tally = &workers.tally;
    for (packets, bytes, help, help_bytes, counted) in [
        (
            "greenroom_packets_received_total",
            "greenroom_received_bytes_total",
            "Engine.IO packets from clients.",
            "Bytes of the packets from clients, without framing and compression.",
            &tally.received,
        ),
        (
            "greenroom_packets_sent_total",
            "greenroom_sent_bytes_total",
            "Engine.IO packets that a transport has taken.",
            "Bytes of the packets that a transport has taken, before framing and compression.",
            &tally.sent,
        ),
    ] {
        by_transport(
            text.counter(packets, help),
            counted.map(|traffic| traffic.packets),
        );
        by_transport(
            text.counter(bytes, help_bytes),
            counted.map(|traffic| traffic.bytes),
        );
    }
    text.gauge(
        "greenroom_outbox_bytes",
        "Bytes that wait to be taken by clients.",
    )
    .is(workers.outbox_bytes);
    text.gauge(
        "greenroom_outbox_largest_bytes",
        "Bytes in the fullest outbox; limits.outbox_bytes ends its session.",
    )
    .is(workers.largest_outbox_bytes);
    text.gauge(
        "greenroom_sessions_blocked",
        "Sessions whose client does not take what was sent to it.",
    )
    .is(workers.n_blocked);
}

fn causes(text: &mut Exposition, shared: &Shared) {
    let mut family = text.counter(
        "greenroom_incidents_total",
        "What was refused, ended or went wrong, by cause.",
    );
    let recovery = shared.recovery.iter().flat_map(Recovery::counters);
    for (cause, n) in shared.metrics.read().chain(recovery) {
        if APART.iter().all(|counter| counter.name() != cause) {
            family = family.with("cause", cause, n);
        }
    }
}

fn by_transport(family: Family<'_>, values: [u64; TRANSPORTS.len()]) {
    labelled(family, "transport", &TRANSPORTS, values);
}

/// Samples of one label.
pub(super) fn labelled<T: ToString, const N: usize>(
    mut family: Family<'_>,
    label: &str,
    names: &[T; N],
    values: [u64; N],
) {
    for (name, value) in names.iter().zip(values) {
        family = family.with(label, &name.to_string(), value);
    }
}
