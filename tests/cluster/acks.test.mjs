// Broadcasts whose listeners, on any node, acknowledge.

import assert from "node:assert/strict";
import { CLIENTS } from "../clients/node/clients.mjs";
import { binaryArguments, JSON_VALUES } from "../clients/node/values.mjs";
import { unique } from "../harness/index.mjs";
import { onEveryPairing } from "./nodes.mjs";

const PATIENT_MS = 20_000;
/** Long enough for an answer to travel, short enough to wait for. */
const SHORT_MS = 1_000;

onEveryPairing("acks", { env: { ALLOW_EIO3: "1" } }, (pairing) => {
  /** Two remote listeners and one near one in a room of their own. */
  async function voters(t, votes, options) {
    const room = unique("room");
    const [sender, ...remote] = await pairing.ends(t, [[room], [room]]);
    const near = await pairing.inRooms(t, pairing.acting, [[room]]);
    [...remote, ...near].forEach((peer, index) => {
      if (votes[index]) peer.socket.on("vote", votes[index]);
    });
    const ask = (params) => sender.ctl("emitAck", { target: { to: [room] }, event: "vote", ...options, ...params });
    return { room, sender, remote, near, ask };
  }

  const sorted = (reply) => ({ ...reply, responses: [...reply.responses].sort() });

  pairing.test("all answer, and it ends with the last", async (t) => {
    const votes = ["a", "b", "c"].map((name) => (factor, ack) => ack(name.repeat(factor), "unused"));
    const { ask } = await voters(t, votes);
    const reply = await ask({ args: [2], timeout: PATIENT_MS });
    assert.deepEqual(sorted(reply), { ok: true, timedOut: false, responses: ["aa", "bb", "cc"] });
  });

  pairing.test("one is silent: the others' acks at the time-out", async (t) => {
    const yes = (ack) => ack("yes");
    const { ask } = await voters(t, [yes, undefined, yes]);
    assert.deepEqual(await ask({ timeout: SHORT_MS }), { ok: true, timedOut: true, responses: ["yes", "yes"] });
  });

  pairing.test("an ack after the time-out changes nothing", async (t) => {
    const late = [];
    const { ask, sender } = await voters(t, [(ack) => ack("now"), (ack) => late.push(ack), (ack) => ack("now")]);
    assert.deepEqual(await ask({ timeout: SHORT_MS }), { ok: true, timedOut: true, responses: ["now", "now"] });
    late.forEach((ack) => ack("late"));
    assert.deepEqual(await sender.ask("message-with-ack", 1), [1]);
  });

  pairing.test("every JSON type and binary in the acks, and in what asks for them", async (t) => {
    const values = JSON_VALUES.filter((value) => value !== 1e21);
    const payloads = [values, binaryArguments(), { deep: binaryArguments() }, Buffer.from([1, 2, 3]), null, 0, ""];
    const room = unique("room");
    const [sender, remote] = await pairing.ends(t, [[room]]);
    remote.socket.on("vote", (payload, ack) => ack(payload));
    for (const payload of payloads) {
      const params = { target: { to: [room] }, event: "vote", args: [payload], timeout: PATIENT_MS };
      assert.deepEqual(await sender.ctl("emitAck", params), { ok: true, timedOut: false, responses: [payload] });
    }
  });

  pairing.test("nobody there: at once, with nothing", async (t) => {
    const { sender } = await voters(t, []);
    const target = { to: [unique("nobody")] };
    const reply = await sender.ctl("emitAck", { target, event: "vote", timeout: PATIENT_MS });
    assert.deepEqual(reply, { ok: true, timedOut: false, responses: [] });
  });

  pairing.test("listeners only on the other node, only on this one", async (t) => {
    const { sender, remote, near } = await voters(t, ["a", "b", "c"].map((name) => (ack) => ack(name)));
    const asked = (to) => sender.ctl("emitAck", { target: { to }, event: "vote", timeout: PATIENT_MS });
    assert.deepEqual((await asked([remote[0].id])).responses, ["a"]);
    assert.deepEqual((await asked([near[0].id])).responses, ["c"]);
    assert.deepEqual(sorted(await asked([remote[0].id, near[0].id])).responses, ["a", "c"]);
  });

  pairing.test("except, local, and not the sender", async (t) => {
    const { room, sender, remote, ask } = await voters(t, ["a", "b", "c"].map((name) => (ack) => ack(name)));
    const asked = async (target) => sorted(await ask({ target, timeout: PATIENT_MS })).responses;
    assert.deepEqual(await asked({ to: [room], except: [remote[0].id] }), ["b", "c"]);
    const local = await ask({ target: { to: [room], flags: { local: true } }, timeout: SHORT_MS });
    // The original waits for the other servers, which it has not asked.
    assert.deepEqual(local, { ok: true, timedOut: pairing.acting.isReference, responses: ["c"] });
    await sender.ctl("join", { rooms: [room] });
    assert.deepEqual(await asked({ from: "socket", to: [room] }), ["a", "b", "c"]);
  });

  pairing.test("several at the same time do not mix", async (t) => {
    const { ask } = await voters(t, [1, 2, 3].map((number) => (factor, ack) => ack(number * factor)));
    const factors = Array.from({ length: 30 }, (_, index) => index + 1);
    const replies = await Promise.all(factors.map((factor) => ask({ args: [factor], timeout: PATIENT_MS })));
    for (const [index, factor] of factors.entries()) {
      assert.equal(replies[index].timedOut, false);
      const responses = replies[index].responses.sort((x, y) => x - y);
      assert.deepEqual(responses, [factor, 2 * factor, 3 * factor]);
    }
  });

  for (const client of CLIENTS.filter(({ protocol }) => protocol === 3)) {
    pairing.test(`${client.name} acknowledges`, async (t) => {
      const room = unique("room");
      const [sender] = await pairing.ends(t, []);
      const [old] = await pairing.inRooms(t, pairing.listening, [[room]], { client });
      old.socket.on("vote", (value, ack) => ack({ value, raw: Buffer.from([1, 2]) }));
      const params = { target: { to: [room] }, event: "vote", args: ["x"], timeout: PATIENT_MS };
      const { timedOut, responses } = await sender.ctl("emitAck", params);
      assert.deepEqual([timedOut, responses], [false, [{ value: "x", raw: Buffer.from([1, 2]) }]]);
    });
  }
});
