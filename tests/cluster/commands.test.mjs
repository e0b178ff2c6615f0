// What `greenroom rooms` and `greenroom sockets` find where a server of the original is one of the cluster.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { unique, until } from "../harness/index.mjs";
import { commandOf, ROOT } from "../harness/server.mjs";
import { isIn, onNodes } from "./nodes.mjs";

const [R, S] = ["reference", "subject"];
const LONGEST_MS = 20_000;

onNodes(`${S} and ${R}: the commands that ask`, [S, R], {}, (cluster) => {
  /** What a command prints, in words. Whoever is silent would be complained about. */
  async function greenroom(command, ...words) {
    const options = ["--set", `redis.key=${cluster.key}`, "--redis", cluster.redis.url];
    const line = `exec ${commandOf("program")} "$@"`;
    const { PATH, PROGRAM } = process.env;
    const where = { cwd: ROOT, env: { PATH, ...(PROGRAM && { PROGRAM }) }, timeout: LONGEST_MS };
    const { stdout, stderr } = await promisify(execFile)("sh", ["-c", line, "sh", command, ...options, ...words], where);
    assert.equal(stderr, "");
    return stdout;
  }

  const json = async (...words) => JSON.parse(await greenroom(...words, "--json"));

  /** A client of each node, both in one room, and each in one of its own. */
  async function open(t, nsp = "/") {
    const shared = unique("shared");
    const peers = await Promise.all(cluster.nodes.map((node) => cluster.open(t, node, { nsp })));
    const own = peers.map(() => unique("own"));
    for (const [n, peer] of peers.entries()) {
      await peer.ctl("join", { rooms: [shared, own[n]] });
      await isIn(peer, [shared, own[n]].sort());
    }
    return { peers, shared, own };
  }

  cluster.test("rooms of both servers are listed", async (t) => {
    const { peers, shared, own } = await open(t);
    const wanted = [shared, ...own, ...peers.map(({ id }) => id)];
    const { rooms, silent } = await json("rooms");
    assert.equal(silent, 0);
    assert.deepEqual(wanted.filter((room) => !rooms.includes(room)), []);
    assert.equal(rooms.filter((room) => room === shared).length, 1, "once, though two servers have it");
    assert.deepEqual((await greenroom("rooms")).trimEnd().split("\n"), rooms);
  });

  cluster.test("sockets of both servers are found, each with its rooms and its handshake", async (t) => {
    const { peers, shared, own } = await open(t);
    const { sockets, silent } = await json("sockets", shared);
    assert.equal(silent, 0);
    assert.deepEqual(sockets.map(({ id }) => id).sort(), peers.map(({ id }) => id).sort());
    for (const [n, peer] of peers.entries()) {
      const { rooms, handshake } = sockets.find(({ id }) => id === peer.id);
      assert.deepEqual([...rooms].sort(), [peer.id, shared, own[n]].sort());
      assert.equal(handshake.query.transport, "websocket");
      // One id in 64 begins with a hyphen.
      const line = await greenroom("sockets", "--", peer.id);
      const [id, others] = line.trimEnd().split("\t");
      assert.deepEqual([id, others.split(" ").sort()], [peer.id, [shared, own[n]].sort()]);
    }
  });

  cluster.test("other namespaces are other lists", async (t) => {
    const { peers, shared } = await open(t, "/custom");
    const ids = peers.map(({ id }) => id).sort();
    const of = async (...words) => (await json("sockets", shared, ...words)).sockets.map(({ id }) => id).sort();
    assert.deepEqual(await of("--nsp", "/custom"), ids);
    assert.deepEqual(await of(), []);
  });

  cluster.test("who has gone is found no more", async (t) => {
    const { peers, shared } = await open(t);
    for (const peer of peers) peer.close();
    await until("somebody is still there", async () => (await json("sockets", shared)).sockets.length === 0);
  });
});
