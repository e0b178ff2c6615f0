// What a broadcast carries from one node to another, to clients of every protocol and encoding.

import assert from "node:assert/strict";
import { CLIENTS, MATRIX } from "../clients/node/clients.mjs";
import { binaryArguments, JSON_VALUES } from "../clients/node/values.mjs";
import { unique } from "../harness/index.mjs";
import { onEveryPairing } from "./nodes.mjs";

/** The original's encoder writes whole numbers from 2^64 on wrongly. */
const valuesFrom = ({ isReference }) => JSON_VALUES.filter((value) => !(isReference && value === 1e21));

/** Every argument list that a broadcast of this node must bring over as it is. */
const payloadsOf = (node) => [valuesFrom(node), binaryArguments(), [], [{ deep: { of: binaryArguments() } }]];

/** Client 1 counts bytes as characters when text comes in a poll; whatever the server, it reads only ASCII there. */
const isRead = (value) => typeof value !== "string" || /^[\0-\x7f]*$/.test(value);

async function carries(pairing, t, options) {
  const room = unique("room");
  const [sender] = await pairing.inRooms(t, pairing.acting, [[]]);
  const [remote] = await pairing.inRooms(t, pairing.listening, [[room]], options);
  for (const args of payloadsOf(pairing.acting)) {
    for (const target of [{ to: [room] }, {}, { to: [room, "other"] }]) {
      await sender.ctl("emit", { target, event: "news", args });
      assert.deepEqual(await remote.inbox.next("news"), args);
    }
  }
}

onEveryPairing("payloads", { env: { ALLOW_EIO3: "1" } }, (pairing) => {
  pairing.test("every JSON type, and binary at any depth", (t) => carries(pairing, t));

  pairing.test("each client and transport hears the same", async (t) => {
    const [sender] = await pairing.inRooms(t, pairing.acting, [[]]);
    const open = ({ client, mode }) => pairing.open(t, pairing.listening, { client, mode });
    const peers = await Promise.all(MATRIX.map(open));
    for (const payload of payloadsOf(pairing.acting)) {
      const args = payload.filter(isRead);
      await sender.ctl("emit", { event: "news", args });
      for (const peer of peers) assert.deepEqual(await peer.next("news"), args, `${peer.client.name} ${peer.mode}`);
    }
  });

  for (const client of CLIENTS.filter(({ protocol }) => protocol === 3)) {
    pairing.test(`${client.name} sends to the other node`, async (t) => {
      const room = unique("room");
      const [sender] = await pairing.inRooms(t, pairing.acting, [[]], { client });
      const [remote] = await pairing.inRooms(t, pairing.listening, [[room]]);
      for (const args of [valuesFrom(pairing.acting), binaryArguments()]) {
        await sender.ctl("emit", { target: { to: [room] }, event: "news", args });
        assert.deepEqual(await remote.next("news"), args);
      }
    });
  }

  pairing.test("a large payload comes over", async (t) => {
    const [sender, remote] = await pairing.ends(t);
    const args = ["x".repeat(200_000), Buffer.alloc(300_000, 7)];
    await sender.ctl("emit", { event: "news", args });
    assert.deepEqual(await remote.next("news"), args);
  });

  pairing.test("the events of the load generator cross nodes", async (t) => {
    const room = unique("room");
    const [sender, remote] = await pairing.ends(t);
    assert.deepEqual(await remote.ask("join", room), [true]);
    sender.emit("publish", room, "to the room");
    assert.deepEqual(await remote.next("msg"), ["to the room"]);
    sender.emit("publish-all", { to: "all" });
    assert.deepEqual([await sender.next("msg"), await remote.next("msg")], [[{ to: "all" }], [{ to: "all" }]]);
  });
});

const msgpack = { envs: [{ PARSER: "msgpack" }, {}], bothWays: true };
onEveryPairing("msgpack on one node, JSON on the other", msgpack, (pairing) => {
  pairing.test("the encoding of clients is a matter of each node", async (t) => {
    // The clients' msgpack encoder has the fault of the original's.
    const args = JSON_VALUES.filter((value) => value !== 1e21);
    const [sender, remote] = await pairing.ends(t);
    for (const payload of [args, binaryArguments(), []]) {
      await sender.ctl("emit", { event: "news", args: payload });
      assert.deepEqual(await sender.next("news"), payload);
      assert.deepEqual(await remote.next("news"), payload);
    }
  });

  pairing.test("acks too", async (t) => {
    const [sender, remote] = await pairing.ends(t);
    const answer = { list: [1, null, "x"], raw: Buffer.from([1, 2, 3]) };
    remote.socket.on("vote", (given, ack) => ack({ given, ...answer }));
    const target = { to: [remote.id] };
    const reply = await sender.ctl("emitAck", { target, event: "vote", args: [Buffer.from([9])], timeout: 5000 });
    assert.deepEqual(reply, { ok: true, timedOut: false, responses: [{ given: Buffer.from([9]), ...answer }] });
  });

  pairing.test("sockets are found", async (t) => {
    const [asking, remote] = await pairing.ends(t);
    await remote.ctl("setData", { data: { of: "remote" } });
    const { sockets } = await asking.ctl("fetchSockets", { target: { to: [remote.id] } });
    assert.deepEqual(sockets.map(({ id, data }) => [id, data]), [[remote.id, { of: "remote" }]]);
  });
});
