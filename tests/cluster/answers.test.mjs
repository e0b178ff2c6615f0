// What a node answers on the bare wire to requests of a peer that it has never seen.

import assert from "node:assert/strict";
import { Inbox, unique } from "../harness/index.mjs";
import { targetNames } from "../harness/server.mjs";
import { finds, onNodes } from "./nodes.mjs";

const HANDSHAKE = ["address", "auth", "headers", "issued", "query", "secure", "time", "url", "xdomain"];

for (const target of targetNames()) {
  onNodes(`${target}: answers on the wire`, [target], {}, (cluster) => {
    /** A client, when nobody of the scenario before is left. */
    async function alone(t, options) {
      const peer = await cluster.open(t, cluster.nodes[0], options);
      await finds(peer, {}, [peer.id]);
      return peer;
    }

    /** Sends requests, and gives the answers that bear their id. */
    async function wire(t, { uid = unique("uid"), idKey = "requestId" } = {}) {
      const inbox = new Inbox();
      const put = (payload) => {
        // Ours says who answers, which the original does not mind.
        const { uid: _, ...answer } = JSON.parse(payload);
        inbox.put(answer[idKey], answer);
      };
      const channels = [cluster.responseChannel(), `${cluster.responseChannel()}${uid}#`];
      await cluster.redis.listen(t, { channels }, put);
      return async (type, fields) => {
        const id = unique("id");
        await cluster.redis.publish(cluster.requestChannel(), JSON.stringify({ ...(uid && { uid }), [idKey]: id, type, ...fields }));
        return inbox.next(id);
      };
    }

    cluster.test("the sockets, with a handshake as the original has it", async (t) => {
      const peer = await alone(t, { auth: { a: 1 }, query: { b: "2" } });
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

    cluster.test("requests about one socket, answered by its owner alone", async (t) => {
      const peer = await alone(t);
      const ask = await wire(t);
      const about = { sid: peer.id, room: "room" };
      assert.deepEqual(Object.keys(await ask(2, about)), ["requestId"]);
      assert.deepEqual((await peer.ctl("rooms")).rooms, [peer.id, "room"].sort());
      assert.deepEqual(Object.keys(await ask(3, about)), ["requestId"]);
      assert.deepEqual((await peer.ctl("rooms")).rooms, [peer.id]);
      assert.deepEqual(Object.keys(await ask(4, { sid: peer.id, close: false })), ["requestId"]);
      assert.equal(await peer.next("disconnect"), "io server disconnect");
    });

    cluster.test("a requester without a name gets its answers on the shared channel", async (t) => {
      const peer = await alone(t);
      const ask = await wire(t, { uid: null });
      assert.deepEqual((await ask(5, { opts: { rooms: [], except: [] } })).sockets.map(({ id }) => id), [peer.id]);
      assert.deepEqual((await ask(1, {})).rooms, [peer.id]);
    });

    cluster.test("a room with nobody, rooms, ids of sockets", async (t) => {
      const peer = await alone(t);
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
      const peer = await alone(t);
      peer.socket.on("vote", (value, ack) => ack(value + 1));
      const inbox = new Inbox();
      const answers = { channels: [cluster.responseChannel()] };
      await cluster.redis.listen(t, answers, (payload) => inbox.put("answer", payload));
      const packet = { type: 2, data: ["vote", 41], nsp: "/" };
      const opts = { rooms: [], except: [], flags: { timeout: 5000 } };
      const request = { uid: "peer", requestId: "acks", type: 7, packet, opts };
      await cluster.redis.publish(cluster.requestChannel(), JSON.stringify(request));
      const { uid: _, ...count } = JSON.parse(await inbox.next("answer"));
      assert.deepEqual(count, { type: 8, requestId: "acks", clientCount: 1 });
      const ack = await inbox.next("answer");
      if (ack[0] === "{".charCodeAt(0)) assert.deepEqual(JSON.parse(ack).packet, 42);
      else assert.ok(ack.includes(Buffer.from([42])) && ack.includes("acks"), ack.toString("hex"));
    });

    // The original of today takes these numbers for others.
    if (target === "reference") return;

    cluster.test("the numbers of the second to the fifth version", async (t) => {
      const peer = await alone(t);
      await peer.ctl("join", { rooms: ["room"] });
      const ask = await wire(t, { uid: null, idKey: "requestid" });
      const fields = async (type, more) => {
        const { requestid, ...rest } = await ask(type, more);
        assert.equal(typeof requestid, "string");
        return rest;
      };
      const both = [peer.id, "room"].sort();
      assert.deepEqual(await fields(0, { rooms: ["room"] }), { clients: [peer.id] });
      assert.deepEqual(await fields(0, { rooms: ["nobody"] }), { clients: [] });
      assert.deepEqual(await fields(0, { rooms: [] }), { clients: [peer.id] });
      assert.deepEqual((await fields(1, { sid: peer.id })).rooms.sort(), both);
      assert.deepEqual((await fields(2, {})).rooms.sort(), both);
      assert.deepEqual(await fields(3, { sid: peer.id, room: "more" }), {});
      assert.deepEqual((await peer.ctl("rooms")).rooms, [...both, "more"].sort());
      assert.deepEqual(await fields(4, { sid: peer.id, room: "more" }), {});
      assert.deepEqual((await peer.ctl("rooms")).rooms, both);
      assert.deepEqual(await fields(6, { sid: peer.id, close: true }), {});
      assert.equal(await peer.next("disconnect"), "io server disconnect");
    });
  });
}
