// Nodes that answer on the channel of who asks, beside nodes that do not.

import assert from "node:assert/strict";
import { unique } from "../harness/index.mjs";
import { onEveryPairing } from "./nodes.mjs";

const SPECIFIC = { SPECIFIC_RESPONSE_CHANNEL: "1" };

for (const [title, options] of [
  ["both answer on specific channels", { envs: [SPECIFIC, SPECIFIC] }],
  ["one answers on specific channels", { envs: [SPECIFIC, {}], bothWays: true }],
]) {
  onEveryPairing(title, options, (pairing) => {
    pairing.test("every request is answered in time", async (t) => {
      const room = unique("room");
      const [asking, remote] = await pairing.ends(t, [[room]]);
      remote.socket.on("vote", (value, ack) => ack([value, Buffer.from([1])]));
      const { sockets } = await asking.ctl("fetchSockets", { target: { to: [room] } });
      assert.deepEqual(sockets.map(({ id }) => id), [remote.id]);
      assert.ok((await asking.ctl("allRooms")).rooms.includes(room));
      const reply = await asking.ctl("serverSideEmitAck", { event: "sse:echo", args: [1] });
      assert.deepEqual(reply.responses, [{ name: pairing.listening.title, args: [1] }]);
      for (const value of ["text", Buffer.from([2])]) {
        const params = { target: { to: [room] }, event: "vote", args: [value], timeout: 10_000 };
        const { timedOut, responses } = await asking.ctl("emitAck", params);
        assert.deepEqual([timedOut, responses], [false, [[value, Buffer.from([1])]]]);
      }
    });

    pairing.test("the answers do go where they are meant to", async (t) => {
      const heard = [];
      const patterns = [`${pairing.cluster.responseChannel()}*`];
      await pairing.cluster.redis.listen(t, { patterns }, (payload, channel) => heard.push(String(channel)));
      const [asking] = await pairing.ends(t);
      await asking.ctl("fetchSockets");
      const shared = pairing.cluster.responseChannel();
      const isSpecific = pairing.listening.env.SPECIFIC_RESPONSE_CHANNEL === "1";
      // The listener may hear it a little after the one who asked.
      while (heard.length === 0) await pairing.cluster.redis.command("PING");
      assert.deepEqual(heard.map((channel) => channel !== shared), [isSpecific], heard.join(" "));
    });
  });
}
