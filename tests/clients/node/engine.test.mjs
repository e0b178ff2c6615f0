// The engine clients against the raw Engine.IO endpoint.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { group, Inbox, onEveryTarget, scenario, until } from "../../harness/index.mjs";
import { TRANSPORTS } from "./clients.mjs";
import { bytes } from "./values.mjs";

const require = createRequire(import.meta.url);
const { Socket: Engine6 } = require("engine.io-client");
const engine3 = require("engine.io-client-3");
const ENGINES = [
  { name: `engine.io-client ${require("engine.io-client/package.json").version}`, open: (...a) => new Engine6(...a) },
  { name: `engine.io-client ${require("engine.io-client-3/package.json").version}`, open: engine3 },
];
const PATH = "/engine";
// No text with the record separator: over polling protocol 4 cannot carry it.
const TEXTS = ["text", "äöü € 😀 \u{10ffff}", "1:2 b", "x".repeat(80_000)];

function open(t, server, engine, mode, options = {}) {
  const socket = engine.open(server.url, { path: PATH, transports: TRANSPORTS[mode], ...options });
  const inbox = new Inbox();
  for (const name of ["open", "message", "close", "upgrade", "error"]) {
    socket.on(name, (value) => inbox.put(name, value));
  }
  t.after(() => socket.close());
  return { socket, inbox };
}

async function opened(t, server, engine, mode, options) {
  const peer = open(t, server, engine, mode, options);
  await peer.inbox.next("open");
  if (mode === "upgrade") await until("no upgrade", () => peer.socket.transport.name === "websocket");
  return peer;
}

const env = { EIO_PATH: PATH, ALLOW_EIO3: "1" };

onEveryTarget("raw engine echo", { env, concurrency: 3 }, (server) => {
  for (const engine of ENGINES) {
    for (const mode of Object.keys(TRANSPORTS)) {
      group(`${engine.name} over ${mode}`, () => {
        const test = (name, run) => scenario(server, name, run);

        test("text comes back", async (t) => {
          const { socket, inbox } = await opened(t, server, engine, mode);
          for (const text of TEXTS) {
            socket.send(text);
            assert.equal(await inbox.next("message"), text);
          }
        });

        test("binary comes back", async (t) => {
          const { socket, inbox } = await opened(t, server, engine, mode);
          for (const binary of [bytes(0), bytes(0x1e, 0xff, 0x34), Buffer.alloc(90_000, 0x1e)]) {
            socket.send(binary);
            const back = await inbox.next("message");
            assert.ok(binary.equals(Buffer.from(back)), `${back.length} bytes of ${binary.length}`);
          }
        });

        test("a mix keeps its order, also while the transport changes", async (t) => {
          const { socket, inbox } = open(t, server, engine, mode);
          await inbox.next("open");
          const sent = Array.from({ length: 200 }, (_, index) => (index % 3 === 0 ? bytes(index) : `text ${index}`));
          for (const message of sent) socket.send(message);
          const back = await inbox.take("message", sent.length);
          assert.deepEqual(
            back.map((message) => (typeof message === "string" ? message : Buffer.from(message))),
            sent,
          );
        });

        test("the client closes and the server forgets", async (t) => {
          const { socket, inbox } = await opened(t, server, engine, mode);
          const { id } = socket;
          socket.close();
          await inbox.next("close");
          await until("the session lives on", async () => {
            const answer = await fetch(`${server.url}${PATH}/?EIO=4&transport=polling&sid=${id}`, { method: "POST" });
            return answer.status === 400 && (await answer.json()).code === 1;
          });
        });
      });
    }
  }
});

onEveryTarget("the engine client's own fixture", { env: { ...env, EIO_FIXTURE: "client-suite" } }, (server) => {
  for (const engine of ENGINES) {
    for (const mode of Object.keys(TRANSPORTS)) {
      scenario(server, `${engine.name} over ${mode}`, async (t) => {
        const { socket, inbox } = await opened(t, server, engine, mode);
        assert.equal(await inbox.next("message"), "hi");
        socket.send("give binary");
        assert.deepEqual(Buffer.from(await inbox.next("message")), bytes(0, 1, 2, 3, 4));
        socket.send("give utf8");
        assert.equal(await inbox.next("message"), "пойду спать всем спокойной ночи");
        socket.send("anything else");
        assert.equal(await inbox.next("message"), "anything else");
        if (mode === "polling") {
          socket.send("sendHeaders");
          assert.match(JSON.parse(await inbox.next("message")).host, /^127\.0\.0\.1:/);
        }
      });
    }
  }

  scenario(server, "cookies of the handshake are sent back by a client that keeps them", async (t) => {
    const { socket, inbox } = await opened(t, server, ENGINES[0], "polling", { withCredentials: true });
    await inbox.next("message");
    socket.send("sendHeaders");
    assert.equal(JSON.parse(await inbox.next("message")).cookie, "1=1; 2=2");
  });
});
