// The reference: the fixture that the outside tests drive, on the original Node.js server.
//
// Configured by environment variables only. The server under test (`examples/fixture.rs`) answers to the same ones,
// so every scenario can be run against both, and a scenario that is wrong shows here.

import { createServer } from "node:http";
import { Server as EngineServer } from "engine.io";
import { Server } from "socket.io";
import msgpackParser from "socket.io-msgpack-parser";
import { WebSocketServer } from "ws";
import { clientSuite } from "./client-suite.mjs";
import { ctl } from "./ctl.mjs";
import { engineBehaviours } from "./engine.mjs";
import { oxideAdapter } from "./oxide-adapter.mjs";
import { redisAdapter } from "./redis.mjs";

const env = (name, fallback) => process.env[name] || fallback;
const number = (name, fallback) => Number(env(name, fallback));
const flag = (name, fallback = "0") => env(name, fallback) === "1";

const host = env("HOST", "127.0.0.1");
const port = number("PORT", 3000);
const sidPrefix = env("SID_PREFIX", "");
const acceptDelay = number("ACCEPT_DELAY", 0);

/** Engine.IO options, shared by the Socket.IO endpoint and the raw Engine.IO endpoint. */
const engineOptions = {
  pingInterval: number("PING_INTERVAL", 25000),
  pingTimeout: number("PING_TIMEOUT", 20000),
  upgradeTimeout: number("UPGRADE_TIMEOUT", 10000),
  maxHttpBufferSize: number("MAX_PAYLOAD", 1000000),
  transports: env("TRANSPORTS", "polling,websocket").split(","),
  allowUpgrades: flag("ALLOW_UPGRADES", "1"),
  allowEIO3: flag("ALLOW_EIO3"),
  perMessageDeflate: flag("PER_MESSAGE_DEFLATE"),
  ...(env("COOKIE") && { cookie: { name: env("COOKIE"), path: "/", httpOnly: true, sameSite: "lax" } }),
  ...(env("CORS_ORIGIN") && { cors: { origin: env("CORS_ORIGIN").split(","), credentials: true } }),
};

function prefixSids(engine) {
  const generate = engine.generateId.bind(engine);
  engine.generateId = async (req) => sidPrefix + (await generate(req));
}

/** Delays what the endpoints see of requests and upgrades; the listeners must have been attached before. */
function delayAccepts(http) {
  for (const event of ["request", "upgrade"]) {
    const listeners = http.listeners(event);
    http.removeAllListeners(event);
    http.on(event, (...args) => {
      setTimeout(() => listeners.forEach((listener) => listener.apply(http, args)), acceptDelay);
    });
  }
}

function attachWebSocketEcho(http, path) {
  const echo = new WebSocketServer({
    noServer: true,
    perMessageDeflate: flag("PER_MESSAGE_DEFLATE"),
    maxPayload: 64 * 1024 * 1024,
    maxFragments: 0,
    maxBufferedChunks: 0,
  });
  http.on("upgrade", (req, socket, head) => {
    if (req.url.split("?")[0] !== path) return;
    echo.handleUpgrade(req, socket, head, (ws) => {
      ws.on("error", () => {});
      ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
    });
  });
}

/** A Redis without the name of an adapter means the classic one. */
async function adapter() {
  switch (env("ADAPTER", env("REDIS_URL") ? "redis" : "memory")) {
    case "memory":
      return {};
    case "redis":
      return {
        adapter: await redisAdapter({
          url: env("REDIS_URL", "redis://127.0.0.1:6379"),
          key: env("REDIS_KEY", "socket.io"),
          requestsTimeout: number("REQUESTS_TIMEOUT", 5000),
          publishOnSpecificResponseChannel: flag("SPECIFIC_RESPONSE_CHANNEL"),
        }),
      };
    default:
      throw new Error(`ADAPTER=${env("ADAPTER")} is not understood`);
  }
}

const http = createServer((req, res) => res.writeHead(404).end());

const io = new Server(http, {
  ...engineOptions,
  ...(await adapter()),
  path: env("SIO_PATH", "/socket.io"),
  connectTimeout: number("CONNECT_TIMEOUT", 45000),
  ...(env("PARSER") === "msgpack" && { parser: msgpackParser }),
  ...(number("CSR", 0) > 0 && {
    connectionStateRecovery: { maxDisconnectionDuration: number("CSR", 0), skipMiddlewares: true },
  }),
});
if (sidPrefix) prefixSids(io.engine);

const behaviours = { ctl, "client-suite": clientSuite, "oxide-adapter": oxideAdapter };
behaviours[env("FIXTURE", "ctl")](io, { name: env("SERVER_NAME", `node-${port}`) });

if (env("EIO_PATH")) {
  const engine = new EngineServer(engineOptions);
  engine.attach(http, { path: env("EIO_PATH") });
  if (sidPrefix) prefixSids(engine);
  engineBehaviours[env("EIO_FIXTURE", "echo")](engine);
}
if (env("WS_ECHO_PATH")) attachWebSocketEcho(http, env("WS_ECHO_PATH"));
if (acceptDelay > 0) delayAccepts(http);

http.listen(port, host, 4096, () => console.log(`reference fixture on http://${host}:${port}`));
process.on("SIGTERM", () => process.exit(0));
