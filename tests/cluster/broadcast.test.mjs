// Who hears a broadcast that starts on another node.

import assert from "node:assert/strict";
import { alsoIn } from "../clients/node/clients.mjs";
import { unique } from "../harness/index.mjs";
import { heard, onEveryPairing, SUBSCRIPTIONS } from "./nodes.mjs";

for (const [mode, options] of SUBSCRIPTIONS) {
  onEveryPairing(`broadcasts${mode}`, options, (pairing) => {
    pairing.test("everybody hears it, on both nodes, once", async (t) => {
      const [sender, ...peers] = await pairing.ends(t, [[], []]);
      assert.deepEqual(await heard(sender, {}, [sender, ...peers]), [1, 1, 1]);
    });

    pairing.test("rooms, several rooms, and the excepted", async (t) => {
      const [a, b, c] = [unique("a"), unique("b"), unique("c")];
      const [sender, ...remote] = await pairing.ends(t, [[a], [a, b], [b, c], []]);
      const local = await pairing.inRooms(t, pairing.acting, [[a, c]]);
      const peers = [...remote, ...local];
      assert.deepEqual(await heard(sender, { to: [a] }, peers), [1, 1, 0, 0, 1]);
      assert.deepEqual(await heard(sender, { to: [a, b] }, peers), [1, 1, 1, 0, 1], "each socket once");
      assert.deepEqual(await heard(sender, { to: [a, b, a] }, peers), [1, 1, 1, 0, 1]);
      assert.deepEqual(await heard(sender, { to: [a, b], except: [c] }, peers), [1, 1, 0, 0, 0]);
      assert.deepEqual(await heard(sender, { except: [a] }, peers), [0, 0, 1, 1, 0]);
      assert.deepEqual(await heard(sender, { except: [a, c] }, peers), [0, 0, 0, 1, 0]);
      assert.deepEqual(await heard(sender, { to: [a], except: [a] }, peers), [0, 0, 0, 0, 0]);
      assert.deepEqual(await heard(sender, { to: [unique("nobody")] }, peers), [0, 0, 0, 0, 0]);
    });

    pairing.test("a socket that sends does not hear itself", async (t) => {
      const room = unique("room");
      const [sender, ...peers] = await pairing.ends(t, [[room], []]);
      await sender.ctl("join", { rooms: [room] });
      const all = [sender, ...peers];
      assert.deepEqual(await heard(sender, { from: "socket" }, all), [0, 1, 1]);
      assert.deepEqual(await heard(sender, { from: "socket", to: [room] }, all), [0, 1, 0]);
      assert.deepEqual(await heard(sender, { from: "socket", except: [room] }, all), [0, 0, 1]);
      assert.deepEqual(await heard(sender, { to: [room] }, all), [1, 1, 0]);
    });

    pairing.test("who has left a room, or is gone, hears nothing", async (t) => {
      const room = unique("room");
      const [sender, stays, leaves, goes] = await pairing.ends(t, [[room], [room], [room]]);
      assert.deepEqual(await heard(sender, { to: [room] }, [stays, leaves, goes]), [1, 1, 1]);
      await leaves.ctl("leave", { room });
      goes.close();
      assert.deepEqual(await heard(sender, { to: [room] }, [stays, leaves]), [1, 0]);
      await stays.ctl("leave", { room });
      assert.deepEqual(await heard(sender, { to: [room] }, [stays, leaves]), [0, 0], "the room is empty");
      await leaves.ctl("join", { rooms: [room] });
      assert.deepEqual(await heard(sender, { to: [room] }, [stays, leaves]), [0, 1], "and comes to life again");
    });

    pairing.test("what is local stays on its node", async (t) => {
      const room = unique("room");
      const [sender, remote] = await pairing.ends(t, [[room]]);
      const [local] = await pairing.inRooms(t, pairing.acting, [[room]]);
      assert.deepEqual(await heard(sender, { flags: { local: true } }, [sender, local, remote]), [1, 1, 0]);
      assert.deepEqual(await heard(sender, { to: [room], flags: { local: true } }, [local, remote]), [1, 0]);
    });

    pairing.test("the flag of compression changes nothing", async (t) => {
      const [sender, remote] = await pairing.ends(t);
      assert.deepEqual(await heard(sender, { flags: { compress: false } }, [sender, remote]), [1, 1]);
    });

    pairing.test("a volatile broadcast arrives while the listeners keep up", async (t) => {
      const room = unique("room");
      const [sender, remote] = await pairing.ends(t, [[room]]);
      const target = { to: [room], flags: { volatile: true } };
      let times = 0;
      for (let tries = 0; times === 0; tries += 1) {
        assert.ok(tries < 100, "100 volatile broadcasts, none arrived");
        [times] = await heard(sender, target, [remote]);
      }
      assert.equal(times, 1);
    });

    pairing.test("a private message goes to a socket of the other node by its id", async (t) => {
      const [sender, one, two] = await pairing.ends(t, [[], []]);
      const { id } = one;
      assert.deepEqual(await heard(sender, { to: [id] }, [sender, one, two]), [0, 1, 0]);
      assert.deepEqual(await heard(sender, { to: [id, two.id] }, [sender, one, two]), [0, 1, 1]);
      assert.deepEqual(await heard(sender, { except: [two.id] }, [sender, one, two]), [1, 1, 0]);
      await two.ctl("join", { rooms: [id] });
      assert.deepEqual(await heard(sender, { to: [id] }, [sender, one, two]), [0, 1, 1], "an id is a room");
      one.close();
      assert.deepEqual(await heard(sender, { to: [id] }, [sender, two]), [0, 1]);
    });

    pairing.test("broadcasts of one sender keep their order, to rooms and to all", async (t) => {
      const room = unique("room");
      const [sender, ...listeners] = await pairing.ends(t, [[room], [room]]);
      const numbers = Array.from({ length: 200 }, (_, index) => index);
      for (const number of numbers) {
        const target = number % 3 === 0 ? {} : { to: number % 3 === 1 ? [room] : [room, "another"] };
        sender.emit("ctl:emit", { target, event: "news", args: [number] }, () => {});
      }
      for (const peer of listeners) {
        const news = await peer.inbox.take("news", numbers.length);
        assert.deepEqual(news.map(([number]) => number), numbers);
      }
    });

    for (const [nsp, options] of [
      ["/custom", {}],
      ["/auth", { auth: { token: "secret" } }],
      [`/dyn-${process.pid}`, {}],
    ]) {
      pairing.test(`the namespace ${nsp.replace(/\d+/, "…")} is apart`, async (t) => {
        const room = unique("room");
        const [sender, inside, other] = await pairing.ends(t, [[room], []], { nsp, ...options });
        const outside = await pairing.open(t, pairing.listening);
        await outside.ctl("join", { rooms: [room] });
        const peers = [inside, other, outside];
        assert.deepEqual(await heard(sender, {}, peers), [1, 1, 0]);
        assert.deepEqual(await heard(sender, { to: [room] }, peers), [1, 0, 0]);
        assert.deepEqual(await heard(sender, { to: [room], nsp: "/" }, peers), [0, 0, 1]);
        assert.deepEqual(await heard(sender, { from: "socket" }, [sender, ...peers]), [0, 1, 1, 0]);
      });
    }

    pairing.test("two sockets of one client in two namespaces are two", async (t) => {
      const room = unique("room");
      const [sender, remote] = await pairing.ends(t, [[room]]);
      const twin = await alsoIn(t, remote, "/custom").connected();
      await twin.ctl("join", { rooms: [room] });
      assert.deepEqual(await heard(sender, { to: [room] }, [remote, twin]), [1, 0]);
      assert.deepEqual(await heard(sender, { to: [room], nsp: "/custom" }, [remote, twin]), [0, 1]);
    });
  });
}
