//! The metrics of Socket.IO: sockets, packets, acks, rooms.

use bytestring::ByteString;

use super::exposition::Exposition;
use super::families::{DYNAMIC, labelled};
use super::workers::{PATIENCE, Workers};
use crate::hub::ByType;
use crate::namespace::Children;
use crate::protocol::DisconnectReason;
use crate::protocol::socketio::PacketType;
use crate::registry::CountRooms;
use crate::server::Shared;

/// What a server sends to one client, and by broadcast.
const EMITTED: &[PacketType] = &PacketType::ALL;
const BROADCAST: &[PacketType] = &[PacketType::Event, PacketType::BinaryEvent];

/// Sockets, and what they and their server say to each other.
pub(super) fn sockets(
    text: &mut Exposition,
    named: &[(ByteString, usize)],
    dynamic: &Children,
    workers: &Workers,
) {
    let tally = &workers.tally;
    let mut family = text.gauge(
        "greenroom_sockets",
        "Sockets that are in a namespace or on their way in; those of patterns are \"dynamic\".",
    );
    for (name, n) in named {
        family = family.with("namespace", name, n);
    }
    family.with("namespace", DYNAMIC, dynamic.n_sockets);
    text.gauge(
        "greenroom_namespaces_dynamic",
        "Namespaces that clients made by a pattern.",
    )
    .is(dynamic.n_namespaces);
    text.counter(
        "greenroom_sockets_connected_total",
        "Sockets that were let in.",
    )
    .is(tally.connected);
    labelled(
        text.counter(
            "greenroom_sockets_disconnected_total",
            "Sockets that have gone after they were let in, by reason.",
        ),
        "reason",
        &DisconnectReason::ALL,
        tally.disconnected,
    );
    let mut family = text.counter(
        "greenroom_events_received_total",
        "Events from clients; those of namespaces of patterns are \"dynamic\".",
    );
    let names = named.iter().map(|(name, _)| &**name).chain([DYNAMIC]);
    for (place, name) in names.enumerate() {
        let n = tally.events.get(place).copied().unwrap_or_default();
        family = family.with("namespace", name, n);
    }
    text.counter(
        "greenroom_acks_requested_total",
        "Events whose client asked for an ack.",
    )
    .is(tally.acks_wanted);
    let _ = text
        .histogram(
            "greenroom_ack_seconds",
            "From an emit with ack until the answer of the client, if somebody waited for it still.",
        )
        .durations(&[], &tally.acks);
    packets(text, workers);
}

fn packets(text: &mut Exposition, workers: &Workers) {
    let tally = &workers.tally;
    labelled(
        text.counter(
            "greenroom_socketio_packets_received_total",
            "Socket.IO packets from clients, by type.",
        ),
        "type",
        &PacketType::ALL.map(PacketType::name),
        tally.socketio,
    );
    let mut family = text.counter(
        "greenroom_deliveries_total",
        "Socket.IO packets for clients of this node: to one, or by broadcast, each socket counted.",
    );
    let kinds: [(_, &[PacketType], &ByType); 2] = [
        ("emit", EMITTED, &tally.emitted),
        ("broadcast", BROADCAST, &tally.reached),
    ];
    for (kind, types, counts) in kinds {
        for packet in types {
            let labels = [("kind", kind), ("type", packet.name())];
            family = family.with_all(&labels, counts[*packet as usize]);
        }
    }
}

/// Rooms, if the registry answers in time.
pub(super) async fn rooms(text: &mut Exposition, shared: &Shared, named: &[(ByteString, usize)]) {
    let asked = tokio::time::timeout(PATIENCE, shared.ask_registry(CountRooms)).await;
    let Ok(counts) = asked else {
        // No number is better than a wrong one.
        return;
    };
    // Without a registry nobody has come yet.
    let mut by_place = vec![0; named.len() + 1];
    for (nsp, n) in counts.unwrap_or_default() {
        by_place[(nsp as usize).min(named.len())] += n;
    }
    let names = named.iter().map(|(name, _)| &**name).chain([DYNAMIC]);
    let mut family = text.gauge(
        "greenroom_rooms",
        "Rooms with members on this node, without those of the socket ids.",
    );
    for (name, n) in names.zip(by_place) {
        family = family.with("namespace", name, n);
    }
}
