//! Which channels are wanted, which stand, and what a channel means.

use std::collections::HashMap;
use std::sync::Arc;

use bytestring::ByteString;
use foldhash::quality::RandomState;
use indexmap::IndexSet;

use crate::cluster::Cluster;
use crate::locals::Locals;
use crate::namespace::{NamespaceInner, Room};
use crate::redis::Sink;

/// What arrives on a channel.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Broadcasts: to everybody, or to the room that the channel names.
    Broadcasts(Arc<NamespaceInner>),
    /// Questions and orders.
    Requests(Arc<NamespaceInner>),
    /// Answers to ours.
    Answers,
    /// What we have sent to ourselves.
    Canary,
}

/// A subscription: an exact channel, or with `true` a pattern.
type Name = (bool, String);

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Wanted {
    cluster: Arc<Cluster>,
    locals: Arc<Locals>,
    sources: HashMap<Name, Source, RandomState>,
    /// What the connection is subscribed to.
    standing: IndexSet<Name, RandomState>,
    /// What may have to be done: names that are wanted and do not stand, or the other way round.
    dirty: IndexSet<Name, RandomState>,
    namespaces: HashMap<u32, Arc<NamespaceInner>>,
    /// Requests that are wanted no more. What still comes on them is answered: whoever asks has counted on us.
    retired: HashMap<Name, Source, RandomState>,
    answers_requests: bool,
    /// Namespaces that are not here and are asked about, and how often at once.
    visits: HashMap<ByteString, usize, RandomState>,
}

/// One command.
#[derive(Debug)]
pub(super) struct Step {
    is_pattern: bool,
    subscribes: bool,
    channels: Vec<String>,
}

impl Step {
    pub(super) async fn send(self, sink: &mut Sink) -> redis::RedisResult<()> {
        let channels = &self.channels;
        match (self.subscribes, self.is_pattern) {
            (true, false) => sink.subscribe(channels).await,
            (true, true) => sink.psubscribe(channels).await,
            (false, false) => sink.unsubscribe(channels).await,
            (false, true) => sink.punsubscribe(channels).await,
        }
    }
}

impl Wanted {
    pub(super) fn new(cluster: Arc<Cluster>, locals: Arc<Locals>) -> Self {
        let mut wanted = Self {
            sources: HashMap::default(),
            standing: IndexSet::default(),
            dirty: IndexSet::default(),
            namespaces: HashMap::new(),
            retired: HashMap::default(),
            answers_requests: true,
            visits: HashMap::default(),
            cluster,
            locals,
        };
        let canary = wanted.cluster.channels.canary();
        wanted.want((false, canary), Source::Canary);
        wanted
    }

    fn want(&mut self, name: Name, source: Source) {
        if matches!(source, Source::Requests(_)) && !self.answers_requests {
            return;
        }
        self.dirty.insert(name.clone());
        self.sources.insert(name, source);
    }

    fn drop_name(&mut self, name: Name) {
        self.sources.remove(&name);
        self.dirty.insert(name);
    }

    /// A namespace is there, or is not any more.
    ///
    /// Broadcasts come before requests: who listens to requests is counted, and has to be able to answer.
    pub(super) fn namespace(&mut self, nsp: &Arc<NamespaceInner>, is_there: bool) {
        let (channels, name) = (&self.cluster.channels, nsp.name());
        let broadcasts = || Source::Broadcasts(Arc::clone(nsp));
        let requests = || Source::Requests(Arc::clone(nsp));
        // Some old publishers leave out the `#` at the end.
        let mut names = vec![
            (
                (false, channels.unterminated_broadcast(name, None)),
                broadcasts(),
            ),
            ((false, channels.response(name)), Source::Answers),
            ((false, channels.own_response(name)), Source::Answers),
            ((false, channels.unterminated_request(name)), requests()),
            ((false, channels.sync_request(name)), requests()),
        ];
        if self.cluster.is_exact() {
            names.push(((false, channels.broadcast(name, None)), broadcasts()));
        } else {
            names.push(((true, channels.pattern(name)), broadcasts()));
            names.push((
                (true, channels.unterminated_request_pattern(name)),
                requests(),
            ));
        }
        names.push(((false, channels.request(name)), requests()));
        let known = self.namespaces.contains_key(&nsp.index);
        if known == is_there {
            return;
        }
        if is_there {
            self.namespaces.insert(nsp.index, Arc::clone(nsp));
            self.cluster.set_heard(nsp.name(), true);
            for (name, source) in names {
                self.want(name, source);
            }
        } else {
            self.namespaces.remove(&nsp.index);
            // One that came anew under the same name keeps them.
            let is_there = self.is_there(nsp.name());
            self.cluster.set_heard(nsp.name(), is_there);
            let is_visited = self.visits.contains_key(nsp.name());
            // Requests first: nobody may count on us any more.
            for (name, source) in names.into_iter().rev() {
                let is_kept = is_visited && matches!(source, Source::Answers);
                if !is_there && !is_kept {
                    self.drop_name(name);
                }
            }
        }
        if self.cluster.is_exact() {
            for room in self.locals.rooms(nsp.index) {
                self.room(nsp.index, &room);
            }
        }
    }

