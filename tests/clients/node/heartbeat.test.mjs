// Heartbeats: clients stay while both sides answer, and leave when one falls silent.

import assert from "node:assert/strict";
import { group, Inbox, onEveryTarget, scenario } from "../../harness/index.mjs";
import { connect, MATRIX } from "./clients.mjs";

const env = { ALLOW_EIO3: "1", PING_INTERVAL: "150", PING_TIMEOUT: "1500" };

onEveryTarget("heartbeats", { env, concurrency: MATRIX.length }, (server) => {
  for (const { client, mode, title } of MATRIX) {
    group(title, () => {
      scenario(server, "a client stays over many heartbeats", async (t) => {
        const peer = await connect(t, server, client, mode);
        const beats = new Inbox();
        // Client 4 tells of the pings it gets; client 3 of the pongs it sends, clients 1 and 2 of those they get.
        peer.engine.on(client.major === 4 ? "ping" : "pong", () => beats.put("beat"));
        await beats.take("beat", 5);
        assert.deepEqual(await peer.ask("message-with-ack", "alive"), ["alive"]);
        assert.deepEqual(peer.inbox.left("disconnect"), []);
      });
    });
  }
});

const frozen = { ALLOW_EIO3: "1", PING_INTERVAL: "200", PING_TIMEOUT: "1500" };

onEveryTarget("a frozen server", { env: frozen }, (server) => {
  scenario(server, "clients notice, and come back when it goes on", async (t) => {
    const options = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100, timeout: 1000 };
    const peers = await Promise.all(MATRIX.map(({ client, mode }) => connect(t, server, client, mode, options)));
    server.kill("SIGSTOP");
    t.after(() => server.kill("SIGCONT"));
    for (const peer of peers) assert.equal(await peer.next("disconnect"), "ping timeout");
    server.kill("SIGCONT");
    for (const peer of peers) {
      await peer.next("connect");
      assert.deepEqual(await peer.ask("message-with-ack", "again"), ["again"]);
    }
  });
});
