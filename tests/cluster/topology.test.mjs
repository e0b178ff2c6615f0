// A Redis Cluster of three masters under the nodes.

import assert from "node:assert/strict";
import { unique, until } from "../harness/index.mjs";
import { RedisCluster } from "../harness/redis.mjs";
import { caughtUp, isIn, onEveryPairing, timesHeard } from "./nodes.mjs";

/**
 * Emits to the target, and the peers hear it so often. The original publishes each channel on a master of its own, so a
 * later message on another channel may come first: what is heard in the end counts.
 */
async function isHeard(sender, target, peers, expected) {
  const mark = unique("mark");
  await sender.ctl("emit", { target, event: "news", args: [mark] });
  const wanted = JSON.stringify(expected);
  await until(`${mark} is not heard ${wanted} times`, () => JSON.stringify(timesHeard(peers, mark)) === wanted);
  await caughtUp(sender, peers);
  assert.deepEqual(timesHeard(peers, mark), expected);
}

onEveryPairing("a Redis Cluster", { redis: () => new RedisCluster() }, (pairing) => {
  pairing.test("broadcasts to all and to many rooms", async (t) => {
    const rooms = Array.from({ length: 12 }, () => unique("room"));
    const [sender, remote, other] = await pairing.ends(t, [rooms, []]);
    await isHeard(sender, {}, [sender, remote, other], [1, 1, 1]);
    for (const room of rooms) await isHeard(sender, { to: [room] }, [remote, other], [1, 0]);
    await isHeard(sender, { to: rooms }, [remote, other], [1, 0]);
  });

  pairing.test("requests, server-side events and acks", async (t) => {
    const [room, next] = [unique("room"), unique("next")];
    const [asking, remote] = await pairing.ends(t, [[room]]);
    remote.socket.on("vote", (ack) => ack("yes"));
    assert.equal((await asking.ctl("serverCount")).count, 2);
    const { sockets } = await asking.ctl("fetchSockets", { target: { to: [room] } });
    assert.deepEqual(sockets.map(({ id }) => id), [remote.id]);
    assert.ok((await asking.ctl("allRooms")).rooms.includes(room));
    await asking.ctl("socketsJoin", { target: { to: [room] }, rooms: [next] });
    await isIn(remote, [room, next]);
    const { responses } = await asking.ctl("serverSideEmitAck", { event: "sse:echo", args: [1] });
    assert.deepEqual(responses, [{ name: pairing.listening.title, args: [1] }]);
    const reply = await asking.ctl("emitAck", { target: { to: [room] }, event: "vote", timeout: 10_000 });
    assert.deepEqual(reply, { ok: true, timedOut: false, responses: ["yes"] });
  });
});
