// The msgpack parser, with the clients that take one.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { group, onEveryTarget, scenario, unique } from "../../harness/index.mjs";
import { alsoIn, attempt, CLIENTS, connect, TRANSPORTS } from "./clients.mjs";
import { binaryArguments, bytes, JSON_VALUES } from "./values.mjs";

const parser = createRequire(import.meta.url)("socket.io-msgpack-parser");

// The clients' encoder writes whole numbers from 2^64 on wrongly, before any server sees them.
const VALUES = JSON_VALUES.filter((value) => value !== 1e21);

onEveryTarget("msgpack", { env: { PARSER: "msgpack" }, concurrency: 3 }, (server) => {
  for (const client of CLIENTS.filter(({ protocol }) => protocol === 4)) {
    for (const mode of Object.keys(TRANSPORTS)) {
      group(`${client.name} over ${mode}`, () => {
        const test = (name, run) => scenario(server, name, run);
        const open = (t, options) => connect(t, server, client, mode, { parser, ...options });

        test("connects with auth", async (t) => {
          const auth = { token: "secret", deep: [{ a: 1 }] };
          const peer = await open(t, { nsp: "/auth", auth });
          assert.deepEqual(await peer.next("auth"), [auth]);
        });

        test("is refused with message and data", async (t) => {
          const peer = attempt(t, server, client, mode, { parser, nsp: "/auth", auth: { token: "wrong" } });
          const err = await peer.next("refused");
          assert.equal(err.message, "unauthorized");
          assert.deepEqual(err.data, { code: "E_AUTH" });
        });

        test("is refused by an unknown namespace", async (t) => {
          const peer = await open(t);
          assert.equal((await alsoIn(t, peer, "/nobody").next("refused")).message, "Invalid namespace");
        });

        test("every JSON type and binary come back", async (t) => {
          const peer = await open(t);
          for (const args of [[], ...VALUES.map((value) => [value]), VALUES, binaryArguments()]) {
            peer.emit("message", ...args);
            assert.deepEqual(await peer.next("message-back"), args);
            assert.deepEqual(await peer.ask("message-with-ack", ...args), args);
          }
        });

        test("numbers come back in every width", async (t) => {
          const peer = await open(t);
          const integers = [7, 8, 15, 16, 31, 32, 52, 53].flatMap((bits) => [2 ** bits - 1, 1 - 2 ** bits]);
          const numbers = [...integers, -32, -33, 2 ** 40, 0.1, -1.5, Number.MIN_VALUE];
          assert.deepEqual(await peer.ask("message-with-ack", numbers), [numbers]);
        });

        test("strings, lists, maps and binary come back in every length class", async (t) => {
          const peer = await open(t);
          for (const length of [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536]) {
            const map = Object.fromEntries(Array.from({ length: Math.min(length, 300) }, (_, i) => [`k${i}`, i]));
            const args = ["s".repeat(length), Buffer.alloc(length, 9), Array(length).fill(0), map];
            assert.deepEqual(await peer.ask("message-with-ack", ...args), args);
          }
        });

        test("the server asks the client", async (t) => {
          const peer = await open(t);
          peer.socket.on("question", (value, ack) => ack(value, bytes(1)));
          const { args } = await peer.ctl("selfAck", { event: "question", args: [bytes(7)] });
          assert.deepEqual(args, [bytes(7), bytes(1)]);
        });

        test("a broadcast reaches rooms and collects acks", async (t) => {
          const room = unique("room");
          const peers = [await open(t), await open(t)];
          for (const peer of peers) {
            await peer.ctl("join", { rooms: [room] });
            peer.socket.on("vote", (ack) => ack(bytes(5)));
          }
          await peers[0].ctl("emit", { target: { to: [room] }, event: "news", args: binaryArguments() });
          for (const peer of peers) assert.deepEqual(await peer.next("news"), binaryArguments());
          const { responses } = await peers[0].ctl("emitAck", { target: { to: [room] }, event: "vote" });
          assert.deepEqual(responses, [bytes(5), bytes(5)]);
        });

        test("the server ends the socket", async (t) => {
          const peer = await open(t);
          await peer.ctl("disconnectSelf");
          assert.equal(await peer.next("disconnect"), "io server disconnect");
        });
      });
    }
  }
});
