// The program's webhooks, with nodes that end and nodes that are killed.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, describe } from "node:test";
import { Inbox, scenario, unique } from "../../harness/index.mjs";
import { HOST } from "../../harness/ports.mjs";
import { Redis } from "../../harness/redis.mjs";
import { Server } from "../../harness/server.mjs";
import { CLIENTS } from "./clients.mjs";

const SECRET = "s3cret";

/** A receiver, and an application that lets each client join the rooms it names. */
class Receiver {
  inbox = new Inbox();
  /** How many requests are answered with an error first. */
  failing = 0;

  async start() {
    this.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString();
      const [, time, signature] = request.headers["greenroom-signature"].match(/^t=(\d+),v1=([0-9a-f]{64})$/);
      assert.equal(signature, createHmac("sha256", SECRET).update(`${time}.${body}`).digest("hex"));
      const { type, ...hook } = JSON.parse(body);
      if (type === "connect") return response.end(JSON.stringify({ join: hook.socket.auth.rooms ?? [] }));
      if (type === "disconnect") {
        // Long enough for a server that does not wait to be gone.
        await new Promise((resolve) => setTimeout(resolve, 300));
        if (!request.socket.destroyed) this.inbox.put("left", hook.reason);
        return response.end();
      }
      this.failing -= 1;
      if (this.failing >= 0) return response.writeHead(503).end();
      this.inbox.put(type, hook);
      response.end();
    });
    await new Promise((resolve) => this.server.listen(0, HOST, resolve));
    this.url = `http://${HOST}:${this.server.address().port}/`;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

describe("webhooks", { concurrency: 1 }, () => {
  const receiver = new Receiver();
  const redis = new Redis();
  let nodes;

  before(async () => {
    await receiver.start();
    await redis.start();
    const key = unique("key");
    nodes = ["a", "b"].map((node) => {
      const env = {
        REDIS_URL: redis.url,
        GREENROOM_REDIS__KEY: key,
        GREENROOM_REDIS__NODE: node,
        GREENROOM_REDIS__LEASE: "2s",
        GREENROOM_BACKENDS: `[{ url = "${receiver.url}", connect = true, disconnect = true }]`,
        GREENROOM_WEBHOOKS__URL: receiver.url,
        GREENROOM_WEBHOOKS__SECRET: SECRET,
      };
      return new Server("program", { env });
    });
    await Promise.all(nodes.map((node) => node.start()));
  });
  after(async () => {
    await Promise.all((nodes ?? []).map((node) => node.stop()));
    await redis.stop();
    await receiver.stop();
  });

  const someNode = { get port() { return nodes?.[0].port; }, log: () => nodes.map((node) => node.log()).join("\n") };

  async function join(t, node, rooms) {
    const socket = CLIENTS[0].io(node.url, { auth: { rooms }, forceNew: true, reconnection: false, transports: ["websocket"] });
    t.after(() => socket.disconnect());
    await receiver.inbox.next("connected");
    return socket;
  }

  scenario(someNode, "a room is occupied and vacated once, and a killed node leaves nobody in it", async (t) => {
    const [a, b] = nodes;
    receiver.failing = 1;
    await join(t, a, ["r", "q"]);
    const occupied = await receiver.inbox.take("room_occupied", 2);
    assert.deepEqual(occupied.map(({ room }) => room).sort(), ["q", "r"]);
    const other = await join(t, b, ["r"]);
    await a.crash();
    // The room in which somebody else is stays in use.
    const vacated = await receiver.inbox.next("room_vacated", 20_000);
    assert.deepEqual([vacated.room, vacated.node], ["q", "b"]);
    other.disconnect();
    const { socket, reason } = await receiver.inbox.next("disconnected");
    assert.deepEqual([socket.rooms.slice(1), reason], [["r"], "client namespace disconnect"]);
    assert.equal((await receiver.inbox.next("room_vacated")).room, "r");
    // The other was on the node that was killed: nobody is left who could tell.
    assert.equal(await receiver.inbox.next("left"), "client namespace disconnect");
    assert.deepEqual(receiver.inbox.left("room_occupied"), []);
  });

  scenario(someNode, "a node that ends tells of its last clients first", async (t) => {
    const [, b] = nodes;
    for (let n = 0; n < 10; n += 1) await join(t, b, ["s"]);
    assert.equal((await receiver.inbox.next("room_occupied")).room, "s");
    await b.stop();
    for (const { reason } of await receiver.inbox.take("disconnected", 10)) assert.equal(reason, "server shutting down");
    assert.equal((await receiver.inbox.next("room_vacated")).room, "s");
    assert.deepEqual(await receiver.inbox.take("left", 10), Array(10).fill("server shutting down"));
  });
});
