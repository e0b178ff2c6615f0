// Whatever is published on the channels, a node of ours stays, keeps its clients, and works with the others.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { finds, heard, onNodes, timesHeard } from "./nodes.mjs";

const require = createRequire(import.meta.url);
const { encode } = createRequire(require.resolve("@socket.io/redis-adapter"))("notepack.io");

const [R, S] = ["reference", "subject"];
const hex = (text) => Buffer.from(text, "hex");
const packet = (fields) => ({ type: 2, data: ["news", "junk"], nsp: "/", ...fields });
const WHOLE = encode(["peer", packet(), { rooms: [], except: [], flags: {} }]);
const DEEP = 100_000;

/** Everybody gets these, and the original too. */
const DELIVERED = {
  "empty options": encode(["peer", packet(), {}]),
  "nil in the options": encode(["peer", packet(), { rooms: null, except: null, flags: null }]),
  "a fourth element": encode(["peer", packet(), {}, "more"]),
  "unknown fields": encode(["peer", packet({ more: 1 }), { rooms: [], flags: { unknown: { deep: [] } }, more: [] }]),
};

/** Nobody gets these, and the original drops them too. */
const DROPPED = {
  "another namespace": encode(["peer", packet({ nsp: "/custom" }), {}]),
  "a namespace that nobody has": encode(["peer", packet({ nsp: "/else" }), {}]),
  "a nil namespace": encode(["peer", packet({ nsp: null }), {}]),
  "no packet": encode(["peer", null, {}]),
};

/** The original ends, or loses its clients, at these. */
const FATAL = {
  "text": "hello",
  "nothing": "",
  "an unused sign": hex("c1"),
  "cut off": WHOLE.subarray(0, WHOLE.length / 2),
  "a byte too many": Buffer.concat([WHOLE, hex("00")]),
  "a number": hex("05"),
  "nil": hex("c0"),
  "a map": encode({ type: 3, data: {}, uid: "peer", nsp: "/" }),
  "an empty array": hex("90"),
  "no options": encode(["peer", packet()]),
  "nil for options": encode(["peer", packet(), null]),
  "text for options": encode(["peer", packet(), "x"]),
  "a connect packet": encode(["peer", { type: 0, nsp: "/" }, {}]),
  "a disconnect packet": encode(["peer", { type: 1, nsp: "/" }, {}]),
  "an ack": encode(["peer", packet({ type: 3, id: 1 }), {}]),
  "an unknown type": encode(["peer", packet({ type: 99 }), {}]),
  "text for a type": encode(["peer", packet({ type: "2" }), {}]),
  "data that is no array": encode(["peer", packet({ data: "junk" }), {}]),
  "data that is a map": encode(["peer", packet({ data: { 0: "news" } }), {}]),
  "empty data": encode(["peer", packet({ data: [] }), {}]),
  "an event without a name": encode(["peer", packet({ data: [{}] }), {}]),
  "rooms of every kind": encode(["peer", packet(), { rooms: [1, null, {}, [], true, -1.5], except: [[]] }]),
  "rooms that are a map": encode(["peer", packet(), { rooms: { a: 1 }, except: 7, flags: "x" }]),
  "an array of 2^32": hex("ddffffffff"),
  "a map of 2^32": hex("dfffffffff"),
  "bytes of 2^32": hex("c6ffffffff"),
  "text of 2^32": hex("dbffffffff"),
  "an extension of 2^32": hex("c9ffffffff00"),
  "arrays in arrays": Buffer.alloc(DEEP, 0x91),
  "maps in maps": Buffer.alloc(DEEP, hex("81a161")),
  "no UTF-8": hex("93a17083a47479706502a46461746192a2fffe01a36e7370a12f80"),
};

