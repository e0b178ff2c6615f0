//! The hubs of a server: one for each worker, and which of them a message is for.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::prelude::*;

use super::{Shared, Upper};
use crate::hub::{Change, Command, Fanout, HubHandle, Selection, Tally, local};
use crate::locals::{Concerned, Locals};
use crate::namespace::Room;
use crate::registry::Registry;
use crate::webhooks::Webhooks;

/// Some of the hubs of a server.
pub(crate) struct Hubs {
    all: Rc<Vec<Arc<HubHandle>>>,
    concerned: Concerned,
}

impl Hubs {
    fn iter(&self) -> impl Iterator<Item = &HubHandle> {
        let hubs = self.all.iter().map(|hub| &**hub);
        hubs.filter(|hub| self.concerned.has(hub.index))
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    /// Sends one command to each.
    pub(crate) fn tell(&self, command: impl Fn() -> Command) {
        self.iter().for_each(|hub| hub.send(command()));
    }
}

impl Shared {
    /// Gives a new hub its number, and the registry its thread if this is the first.
    pub(crate) fn add_hub<T>(self: &Arc<Self>, make: impl FnOnce(u16) -> T) -> T
    where
        T: AsHandle,
    {
        if matches!(self.upper, Upper::SocketIo(_)) {
            self.registry.get_or_init(|| {
                let cluster = self.cluster.clone();
                let watcher = self.webhooks.as_ref().and_then(Webhooks::start);
                Registry::start_in_arbiter(&Arbiter::new().handle(), |_| {
                    Registry::new(cluster, watcher)
                })
            });
            if let Some(cluster) = &self.cluster {
                self.subscriber.get_or_init(|| self.join_cluster(cluster));
            }
        }
        let mut hubs = self.hubs.write();
        let index = hubs.iter().position(Option::is_none).unwrap_or(hubs.len());
        let hub = make(u16::try_from(index).unwrap_or(u16::MAX));
        if index == hubs.len() {
            hubs.push(None);
        }
        hubs[index] = Some(hub.handle());
        self.hubs_generation.fetch_add(1, Ordering::Release);
        hub
    }

    /// A hub has gone; what it has counted stays counted.
    pub(crate) fn remove_hub(&self, index: u16, tally: &Tally) {
        self.tallies.retire(index, tally);
        if let Some(hub) = self.hubs.write().get_mut(usize::from(index)) {
            *hub = None;
        }
        self.hubs_generation.fetch_add(1, Ordering::Release);
    }

    fn hubs(&self) -> Vec<Arc<HubHandle>> {
        self.hubs.read().iter().flatten().cloned().collect()
    }

    /// The hub with this number.
    pub(crate) fn hub(&self, index: u16) -> Option<Arc<HubHandle>> {
        if let Some(hub) = local(self.id)
            && let Ok(hub) = hub.try_borrow()
            && hub.index == index
        {
            return Some(Arc::clone(&hub.handle));
        }
        self.hubs.read().get(usize::from(index))?.clone()
    }

    /// One message for each hub that has sockets which it addresses.
    // Hot: on a worker the list of hubs is the worker's own.
    pub(crate) fn fan_out(&self, fanout: Fanout) {
        let fanout = Arc::new(fanout);
        let hubs = self.hubs_with(fanout.nsp, &fanout.selection.rooms);
        hubs.tell(|| Command::Fanout(Arc::clone(&fanout)));
    }

    /// Makes all sockets that `selection` addresses join, leave, or go.
    pub(crate) fn change(&self, nsp: u32, selection: &Selection, change: &Change) {
        self.hubs_with(nsp, &selection.rooms)
            .tell(|| Command::Change {
                nsp,
                selection: selection.clone(),
                change: change.clone(),
                coming: None,
            });
    }

    /// The hubs that have members in one of these rooms, or may when they have done what they were told before; all of
    /// them if no room is named.
    pub(crate) fn hubs_with(&self, nsp: u32, rooms: &[Room]) -> Hubs {
        let all = self.hubs_now();
        let concerned = match self.kept_locals() {
            Some(locals) if all.len() > 1 && !rooms.is_empty() => locals.concerned(nsp, rooms),
            _ => Concerned::All,
        };
        Hubs { all, concerned }
    }

    /// Which workers have which rooms. A server alone with one worker does not keep it.
    pub(crate) fn kept_locals(&self) -> Option<&Arc<Locals>> {
        let is_asked = self.cluster.is_some() || !self.has_one_worker.load(Ordering::Relaxed);
        is_asked.then_some(&self.locals)
    }

    pub(crate) fn to_all_hubs(&self, command: impl Fn() -> Command) {
        self.hubs_now().iter().for_each(|hub| hub.send(command()));
    }

    /// All hubs: on a worker the list that it keeps, elsewhere a new one.
    pub(crate) fn hubs_now(&self) -> Rc<Vec<Arc<HubHandle>>> {
        let Some(hub) = local(self.id) else {
            return Rc::new(self.hubs());
        };
        let Ok(hub) = hub.try_borrow() else {
            return Rc::new(self.hubs());
        };
        let generation = self.hubs_generation.load(Ordering::Acquire);
        let mut kept = hub.peers.borrow_mut();
        if kept.0 != generation {
            *kept = (generation, Rc::new(self.hubs()));
        }
        Rc::clone(&kept.1)
    }
}

/// Something that a [`HubHandle`] leads to.
pub(crate) trait AsHandle {
    fn handle(&self) -> Arc<HubHandle>;
}

impl AsHandle for Rc<std::cell::RefCell<crate::hub::Hub>> {
    fn handle(&self) -> Arc<HubHandle> {
        Arc::clone(&self.borrow().handle)
    }
}
