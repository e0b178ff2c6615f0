//! Connections to a Redis Cluster.

use std::{collections::HashMap, fmt, time::Duration};

use ::redis::{
    Arg, Cmd, Pipeline, RedisError, Value,
    aio::{self, MultiplexedConnection},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
    cluster_routing::{
        MultipleNodeRoutingInfo, ResponsePolicy, Route, RoutingInfo, SingleNodeRoutingInfo,
        SlotAddr,
    },
};
use futures_util::{StreamExt, future::try_join_all, stream::FuturesUnordered};

use crate::config::{RedisHost, RedisUrl};

use super::{Cause, Link, LinkError, dial, error::Redacted, link::send};

/// The connections of a [`Link`] to a Redis Cluster.
#[derive(Clone)]
pub(super) struct Cluster {
    /// To one master. What a Cluster server is told to publish, all of them publish; with a single one for all channels
    /// the messages of a node keep their order, also from channel to channel, as with one server.
    home: MultiplexedConnection,
    /// To all of them, by slot.
    by_slot: ClusterConnection,
    masters: Vec<Master>,
}

/// A master, one of its slots, and the name that the Cluster has for it.
#[derive(Clone)]
struct Master {
    host: RedisHost,
    slot: u16,
    id: Vec<u8>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Cluster")
    }
}

/// Dials for commands.
pub(super) async fn connect(
    url: &RedisUrl,
    hosts: &[RedisHost],
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Link, LinkError> {
    let broken = |err: RedisError| redacted.of(&err, timeout);
    let masters = masters(url, hosts, timeout, redacted).await?;
    let home = any(masters.clone(), timeout, redacted, |host| async move {
        let there = redacted.at(&host.to_string());
        let client = dial::client(url, &host, timeout, &there)?;
        dial::commands(&client, url.client_name(), timeout, &there).await
    })
    .await?;
    let mut seeds = Vec::with_capacity(hosts.len());
    for host in hosts {
        let client = dial::client(url, host, timeout, redacted)?;
        seeds.push(client.get_connection_info().clone());
    }
    let mut builder = ClusterClientBuilder::new(seeds)
        .connection_timeout(timeout)
        .response_timeout(timeout)
        .overall_response_timeout(Some(timeout))
        .use_protocol(dial::protocol(url))
        .tcp_settings(dial::tcp(timeout));
    if let Some(tls) = url.tls() {
        builder = builder.certs(dial::certificates(tls, redacted)?);
    }
    let client = builder.build().map_err(broken)?;
    let by_slot = client.get_async_connection().await.map_err(broken)?;
    let home = home
        .into_single()
        .ok_or_else(|| redacted.error(Cause::Other, ""))?;
    let cluster = Cluster {
        home,
        by_slot,
        masters,
    };
    Ok(Link::cluster(cluster, timeout, redacted.clone()))
}

/// Dials one master for subscriptions: each server of a Cluster hears what any of them is told to publish.
pub(super) async fn pubsub(
    url: &RedisUrl,
    hosts: &[RedisHost],
    timeout: Duration,
    redacted: &Redacted,
) -> Result<aio::PubSub, LinkError> {
    let masters = masters(url, hosts, timeout, redacted).await?;
    any(masters, timeout, redacted, |host| async move {
        let there = redacted.at(&host.to_string());
        let client = dial::client(url, &host, timeout, &there)?;
        dial::pubsub(&client, timeout, &there).await
    })
    .await
}

/// The masters of a Cluster in a random order, from the known node that answers first.
async fn masters(
    url: &RedisUrl,
    hosts: &[RedisHost],
    timeout: Duration,
    redacted: &Redacted,
) -> Result<Vec<Master>, LinkError> {
    let mut asked: FuturesUnordered<_> = hosts
        .iter()
        .map(|host| async move {
            let there = redacted.at(&host.to_string());
            let client = dial::client(url, host, timeout, &there)?;
            let link = dial::commands(&client, url.client_name(), timeout, &there).await?;
            let mut command = Cmd::new();
            command.arg("CLUSTER").arg("SLOTS");
            match link.pipeline(vec![command]).await?.pop() {
                Some(Ok(Value::Array(ranges))) => Ok(masters_of(&ranges, &host.name)),
                Some(Err(err)) => Err(there.server(&err)),
                _ => Err(there.error(Cause::Other, "CLUSTER SLOTS was not answered with a list")),
            }
        })
        .collect();
    let mut first = None;
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(mut masters) if !masters.is_empty() => {
                shuffle(&mut masters);
                return Ok(masters);
            }
            Ok(_) => first = Some(redacted.error(Cause::Cluster, "no server has slots yet")),
            Err(err) => first = first.or(Some(err)),
        }
    }
    Err(first.unwrap_or_else(|| redacted.error(Cause::Unreachable, "")))
}

