// Programs that are no servers publish to both nodes: the emitters of the Python registry.

import assert from "node:assert/strict";
import { targetNames } from "../harness/server.mjs";
import { audience, news, onTwins, python } from "./emitters.mjs";
import { isIn, onNodes } from "./nodes.mjs";

/** Orders that differ in their first argument, a number: how often each peer has heard each of them. */
async function tally(peers, orders, values, run) {
  const numbered = orders.map((order, index) => ({ do: "emit", ...order, args: ["news", { index, ...values }] }));
  const nsp = orders[0].nsp ?? "/";
  await run([...numbered, { do: "emit", nsp, args: ["more", {}] }]);
  const all = await news(peers);
  for (const [value] of all.flat()) assert.deepEqual(value, { ...expected(values), index: value.index });
  return orders.map((_, index) => all.map((events) => events.filter(([value]) => value.index === index).length));
}

const expected = (value) => {
  if (typeof value === "string" && value.startsWith("hex:")) return Buffer.from(value.slice(4), "hex");
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(expected);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, expected(inner)]));
};

const VALUES = { text: "ü".repeat(40), list: [1, 1.5, null, true, { deep: ["hex:010203", "hex:"] }] };

onTwins("socket.io-emitter of PyPI", (cluster) => {
  const run = (orders) => python("socket.io-emitter", cluster, orders);

  cluster.test("all, a room, several rooms", async (t) => {
    const peers = await audience(t, cluster);
    const orders = [{}, { rooms: ["a"] }, { rooms: ["b"] }, { rooms: ["a", "b", "nobody"] }];
    // The original delivers once for each room.
    const times = cluster.nodes[0].isReference ? 2 : 1;
    assert.deepEqual(await tally(peers, orders, VALUES, run), [
      [1, 1, 1, 1, 1, 1],
      [0, 1, 1, 0, 1, 1],
      [0, 0, 1, 0, 0, 1],
      [0, times, times, 0, times, times],
    ]);
  });

  cluster.test("a namespace", async (t) => {
    const nsp = "/custom";
    const peers = await audience(t, cluster, { nsp });
    const heard = await tally(peers, [{ nsp, rooms: ["a"] }, { nsp }], VALUES, run);
    assert.deepEqual(heard, [[0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]]);
  });
});

/** The original hears nothing of this emitter: its channels lack the last sign. */
if (targetNames().includes("subject")) {
  onNodes("subject: socket-io-redis-emitter of PyPI", ["subject", "subject"], {}, (cluster) => {
    const run = (orders) => python("socket-io-redis-emitter", cluster, orders);

    cluster.test("all, a room, several rooms once each", async (t) => {
      const peers = await audience(t, cluster);
      const orders = [{}, { rooms: ["a"] }, { rooms: ["b"] }, { rooms: ["a", "b"] }];
      assert.deepEqual(await tally(peers, orders, VALUES, run), [
        [1, 1, 1, 1, 1, 1],
        [0, 1, 1, 0, 1, 1],
        [0, 0, 1, 0, 0, 1],
        [0, 1, 1, 0, 1, 1],
      ]);
    });

    cluster.test("a namespace", async (t) => {
      const nsp = "/custom";
      const peers = await audience(t, cluster, { nsp });
      const heard = await tally(peers, [{ nsp, rooms: ["a"] }, { nsp }], VALUES, run);
      assert.deepEqual(heard, [[0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]]);
    });

    cluster.test("sockets join, leave and are disconnected", async (t) => {
      const peers = await audience(t, cluster);
      await run([
        { do: "join", rooms: ["a"], args: ["c", "d"] },
        { do: "leave", args: ["d"] },
        { do: "disconnect", rooms: ["b"], args: [true] },
      ]);
      for (const index of [1, 4]) await isIn(peers[index], ["a", "c"]);
      for (const index of [2, 5]) assert.equal(await peers[index].next("disconnect"), "io server disconnect");
      assert.deepEqual(await peers[0].ask("message-with-ack", 1), [1]);
    });
  });
}
