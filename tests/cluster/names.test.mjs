// Names of rooms and prefixes that a channel pattern or a separator could trip over.

import assert from "node:assert/strict";
import { unique } from "../harness/index.mjs";
import { heard, onEveryPairing, onNodes, SUBSCRIPTIONS } from "./nodes.mjs";

const ROOMS = [
  "42",
  "-1",
  "1e3",
  "a#b",
  "#",
  "##",
  "#a#",
  "*",
  "room*",
  "r?om",
  "r[a-z]om",
  "back\\slash",
  "with space",
  " ",
  "line\nbreak",
  "tab\tand \u0000 zero",
  "/",
  "/custom",
  "{tag}",
  "äöü €",
  "комната",
  "😀 \u{10ffff}",
  "__proto__",
  "constructor",
  "null",
  // The longest that ours lets a socket join unless told otherwise.
  "x".repeat(255),
];

for (const [mode, options] of SUBSCRIPTIONS) {
  onEveryPairing(`names${mode}`, options, (pairing) => {
    pairing.test("every name of a room is only a name", async (t) => {
      // Nobody here has another room, so that a name which works as a pattern would be found out.
      const [sender, ...peers] = await pairing.ends(
        t,
        ROOMS.map((room) => [room]),
      );
      for (const [index, room] of ROOMS.entries()) {
        const expected = ROOMS.map((_, other) => Number(other === index));
        assert.deepEqual(await heard(sender, { to: [room] }, peers), expected, `to ${JSON.stringify(room)}`);
      }
      const expected = ROOMS.map((_, index) => Number(index % 2 === 0));
      const [even, odd] = [0, 1].map((rest) => ROOMS.filter((_, index) => index % 2 === rest));
      assert.deepEqual(await heard(sender, { to: even }, peers), expected, "several");
      assert.deepEqual(await heard(sender, { except: odd }, peers), expected, "excepted");
    });

    pairing.test("namespaces whose names begin alike are apart", async (t) => {
      const nsp = `/dyn-${process.pid}`;
      const room = unique("room");
      const [sender, short] = await pairing.ends(t, [[room]], { nsp });
      const [, long] = await pairing.ends(t, [[room]], { nsp: `${nsp}0` });
      assert.deepEqual(await heard(sender, {}, [short, long]), [1, 0]);
      assert.deepEqual(await heard(sender, { to: [room], nsp: `${nsp}0` }, [short, long]), [0, 1]);
    });

    pairing.test("names are carried in requests too", async (t) => {
      const [asking, ...peers] = await pairing.ends(
        t,
        ROOMS.map((room) => [room]),
      );
      for (const [index, room] of ROOMS.entries()) {
        const { sockets } = await asking.ctl("fetchSockets", { target: { to: [room] } });
        assert.deepEqual(sockets.map(({ id }) => id), [peers[index].id], JSON.stringify(room));
        assert.deepEqual(sockets[0].rooms, [peers[index].id, room].sort());
      }
      const { rooms } = await asking.ctl("allRooms");
      for (const room of ROOMS) assert.ok(rooms.includes(room), JSON.stringify(room));
    });
  });
}

/** The original takes its prefix as a pattern, so this is for ours alone. */
const REDIS_KEY = "k[a-z]?*\\{tag}#ü €";
onNodes("subject with subject: a prefix of odd signs", ["subject", "subject"], { env: { REDIS_KEY } }, (cluster) => {
  cluster.test("is only a name", async (t) => {
    const room = unique("room");
    const sender = await cluster.open(t, cluster.nodes[0]);
    const remote = await cluster.open(t, cluster.nodes[1]);
    await remote.ctl("join", { rooms: [room] });
    assert.deepEqual(await heard(sender, {}, [sender, remote]), [1, 1]);
    assert.deepEqual(await heard(sender, { to: [room] }, [sender, remote]), [0, 1]);
    assert.equal((await sender.ctl("fetchSockets")).sockets.length, 2);
    assert.equal((await sender.ctl("serverCount")).count, 2);
  });
});
