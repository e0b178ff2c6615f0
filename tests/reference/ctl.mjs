// Conformance and control events: a test client instructs its server with events `ctl:<op>`.

import { createRequire } from "node:module";
import { clusterOperations, hearServers } from "./cluster.mjs";

const { version } = createRequire(import.meta.url)("socket.io/package.json");

const JOURNAL_LIMIT = 10000;
const sorted = (rooms) => [...rooms].sort();

export function ctl(io, { name }) {
  const journal = createJournal();
  const context = { io, name, journal };
  const serve = (socket) => {
    journal.add({ type: "connect", nsp: socket.nsp.name, id: socket.id });
    socket.on("disconnect", (reason) => {
      journal.add({ type: "disconnect", nsp: socket.nsp.name, id: socket.id, reason });
    });
    socket.emit("auth", socket.handshake.auth);
    conformance(socket);
    for (const [op, run] of Object.entries(operations)) {
      socket.on(`ctl:${op}`, (...args) => answer(() => run(socket, paramsOf(args), context), ackOf(args)));
    }
  };

  for (const nsp of ["/", "/custom", "/auth"]) hearServers(io.of(nsp), context);
  io.of("/").on("connection", (socket) => {
    serve(socket);
    load(socket, io);
  });
  io.of("/custom").on("connection", serve);
  io.of(/^\/dyn-\w+$/).on("connection", serve);
  io.of("/auth")
    .use((socket, next) => {
      const { auth, query } = socket.handshake;
      if (auth.token === "secret" || query.token === "secret") return next();
      next(Object.assign(new Error("unauthorized"), { data: { code: "E_AUTH" } }));
    })
    .on("connection", serve);
}

function createJournal() {
  let entries = [];
  return {
    add(entry) {
      entries.push(entry);
      if (entries.length > JOURNAL_LIMIT) entries.shift();
    },
    read({ type, id, clear }) {
      const found = entries.filter((entry) => (!type || entry.type === type) && (!id || entry.id === id));
      if (clear) entries = [];
      return found;
    },
  };
}

function paramsOf(args) {
  return typeof args[0] === "function" ? {} : args[0];
}

function ackOf(args) {
  return typeof args.at(-1) === "function" ? args.at(-1) : () => {};
}

/** Acknowledges at once where the operation is done at once, so that acks keep their place among the emits. */
function answer(run, ack) {
  const refuse = (err) => ack({ ok: false, error: err.message });
  try {
    const result = run();
    if (result instanceof Promise) result.then((fields) => ack({ ok: true, ...fields }), refuse);
    else ack({ ok: true, ...result });
  } catch (err) {
    refuse(err);
  }
}

function conformance(socket) {
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  socket.on("message-with-ack", (...args) => {
    if (typeof args.at(-1) === "function") args.pop()(...args);
  });
  socket.on("emit-with-ack", (...args) => {
    socket.emit("emit-with-ack", ...args, (...answers) => socket.emit("emit-with-ack", ...answers));
  });
}

function load(socket, io) {
  socket.on("echo", (payload, ack) => ack(payload));
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack(true);
  });
  socket.on("leave", (room, ack) => {
    socket.leave(room);
    ack(true);
  });
  socket.on("publish", (room, payload) => io.to(room).emit("msg", payload));
  socket.on("publish-all", (payload) => io.emit("msg", payload));
}

/** The namespace or broadcast operator that a `target` object describes. */
function addressed(socket, { from, nsp, to = [], except = [], flags = {} } = {}, io) {
  let operator = from === "socket" ? socket.broadcast : io.of(nsp ?? socket.nsp.name).in([]);
  if (to.length > 0) operator = operator.to(to);
  if (except.length > 0) operator = operator.except(except);
  if (flags.local) operator = operator.local;
  if (flags.volatile) operator = operator.volatile;
  if (flags.compress === false) operator = operator.compress(false);
  return operator;
}

function flagged(socket, { volatile, compress }) {
  let emitter = socket;
  if (volatile) emitter = emitter.volatile;
  if (compress === false) emitter = emitter.compress(false);
  return emitter;
}

const roomsOf = (socket) => ({ rooms: sorted(socket.rooms) });

const operations = {
  info: (socket, _, { io, name }) => ({
    name,
    impl: "socket.io",
    version,
    pid: process.pid,
    nsp: socket.nsp.name,
    id: socket.id,
    transport: socket.conn.transport.name,
    protocol: socket.conn.protocol,
    recovered: socket.recovered,
    clientsCount: io.engine.clientsCount,
  }),
  handshake: ({ handshake }) => {
    const { auth, query, headers, address, secure, xdomain, url } = handshake;
    return { handshake: { auth, query, headers, address, secure, xdomain, url } };
  },
  rooms: roomsOf,
  async join(socket, { rooms }) {
    await socket.join(rooms);
    return roomsOf(socket);
  },
  async leave(socket, { room }) {
    await socket.leave(room);
    return roomsOf(socket);
  },
  setData(socket, { data }) {
    socket.data = data;
  },
  self(socket, { event, args = [], ...flags }) {
    flagged(socket, flags).emit(event, ...args);
  },
  selfAck: (socket, { event, args = [], timeout = 1000 }) =>
    new Promise((resolve, reject) => {
      socket.timeout(timeout).emit(event, ...args, (err, ...answers) => {
        if (err) reject(new Error("timeout"));
        else resolve({ args: answers });
      });
    }),
  disconnectSelf(socket, { close = false, delay = 20 }) {
    setTimeout(() => socket.disconnect(close), delay);
  },
  dropTransport(socket, { delay = 20 }) {
    setTimeout(() => socket.conn.close(), delay);
  },
  emit(socket, { target, event, args = [] }, { io }) {
    addressed(socket, target, io).emit(event, ...args);
  },
  emitAck: (socket, { target, event, args = [], timeout = 1000 }, { io }) =>
    new Promise((resolve) => {
      addressed(socket, target, io)
        .timeout(timeout)
        .emit(event, ...args, (err, responses) => resolve({ timedOut: Boolean(err), responses }));
    }),
  async fetchSockets(socket, { target }, { io }) {
    const sockets = await addressed(socket, target, io).fetchSockets();
    const described = sockets.map(({ id, rooms, data, handshake }) => {
      const { auth, query, address, secure, url } = handshake;
      return { id, rooms: sorted(rooms), data, handshake: { auth, query, address, secure, url } };
    });
    return { sockets: described.sort((a, b) => (a.id < b.id ? -1 : 1)) };
  },
  socketsJoin(socket, { target, rooms }, { io }) {
    addressed(socket, target, io).socketsJoin(rooms);
  },
  socketsLeave(socket, { target, rooms }, { io }) {
    addressed(socket, target, io).socketsLeave(rooms);
  },
  disconnectSockets(socket, { target, close = false }, { io }) {
    addressed(socket, target, io).disconnectSockets(close);
  },
  ...clusterOperations,
  journal: (_, params, { journal }) => ({ entries: journal.read(params) }),
};
