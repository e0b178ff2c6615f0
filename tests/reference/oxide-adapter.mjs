// What the cluster tests of socketioxide expect of each server.

/** What a change in other servers may take, ms. */
const SETTLING_MS = 100;
const ACK_MS = 5_000;

const settled = (ack) => setTimeout(ack, SETTLING_MS);

export function oxideAdapter(io) {
  io.on("connection", (socket) => {
    const hello = `hello from ${socket.id}`;
    socket.join(["room1", "room2", "room4", "room5"]);
    about(io, socket, hello);
    aboutOne(io, socket, hello);
  });
}

/** Events about everybody. */
function about(io, socket, hello) {
  socket.on("broadcast", () => io.emit("broadcast", hello));
  socket.on("volatile_broadcast", () => io.volatile.emit("volatile_broadcast", hello));
  socket.on("broadcast_with_ack", (ack) => {
    io.timeout(ACK_MS).emit("broadcast_with_ack", null, (_, responses) => ack(responses));
  });
  socket.on("disconnect_socket", () => io.disconnectSockets());
  socket.on("rooms", async (ack) => ack([...(await io.of("/").adapter.allRooms())]));
  socket.on("fetch_sockets", async (ack) => {
    const sockets = await io.fetchSockets();
    ack(sockets.map(({ id }) => ({ id, ns: "/" })));
  });
  socket.on("join_room", (ack) => {
    io.socketsJoin("room7");
    settled(ack);
  });
  socket.on("leave_room", (ack) => {
    io.socketsLeave("room4");
    settled(ack);
  });
}

/** Events about one socket, wherever it is. */
function aboutOne(io, socket, hello) {
  const on = (event, run) => {
    socket.on(event, async (id, ack) => {
      const [remote] = await io.in(id).fetchSockets();
      if (remote) run(remote, ack);
    });
  };
  on("emit_from_remote_sock", (remote, ack) => {
    remote.emit("emit", hello);
    ack();
  });
  on("emit_with_ack_from_remote_sock", (remote, ack) => {
    remote.timeout(ACK_MS).emit("emit", hello, (_, response) => ack(response));
  });
  on("join_room_from_remote_sock", (remote, ack) => {
    remote.join(hello);
    settled(ack);
  });
  on("leave_room_from_remote_sock", (remote, ack) => {
    remote.leave("room4");
    settled(ack);
  });
  on("get_rooms_remote_sock", (remote, ack) => ack([...remote.rooms]));
  on("disconnect_remote_sock", (remote, ack) => {
    remote.disconnect();
    ack();
  });
}
