//! What a server shares with the other servers of its cluster, through Redis.
//!
//! A server on its own has no [`Cluster`]. With one, [`Cluster::broadcast`] and its siblings say what the
//! others have to do; the subscriber hears what they say; the registry asks them and keeps the truth about
//! this node in Redis.
//!
//! This module is the seam behind which the wire lies: it names operations, and turns them into messages of
//! the classic adapter ([`crate::protocol::adapter`]). Another wire (sharded, streams) takes its place here
//! and in the subscriber.

mod health;
mod lent;
mod pending;
mod publications;
mod question;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use parking_lot::{Mutex, RwLock};

pub(crate) use health::{Health, Part};
pub(crate) use lent::Lent;
pub(crate) use pending::{Answered, Pending};
pub(crate) use publications::{Publication, Publications};
pub(crate) use question::Question;

use crate::config::{RedisConfig, Subscription};
use crate::hub::{Change, Flags, Selection};
use crate::metrics::Timings;
use crate::namespace::Silent;
use crate::protocol::adapter::{self, Channels, OptFlags, Opts, Unpublishable};
use crate::protocol::engineio::SocketId;
use crate::protocol::socketio::Args;
use crate::redis::{Endpoints, Link, LinkError};
use crate::throttle::throttled;

/// How long a count of servers is remembered: while Redis comes back, servers return one by one.
const COUNT_MEMORY: Duration = Duration::from_secs(10);

/// A server of our own kind, as it announces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) uid: ByteString,
    /// Its name for people.
    pub(crate) name: String,
    /// What the ids of its sessions begin with.
    pub(crate) route: String,
}

type ReadGauges = dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync;

struct Gauges(Box<ReadGauges>);

impl std::fmt::Debug for Gauges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0()).finish()
    }
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) settings: RedisConfig,
    pub(crate) endpoints: Endpoints,
    /// The name of this server on the wire. Unique, and not `emitter`.
    pub(crate) uid: ByteString,
    pub(crate) channels: Channels,
    pub(crate) health: Arc<Health>,
    pub(crate) pending: Pending,
    pub(crate) publications: Publications,
    /// How long other servers took to answer, or were waited for.
    pub(crate) questions: Timings<Question>,
    pub(crate) lent: Lent,
    /// The connection of the publisher, while it stands: the one that counts subscribers as publishers see them.
    link: Mutex<Option<Link>>,
    /// Others who count the servers count this one, while it hears.
    pub(crate) is_counted: AtomicBool,
    /// The name of this server for people, and its route.
    own: OnceLock<Peer>,
    /// The other servers of our own kind that live.
    peers: RwLock<Vec<Peer>>,
    /// The namespaces whose requests this server hears: in these it is counted.
    heard: RwLock<HashSet<ByteString>>,
    /// What the store has to tell; see [`Cluster::gauges`].
    gauges: OnceLock<Gauges>,
    /// Answers of other servers that were waited for in vain.
    n_silent: AtomicU64,
    /// The counts of servers lately, by namespace.
    counts: Mutex<Vec<(Instant, ByteString, usize)>>,
}

impl Cluster {
    pub(crate) fn new(settings: RedisConfig, endpoints: Endpoints) -> Self {
        let uid = ByteString::from(SocketId::generate().as_str());
        Self {
            channels: Channels::new(settings.key.as_str(), uid.clone()),
            // Three canaries may be missing.
            health: Arc::new(Health::new(settings.canary_interval * 3)),
            pending: Pending::default(),
            publications: Publications::new(settings.publish_queue_bytes),
            questions: Timings::default(),
            lent: Lent::new(endpoints.are_shared()),
            link: Mutex::new(None),
            is_counted: AtomicBool::new(true),
            own: OnceLock::new(),
            peers: RwLock::default(),
            heard: RwLock::default(),
            gauges: OnceLock::new(),
            n_silent: AtomicU64::new(0),
            counts: Mutex::default(),
            uid,
            settings,
            endpoints,
        }
    }

    pub(crate) fn is_exact(&self) -> bool {
        self.settings.subscription == Subscription::Exact
    }

    pub(crate) fn set_gauges(&self, gauges: Box<ReadGauges>) {
        let _ = self.gauges.set(Gauges(gauges));
    }

