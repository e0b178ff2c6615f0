//! What tells a running server to end, and the end that it brings.

use std::io;
use std::time::Duration;

use futures_util::future::{join_all, select_all};

use super::systemd;
use crate::error::Error;
use crate::server::Server;

/// What a signal asks for.
enum Signal {
    End,
    #[cfg(unix)]
    Reread,
}

/// SIGINT and SIGTERM; and SIGHUP, which ends a program that has nothing to read again.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// From now on they do not end the process by themselves.
    #[cfg(unix)]
    fn hear(servers: &[Server]) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: match servers.iter().any(Server::has_source) {
                true => Some(signal(SignalKind::hangup())?),
                false => None,
            },
        })
    }

    #[cfg(not(unix))]
    fn hear(_: &[Server]) -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn next(&mut self) -> Signal {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signal::End,
            _ = self.terminate.recv() => Signal::End,
            () = hangup => Signal::Reread,
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> Signal {
        // One that cannot be heard never comes.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::End
    }
}

impl Signals {
    async fn end(&mut self) {
        while !matches!(self.next().await, Signal::End) {}
    }
}

/// Until a program tells one of its servers to stop.
async fn stopped(servers: &[Server]) {
    let stops = servers
        .iter()
        .map(|server| Box::pin(server.shared().stop.notified()));
    select_all(stops).await;
}

/// Runs what listens for `servers` until a signal or the program tells them to end, and then until they have.
pub(super) async fn run(listener: actix_server::Server, servers: &[Server]) -> Result<(), Error> {
    let mut signals = Signals::hear(servers).map_err(Error::Run)?;
    let handle = listener.handle();
    let mut listening = actix_rt::spawn(listener);
    let ended = |ended: Result<io::Result<()>, tokio::task::JoinError>| {
        ended
            .map_err(|err| Error::Run(err.into()))?
            .map_err(Error::Run)
    };
    systemd::ready();
    let watched = systemd::watched(servers);
    let stopped = stopped(servers);
    tokio::pin!(watched, stopped);
    loop {
        tokio::select! {
            end = &mut listening => return ended(end),
            never = &mut watched => match never {},
            () = &mut stopped => break,
            signal = signals.next() => match signal {
                Signal::End => break,
                #[cfg(unix)]
                Signal::Reread => servers.iter().for_each(Server::reread),
            },
        }
    }
    log::info!("greenroom ends sessions={}", n_sessions(servers));
    systemd::stopping();
    let end = tokio::time::Instant::now() + timeout(servers);
    let orderly = async {
        let n_cut: usize = join_all(servers.iter().map(Server::drain))
            .await
            .iter()
            .sum();
        // Requests that are being answered.
        let answered = tokio::time::timeout_at(end, handle.stop(true)).await;
        match (n_cut, answered) {
            (0, Ok(())) => Ok(()),
            (n_sessions, _) => Err(Error::Cut {
                why: "shutdown.timeout is over",
                n_sessions,
            }),
        }
    };
    let outcome = tokio::select! {
        outcome = orderly => outcome,
        never = watched => match never {},
        // Whoever says it twice means it.
        () = signals.end() => Err(Error::Cut {
            why: "a second signal ends it at once",
            n_sessions: n_sessions(servers),
        }),
    };
    if outcome.is_err() {
        // Without waiting for anybody.
        listening.abort();
    }
    log::info!("greenroom has ended sessions={}", n_sessions(servers));
    outcome
}

fn n_sessions(servers: &[Server]) -> usize {
    servers.iter().map(Server::n_sessions).sum()
}

/// How long all of it may take.
pub(super) fn timeout(servers: &[Server]) -> Duration {
    let of = |server: &Server| server.config().shutdown.timeout;
    servers.iter().map(of).max().unwrap_or_default()
}
