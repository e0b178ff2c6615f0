//! Webhooks: a program elsewhere is told over HTTP who comes and goes, and which rooms are in use.
//!
//! `docs/backends.md` is the guide for those who receive them; [`WebhooksConfig`](crate::config::WebhooksConfig) says
//! where they go. They are sent by every server that has an address for them, whatever its handlers are.
//!
//! | type | when | has |
//! |---|---|---|
//! | `connected` | a socket was let in | `socket` |
//! | `disconnected` | it has left | `socket` with the rooms it has left, `reason` |
//! | `room_occupied` | the first socket is in a room | `room` |
//! | `room_vacated` | the last socket has left it | `room` |
//!
//! Delivery: at least once, with the same id each time. In order for each socket and for each room; others do not wait. A
//! webhook that fails is tried again with growing delays until [`retry_for`](crate::config::WebhooksConfig::retry_for) is
//! over. Then it is dead: counted (`webhook_dead`) and logged. What does not fit into the queue is not sent, and counted
//! (`webhook_dropped`); each try that fails is counted too (`webhook_failed`).
//!
//! Rooms: with membership in Redis a room counts over all servers, and Redis itself finds out, in the same moment in which
//! it learns of a join or leave, that this was the first or the last. So each edge is found once, by the server that made
//! it, or by the one that tidies up after a server that was killed. While Redis is away nothing is found; what is different
//! when it is back is told then. What begins and ends between two writes, a few milliseconds, is not told. Without
//! membership in Redis each server tells of its own sockets. An edge is lost if the connection breaks after Redis has found
//! it and before it has said so.

mod about;
mod courier;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix::prelude::*;
use bytestring::ByteString;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

pub(crate) use about::About;

use crate::clock;
use crate::config::{Config, WebhookEvent};
use crate::error::Error;
use crate::metrics::{Counter, Durations, Metrics};
use crate::namespace::{Room, Socket};
use crate::outbound::{self, Endpoint, Outage, Request};
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::SocketId;
use crate::registry::Occupancy;
use crate::throttle::throttled;
use courier::Courier;

/// What is read of the answer of a receiver, of which only the status counts.
const MAX_ANSWER_BYTES: usize = 65_536;

/// The webhooks of a server.
#[derive(Debug)]
pub(crate) struct Webhooks {
    post: Arc<Post>,
    tells_of_rooms: bool,
    courier: OnceLock<Addr<Courier>>,
}

/// What all that is told goes through: bounds and counts.
#[derive(Debug)]
struct Post {
    endpoint: Endpoint,
    events: Vec<WebhookEvent>,
    node: String,
    retry_for: Duration,
    /// Tries that may be made now.
    turns: Semaphore,
    /// Webhooks that are neither delivered nor dead, and how many there may be.
    n_waiting: AtomicUsize,
    queue: usize,
    /// Nothing waits any more.
    is_idle: Notify,
    outage: Outage,
    /// How long it took to deliver what was delivered.
    delivered: Mutex<Durations>,
    metrics: Arc<Metrics>,
}

/// What is told in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Socket(ByteString, SocketId),
    Room(ByteString, Room),
}

/// Something to tell.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Hook {
    key: Key,
    request: Request,
    since: Instant,
    _place: Place,
}

/// A place in the queue, free again when this is dropped.
#[derive(Debug)]
struct Place(Arc<Post>);

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.n_waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.is_idle.notify_waiters();
        }
    }
}

const fn name(event: WebhookEvent) -> &'static str {
    match event {
        WebhookEvent::Connected => "connected",
        WebhookEvent::Disconnected => "disconnected",
        WebhookEvent::RoomOccupied => "room_occupied",
        WebhookEvent::RoomVacated => "room_vacated",
    }
}

