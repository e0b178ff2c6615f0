// Several nodes on one Redis, every combination of the two kinds of server, and what scenarios ask of them.

import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import { CLIENTS, connect } from "../clients/node/clients.mjs";
import { DEADLINE_MS, unique, until } from "../harness/index.mjs";
import { IS_VALKEY, Redis, urlFor } from "../harness/redis.mjs";
import { Server, targetNames } from "../harness/server.mjs";

const parser = createRequire(import.meta.url)("socket.io-msgpack-parser");

const SCENARIO_MS = 60_000;
/** The namespaces that the fixture has from the start; the cluster test of socketioxide knows only the first. */
const NAMESPACES = { ctl: ["/", "/custom", "/auth"], "oxide-adapter": ["/"] };

export class Cluster {
  /** `targets`: the kind of each node; `envs`: what only the node at that place is told. */
  constructor(targets, { env = {}, envs = [], redis = new Redis() } = {}) {
    this.redis = redis;
    this.key = env.REDIS_KEY ?? unique("key");
    this.fixture = env.FIXTURE ?? "ctl";
    this.nodes = targets.map((target, index) => {
      const SERVER_NAME = `${target}-${index}`;
      const node = new Server(target, { env: { REDIS_KEY: this.key, SERVER_NAME, ...env, ...envs[index] } });
      node.title = SERVER_NAME;
      return node;
    });
  }

  async start() {
    await this.redis.start();
    for (const node of this.nodes) node.env = { ADAPTER: "redis", REDIS_URL: urlFor(node, this.redis), ...node.env };
    await Promise.all(this.nodes.map((node) => node.start()));
    await this.complete();
  }

  channel(nsp = "/") {
    return `${this.key}#${nsp}#`;
  }

  requestChannel(nsp = "/") {
    return `${this.key}-request#${nsp}#`;
  }

  responseChannel(nsp = "/") {
    return `${this.key}-response#${nsp}#`;
  }

  /** Waits until that many nodes answer requests in the namespace. */
  joined(nsp, count = this.nodes.length, ms = DEADLINE_MS) {
    let found;
    const isJoined = async () => {
      found = await this.redis.subscribers(this.requestChannel(nsp)).catch((err) => err.message);
      return found === count;
    };
    return until(`not ${count} nodes in ${nsp}`, isJoined, ms).catch((err) => {
      throw new Error(`${err.message}: ${found}`);
    });
  }

  async complete(count, ms) {
    for (const nsp of NAMESPACES[this.fixture]) await this.joined(nsp, count, ms);
  }

  /** Every node is ended, then the first failure is told. */
  async stop() {
    const ends = await Promise.allSettled(this.nodes.map((node) => node.stop()));
    await this.redis.stop();
    const failure = ends.find(({ status }) => status === "rejected");
    if (failure) throw failure.reason;
  }

  log() {
    return this.nodes.map((node) => (node.port ? node.log() : "")).join("\n");
  }

  /** A client of one node; by default the newest, over websocket. */
  open(t, node, { client = CLIENTS[0], mode = "websocket", ...options } = {}) {
    return connect(t, node, client, mode, { ...(node.env.PARSER === "msgpack" && { parser }), ...options });
  }

  /** One scenario; when it fails, the ends of the nodes' logs come with the error. */
  test(title, run) {
    it(title, { timeout: SCENARIO_MS }, async (t) => {
      try {
        await run(t);
      } catch (err) {
        err.message += `\n${this.log()}`;
        throw err;
      }
    });
  }
}

/** Two nodes of a cluster: operations start at the one, and their effect is seen at the other. */
export class Pairing {
  constructor(cluster, acting, listening) {
    this.cluster = cluster;
    this.acting = cluster.nodes[acting];
    this.listening = cluster.nodes[listening];
  }

  test(title, run) {
    this.cluster.test(title, run);
  }

  open(t, node, options) {
    return this.cluster.open(t, node, options);
  }

  /** Clients with rooms of their own: `await inRooms(t, node, [["a"], ["a", "b"], []])`. */
  inRooms(t, node, lists, options) {
    return Promise.all(
      lists.map(async (rooms) => {
        const peer = await this.open(t, node, options);
        if (rooms.length > 0) await peer.ctl("join", { rooms });
        return peer;
      }),
    );
  }

