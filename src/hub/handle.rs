//! The ways to a hub: a call on its own thread, a message from others; and how it starts and stops.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::prelude::*;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use tokio::sync::Notify;

use super::by_sid::BySid;
use super::{Change, Command, Hub, Parcel, Tally, Ticks, Together, heartbeat};
use crate::locals::{Coming, Locals};
use crate::namespace::{Namespaces, ServerEvent, Socket};
use crate::server::Shared;

/// The way to a hub, from any thread.
#[derive(Debug)]
pub(crate) struct HubHandle {
    server: usize,
    pub(crate) index: u16,
    addr: Addr<HubActor>,
    /// What other threads have sent and the hub has not taken. Not the actor's mailbox, because a session
    /// looks here too before it hands an event over: what was sent before the client could know of it is
    /// carried out first, as on a server with one thread.
    inbox: Mutex<Vec<Command>>,
    /// There is something in the inbox, and the actor has been told.
    has_mail: AtomicBool,
    /// Which workers have which rooms, if anybody asks that: the hub tells of its own.
    pub(super) locals: Option<Arc<Locals>>,
}

/// There is something in the inbox.
#[derive(Debug)]
pub(crate) struct Mail;

impl Message for Mail {
    type Result = ();
}

pub(crate) type Local = Rc<RefCell<Hub>>;

thread_local! {
    /// The hubs of this thread: one per server that has sessions here.
    static LOCAL: RefCell<Vec<(usize, Local)>> = const { RefCell::new(Vec::new()) };
}

/// The hub of a server on this thread, if it has one.
pub(crate) fn local(server: usize) -> Option<Local> {
    LOCAL.with_borrow(|hubs| {
        hubs.iter()
            .find(|(id, _)| *id == server)
            .map(|(_, hub)| Rc::clone(hub))
    })
}

/// Has [`Shared::tell_changes`] called when this worker has nothing else to do; `false` if this thread is no worker of
/// the server.
pub(crate) fn end_of_round(server: usize) -> bool {
    let Some(hub) = local(server) else {
        return false;
    };
    // Who works on the hub right now does not tell the registry.
    let Ok(hub) = hub.try_borrow() else {
        return false;
    };
    hub.has_news.set(true);
    hub.flush.notify_one();
    true
}

/// Does something on the hub's thread before what others have sent is carried out.
pub(crate) fn before_mail(hub: &Local, act: impl FnOnce()) {
    let takes_mail = std::mem::replace(&mut hub.borrow_mut().takes_mail, true);
    act();
    hub.borrow_mut().takes_mail = takes_mail;
}

impl HubHandle {
    /// Applies `command` at once if this is the hub's thread, else sends it there. One thread always
    /// takes the same way to one hub, so what it says arrives in the order it was said.
    pub(crate) fn send(&self, mut command: Command) {
        if let Some(hub) = local(self.server)
            && hub
                .try_borrow_mut()
                .is_ok_and(|hub| hub.index == self.index)
        {
            // What others have sent before comes before.
            self.take_mail(&hub);
            let after = hub.borrow_mut().apply(command);
            return after.run();
        }
        if let Some(locals) = &self.locals {
            command.set_out(locals);
        }
        self.inbox.lock().push(command);
        if !self.has_mail.swap(true, Ordering::AcqRel) {
            self.addr.do_send(Mail);
        }
    }

    /// How much other threads have sent that the hub has not taken.
    pub(crate) fn n_waiting(&self) -> usize {
        self.inbox.lock().len()
    }

    /// Whether other threads have sent something that was not taken.
    // Hot: one read of a line that only changes when something is there.
    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// Carries out what other threads have sent, if there is anything. On the hub's thread, while nobody
    /// borrows the hub.
    pub(crate) fn take_mail(&self, hub: &Local) {
        // What a command of the mail does comes back here; what lies behind the command has to wait for it.
        if !self.has_mail() || std::mem::replace(&mut hub.borrow_mut().takes_mail, true) {
            return;
        }
        self.has_mail.store(false, Ordering::Release);
        let commands = std::mem::take(&mut *self.inbox.lock());
        for command in commands {
            let after = hub.borrow_mut().apply(command);
            after.run();
        }
        hub.borrow_mut().takes_mail = false;
    }
}

/// What has to happen once the hub is no longer borrowed, since it comes back to the hub.
#[derive(Debug, Default)]
pub(super) enum After {
    #[default]
    Nothing,
    Change(Vec<Socket>, Change, Option<Coming>),
    ServerEvent(Box<ServerEvent>),
}

