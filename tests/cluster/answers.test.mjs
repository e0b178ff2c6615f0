// What a node answers on the bare wire to requests of a peer that it has never seen.

import assert from "node:assert/strict";
import { Inbox, unique } from "../harness/index.mjs";
import { targetNames } from "../harness/server.mjs";
import { onNodes } from "./nodes.mjs";

const HANDSHAKE = ["address", "auth", "headers", "issued", "query", "secure", "time", "url", "xdomain"];

for (const target of targetNames()) {
  onNodes(`${target}: answers on the wire`, [target], {}, (cluster) => {
    /** Sends requests, and gives the answers that bear their id. */
    async function wire(t) {
      const inbox = new Inbox();
      const put = (payload) => {
        const answer = JSON.parse(payload);
        inbox.put(answer.requestId, answer);
      };
      const uid = unique("uid");
      const channels = [cluster.responseChannel(), `${cluster.responseChannel()}${uid}#`];
      await cluster.redis.listen(t, { channels }, put);
      return async (type, fields) => {
        const requestId = unique("id");
        await cluster.redis.publish(cluster.requestChannel(), JSON.stringify({ uid, requestId, type, ...fields }));
        return inbox.next(requestId);
      };
    }

    cluster.test("the sockets, with a handshake as the original has it", async (t) => {
      const peer = await cluster.open(t, cluster.nodes[0], { auth: { a: 1 }, query: { b: "2" } });
      await peer.ctl("join", { rooms: ["room"] });
      await peer.ctl("setData", { data: { c: [3] } });
      const ask = await wire(t);
      const { sockets } = await ask(5, { opts: { rooms: ["room"], except: [] } });
      assert.equal(sockets.length, 1);
      const [{ handshake, ...socket }] = sockets;
      assert.deepEqual({ ...socket, rooms: socket.rooms.sort() }, {
        id: peer.id,
        rooms: [peer.id, "room"].sort(),
        data: { c: [3] },
      });
      assert.deepEqual(Object.keys(handshake).sort(), HANDSHAKE);
      assert.deepEqual(handshake.auth, { a: 1 });
      assert.equal(handshake.query.b, "2");
      assert.equal(typeof handshake.headers.host, "string");
      assert.equal(typeof handshake.issued, "number");
      assert.ok(Math.abs(new Date(handshake.time).getTime() - handshake.issued) < 1000, handshake.time);
      assert.deepEqual([handshake.secure, handshake.xdomain, handshake.address], [false, false, "127.0.0.1"]);
      assert.match(handshake.url, /^\/socket\.io\/\?/);
    });

    cluster.test("a room with nobody, rooms, ids of sockets", async (t) => {
      const peer = await cluster.open(t, cluster.nodes[0]);
      await peer.ctl("join", { rooms: ["room"] });
      const ask = await wire(t);
      assert.deepEqual((await ask(5, { opts: { rooms: ["nobody"], except: [] } })).sockets, []);
      assert.deepEqual((await ask(1, {})).rooms.sort(), [peer.id, "room"].sort());
      assert.deepEqual((await ask(0, { rooms: ["room"] })).sockets, [peer.id]);
      assert.deepEqual((await ask(0, { rooms: [] })).sockets, [peer.id]);
    });

    cluster.test("a server-side event, its first ack argument", async (t) => {
      const ask = await wire(t);
      const answer = await ask(6, { data: ["sse:echo", "x", 1] });
      assert.deepEqual([answer.type, answer.data], [6, { name: cluster.nodes[0].title, args: ["x", 1] }]);
    });

    cluster.test("a broadcast with acks, as JSON: the count, then the acks", async (t) => {
      const peer = await cluster.open(t, cluster.nodes[0]);
      peer.socket.on("vote", (value, ack) => ack(value + 1));
      const inbox = new Inbox();
      const answers = { channels: [cluster.responseChannel()] };
      await cluster.redis.listen(t, answers, (payload) => inbox.put("answer", payload));
      const packet = { type: 2, data: ["vote", 41], nsp: "/" };
      const opts = { rooms: [], except: [], flags: { timeout: 5000 } };
      const request = { uid: "peer", requestId: "acks", type: 7, packet, opts };
      await cluster.redis.publish(cluster.requestChannel(), JSON.stringify(request));
      assert.deepEqual(JSON.parse(await inbox.next("answer")), { type: 8, requestId: "acks", clientCount: 1 });
      const ack = await inbox.next("answer");
      if (ack[0] === "{".charCodeAt(0)) assert.deepEqual(JSON.parse(ack), { type: 9, requestId: "acks", packet: 42 });
      else assert.ok(ack.includes(Buffer.from([42])) && ack.includes("acks"), ack.toString("hex"));
    });
  });
}
