// The fixture that the clients' own test suite expects.

import assert from "node:assert/strict";
import { group, onEveryTarget, scenario } from "../../harness/index.mjs";
import { alsoIn, attempt, CLIENTS, connect, TRANSPORTS } from "./clients.mjs";

const [client] = CLIENTS;
const env = { FIXTURE: "client-suite", PING_INTERVAL: "2000", CSR: "120000", ACCEPT_DELAY: "10" };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const binary = Buffer.from("asdfasdf");

onEveryTarget("the clients' own fixture", { env, concurrency: 3 }, (server) => {
  for (const mode of Object.keys(TRANSPORTS)) {
    group(mode, () => {
      const test = (name, run) => scenario(server, name, run);

      /** A peer that also collects the replies. With recovery on, the last argument of an event is its offset. */
      async function open(t, replies = [], options = {}) {
        const peer = await connect(t, server, client, mode, options);
        for (const name of replies) peer.socket.on(name, (...args) => peer.inbox.put(name, args.slice(0, -1)));
        return peer;
      }

      test("plain events are replied to", async (t) => {
        const peer = await open(t, ["hi", "got it", "takeDate", "takeDateObj", "takeUtf8", "false"]);
        peer.emit("hi");
        assert.deepEqual(await peer.next("hi"), []);
        assert.deepEqual(await peer.ask("echo", 123), [123]);
        peer.socket.on("ack", (ack) => ack(5, { test: true }));
        peer.emit("ack");
        assert.deepEqual(await peer.next("got it"), []);
        assert.match((await peer.ask("getAckDate", { test: true }))[0], ISO);
        peer.emit("getDate");
        assert.match((await peer.next("takeDate"))[0], ISO);
        peer.emit("getDateObj");
        assert.match((await peer.next("takeDateObj"))[0].date, ISO);
        peer.emit("getUtf8");
        const texts = (await peer.inbox.take("takeUtf8", 5)).flat();
        assert.deepEqual(texts, ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]);
        peer.emit("false");
        assert.deepEqual(await peer.next("false"), [false]);
        assert.deepEqual(await peer.ask("getId"), [peer.id]);
      });

      test("an event is heard although its ack request is not answered", async (t) => {
        const peer = await open(t);
        peer.socket.on("ack", () => peer.inbox.put("ack"));
        const outcome = new Promise((resolve) => peer.socket.timeout(200).emit("ack", resolve));
        await peer.next("ack");
        assert.match((await outcome).message, /timed out/);
      });

      test("binary events are replied to", async (t) => {
        const replies = ["doge", "takebin", "buffack", "jsonbuff-ack", "abuff2-ack", "back", "jsonblob-ack", "blob3-ack"];
        const peer = await open(t, replies);
        const mixed = { hello: "lol", message: binary, goodbye: "gotcha" };
        const calls = [
          ["doge", [["doge"]], [binary]],
          ["takebin", [["getbin"]], [binary]],
          ["buffack", [["buffa", binary]], []],
          ["jsonbuff-ack", [["jsonbuff", mixed]], []],
          ["back", [["blob", binary]], []],
          ["jsonblob-ack", [["jsonblob", mixed]], []],
          ["abuff2-ack", [["abuff1", binary], ["abuff2", "please arrive second"]], []],
          ["blob3-ack", [["blob1", binary], ["blob2", "second"], ["blob3", binary]], []],
        ];
        for (const [reply, emits, args] of calls) {
          for (const emit of emits) peer.emit(...emit);
          assert.deepEqual(await peer.next(reply), args);
        }
      });

      test("arguments that are not as described get no reply", async (t) => {
        const peer = await open(t, ["buffack", "jsonbuff-ack", "blob3-ack"]);
        peer.emit("buffa", "text");
        peer.emit("jsonbuff", { hello: "lol", message: "text", goodbye: "gotcha" });
        peer.emit("blob3", binary);
        await peer.ask("echo", 1);
        for (const name of ["buffack", "jsonbuff-ack", "blob3-ack"]) assert.deepEqual(peer.inbox.left(name), []);
      });

      test("namespaces answer and refuse", async (t) => {
        const peer = await open(t);
        for (const name of ["/foo", "/timeout_socket", "/valid", "/asd"]) await alsoIn(t, peer, name).connected();
        const foo = await connect(t, server, client, mode, { nsp: "/foo" });
        assert.deepEqual(await foo.ask("getId"), [foo.id]);
        assert.equal((await alsoIn(t, peer, "/no").next("refused")).message, "Auth failed (custom namespace)");
        assert.equal((await alsoIn(t, peer, "/else").next("refused")).message, "Invalid namespace");
        const failing = attempt(t, server, client, mode, { query: { fail: "true" } });
        assert.equal((await failing.next("refused")).message, "Auth failed (main namespace)");
      });

      test("the handshake is told", async (t) => {
        const peer = await open(t, [], { query: { foo: "bar" } });
        assert.equal((await peer.ask("getHandshake"))[0].query.foo, "bar");
        const abc = attempt(t, server, client, mode, { nsp: "/abc", query: { b: "c" }, auth: { d: "e" } });
        abc.socket.on("handshake", (handshake) => abc.inbox.put("handshake", handshake));
        const { query, auth } = await abc.next("handshake");
        assert.equal(query.b, "c");
        assert.equal(auth.d, "e");
      });
    });
  }
});