  /**
   * With exact subscriptions, a room is heard when Redis knows of it: a join says so by its ack, but the room of the id
   * is there before anybody could say anything.
   */
  async subscribed(peer, node, nsp = "/") {
    if (node.isReference || node.env.REDIS_SUBSCRIPTION !== "exact") return;
    const { cluster } = this;
    await until("no subscription of the id", () => cluster.redis.subscribers(`${cluster.channel(nsp)}${peer.id}#`));
  }

  /** One client at the acting node and one for each list of rooms at the listening one. */
  async ends(t, lists = [[]], options) {
    const [sender] = await this.inRooms(t, this.acting, [[]], options);
    const peers = await this.inRooms(t, this.listening, lists, options);
    if (options?.nsp) await this.cluster.joined(options.nsp);
    await Promise.all(peers.map((peer) => this.subscribed(peer, this.listening, options?.nsp)));
    return [sender, ...peers];
  }
}

/** Both ways to subscribe: options and the end of a title. The original knows only the first. */
export const SUBSCRIPTIONS = [
  ["", {}],
  // With one worker, which has the pub/sub connections too.
  [", exact subscriptions", { env: { REDIS_SUBSCRIPTION: "exact", WORKERS: "1" }, only: (...kinds) => kinds.includes("subject") }],
];

/** Resolves when every peer has heard a broadcast that the node of `sender` sends now, so all that it sent before. */
export async function caughtUp(sender, peers) {
  const mark = unique("mark");
  for (const nsp of new Set(peers.map((peer) => peer.socket.nsp))) {
    await sender.ctl("emit", { target: { nsp }, event: "more", args: [mark] });
  }
  await Promise.all(
    peers.map(async (peer) => {
      while ((await peer.next("more"))[0] !== mark);
    }),
  );
}

/** Emits to the target and gives how often each of the peers has heard it. */
export async function heard(sender, target, peers) {
  const mark = unique("mark");
  await sender.ctl("emit", { target, event: "news", args: [mark] });
  await caughtUp(sender, peers);
  return timesHeard(peers, mark);
}

export function timesHeard(peers, mark) {
  return peers.map((peer) => peer.inbox.left("news").filter(([value]) => value === mark).length);
}

/** Waits until the socket is in exactly these rooms besides its own. */
export function isIn(peer, rooms) {
  const wanted = JSON.stringify([peer.id, ...rooms].sort());
  return until(`${peer.id} is not in ${wanted}`, async () => {
    const { rooms: found } = await peer.ctl("rooms");
    return JSON.stringify(found) === wanted;
  });
}

/**
 * Asks until these are the sockets, with the ids in order: a client of the scenario before may have closed its side a
 * moment before the server knows.
 */
export async function finds(asking, target, ids) {
  let found;
  const isSame = async () => {
    const [reply] = await asking.ask("ctl:fetchSockets", { target });
    found = reply.ok ? reply.sockets.map(({ id }) => id) : reply;
    return JSON.stringify(found) === JSON.stringify([...ids].sort());
  };
  await until(`sockets ${ids}`, isSame).catch((err) => {
    throw new Error(`${err.message}, found ${JSON.stringify(found)}`);
  });
}

/**
 * Runs `define(pairing)` for every two kinds of server, in both directions; two different ones share their cluster.
 * `bothWays`: two of a kind too, since the nodes are not told the same.
 */
export function onEveryPairing(title, { bothWays = false, only = () => true, ...options }, define) {
  const targets = targetNames();
  for (const [index, first] of targets.entries()) {
    for (const second of targets.slice(index)) {
      if (!only(first, second)) continue;
      onNodes(`${first} with ${second}: ${title}`, [first, second], options, (cluster) => {
        describe(`${first} to ${second}`, { concurrency: 1 }, () => define(new Pairing(cluster, 0, 1)));
        if (first === second && !bothWays) return;
        describe(`${second} to ${first}`, { concurrency: 1 }, () => define(new Pairing(cluster, 1, 0)));
      });
    }
  }
}

/** Runs `define(cluster)` with nodes of these kinds, if all of them are wanted. On Valkey it is ours that is tried. */
export function onNodes(title, targets, { redis = () => new Redis(), ...options }, define) {
  if (!targets.every((target) => targetNames().includes(target))) return;
  if (IS_VALKEY && !targets.includes("subject")) return;
  describe(title, { concurrency: 1 }, () => {
    const cluster = new Cluster(targets, { ...options, redis: redis() });
    before(() => cluster.start());
    after(() => cluster.stop());
    define(cluster);
  });
}
