//! Rooms that are about to have members.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytestring::ByteString;

use super::{Key, Locals, Lookup};

/// An order to join rooms, on its way to a hub. Until it is carried out, and drops this, a message for these rooms is for
/// every worker, and for this node: it was sent after the order, and the members may not be there yet.
#[derive(Debug)]
pub(crate) struct Coming {
    locals: Arc<Locals>,
    nsp: u32,
    rooms: Vec<ByteString>,
}

impl Coming {
    pub(crate) fn new(locals: &Arc<Locals>, nsp: u32, rooms: &[ByteString]) -> Self {
        locals.expect(nsp, rooms);
        Self {
            locals: Arc::clone(locals),
            nsp,
            rooms: rooms.to_owned(),
        }
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.locals.expect_no_more(self.nsp, &self.rooms);
    }
}

impl Locals {
    fn expect(&self, nsp: u32, rooms: &[ByteString]) {
        let mut coming = self.coming.write();
        for room in rooms {
            let room = room.clone();
            *coming.entry(Key { nsp, room }).or_insert(0) += 1;
        }
        self.n_coming.store(coming.len(), Ordering::Release);
    }

    fn expect_no_more(&self, nsp: u32, rooms: &[ByteString]) {
        let mut coming = self.coming.write();
        for room in rooms {
            let lookup = Lookup { nsp, room };
            if let Some(n_orders) = coming.get_mut(&lookup) {
                *n_orders -= 1;
                if *n_orders == 0 {
                    coming.swap_remove(&lookup);
                }
            }
        }
        self.n_coming.store(coming.len(), Ordering::Release);
    }
}
