// Engine.IO 4 over WebSocket, and the way from polling to it.

import assert from "node:assert/strict";
import { onEveryTarget, scenario, until } from "../harness/index.mjs";
import { closed, Session, webSocket, webSocketSession } from "./wire.mjs";

const path = "/engine";
const env = { EIO_PATH: path, MAX_PAYLOAD: "100000" };

onEveryTarget("websocket", { env }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const open = (t) => webSocketSession(t, server, { path });

  test("text and binary come back", async (t) => {
    const peer = await open(t);
    for (const text of ["4hello €", "4a\u001e4b", "4", `4${"x".repeat(99_999)}`]) {
      peer.send(text);
      assert.equal(await peer.next(), text);
    }
    for (const binary of [Buffer.from([1]), Buffer.from("4text"), Buffer.alloc(100_000, 5)]) {
      peer.send(binary);
      assert.deepEqual(await peer.next(), binary);
    }
  });

  for (const packet of ["abc", "2", "2probe", "9"]) {
    test(`packet ${packet} closes the session`, async (t) => {
      const peer = await open(t);
      peer.send(packet);
      await closed(peer);
    });
  }

  test("noop, upgrade and unasked pong packets are ignored", async (t) => {
    const peer = await open(t);
    for (const packet of ["6", "5", "3", "0"]) peer.send(packet);
    peer.send("4still here");
    assert.equal(await peer.next(), "4still here");
  });

  test("a message above the limit closes with 1009", async (t) => {
    for (const message of [`4${"x".repeat(100_000)}`, Buffer.alloc(100_001)]) {
      const peer = await open(t);
      peer.send(message);
      assert.equal(await closed(peer), 1009);
    }
  });

  test("a ping of the WebSocket layer is answered there", async (t) => {
    const peer = await open(t);
    peer.ws.ping("data");
    assert.equal((await peer.inbox.next("pong")).toString(), "data");
  });
});

onEveryTarget("upgrade", { env: { ...env, UPGRADE_TIMEOUT: "300" } }, (server) => {
  const test = (name, run) => scenario(server, name, run);

  /** A session and the WebSocket that is about to take over. */
  async function probing(t) {
    const session = await Session.open(server, { path });
    const peer = webSocket(t, server, session.webSocketTarget);
    await peer.inbox.next("open");
    return { session, peer };
  }

  async function probed(t) {
    const { session, peer } = await probing(t);
    peer.send("2probe");
    assert.equal(await peer.next(), "3probe");
    return { session, peer };
  }

  test("a waiting poll gets a noop, then the socket takes over", async (t) => {
    const { session, peer } = await probing(t);
    const poll = session.poll();
    peer.send("2probe");
    assert.equal(await peer.next(), "3probe");
    assert.deepEqual(await poll, ["6"]);
    peer.send("5");
    peer.send("4hello");
    assert.equal(await peer.next(), "4hello");
  });

  test("a poll that comes after the probe gets a noop", async (t) => {
    const { session } = await probed(t);
    assert.deepEqual(await session.poll(), ["6"]);
  });

  test("messages of the polling side are not lost", async (t) => {
    const { session, peer } = await probed(t);
    await session.send("4posted");
    assert.ok((await session.poll()).join(" ").includes("4posted"));
    await session.send("4left over");
    peer.send("5");
    assert.equal(await peer.next(), "4left over");
    peer.send("4after");
    assert.equal(await peer.next(), "4after");
  });

  test("the session can be polled no longer", async (t) => {
    const { session, peer } = await probed(t);
    peer.send("5");
    peer.send("4done");
    assert.equal(await peer.next(), "4done");
    for (const { status } of [await session.get(), await session.post("4x")]) assert.equal(status, 400);
    peer.send("4still here");
    assert.equal(await peer.next(), "4still here");
  });

  test("a second socket is closed, the first goes on", async (t) => {
    const { session, peer } = await probed(t);
    peer.send("5");
    peer.send("4done");
    assert.equal(await peer.next(), "4done");
    const second = webSocket(t, server, session.webSocketTarget);
    await second.inbox.next("open");
    await closed(second);
    peer.send("4still here");
    assert.equal(await peer.next(), "4still here");
  });

  test("a second socket during the upgrade is closed, the first goes on", async (t) => {
    const { session, peer } = await probed(t);
    const second = webSocket(t, server, session.webSocketTarget);
    await second.inbox.next("open");
    await closed(second);
    peer.send("5");
    peer.send("4done");
    assert.equal(await peer.next(), "4done");
  });

  test("a second socket of a websocket session is closed, the first goes on", async (t) => {
    const peer = await webSocketSession(t, server, { path });
    const second = webSocket(t, server, `${path}/?EIO=4&transport=websocket&sid=${peer.handshake.sid}`);
    // A server may also let it wait for a probe that never comes; what it must not do is give the session away.
    second.inbox.next("open").then(() => second.send("4stolen"), () => {});
    await second.inbox.first(["close", "refused"]);
    peer.send("4still here");
    assert.equal(await peer.next(), "4still here");
  });

  for (const packet of ["4too early", "2", "3probe", "abc"]) {
    test(`packet ${packet} instead of a probe closes the socket, polling goes on`, async (t) => {
      const { session, peer } = await probing(t);
      peer.send(packet);
      await closed(peer);
      await session.send("4hello");
      assert.deepEqual(await session.packets(1), ["4hello"]);
    });
  }

  test("an upgrade without probe is taken", async (t) => {
    const { peer } = await probing(t);
    peer.send("5");
    peer.send("4hello");
    assert.equal(await peer.next(), "4hello");
  });

  test("a socket that ends after the probe leaves polling as it was", async (t) => {
    const { session, peer } = await probed(t);
    peer.ws.close();
    await closed(peer);
    await until("polling goes on", async () => {
      await session.send("4hello");
      return (await session.poll()).includes("4hello");
    });
    const again = webSocket(t, server, session.webSocketTarget);
    await again.inbox.next("open");
    again.send("2probe");
    assert.equal(await again.next(), "3probe");
  });

  test("a socket that does not finish in time is closed, polling goes on", async (t) => {
    for (const start of [probing, probed]) {
      const { session, peer } = await start(t);
      await closed(peer);
      await session.send("4hello");
      assert.ok((await session.poll()).join(" ").includes("4hello"));
    }
  });

  test("a session that closes takes the probing socket with it", async (t) => {
    const { session, peer } = await probed(t);
    await session.send("1");
    await closed(peer);
    await session.isGone();
  });
});

onEveryTarget("no upgrades", { env: { ...env, ALLOW_UPGRADES: "0" } }, (server) => {
  scenario(server, "the handshake offers none", async () => {
    assert.deepEqual((await Session.open(server, { path })).handshake.upgrades, []);
  });
});

onEveryTarget("polling only", { env: { ...env, TRANSPORTS: "polling" } }, (server) => {
  scenario(server, "the handshake offers no upgrade and websocket gets no session", async (t) => {
    assert.deepEqual((await Session.open(server, { path })).handshake.upgrades, []);
    const { inbox } = webSocket(t, server, `${path}/?EIO=4&transport=websocket`);
    await inbox.first(["refused", "close", "error"]);
    assert.deepEqual(inbox.left("message"), []);
  });
});

onEveryTarget("websocket only", { env: { ...env, TRANSPORTS: "websocket" }, ready: 400 }, (server) => {
  scenario(server, "polling is unknown, websocket works", async (t) => {
    await assert.rejects(Session.open(server, { path }), /Transport unknown/);
    const peer = await webSocketSession(t, server, { path });
    peer.send("4hello");
    assert.equal(await peer.next(), "4hello");
  });
});
