// Engine.IO 4: the handshake, its refusals, headers and cookies.

import assert from "node:assert/strict";
import { onEveryTarget, scenario } from "../harness/index.mjs";
import { request, Session, webSocket, webSocketSession } from "./wire.mjs";

const env = { EIO_PATH: "/engine", PING_INTERVAL: "12345", PING_TIMEOUT: "6789", MAX_PAYLOAD: "4321" };

onEveryTarget("handshake", { env }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const settings = { pingInterval: 12345, pingTimeout: 6789, maxPayload: 4321 };

  for (const path of ["/socket.io", "/engine"]) {
    test(`polling on ${path} opens with a JSON of exactly these members`, async () => {
      const { opening, handshake } = await Session.open(server, { path });
      assert.equal(opening.text[0], "0");
      assert.deepEqual(JSON.parse(opening.text.slice(1)), handshake);
      const { sid, ...others } = handshake;
      assert.match(sid, /^[A-Za-z0-9_-]{16,}$/);
      assert.deepEqual(others, { upgrades: ["websocket"], ...settings });
      assert.equal(opening.headers.get("content-type"), "text/plain; charset=UTF-8");
      assert.equal(opening.headers.get("cache-control"), "no-store");
      assert.equal(opening.headers.get("set-cookie"), null);
      assert.equal(opening.headers.get("access-control-allow-origin"), null);
    });

    test(`websocket on ${path} opens without upgrades`, async (t) => {
      const { handshake, ws } = await webSocketSession(t, server, { path });
      const { sid, ...others } = handshake;
      assert.match(sid, /^[A-Za-z0-9_-]{16,}$/);
      assert.deepEqual(others, { upgrades: [], ...settings });
      assert.equal(ws.extensions, "");
    });
  }

  test("no two sessions have the same id", async () => {
    const sessions = await Promise.all(Array.from({ length: 50 }, () => Session.open(server)));
    assert.equal(new Set(sessions.map(({ sid }) => sid)).size, 50);
  });

  const UNKNOWN_TRANSPORT = { code: 0, message: "Transport unknown" };
  const UNKNOWN_SID = { code: 1, message: "Session ID unknown" };
  const BAD_METHOD = { code: 2, message: "Bad handshake method" };
  const BAD_REQUEST = { code: 3, message: "Bad request" };
  const BAD_VERSION = { code: 5, message: "Unsupported protocol version" };

  const refusals = [
    ["GET", "", UNKNOWN_TRANSPORT],
    ["GET", "EIO=4", UNKNOWN_TRANSPORT],
    ["GET", "EIO=4&transport=", UNKNOWN_TRANSPORT],
    ["GET", "EIO=4&transport=abc", UNKNOWN_TRANSPORT],
    ["GET", "EIO=4&transport=webtransport", UNKNOWN_TRANSPORT],
    ["GET", "EIO=4&transport=constructor", UNKNOWN_TRANSPORT],
    ["POST", "EIO=4&transport=abc", UNKNOWN_TRANSPORT],
    ["GET", "EIO=4&transport=polling&sid=abc", UNKNOWN_SID],
    ["POST", "EIO=4&transport=polling&sid=abc", UNKNOWN_SID],
    ["GET", "EIO=4&transport=polling&sid=__proto__", UNKNOWN_SID],
    ["GET", "EIO=4&transport=polling&sid=%00%ff%20", UNKNOWN_SID],
    ["GET", "EIO=4&transport=websocket&sid=abc", UNKNOWN_SID],
    ["POST", "EIO=4&transport=polling", BAD_METHOD],
    ["PUT", "EIO=4&transport=polling", BAD_METHOD],
    ["DELETE", "EIO=4&transport=polling", BAD_METHOD],
    ["OPTIONS", "EIO=4&transport=polling", BAD_METHOD],
    ["GET", "EIO=4&transport=websocket", BAD_REQUEST],
    ["GET", "transport=polling", BAD_VERSION],
    ["GET", "EIO=3&transport=polling", BAD_VERSION],
    ["GET", "EIO=5&transport=polling", BAD_VERSION],
    ["GET", "EIO=abc&transport=polling", BAD_VERSION],
    ["GET", "EIO=&transport=polling", BAD_VERSION],
  ];
  for (const [method, query, body] of refusals) {
    test(`${method} ?${query} is refused: ${body.message}`, async () => {
      const { status, headers, text } = await request(server, `/socket.io/?${query}`, { method });
      assert.equal(status, 400);
      assert.match(headers.get("content-type"), /^application\/json/);
      assert.deepEqual(JSON.parse(text), body);
    });
  }

  test("a polling session does not take plain requests for websocket", async () => {
    const session = await Session.open(server);
    const { status, text } = await request(server, session.webSocketTarget);
    assert.deepEqual([status, JSON.parse(text)], [400, BAD_REQUEST]);
    await session.send("40");
  });

  test("a websocket session does not take polls", async (t) => {
    const { handshake } = await webSocketSession(t, server);
    for (const method of ["GET", "POST"]) {
      const target = `/socket.io/?EIO=4&transport=polling&sid=${handshake.sid}`;
      const { status, text } = await request(server, target, { method });
      assert.deepEqual([status, JSON.parse(text)], [400, BAD_REQUEST]);
    }
  });

  test("other methods on a session are errors and leave it open", async () => {
    const session = await Session.open(server);
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      assert.ok((await request(server, session.target, { method })).status >= 400);
    }
    await session.send("40");
  });

  const upgradeRefusals = [
    ["EIO=4", UNKNOWN_TRANSPORT],
    ["EIO=4&transport=abc", UNKNOWN_TRANSPORT],
    ["EIO=4&transport=websocket&sid=abc", UNKNOWN_SID],
  ];
  for (const [query, { message }] of upgradeRefusals) {
    test(`an upgrade with ?${query} is refused: ${message}`, async (t) => {
      const { inbox } = webSocket(t, server, `/socket.io/?${query}`);
      const { status, body } = await inbox.next("refused");
      assert.deepEqual([status, body], [400, message]);
    });
  }

  for (const query of ["transport=websocket", "EIO=3&transport=websocket", "EIO=4&transport=polling"]) {
    test(`an upgrade with ?${query} gets no session`, async (t) => {
      const { inbox } = webSocket(t, server, `/socket.io/?${query}`);
      await inbox.first(["refused", "close", "error"]);
      assert.deepEqual(inbox.left("message"), []);
    });
  }

  test("the path is matched as a whole word", async () => {
    for (const path of ["/", "/other/", "/socket.iox/", "/engine.io/"]) {
      const { status } = await request(server, `${path}?EIO=4&transport=polling`);
      assert.notEqual(status, 200, path);
    }
  });

  test("unknown parameters do not disturb", async () => {
    const session = await Session.open(server, { query: "&t=abc123&foo=%20&foo=2&bar" });
    await session.send("40");
  });
});

onEveryTarget("cookie", { env: { COOKIE: "seat", EIO_PATH: "/engine" } }, (server) => {
  for (const path of ["/socket.io", "/engine"]) {
    scenario(server, `the handshake on ${path} sets it, nothing else does`, async (t) => {
      const session = await Session.open(server, { path });
      const expected = `seat=${session.sid}; Path=/; HttpOnly; SameSite=Lax`;
      assert.deepEqual(session.opening.headers.getSetCookie(), [expected]);
      const { headers } = await session.post("40");
      assert.deepEqual(headers.getSetCookie(), []);
    });
  }
});

onEveryTarget("session id prefix", { env: { SID_PREFIX: "node7." } }, (server) => {
  scenario(server, "every session id starts with it", async (t) => {
    assert.match((await Session.open(server)).sid, /^node7\..{16,}/);
    assert.match((await webSocketSession(t, server)).handshake.sid, /^node7\..{16,}/);
  });
});