    /// Numbers for the operator: what was lost, and how far the store is behind.
    pub(crate) fn gauges(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let stored = self
            .gauges
            .get()
            .map(|gauges| gauges.0())
            .unwrap_or_default();
        std::iter::once(("publish_lost", self.health.lost())).chain(stored)
    }

    // --- what the other servers are told ---

    /// An event for sockets of the other servers.
    pub(crate) fn broadcast(
        &self,
        nsp: &str,
        selection: &Selection,
        flags: OptFlags,
        name: &str,
        args: &Args,
    ) {
        let opts = opts(selection, flags);
        let channel = self
            .channels
            .broadcast(nsp, opts.only_room().map(|room| &**room));
        self.publish_encoded(channel, adapter::encode(&self.uid, nsp, name, args, &opts));
    }

    /// As [`Cluster::broadcast`], to be acknowledged: answers bear this id.
    pub(crate) fn broadcast_with_ack(
        &self,
        nsp: &str,
        id: &str,
        selection: &Selection,
        flags: OptFlags,
        name: &str,
        args: &Args,
    ) {
        let opts = opts(selection, flags);
        let request = adapter::encode_broadcast(&self.uid, id, nsp, name, args, &opts);
        self.publish_encoded(self.channels.request(nsp), request);
    }

    /// Sockets of the other servers have to join, leave or go.
    pub(crate) fn change(&self, nsp: &str, selection: &Selection, change: &Change) {
        let opts = opts(selection, OptFlags::default());
        let request = match change {
            Change::Join(rooms) => adapter::encode_join(Some(&self.uid), &opts, rooms),
            Change::Leave(rooms) => adapter::encode_leave(Some(&self.uid), &opts, rooms),
            Change::Disconnect { close } => {
                adapter::encode_disconnect(Some(&self.uid), &opts, *close)
            }
        };
        self.publish(self.channels.request(nsp), request);
    }

    /// An event for the handlers of the other servers; with an id it is to be answered.
    pub(crate) fn server_side_emit(&self, nsp: &str, id: Option<&str>, name: &str, args: &Args) {
        let request = adapter::encode_server_side_emit(&self.uid, id, name, args);
        self.publish_encoded(self.channels.request(nsp), request);
    }

    /// As [`Cluster::publish`], unless it must not be published.
    pub(crate) fn publish_encoded(&self, channel: String, encoded: Result<Bytes, Unpublishable>) {
        match encoded {
            Ok(payload) => self.publish(channel, payload),
            Err(err) => {
                self.health.lose(1);
                throttled!(
                    error,
                    "not sent to the other servers channel={channel} err={err}"
                );
            }
        }
    }

    /// A message on its way to Redis.
    pub(crate) fn publish(&self, channel: impl Into<ByteString>, payload: Bytes) {
        let n_dropped = self.publications.push(Publication {
            channel: channel.into(),
            payload,
        });
        if n_dropped > 0 {
            self.health.lose(n_dropped);
        }
    }

    /// Publishes something that only this node hears, unless more important things wait: what comes back shows that
    /// it hears.
    pub(crate) fn send_canary(&self) {
        if self.health.is_up(Part::Publish)
            && self.health.is_up(Part::Subscribe)
            && self.publications.is_empty()
        {
            let canary = self.canary();
            self.publish(canary.channel, canary.payload);
        }
    }

    /// What only this node hears.
    pub(crate) fn canary(&self) -> Publication {
        Publication {
            channel: self.channels.canary().into(),
            payload: Bytes::from_static(b"canary"),
        }
    }

    // --- who the other servers are ---

    pub(crate) fn set_link(&self, link: Option<Link>) {
        *self.link.lock() = link;
    }

    /// Whether this server hears requests in a namespace from now on.
    pub(crate) fn set_heard(&self, nsp: &str, is_heard: bool) {
        let mut heard = self.heard.write();
        match is_heard {
            true => heard.insert(nsp.into()),
            false => heard.remove(nsp),
        };
    }

    /// How many servers listen to requests in a namespace now, without this one.
    ///
    /// # Errors
    /// Redis cannot be asked.
    pub(crate) async fn count_listeners(&self, nsp: &str) -> Result<usize, LinkError> {
        let link = self.link.lock().clone();
        let link = link.ok_or_else(LinkError::not_connected)?;
        let n_servers = link.numsub(&self.channels.request(nsp)).await?;
        let is_counted = self.is_counted.load(Ordering::Relaxed)
            && self.health.is_up(Part::Subscribe)
            && self.heard.read().contains(nsp);
        let own = usize::from(is_counted);
        Ok(n_servers.saturating_sub(own))
    }

