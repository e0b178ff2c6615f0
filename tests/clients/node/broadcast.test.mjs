// Rooms, broadcasts and what a server asks of many sockets, with listeners of every client.

import assert from "node:assert/strict";
import { group, onEveryTarget, scenario, unique, until } from "../../harness/index.mjs";
import { alsoIn, connect, endOf, MATRIX } from "./clients.mjs";
import { binaryArguments, JSON_VALUES } from "./values.mjs";

onEveryTarget("rooms and broadcasts", { env: { ALLOW_EIO3: "1" }, concurrency: 4 }, (server) => {
  for (const { client, mode, title } of MATRIX) {
    group(title, () => {
      const test = (name, run) => scenario(server, name, run);
      // Everybody in a namespace is addressed here, so each group has one of its own.
      const nsp = unique("/dyn").replaceAll("-", "_").replace("dyn_", "dyn-");
      const open = (t, options) => connect(t, server, client, mode, { nsp, ...options });

      /** Peers with rooms of their own: `await inRooms(t, [["a"], ["a", "b"], []])`. */
      const inRooms = (t, lists) =>
        Promise.all(
          lists.map(async (rooms) => {
            const peer = await open(t);
            if (rooms.length > 0) await peer.ctl("join", { rooms });
            return peer;
          }),
        );

      /** Emits, then checks who has heard it, and that each has heard it once. */
      async function heard(sender, target, peers) {
        const mark = unique("mark");
        await sender.ctl("emit", { target, event: "news", args: [mark] });
        // An ack of each socket comes after what was sent to it before.
        await Promise.all(peers.map((peer) => peer.ask("message-with-ack")));
        return peers.map((peer) => peer.inbox.left("news").filter(([value]) => value === mark).length);
      }

      test("a socket joins and leaves rooms", async (t) => {
        const peer = await open(t);
        const { id } = await peer.ctl("info");
        const [a, b] = [unique("a"), unique("b")];
        assert.deepEqual((await peer.ctl("rooms")).rooms, [id]);
        assert.deepEqual((await peer.ctl("join", { rooms: [b, a] })).rooms, [id, a, b].sort());
        assert.deepEqual((await peer.ctl("join", { rooms: [a] })).rooms, [id, a, b].sort());
        assert.deepEqual((await peer.ctl("leave", { room: a })).rooms, [id, b].sort());
        assert.deepEqual((await peer.ctl("leave", { room: "never joined" })).rooms, [id, b].sort());
      });

      test("a broadcast reaches rooms, each socket once, without the excepted", async (t) => {
        const [a, b, c] = [unique("a"), unique("b"), unique("c")];
        const peers = await inRooms(t, [[a], [a, b], [b, c], []]);
        const [sender] = peers;
        assert.deepEqual(await heard(sender, { to: [a] }, peers), [1, 1, 0, 0]);
        assert.deepEqual(await heard(sender, { to: [a, b] }, peers), [1, 1, 1, 0]);
        assert.deepEqual(await heard(sender, { to: [a, b], except: [c] }, peers), [1, 1, 0, 0]);
        assert.deepEqual(await heard(sender, { from: "socket", to: [a, b] }, peers), [0, 1, 1, 0]);
        assert.deepEqual(await heard(sender, { except: [a] }, peers), [0, 0, 1, 1]);
        assert.deepEqual(await heard(sender, { flags: { local: true, compress: false } }, peers), [1, 1, 1, 1]);
        assert.deepEqual(await heard(sender, { from: "socket" }, peers), [0, 1, 1, 1]);
        assert.deepEqual(await heard(sender, { to: [unique("nobody")] }, peers), [0, 0, 0, 0]);
        const { id } = await peers[3].ctl("info");
        assert.deepEqual(await heard(sender, { to: [id] }, peers), [0, 0, 0, 1]);
        await peers[1].ctl("leave", { room: a });
        assert.deepEqual(await heard(sender, { to: [a] }, peers), [1, 0, 0, 0]);
      });

      test("rooms of two namespaces are apart", async (t) => {
        const room = unique("room");
        const [main, other] = await inRooms(t, [[room], []]);
        const elsewhere = await alsoIn(t, other, `${nsp}_elsewhere`).connected();
        await elsewhere.ctl("join", { rooms: [room] });
        assert.deepEqual(await heard(main, { to: [room], nsp: `${nsp}_elsewhere` }, [main, elsewhere]), [0, 1]);
        assert.deepEqual(await heard(main, { to: [room] }, [main, elsewhere]), [1, 0]);
      });

      test("a broadcast carries every JSON type and binary", async (t) => {
        const room = unique("room");
        const [sender, listener] = await inRooms(t, [[], [room]]);
        for (const args of [JSON_VALUES, binaryArguments(), []]) {
          await sender.ctl("emit", { target: { to: [room] }, event: "news", args });
          assert.deepEqual(await listener.next("news"), args);
        }
      });

      test("a volatile broadcast arrives while the listeners keep up", async (t) => {
        const room = unique("room");
        const [sender, listener] = await inRooms(t, [[], [room]]);
        const target = { to: [room], flags: { volatile: true } };
        for (let tries = 0; listener.inbox.left("news").length === 0; tries += 1) {
          assert.ok(tries < 100, "100 volatile broadcasts, none arrived");
          await sender.ctl("emit", { target, event: "news", args: [1] });
          await listener.ask("message-with-ack");
        }
      });

      test("broadcasts of one sender keep their order", async (t) => {
        const room = unique("room");
        const [sender, ...listeners] = await inRooms(t, [[room], [room], [room]]);
        const numbers = Array.from({ length: 200 }, (_, index) => index);
        for (const number of numbers) {
          sender.emit("ctl:emit", { target: { to: [room] }, event: "news", args: [number] }, () => {});
        }
        for (const peer of [sender, ...listeners]) {
          const news = await peer.inbox.take("news", numbers.length);
          assert.deepEqual(news.map(([number]) => number), numbers);
        }
      });

      test("a broadcast collects the acks of all", async (t) => {
        const room = unique("room");
        const [sender, ...others] = await inRooms(t, [[], [room], [room]]);
        others.forEach((peer, index) => {
          peer.socket.on("vote", (factor, ack) => ack({ index: index * factor, raw: Buffer.from([index]) }, "unused"));
        });
        const params = { target: { to: [room] }, event: "vote", args: [10], timeout: 5000 };
        const { timedOut, responses } = await sender.ctl("emitAck", params);
        assert.equal(timedOut, false);
        responses.sort((x, y) => x.index - y.index);
        assert.deepEqual(responses, [0, 10].map((index) => ({ index, raw: Buffer.from([index / 10]) })));
      });

      test("a broadcast gives the acks it has at its time-out", async (t) => {
        const room = unique("room");
        const [sender, answering] = await inRooms(t, [[], [room], [room]]);
        answering.socket.on("vote", (ack) => ack("yes"));
        const reply = await sender.ctl("emitAck", { target: { to: [room] }, event: "vote", timeout: 500 });
        assert.deepEqual(reply, { ok: true, timedOut: true, responses: ["yes"] });
      });

      test("a broadcast with acks to nobody answers at once", async (t) => {
        const sender = await open(t);
        const target = { to: [unique("nobody")] };
        const reply = await sender.ctl("emitAck", { target, event: "vote", timeout: 30_000 });
        assert.deepEqual(reply, { ok: true, timedOut: false, responses: [] });
      });

      test("sockets are fetched with rooms, data and handshake", async (t) => {
        const [room, out] = [unique("room"), unique("out")];
        const [asking, found] = await inRooms(t, [[], [room, "extra"], [room, out]]);
        await found.ctl("setData", { data: { name: "found", list: [1, null] } });
        const { sockets } = await asking.ctl("fetchSockets", { target: { to: [room], except: [out] } });
        const { id } = await found.ctl("info");
        assert.equal(sockets.length, 1);
        assert.equal(sockets[0].id, id);
        assert.deepEqual(sockets[0].rooms, [id, room, "extra"].sort());
        assert.deepEqual(sockets[0].data, { name: "found", list: [1, null] });
        const { handshake } = await found.ctl("handshake");
        const { auth, query, address, secure, url } = handshake;
        assert.deepEqual(sockets[0].handshake, { auth, query, address, secure, url });
        const all = (await asking.ctl("fetchSockets")).sockets.map((socket) => socket.id);
        assert.deepEqual(all, [...all].sort());
        assert.ok(all.includes(id) && all.includes((await asking.ctl("info")).id));
      });

      test("sockets are moved by others", async (t) => {
        const [room, next] = [unique("room"), unique("next")];
        const [mover, moved, other] = await inRooms(t, [[], [room], []]);
        const { id } = await moved.ctl("info");
        // The request is answered when it is sent: a server with several threads carries it out a little later.
        const isIn = (rooms) =>
          until(`the socket is not in ${rooms}`, async () => {
            const found = (await moved.ctl("rooms")).rooms;
            return String(found) === String(rooms.sort());
          });
        await mover.ctl("socketsJoin", { target: { to: [room] }, rooms: [next] });
        await isIn([id, room, next]);
        assert.deepEqual(await heard(mover, { to: [next] }, [moved, other]), [1, 0]);
        await mover.ctl("socketsLeave", { target: { to: [next] }, rooms: [room, next] });
        await isIn([id]);
      });

      test("sockets are disconnected by others", async (t) => {
        const room = unique("room");
        const [remover, gone, stays] = await inRooms(t, [[], [room], []]);
        const { id } = await gone.ctl("info");
        await remover.ctl("disconnectSockets", { target: { to: [room] } });
        assert.equal(await gone.next("disconnect"), "io server disconnect");
        assert.equal(await endOf(remover, id), "server namespace disconnect");
        assert.deepEqual(await stays.ask("message-with-ack", 1), [1]);
        assert.deepEqual((await remover.ctl("fetchSockets", { target: { to: [room] } })).sockets, []);
      });

      test("the plain room events of the load generator work", async (t) => {
        const room = unique("room");
        const [one, two] = await Promise.all([open(t, { nsp: "/" }), open(t, { nsp: "/" })]);
        assert.deepEqual(await one.ask("echo", "payload"), ["payload"]);
        assert.deepEqual(await one.ask("join", room), [true]);
        assert.deepEqual(await two.ask("join", room), [true]);
        one.emit("publish", room, "first");
        assert.deepEqual([await one.next("msg"), await two.next("msg")], [["first"], ["first"]]);
        assert.deepEqual(await two.ask("leave", room), [true]);
        one.emit("publish", room, "second");
        assert.deepEqual(await one.next("msg"), ["second"]);
        assert.deepEqual(await two.ask("echo", 1), [1]);
        assert.deepEqual(two.inbox.left("msg").filter(([text]) => text === "second"), []);
      });
    });
  }
});

onEveryTarget("emits to everybody", { env: { ALLOW_EIO3: "1" } }, (server) => {
  scenario(server, "everybody hears a broadcast, whatever client and transport", async (t) => {
    const peers = await Promise.all(MATRIX.map(({ client, mode }) => connect(t, server, client, mode)));
    peers[0].emit("publish-all", "to all");
    for (const peer of peers) assert.deepEqual(await peer.next("msg"), ["to all"]);
    await peers.at(-1).ctl("emit", { event: "news", args: binaryArguments() });
    for (const peer of peers) assert.deepEqual(await peer.next("news"), binaryArguments());
  });
});
