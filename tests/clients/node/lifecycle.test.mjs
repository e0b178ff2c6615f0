// The process: how it ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Server, targetNames } from "../../harness/server.mjs";
import { within } from "../../harness/index.mjs";
import { CLIENTS, connect, MATRIX } from "./clients.mjs";

for (const target of targetNames()) {
  describe(`${target}: the end of the process`, { concurrency: 1 }, () => {
    it("SIGTERM ends it within two seconds, with clients of every kind connected", async (t) => {
      const server = await new Server(target, { env: { ALLOW_EIO3: "1" } }).start();
      const peers = await Promise.all(MATRIX.map(({ client, mode }) => connect(t, server, client, mode)));
      server.kill("SIGTERM");
      await within(server.exited, () => `still running\n${server.log()}`, 2000);
      for (const peer of peers) {
        assert.match(await peer.next("disconnect"), /^(transport (close|error)|io server disconnect)$/);
      }
    });

    it("its port is free at once for the next one", async (t) => {
      const first = await new Server(target).start();
      await connect(t, first, CLIENTS[0], "websocket");
      first.kill("SIGTERM");
      await within(first.exited, () => "still running", 2000);
      const second = await new Server(target).start(first.port);
      await connect(t, second, CLIENTS[0], "websocket");
      await second.stop();
    });
  });
}
