// The emitters of the registries behind one face, and the listeners that they are tried on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { createClient } from "redis";
import { PYTHON } from "../harness/python.mjs";
import { targetNames } from "../harness/server.mjs";
import { within } from "../harness/index.mjs";
import { onNodes } from "./nodes.mjs";

const require = createRequire(import.meta.url);
/** Python reads hundreds of files before it begins, which takes its time on a busy machine. */
const PYTHON_MS = 40_000;
const SCRIPT = fileURLToPath(new URL("emit.py", import.meta.url));

/** `@socket.io/redis-emitter`, on a client of its own. */
export async function newest(t, { redis, key }) {
  const { Emitter } = require("@socket.io/redis-emitter");
  const client = createClient({ url: redis.url });
  t.after(() => client.quit());
  await client.connect();
  return new Emitter(client, { key });
}

/** `socket.io-emitter` 1, 2 or 3, with the client that it brings. */
export function older(t, major, { redis, key }) {
  const emitter = require(`socket.io-emitter-${major}`)({ host: "127.0.0.1", port: redis.port, key });
  t.after(() => emitter.redis.quit());
  return emitter;
}

/** Runs the orders with an emitter in Python; resolves when all are published. */
export async function python(name, { redis, key }, orders) {
  const child = spawn(PYTHON, [SCRIPT, name, redis.port, key], { stdio: ["pipe", "inherit", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data) => (errors += data));
  child.stdin.end(JSON.stringify(orders));
  const exit = new Promise((resolve, reject) => child.once("exit", resolve).once("error", reject));
  const code = await within(exit, () => `${name} does not end`, PYTHON_MS);
  assert.equal(code, 0, errors);
}

/** Runs `define(cluster)` for each target, with two nodes of it. */
export function onTwins(title, define) {
  for (const target of targetNames()) onNodes(`${target}: ${title}`, [target, target], {}, define);
}

/** Six clients on two nodes: in no room, in `a`, in `a` and `b`; and the same again. */
export async function audience(t, cluster, options) {
  const lists = [[], ["a"], ["a", "b"]];
  const seats = cluster.nodes.flatMap((node) => lists.map((rooms) => ({ node, rooms })));
  return Promise.all(
    seats.map(async ({ node, rooms }) => {
      const peer = await cluster.open(t, node, options);
      if (rooms.length > 0) await peer.ctl("join", { rooms });
      return peer;
    }),
  );
}

/** What each has heard under "news", once all have heard "more" of the same emitter. */
export async function news(peers) {
  await Promise.all(peers.map((peer) => peer.next("more")));
  return peers.map((peer) => {
    const events = peer.inbox.left("news");
    events.forEach(() => peer.inbox.next("news"));
    return events;
  });
}

/** The same for each peer: how often it has heard exactly these arguments, and that it has heard nothing else. */
export async function counts(peers, args) {
  const all = await news(peers);
  for (const event of all.flat()) assert.deepEqual(event, args);
  return all.map((events) => events.length);
}
