// Connection state recovery with the clients that know it.

import assert from "node:assert/strict";
import { group, onEveryTarget, scenario, unique } from "../../harness/index.mjs";
import { attempt, CLIENTS, connect, endOf, TRANSPORTS } from "./clients.mjs";
import { bytes } from "./values.mjs";

const [client] = CLIENTS;

onEveryTarget("connection state recovery", { env: { CSR: "60000" }, concurrency: 3 }, (server) => {
  for (const mode of Object.keys(TRANSPORTS)) {
    group(`${client.name} over ${mode}`, () => {
      const test = (name, run) => scenario(server, name, run);
      const open = (t, options) => connect(t, server, client, mode, options);

      /** Connects again over the same socket object, as after a cut. */
      async function again(peer) {
        peer.socket.connect();
        await peer.connected();
      }

      test("events carry an offset, and there is a private id", async (t) => {
        const peer = await open(t);
        await peer.ctl("self", { event: "news", args: ["text", bytes(1)] });
        const news = await peer.next("news");
        assert.deepEqual(news.slice(0, 2), ["text", bytes(1)]);
        assert.equal(typeof news[2], "string");
        assert.equal(news.length, 3);
        assert.ok(peer.socket._pid.length > 0);
        assert.notEqual(peer.socket._pid, peer.id);
        assert.deepEqual(await peer.ask("message-with-ack", "no offset here"), ["no offset here"]);
      });

      test("what was missed arrives in order, with id, rooms and data", async (t) => {
        const room = unique("room");
        const [peer, other] = [await open(t), await open(t)];
        await peer.ctl("join", { rooms: [room] });
        await peer.ctl("setData", { data: { name: "kept" } });
        await other.ctl("emit", { target: { to: [room] }, event: "news", args: ["seen"] });
        await peer.next("news");
        const { id } = peer;
        const { rooms } = await peer.ctl("rooms");

        await peer.ctl("dropTransport");
        await peer.next("disconnect");
        assert.equal(await endOf(other, id), "forced close");
        const emit = (target, ...args) => other.ctl("emit", { target, event: "news", args });
        await emit({ to: [room] }, "to the room", bytes(1, 2));
        await emit({ to: [unique("elsewhere")] }, "to others");
        await emit({ to: [id] }, "to the socket");
        await emit({ to: [room], except: [room] }, "excepted");
        await emit({ to: [room], flags: { volatile: true } }, "volatile");
        await emit({ to: ["nobody", room] }, "to one of its rooms");

        await again(peer);
        assert.equal(peer.socket.recovered, true);
        assert.equal(peer.id, id);
        const missed = await peer.inbox.take("news", 3);
        assert.deepEqual(
          missed.map((args) => args.slice(0, -1)),
          [["to the room", bytes(1, 2)], ["to the socket"], ["to one of its rooms"]],
        );
        assert.equal((await peer.ctl("info")).recovered, true);
        assert.deepEqual((await peer.ctl("rooms")).rooms, rooms);
        const { sockets } = await other.ctl("fetchSockets", { target: { to: [room] } });
        assert.deepEqual(sockets.map(({ data }) => data), [{ name: "kept" }]);
        await emit({ to: [room] }, "live again");
        assert.equal((await peer.next("news"))[0], "live again");
        assert.deepEqual(peer.inbox.left("news"), []);
      });

      test("it recovers a second time", async (t) => {
        const [peer, other] = [await open(t), await open(t)];
        const { id } = peer;
        await peer.ctl("self", { event: "news", args: [0] });
        await peer.next("news");
        for (const round of [1, 2]) {
          await peer.ctl("dropTransport");
          await peer.next("disconnect");
          await other.ctl("emit", { target: { to: [id] }, event: "news", args: [round] });
          await again(peer);
          assert.equal(peer.socket.recovered, true);
          assert.equal((await peer.next("news"))[0], round);
        }
        assert.deepEqual(peer.inbox.left("news"), []);
      });

      test("a middleware is skipped on recovery", async (t) => {
        const peer = await open(t, { nsp: "/auth", auth: { token: "secret" } });
        await peer.ctl("self", { event: "news", args: [1] });
        await peer.next("news");
        const { id } = peer;
        await peer.ctl("dropTransport");
        await peer.next("disconnect");
        peer.socket.auth = { token: "no longer valid" };
        await again(peer);
        assert.equal(peer.socket.recovered, true);
        assert.equal(peer.id, id);
      });

      test("a socket that left on purpose is not recovered", async (t) => {
        for (const leave of [(peer) => peer.socket.disconnect(), (peer) => peer.ctl("disconnectSelf")]) {
          const peer = await open(t);
          await peer.ctl("self", { event: "news", args: [1] });
          await peer.next("news");
          const { id } = peer;
          await leave(peer);
          await peer.next("disconnect");
          await again(peer);
          assert.equal(peer.socket.recovered, false);
          assert.notEqual(peer.id, id);
          assert.equal((await peer.ctl("info")).recovered, false);
        }
      });

      test("an invented private id or offset is a new connection", async (t) => {
        const peer = await open(t);
        for (const [pid, offset] of [["invented", "invented"], [peer.socket._pid, "invented"], ["", ""]]) {
          const stranger = attempt(t, server, client, mode, { auth: { pid, offset } });
          await stranger.connected();
          assert.equal(stranger.socket.recovered, false);
          assert.notEqual(stranger.id, peer.id);
        }
      });
    });
  }
});

onEveryTarget("an expired recovery window", { env: { CSR: "1" } }, (server) => {
  scenario(server, "a client that comes too late is a new one", async (t) => {
    const [peer, other] = [await connect(t, server, client, "websocket"), await connect(t, server, client, "websocket")];
    await peer.ctl("self", { event: "news", args: [1] });
    await peer.next("news");
    const { id } = peer;
    await peer.ctl("dropTransport");
    await peer.next("disconnect");
    const end = Date.now();
    await endOf(other, id);
    // The window is one millisecond; asking the other socket takes longer than that.
    while (Date.now() - end < 20) await other.ctl("info");
    peer.socket.connect();
    await peer.connected();
    assert.equal(peer.socket.recovered, false);
    assert.notEqual(peer.id, id);
  });
});
