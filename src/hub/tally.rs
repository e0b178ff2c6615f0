//! What a hub counts: plain numbers that only its own thread writes, summed when somebody asks.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Hub, Link};
use crate::metrics::Durations;
use crate::protocol::DisconnectReason;
use crate::protocol::engineio::Transport;
use crate::protocol::socketio::PacketType;

/// How many transports there are, as indexes.
pub(crate) const N_TRANSPORTS: usize = 2;
const N_REASONS: usize = DisconnectReason::ALL.len();

/// Socket.IO packets, each in the place of its type: the number on the wire.
pub(crate) type ByType = [u64; PacketType::ALL.len()];

/// The counters of one hub, or a sum of those of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Sessions by the transport of their handshake.
    pub(crate) opened: [u64; N_TRANSPORTS],
    /// Sessions by the reason of their end.
    pub(crate) closed: [u64; N_REASONS],
    /// Sessions that went from polling to WebSocket.
    pub(crate) upgraded: u64,
    /// Sockets that were let into their namespace.
    pub(crate) connected: u64,
    /// Sockets by the reason of their end.
    pub(crate) disconnected: [u64; N_REASONS],
    /// Packets of clients, by the transport that brought them.
    pub(crate) received: [Traffic; N_TRANSPORTS],
    /// Packets that a transport has taken.
    pub(crate) sent: [Traffic; N_TRANSPORTS],
    /// Socket.IO packets of clients, when their attachments are there.
    pub(crate) socketio: ByType,
    /// Events of clients: a place for each namespace with a name of its own, and one for all that patterns made.
    pub(crate) events: Vec<u64>,
    /// Those of them whose client waits for an ack.
    pub(crate) acks_wanted: u64,
    /// Socket.IO packets for one client.
    pub(crate) emitted: ByType,
    /// Those of broadcasts, each socket counted that one was for.
    pub(crate) reached: ByType,
    /// From the time at which a ping was due until its pong.
    pub(crate) round_trips: Durations,
    /// From an emit with ack until the answer of the client, if somebody waited for it still.
    pub(crate) acks: Durations,
}

/// Engine.IO packets, and their bytes before framing and compression.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Traffic {
    pub(crate) const fn add(&mut self, packets: usize, bytes: usize) {
        self.packets += packets as u64;
        self.bytes += bytes as u64;
    }
}

/// The index of a transport.
pub(crate) const fn place(transport: Transport) -> usize {
    match transport {
        Transport::Polling => 0,
        Transport::Websocket => 1,
    }
}

impl Tally {
    /// For a server with this number of namespaces that have names of their own: their indexes come first.
    pub(super) fn new(n_named: usize) -> Self {
        Self {
            events: vec![0; n_named + 1],
            ..Self::default()
        }
    }

    // Hot: an addition.
    pub(crate) fn event(&mut self, nsp: u32) {
        let last = self.events.len().saturating_sub(1);
        if let Some(n) = self.events.get_mut((nsp as usize).min(last)) {
            *n += 1;
        }
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        // Every field by its name, so that a new one cannot be forgotten.
        let Self {
            opened,
            closed,
            upgraded,
            connected,
            disconnected,
            received,
            sent,
            socketio,
            events,
            acks_wanted,
            emitted,
            reached,
            round_trips,
            acks,
        } = other;
        add(&mut self.opened, opened);
        add(&mut self.closed, closed);
        self.upgraded += upgraded;
        self.connected += connected;
        add(&mut self.disconnected, disconnected);
        for (sum, more) in [(&mut self.received, received), (&mut self.sent, sent)] {
            for (sum, more) in sum.iter_mut().zip(more) {
                sum.packets += more.packets;
                sum.bytes += more.bytes;
            }
        }
        if self.events.len() < events.len() {
            self.events.resize(events.len(), 0);
        }
        add(&mut self.events, events);
        self.acks_wanted += acks_wanted;
        add(&mut self.socketio, socketio);
        add(&mut self.emitted, emitted);
        add(&mut self.reached, reached);
        self.round_trips.merge(round_trips);
        self.acks.merge(acks);
    }
}

