// Engine.IO 3: length-prefixed payloads, the client's heartbeat, JSONP.

import assert from "node:assert/strict";
import { onEveryTarget, scenario, until } from "../harness/index.mjs";
import { closed, request, Session, unwrapped, webSocket, webSocketSession } from "./wire.mjs";

const path = "/engine";
const env = { EIO_PATH: path, ALLOW_EIO3: "1", MAX_PAYLOAD: "100000" };

onEveryTarget("engine.io 3", { env }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const open = (query = "") => Session.open(server, { path, eio: 3, query });

  test("polling opens with a length", async () => {
    const { opening, handshake } = await open("&b64=1");
    const { sid, ...others } = handshake;
    const settings = { pingInterval: 25000, pingTimeout: 20000, maxPayload: 100000 };
    assert.deepEqual(others, { upgrades: ["websocket"], ...settings });
    const packet = opening.text.slice(opening.text.indexOf(":") + 1);
    assert.equal(opening.text, `${packet.length}:${packet}`);
    assert.equal(packet[0], "0");
  });

  test("a request without EIO is served as protocol 3", async () => {
    const { status, text } = await request(server, `${path}/?transport=polling&b64=1`);
    assert.equal(status, 200);
    assert.match(text, /^\d+:0\{/);
  });

  test("protocol 4 is served beside it", async () => {
    const session = await Session.open(server, { path });
    await session.send("4hello");
    assert.deepEqual(await session.poll(), ["4hello"]);
  });

  test("lengths count UTF-16 units", async () => {
    const session = await open("&b64=1");
    for (const text of ["hello", "äöü €", "😀😀", "a:b 3:4c"]) {
      const payload = `${text.length + 1}:4${text}`;
      assert.equal((await session.post(payload)).text, "ok");
      assert.equal((await session.get()).text, payload);
    }
  });

  test("several packets, some of them base64, pass in one payload", async () => {
    const session = await open("&b64=1");
    const payload = "6:4hello10:b4AQIDBA==2:4€";
    assert.equal((await session.post(payload)).text, "ok");
    const { text, headers } = await session.get();
    assert.equal(text, payload);
    assert.match(headers.get("content-type"), /^text\/plain/);
  });

  test("without b64 binary content makes a binary payload", async () => {
    const session = await open();
    assert.equal((await session.post("6:4hello10:b4AQIDBA==")).text, "ok");
    const { bytes, headers } = await session.get();
    assert.equal(headers.get("content-type"), "application/octet-stream");
    const text = Buffer.concat([Buffer.from([0, 6, 0xff]), Buffer.from("4hello")]);
    assert.deepEqual(bytes, Buffer.concat([text, Buffer.from([1, 5, 0xff, 4, 1, 2, 3, 4])]));
  });

  test("without b64 text alone stays a text payload", async () => {
    const session = await open();
    assert.equal((await session.post("6:4hello")).text, "ok");
    const { text, headers } = await session.get();
    assert.equal(text, "6:4hello");
    assert.match(headers.get("content-type"), /^text\/plain/);
  });

  test("a binary payload is taken", async () => {
    const session = await open("&b64=1");
    const text = Buffer.concat([Buffer.from([0, 1, 1, 0xff]), Buffer.from("4hello worl")]);
    const payload = Buffer.concat([text, Buffer.from([1, 5, 0xff, 4, 1, 2, 3, 4])]);
    assert.equal((await session.post(payload, { "content-type": "application/octet-stream" })).text, "ok");
    assert.equal((await session.get()).text, "11:4hello worl10:b4AQIDBA==");
  });

  test("the client's ping is answered, over polling and websocket", async (t) => {
    const session = await open("&b64=1");
    await session.post("1:2");
    assert.equal((await session.get()).text, "1:3");
    const peer = await webSocketSession(t, server, { path, eio: 3 });
    peer.send("2");
    assert.equal(await peer.next(), "3");
  });

  test("websocket carries one packet per frame, binary with its type byte", async (t) => {
    const peer = await webSocketSession(t, server, { path, eio: 3 });
    assert.deepEqual(peer.handshake.upgrades, []);
    peer.send("4hello €");
    assert.equal(await peer.next(), "4hello €");
    peer.send(Buffer.from([4, 1, 2, 3]));
    assert.deepEqual(await peer.next(), Buffer.from([4, 1, 2, 3]));
  });

  test("websocket with b64 gets binary as base64 text", async (t) => {
    const peer = await webSocketSession(t, server, { path, eio: 3, query: "&b64=1" });
    peer.send("b4AQIDBA==");
    assert.equal(await peer.next(), "b4AQIDBA==");
  });

  test("the upgrade is the same dance", async (t) => {
    const session = await open("&b64=1");
    const poll = session.get();
    const peer = webSocket(t, server, session.webSocketTarget);
    await peer.inbox.next("open");
    peer.send("2probe");
    assert.equal(await peer.next(), "3probe");
    assert.equal((await poll).text, "1:6");
    peer.send("5");
    peer.send("4hello");
    assert.equal(await peer.next(), "4hello");
    assert.equal((await session.get()).status, 400);
  });

  for (const body of ["abc", "6:4hell", "-1:4", "4hello", ":4a", "99999999999999999999:4a", "2:9a"]) {
    test(`payload ${body} closes the session`, async () => {
      const session = await open("&b64=1");
      await session.post(body);
      await session.isGone();
    });
  }

  test("a broken binary payload does not harm the server", async () => {
    for (const bytes of [[0, 9], [0, 5, 0xff, 0x34], [2, 1, 0xff, 0x34], [0, 0xff], [0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]]) {
      const session = await open("&b64=1");
      await session.post(Buffer.from(bytes), { "content-type": "application/octet-stream" });
      // Whether it ends this session is left to the server.
      assert.ok([200, 400].includes((await session.post("2:4a")).status));
    }
    const session = await open("&b64=1");
    await session.post("2:4a");
    assert.equal((await session.get()).text, "2:4a");
  });

  test("a pong of the client closes the session", async (t) => {
    const peer = await webSocketSession(t, server, { path, eio: 3 });
    peer.send("3");
    await closed(peer);
  });

  test("a close packet ends the session", async () => {
    const answer = await until("the close overtakes every poll", async () => {
      const session = await open("&b64=1");
      const text = await session.polledWhile("1:1");
      await session.isGone();
      return text;
    });
    assert.equal(answer, "1:6");
  });

  test("JSONP wraps payloads into calls", async () => {
    const session = await open("&b64=1&j=7");
    assert.match(session.opening.text, /^___eio\[7\]\("\d+:0\{\\"sid\\":/);
    assert.ok(session.opening.text.endsWith(");"));
    const text = 'line\nbreak "quoted" \u2028 end';
    const payload = `${text.length + 1}:4${text}`;
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const body = `d=${encodeURIComponent(payload.replaceAll("\n", "\\n"))}`;
    assert.equal((await session.post(body, form)).text, "ok");
    const answer = await session.get();
    assert.ok(answer.text.startsWith("___eio[7]("));
    assert.ok(!answer.text.includes("\u2028"));
    assert.equal(unwrapped(answer.text), payload);
  });

  test("the index of JSONP is reduced to its digits", async () => {
    const { text } = await request(server, `${path}/?EIO=3&transport=polling&b64=1&j=${encodeURIComponent("1);alert(2")}`);
    assert.ok(text.startsWith("___eio[12]("), text.slice(0, 40));
  });
});

const beating = { EIO_PATH: path, ALLOW_EIO3: "1", PING_INTERVAL: "300", PING_TIMEOUT: "900" };

onEveryTarget("engine.io 3 heartbeat", { env: beating, concurrency: 3 }, (server) => {
  scenario(server, "a silent websocket is closed, not before interval and time-out", async (t) => {
    const start = performance.now();
    const peer = await webSocketSession(t, server, { path, eio: 3 });
    await closed(peer);
    assert.ok(performance.now() - start >= 1185);
    assert.deepEqual(peer.inbox.left("message"), []);
  });

  scenario(server, "a silent polling session is closed", async () => {
    const session = await Session.open(server, { path, eio: 3, query: "&b64=1" });
    assert.equal((await session.get()).text, "1:1");
    await session.isGone();
  });

  scenario(server, "a client that pings stays", async (t) => {
    const start = performance.now();
    const peer = await webSocketSession(t, server, { path, eio: 3 });
    while (performance.now() - start < 2000) {
      peer.send("2");
      assert.equal(await peer.next(), "3");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    peer.send("4hello");
    assert.equal(await peer.next(), "4hello");
  });
});
