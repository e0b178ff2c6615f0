//! Rooms of sockets that left and may return.

use std::sync::Arc;

use bytestring::ByteString;

use super::{EVERY, Locals};

/// As long as it lives this node hears what is published for these rooms, and each of its workers what is sent to them, as
/// if somebody were in them: whoever comes back gets it then, on whichever worker.
#[derive(Debug)]
pub(crate) struct Held {
    locals: Arc<Locals>,
    nsp: u32,
    rooms: Vec<ByteString>,
}

impl Held {
    pub(crate) fn new(locals: &Arc<Locals>, nsp: u32, rooms: Vec<ByteString>) -> Self {
        for room in &rooms {
            locals.entered(nsp, room.clone(), EVERY);
        }
        Self {
            locals: Arc::clone(locals),
            nsp,
            rooms,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for room in self.rooms.drain(..) {
            self.locals.left(self.nsp, room, EVERY);
        }
    }
}
