//! What systemd is told (`Type=notify`): that clients can connect, that the program ends, and that its workers work. If
//! something else has started it, nobody is told anything.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use sd_notify::NotifyState;
use tokio::sync::oneshot;

use crate::hub::Command;
use crate::server::Server;

pub(super) fn ready() {
    tell(NotifyState::Ready);
}

pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Tells the watchdog, if there is one, again and again that all workers have answered. Never ends.
pub(super) async fn watched(servers: &[Server]) -> Infallible {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    // Two may come to nothing, as when a handler computes for a moment.
    let mut beat = tokio::time::interval(limit / 3);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        if all_work(servers, limit / 4).await {
            tell(NotifyState::Watchdog);
        } else {
            log::warn!("a worker does not answer, the watchdog is not told that all is well");
        }
    }
}

async fn all_work(servers: &[Server], patience: Duration) -> bool {
    let mut asked = Vec::new();
    for server in servers {
        for hub in server.shared().hubs_now().iter() {
            let (to, report) = oneshot::channel();
            hub.send(Command::Report(to));
            asked.push(report);
        }
    }
    let all = tokio::time::timeout(patience, join_all(asked)).await;
    all.is_ok_and(|reports| reports.iter().all(Result::is_ok))
}

fn tell(state: NotifyState<'_>) {
    if let Err(err) = sd_notify::notify(&[state]) {
        log::warn!("systemd cannot be told err={err}");
    }
}
