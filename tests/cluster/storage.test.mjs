// Membership as SETs in Redis, in the form of the seed; the original stores nothing.

import assert from "node:assert/strict";
import { alsoIn } from "../clients/node/clients.mjs";
import { unique, until } from "../harness/index.mjs";
import { onNodes } from "./nodes.mjs";

const [R, S] = ["reference", "subject"];
const LEASE_MS = 2_000;
/** A node that is gone is noticed when its lease ends, and cleared up soon after. */
const REAPED_MS = 3 * LEASE_MS;
const env = { REDIS_LEASE: String(LEASE_MS) };

/** Keys that nobody but their owners may touch, some of them nearly ours. */
const FOREIGN = (key) => [key, `${key}x#room`, `x${key}#room`, `${key}-foreign`, `${key}-request#/#`, "other"];

/** Every SET of membership, as an object: what follows the prefix, and the members. */
async function stored({ redis, key }) {
  const names = [...(await redis.keys(`${key}#`)), ...(await redis.keys(`${key}/`))];
  const entry = async (name) => [name.slice(key.length), await redis.members(name)];
  return Object.fromEntries(await Promise.all(names.map(entry)));
}

/** Waits until exactly these SETs are there. */
async function holds(cluster, expected, ms) {
  const sorted = Object.fromEntries(Object.entries(expected).map(([name, members]) => [name, [...members].sort()]));
  let found;
  const isSame = async () => {
    found = await stored(cluster);
    try {
      assert.deepEqual(found, sorted);
      return true;
    } catch {
      return false;
    }
  };
  await until("", isSame, ms).catch(() => assert.deepEqual(found, sorted));
}

async function plantForeign({ redis, key }) {
  for (const name of FOREIGN(key)) await redis.command("SADD", name, "mine");
}

async function foreignIsWhole({ redis, key }) {
  for (const name of FOREIGN(key)) {
    assert.deepEqual(await redis.members(name), ["mine"], name);
    await redis.command("DEL", name);
  }
}

/** What is left of a prefix when nobody is there. */
const nothing = (cluster) => until("keys are left", async () => (await cluster.redis.keys(cluster.key)).length === 0);

