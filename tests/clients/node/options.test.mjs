// Server options as the clients meet them.

import assert from "node:assert/strict";
import { onEveryTarget, scenario } from "../../harness/index.mjs";
import { attempt, CLIENTS, connect, TRANSPORTS } from "./clients.mjs";

const [newest] = CLIENTS;
const OLD = CLIENTS.filter(({ protocol }) => protocol === 3);

onEveryTarget("defaults", {}, (server) => {
  for (const client of OLD) {
    for (const mode of ["polling", "websocket"]) {
      scenario(server, `${client.name} over ${mode} is refused`, async (t) => {
        const peer = attempt(t, server, client, mode);
        await peer.next("refused");
        assert.ok(!peer.socket.connected);
      });
    }
  }
});

onEveryTarget("another path and name", { env: { SIO_PATH: "/deep/er/path", SERVER_NAME: "green" } }, (server) => {
  for (const mode of Object.keys(TRANSPORTS)) {
    scenario(server, `serves ${mode}`, async (t) => {
      const peer = await connect(t, server, newest, mode);
      const { name, pid, impl, version } = await peer.ctl("info");
      assert.equal(name, "green");
      assert.equal(pid, server.pid);
      assert.ok(impl.length > 0 && version.length > 0);
    });
  }
});

onEveryTarget("no upgrades", { env: { ALLOW_UPGRADES: "0" } }, (server) => {
  scenario(server, "a client that would upgrade stays where it is", async (t) => {
    const peer = attempt(t, server, newest, "upgrade");
    await peer.next("connect");
    for (let round = 0; round < 5; round += 1) await peer.ask("message-with-ack", round);
    assert.equal(peer.transport, "polling");
    assert.equal((await peer.ctl("info")).transport, "polling");
  });
});

onEveryTarget("polling only", { env: { TRANSPORTS: "polling" } }, (server) => {
  scenario(server, "a client that would upgrade stays where it is", async (t) => {
    const peer = attempt(t, server, newest, "upgrade");
    await peer.next("connect");
    for (let round = 0; round < 5; round += 1) await peer.ask("message-with-ack", round);
    assert.equal(peer.transport, "polling");
  });

  scenario(server, "websocket is refused", async (t) => {
    await attempt(t, server, newest, "websocket").next("refused");
  });
});

onEveryTarget("websocket only", { env: { TRANSPORTS: "websocket" }, ready: 400 }, (server) => {
  scenario(server, "polling is refused, websocket works", async (t) => {
    await attempt(t, server, newest, "polling").next("refused");
    const peer = await connect(t, server, newest, "websocket");
    assert.deepEqual(await peer.ask("message-with-ack", 1), [1]);
  });
});

onEveryTarget("a small limit", { env: { MAX_PAYLOAD: "10000", ALLOW_EIO3: "1" } }, (server) => {
  for (const client of CLIENTS) {
    for (const mode of ["polling", "websocket"]) {
      scenario(server, `${client.name} over ${mode} is cut off by an event above it`, async (t) => {
        const peer = await connect(t, server, client, mode);
        assert.deepEqual(await peer.ask("message-with-ack", "x".repeat(9000)), ["x".repeat(9000)]);
        peer.emit("message", "x".repeat(20_000));
        assert.match(await peer.next("disconnect"), /^transport (close|error)$/);
      });
    }
  }
});

onEveryTarget("slow accepts", { env: { ACCEPT_DELAY: "200" } }, (server) => {
  for (const mode of ["polling", "websocket"]) {
    scenario(server, `${mode} connects, not sooner`, async (t) => {
      const start = performance.now();
      const peer = await connect(t, server, newest, mode);
      assert.ok(performance.now() - start >= 190);
      assert.deepEqual(await peer.ask("message-with-ack", 1), [1]);
    });
  }
});

onEveryTarget("permessage-deflate", { env: { PER_MESSAGE_DEFLATE: "1", ALLOW_EIO3: "1" } }, (server) => {
  for (const client of CLIENTS) {
    for (const mode of ["websocket", "upgrade"]) {
      scenario(server, `${client.name} over ${mode} exchanges long messages`, async (t) => {
        const options = { perMessageDeflate: { threshold: 1024 } };
        const [peer, other] = [
          await connect(t, server, client, mode, options),
          await connect(t, server, client, mode, options),
        ];
        const args = ["é".repeat(20_000), { bytes: Buffer.alloc(50_000, 3) }, "short"];
        assert.deepEqual(await peer.ask("message-with-ack", ...args), args);
        await peer.ctl("emit", { event: "news", args });
        await peer.ctl("self", { event: "more", args, compress: false });
        assert.deepEqual(await peer.next("news"), args);
        assert.deepEqual(await peer.next("more"), args);
        assert.deepEqual(await other.next("news"), args);
      });
    }
  }
});
