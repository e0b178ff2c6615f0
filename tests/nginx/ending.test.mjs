// A node that was told to end takes nobody in: who comes back to it would lose the new session too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attempt, CLIENTS, connect } from "../clients/node/clients.mjs";
import { within } from "../harness/index.mjs";
import { Server, targetNames } from "../harness/server.mjs";

for (const target of targetNames()) {
  test(`${target}: a node that ends takes no new sessions`, { timeout: 60_000 }, async (t) => {
    const node = await new Server(target).start();
    t.after(() => node.kill("SIGKILL"));
    const handshake = `${node.url}/socket.io/?EIO=4&transport=polling`;
    // A session whose client does not poll: the node waits a moment for it.
    assert.equal((await fetch(handshake)).status, 200);
    const peer = await connect(t, node, CLIENTS[0], "websocket");
    node.kill("SIGTERM");
    await peer.next("disconnect");
    const status = await fetch(handshake).then(
      (answer) => answer.status,
      () => "unreachable",
    );
    assert.ok(status === 503 || status === "unreachable", `a handshake is answered ${status}`);
    await attempt(t, node, CLIENTS[0], "websocket").next("refused");
    assert.equal(await within(node.exited, () => "it does not end"), 0);
  });
}
