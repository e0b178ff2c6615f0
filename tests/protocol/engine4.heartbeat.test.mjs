// Engine.IO 4 heartbeats: the server asks, the client answers.

import assert from "node:assert/strict";
import { onEveryTarget, scenario } from "../harness/index.mjs";
import { closed, Session, webSocketSession } from "./wire.mjs";

const path = "/engine";
/** Long enough that a busy machine answers in time. */
const [INTERVAL_MS, TIMEOUT_MS] = [300, 900];
const env = { EIO_PATH: path, PING_INTERVAL: `${INTERVAL_MS}`, PING_TIMEOUT: `${TIMEOUT_MS}` };
/** Timers of two processes never agree to the millisecond. */
const SLACK_MS = 15;

onEveryTarget("heartbeat", { env, concurrency: 8 }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const since = (start) => performance.now() - start;

  test("polling gets its pings alone, none earlier than the interval", async () => {
    let start = performance.now();
    const session = await Session.open(server, { path });
    for (let beat = 0; beat < 3; beat += 1) {
      assert.deepEqual(await session.poll(), ["2"]);
      assert.ok(since(start) >= INTERVAL_MS - SLACK_MS, `ping after ${since(start)} ms`);
      start = performance.now();
      await session.send("3");
    }
  });

  test("websocket gets its pings, none earlier than the interval", async (t) => {
    let start = performance.now();
    const peer = await webSocketSession(t, server, { path });
    for (let beat = 0; beat < 3; beat += 1) {
      assert.equal(await peer.next(), "2");
      assert.ok(since(start) >= INTERVAL_MS - SLACK_MS, `ping after ${since(start)} ms`);
      start = performance.now();
      peer.send("3");
    }
  });

  test("polling that does not answer is closed after the time-out", async () => {
    const start = performance.now();
    const session = await Session.open(server, { path });
    await session.poll();
    const { status, text } = await session.get();
    assert.ok(since(start) >= INTERVAL_MS + TIMEOUT_MS - 2 * SLACK_MS, `closed after ${since(start)} ms`);
    // A poll that waits at the end of the session is answered with a close packet.
    assert.deepEqual([status, text], [200, "1"]);
    await session.isGone();
  });

  test("polling that never comes back is forgotten", async (t) => {
    const session = await Session.open(server, { path });
    const timer = await webSocketSession(t, server, { path });
    await closed(timer);
    const other = await webSocketSession(t, server, { path });
    await closed(other);
    await session.isGone();
  });

  test("websocket that does not answer is closed after the time-out", async (t) => {
    const start = performance.now();
    const peer = await webSocketSession(t, server, { path });
    await closed(peer);
    assert.ok(since(start) >= INTERVAL_MS + TIMEOUT_MS - 2 * SLACK_MS, `closed after ${since(start)} ms`);
    assert.deepEqual(peer.inbox.left("message"), ["2"]);
  });

  test("messages do not replace the answer to a ping", async (t) => {
    const peer = await webSocketSession(t, server, { path });
    assert.equal(await peer.next(), "2");
    peer.send("4hello");
    assert.equal(await peer.next(), "4hello");
    await closed(peer);
  });
});
