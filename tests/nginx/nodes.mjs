// Two nodes behind one nginx, and what their clients are asked.

import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, describe, it } from "node:test";
import { attempt, CLIENTS, TRANSPORTS } from "../clients/node/clients.mjs";
import { Server, targetNames } from "../harness/server.mjs";
import { Nginx } from "./nginx.mjs";

/** The newest client, and the newest of the ones before Engine.IO 4. */
const TESTED = CLIENTS.filter(({ major }) => major === 4 || major === 2);
export const WAYS = TESTED.flatMap((client) => Object.keys(TRANSPORTS).map((mode) => ({ client, mode })));

/** What Greenroom writes about requests that should have gone to another node. */
export const STRAY = "sessions of another node";

const MAX_PAYLOAD = 1_000_000;
const SCENARIO_MS = 120_000;

/** The nodes `a` and `b`, and nginx in front of them. */
export class Cluster {
  nodes = {};

  constructor(target, options) {
    Object.assign(this, { target, options });
  }

  async start() {
    await Promise.all(["a", "b"].map((name) => this.startNode(name)));
    this.nginx = await new Nginx({ a: this.nodes.a.port, b: this.nodes.b.port }, this.options).start();
  }

  /** A node that was there before comes back on its port. */
  async startNode(name) {
    const env = {
      SERVER_NAME: name,
      SID_PREFIX: `${name}.`,
      ALLOW_EIO3: "1",
      MAX_PAYLOAD: String(MAX_PAYLOAD),
      RUST_LOG: "warn",
    };
    const node = new Server(this.target, { env });
    await node.start(this.nodes[name]?.port);
    this.nodes[name] = node;
  }

  async stop() {
    await this.nginx?.stop();
    for (const node of Object.values(this.nodes)) if (node.status === undefined) await node.stop();
  }

  log() {
    return [...Object.values(this.nodes), this.nginx].map((part) => part?.log()).join("\n");
  }

  /** What the nodes have written about strays. */
  strays(name) {
    return this.nodes[name].lines().filter((line) => line.includes(STRAY));
  }

  /** A client that comes back when it has lost its node. */
  attempt(t, { client, mode }, options) {
    const persistent = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 200 };
    return attempt(t, this.nginx, client, mode, { ...persistent, ...options });
  }

  connect(t, way, options) {
    return this.attempt(t, way, options).connected();
  }

  /** A session of a bare client: its id. */
  async handshake() {
    const answer = await fetch(this.nginx.engine());
    assert.equal(answer.status, 200);
    return JSON.parse((await answer.text()).slice(1)).sid;
  }
}

/** Runs `define(cluster, scenario)` once per target. */
export function onEveryCluster(title, options, define) {
  for (const target of targetNames()) {
    describe(`${target}: ${title}`, { concurrency: 1 }, () => {
      const cluster = new Cluster(target, options);
      before(() => cluster.start());
      after(() => cluster.stop());
      define(cluster, (name, run) =>
        it(name, { timeout: SCENARIO_MS }, async (t) => {
          try {
            await run(t);
          } catch (err) {
            err.message += `\n${cluster.log()}`;
            throw err;
          }
        }),
      );
    });
  }
}

/** The name of the node that a client is on. It answers, so the client works. */
export async function nodeOf(peer) {
  const mark = { text: "€", bytes: Buffer.from([1, 2, 3]) };
  assert.deepEqual(await peer.ask("message-with-ack", mark), [mark]);
  return (await peer.ctl("info")).name;
}

/** Clients by the node that they are on. */
export async function byNode(peers) {
  const found = { a: [], b: [] };
  for (const [n, name] of (await Promise.all(peers.map(nodeOf))).entries()) found[name].push(peers[n]);
  return found;
}

/** Requests from another address of this machine. */
export const from = (localAddress) => ({ agent: new Agent({ localAddress, keepAlive: true }) });

export { MAX_PAYLOAD };
