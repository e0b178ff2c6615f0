// The same without stickiness: what clients get, and what the operator reads.

import assert from "node:assert/strict";
import { until, within } from "../harness/index.mjs";
import { nodeOf, onEveryCluster, WAYS } from "./nodes.mjs";

const UNKNOWN = { code: 1, message: "Session ID unknown" };

onEveryCluster("clients behind a balancer without stickiness", { isSticky: false }, (cluster, scenario) => {
  for (const way of WAYS) {
    if (way.mode === "websocket") {
      scenario(`${way.client.name} over websocket needs none`, async (t) => {
        for (let n = 0; n < 4; n += 1) await nodeOf(await cluster.connect(t, way));
      });
    } else {
      scenario(`${way.client.name} over ${way.mode} fails`, async (t) => {
        const peer = cluster.attempt(t, way, { reconnection: false });
        const closed = new Promise((resolve) => peer.socket.io.on("close", resolve));
        await within(closed, () => "the client has lost nothing");
      });
    }
  }

  scenario("requests at the wrong node get the error of the reference, and one log line", async () => {
    const wrong = await until("every poll goes to its node", async () => {
      const url = cluster.nginx.engine(`&sid=${await cluster.handshake()}`);
      // At its node it would wait for something to read.
      return fetch(url, { signal: AbortSignal.timeout(1000) }).catch(() => false);
    });
    assert.equal(wrong.status, 400);
    assert.match(wrong.headers.get("content-type"), /^application\/json/);
    assert.deepEqual(await wrong.json(), UNKNOWN);
    if (cluster.target === "reference") return;
    for (const [name, other] of ["ab", "ba"]) {
      // Each node has got many of the other's.
      const strays = await until(`no line at ${name}`, async () => {
        const sid = await cluster.handshake();
        if (sid.startsWith(name)) return false;
        const direct = `${cluster.nodes[name].url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
        for (let n = 0; n < 5; n += 1) assert.equal((await fetch(direct)).status, 400);
        return cluster.strays(name);
      });
      assert.equal(strays.length, 1, strays.join("\n"));
      assert.match(strays[0], new RegExp(`WARN.* is not sticky .* route=${other}\\. node=unknown n_requests=1$`));
    }
  });
});