fn add(sums: &mut [u64], more: &[u64]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// What a hub tells of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) tally: Tally,
    /// Sessions by the transport they have now.
    pub(crate) n_sessions: [usize; N_TRANSPORTS],
    /// Those of them whose client has not taken what was sent to it.
    pub(crate) n_blocked: usize,
    /// What waits in all outboxes, and in the fullest.
    pub(crate) outbox_bytes: usize,
    pub(crate) largest_outbox_bytes: usize,
}

/// What hubs have told, for the time when they tell no more: a sum may not become smaller.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// Who asks holds it: actors that are stuck get one question at a time, however many ask.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// What hubs that have gone have counted.
    retired: Mutex<Tally>,
    /// The last report of each hub, by its number.
    last: Mutex<HashMap<u16, Report>>,
}

impl Tallies {
    /// A hub has gone.
    pub(crate) fn retire(&self, hub: u16, tally: &Tally) {
        self.last.lock().remove(&hub);
        self.retired.lock().merge(tally);
    }

    /// What hubs that have gone have counted.
    pub(crate) fn retired(&self) -> Tally {
        self.retired.lock().clone()
    }

    /// Remembers the report of a hub; without one, gives the last.
    pub(crate) fn latest(&self, hub: u16, report: Option<Report>) -> Option<Report> {
        let mut last = self.last.lock();
        if let Some(report) = report {
            last.insert(hub, report.clone());
            return Some(report);
        }
        last.get(&hub).cloned()
    }
}

/// Where a hub sends its report.
pub(crate) type ReportTo = oneshot::Sender<Report>;

impl Hub {
    /// Looks at every seat: a millisecond for some hundred thousand of them, when somebody asks.
    pub(super) fn report(&self) -> Report {
        let mut report = Report {
            tally: self.tally.clone(),
            ..Report::default()
        };
        for seat in self.seats.values() {
            if !matches!(seat.link, Link::Gone) {
                report.n_sessions[place(seat.link.transport())] += 1;
            }
            let backlog = seat.backlog_bytes();
            report.n_blocked += usize::from(seat.blocked && backlog > 0);
            report.outbox_bytes += backlog;
            report.largest_outbox_bytes = report.largest_outbox_bytes.max(backlog);
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_patterns_made_shares_a_place() {
        let mut tally = Tally::new(2);
        for nsp in [0, 1, 1, 2, 3, 4000] {
            tally.event(nsp);
        }
        assert_eq!(tally.events, [1, 2, 3]);
        Tally::default().event(0);
    }

    #[test]
    fn what_a_hub_has_counted_outlives_it() {
        let mut tally = Tally::new(1);
        tally.opened = [1, 0];
        let report = Report {
            tally,
            ..Report::default()
        };
        let tallies = Tallies::default();
        assert!(tallies.latest(0, None).is_none());
        assert!(tallies.latest(0, Some(report.clone())).is_some());
        let kept = tallies.latest(0, None).unwrap();
        assert_eq!(kept.tally.opened, [1, 0]);
        tallies.retire(0, &report.tally);
        assert!(tallies.latest(0, None).is_none());
        assert_eq!(tallies.retired().opened, [1, 0]);
    }

    #[test]
    fn tallies_add_up() {
        let mut one = Tally::new(1);
        one.opened = [1, 2];
        one.received[1].add(3, 40);
        one.event(0);
        one.reached[PacketType::Event as usize] += 5;
        one.round_trips.add(Duration::from_millis(7));
        one.acks.add(Duration::from_millis(9));
        let mut sum = Tally::default();
        sum.merge(&one);
        sum.merge(&one);
        assert_eq!(sum.opened, [2, 4]);
        assert_eq!((sum.received[1].packets, sum.received[1].bytes), (6, 80));
        assert_eq!(sum.events, [2, 0]);
        assert_eq!(sum.reached, [0, 0, 10, 0, 0, 0, 0]);
        assert_eq!(sum.round_trips.sum, Duration::from_millis(14));
        assert_eq!(sum.acks.sum, Duration::from_millis(18));
    }
}
