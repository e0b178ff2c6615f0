//! One client: it connects, sends what is due, hears what comes back, and goes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greenroom::protocol::socketio::{PacketType, RawPacket, RawPayload, decode};
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::broken::Broken;
use super::plan::Plan;
use super::schedule::Due;
use super::shared::{Phase, Shared};
use super::tally::Tally;
use super::template::Filling;
use super::traffic::InFlight;
use super::wire::{Heard, Wire};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the clients of one thread have in common.
pub(super) struct Crew {
    pub(super) plan: Arc<Plan>,
    pub(super) shared: Arc<Shared>,
    pub(super) tally: RefCell<Tally>,
    pub(super) phase: watch::Receiver<Phase>,
    /// When the first connection was due.
    pub(super) start: Instant,
}

impl Crew {
    /// How long it is since a message was due.
    pub(super) fn since(&self, due: Duration) -> Duration {
        let epoch = self.shared.epoch.get().unwrap_or(&self.start);
        (*epoch + due).elapsed()
    }
}

/// What one client has to send.
#[derive(Default)]
pub(super) struct Mailbox {
    due: RefCell<VecDeque<Due>>,
    bell: Notify,
}

impl Mailbox {
    pub(super) fn put(&self, due: Due) {
        self.due.borrow_mut().push_back(due);
        self.bell.notify_one();
    }

    pub(super) fn take(&self) -> Option<Due> {
        self.due.borrow_mut().pop_front()
    }
}

/// What a server says first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    sid: String,
    ping_interval: u64,
    ping_timeout: u64,
}

/// A client with a connection.
pub(super) struct Client {
    pub(super) crew: Rc<Crew>,
    pub(super) n: usize,
    pub(super) wire: Wire,
    /// Rings when a ping of the server is overdue.
    overdue: Pin<Box<Sleep>>,
    within: Duration,
    pub(super) last_id: u64,
}

/// The life of a client that was due at that time.
pub(super) async fn live(crew: Rc<Crew>, n: usize, due: Duration, mailbox: Rc<Mailbox>) {
    let mut phase = crew.phase.clone();
    let arrived = tokio::select! {
        arrived = Client::arrive(Rc::clone(&crew), n, due) => arrived,
        _ = phase.wait_for(Phase::is_ending) => Err(Broken::Interrupted),
    };
    let mut client = match arrived {
        Ok(client) => client,
        Err(broken) => {
            crew.shared.failed.add(1);
            return fail(&crew, &broken);
        }
    };
    if crew.plan.is_stalled(n) {
        return client.stall().await;
    }
    crew.shared.ready.add(1);
    let worked = match client.work(&mailbox).await {
        Ok(()) => within(crew.plan.timeout, client.leave()).await,
        broken => broken,
    };
    match worked {
        Ok(()) => client.close().await,
        Err(broken) => {
            crew.shared.dropped.add(1);
            crew.tally.borrow_mut().n_dropped += 1;
            fail(&crew, &broken);
        }
    }
}

fn fail(crew: &Crew, broken: &Broken) {
    if !matches!(broken, Broken::Interrupted) {
        crew.tally.borrow_mut().failed(broken.to_string());
    }
}

