//! Putting packets into outboxes, and outboxes onto the wire.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use tokio::sync::Notify;

use super::handle::Local;
use super::{
    Fanout, Flags, Held, Hub, Link, MemberKey, Parcel, Parcels, Pushed, Seat, SeatKey, Tally, place,
};
use crate::carrier::{Written, ring};
use crate::metrics::Counter;
use crate::protocol::socketio::Encoded;
use crate::server::Shared;
use crate::session;

impl Hub {
    // Hot: two lookups, one push.
    pub(super) fn emit(&mut self, member: MemberKey, packet: Encoded, flags: Flags) {
        let Some(member) = self.members.get_mut(member) else {
            return;
        };
        self.tally.emitted[packet.kind() as usize] += 1;
        let parcels = Parcel::of(packet, flags.compress);
        let key = member.seat;
        match member.hold(&parcels, self.outbox_limit) {
            Held::Yes => {}
            Held::No => self.push_all(key, &parcels, flags.volatile),
            Held::TooMuch => {
                if let Some(seat) = self.seats.get_mut(key) {
                    overflow(seat, &self.server);
                }
            }
        }
    }

    // Hot: for each member two lookups in dense slabs and one push of a shared parcel; nothing is
    // allocated, encoded or locked per member.
    pub(super) fn fan_out(&mut self, fanout: &Fanout) {
        self.stamp += 1;
        let Self {
            spaces,
            members,
            seats,
            dirty,
            flush,
            outbox_limit,
            server,
            tally,
            ..
        } = self;
        let Some(space) = spaces.get(&fanout.nsp) else {
            if let Some((_, acks)) = &fanout.acks {
                acks.hub_done(0);
            }
            return;
        };
        let parcels = Parcel::of(fanout.packet.clone(), fanout.flags.compress);
        let mut reached = 0;
        space.select(members, self.stamp, &fanout.selection, |_, member| {
            let was_replayed = fanout.logged != 0 && fanout.logged <= member.replayed_up_to;
            if was_replayed || !member.is_listening() {
                return;
            }
            reached += 1;
            if let Some((id, acks)) = &fanout.acks {
                member.socket.await_broadcast_ack(*id, acks);
            }
            let Some(seat) = seats.get_mut(member.seat) else {
                return;
            };
            match member.hold(&parcels, *outbox_limit) {
                Held::Yes => {}
                Held::TooMuch => overflow(seat, server),
                Held::No => {
                    enqueue(
                        seat,
                        member.seat,
                        &parcels,
                        fanout.flags.volatile,
                        *outbox_limit,
                        dirty,
                        flush,
                        server,
                    );
                }
            }
        });
        tally.reached[fanout.packet.kind() as usize] += reached as u64;
        if let Some((_, acks)) = &fanout.acks {
            acks.hub_done(reached);
        }
    }

    fn push_all(&mut self, key: SeatKey, parcels: &Parcels, volatile: bool) {
        if let Some(seat) = self.seats.get_mut(key) {
            enqueue(
                seat,
                key,
                parcels,
                volatile,
                self.outbox_limit,
                &mut self.dirty,
                &self.flush,
                &self.server,
            );
        }
    }

    /// Puts a packet into the outbox of a session.
    pub(crate) fn push(&mut self, seat: SeatKey, parcel: Rc<Parcel>) {
        self.push_all(seat, &Parcels::One(parcel), false);
    }

    /// Puts a Socket.IO packet into the outbox of a session.
    pub(crate) fn push_packet(&mut self, seat: SeatKey, packet: Encoded) {
        self.tally.emitted[packet.kind() as usize] += 1;
        self.push_all(seat, &Parcel::of(packet, true), false);
    }

    /// Has the seat flushed at the end of the round even if nothing was pushed now.
    pub(crate) fn mark_dirty(&mut self, key: SeatKey) {
        if let Some(seat) = self.seats.get_mut(key) {
            mark(seat, key, &mut self.dirty, &self.flush);
        }
    }

