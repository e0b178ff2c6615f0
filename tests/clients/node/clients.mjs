// The Socket.IO clients of the registry behind one face, so that one scenario is written once for all of them.

import { createRequire } from "node:module";
import { Inbox, until, within } from "../../harness/index.mjs";

const require = createRequire(import.meta.url);
const lookup = (name) => {
  const exported = require(name);
  const { version } = require(`${name}/package.json`);
  const major = Number(version.split(".")[0]);
  // Clients 1 and 2 are themselves the function that others export as `io`.
  return { name: `socket.io-client ${version}`, major, protocol: major >= 3 ? 4 : 3, io: exported.io ?? exported };
};

export const CLIENTS = ["socket.io-client", "socket.io-client-3", "socket.io-client-2", "socket.io-client-1"].map(lookup);

export const TRANSPORTS = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};

/** Every client with every way to connect. */
export const MATRIX = CLIENTS.flatMap((client) =>
  Object.keys(TRANSPORTS).map((mode) => ({ client, mode, title: `${client.name} over ${mode}` })),
);

/** Events that scenarios wait for; each socket collects all of them from its first moment. */
const EVENTS = ["auth", "message-back", "emit-with-ack", "news", "more", "msg"];

/** One socket of one client, and what it has heard. */
export class Peer {
  constructor(client, socket, mode) {
    Object.assign(this, { client, socket, mode });
    this.inbox = new Inbox();
    for (const name of EVENTS) socket.on(name, (...args) => this.inbox.put(name, args));
    socket.on("connect", () => this.inbox.put("connect"));
    socket.on("disconnect", (reason) => this.inbox.put("disconnect", reason));
    // Clients 1 and 2 report a refusal by a namespace as "error", the others as "connect_error".
    socket.on("connect_error", (err) => this.inbox.put("refused", err));
    if (client.major < 3) socket.on("error", (err) => this.inbox.put("refused", err));
  }

  get id() {
    return this.socket.id;
  }

  get engine() {
    return this.socket.io.engine;
  }

  get transport() {
    return this.engine.transport.name;
  }

  next(name) {
    return this.inbox.next(name);
  }

  emit(...args) {
    this.socket.emit(...args);
  }

  /** Emits with an ack request and resolves with the arguments of the answer. */
  ask(...args) {
    const answer = new Promise((resolve) => this.socket.emit(...args, (...answers) => resolve(answers)));
    return within(answer, () => `no ack of ${String(args[0])}`);
  }

  /** A control event; anything but `ok: true` is an error. */
  async ctl(op, params = {}) {
    const [reply] = await this.ask(`ctl:${op}`, params);
    if (reply.ok !== true) throw new Error(`ctl:${op}: ${JSON.stringify(reply)}`);
    return reply;
  }

  /** Resolves when the socket is connected and, where it upgrades, the upgrade is done. */
  async connected() {
    const [name, err] = await this.inbox.first(["connect", "refused"]);
    if (name === "refused") throw new Error(`refused: ${err?.message ?? JSON.stringify(err)}`);
    if (this.mode === "upgrade") await this.upgraded();
    return this;
  }

  upgraded() {
    return until("no upgrade", () => this.engine?.transport.name === "websocket" && !this.engine.upgrading);
  }

  close() {
    this.socket.disconnect();
    this.socket.io.engine?.close();
  }
}

/** Starts a socket that the end of the test closes. It may be refused. */
export function attempt(t, server, client, mode, { nsp = "/", ...options } = {}) {
  const socket = client.io(server.url + nsp, {
    path: server.path,
    transports: TRANSPORTS[mode],
    forceNew: true,
    reconnection: false,
    ...options,
  });
  const peer = new Peer(client, socket, mode);
  t.after(() => peer.close());
  return peer;
}

export function connect(t, server, client, mode, options) {
  return attempt(t, server, client, mode, options).connected();
}

/** Another namespace over the same connection. */
export function alsoIn(t, peer, nsp) {
  const other = new Peer(peer.client, peer.socket.io.socket(nsp), peer.mode);
  t.after(() => other.socket.disconnect());
  return other;
}

/** Waits until the journal has what `isWanted` describes about a socket. */
export function journalled(observer, id, isWanted) {
  return until(`no such journal entry of ${id}`, async () => {
    const { entries } = await observer.ctl("journal", { id });
    return entries.find(isWanted);
  });
}

/** Waits for the end of a socket and gives the server's reason. */
export async function endOf(observer, id) {
  return (await journalled(observer, id, (entry) => entry.type === "disconnect")).reason;
}