async fn within<T>(
    patience: Duration,
    done: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Broken> {
    let done = timeout(patience, done).await;
    done.unwrap_or(Err(Broken::Timeout))
}

impl Client {
    /// Connects and joins.
    async fn arrive(crew: Rc<Crew>, n: usize, due: Duration) -> Result<Self, Broken> {
        let plan = Arc::clone(&crew.plan);
        let connecting = Self::connect(Rc::clone(&crew), n);
        let mut client = within(plan.timeout, connecting).await?;
        let at = crew.start.elapsed();
        crew.tally.borrow_mut().connected(due, at);
        within(plan.timeout, client.join()).await?;
        Ok(client)
    }

    async fn connect(crew: Rc<Crew>, n: usize) -> Result<Self, Broken> {
        let plan = Arc::clone(&crew.plan);
        let mut wire = Wire::open(&plan.target, plan.transport, plan.caller(n)).await?;
        let open: Open = loop {
            if let Heard::Packet(text) = wire.next().await? {
                let json = text.strip_prefix('0');
                let open = json.and_then(|json| serde_json::from_str(json).ok());
                break open.ok_or_else(|| Broken::Garbage(text.to_string()))?;
            }
        };
        wire.opened(&open.sid);
        let within = open.ping_interval.saturating_add(open.ping_timeout);
        let within = Duration::from_millis(within);
        let mut client = Self {
            crew,
            n,
            wire,
            overdue: Box::pin(sleep(within)),
            within,
            last_id: 0,
        };
        let filling = Filling {
            n,
            ..Filling::default()
        };
        let auth = plan.auth.fill(&filling);
        client.wire.queue(format!("40{}{auth}", plan.nsp_prefix))?;
        loop {
            let Some(text) = client.hear().await? else {
                continue;
            };
            let packet = packet(&text)?;
            match (packet.kind, packet.payload) {
                (PacketType::Connect, _) => return Ok(client),
                (PacketType::ConnectError, RawPayload::Value(why)) => {
                    return Err(Broken::Refused(reason(why)));
                }
                (PacketType::ConnectError, _) => return Err(Broken::Refused(String::new())),
                _ => {}
            }
        }
    }

    /// Sends an event that asks for an answer: the number of the answer.
    pub(super) fn emit_with_ack(&mut self, event: &str) -> Result<u64, Broken> {
        self.last_id += 1;
        let id = self.last_id;
        let packet = format!("42{}{id}{event}", self.crew.plan.nsp_prefix);
        self.wire.queue(packet)?;
        Ok(id)
    }

    /// The next message of Socket.IO, or nothing if only something else has happened: a heartbeat, or room for more.
    ///
    /// Nothing is lost if this is given up and called again.
    pub(super) async fn hear(&mut self) -> Result<Option<Utf8Bytes>, Broken> {
        let heard = tokio::select! {
            heard = self.wire.next() => heard?,
            () = &mut self.overdue => return Err(Broken::Silent),
        };
        let Heard::Packet(text) = heard else {
            return Ok(None);
        };
        match text.as_bytes().first() {
            Some(b'4') => return Ok(Some(text)),
            Some(b'2') => {
                self.wire.queue(format!("3{}", &text[1..]))?;
                let deadline = tokio::time::Instant::now() + self.within;
                self.overdue.as_mut().reset(deadline);
            }
            Some(b'1') => return Err(Broken::Closed(String::new())),
            _ => {}
        }
        Ok(None)
    }

    /// Sends what is due and measures what comes, until the run is over.
    async fn work(&mut self, mailbox: &Mailbox) -> Result<(), Broken> {
        let mut phase = self.crew.phase.clone();
        let mut over = pin!(phase.wait_for(Phase::is_over));
        let mut in_flight = InFlight::new();
        loop {
            self.send_due(mailbox, &mut in_flight)?;
            tokio::select! {
                heard = self.hear() => if let Some(text) = heard? {
                    self.measure(&packet(&text)?, &text, &mut in_flight)?;
                },
                () = mailbox.bell.notified() => {}
                _ = &mut over => return Ok(()),
            }
        }
    }

    /// Says goodbye. Whoever does not listen to it is left without.
    pub(super) async fn close(&mut self) {
        let _ = timeout(GOODBYE, self.wire.close()).await;
    }
}

pub(super) fn packet(text: &str) -> Result<RawPacket<'_>, Broken> {
    let message = text.strip_prefix('4').unwrap_or_default();
    decode(message, usize::MAX).map_err(|_| Broken::Garbage(text.to_owned()))
}

/// What a refusal says, without what is the same in all of them.
fn reason(why: &str) -> String {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Why {
        message: String,
    }
    serde_json::from_str::<Why>(why).map_or_else(|_| why.to_owned(), |why| why.message)
}
