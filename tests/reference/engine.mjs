// Behaviours of the raw Engine.IO endpoint.

function echo(engine) {
  engine.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
}

/** What the test suite of the `engine.io-client` package expects. */
function clientSuite(engine) {
  engine.on("initial_headers", (headers) => {
    headers["set-cookie"] = [
      "1=1; Max-Age=86400",
      "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
      "3=3; Max-Age=0",
      `4=4; Expires=${new Date().toUTCString()}`,
    ];
  });
  engine.on("connection", (socket) => {
    const replies = {
      "give binary": () => Buffer.from([0, 1, 2, 3, 4]),
      "give utf8": () => "пойду спать всем спокойной ночи",
      sendHeaders: () => JSON.stringify(socket.transport.dataReq?.headers),
    };
    socket.send("hi");
    socket.on("message", (data) => socket.send(Object.hasOwn(replies, data) ? replies[data]() : data));
  });
}

export const engineBehaviours = { echo, "client-suite": clientSuite };