/// The masters of the answer to `CLUSTER SLOTS`: ranges, each `[first, last, [host, port, ..] of the master, replicas ..]`.
fn masters_of(ranges: &[Value], asked: &str) -> Vec<Master> {
    let mut masters: Vec<Master> = Vec::new();
    for range in ranges {
        let Value::Array(range) = range else { continue };
        let [Value::Int(slot), _, Value::Array(master), ..] = &range[..] else {
            continue;
        };
        let Some(Value::Int(port)) = master.get(1) else {
            continue;
        };
        // A server that does not know its own address means the one it was asked at.
        let name = match master.first() {
            Some(Value::BulkString(name)) if !name.is_empty() && name != b"?" => {
                String::from_utf8_lossy(name).into_owned()
            }
            _ => asked.to_owned(),
        };
        let (Ok(port), Ok(slot)) = (u16::try_from(*port), u16::try_from(*slot)) else {
            continue;
        };
        let host = RedisHost { name, port };
        let id = match master.get(2) {
            Some(Value::BulkString(id)) => id.clone(),
            _ => Vec::new(),
        };
        if masters.iter().all(|known| known.host != host) {
            masters.push(Master { host, slot, id });
        }
    }
    masters
}

fn shuffle<T>(list: &mut [T]) {
    for end in (1..list.len()).rev() {
        // A Cluster has at most 1000 nodes; a random number that is not to be had leaves the order as it is.
        let random = getrandom::u32().map_or(end, |random| random as usize % (end + 1));
        list.swap(end, random);
    }
}

/// The first server that can be dialed.
// Not `AsyncFn`: whether its futures are `Send` cannot be said.
async fn any<T, F: Future<Output = Result<T, LinkError>>>(
    masters: Vec<Master>,
    timeout: Duration,
    redacted: &Redacted,
    dial: impl Fn(RedisHost) -> F,
) -> Result<T, LinkError> {
    let timeout = timeout.mul_f64(0.3);
    let mut last = None;
    for master in masters {
        match tokio::time::timeout(timeout, dial(master.host)).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(err)) => last = Some(err),
            Err(_) => last = Some(redacted.timeout(timeout)),
        }
    }
    Err(last.unwrap_or_else(|| redacted.error(Cause::Unreachable, "")))
}

impl Cluster {
    /// Each answer in the order of the commands.
    pub(super) async fn pipeline(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, RedisError> {
        let n_commands = commands.len();
        let mut at_home = (Vec::new(), Vec::new());
        let mut by_slot: HashMap<Route, (Vec<usize>, Pipeline), foldhash::fast::RandomState> =
            HashMap::default();
        for (at, command) in commands.into_iter().enumerate() {
            match route_of(&command) {
                None => {
                    at_home.0.push(at);
                    at_home.1.push(command);
                }
                Some(route) => {
                    let (places, pipeline) = by_slot.entry(route).or_default();
                    places.push(at);
                    pipeline.add_command(command);
                }
            }
        }
        let home = async {
            if at_home.1.is_empty() {
                return Ok(Vec::new());
            }
            send(self.home.clone(), at_home.1).await
        };
        let slots = try_join_all(by_slot.into_iter().map(|(route, (places, pipeline))| {
            let mut connection = self.by_slot.clone();
            async move {
                let count = pipeline.len();
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                let values = connection.route_pipeline(pipeline, 0, count, route).await?;
                Ok::<_, RedisError>((places, values))
            }
        }));
        let (home, slots) = futures_util::future::try_join(home, slots).await?;
        let mut answers = vec![Value::Nil; n_commands];
        let home = (at_home.0, home);
        for (places, values) in slots.into_iter().chain([home]) {
            for (place, value) in places.into_iter().zip(values) {
                answers[place] = value;
            }
        }
        Ok(answers)
    }

    /// Whether all masters answer, each for itself: for one that it has lost, the connection asks any other, its replica
    /// perhaps.
    pub(super) async fn is_whole(&self) -> Result<bool, RedisError> {
        let asked = self.masters.iter().map(|master| {
            let mut connection = self.by_slot.clone();
            let master = Route::new(master.slot, SlotAddr::Master);
            let master = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(master));
            let mut who = Cmd::new();
            who.arg("CLUSTER").arg("MYID");
            async move { connection.route_command(who, master).await }
        });
        let answers = try_join_all(asked).await?;
        let mut pairs = self.masters.iter().zip(answers);
        Ok(pairs.all(|(master, answer)| answer == Value::BulkString(master.id.clone())))
    }

