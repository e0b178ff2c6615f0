// The scenarios that use Redis most, once more on Valkey. The nodes are given a `valkey://` URL and speak RESP3.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

// What is imported from here on reads it.
process.env.REDIS_SERVER = "valkey";

const { onNodes } = await import("./nodes.mjs");
const { until } = await import("../harness/index.mjs");

const GREENROOM = process.env.GREENROOM ?? fileURLToPath(new URL("../../target/debug/greenroom", import.meta.url));
const LEASE_MS = 1_000;

const [R, S] = ["reference", "subject"];

onNodes("Valkey", [S, R], { env: { REDIS_LEASE: String(LEASE_MS) } }, (cluster) => {
  const [node] = cluster.nodes;
  const { redis, key } = cluster;
  const gc = (...options) =>
    promisify(execFile)(GREENROOM, ["gc", "--redis", node.env.REDIS_URL, "--key", key, ...options]);

  cluster.test("is what runs, and is spoken to in RESP3", async () => {
    assert.match(await redis.command("INFO", "server"), /^server_name:valkey\r?$/m);
    const clients = (await redis.command("CLIENT", "LIST")).trim().split("\n");
    const ours = clients.filter((client) => client.includes(" lib-name=greenroom "));
    // One publishes and hears, one stores.
    assert.equal(ours.length, 2, clients.join("\n"));
    for (const client of ours) assert.ok(client.includes(" resp=3 "), client);
  });

  cluster.test("a lease holds while its node lives, and what is left behind is collected by hand", async (t) => {
    const peer = await cluster.open(t, node);
    const { id } = peer;
    await peer.ctl("join", { rooms: ["room"] });
    const isStored = async () => (await redis.members(`${key}#room`)).includes(id);
    await until("no membership", isStored);
    const [uid, ...others] = await redis.members(`${key}-nodes`);
    assert.deepEqual(others, []);
    const lease = `${key}-lease#${uid}`;
    const left = async () => Number(await redis.command("PTTL", lease));
    let before = await left();
    assert.ok(0 < before && before <= LEASE_MS, `${before}`);
    await until("the lease is not renewed", async () => {
      const now = await left();
      const isLonger = now > before;
      before = now;
      return isLonger;
    });
    const keys = await redis.keys(key);
    await gc();
    assert.deepEqual(await redis.keys(key), keys, "of a node that lives nothing is taken");

    const { port } = node;
    await node.crash();
    await until("the lease outlives its node", async () => (await left()) < 0);
    const { stdout } = await gc("--dry-run");
    assert.ok(stdout.includes(uid), stdout);
    assert.ok(await isStored(), "what is only shown stays");
    await gc();
    assert.deepEqual(await redis.keys(key), []);
    await node.start(port);
    await cluster.complete();
  });
});

for (const scenarios of ["broadcast", "requests", "acks", "serverside", "storage", "faults", "topology"]) {
  await import(`./${scenarios}.test.mjs`);
}
