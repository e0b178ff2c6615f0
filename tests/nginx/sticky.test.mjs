// Two nodes behind nginx as it is shipped: every client works, also when a node stops.

import assert from "node:assert/strict";
import { connect as open } from "node:net";
import { until, within } from "../harness/index.mjs";
import { SHIPPED } from "./nginx.mjs";
import { byNode, from, MAX_PAYLOAD, nodeOf, onEveryCluster, WAYS } from "./nodes.mjs";

const UNKNOWN = { code: 1, message: "Session ID unknown" };
const PEERS_PER_WAY = 8;

/** Client 2 may report an error first, of the transport that it has lost. */
async function isBack(peer) {
  await peer.next("connect");
  if (peer.mode === "upgrade") await peer.upgraded();
}

onEveryCluster("clients behind nginx", {}, (cluster, scenario) => {
  for (const way of WAYS) {
    scenario(`${way.client.name} over ${way.mode} is spread over both nodes`, async (t) => {
      const peers = await Promise.all(Array.from({ length: PEERS_PER_WAY }, () => cluster.connect(t, way)));
      const { a, b } = await byNode(peers);
      assert.ok(a.length >= 2 && b.length >= 2, `${a.length} on a, ${b.length} on b`);
      for (const peer of peers) assert.deepEqual(peer.inbox.left("disconnect"), []);
    });
  }

  scenario("a node learns who its client is", async (t) => {
    for (const way of WAYS.filter(({ client }) => client.major === 4)) {
      const peer = await cluster.connect(t, way, from("127.0.0.2"));
      const { handshake } = await peer.ctl("handshake");
      assert.equal(handshake.headers["x-forwarded-for"], "127.0.0.2");
      assert.equal(handshake.headers["x-forwarded-proto"], "http");
      assert.equal(handshake.headers.host, `127.0.0.1:${cluster.nginx.port}`);
      const claims = { extraHeaders: { "X-Forwarded-For": "203.0.113.7" } };
      const liar = await cluster.connect(t, way, { ...from("127.0.0.2"), ...claims });
      const { headers } = (await liar.ctl("handshake")).handshake;
      assert.equal(headers["x-forwarded-for"], "203.0.113.7, 127.0.0.2");
    }
  });

  scenario("what a node takes, nginx takes", async (t) => {
    const large = "x".repeat(MAX_PAYLOAD - 100);
    for (const way of WAYS) {
      const peer = await cluster.connect(t, way);
      assert.deepEqual(await peer.ask("message-with-ack", large), [large]);
    }
    for (const surplus of [1, 100_000]) {
      const body = `4${"x".repeat(MAX_PAYLOAD + surplus)}`;
      const sid = await cluster.handshake();
      const answer = await fetch(cluster.nginx.engine(`&sid=${sid}`), { method: "POST", body });
      assert.equal(answer.status, 413);
    }
  });

  scenario("idle connections are closed by nginx before a node does", async () => {
    const timeouts = [...SHIPPED.matchAll(/^\s*keepalive_timeout (\d+)s;/gm)].map(([, seconds]) => Number(seconds));
    assert.equal(timeouts.length, [...SHIPPED.matchAll(/^\s*keepalive \d+;/gm)].length);
    const socket = open(cluster.nodes.a.port, "127.0.0.1");
    socket.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
    const answered = performance.now();
    await within(new Promise((resolve) => socket.resume().once("end", resolve)), () => "a node keeps it for ever");
    const kept = (performance.now() - answered) / 1000;
    socket.destroy();
    assert.ok(Math.max(...timeouts) + 1 < kept, `${kept} s at the node, ${timeouts} s at nginx`);
  });

  const ends = {
    SIGTERM: (node) => node.stop(),
    SIGKILL: async (node) => {
      node.kill("SIGKILL");
      await within(node.exited, () => "SIGKILL is ignored");
    },
  };
  for (const [signal, end] of Object.entries(ends)) {
    scenario(`a node ends by ${signal}: its clients go on at the other, whose clients notice nothing`, async (t) => {
      const peers = await Promise.all(
        WAYS.flatMap((way) => Array.from({ length: 4 }, () => cluster.connect(t, way))),
      );
      const { a: left, b: lost } = await byNode(peers);
      assert.ok(left.length >= 6 && lost.length >= 6, `${left.length} on a, ${lost.length} on b`);
      const ids = left.map((peer) => peer.id);
      const sid = lost[0].engine.id;

      await end(cluster.nodes.b);
      await Promise.all(lost.map((peer) => peer.next("disconnect")));
      await Promise.all(lost.map(isBack));
      for (const peer of peers) assert.equal(await nodeOf(peer), "a");
      for (const peer of left) assert.deepEqual(peer.inbox.left("disconnect"), []);
      assert.deepEqual(
        left.map((peer) => peer.id),
        ids,
      );
      // Who asks for a session of the node that has gone hears that it has; the other node is not bothered.
      for (const method of ["GET", "POST"]) {
        const answer = await fetch(cluster.nginx.engine(`&sid=${sid}`), { method, body: method === "POST" ? "2" : null });
        assert.equal(answer.status, 502);
      }

      await cluster.startNode("b");
      // The first session there comes when nginx tries it again.
      await until("nginx does not go back to b", async () => (await cluster.handshake()).startsWith("b."), 15_000);
      // Its old sessions are unknown to it, which is no fault of the balancer.
      const answer = await fetch(cluster.nginx.engine(`&sid=${sid}`));
      assert.deepEqual([answer.status, await answer.json()], [400, UNKNOWN]);
      for (const peer of left) assert.deepEqual(peer.inbox.left("disconnect"), []);
    });
  }

  scenario("nothing that belongs elsewhere has reached a node", () => {
    for (const name of ["a", "b"]) assert.deepEqual(cluster.strays(name), []);
  });

  scenario("a session of a node that has been taken out is unknown", async () => {
    const answer = await fetch(cluster.nginx.engine(`&sid=c.A${"x".repeat(20)}`));
    assert.deepEqual([answer.status, await answer.json()], [400, UNKNOWN]);
    if (cluster.target === "reference") return;
    const [line, ...others] = [...cluster.strays("a"), ...cluster.strays("b")];
    assert.match(line, /WARN.* or the node has gone route=c\. node=unknown n_requests=1$/);
    assert.deepEqual(others, []);
  });
});