    fn is_there(&self, nsp: &str) -> bool {
        self.namespaces.values().any(|other| other.name() == nsp)
    }

    fn answers(&self, nsp: &str) -> [Name; 2] {
        let channels = &self.cluster.channels;
        [channels.response(nsp), channels.own_response(nsp)].map(|name| (false, name))
    }

    /// Questions are asked in a namespace that is not here: their answers are wanted.
    pub(super) fn visit(&mut self, nsp: &ByteString) {
        *self.visits.entry(nsp.clone()).or_default() += 1;
        for name in self.answers(nsp) {
            self.want(name, Source::Answers);
        }
    }

    /// Such a question is over.
    pub(super) fn end_visit(&mut self, nsp: &ByteString) {
        match self.visits.get_mut(nsp) {
            Some(n @ 2..) => *n -= 1,
            Some(_) => {
                self.visits.remove(nsp);
                if !self.is_there(nsp) {
                    self.answers(nsp)
                        .into_iter()
                        .for_each(|name| self.drop_name(name));
                }
            }
            None => {}
        }
    }

    /// A room may have got its first member or lost its last.
    pub(super) fn room(&mut self, nsp: u32, room: &Room) {
        let Some(nsp) = self.namespaces.get(&nsp).cloned() else {
            return;
        };
        let channel = self.cluster.channels.broadcast(nsp.name(), Some(room));
        let name = (false, channel);
        match (
            self.locals.has(nsp.index, room),
            self.sources.contains_key(&name),
        ) {
            (true, false) => self.want(name, Source::Broadcasts(nsp)),
            (false, true) => self.drop_name(name),
            _ => {}
        }
    }

    /// Requests are wanted no more, from now on.
    pub(super) fn stop_answering(&mut self) {
        self.answers_requests = false;
        let is_request = |source: &Source| matches!(source, Source::Requests(_));
        let requests = self.sources.extract_if(|_, source| is_request(source));
        for (name, source) in requests {
            self.dirty.insert(name.clone());
            self.retired.insert(name, source);
        }
    }

    /// Nothing is wanted any more, requests first.
    pub(super) fn leave(&mut self) {
        self.dirty.clear();
        self.stop_answering();
        let others = std::mem::take(&mut self.sources).into_keys();
        self.dirty.extend(others);
        // What an earlier order has not come to.
        self.dirty.extend(self.retired.keys().cloned());
    }

    /// A new connection: nothing stands.
    pub(super) fn forget_standing(&mut self) {
        self.standing.clear();
        self.dirty = self.sources.keys().cloned().collect();
        // Who listens to requests is counted: they come last. Patterns together, since a command has one kind.
        let is_request = |name: &Name| matches!(self.sources.get(name), Some(Source::Requests(_)));
        self.dirty.sort_by_key(|name| (is_request(name), name.0));
    }

    /// What has to be done next, if anything: it counts as done.
    pub(super) fn next_step(&mut self, max_channels: usize) -> Option<Step> {
        let mut step: Option<Step> = None;
        let mut n_seen = 0;
        for name in &self.dirty {
            let subscribes = self.sources.contains_key(name);
            if subscribes == self.standing.contains(name) {
                n_seen += 1;
                continue;
            }
            let step = step.get_or_insert_with(|| Step {
                is_pattern: name.0,
                subscribes,
                channels: Vec::new(),
            });
            if (step.is_pattern, step.subscribes) != (name.0, subscribes)
                || step.channels.len() >= max_channels
            {
                break;
            }
            step.channels.push(name.1.clone());
            n_seen += 1;
        }
        for name in self.dirty.drain(..n_seen) {
            if self.sources.contains_key(&name) {
                self.standing.insert(name);
            } else {
                self.standing.swap_remove(&name);
            }
        }
        step
    }

    /// What a channel means.
    // Hot: one hash of the channel's name.
    pub(super) fn source(&self, is_pattern: bool, name: String) -> Option<&Source> {
        let name = (is_pattern, name);
        self.sources.get(&name).or_else(|| self.retired.get(&name))
    }
}
