//! The namespaces of a server: those registered by name, those made on demand from a pattern.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use bytestring::ByteString;
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::dispatch::{Definition, Env};
use super::handshake::Handshake;
use crate::hub::{Fanout, Flags, Selection};
use crate::protocol::socketio::Args;
use crate::server::Shared;
use crate::subscriber::{NamespaceChanged, Visit};

/// A namespace.
#[derive(Debug)]
pub(crate) struct NamespaceInner {
    /// Its number, which stands for the name on the delivery path.
    pub(crate) index: u32,
    name: ByteString,
    pub(crate) definition: Arc<Definition>,
    shared: Arc<Shared>,
    next_ack_id: AtomicU64,
    order: Mutex<()>,
    /// Sockets that are in it or on their way in.
    n_sockets: AtomicUsize,
}

/// A namespace as one worker has it. Its clones count on a line of memory that is this worker's: one for all would be
/// written by every broadcast of every worker.
#[derive(Clone, Debug)]
#[expect(
    clippy::redundant_allocation,
    reason = "it is the count that has to be apart"
)]
pub(crate) struct OwnNamespace(Arc<Arc<NamespaceInner>>);

impl OwnNamespace {
    pub(crate) fn new(nsp: Arc<NamespaceInner>) -> Self {
        Self(Arc::new(nsp))
    }
}

impl Deref for OwnNamespace {
    type Target = Arc<NamespaceInner>;

    fn deref(&self) -> &Arc<NamespaceInner> {
        &self.0
    }
}

impl Drop for NamespaceInner {
    fn drop(&mut self) {
        if self.is_elsewhere() {
            self.shared
                .tell_subscriber(|| Visit::Ends(self.name.clone()));
        }
    }
}

/// No namespace of this server has it: no hub and no registry knows a socket in it.
const ELSEWHERE: u32 = u32::MAX;

impl NamespaceInner {
    /// A namespace that only other servers have, for as long as something is asked in it. The subscriber was told that
    /// a [visit](Visit) begins; it is told of its end.
    pub(crate) fn elsewhere(
        name: ByteString,
        definition: Arc<Definition>,
        shared: Arc<Shared>,
    ) -> Self {
        Self::new(ELSEWHERE, name, definition, shared)
    }

    fn new(index: u32, name: ByteString, definition: Arc<Definition>, shared: Arc<Shared>) -> Self {
        Self {
            index,
            name,
            definition,
            shared,
            next_ack_id: AtomicU64::new(0),
            order: Mutex::new(()),
            n_sockets: AtomicUsize::new(0),
        }
    }

    /// Whether it is not here: only other servers have it.
    pub(crate) const fn is_elsewhere(&self) -> bool {
        self.index == ELSEWHERE
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What its handler needs of the server.
    pub(crate) fn env(&self) -> Env {
        Env {
            metrics: Arc::clone(&self.shared.metrics),
            queue: self.shared.config.limits.handler_queue,
        }
    }

    pub(crate) fn next_ack_id(&self) -> u64 {
        self.next_ack_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn n_sockets(&self) -> usize {
        self.n_sockets.load(Ordering::Relaxed)
    }

    /// With recovery on: nobody else numbers and sends an event in this namespace while this is held, so that
    /// clients get events in the order of their numbers. Otherwise one that is cut off between two of them
    /// would miss the lower for ever.
    pub(crate) fn in_order(&self, flags: &Flags) -> Option<MutexGuard<'_, ()>> {
        let recovers = self.shared.recovery.is_some() && !flags.volatile;
        recovers.then(|| self.order.lock())
    }

    /// Sends an event to the sockets of this server that `selection` addresses.
    pub(crate) fn deliver(&self, selection: Selection, flags: Flags, name: &str, args: &Args) {
        if self.is_elsewhere() {
            return;
        }
        let _order = self.in_order(&flags);
        let logged = self.log(&flags, name, args, || selection.clone());
        let (logged, args) = logged
            .as_ref()
            .map_or((0, args), |(number, args)| (*number, args));
        self.shared.fan_out(Fanout {
            nsp: self.index,
            packet: self.shared.dialect().event(&self.name, None, name, args),
            selection,
            flags,
            acks: None,
            logged,
        });
    }

    /// Puts an event into the log of connection state recovery, if there is one and the event may be
    /// replayed: its number there, and the arguments with the offset as one more.
    pub(crate) fn log(
        &self,
        flags: &Flags,
        name: &str,
        args: &Args,
        selection: impl FnOnce() -> Selection,
    ) -> Option<(u64, Args)> {
        let recovery = self.shared.recovery.as_ref().filter(|_| !flags.volatile)?;
        Some(recovery.log(&self.name, name, args, selection()))
    }
}

/// All namespaces that patterns made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Children {
    pub(crate) n_namespaces: usize,
    pub(crate) n_sockets: usize,
}

/// Why a client does not get into a namespace, in the words that it reads.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum NotEntered {
    /// There is none of that name. Source: `packages/socket.io/lib/client.ts`, `doConnect`.
    #[error("Invalid namespace")]
    Unknown,
    /// Its name exceeds the limit.
    #[error("the namespace name is too long")]
    NameTooLong,
    /// The session is in as many as it may.
    #[error("too many namespaces")]
    TooMany,
    /// Patterns have made as many as they may.
    #[error("too many child namespaces")]
    TooManyChildren,
}

/// Decides whether a name that a client asks for matches; see [`crate::ServerBuilder::namespace_matching`].
pub(crate) type Predicate = Box<dyn Fn(&str, &Handshake) -> bool + Send + Sync>;