    /// The answers of all servers to one command, put together.
    pub(super) async fn everywhere(&self, command: Cmd) -> Result<Value, RedisError> {
        let everywhere = RoutingInfo::MultiNode((
            MultipleNodeRoutingInfo::AllNodes,
            Some(ResponsePolicy::CombineMaps),
        ));
        self.by_slot
            .clone()
            .route_command(command, everywhere)
            .await
    }
}

/// Commands without a key that begin with a word which is none. What is not listed and has a word has a key.
const KEYLESS: &[&str] = &[
    "PUBLISH", "PUBSUB", "PING", "ECHO", "TIME", "INFO", "ROLE", "CLIENT", "CLUSTER", "CONFIG",
    "SCRIPT", "SCAN", "DBSIZE", "SELECT",
];

/// Where a command's key is; none for a command without one.
fn route_of(command: &Cmd) -> Option<Route> {
    let mut words = command.args_iter().map(|arg| match arg {
        Arg::Simple(word) => word,
        _ => b"",
    });
    let name = words.next()?;
    let is = |word: &&str| name.eq_ignore_ascii_case(word.as_bytes());
    let key = if KEYLESS.iter().any(is) {
        return None;
    } else if ["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO"].iter().any(is) {
        // Behind script and number of keys.
        let n_keys = words.nth(1)?;
        words.next().filter(|_| n_keys != b"0")?
    } else {
        words.next()?
    };
    Some(Route::with_key(key, SlotAddr::Master))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_go_where_their_key_is() {
        let command = |words: &[&str]| {
            let mut command = Cmd::new();
            for word in words {
                command.arg(word);
            }
            command
        };
        let foo = Some(Route::with_key("foo", SlotAddr::Master));
        for (words, expected) in [
            (&["SADD", "foo", "1"][..], foo),
            (&["sadd", "x{foo}y", "1"], foo),
            (&["EVAL", "return 1", "1", "foo", "bar"], foo),
            (&["evalsha", "abc", "2", "foo", "foo"], foo),
            (&["EVAL", "return 1", "0", "foo"], None),
            (&["PUBLISH", "foo", "1"], None),
            (&["PUBSUB", "NUMSUB", "foo"], None),
            (&["TIME"], None),
            (&[], None),
        ] {
            assert_eq!(route_of(&command(words)), expected, "{words:?}");
        }
    }

    #[test]
    fn masters_are_read_from_slots() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host: &str, port| Value::Array(vec![text(host), Value::Int(port), text("id")]);
        let range =
            |nodes: Vec<Value>| Value::Array([vec![Value::Int(0), Value::Int(1)], nodes].concat());
        let ranges = [
            range(vec![node("10.0.0.1", 1), node("10.0.0.9", 9)]),
            range(vec![node("", 2)]),
            range(vec![node("?", 3)]),
            range(vec![node("10.0.0.1", 1)]),
            range(vec![node("10.0.0.1", 70_000)]),
            range(vec![]),
            Value::Nil,
        ];
        let found: Vec<_> = masters_of(&ranges, "seed")
            .iter()
            .map(|master| {
                let id = String::from_utf8_lossy(&master.id);
                format!("{} {} {id}", master.host, master.slot)
            })
            .collect();
        assert_eq!(found, ["10.0.0.1:1 0 id", "seed:2 0 id", "seed:3 0 id"]);
    }

    #[test]
    fn shuffling_keeps_all_and_changes_the_order() {
        let sorted: Vec<u32> = (0..100).collect();
        let mut list = sorted.clone();
        shuffle(&mut list);
        assert_ne!(list, sorted);
        list.sort_unstable();
        assert_eq!(list, sorted);
    }
}
