//! Tidies up after nodes that ended without saying so.
//!
//! A node is dead when it is on the list and its lease is gone. One node at a time tidies up after it, under a lock
//! that expires. Only what an entry of the dead node names is touched, and only if no other node has the same
//! entry: a client may have come back elsewhere. Nodes write an entry before they write its SETs; so one that
//! comes for it while we remove it is seen afterwards, and told to compare what it has with what is there. The
//! same goes for the dead node itself, which may have been frozen only.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::atomic::Ordering;

use actix::Recipient;
use bytestring::ByteString;
use redis::{Cmd, Value};

use super::answers::{Trouble, ask, ask_members, command, is_lasting, is_one, scan, text, texts};
use super::keys::{Entry, Keys};
use super::occupancy;
use super::orders::Orders;
use super::state::Shared;
use crate::redis::Link;
use crate::registry::Occupancy;

/// How many sockets are removed together: a dozen round trips, and a few milliseconds of Redis.
const BATCH: usize = 512;

/// How long a node is told to compare. It looks at each renewal.
const REWRITE_MS: &str = "600000";

/// Waits for nodes to die, for as long as the connection lasts.
pub(super) async fn watch(shared: &Shared, link: &Link) -> Result<Infallible, Trouble> {
    let settings = &shared.settings;
    loop {
        shared.has_dead.notified().await;
        loop {
            let Some(uid) = shared.dead.borrow_mut().pop_first() else {
                break;
            };
            let reaping = Reaping {
                link,
                keys: &shared.keys,
                uid: &uid,
                by: &settings.uid,
                watcher: settings.watcher.as_ref(),
            };
            let end = reaping.node(&settings.ttl_ms()).await?;
            let n_sockets = end.n_sockets();
            let counter = &shared.stats.reaped;
            counter.fetch_add(n_sockets as u64, Ordering::Relaxed);
            match end {
                Reaped::Busy => {}
                Reaped::Alive(_) => {
                    log::info!("node={uid} was taken for dead and is back sockets={n_sockets}")
                }
                Reaped::All(_) => log::info!(
                    "the entries of a dead node are removed node={uid} sockets={n_sockets}"
                ),
                Reaped::Some(_) => log::warn!(
                    "some entries of a dead node are left node={uid} sockets={n_sockets}"
                ),
            }
        }
    }
}

/// How far it went, and how many sockets were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaped {
    /// Another node is at it.
    Busy,
    /// It has a lease again.
    Alive(usize),
    /// Nothing is left of it.
    All(usize),
    /// Something was added meanwhile, or the lock went to another: for the next look.
    Some(usize),
}

impl Reaped {
    const fn n_sockets(self) -> usize {
        match self {
            Self::Busy => 0,
            Self::Alive(n) | Self::All(n) | Self::Some(n) => n,
        }
    }
}

/// Tidying up after the node `uid`.
#[derive(Clone, Copy)]
pub(super) struct Reaping<'a> {
    pub(super) link: &'a Link,
    pub(super) keys: &'a Keys,
    pub(super) uid: &'a str,
    /// Who does it.
    pub(super) by: &'a str,
    /// Who is told of the rooms that nobody is in any more.
    pub(super) watcher: Option<&'a Recipient<Occupancy>>,
}

