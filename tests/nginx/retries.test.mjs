// What nginx does with a request that a node breaks off: nodes made of a few lines count what reaches them.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, describe, it } from "node:test";
import { Nginx } from "./nginx.mjs";

/** A node that answers as it is told: `answer(response)`. */
class Fake {
  seen = [];
  #server = createServer((request, response) => {
    // The whole body has arrived when it is answered.
    request.resume().on("end", () => {
      this.seen.push({ method: request.method, connection: request.socket.remotePort });
      this.answer(response);
    });
  });

  listen() {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(this.#server.address().port)));
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const ok = (response) => response.end("ok");
const breaksOff = (response) => response.socket.destroy();
const isFull = (response) => response.writeHead(503).end();

describe("a request that a node breaks off", { concurrency: 1 }, () => {
  const nodes = { a: new Fake(), b: new Fake() };
  let nginx;

  before(async () => {
    nodes.a.answer = nodes.b.answer = ok;
    nginx = new Nginx({ a: await nodes.a.listen(), b: await nodes.b.listen() });
    await nginx.start();
  });
  beforeEach(() => {
    nodes.a.seen = [];
    nodes.b.seen = [];
    nodes.a.answer = nodes.b.answer = ok;
  });
  after(async () => {
    await nginx.stop();
    nodes.a.close();
    nodes.b.close();
  });

  const send = (sid, method) => fetch(nginx.engine(sid), { method, body: method === "POST" ? "4hello" : undefined });
  const methods = (node) => node.seen.map(({ method }) => method);

  it("a session has its node, and the connection to it is kept", async () => {
    for (let n = 0; n < 8; n += 1) assert.equal((await send(`&sid=a.${n}`, n % 2 ? "GET" : "POST")).status, 200);
    assert.equal(nodes.b.seen.length, 0);
    // Each worker process of nginx has its own.
    const connections = new Set(nodes.a.seen.map(({ connection }) => connection));
    assert.equal(nodes.a.seen.length, 8);
    assert.ok(connections.size < 8, `${connections.size} connections`);
  });

  it("a POST is sent once, on a new connection and on a kept one", async () => {
    assert.equal((await send("&sid=a.1", "GET")).status, 200);
    nodes.a.seen = [];
    nodes.a.answer = breaksOff;
    for (let n = 1; n <= 4; n += 1) {
      assert.equal((await send("&sid=a.1", "POST")).status, 502);
      assert.deepEqual(methods(nodes.a), Array(n).fill("POST"));
    }
    assert.deepEqual(methods(nodes.b), []);
  });

  it("a POST without a session is sent once", async () => {
    nodes.a.answer = nodes.b.answer = breaksOff;
    assert.equal((await send("", "POST")).status, 502);
    assert.equal(nodes.a.seen.length + nodes.b.seen.length, 1);
  });

  for (const [why, answer] of [
    ["breaks it off", breaksOff],
    ["is full", isFull],
  ]) {
    it(`a handshake goes on to the next node when one ${why}`, async (t) => {
      // An nginx that holds nothing against either of them.
      const fresh = await new Nginx(nginx.nodes).start();
      t.after(() => fresh.stop());
      nodes.a.seen = [];
      nodes.b.seen = [];
      nodes.a.answer = answer;
      for (let n = 0; n < 6; n += 1) assert.equal((await fetch(fresh.engine())).status, 200);
      assert.equal(nodes.b.seen.length, 6);
      // One that met a kept connection is tried on a new one first. Then nobody goes there for a while.
      assert.ok(nodes.a.seen.length === 1 || nodes.a.seen.length === 2, `${nodes.a.seen.length} times`);
    });
  }

  it("session ids stay out of the log", () => {
    const accesses = nginx.accesses();
    assert.match(accesses, /"GET \/socket\.io\/" 200/);
    assert.ok(!accesses.includes("sid"), accesses);
  });
});