    pub(super) fn flush_dirty(&mut self, this: &Local) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for keys in dirty.chunks(ring::CAPACITY) {
            if let [key] = keys {
                self.flush_seat(*key, this);
                continue;
            }
            self.write_together(keys);
            let mut left = std::mem::take(&mut self.together.left);
            for key in left.drain(..) {
                self.flush_seat(key, this);
            }
            self.together.left = left;
        }
        dirty.clear();
        // The next round has as many: the list keeps its memory.
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    fn flush_seat(&mut self, key: SeatKey, this: &Local) {
        let Some(seat) = self.seats.get_mut(key) else {
            return;
        };
        seat.dirty = false;
        let before = seat.queued();
        let written = seat.flush();
        count_sent(&mut self.tally, seat, before);
        match written {
            Written::All => {}
            Written::Some if seat.blocked => {}
            Written::Some => {
                seat.blocked = true;
                if let Link::Direct(stream) = &seat.link {
                    actix_rt::spawn(resume(Rc::clone(stream), key, Rc::downgrade(this)));
                }
            }
            Written::Failed => {
                seat.doomed = true;
                seat.clear();
                seat.session
                    .do_send(session::Command::TransportError("write failed"));
            }
        }
    }
}

/// Counts what has left the outbox of a seat since it held `before`.
pub(super) fn count_sent(tally: &mut Tally, seat: &Seat, before: (usize, usize)) {
    let (n_packets, n_bytes) = seat.queued();
    tally.sent[place(seat.link.transport())].add(before.0 - n_packets, before.1 - n_bytes);
}

/// Keeps what is pushed to a seat for a moment.
pub(crate) fn delay_flush(hub: &mut Hub, key: SeatKey, this: &Local, delay: std::time::Duration) {
    if let Some(seat) = hub.seats.get_mut(key) {
        seat.blocked = true;
    }
    let this = Rc::downgrade(this);
    actix_rt::spawn(async move {
        tokio::time::sleep(delay).await;
        unblock(key, &this);
    });
}

/// Waits until a blocked stream takes more, and flushes again.
async fn resume(stream: Rc<crate::carrier::Direct>, key: SeatKey, hub: Weak<RefCell<Hub>>) {
    // A broken stream is writable too: the write then says what is wrong.
    let _ = stream.writable().await;
    drop(stream);
    unblock(key, &hub);
}

fn unblock(key: SeatKey, hub: &Weak<RefCell<Hub>>) {
    let Some(hub) = hub.upgrade() else { return };
    let mut state = hub.borrow_mut();
    if let Some(seat) = state.seats.get_mut(key) {
        seat.blocked = false;
    }
    state.flush_seat(key, &hub);
}

fn mark(seat: &mut Seat, key: SeatKey, dirty: &mut Vec<SeatKey>, flush: &Notify) {
    if !seat.dirty {
        seat.dirty = true;
        if dirty.is_empty() {
            flush.notify_one();
        }
        dirty.push(key);
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a hub that a fan-out borrows one by one"
)]
// Hot: see `Hub::fan_out`.
fn enqueue(
    seat: &mut Seat,
    key: SeatKey,
    parcels: &Parcels,
    volatile: bool,
    limit: usize,
    dirty: &mut Vec<SeatKey>,
    flush: &Notify,
    server: &Shared,
) {
    if seat.doomed || (volatile && !seat.is_writable()) {
        return;
    }
    for parcel in parcels.as_slice() {
        if seat.push(Rc::clone(parcel), limit) == Pushed::Full {
            return overflow(seat, server);
        }
    }
    mark(seat, key, dirty, flush);
}

/// A client did not take what was sent to it: its session ends.
fn overflow(seat: &mut Seat, server: &Shared) {
    if !std::mem::replace(&mut seat.doomed, true) {
        seat.clear();
        server.metrics.count(Counter::SlowConsumer);
        seat.session
            .do_send(session::Command::TransportError("outbox full"));
    }
}
