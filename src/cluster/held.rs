//! Rooms of sockets that left and may return.

use std::sync::Arc;

use super::Cluster;
use crate::namespace::Room;

/// As long as it lives this node hears what is published for these rooms, as if somebody were in them: whoever
/// comes back gets it then.
#[derive(Debug)]
pub(crate) struct Held {
    cluster: Arc<Cluster>,
    nsp: u32,
    rooms: Vec<Room>,
}

impl Held {
    pub(crate) fn new(cluster: &Arc<Cluster>, nsp: u32, rooms: Vec<Room>) -> Self {
        for room in &rooms {
            cluster.room_entered(nsp, room);
        }
        Self {
            cluster: Arc::clone(cluster),
            nsp,
            rooms,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for room in &self.rooms {
            self.cluster.room_left(self.nsp, room);
        }
    }
}