impl Post {
    /// What is sent of an event, if somebody wants to hear of it and there is room for it.
    fn hook(
        self: &Arc<Self>,
        event: WebhookEvent,
        key: impl FnOnce() -> Key,
        at_ms: u64,
        facts: impl FnOnce() -> serde_json::Value,
    ) -> Option<Hook> {
        if !self.events.contains(&event) {
            return None;
        }
        let n_before = self.n_waiting.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(self));
        if n_before >= self.queue {
            self.metrics.count(Counter::WebhookDropped);
            throttled!(
                error,
                "a webhook is not sent, the queue is full queue={}",
                self.queue
            );
            return None;
        }
        let (key, id) = (key(), outbound::new_id());
        let (Key::Socket(nsp, _) | Key::Room(nsp, _)) = &key;
        let mut body = json!({
            "id": id,
            "type": name(event),
            "time": at_ms,
            "node": self.node,
            "namespace": &**nsp,
        });
        if let (Some(body), serde_json::Value::Object(facts)) = (body.as_object_mut(), facts()) {
            body.extend(facts);
        }
        Some(Hook {
            key,
            request: Request {
                id,
                body: body.to_string().into(),
            },
            since: Instant::now(),
            _place: place,
        })
    }

    fn room(self: &Arc<Self>, edge: Occupancy) -> Option<Hook> {
        let event = match edge.is_occupied {
            true => WebhookEvent::RoomOccupied,
            false => WebhookEvent::RoomVacated,
        };
        let facts = json!({ "room": &*edge.room });
        let key = || Key::Room(edge.nsp, edge.room);
        self.hook(event, key, edge.at_ms, || facts)
    }
}

impl Webhooks {
    /// None if nobody is to be told.
    ///
    /// # Errors
    /// The receiver is at an `https://` address, and the certificates of the system cannot be read.
    pub(crate) fn new(config: &Config, metrics: &Arc<Metrics>) -> Result<Option<Self>, Error> {
        let settings = &config.webhooks;
        if settings.url.is_empty() {
            return Ok(None);
        }
        let node = outbound::node_name(config);
        let secret = settings.secret.clone();
        let (url, timeout) = (&settings.url, settings.timeout);
        let post = Post {
            endpoint: Endpoint::new(url, secret, &node, timeout, MAX_ANSWER_BYTES)?,
            events: settings.events.clone(),
            node,
            retry_for: settings.retry_for,
            turns: Semaphore::new(settings.concurrency),
            n_waiting: AtomicUsize::new(0),
            queue: settings.queue,
            is_idle: Notify::new(),
            outage: Outage::default(),
            delivered: Mutex::default(),
            metrics: Arc::clone(metrics),
        };
        Ok(Some(Self {
            post: Arc::new(post),
            tells_of_rooms: settings.tells_of_rooms(),
            courier: OnceLock::new(),
        }))
    }

    /// Starts on a thread of its own, once: who is to be told of the occupancy of rooms, if anybody.
    pub(crate) fn start(&self) -> Option<Recipient<Occupancy>> {
        let courier = self.courier.get_or_init(|| {
            let post = Arc::clone(&self.post);
            Courier::start_in_arbiter(&Arbiter::new().handle(), |_| Courier::new(post))
        });
        self.tells_of_rooms.then(|| courier.clone().recipient())
    }

    /// A socket was let in.
    pub(crate) fn connected(&self, socket: &Socket) {
        self.socket(WebhookEvent::Connected, socket, None);
    }

    /// A socket has left; its rooms can still be read.
    pub(crate) fn disconnected(&self, socket: &Socket, reason: DisconnectReason) {
        self.socket(WebhookEvent::Disconnected, socket, Some(reason));
    }

    fn socket(&self, event: WebhookEvent, socket: &Socket, reason: Option<DisconnectReason>) {
        let key = || Key::Socket(socket.namespace_name().into(), socket.id().clone());
        let facts = || {
            let about = About::new(socket);
            match reason {
                None => json!({ "socket": about }),
                Some(reason) => json!({ "socket": about, "reason": reason.to_string() }),
            }
        };
        let hook = self.post.hook(event, key, clock::now_ms(), facts);
        if let (Some(hook), Some(courier)) = (hook, self.courier.get()) {
            courier.do_send(hook);
        }
    }

    /// How many are neither delivered nor dead.
    pub(crate) fn n_waiting(&self) -> usize {
        self.post.n_waiting.load(Ordering::Relaxed)
    }

    /// How long it took to deliver what was delivered.
    pub(crate) fn delivered(&self) -> Durations {
        self.post.delivered.lock().clone()
    }

    /// Waits until everything is delivered or dead, within this time. The rest is lost when the process ends.
    pub(crate) async fn finish(&self, budget: Duration) {
        let post = &self.post;
        let all = async {
            loop {
                let mut idle = std::pin::pin!(post.is_idle.notified());
                // Before the count is looked at, so that its end is not missed.
                idle.as_mut().enable();
                if post.n_waiting.load(Ordering::Acquire) == 0 {
                    return;
                }
                idle.await;
            }
        };
        if tokio::time::timeout(budget, all).await.is_err() {
            let n_lost = post.n_waiting.load(Ordering::Acquire);
            log::error!("webhooks are lost, the server ends webhooks={n_lost}");
        }
    }
}
