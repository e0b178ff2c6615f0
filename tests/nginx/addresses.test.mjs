// Whose sessions limits.connections_per_ip counts behind nginx: those of a client if the node believes nginx, else all.

import assert from "node:assert/strict";
import { get } from "node:http";
import { describe, it } from "node:test";
import WebSocket from "ws";
import { within } from "../harness/index.mjs";
import { Server } from "../harness/server.mjs";
import { Nginx } from "./nginx.mjs";

const SCENARIO_MS = 60_000;
const [ADA, BOB, EVE] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

/** The status of a handshake from an address, by polling. The session stays. */
function polling(nginx, localAddress, headers = {}) {
  const answered = new Promise((resolve, reject) => {
    get(nginx.engine(), { localAddress, headers, agent: false }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode));
    }).on("error", reject);
  });
  return within(answered, () => "no answer to a handshake");
}

/** As `polling`, by WebSocket; `opened` keeps it. */
function websocket(nginx, localAddress, opened) {
  const url = nginx.engine().replace("http:", "ws:").replace("polling", "websocket");
  const socket = new WebSocket(url, { localAddress });
  opened.push(socket);
  const answered = new Promise((resolve, reject) => {
    socket.on("open", () => resolve(101));
    socket.on("unexpected-response", (_, answer) => resolve(answer.statusCode));
    socket.on("error", reject);
  });
  return within(answered, () => "no answer to a WebSocket handshake");
}

/** A node that lets two sessions of an address in, and nginx in front of it. */
async function behindNginx(trusted, run) {
  const env = {
    GREENROOM_ENGINE__SID_PREFIX: "a.",
    GREENROOM_LIMITS__CONNECTIONS_PER_IP: "2",
    GREENROOM_SECURITY__TRUSTED_PROXIES: trusted,
    GREENROOM_SHUTDOWN__TIMEOUT: "3s",
    GREENROOM_SHUTDOWN__SPREAD: "0s",
    RUST_LOG: "debug",
  };
  const node = new Server("program", { env });
  // The harness looks with a session whether it is ready, which it ends.
  await node.start();
  const nginx = new Nginx({ a: node.port, b: node.port });
  const opened = [];
  try {
    await nginx.start();
    await run({
      polling: (address, headers) => polling(nginx, address, headers),
      websocket: (address) => websocket(nginx, address, opened),
    });
    const refused = node.lines().filter((line) => line.includes("why=connections_per_ip limit=2"));
    assert.ok(refused.length > 0, "it was refused for another reason");
  } catch (err) {
    err.message += `\n${node.log()}\n${nginx.log()}`;
    throw err;
  } finally {
    opened.forEach((socket) => socket.terminate());
    await nginx.stop();
    await node.stop();
  }
}

describe("a limit per address behind nginx", { concurrency: 1, timeout: SCENARIO_MS }, () => {
  // A refusal is the last thing in each: then nginx takes the node for full, for a while.

  it("is that of each client if nginx is believed", () =>
    behindNginx("127.0.0.1", async (ask) => {
      for (const address of [ADA, BOB, EVE]) {
        assert.equal(await ask.websocket(address), 101);
        assert.equal(await ask.polling(address), 200);
      }
      // What a client says of itself stands before what nginx says.
      assert.equal(await ask.polling(ADA, { "X-Forwarded-For": "203.0.113.7" }), 503);
    }));

  it("holds for WebSockets too", () =>
    behindNginx("127.0.0.1", async (ask) => {
      for (let n = 0; n < 2; n++) assert.equal(await ask.polling(ADA), 200);
      assert.equal(await ask.polling(BOB), 200);
      assert.equal(await ask.websocket(ADA), 503);
    }));

  it("is that of nginx, so of all clients together, if it is not", () =>
    behindNginx("", async (ask) => {
      assert.equal(await ask.websocket(ADA), 101);
      assert.equal(await ask.polling(BOB), 200);
      assert.equal(await ask.polling(EVE, { "X-Forwarded-For": "203.0.113.7" }), 503);
    }));
});
