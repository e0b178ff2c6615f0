//! A connection for commands.

use std::{fmt, time::Duration};

use ::redis::{Cmd, Pipeline, ServerError, Value, aio::MultiplexedConnection};
use tokio::sync::watch;

use super::{Cause, LinkError, cluster::Cluster, error::Redacted};

/// A connection for commands. Cheap to clone; a clone is the same connection.
///
/// Once it broke, or an answer did not come in time, every call fails at once, and the owner dials anew: answers that
/// come late could otherwise be from before something that has been said since on another connection.
#[derive(Clone)]
pub(crate) struct Link {
    route: Route,
    timeout: Duration,
    redacted: Redacted,
    is_broken: watch::Sender<bool>,
}

#[derive(Clone)]
enum Route {
    Single(MultiplexedConnection),
    Cluster(Cluster),
}

impl fmt::Debug for Link {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Link")
            .field("is_broken", &self.is_broken)
            .finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn single(
        connection: MultiplexedConnection,
        timeout: Duration,
        redacted: Redacted,
    ) -> Self {
        Self::new(Route::Single(connection), timeout, redacted)
    }

    pub(super) fn cluster(cluster: Cluster, timeout: Duration, redacted: Redacted) -> Self {
        Self::new(Route::Cluster(cluster), timeout, redacted)
    }

    fn new(route: Route, timeout: Duration, redacted: Redacted) -> Self {
        Self {
            route,
            timeout,
            redacted,
            is_broken: watch::Sender::new(false),
        }
    }

    /// The connection, if it is to one server.
    pub(super) fn into_single(self) -> Option<MultiplexedConnection> {
        match self.route {
            Route::Single(connection) => Some(connection),
            Route::Cluster(_) => None,
        }
    }

    /// Sends all commands in one write per server, and gives each answer in the order of the commands.
    ///
    /// Errors of single commands are in the list. What happened to the commands of a call that fails is not known:
    /// some, all or none may have been carried out.
    ///
    /// In a Cluster, commands without a key (`PUBLISH` among them) go to one server, in order; those with one go to
    /// the master of its slot, in order for each slot, to all masters at the same time. A command has one key there
    /// (or keys of one slot), and no transaction.
    // Hot: per call one buffer with all commands and one list of answers; a command is moved, not copied.
    pub(crate) async fn pipeline(
        &self,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Result<Value, ServerError>>, LinkError> {
        if self.is_broken() {
            return Err(self
                .redacted
                .error(Cause::Unreachable, "the connection is broken"));
        }
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let sent = async {
            match &self.route {
                Route::Single(connection) => send(connection.clone(), commands).await,
                Route::Cluster(cluster) => cluster.pipeline(commands).await,
            }
        };
        let result = match tokio::time::timeout(self.timeout, sent).await {
            Ok(Ok(values)) => {
                return Ok(values.into_iter().map(answer).collect());
            }
            Ok(Err(err)) => self.redacted.of(&err, self.timeout),
            Err(_) => self.redacted.timeout(self.timeout),
        };
        self.give_up();
        Err(result)
    }

    /// Whether every further call fails.
    pub(crate) fn is_broken(&self) -> bool {
        *self.is_broken.borrow()
    }

    /// Nobody uses it any more, whoever has a clone.
    pub(crate) fn give_up(&self) {
        self.is_broken.send_replace(true);
    }

    /// Waits until every further call fails.
    pub(crate) fn broken(&self) -> impl Future<Output = ()> + use<> {
        let mut is_broken = self.is_broken.subscribe();
        async move {
            // Without anybody who could break it, nobody uses it either.
            let _ = is_broken.wait_for(|is_broken| *is_broken).await;
        }
    }

    /// Finds out whether every server answers on which it depends: one that is not talked to may be gone unnoticed.
    pub(crate) async fn try_all(&self) -> Result<(), LinkError> {
        let Route::Cluster(cluster) = &self.route else {
            return self.pipeline(vec![::redis::cmd("PING")]).await.map(drop);
        };
        let err = match tokio::time::timeout(self.timeout, cluster.is_whole()).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => self.redacted.error(Cause::Cluster, "a master is missing"),
            Ok(Err(err)) => self.redacted.of(&err, self.timeout),
            Err(_) => self.redacted.timeout(self.timeout),
        };
        // Who may not ask does not know.
        if err.cause() == Cause::Permission {
            return Ok(());
        }
        self.give_up();
        Err(err)
    }

    /// Publishes one message. An error says that the server refused it, or that nothing is known of it.
    pub(crate) async fn publish(&self, channel: &str, payload: &[u8]) -> Result<(), LinkError> {
        let mut command = Cmd::new();
        command.arg("PUBLISH").arg(channel).arg(payload);
        match self.pipeline(vec![command]).await?.pop() {
            Some(Err(err)) => Err(self.redacted.server(&err)),
            _ => Ok(()),
        }
    }

    /// Whether it leads to several servers, which carry out what they are told at the same time.
    pub(crate) const fn is_cluster(&self) -> bool {
        matches!(self.route, Route::Cluster(_))
    }

    /// Connections that are subscribed to exactly `channel`, at all servers of the topology.
    pub(crate) async fn numsub(&self, channel: &str) -> Result<usize, LinkError> {
        let mut command = Cmd::new();
        command.arg("PUBSUB").arg("NUMSUB").arg(channel);
        let value = match &self.route {
            Route::Single(_) => match self.pipeline(vec![command]).await?.pop() {
                Some(Ok(value)) => value,
                Some(Err(err)) => return Err(self.redacted.server(&err)),
                None => Value::Nil,
            },
            Route::Cluster(cluster) => {
                match tokio::time::timeout(self.timeout, cluster.everywhere(command)).await {
                    Ok(Ok(value)) => value,
                    Ok(Err(err)) => return Err(self.redacted.of(&err, self.timeout)),
                    Err(_) => return Err(self.redacted.timeout(self.timeout)),
                }
            }
        };
        count_of(&value).ok_or_else(|| {
            self.redacted
                .error(Cause::Other, "PUBSUB NUMSUB was not answered with a number")
        })
    }
}

/// Sends commands to one server.
pub(super) async fn send(
    mut connection: MultiplexedConnection,
    commands: Vec<Cmd>,
) -> Result<Vec<Value>, ::redis::RedisError> {
    let n_commands = commands.len();
    let mut pipeline = Pipeline::with_capacity(n_commands);
    for command in commands {
        pipeline.add_command(command);
    }
    connection
        .send_packed_commands(&pipeline, 0, n_commands)
        .await
}

fn answer(value: Value) -> Result<Value, ServerError> {
    match value {
        Value::ServerError(err) => Err(err),
        value => Ok(value),
    }
}

/// The number behind the name of a channel: `[channel, number]`, or the same as a map.
fn count_of(value: &Value) -> Option<usize> {
    let number = match value {
        Value::Array(items) => items.get(1),
        Value::Map(pairs) => pairs.first().map(|(_, number)| number),
        _ => None,
    };
    match number {
        Some(Value::Int(number)) => usize::try_from(*number).ok(),
        _ => None,
    }
}