for (const kinds of [[S], [S, S], [S, R]]) {
  onNodes(`${kinds.join(" with ")}: storage`, kinds, { env }, (cluster) => {
    const [first] = cluster.nodes;
    const last = cluster.nodes.at(-1);
    const { redis } = cluster;
    const open = (t, node = first, options) => cluster.open(t, node, options);

    cluster.test("connect, join, leave, disconnect", async (t) => {
      const one = await open(t);
      await holds(cluster, { [`#${one.id}`]: [one.id] });
      await one.ctl("join", { rooms: ["a", "b"] });
      await holds(cluster, { [`#${one.id}`]: [one.id, "a", "b"], "#a": [one.id], "#b": [one.id] });
      const two = await open(t);
      await two.ctl("join", { rooms: ["b"] });
      await holds(cluster, {
        [`#${one.id}`]: [one.id, "a", "b"],
        [`#${two.id}`]: [two.id, "b"],
        "#a": [one.id],
        "#b": [one.id, two.id],
      });
      await one.ctl("leave", { room: "b" });
      const kept = { [`#${one.id}`]: [one.id, "a"], "#a": [one.id] };
      await holds(cluster, { ...kept, [`#${two.id}`]: [two.id, "b"], "#b": [two.id] });
      two.close();
      await holds(cluster, kept);
      await one.ctl("disconnectSelf");
      await holds(cluster, {});
    });

    cluster.test("other namespaces have keys of their own", async (t) => {
      const peer = await open(t);
      const twin = await alsoIn(t, peer, "/custom").connected();
      const nsp = `/dyn-${process.pid}`;
      const third = await alsoIn(t, peer, nsp).connected();
      for (const each of [peer, twin, third]) await each.ctl("join", { rooms: ["room"] });
      const main = { [`#${peer.id}`]: [peer.id, "room"], "#room": [peer.id] };
      const custom = { [`/custom#${twin.id}`]: [twin.id, "room"], "/custom#room": [twin.id] };
      const dynamic = { [`${nsp}#${third.id}`]: [third.id, "room"], [`${nsp}#room`]: [third.id] };
      await holds(cluster, { ...main, ...custom, ...dynamic });
      twin.socket.disconnect();
      await holds(cluster, { ...main, ...dynamic });
      peer.close();
      await holds(cluster, {});
    });

    cluster.test("moves by others are stored too", async (t) => {
      const peer = await open(t);
      const mover = await open(t, last);
      await mover.ctl("socketsJoin", { target: { to: [peer.id] }, rooms: ["a", "b"] });
      const isThere = async (name, members) =>
        until(`${name} is not ${members}`, async () => {
          return JSON.stringify(await redis.members(`${cluster.key}#${name}`)) === JSON.stringify([...members].sort());
        });
      await isThere(peer.id, [peer.id, "a", "b"]);
      await mover.ctl("socketsLeave", { target: { to: [peer.id] }, rooms: ["b"] });
      await isThere(peer.id, [peer.id, "a"]);
      await isThere("b", []);
      await mover.ctl("disconnectSockets", { target: { to: [peer.id] } });
      await isThere("a", []);
    });

    cluster.test("odd names of rooms", async (t) => {
      const peer = await open(t);
      const rooms = ["#", "a#b", "/custom", "*", "{tag}", "-nodes", "😀", "line\nbreak"];
      await peer.ctl("join", { rooms });
      await holds(cluster, {
        [`#${peer.id}`]: [peer.id, ...rooms],
        ...Object.fromEntries(rooms.map((room) => [`#${room}`, [peer.id]])),
      });
      peer.close();
      await holds(cluster, {});
    });

    cluster.test("a foreign join to the room of an id leaves the socket's own SET alone", async (t) => {
      const peer = await open(t);
      await peer.ctl("join", { rooms: ["room"] });
      const guest = await open(t, last);
      await guest.ctl("join", { rooms: [peer.id] });
      const own = { [`#${peer.id}`]: [peer.id, "room"], "#room": [peer.id] };
      const guests = last.target === S ? { [`#${guest.id}`]: [guest.id, peer.id] } : {};
      await holds(cluster, { ...own, ...guests });
      guest.close();
      await holds(cluster, own);
    });

    cluster.test("everything is true again after a flush", async (t) => {
      const peer = await open(t);
      await peer.ctl("join", { rooms: ["a", "b"] });
      const truth = { [`#${peer.id}`]: [peer.id, "a", "b"], "#a": [peer.id], "#b": [peer.id] };
      await holds(cluster, truth);
      await redis.command("FLUSHALL");
      await holds(cluster, truth, REAPED_MS);
    });

    cluster.test("everything is true after Redis was away and empty", async (t) => {
      const peer = await open(t);
      const goes = await open(t);
      for (const each of [peer, goes]) await each.ctl("join", { rooms: ["a", "b"] });
      await holds(cluster, {
        [`#${peer.id}`]: [peer.id, "a", "b"],
        [`#${goes.id}`]: [goes.id, "a", "b"],
        "#a": [peer.id, goes.id],
        "#b": [peer.id, goes.id],
      });
      await redis.crash();
      const comes = await open(t);
      await comes.ctl("join", { rooms: ["c"] });
      await peer.ctl("leave", { room: "b" });
      goes.close();
      await redis.start();
      await holds(
        cluster,
        { [`#${peer.id}`]: [peer.id, "a"], "#a": [peer.id], [`#${comes.id}`]: [comes.id, "c"], "#c": [comes.id] },
        REAPED_MS,
      );
      await cluster.complete();
    });

    cluster.test("everything is true after Redis had no memory", async (t) => {
      await redis.command("CONFIG", "SET", "maxmemory", 1);
      const peer = await open(t);
      await peer.ctl("join", { rooms: ["a"] });
      assert.deepEqual(await peer.ask("message-with-ack", 1), [1]);
      await redis.command("CONFIG", "SET", "maxmemory", 0);
      await holds(cluster, { [`#${peer.id}`]: [peer.id, "a"], "#a": [peer.id] }, REAPED_MS);
    });

    cluster.test("keys of others stay as they are", async (t) => {
      await plantForeign(cluster);
      await redis.command("SADD", `${cluster.key}#room`, "of somebody");
      const peer = await open(t);
      await peer.ctl("join", { rooms: ["room"] });
      await holds(cluster, { [`#${peer.id}`]: [peer.id, "room"], "#room": [peer.id, "of somebody"] });
      peer.close();
      await holds(cluster, { "#room": ["of somebody"] });
      await redis.command("DEL", `${cluster.key}#room`);
      await foreignIsWhole(cluster);
    });
  });
}