    /// How many other servers have to answer a request in a namespace.
    ///
    /// # Errors
    /// Redis cannot be asked.
    pub(crate) async fn count_others(&self, nsp: &str) -> Result<usize, LinkError> {
        let n_others = self.count_listeners(nsp).await?;
        // As many as there were lately: while Redis comes back, servers return one by one, and an answer that
        // lacks some of them would look complete.
        let now = Instant::now();
        let mut counts = self.counts.lock();
        counts.retain(|(at, _, _)| now.duration_since(*at) < COUNT_MEMORY);
        counts.push((now, nsp.into(), n_others));
        if self.health.is_settled(now, COUNT_MEMORY) {
            return Ok(n_others);
        }
        let of_nsp = counts.iter().filter(|(_, name, _)| *name == *nsp);
        Ok(of_nsp.map(|(_, _, n)| *n).max().unwrap_or(n_others))
    }

    /// Says who this server is, once.
    pub(crate) fn set_self(&self, name: String, route: String) {
        let uid = self.uid.clone();
        let _ = self.own.set(Peer { uid, name, route });
    }

    /// How this server announces itself to the others: its name, and its route on a second line.
    pub(crate) fn announcement(&self) -> String {
        let own = self.own.get();
        own.map(|own| format!("{}\n{}", own.name, own.route))
            .unwrap_or_default()
    }

    /// The other servers that live: their announcements by their uids.
    pub(crate) fn set_peers(&self, peers: &BTreeMap<String, String>) {
        let peers = peers.iter().map(|(uid, announcement)| {
            let (name, route) = announcement.split_once('\n').unwrap_or((announcement, ""));
            Peer {
                uid: uid.as_str().into(),
                name: name.to_owned(),
                route: route.to_owned(),
            }
        });
        let peers: Vec<Peer> = peers.collect();
        if log::log_enabled!(log::Level::Debug) {
            let names: Vec<&str> = peers.iter().map(|peer| &*peer.name).collect();
            log::debug!("other nodes live nodes={}", names.join(","));
        }
        *self.peers.write() = peers;
    }

    /// The name of the living server with this route.
    pub(crate) fn owner(&self, route: &str) -> Option<String> {
        let peers = self.peers.read();
        let owner = peers.iter().find(|peer| peer.route == route)?;
        Some(owner.name.clone())
    }

    /// Who has not answered, if `expected` should have and so many have, these among them.
    pub(crate) fn silent(&self, expected: usize, n_answers: usize, from: &[ByteString]) -> Silent {
        let missing = expected.saturating_sub(n_answers);
        self.n_silent.fetch_add(missing as u64, Ordering::Relaxed);
        let peers = self.peers.read();
        let nodes: Vec<_> = peers
            .iter()
            .filter(|peer| !from.contains(&peer.uid))
            .map(|peer| peer.name.clone())
            .take(missing)
            .collect();
        Silent {
            unnamed: missing - nodes.len(),
            nodes,
        }
    }

    /// Answers of other servers that were waited for in vain.
    pub(crate) fn n_silent(&self) -> u64 {
        self.n_silent.load(Ordering::Relaxed)
    }

    /// How many other servers of our own kind live.
    pub(crate) fn n_peers(&self) -> usize {
        self.peers.read().len()
    }

    /// The name of this server for people.
    pub(crate) fn name(&self) -> &str {
        self.own.get().map_or("", |own| &own.name)
    }

    /// All other servers that we know of, when none can be asked.
    pub(crate) fn all_silent(&self) -> Silent {
        let n_others = self.peers.read().len();
        self.silent(n_others, 0, &[])
    }
}

/// A selection, as the wire has it.
pub(crate) fn opts(selection: &Selection, flags: OptFlags) -> Opts {
    Opts {
        rooms: selection.rooms.iter().cloned().collect(),
        except: selection.except.iter().cloned().collect(),
        flags,
    }
}

/// The flags of a packet, as the wire has them.
pub(crate) fn opt_flags(flags: Flags) -> OptFlags {
    OptFlags {
        volatile: flags.volatile,
        compress: (!flags.compress).then_some(false),
        ..OptFlags::default()
    }
}
