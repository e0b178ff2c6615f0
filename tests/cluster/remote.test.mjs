// Sockets of other nodes, taken from a fetch and used like one's own.

import assert from "node:assert/strict";
import { onEveryPairing } from "./nodes.mjs";

const ROOMS = ["room1", "room2", "room4", "room5"];
const EVENTS = ["broadcast", "volatile_broadcast", "emit"];

onEveryPairing("remote sockets", { env: { FIXTURE: "oxide-adapter" } }, (pairing) => {
  async function open(t) {
    const nodes = [pairing.acting, pairing.listening, pairing.listening];
    const peers = await Promise.all(nodes.map((node) => pairing.open(t, node)));
    for (const peer of peers) {
      for (const event of EVENTS) peer.socket.on(event, (...args) => peer.inbox.put(event, args));
    }
    // Who has left in the scenario before is gone for both nodes.
    const ids = async (peer) => (await peer.ask("fetch_sockets"))[0].map(({ id }) => id).sort();
    const expected = peers.map(({ id }) => id).sort();
    for (const peer of peers) while (JSON.stringify(await ids(peer)) !== JSON.stringify(expected));
    return peers;
  }

  const roomsOf = async (peer, id) => (await peer.ask("get_rooms_remote_sock", id))[0].sort();

  pairing.test("a broadcast, and a volatile one, come to all", async (t) => {
    const peers = await open(t);
    const hello = `hello from ${peers[0].id}`;
    for (const event of ["broadcast", "volatile_broadcast"]) {
      peers[0].emit(event);
      for (const peer of peers) assert.deepEqual(await peer.next(event), [hello]);
    }
  });

  pairing.test("a broadcast with acks collects those of all", async (t) => {
    const peers = await open(t);
    for (const peer of peers) peer.socket.on("broadcast_with_ack", (value, ack) => ack({ value, by: peer.id }));
    const [responses] = await peers[0].ask("broadcast_with_ack");
    const expected = peers.map(({ id }) => ({ value: null, by: id }));
    const byId = (a, b) => (a.by < b.by ? -1 : 1);
    assert.deepEqual(responses.sort(byId), expected.sort(byId));
  });

  pairing.test("rooms and sockets of the cluster", async (t) => {
    const peers = await open(t);
    const ids = peers.map(({ id }) => id);
    const [rooms] = await peers[0].ask("rooms");
    assert.deepEqual(rooms.sort(), [...ROOMS, ...ids].sort());
    const [sockets] = await peers[0].ask("fetch_sockets");
    const byId = (a, b) => (a.id < b.id ? -1 : 1);
    assert.deepEqual(sockets.sort(byId), ids.map((id) => ({ id, ns: "/" })).sort(byId));
  });

  pairing.test("everybody joins a room and leaves another", async (t) => {
    const peers = await open(t);
    assert.deepEqual(await peers[0].ask("join_room"), []);
    assert.deepEqual(await peers[0].ask("leave_room"), []);
    const expected = (id) => ["room1", "room2", "room5", "room7", id].sort();
    for (const { id } of peers) assert.deepEqual(await roomsOf(peers[0], id), expected(id));
  });

  pairing.test("one socket of the other node hears an emit", async (t) => {
    const [peer, remote, other] = await open(t);
    assert.deepEqual(await peer.ask("emit_from_remote_sock", remote.id), []);
    assert.deepEqual(await remote.next("emit"), [`hello from ${peer.id}`]);
    peer.emit("broadcast");
    await other.next("broadcast");
    assert.deepEqual(other.inbox.left("emit"), []);
  });

  pairing.test("one socket of the other node answers", async (t) => {
    const [peer, remote] = await open(t);
    const answers = ["answer", null, { deep: [1] }, Buffer.from([1, 2, 3])];
    remote.socket.on("emit", (hello, ack) => ack(answers.length === 0 ? hello : answers.shift()));
    for (const answer of [...answers, `hello from ${peer.id}`]) {
      assert.deepEqual(await peer.ask("emit_with_ack_from_remote_sock", remote.id), [answer]);
    }
  });

  pairing.test("one socket of the other node joins and leaves", async (t) => {
    const [peer, remote, other] = await open(t);
    const hello = `hello from ${peer.id}`;
    assert.deepEqual(await roomsOf(peer, remote.id), [remote.id, ...ROOMS].sort());
    assert.deepEqual(await peer.ask("join_room_from_remote_sock", remote.id), []);
    assert.deepEqual(await roomsOf(peer, remote.id), [remote.id, hello, ...ROOMS].sort());
    assert.deepEqual(await peer.ask("leave_room_from_remote_sock", remote.id), []);
    assert.deepEqual(await roomsOf(peer, remote.id), [remote.id, hello, "room1", "room2", "room5"].sort());
    assert.deepEqual(await roomsOf(peer, other.id), [other.id, ...ROOMS].sort());
  });

  pairing.test("one socket of the other node is disconnected", async (t) => {
    const [peer, remote, other] = await open(t);
    assert.deepEqual(await peer.ask("disconnect_remote_sock", remote.id), []);
    assert.equal(await remote.next("disconnect"), "io server disconnect");
    peer.emit("broadcast");
    await other.next("broadcast");
  });

  pairing.test("everybody is disconnected", async (t) => {
    const peers = await open(t);
    peers[0].emit("disconnect_socket");
    for (const peer of peers) assert.equal(await peer.next("disconnect"), "io server disconnect");
  });
});
