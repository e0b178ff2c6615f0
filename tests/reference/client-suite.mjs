// What the test suite of the `socket.io-client` package expects of its server.

const UTF8 = ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"];

const isBinary = (value) => Buffer.isBuffer(value);
const isMixed = (value) => value?.hello === "lol" && isBinary(value.message) && value.goodbye === "gotcha";

export function clientSuite(io) {
  for (const name of ["/timeout_socket", "/valid", "/asd"]) io.of(name);
  io.of("/foo").on("connection", (socket) => socket.on("getId", (ack) => ack(socket.id)));
  io.of("/abc").on("connection", (socket) => socket.emit("handshake", socket.handshake));
  io.of("/no").use((socket, next) => next(new Error("Auth failed (custom namespace)")));
  io.use((socket, next) => {
    next(socket.handshake.query.fail ? new Error("Auth failed (main namespace)") : undefined);
  });
  io.on("connection", (socket) => {
    plain(socket);
    binary(socket);
  });
}

function plain(socket) {
  socket.on("hi", () => socket.emit("hi"));
  socket.on("echo", (value, ack) => ack(value));
  socket.on("ack", () => {
    socket.emit("ack", (first, second) => {
      if (first === 5 && second.test) socket.emit("got it");
    });
  });
  socket.on("getAckDate", (_, ack) => ack(new Date()));
  socket.on("getDate", () => socket.emit("takeDate", new Date()));
  socket.on("getDateObj", () => socket.emit("takeDateObj", { date: new Date() }));
  socket.on("getUtf8", () => UTF8.forEach((text) => socket.emit("takeUtf8", text)));
  socket.on("false", () => socket.emit("false", false));
  socket.on("getHandshake", (ack) => ack(socket.handshake));
  socket.on("getId", (ack) => ack(socket.id));
}

function binary(socket) {
  const replyIf = (event, accepts, reply) => {
    socket.on(event, (value) => accepts(value) && socket.emit(reply));
  };
  socket.on("doge", () => socket.emit("doge", Buffer.from("asdfasdf")));
  socket.on("getbin", () => socket.emit("takebin", Buffer.from("asdfasdf")));
  replyIf("buffa", isBinary, "buffack");
  replyIf("jsonbuff", isMixed, "jsonbuff-ack");
  replyIf("blob", isBinary, "back");
  replyIf("jsonblob", isMixed, "jsonblob-ack");

  const seen = new Set();
  const noteIf = (event, accepts) => socket.on(event, (value) => accepts(value) && seen.add(event));
  noteIf("abuff1", isBinary);
  replyIf("abuff2", () => seen.has("abuff1"), "abuff2-ack");
  noteIf("blob1", isBinary);
  noteIf("blob2", (value) => value === "second" && seen.has("blob1"));
  replyIf("blob3", (value) => isBinary(value) && seen.has("blob2"), "blob3-ack");
}
