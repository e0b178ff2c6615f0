//! The rooms of a socket: which it is in, joining and leaving.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::broadcast::IntoRooms;
use super::socket::{Room, Socket};
use crate::error::JoinError;
use crate::hub::Command;
use crate::metrics::Counter;
use crate::registry;

impl Socket {
    /// The rooms it is in, its own first.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        self.inner.rooms()
    }

    /// Whether it is in `room`.
    #[must_use]
    pub fn is_in(&self, room: &str) -> bool {
        (room == self.inner.id.as_str() && self.inner.is_in_own_room())
            || self.inner.rooms.lock().joined.contains(room)
    }

    /// Joins one room or several. Each is joined once, in call order with all that this thread emits.
    ///
    /// A room beyond the limit `rooms_per_socket`, or whose name is longer than `room_name_bytes`, is
    /// refused: logged, counted, not joined ([`Socket::is_in`] tells). Without effect after the end.
    pub fn join(&self, rooms: impl IntoRooms) {
        let inner = &self.inner;
        let limits = inner.nsp.shared().limits();
        let mut state = inner.rooms.lock();
        if state.closed {
            return;
        }
        let mut fresh = Vec::new();
        for room in rooms.into_rooms() {
            if *room == *inner.id.as_str() {
                if !inner.own_room.swap(true, Ordering::Relaxed) {
                    fresh.push(room);
                }
            } else if state.joined.contains(&room) {
            } else if room.len() > limits.room_name_bytes
                || state.joined.len() >= limits.rooms_per_socket
            {
                inner.nsp.shared().metrics.count(Counter::RoomRefused);
                let is_too_long = room.len() > limits.room_name_bytes;
                log::debug!(
                    "a room is refused nsp={} id={} why={} bytes={} rooms={}",
                    inner.nsp.name(),
                    inner.id,
                    if is_too_long {
                        "its name is too long"
                    } else {
                        "too many rooms"
                    },
                    room.len(),
                    state.joined.len()
                );
            } else if state.joined.insert(room.clone()) {
                fresh.push(room);
            }
        }
        // Told under the lock, so that hub and registry hear of joins and leaves in the same order.
        let member = *inner.member.lock();
        if let Some(member) = member
            && !fresh.is_empty()
        {
            inner.nsp.shared().tell_change(|| registry::Change::Joined {
                socket: Arc::clone(inner),
                rooms: fresh.clone(),
            });
            fresh.retain(|room| *room != *inner.id.as_str());
            inner.hub.send(Command::Join {
                nsp: inner.nsp.index,
                member,
                rooms: fresh,
                coming: None,
            });
        }
    }

    /// As [`Socket::join`], and waits until the other servers know: until this one hears what is published for the
    /// rooms, and Redis has the membership. At once without a cluster.
    ///
    /// Local clients need not wait for it: what this server emits reaches the socket from the call on.
    ///
    /// # Errors
    /// [`JoinError`] after `redis.requests_timeout`: Redis is away or slow. The rooms are joined all the same, and
    /// Redis is told when it is back.
    pub fn join_confirmed<R: IntoRooms>(
        &self,
        rooms: R,
    ) -> impl Future<Output = Result<(), JoinError>> + Send + use<R> {
        self.join(rooms);
        let shared = Arc::clone(self.shared());
        let hub = Arc::clone(&self.inner.hub);
        let settled = shared.ask_registry(registry::Settled);
        async move {
            let Some(cluster) = &shared.cluster else {
                return Ok(());
            };
            let (confirm, stands) = tokio::sync::oneshot::channel();
            // Behind the join, which may be in the hub's mail.
            hub.send(Command::Confirm(confirm));
            let both = async { tokio::join!(stands, settled) };
            match tokio::time::timeout(cluster.settings.requests_timeout, both).await {
                Ok((Ok(()), Some(true))) => Ok(()),
                _ => Err(JoinError),
            }
        }
    }

    /// Leaves a room.
    pub fn leave(&self, room: impl Into<Room>) {
        let (inner, room) = (&self.inner, room.into());
        let mut state = inner.rooms.lock();
        let was_in = if room == *inner.id.as_str() {
            inner.own_room.swap(false, Ordering::Relaxed)
        } else {
            state.joined.remove(&room)
        };
        let member = *inner.member.lock();
        if let Some(member) = member
            && was_in
        {
            inner.nsp.shared().tell_change(|| registry::Change::Left {
                socket: Arc::clone(inner),
                room: room.clone(),
            });
            inner.hub.send(Command::Leave {
                nsp: inner.nsp.index,
                member,
                room,
            });
        }
    }

    /// Leaves all rooms but its own.
    pub fn leave_all(&self) {
        let rooms: Vec<_> = self.inner.rooms.lock().joined.iter().cloned().collect();
        rooms.into_iter().for_each(|room| self.leave(room));
    }
}