/// All namespaces of a server.
pub(crate) struct Namespaces {
    by_name: RwLock<HashMap<ByteString, Arc<NamespaceInner>>>,
    parents: Vec<(Predicate, Arc<Definition>)>,
    next_index: AtomicU32,
    /// How many have names of their own, which no client chose.
    n_named: AtomicUsize,
    shared: OnceLock<Weak<Shared>>,
}

impl std::fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Namespaces")
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}

impl Namespaces {
    pub(crate) fn new(parents: Vec<(Predicate, Arc<Definition>)>) -> Self {
        Self {
            by_name: RwLock::default(),
            parents,
            next_index: AtomicU32::new(0),
            n_named: AtomicUsize::new(0),
            shared: OnceLock::new(),
        }
    }

    /// Tells the table whose it is, and adds the namespaces that have names.
    pub(crate) fn open(&self, shared: &Arc<Shared>, named: Vec<(ByteString, Arc<Definition>)>) {
        let _ = self.shared.set(Arc::downgrade(shared));
        let mut by_name = self.by_name.write();
        for (name, definition) in named {
            by_name.insert(name.clone(), self.make(name, definition, shared));
        }
        self.n_named.store(by_name.len(), Ordering::Relaxed);
    }

    fn make(
        &self,
        name: ByteString,
        definition: Arc<Definition>,
        shared: &Arc<Shared>,
    ) -> Arc<NamespaceInner> {
        let index = self.next_index.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        Arc::new(NamespaceInner::new(index, name, definition, shared))
    }

    /// The other servers have to hear of it, or not any more.
    fn changed(nsp: &Arc<NamespaceInner>) {
        nsp.shared
            .tell_subscriber(|| NamespaceChanged(Arc::clone(nsp)));
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<NamespaceInner>> {
        self.by_name.read().get(name).cloned()
    }

    /// How many have names of their own. Their indexes are the first ones.
    pub(crate) fn n_named(&self) -> usize {
        self.n_named.load(Ordering::Relaxed)
    }

    /// The sockets of each namespace that has a name of its own, by their indexes; and of all others together.
    pub(crate) fn census(&self) -> (Vec<(ByteString, usize)>, Children) {
        let by_name = self.by_name.read();
        let n_named = self.n_named();
        let mut named = vec![(ByteString::new(), 0); n_named];
        let mut children = Children::default();
        for nsp in by_name.values() {
            match named.get_mut(nsp.index as usize) {
                Some(place) => *place = (nsp.name.clone(), nsp.n_sockets()),
                None => {
                    children.n_namespaces += 1;
                    children.n_sockets += nsp.n_sockets();
                }
            }
        }
        (named, children)
    }

    pub(crate) fn all(&self) -> Vec<Arc<NamespaceInner>> {
        self.by_name.read().values().cloned().collect()
    }

    pub(crate) fn names(&self) -> Vec<ByteString> {
        self.by_name.read().keys().cloned().collect()
    }

    /// The namespace for a socket that wants in, made from a pattern if need be. Counts the socket;
    /// [`Namespaces::leave`] takes it back.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn enter(
        &self,
        name: &str,
        handshake: &Handshake,
    ) -> Result<Arc<NamespaceInner>, NotEntered> {
        let count = |nsp: &Arc<NamespaceInner>| {
            nsp.n_sockets.fetch_add(1, Ordering::Relaxed);
            Arc::clone(nsp)
        };
        // Counted under the lock, so that `leave` cannot remove it in between.
        if let Some(nsp) = self.by_name.read().get(name).map(count) {
            return Ok(nsp);
        }
        let (_, definition) = self
            .parents
            .iter()
            .find(|(matches, _)| matches(name, handshake))
            .ok_or(NotEntered::Unknown)?;
        let shared = self.shared.get().and_then(Weak::upgrade);
        let shared = shared.ok_or(NotEntered::Unknown)?;
        let mut by_name = self.by_name.write();
        // Another client may have been faster.
        if let Some(nsp) = by_name.get(name).map(count) {
            return Ok(nsp);
        }
        let limit = shared.limits().child_namespaces;
        let n_named = self.n_named.load(Ordering::Relaxed);
        let is_full = |by_name: &HashMap<_, _>| by_name.len() - n_named >= limit;
        if is_full(&by_name) {
            // Those that were kept though nobody is in them make room.
            by_name.retain(|_, nsp| {
                let is_kept = !nsp.definition.is_pattern || nsp.n_sockets() > 0;
                if !is_kept {
                    Self::changed(nsp);
                }
                is_kept
            });
        }
        if is_full(&by_name) {
            return Err(NotEntered::TooManyChildren);
        }
        let nsp = self.make(name.into(), Arc::clone(definition), &shared);
        by_name.insert(name.into(), Arc::clone(&nsp));
        Self::changed(&nsp);
        Ok(count(&nsp))
    }

    /// A socket has left (or never got in). An empty namespace that came from a pattern goes too, if
    /// the configuration says so.
    pub(crate) fn leave(&self, nsp: &NamespaceInner) {
        let is_last = nsp.n_sockets.fetch_sub(1, Ordering::Relaxed) == 1;
        if is_last
            && nsp.definition.is_pattern
            && nsp.shared.config.socketio.cleanup_empty_child_namespaces
        {
            let mut by_name = self.by_name.write();
            let gone = (nsp.n_sockets() == 0).then(|| by_name.remove(nsp.name()));
            drop(by_name);
            if let Some(gone) = gone.flatten() {
                Self::changed(&gone);
            }
        }
    }
}