for (const kinds of [[S, S], [S, R]]) {
  onNodes(`${kinds.join(" beside ")}: storage of a node that ends`, kinds, { env }, (cluster) => {
    const [first, second] = cluster.nodes;
    const { redis } = cluster;

    /** A peer on each node in the same room, and what is stored of them. */
    async function peers(t) {
      const pair = await Promise.all(cluster.nodes.map((node) => cluster.open(t, node)));
      for (const peer of pair) await peer.ctl("join", { rooms: ["room", unique("own")] });
      const of = pair.filter((_, index) => cluster.nodes[index].target === S);
      await until("not all is stored", async () => (await redis.members(`${cluster.key}#room`)).length === of.length);
      return pair;
    }

    const survives = second.target === S;
    const rest = async (peer) => {
      if (!survives) return {};
      const { rooms } = await peer.ctl("rooms");
      return Object.fromEntries(rooms.map((room) => [`#${room}`, room === peer.id ? rooms : [peer.id]]));
    };

    cluster.test("SIGTERM takes its entries with it, and no others", async (t) => {
      const [, stays] = await peers(t);
      await plantForeign(cluster);
      const { port } = first;
      await first.stop();
      // No lease has to end for that.
      await holds(cluster, await rest(stays), LEASE_MS / 2);
      await foreignIsWhole(cluster);
      await first.start(port);
      await cluster.complete();
    });

    if (survives) {
      cluster.test("after kill -9 another node clears up within the lease", async (t) => {
        const [, stays] = await peers(t);
        await plantForeign(cluster);
        const { port } = first;
        await first.crash();
        await holds(cluster, await rest(stays), REAPED_MS);
        await foreignIsWhole(cluster);
        await first.start(port);
        await cluster.complete();
        const again = await cluster.open(t, first);
        await again.ctl("join", { rooms: ["room"] });
        const all = await rest(stays);
        all["#room"] = [...all["#room"], again.id];
        await holds(cluster, { ...all, [`#${again.id}`]: [again.id, "room"] });
      });

      cluster.test("a node that froze for longer than its lease writes its truth again", async (t) => {
        const pair = await peers(t);
        const whole = Object.assign({}, ...(await Promise.all(pair.map(rest))), { "#room": pair.map(({ id }) => id) });
        await holds(cluster, whole);
        const other = await rest(pair[1]);
        t.after(() => first.kill("SIGCONT"));
        await first.freeze();
        await holds(cluster, other, REAPED_MS);
        first.kill("SIGCONT");
        await holds(cluster, whole, REAPED_MS);
      });
    }

    cluster.test("what a node left behind is cleared up by the next that starts", async (t) => {
      await peers(t);
      const ports = cluster.nodes.map(({ port }) => port);
      for (const node of cluster.nodes) await node.crash();
      assert.notDeepEqual(await stored(cluster), {});
      await Promise.all(cluster.nodes.map((node, index) => node.start(ports[index])));
      await cluster.complete();
      await holds(cluster, {}, REAPED_MS);
    });

    cluster.test("when the last has gone nothing is left", async (t) => {
      await peers(t);
      const ports = cluster.nodes.map(({ port }) => port);
      await Promise.all(cluster.nodes.map((node) => node.stop()));
      await nothing(cluster);
      await Promise.all(cluster.nodes.map((node, index) => node.start(ports[index])));
    });
  });
}
