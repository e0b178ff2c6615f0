// Events that servers send to each other, among three.

import assert from "node:assert/strict";
import { unique, until } from "../harness/index.mjs";
import { targetNames } from "../harness/server.mjs";
import { onNodes } from "./nodes.mjs";

const [R, S] = ["reference", "subject"];
const VALUES = [1, "text", null, true, [1, [2]], { a: { b: [] } }, "äöü 😀"];

/** Waits until the node of `peer` has the event in its journal, and gives the entries. */
function noted(peer, mark) {
  return until(`${mark} is not in the journal`, async () => {
    const { entries } = await peer.ctl("journal", { type: "serverSide" });
    const found = entries.filter(({ args }) => args[0] === mark);
    return found.length > 0 && found;
  });
}

for (const kinds of [[R, R, R], [R, S, R], [S, R, S], [S, S, S], [S, R, R]]) {
  onNodes(`${kinds.join(", ")}: server-side events`, kinds, { env: { REQUESTS_TIMEOUT: "1500" } }, (cluster) => {
    const open = (t, options) => Promise.all(cluster.nodes.map((node) => cluster.open(t, node, options)));

    cluster.test("the other two hear it, the sender does not", async (t) => {
      const [sender, ...others] = await open(t);
      for (const nsp of ["/", "/custom", "/auth"]) {
        const mark = unique("mark");
        await sender.ctl("serverSideEmit", { nsp, event: "sse:note", args: [mark, ...VALUES] });
        const entry = { type: "serverSide", nsp, event: "sse:note", args: [mark, ...VALUES], withAck: false };
        for (const peer of others) assert.deepEqual(await noted(peer, mark), [entry]);
        const { entries } = await sender.ctl("journal", { type: "serverSide" });
        assert.ok(!entries.some(({ args }) => args[0] === mark), "the sender hears itself");
      }
    });

    cluster.test("the namespace is the one of the socket unless named", async (t) => {
      const [sender, ...others] = await open(t, { nsp: "/custom" });
      const mark = unique("mark");
      await sender.ctl("serverSideEmit", { event: "sse:note", args: [mark] });
      for (const peer of others) assert.deepEqual((await noted(peer, mark)).map(({ nsp }) => nsp), ["/custom"]);
    });

    cluster.test("without arguments", async (t) => {
      const [sender] = await open(t);
      const { timedOut, error, responses } = await sender.ctl("serverSideEmitAck", { event: "sse:echo" });
      assert.deepEqual([timedOut, error], [false, null]);
      assert.deepEqual(responses.map(({ args }) => args), [[], []]);
    });

    cluster.test("each of the others answers", async (t) => {
      const peers = await open(t);
      for (const [index, peer] of peers.entries()) {
        const mark = unique("mark");
        const reply = await peer.ctl("serverSideEmitAck", { event: "sse:echo", args: [mark, ...VALUES] });
        const names = cluster.nodes.map(({ title }) => title).filter((_, other) => other !== index);
        reply.responses.sort((a, b) => (a.name < b.name ? -1 : 1));
        assert.deepEqual(reply, {
          ok: true,
          timedOut: false,
          error: null,
          responses: names.sort().map((name) => ({ name, args: [mark, ...VALUES] })),
        });
        const others = peers.filter((_, other) => other !== index);
        for (const other of others) assert.equal((await noted(other, mark))[0].withAck, true);
      }
    });

    cluster.test("who never answers is missed at the time-out", async (t) => {
      const [sender, ...others] = await open(t);
      const mark = unique("mark");
      const reply = await sender.ctl("serverSideEmitAck", { event: "sse:silent", args: [mark] });
      assert.deepEqual(reply, {
        ok: true,
        timedOut: true,
        error: "timeout reached: only 0 responses received out of 2",
        responses: [],
      });
      for (const peer of others) assert.equal((await noted(peer, mark))[0].withAck, true);
    });

    cluster.test("the names that servers use themselves are refused", async (t) => {
      const [sender] = await open(t);
      for (const event of ["connect", "connection", "new_namespace"]) {
        const [reply] = await sender.ask("ctl:serverSideEmit", { event, args: ["x"] });
        assert.equal(reply.ok, false, event);
      }
      assert.equal((await sender.ctl("serverCount")).count, 3);
    });

    cluster.test("three are counted, fetched and heard", async (t) => {
      const peers = await open(t);
      const room = unique("room");
      for (const peer of peers) await peer.ctl("join", { rooms: [room] });
      for (const peer of peers) {
        assert.equal((await peer.ctl("serverCount")).count, 3);
        const { sockets } = await peer.ctl("fetchSockets", { target: { to: [room] } });
        assert.deepEqual(sockets.map(({ id }) => id), peers.map(({ id }) => id).sort());
        await peer.ctl("emit", { target: { to: [room] }, event: "news", args: [peer.id] });
        for (const other of peers) assert.deepEqual(await other.next("news"), [peer.id]);
      }
    });

    cluster.test("all clients of three acknowledge", async (t) => {
      const peers = await open(t);
      for (const [index, peer] of peers.entries()) peer.socket.on("vote", (ack) => ack(index));
      for (const peer of peers) {
        const reply = await peer.ctl("emitAck", { event: "vote", timeout: 5000 });
        assert.deepEqual({ ...reply, responses: reply.responses.sort() }, {
          ok: true,
          timedOut: false,
          responses: [0, 1, 2],
        });
      }
    });
  });
}

for (const target of targetNames()) {
  onNodes(`${target}: alone in its cluster`, [target], {}, (cluster) => {
    cluster.test("everything is answered at once", async (t) => {
      const peer = await cluster.open(t, cluster.nodes[0]);
      peer.socket.on("vote", (ack) => ack("mine"));
      assert.equal((await peer.ctl("serverCount")).count, 1);
      assert.deepEqual((await peer.ctl("fetchSockets")).sockets.map(({ id }) => id), [peer.id]);
      assert.deepEqual((await peer.ctl("allRooms")).rooms, [peer.id]);
      assert.deepEqual((await peer.ctl("emitAck", { event: "vote", timeout: 60_000 })).responses, ["mine"]);
      const { timedOut, responses } = await peer.ctl("serverSideEmitAck", { event: "sse:echo" });
      assert.deepEqual([timedOut, responses], [false, []]);
    });
  });
}
