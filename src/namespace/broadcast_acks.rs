//! Collecting the answers to a broadcast: from the hubs of this server, from the other servers, or for one of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::gathered::Silent;
use crate::protocol::socketio::Args;

/// What became of a broadcast with acks.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// The arguments of each answer, in the order of arrival. Clients of other servers answer with one
    /// argument: the wire between servers carries no more.
    pub responses: Vec<Args>,
    /// How many clients were asked and did not answer: the deadline came first, or they went.
    pub missing: usize,
    /// How many answered when as many answers were there as are [wanted](super::Broadcast::max_answers).
    pub left_out: usize,
    /// The servers that did not say in time how many clients they asked.
    pub silent: Silent,
}

impl Answers {
    /// Whether every client that was asked has answered, and every server said how many there are.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.missing == 0 && self.left_out == 0 && self.silent.is_nobody()
    }
}

/// How many answers may still be kept, and how many bytes of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(super) answers: usize,
    pub(super) bytes: usize,
}

impl Capacity {
    pub(super) const UNLIMITED: Self = Self {
        answers: usize::MAX,
        bytes: usize::MAX,
    };

    /// Makes room for an answer, if there is some.
    fn take(&mut self, args: &Args) -> bool {
        let n_bytes = args.n_bytes();
        let fits = self.answers > 0 && self.bytes >= n_bytes;
        if fits {
            self.answers -= 1;
            self.bytes -= n_bytes;
        }
        fits
    }
}

/// Collects the answers to one broadcast.
pub(crate) struct BroadcastAcks {
    /// When it was sent, or came from another server.
    pub(super) since: Instant,
    state: Mutex<Collected>,
    relay: Option<(Relay, Instant)>,
}

/// Tells the server that asked; see [`BroadcastAcks::relayed`].
pub(crate) type Relay = Box<dyn Fn(Relayed) + Send + Sync>;

/// What the server that made a broadcast is told of its clients here.
#[derive(Debug)]
pub(crate) enum Relayed {
    /// So many clients were asked.
    Asked(usize),
    /// One has answered.
    Answer(Args),
}

impl std::fmt::Debug for BroadcastAcks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BroadcastAcks")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Collected {
    hubs_left: usize,
    /// How many other servers have to say how many clients they asked; nobody knows yet if `None`.
    nodes: Option<usize>,
    /// Those that have, as far as they say who they are.
    from: Vec<ByteString>,
    nodes_answered: usize,
    /// How long it took until the last of them had.
    nodes_after: Option<Duration>,
    asked: usize,
    lost: usize,
    left_out: usize,
    capacity: Capacity,
    /// Who could not even be asked.
    unreachable: Silent,
    responses: Vec<Args>,
    done: Option<oneshot::Sender<()>>,
}

