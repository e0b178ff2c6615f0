// What one node asks of all: who is there, and that sockets move or go.

import assert from "node:assert/strict";
import { alsoIn, endOf } from "../clients/node/clients.mjs";
import { unique, until } from "../harness/index.mjs";
import { finds, heard, isIn, onEveryPairing } from "./nodes.mjs";

const idsOf = ({ sockets }) => sockets.map(({ id }) => id);

/** Sockets that went show up for a moment more: a request is answered by other nodes. */
const isGone = (asking, id) =>
  until(`${id} is still there`, async () => !idsOf(await asking.ctl("fetchSockets")).includes(id));

onEveryPairing("requests", { env: { ALLOW_EIO3: "1" } }, (pairing) => {
  pairing.test("sockets of both nodes are fetched with rooms, data and handshake", async (t) => {
    const [room, out] = [unique("room"), unique("out")];
    const [asking] = await pairing.ends(t, []);
    const auth = { token: "given", deep: [1, { a: null }] };
    const query = { first: "1", second: "two words" };
    const remote = await pairing.open(t, pairing.listening, { auth, query });
    await remote.ctl("join", { rooms: [room, "extra"] });
    await remote.ctl("setData", { data: { name: "found", list: [1, null, { x: "ü" }] } });
    await pairing.inRooms(t, pairing.listening, [[room, out]]);
    await pairing.inRooms(t, pairing.acting, [[room, out]]);

    const { sockets } = await asking.ctl("fetchSockets", { target: { to: [room], except: [out] } });
    assert.equal(sockets.length, 1);
    const { handshake } = await remote.ctl("handshake");
    const { address, secure, url } = handshake;
    assert.deepEqual(sockets[0], {
      id: remote.id,
      rooms: [remote.id, room, "extra"].sort(),
      data: { name: "found", list: [1, null, { x: "ü" }] },
      handshake: { auth, query: handshake.query, address, secure, url },
    });
    assert.deepEqual([handshake.query.first, handshake.query.second], ["1", "two words"]);
  });

  pairing.test("targets of a fetch: all, rooms, excepted, ids, local, not the caller", async (t) => {
    const [a, b] = [unique("a"), unique("b")];
    const [asking, one, two] = await pairing.ends(t, [[a], [a, b]]);
    const [near] = await pairing.inRooms(t, pairing.acting, [[b]]);
    const fetched = async (target) => {
      const ids = idsOf(await asking.ctl("fetchSockets", { target }));
      assert.deepEqual(ids, [...ids].sort());
      return [asking, one, two, near].map(({ id }) => Number(ids.includes(id)));
    };
    assert.deepEqual(await fetched(), [1, 1, 1, 1]);
    assert.deepEqual(await fetched({ to: [a] }), [0, 1, 1, 0]);
    assert.deepEqual(await fetched({ to: [a, b] }), [0, 1, 1, 1]);
    assert.deepEqual(await fetched({ to: [a, b], except: [b] }), [0, 1, 0, 0]);
    assert.deepEqual(await fetched({ except: [a] }), [1, 0, 0, 1]);
    assert.deepEqual(await fetched({ to: [one.id] }), [0, 1, 0, 0]);
    assert.deepEqual(await fetched({ to: [unique("nobody")] }), [0, 0, 0, 0]);
    assert.deepEqual(await fetched({ flags: { local: true } }), [1, 0, 0, 1]);
    assert.deepEqual(await fetched({ from: "socket" }), [0, 1, 1, 1]);
  });

  pairing.test("a fetch knows its namespace", async (t) => {
    const [asking, remote] = await pairing.ends(t);
    const twin = await alsoIn(t, remote, "/custom").connected();
    await finds(asking, { nsp: "/custom" }, [twin.id]);
    const here = idsOf(await asking.ctl("fetchSockets"));
    assert.ok(here.includes(remote.id) && !here.includes(twin.id));
  });

  pairing.test("rooms of both nodes are counted once", async (t) => {
    const [shared, far, close] = [unique("shared"), unique("far"), unique("close")];
    const [asking, remote] = await pairing.ends(t, [[shared, far]]);
    const [near] = await pairing.inRooms(t, pairing.acting, [[shared, close]]);
    const { rooms } = await asking.ctl("allRooms");
    for (const room of [shared, far, close, remote.id, near.id, asking.id]) {
      assert.equal(rooms.filter((found) => found === room).length, 1, room);
    }
    assert.deepEqual(rooms, [...rooms].sort());
    assert.deepEqual((await asking.ctl("allRooms", { nsp: "/auth" })).rooms, []);
  });

  pairing.test("a room that is empty is no room", async (t) => {
    const room = unique("room");
    const [asking, remote] = await pairing.ends(t, [[room]]);
    assert.ok((await asking.ctl("allRooms")).rooms.includes(room));
    await remote.ctl("leave", { room });
    assert.ok(!(await asking.ctl("allRooms")).rooms.includes(room));
  });

  pairing.test("the servers are counted", async (t) => {
    const [asking] = await pairing.ends(t);
    for (const nsp of ["/", "/custom", "/auth"]) {
      assert.equal((await asking.ctl("serverCount", { nsp })).count, 2);
    }
  });

  pairing.test("sockets of both nodes join and leave", async (t) => {
    const [room, next, other] = [unique("room"), unique("next"), unique("other")];
    const [mover, moved, stays] = await pairing.ends(t, [[room], []]);
    const [near] = await pairing.inRooms(t, pairing.acting, [[room]]);
    await mover.ctl("socketsJoin", { target: { to: [room] }, rooms: [next, other] });
    for (const peer of [moved, near]) await isIn(peer, [room, next, other]);
    assert.deepEqual(await heard(mover, { to: [next] }, [moved, near, stays]), [1, 1, 0]);
    await mover.ctl("socketsLeave", { target: { to: [next] }, rooms: [room, next] });
    for (const peer of [moved, near]) await isIn(peer, [other]);
    assert.deepEqual(await heard(mover, { to: [next, room] }, [moved, near, stays]), [0, 0, 0]);
    assert.deepEqual((await stays.ctl("rooms")).rooms, [stays.id]);
  });

  pairing.test("one socket of the other node is moved by its id", async (t) => {
    const [a, b] = [unique("a"), unique("b")];
    const [mover, moved, stays] = await pairing.ends(t, [[a], [a]]);
    await mover.ctl("socketsJoin", { target: { to: [moved.id] }, rooms: [b] });
    await isIn(moved, [a, b]);
    await mover.ctl("socketsLeave", { target: { to: [moved.id] }, rooms: [a] });
    await isIn(moved, [b]);
    await mover.ctl("socketsJoin", { target: { to: [a, b], except: [moved.id] }, rooms: ["moved"] });
    await isIn(stays, [a, "moved"]);
    await isIn(moved, [b]);
    await mover.ctl("socketsLeave", { target: { except: [moved.id] }, rooms: [a] });
    await isIn(stays, ["moved"]);
  });

  pairing.test("local moves stay on their node", async (t) => {
    const [room, next] = [unique("room"), unique("next")];
    const [mover, remote] = await pairing.ends(t, [[room]]);
    const [near] = await pairing.inRooms(t, pairing.acting, [[room]]);
    await mover.ctl("socketsJoin", { target: { to: [room], flags: { local: true } }, rooms: [next] });
    await isIn(near, [room, next]);
    assert.deepEqual(await heard(mover, { to: [next] }, [remote, near]), [0, 1]);
    assert.deepEqual((await remote.ctl("rooms")).rooms, [remote.id, room].sort());
  });

  pairing.test("sockets are moved in the namespace that is named", async (t) => {
    const [room, next] = [unique("room"), unique("next")];
    const [mover, remote] = await pairing.ends(t, [[room]]);
    const twin = await alsoIn(t, remote, "/custom").connected();
    await twin.ctl("join", { rooms: [room] });
    await mover.ctl("socketsJoin", { target: { to: [room], nsp: "/custom" }, rooms: [next] });
    await isIn(twin, [room, next]);
    assert.deepEqual((await remote.ctl("rooms")).rooms, [remote.id, room].sort());
  });

  for (const close of [false, true]) {
    pairing.test(`sockets are disconnected, ${close ? "with" : "without"} their sessions`, async (t) => {
      const room = unique("room");
      const [remover, gone, stays] = await pairing.ends(t, [[room], []]);
      const observer = await pairing.open(t, pairing.listening);
      const twin = await alsoIn(t, gone, "/custom").connected();
      const { id } = gone;
      await remover.ctl("disconnectSockets", { target: { to: [room] }, close });
      assert.equal(await gone.next("disconnect"), "io server disconnect");
      assert.equal(await endOf(observer, id), "server namespace disconnect");
      if (close) await twin.next("disconnect");
      else assert.deepEqual(await twin.ask("message-with-ack", 1), [1]);
      assert.deepEqual(await stays.ask("message-with-ack", 1), [1]);
      await isGone(remover, id);
    });
  }

  pairing.test("one socket of the other node is disconnected by its id, all but one by exception", async (t) => {
    const room = unique("room");
    const [remover, first, second, third] = await pairing.ends(t, [[room], [room], [room]]);
    const [a, b] = [first.id, second.id];
    await remover.ctl("disconnectSockets", { target: { to: [a] } });
    await first.next("disconnect");
    await isGone(remover, a);
    await remover.ctl("disconnectSockets", { target: { to: [room], except: [third.id] } });
    await second.next("disconnect");
    await isGone(remover, b);
    assert.deepEqual(idsOf(await remover.ctl("fetchSockets", { target: { to: [room] } })), [third.id]);
    assert.deepEqual(await third.ask("message-with-ack", 1), [1]);
  });
});