impl After {
    fn run(self) {
        let (sockets, change, _coming) = match self {
            Self::Nothing => return,
            Self::ServerEvent(event) => return event.dispatch(),
            Self::Change(sockets, change, coming) => (sockets, change, coming),
        };
        for socket in sockets {
            match &change {
                Change::Join(rooms) => socket.join(rooms),
                Change::Leave(rooms) => rooms.iter().for_each(|room| socket.leave(room.clone())),
                Change::Disconnect { close } => socket.disconnect(*close),
            }
        }
    }
}

/// The actor that receives what other threads send; its state is [`Hub`].
#[derive(Debug)]
pub(crate) struct HubActor(Option<Local>);

impl Actor for HubActor {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        if let Some(hub) = self.0.take() {
            let (server, index) = (Arc::clone(&hub.borrow().server), hub.borrow().index);
            LOCAL.with_borrow_mut(|hubs| hubs.retain(|(_, other)| !Rc::ptr_eq(other, &hub)));
            server.tell_changes();
            server.remove_hub(index, &hub.borrow().tally);
        }
    }
}

impl Handler<Mail> for HubActor {
    type Result = ();

    fn handle(&mut self, Mail: Mail, _: &mut Context<Self>) {
        if let Some(hub) = &self.0 {
            let handle = Arc::clone(&hub.borrow().handle);
            handle.take_mail(hub);
        }
    }
}

/// The hub of `server` on this worker, started if it is not there yet.
pub(crate) fn here(server: &Arc<Shared>) -> Local {
    if let Some(hub) = local(server.id) {
        return hub;
    }
    let context = Context::new();
    let addr = context.address();
    let hub = server.add_hub(|index| {
        let handle = Arc::new(HubHandle {
            server: server.id,
            index,
            addr,
            inbox: Mutex::default(),
            has_mail: AtomicBool::new(false),
            locals: server.kept_locals().cloned(),
        });
        Rc::new(RefCell::new(Hub {
            index,
            handle,
            server: Arc::clone(server),
            seats: SlotMap::with_key(),
            members: SlotMap::with_key(),
            by_sid: BySid::default(),
            spaces: FxHashMap::default(),
            peers: RefCell::default(),
            timers: BTreeSet::new(),
            timer_set: Rc::new(Notify::new()),
            ticks: Ticks::new(&server.config.engine),
            dirty: Vec::new(),
            flush: Rc::new(Notify::new()),
            has_news: Cell::new(false),
            stamp: 0,
            takes_mail: false,
            tally: Tally::new(server.namespaces().map_or(0, Namespaces::n_named)),
            outbox_limit: server.limits().outbox_bytes,
            together: Together::new(server.config.server.io_uring),
            ping: Parcel::text("2"),
            pong: Parcel::text("3"),
        }))
    });
    LOCAL.with_borrow_mut(|hubs| hubs.push((server.id, Rc::clone(&hub))));
    let _ = context.run(HubActor(Some(Rc::clone(&hub))));
    actix_rt::spawn(flush_rounds(Rc::downgrade(&hub)));
    actix_rt::spawn(heartbeat::run(Rc::downgrade(&hub)));
    hub
}

/// Flushes the dirty seats, and tells the registry what has changed, once per round of the event loop: the task is
/// woken by the first push of a round and so runs after everything that was ready before. To write to a thousand clients
/// takes milliseconds: what is to be published does not wait for that. The connection to Redis is driven by a task of the
/// runtime, and those have their turns when the tasks of actors have had theirs, so a yield to the runtime lets it write.
async fn flush_rounds(hub: Weak<RefCell<Hub>>) {
    let of_hub = |hub: Local| {
        let hub = hub.borrow();
        (Rc::clone(&hub.flush), Arc::clone(&hub.server))
    };
    let Some((flush, server)) = hub.upgrade().map(of_hub) else {
        return;
    };
    loop {
        flush.notified().await;
        if publishes_here(&server) {
            // The other servers first, which work while this one writes to its own clients.
            tokio::task::yield_now().await;
        }
        let Some(hub) = hub.upgrade() else { return };
        hub.borrow_mut().flush_dirty(&hub);
        // What this worker has to tell: all workers tell by one lock, which a round without joins does not touch.
        if hub.borrow().has_news.take() {
            server.tell_changes();
        }
    }
}

/// Whether the publisher is about to write to Redis, on this very thread.
fn publishes_here(server: &Shared) -> bool {
    server.has_one_worker.load(Ordering::Relaxed)
        && server
            .cluster
            .as_ref()
            .is_some_and(|cluster| cluster.publications.take_due())
}
