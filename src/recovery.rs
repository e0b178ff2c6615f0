//! Connection state recovery in memory: the log of what was emitted, and the state of those who left.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use parking_lot::Mutex;

use crate::SocketId;
use crate::config::RecoveryConfig;
use crate::hub::Selection;
use crate::locals::Held;
use crate::namespace::Room;
use crate::protocol::socketio::{Args, Value};

/// What is kept of a socket that left.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) id: SocketId,
    pub(crate) rooms: Vec<Room>,
    pub(crate) data: Value,
}

/// What a client that comes back gets.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) saved: Saved,
    /// To be dropped when the socket is in its rooms again.
    pub(crate) held: Option<Held>,
    /// Events it has missed, with their offsets as last argument, in order.
    pub(crate) missed: Vec<(ByteString, Args)>,
    /// The number of the last event that was looked at.
    pub(crate) up_to: u64,
}

/// The state of a server for all its namespaces.
///
/// The three operations ([`Recovery::log`], [`Recovery::save`], [`Recovery::restore`]) are all that the
/// rest of the crate knows: a store that several servers share can take their place.
#[derive(Debug)]
pub(crate) struct Recovery {
    window: Duration,
    max_packets: usize,
    max_bytes: usize,
    max_sessions: usize,
    /// Makes the offsets of this process unlike those of the last.
    epoch: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By namespace: its name, since one that is made anew when a client returns has another number.
    logs: HashMap<ByteString, Log>,
    sessions: HashMap<ByteString, Session>,
    /// In the order of leaving, for the cap and the sweep.
    order: VecDeque<(Instant, ByteString)>,
    dropped: Dropped,
}

/// What the caps have taken from clients that could still have come back.
#[derive(Clone, Copy, Debug, Default)]
struct Dropped {
    packets: u64,
    sessions: u64,
}

/// Who left.
#[derive(Debug)]
struct Session {
    nsp: ByteString,
    at: Instant,
    saved: Saved,
    /// What other servers publish for its rooms is heard: see [`Held`].
    held: Option<Held>,
}

#[derive(Debug, Default)]
struct Log {
    packets: VecDeque<Logged>,
    /// The number of the first packet in the log; they are consecutive.
    first: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Logged {
    at: Instant,
    selection: Selection,
    name: ByteString,
    args: Args,
    bytes: usize,
}

impl Recovery {
    pub(crate) fn new(config: &RecoveryConfig) -> Self {
        Self {
            window: config.max_disconnection_duration,
            max_packets: config.max_packets,
            max_bytes: config.max_bytes,
            max_sessions: config.max_sessions,
            epoch: SocketId::generate().as_str()[..6].to_owned(),
            state: Mutex::default(),
        }
    }

    /// Remembers an event: its number, and its arguments with the offset as one more.
    pub(crate) fn log(
        &self,
        nsp: &str,
        name: &str,
        args: &Args,
        selection: Selection,
    ) -> (u64, Args) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let State { logs, dropped, .. } = &mut *state;
        if !logs.contains_key(nsp) {
            // Namespaces come and go: a log in which nothing is left that could be replayed goes as well.
            let is_live = |log: &Log| {
                log.packets
                    .back()
                    .is_some_and(|last| now.duration_since(last.at) <= self.window)
            };
            logs.retain(|_, log| is_live(log));
        }
        let log = logs.entry(nsp.into()).or_insert_with(|| Log {
            first: 1,
            ..Log::default()
        });
        let bytes = name.len()
            + args.raw_json().len()
            + args.attachments().iter().map(Bytes::len).sum::<usize>();
        while let Some(oldest) = log.packets.front() {
            let is_old = now.duration_since(oldest.at) > self.window;
            let is_full =
                log.packets.len() >= self.max_packets || log.bytes + bytes > self.max_bytes;
            if !is_old && !is_full {
                break;
            }
            dropped.packets += u64::from(!is_old);
            log.bytes -= oldest.bytes;
            log.first += 1;
            log.packets.pop_front();
        }
        let number = log.first + log.packets.len() as u64;
        let args = args.with_appended(&self.offset(number));
        log.bytes += bytes;
        log.packets.push_back(Logged {
            at: now,
            selection,
            name: name.into(),
            args: args.clone(),
            bytes,
        });
        (number, args)
    }

    fn offset(&self, number: u64) -> String {
        format!("{}{number:x}", self.epoch)
    }

    fn number(&self, offset: &str) -> Option<u64> {
        u64::from_str_radix(offset.strip_prefix(&self.epoch)?, 16).ok()
    }

    /// Keeps the state of a socket that left, under its private id.
    pub(crate) fn save(&self, nsp: &str, pid: ByteString, saved: Saved, held: Option<Held>) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.forget(now, self.window, self.max_sessions.saturating_sub(1));
        state.order.push_back((now, pid.clone()));
        let session = Session {
            nsp: nsp.into(),
            at: now,
            saved,
            held,
        };
        state.sessions.insert(pid, session);
    }

    /// What the caps have dropped, under the names of [`Server::counters`](crate::Server::counters).
    pub(crate) fn counters(&self) -> [(&'static str, u64); 2] {
        let Dropped { packets, sessions } = self.state.lock().dropped;
        [
            ("recovery_packet_dropped", packets),
            ("recovery_session_dropped", sessions),
        ]
    }

    /// Forgets those who did not come back in time. In a cluster it is called from time to time: their rooms need
    /// not be heard of any more.
    pub(crate) fn sweep(&self) {
        self.state
            .lock()
            .forget(Instant::now(), self.window, usize::MAX);
    }

    /// The state of the socket with this private id, and what it has missed since `offset`; `None` if
    /// either is not kept (any more). The state can be restored once.
    pub(crate) fn restore(&self, nsp: &str, pid: &str, offset: &str) -> Option<Restored> {
        let number = self.number(offset)?;
        let mut state = self.state.lock();
        let State { logs, sessions, .. } = &mut *state;
        let Session { nsp: of, at, .. } = sessions.get(pid)?;
        let log = logs.get(nsp)?;
        let end = log.first + log.packets.len() as u64;
        if *of != *nsp || at.elapsed() > self.window || number < log.first || number >= end {
            return None;
        }
        let Session { saved, held, .. } = sessions.remove(pid)?;
        let skip = usize::try_from(number + 1 - log.first).ok()?;
        let is_in = |room: &Room| *saved.id.as_str() == **room || saved.rooms.contains(room);
        let missed = log
            .packets
            .iter()
            .skip(skip)
            .filter(|logged| {
                let Selection { rooms, except } = &logged.selection;
                (rooms.is_empty() || rooms.iter().any(is_in)) && !except.iter().any(is_in)
            })
            .map(|logged| (logged.name.clone(), logged.args.clone()))
            .collect();
        Some(Restored {
            missed,
            up_to: end - 1,
            saved,
            held,
        })
    }
}

impl State {
    /// Forgets who left too long ago, and the oldest until no more than `max_sessions` are left.
    fn forget(&mut self, now: Instant, window: Duration, max_sessions: usize) {
        while let Some((at, _)) = self.order.front() {
            let is_old = now.duration_since(*at) > window;
            if !is_old && self.sessions.len() <= max_sessions {
                break;
            }
            if let Some((at, pid)) = self.order.pop_front()
                && self
                    .sessions
                    .get(&pid)
                    .is_some_and(|session| session.at == at)
            {
                self.sessions.remove(&pid);
                if !is_old {
                    self.dropped.sessions += 1;
                    log::debug!(
                        "a state is dropped before its time why=too many limit=max_sessions"
                    );
                }
            }
        }
    }
}
