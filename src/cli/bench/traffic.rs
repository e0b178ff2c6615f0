//! What clients say to each other, and how long it takes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greenroom::protocol::socketio::{PacketType, RawPacket, RawPayload};
use rustc_hash::FxHashMap;

use super::broken::Broken;
use super::client::{Client, Mailbox};
use super::messages::{Kind, Traffic, room_name};
use super::schedule::Due;
use super::stamp::Seen;
use super::template::Filling;

/// What a client waits for, and what it has.
pub(super) struct InFlight {
    /// Events that are not answered yet, by the number of their answer.
    asked: FxHashMap<u64, Due>,
    /// What has come of each lane.
    seen: FxHashMap<u32, Seen>,
    /// Since when nothing but this program keeps this client from sending. Until then it is the server.
    free_since: Option<Instant>,
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self {
            asked: FxHashMap::default(),
            seen: FxHashMap::default(),
            free_since: Some(Instant::now()),
        }
    }
}

impl Client {
    /// Sends what is due, as far as the server lets it.
    pub(super) fn send_due(
        &mut self,
        mailbox: &Mailbox,
        in_flight: &mut InFlight,
    ) -> Result<(), Broken> {
        let plan = Arc::clone(&self.crew.plan);
        let Some(traffic) = &plan.traffic else {
            return Ok(());
        };
        loop {
            let is_full = traffic.in_flight != 0 && in_flight.asked.len() >= traffic.in_flight;
            if is_full || self.wire.is_busy() {
                in_flight.free_since = None;
                return Ok(());
            }
            let free_since = *in_flight.free_since.get_or_insert_with(Instant::now);
            let Some(due) = mailbox.take() else {
                return Ok(());
            };
            self.send(traffic, due, free_since, in_flight)?;
        }
    }

    fn send(
        &mut self,
        traffic: &Traffic,
        due: Due,
        free_since: Instant,
        in_flight: &mut InFlight,
    ) -> Result<(), Broken> {
        let room = traffic.room_of(due.lane);
        let payload = match traffic.kind {
            Kind::Echo => Cow::Borrowed(&*traffic.filler),
            Kind::Broadcast | Kind::Rooms => {
                Cow::Owned(traffic.stamps.payload(&due, traffic.n_bytes))
            }
        };
        let event = traffic.event.fill(&Filling {
            n: self.n,
            room: &room_name(room),
            id: &traffic.stamps.id(&due),
            payload: &payload,
        });
        let lag = self.crew.since(due.at).min(free_since.elapsed());
        let n_receivers = match traffic.kind {
            Kind::Echo => {
                let id = self.emit_with_ack(&event)?;
                in_flight.asked.insert(id, due);
                1
            }
            Kind::Broadcast | Kind::Rooms => {
                let packet = format!("42{}{event}", self.crew.plan.nsp_prefix);
                self.wire.queue(packet)?;
                let members = self.crew.shared.members.get(room);
                let n_members = members.map_or(0, |members| members.get());
                n_members.saturating_sub(u64::from(traffic.is_without_sender))
            }
        };
        // Expected before sent: as soon as all is sent, somebody looks whether all has come.
        self.crew.shared.expected.add(n_receivers);
        self.crew.shared.sent.add(1);
        self.crew.tally.borrow_mut().sent(&due, n_receivers, lag);
        Ok(())
    }

    /// Looks at what has come.
    pub(super) fn measure(
        &self,
        packet: &RawPacket<'_>,
        text: &str,
        in_flight: &mut InFlight,
    ) -> Result<(), Broken> {
        if packet.kind == PacketType::Disconnect {
            return Err(Broken::Disconnected);
        }
        let Some(traffic) = &self.crew.plan.traffic else {
            return Ok(());
        };
        match packet.kind {
            PacketType::Ack | PacketType::BinaryAck => {
                let asked = packet.id.and_then(|id| in_flight.asked.remove(&id));
                if let Some(due) = asked {
                    self.received(due.at);
                    if let RawPayload::Args(args) = &packet.payload
                        && traffic.event.has_payload()
                        && !args.joined.contains(&traffic.filler)
                    {
                        let mut tally = self.crew.tally.borrow_mut();
                        tally.answered_otherwise(args.joined);
                    }
                }
            }
            PacketType::Event | PacketType::BinaryEvent => {
                if let Some(stamp) = traffic.stamps.find(text) {
                    let seen = in_flight.seen.entry(stamp.lane).or_default();
                    if seen.is_new(stamp.seq) {
                        self.received(stamp.at);
                    } else {
                        self.crew.tally.borrow_mut().repeated(stamp.at);
                    }
                }
            }
            PacketType::Connect | PacketType::ConnectError | PacketType::Disconnect => {}
        }
        Ok(())
    }

    /// Something that was due at that time has arrived.
    fn received(&self, due: Duration) {
        let latency = self.crew.since(due);
        self.crew.tally.borrow_mut().received(due, latency);
        self.crew.shared.received.add(1);
    }
}
