// What the control events ask of the whole cluster, and what the servers say to each other.

const SERVER_SIDE_EVENTS = ["sse:note", "sse:echo", "sse:silent"];

/** Writes the events of other servers to the journal; one of them is answered. */
export function hearServers(nsp, { name, journal }) {
  for (const event of SERVER_SIDE_EVENTS) {
    nsp.on(event, (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
      journal.add({ type: "serverSide", nsp: nsp.name, event, args, withAck: ack !== undefined });
      if (event === "sse:echo") ack?.({ name, args });
    });
  }
}

const namespaceOf = (socket, nsp, io) => io.of(nsp ?? socket.nsp.name);

export const clusterOperations = {
  async allRooms(socket, { nsp }, { io }) {
    return { rooms: [...(await namespaceOf(socket, nsp, io).adapter.allRooms())].sort() };
  },
  async serverCount(socket, { nsp }, { io }) {
    return { count: await namespaceOf(socket, nsp, io).adapter.serverCount() };
  },
  serverSideEmit(socket, { nsp, event, args = [] }, { io }) {
    namespaceOf(socket, nsp, io).serverSideEmit(event, ...args);
  },
  serverSideEmitAck: (socket, { nsp, event, args = [] }, { io }) =>
    new Promise((resolve) => {
      namespaceOf(socket, nsp, io).serverSideEmit(event, ...args, (err, responses) => {
        resolve({ timedOut: Boolean(err), error: err?.message ?? null, responses });
      });
    }),
};