const json = (value) => JSON.stringify(value);
const REQUESTS_DROPPED = {
  "bad JSON": "{bad",
  "nothing": "",
  "text": "hello",
  "an unknown type": json({ uid: "peer", requestId: "x", type: 99 }),
  "an empty object": "{}",
  "a type that is text": json({ uid: "peer", requestId: "x", type: "fetch" }),
};
const REQUESTS_FATAL = {
  "an array": "[]",
  "nil": hex("c0"),
  "a number": hex("05"),
  "cut off": encode({ uid: "peer", requestId: "x", type: 7 }).subarray(0, 10),
  "a fetch without options": json({ uid: "peer", requestId: "x", type: 5 }),
  "a broadcast without options": json({ uid: "peer", requestId: "x", type: 7, packet: packet() }),
  "a broadcast without a packet": json({ uid: "peer", requestId: "x", type: 7, opts: { rooms: [], except: [] } }),
  "a broadcast of a disconnect": json({ uid: "p", requestId: "x", type: 7, packet: { type: 1, nsp: "/" }, opts: {} }),
  "an event that is no array": json({ uid: "peer", type: 6, data: "x" }),
  "an event without a name": json({ uid: "peer", type: 6, data: [] }),
  "a new connection": json({ uid: "peer", type: 6, data: ["connection", {}] }),
  "a custom request of old": json({ requestid: "x", type: 5, data: {} }),
  "a join without rooms": json({ uid: "peer", type: 2, opts: { rooms: [], except: [] } }),
  "a join to anything": json({ uid: "peer", type: 2, opts: { rooms: ["nobody"], except: [] }, rooms: { a: 1 } }),
  "a leave of nobody": json({ uid: "peer", requestId: "x", type: 3, sid: null, room: {} }),
  "a disconnect without options": json({ uid: "peer", type: 4 }),
  "ids of every kind": json({ uid: {}, requestId: [], type: 1 }),
  "lists in lists": "[".repeat(DEEP),
  "objects in objects": '{"a":'.repeat(DEEP),
};
const RESPONSES_DROPPED = {
  "bad JSON": "{bad",
  "an unknown id": json({ requestId: "unknown", sockets: [] }),
  "no id": json({ sockets: [] }),
};
const RESPONSES_FATAL = {
  "nil": hex("c0"),
  "an array": "[]",
  "text": "hello",
  "a count without an id": json({ type: 8, clientCount: -1 }),
  "an ack without an id": encode({ type: 9, packet: null }),
  "lists in lists": "[".repeat(DEEP),
};

for (const [kinds, endures] of [[[R, R], false], [[S, R], false], [[S, S], true]]) {
  const with_ = (mild, fatal) => Object.entries(endures ? { ...mild, ...fatal } : mild);
  onNodes(`${kinds.join(" with ")}: junk`, kinds, { env: { REQUESTS_TIMEOUT: "2000" } }, (cluster) => {
    const open = (t) => Promise.all(cluster.nodes.map((node) => cluster.open(t, node)));
    const junkHeard = (peers) => timesHeard(peers, "junk");

    /** Broadcasts and requests still work in both directions, and nobody has lost the connection. */
    async function works(peers, what) {
      for (const [index, peer] of peers.entries()) {
        assert.deepEqual(await heard(peer, {}, peers), [1, 1], what);
        assert.equal(peer.socket.connected, true, what);
        if (index > 0) continue;
        await finds(peer, {}, peers.map(({ id }) => id));
      }
    }

    cluster.test("broadcasts with odd options are heard by all", async (t) => {
      for (const [what, payload] of Object.entries(DELIVERED)) {
        const peers = await open(t);
        await cluster.redis.publish(cluster.channel(), payload);
        await works(peers, what);
        // The junk went to the same connections before what the peers sent.
        assert.deepEqual(junkHeard(peers), [1, 1], what);
        peers.forEach((peer) => peer.close());
      }
    });

    cluster.test("broadcasts that mean nothing are heard by nobody", async (t) => {
      const peers = await open(t);
      for (const [what, payload] of Object.entries(DROPPED)) {
        await cluster.redis.publish(cluster.channel(), payload);
        await works(peers, what);
      }
      await cluster.redis.publish(`${cluster.channel()}no such room#`, WHOLE);
      await works(peers, "an unknown room");
      assert.deepEqual(junkHeard(peers), [0, 0]);
    });

    if (endures) {
      cluster.test("broadcasts that end the original change nothing", async (t) => {
        const peers = await open(t);
        for (const peer of peers) await peer.ctl("join", { rooms: ["room"] });
        for (const [what, payload] of Object.entries(FATAL)) {
          await cluster.redis.publish(cluster.channel(), payload);
          await cluster.redis.publish(`${cluster.channel()}room#`, payload);
          await works(peers, what);
        }
      });
    }

    cluster.test("requests that mean nothing change nothing", async (t) => {
      const peers = await open(t);
      for (const [what, payload] of with_(REQUESTS_DROPPED, REQUESTS_FATAL)) {
        await cluster.redis.publish(cluster.requestChannel(), payload);
        await works(peers, what);
      }
    });

    cluster.test("answers that nobody asked for change nothing", async (t) => {
      const peers = await open(t);
      for (const [what, payload] of with_(RESPONSES_DROPPED, RESPONSES_FATAL)) {
        await cluster.redis.publish(cluster.responseChannel(), payload);
        await works(peers, what);
      }
    });

    if (endures) {
      cluster.test("channels that are nearly ours change nothing", async (t) => {
        const peers = await open(t);
        const { key } = cluster;
        for (const channel of [key, `${key}#`, `${key}##`, `${key}#/`, `${key}#/#room`, `${key}#//#`, `${key}#x#`]) {
          for (const payload of ["", "hello", hex("c0"), "{}", Buffer.alloc(1000, 0xff)]) {
            await cluster.redis.publish(channel, payload);
          }
          await works(peers, channel);
        }
      });
    }
  });
}
