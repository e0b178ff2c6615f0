// The HTTP API of a node, for clients of others: of the original, and of our own.

import assert from "node:assert/strict";
import { unique, until } from "../harness/index.mjs";
import { isIn, onNodes } from "./nodes.mjs";

const [R, S] = ["reference", "subject"];
const API_KEY = unique("a-key-for-the-tests");
const env = { REQUESTS_TIMEOUT: "1500", API_KEY };

onNodes(`${S}, ${R}, ${S}: the HTTP API`, [S, R, S], { env }, (cluster) => {
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${API_KEY}`, ...(body && { "content-type": "application/json" }) };
    const url = `${cluster.nodes[0].url}/api/v1${path}`;
    const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  };
  const get = (path) => call("GET", path);
  const post = (path, body) => call("POST", path, body);

  /** A client of each node, all in a room of their own. */
  async function open(t) {
    const room = unique("room");
    const peers = await Promise.all(cluster.nodes.map((node) => cluster.open(t, node)));
    for (const peer of peers) await peer.ctl("join", { rooms: [room] });
    await until("not all have joined", async () => (await get(`/sockets?room=${room}`)).total === peers.length);
    return { room, peers, ids: peers.map(({ id }) => id).sort() };
  }

  cluster.test("an event with binary reaches the clients of all nodes", async (t) => {
    const { room, peers } = await open(t);
    const command = { rooms: [room], event: "news", args: [1, { $binary: "AQID" }] };
    assert.deepEqual(await post("/emit", command), { complete: true });
    for (const peer of peers) {
      const [number, bytes] = await peer.next("news");
      assert.deepEqual([number, [...bytes]], [1, [1, 2, 3]]);
    }
  });

  cluster.test("clients of all nodes answer, who does not is counted", async (t) => {
    const { room, peers, ids } = await open(t);
    for (const peer of peers) peer.socket.on("who", (ack) => ack(peer.id));
    const all = await post("/emit-with-ack", { rooms: [room], event: "who", timeout_ms: 10_000 });
    assert.deepEqual(all.answers.map(([id]) => id).sort(), ids);
    assert.equal(all.complete, true);
    peers[1].socket.off("who");
    const some = await post("/emit-with-ack", { rooms: [room], event: "who", timeout_ms: 1000 });
    assert.deepEqual([some.answers.length, some.missing, some.complete], [2, 1, false]);
  });

  cluster.test("sockets of all nodes are found", async (t) => {
    const { room, ids } = await open(t);
    const { rooms, complete } = await get(`/rooms?prefix=${room}`);
    assert.deepEqual([rooms, complete], [[{ name: room, sockets: ids.length }], true]);
    const { sockets } = await get(`/sockets?room=${room}`);
    assert.deepEqual(sockets.map(({ id }) => id), ids);
    for (const id of ids) assert.ok((await get(`/sockets/${encodeURIComponent(id)}`)).rooms.includes(room));
  });

  cluster.test("sockets of all nodes join, leave and go", async (t) => {
    const { room, peers } = await open(t);
    const user = unique("user");
    await post("/join", { rooms: [room], join: [`user:${user}`] });
    for (const peer of peers) await isIn(peer, [room, `user:${user}`]);
    assert.deepEqual((await get(`/presence?user=${user}`)).users, [{ user, online: true, sockets: peers.length }]);
    await post("/leave", { users: [user], leave: [room] });
    for (const peer of peers) await isIn(peer, [`user:${user}`]);
    await post("/disconnect", { users: [user] });
    for (const peer of peers) assert.equal(await peer.next("disconnect"), "io server disconnect");
  });

  cluster.test("our own nodes tell their load, the original is counted", async () => {
    const { nodes, others, complete } = await get("/nodes");
    assert.deepEqual([nodes.length, others, complete], [2, 1, true]);
  });

  cluster.test("the handlers of all servers answer", async (t) => {
    const { peers } = await open(t);
    const mark = unique("mark");
    const reply = await post("/server-side-emit", { event: "sse:echo", args: [mark], ack: true });
    assert.deepEqual(
      reply.answers.map(({ name, args }) => ({ name, args })).sort((a, b) => (a.name < b.name ? -1 : 1)),
      cluster.nodes.map(({ title }) => ({ name: title, args: [mark] })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
    for (const peer of peers) {
      const { entries } = await peer.ctl("journal", { type: "serverSide" });
      assert.equal(entries.filter(({ args }) => args[0] === mark).length, 1);
    }
  });
});
