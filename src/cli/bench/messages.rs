//! Who says what to whom, and when.

use super::arguments::{Messages, Senders};
use super::broken::PlanError;
use super::schedule::Schedule;
use super::stamp::{STAMP_BYTES, Stamps};
use super::template::Template;

/// Larger payloads no server takes.
const MOST_BYTES: usize = 8 << 20;

/// A lane has to fit into a stamp.
const MOST_LANES: usize = 1 << 24;

/// What is due and cannot be sent waits in memory.
const MOST_MESSAGES: f64 = 1e8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Echo,
    Broadcast,
    Rooms,
}

/// A client that sends at the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) client: usize,
    room: usize,
}

/// What is said.
pub(super) struct Traffic {
    pub(super) kind: Kind,
    pub(super) schedule: Schedule,
    pub(super) lanes: Vec<Lane>,
    /// In a broadcast there is one, which nobody has to join.
    pub(super) n_rooms: usize,
    pub(super) rooms_per_client: usize,
    pub(super) join: Option<Template>,
    pub(super) leave: Option<Template>,
    pub(super) event: Template,
    /// The payload of those that need not be known again.
    pub(super) filler: String,
    pub(super) n_bytes: usize,
    pub(super) stamps: Stamps,
    /// 0 for any number.
    pub(super) in_flight: usize,
    pub(super) is_without_sender: bool,
}

impl Traffic {
    pub(super) fn new(
        kind: Kind,
        messages: &Messages,
        lanes: Vec<Lane>,
        event: Template,
        rate: f64,
    ) -> Result<Self, PlanError> {
        let n_bytes = messages.size;
        let is_known_again = kind != Kind::Echo;
        if n_bytes > MOST_BYTES || (is_known_again && n_bytes < STAMP_BYTES) {
            let least = if is_known_again { STAMP_BYTES } else { 0 };
            let why = format!("--size: from {least} to {MOST_BYTES}");
            return Err(PlanError::Option(why));
        }
        if is_known_again && !event.has_payload() {
            let why = "--args: without {payload} receivers do not know a message again";
            return Err(PlanError::Option(why.to_owned()));
        }
        let n_lanes = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
        let schedule = Schedule::new(n_lanes, rate, messages.warm_up, messages.duration);
        let n_messages = schedule.total_rate() * schedule.length().as_secs_f64();
        if n_messages > MOST_MESSAGES {
            let why = format!("{n_messages:.0} messages: at most {MOST_MESSAGES}");
            return Err(PlanError::Option(why));
        }
        let run = getrandom::u32().map_err(|err| PlanError::System(err.into()))?;
        Ok(Self {
            kind,
            schedule,
            lanes,
            n_rooms: 1,
            rooms_per_client: 1,
            join: None,
            leave: None,
            event,
            filler: "x".repeat(n_bytes),
            n_bytes,
            stamps: Stamps::new(run),
            in_flight: 0,
            is_without_sender: false,
        })
    }

    pub(super) fn sent_by(mut self, senders: &Senders) -> Result<Self, PlanError> {
        if senders.senders == 0 {
            let why = "--senders: at least 1";
            return Err(PlanError::Option(why.to_owned()));
        }
        self.is_without_sender = senders.without_sender;
        Ok(self)
    }

    /// The rooms of a client.
    pub(super) fn rooms_of(&self, client: usize) -> impl Iterator<Item = usize> {
        let n_rooms = self.n_rooms;
        (0..self.rooms_per_client).map(move |more| (client + more) % n_rooms)
    }

    /// The room that a lane speaks to.
    pub(super) fn room_of(&self, lane: u32) -> usize {
        let lane = usize::try_from(lane).unwrap_or(usize::MAX);
        self.lanes.get(lane).map_or(0, |lane| lane.room)
    }
}

/// Letters, digits and `-`: every server takes it.
pub(super) fn room_name(room: usize) -> String {
    format!("bench-{room}")
}

/// The first clients of each room send to it.
///
/// # Errors
/// There are too many of them.
pub(super) fn lanes(
    n_clients: usize,
    n_rooms: usize,
    per_client: usize,
    n_senders: usize,
) -> Result<Vec<Lane>, PlanError> {
    let n_lanes = n_rooms.saturating_mul(n_senders);
    if n_lanes.min(n_clients.saturating_mul(per_client)) > MOST_LANES {
        let why = format!("--senders: not more than {MOST_LANES} in all rooms");
        return Err(PlanError::Option(why));
    }
    let senders = |room: usize| {
        let mut first: Vec<usize> = (0..per_client)
            .map(|more| (room + n_rooms - more) % n_rooms)
            .collect();
        first.sort_unstable();
        // From there on it is every so many.
        let members = (0..n_clients.div_ceil(n_rooms))
            .flat_map(move |round| first.clone().into_iter().map(move |n| round * n_rooms + n))
            .filter(move |&client| client < n_clients);
        members.take(n_senders)
    };
    let lanes = (0..n_rooms)
        .flat_map(|room| senders(room).map(move |client| Lane { client, room }))
        .collect();
    Ok(lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_the_first_members_of_each_room() {
        let of = |n_clients, n_rooms, per_client, n_senders| {
            lanes(n_clients, n_rooms, per_client, n_senders)
                .unwrap()
                .into_iter()
                .map(|lane| (lane.client, lane.room))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(3, 1, 1, 3), [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(of(3, 1, 1, 1), [(0, 0)]);
        assert_eq!(of(4, 2, 1, 1), [(0, 0), (1, 1)]);
        assert_eq!(of(4, 2, 1, 9), [(0, 0), (2, 0), (1, 1), (3, 1)]);
        assert_eq!(of(3, 3, 2, 1), [(0, 0), (0, 1), (1, 2)]);
    }
}