impl BroadcastAcks {
    /// For a broadcast of this server to so many hubs. With `is_clustered` it is not done before
    /// [`BroadcastAcks::expect_nodes`] has been called.
    pub(super) fn new(
        hubs: usize,
        is_clustered: bool,
        capacity: Capacity,
    ) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (done, receiver) = oneshot::channel();
        let nodes = (!is_clustered).then_some(0);
        let mut collected = Collected::new(hubs, nodes, Some(done));
        collected.capacity = capacity;
        let acks = Self {
            since: Instant::now(),
            state: Mutex::new(collected),
            relay: None,
        };
        acks.state.lock().finish_if_complete();
        (Arc::new(acks), receiver)
    }

    /// For a broadcast of another server, which is told through `relay` until `deadline`.
    pub(crate) fn relayed(hubs: usize, relay: Relay, deadline: Instant) -> Arc<Self> {
        if hubs == 0 {
            relay(Relayed::Asked(0));
        }
        Arc::new(Self {
            since: Instant::now(),
            state: Mutex::new(Collected::new(hubs, Some(0), None)),
            relay: Some((relay, deadline)),
        })
    }

    /// A hub has asked so many clients.
    pub(crate) fn hub_done(&self, asked: usize) {
        let mut state = self.state.lock();
        state.asked += asked;
        state.hubs_left = state.hubs_left.saturating_sub(1);
        state.finish_if_complete();
        let (is_last, asked) = (state.hubs_left == 0, state.asked);
        drop(state);
        if let Some((relay, _)) = &self.relay
            && is_last
        {
            relay(Relayed::Asked(asked));
        }
    }

    /// So many other servers have got the broadcast.
    pub(crate) fn expect_nodes(&self, nodes: usize) {
        let mut state = self.state.lock();
        state.nodes = Some(nodes);
        state.note_nodes(self.since);
        state.finish_if_complete();
    }

    /// The other servers cannot be counted: only this one is waited for.
    pub(crate) fn expect_nobody(&self, silent: Silent) {
        let mut state = self.state.lock();
        state.unreachable = silent;
        state.nodes = Some(0);
        state.finish_if_complete();
    }

    /// Another server has asked so many clients.
    pub(crate) fn node_answered(&self, asked: usize, who: Option<ByteString>) {
        let mut state = self.state.lock();
        state.asked = state.asked.saturating_add(asked);
        state.nodes_answered += 1;
        state.from.extend(who);
        state.note_nodes(self.since);
        state.finish_if_complete();
    }

    /// How long it took until all other servers had said how many clients they asked, or takes already. `None` if there
    /// was nobody to ask.
    pub(super) fn nodes_after(&self) -> Option<Duration> {
        let state = self.state.lock();
        (state.nodes != Some(0)).then(|| state.nodes_after.unwrap_or_else(|| self.since.elapsed()))
    }

    /// Nobody collects any more.
    pub(super) fn is_over(&self) -> bool {
        match &self.relay {
            Some((_, deadline)) => *deadline <= Instant::now(),
            None => self.state.lock().done.is_none(),
        }
    }

    /// A client has answered, or will not any more.
    pub(crate) fn answered(&self, args: Option<Args>) {
        if let Some((relay, _)) = &self.relay {
            return args
                .into_iter()
                .for_each(|args| relay(Relayed::Answer(args)));
        }
        let mut state = self.state.lock();
        match args {
            Some(args) if state.capacity.take(&args) => state.responses.push(args),
            Some(_) => state.left_out += 1,
            None => state.lost += 1,
        }
        state.finish_if_complete();
    }

    /// What is there now; later answers are not collected. `silent` says who the other servers are that have
    /// not answered: so many should have, so many have, these among them.
    pub(crate) fn take(
        &self,
        silent: impl FnOnce(Option<usize>, usize, &[ByteString]) -> Silent,
    ) -> Answers {
        let mut state = self.state.lock();
        state.done = None;
        let responses = std::mem::take(&mut state.responses);
        let unreachable = std::mem::take(&mut state.unreachable);
        Answers {
            missing: state.asked.saturating_sub(responses.len() + state.left_out),
            left_out: state.left_out,
            responses,
            silent: if unreachable.is_nobody() {
                silent(state.nodes, state.nodes_answered, &state.from)
            } else {
                unreachable
            },
        }
    }
}

impl Collected {
    const fn new(
        hubs_left: usize,
        nodes: Option<usize>,
        done: Option<oneshot::Sender<()>>,
    ) -> Self {
        Self {
            hubs_left,
            nodes,
            from: Vec::new(),
            nodes_answered: 0,
            nodes_after: None,
            asked: 0,
            lost: 0,
            left_out: 0,
            capacity: Capacity::UNLIMITED,
            unreachable: Silent {
                nodes: Vec::new(),
                unnamed: 0,
            },
            responses: Vec::new(),
            done,
        }
    }

    fn have_nodes_answered(&self) -> bool {
        self.nodes.is_some_and(|nodes| self.nodes_answered >= nodes)
    }

    fn note_nodes(&mut self, since: Instant) {
        if self.nodes_after.is_none() && self.have_nodes_answered() {
            self.nodes_after = Some(since.elapsed());
        }
    }

    fn finish_if_complete(&mut self) {
        if self.hubs_left == 0
            && self.have_nodes_answered()
            && self.responses.len() + self.lost + self.left_out >= self.asked
            && let Some(done) = self.done.take()
        {
            // Whoever waited may have gone.
            let _ = done.send(());
        }
    }
}