impl Reaping<'_> {
    /// Removes everything of a node without a lease.
    pub(super) async fn node(self, lock_ms: &str) -> Result<Reaped, Trouble> {
        let Self {
            link,
            keys,
            uid,
            by,
            ..
        } = self;
        let lock = keys.reap(uid);
        let taken = ask(
            link,
            vec![command(&["SET", &lock, by, "NX", "PX", lock_ms])],
        )
        .await?;
        if !matches!(taken.first(), Some(Value::Okay)) {
            return Ok(Reaped::Busy);
        }
        let end = self.all(&lock, lock_ms).await;
        if self.holds(&lock).await? {
            ask(link, vec![command(&["DEL", &lock])]).await?;
        }
        end
    }

    /// Whether the lock is still ours. That it can go between the question and what follows does no harm: two
    /// that tidy up at once do the same thing twice.
    async fn holds(self, lock: &str) -> Result<bool, Trouble> {
        let holder = ask(self.link, vec![command(&["GET", lock])]).await?;
        Ok(holder
            .first()
            .and_then(text)
            .is_some_and(|by| by == self.by))
    }

    async fn all(self, lock: &str, lock_ms: &str) -> Result<Reaped, Trouble> {
        let Self {
            link, keys, uid, ..
        } = self;
        let (mut n_sockets, mut cursor) = (0, ByteString::from_static("0"));
        loop {
            if !self.holds(lock).await? {
                return Ok(Reaped::Some(n_sockets));
            }
            let before = vec![
                command(&["PEXPIRE", lock, lock_ms]),
                command(&["EXISTS", &keys.lease(uid)]),
            ];
            if is_one(ask(link, before).await?.get(1)) {
                return Ok(Reaped::Alive(n_sockets));
            }
            let (next, found) = scan(link, &keys.node(uid), &cursor, &BATCH.to_string()).await?;
            // A SET that is small is scanned at once, however large "small" is configured.
            for found in found.chunks(BATCH) {
                let entries: Vec<_> = found
                    .iter()
                    .filter_map(|entry| Entry::parse(entry.as_bytes()))
                    .collect();
                n_sockets += self.entries(&entries).await?;
                self.junk(found).await?;
            }
            if next == "0" {
                break;
            }
            cursor = next;
        }
        let after = vec![
            command(&["EXISTS", &keys.lease(uid)]),
            command(&["EXISTS", &keys.node(uid)]),
        ];
        let answers = ask(link, after).await?;
        if is_one(answers.first()) {
            return Ok(Reaped::Alive(n_sockets));
        }
        if is_one(answers.get(1)) {
            return Ok(Reaped::Some(n_sockets));
        }
        let last = vec![
            command(&["SREM", &keys.nodes(), uid]),
            command(&["DEL", &keys.rewrite(uid)]),
        ];
        ask(link, last).await?;
        Ok(Reaped::All(n_sockets))
    }

    /// What is in the list of a node and is no entry goes, without anything that it could name.
    async fn junk(self, found: &[ByteString]) -> Result<(), Trouble> {
        let junk: Vec<_> = found
            .iter()
            .filter(|entry| Entry::parse(entry.as_bytes()).is_none())
            .map(|entry| command(&["SREM", &self.keys.node(self.uid), entry]))
            .collect();
        ask(self.link, junk).await.map(drop)
    }

    /// Removes entries of the node, and the SETs they name unless another node has them: how many.
    pub(super) async fn entries(self, entries: &[Entry]) -> Result<usize, Trouble> {
        let Self {
            link, keys, uid, ..
        } = self;
        let claimed = self.claimed(entries).await?;
        let ours: Vec<_> = entries
            .iter()
            .filter(|entry| !claimed.iter().any(|(claimed, _)| claimed == *entry))
            .collect();
        let questions = ours
            .iter()
            .map(|entry| command(&["SMEMBERS", &keys.socket(entry)]))
            .collect();
        let sockets = ask_members(link, questions).await?;
        let mut orders = Orders::default();
        orders.watch(self.watcher.is_some());
        for (entry, members) in ours.iter().zip(&sockets) {
            // Without the id it is no SET of a socket, but of a room that is called like this.
            if !members.iter().any(|member| *member == entry.id()) {
                orders.forget(entry);
                continue;
            }
            orders.delete(keys, entry);
            for room in members.iter().filter(|member| **member != entry.id()) {
                orders.room(keys, entry, room, false);
            }
        }
        claimed.iter().for_each(|(entry, _)| orders.forget(entry));
        for commands in orders.phases(&keys.node(uid)) {
            let answers = link.pipeline(commands).await?;
            occupancy::tell(self.watcher, &answers);
            let mut refused = answers.into_iter().filter_map(Result::err);
            if let Some(err) = refused.find(|err| !is_lasting(err)) {
                return Err(Trouble::Refused(err));
            }
        }
        let ours: Vec<_> = ours.into_iter().cloned().collect();
        self.tell_claimants(&ours).await?;
        Ok(ours.len())
    }

    /// Which of these entries other nodes have, and who.
    async fn claimed(self, entries: &[Entry]) -> Result<Vec<(Entry, ByteString)>, Trouble> {
        let Self {
            link, keys, uid, ..
        } = self;
        let nodes = ask(link, vec![command(&["SMEMBERS", &keys.nodes()])]).await?;
        let mut claimed = Vec::new();
        for node in nodes.first().map(texts).unwrap_or_default() {
            if *node == *uid {
                continue;
            }
            let key = keys.node(&node);
            let questions: Vec<Cmd> = entries
                .iter()
                .map(|entry| command(&["SISMEMBER", &key, entry.as_str()]))
                .collect();
            let answers = ask(link, questions).await?;
            let has = entries.iter().zip(&answers);
            let has = has.filter(|(_, answer)| is_one(Some(answer)));
            claimed.extend(has.map(|(entry, _)| (entry.clone(), node.clone())));
        }
        Ok(claimed)
    }

    /// Nodes that came for an entry while it was removed have to compare; so has the node itself if it is back.
    async fn tell_claimants(self, entries: &[Entry]) -> Result<(), Trouble> {
        let Self {
            link, keys, uid, ..
        } = self;
        let claimed = self.claimed(entries).await?;
        let mut told: BTreeSet<&str> = claimed.iter().map(|(_, node)| &**node).collect();
        if uid != self.by {
            let lease = ask(link, vec![command(&["EXISTS", &keys.lease(uid)])]).await?;
            if is_one(lease.first()) {
                told.insert(uid);
            }
        }
        let flags = told
            .iter()
            .map(|node| command(&["SET", &keys.rewrite(node), "1", "PX", REWRITE_MS]))
            .collect();
        ask(link, flags).await.map(drop)
    }
}
