// What a hostile or broken client may send. After each of it the server serves others as before.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { onEveryTarget, scenario, unique, until, within } from "../harness/index.mjs";
import { closed, frame, rawWebSocket, request, SEPARATOR, Session, tcp, webSocket, webSocketSession } from "./wire.mjs";

const TARGET = "/socket.io/?EIO=4&transport=websocket";

/** A healthy client: it must be served, whatever the others do. */
class Healthy {
  #number = 0;

  static async join(t, server, options) {
    const healthy = new Healthy();
    healthy.peer = await webSocketSession(t, server, options);
    // Its heartbeat; the other packets stay in their order.
    healthy.peer.ws.on("message", (data) => data.toString() === "2" && healthy.peer.send("3"));
    healthy.peer.send("40");
    healthy.sid = JSON.parse((await healthy.packet()).slice(2)).sid;
    await healthy.packet();
    return healthy;
  }

  async packet() {
    for (;;) {
      const packet = await this.peer.next();
      if (packet !== "2") return packet;
    }
  }

  async ctl(op, params = {}) {
    const [reply] = await this.ask(`ctl:${op}`, params);
    assert.equal(reply.ok, true, JSON.stringify(reply));
    return reply;
  }

  async ask(...args) {
    this.#number += 1;
    this.peer.send(`42${this.#number}${JSON.stringify(args)}`);
    const prefix = `43${this.#number}[`;
    for (;;) {
      const packet = await this.packet();
      if (packet.startsWith(prefix)) return JSON.parse(packet.slice(prefix.length - 1));
    }
  }

  async isServed() {
    const mark = unique("mark");
    assert.deepEqual(await this.ask("message-with-ack", mark), [mark]);
  }

  async reasonOf(id) {
    return until(`the end of ${id} is not in the journal`, async () => {
      const { entries } = await this.ctl("journal", { type: "disconnect", id });
      return entries[0]?.reason;
    });
  }
}

async function serves(t, server) {
  await (await Healthy.join(t, server)).isServed();
}

onEveryTarget("bad input", { env: { MAX_PAYLOAD: "100000", EIO_PATH: "/engine" } }, (server) => {
  const test = (name, run) => scenario(server, name, run);

  async function rawJoined(t) {
    const peer = await rawWebSocket(t, server, TARGET);
    peer.write(frame("text", "40"));
    await peer.has('"auth"');
    return peer;
  }

  test("bytes that are no HTTP", async (t) => {
    const inputs = [randomBytes(4000), "\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", Buffer.alloc(100_000, 0x41)];
    for (const input of inputs) {
      const peer = await tcp(t, server);
      peer.write(input);
      peer.socket.end();
      await peer.ended();
    }
    await serves(t, server);
  });

  test("a head without end", async (t) => {
    const peer = await tcp(t, server);
    peer.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n");
    const line = `X-Filler: ${"x".repeat(1000)}\r\n`;
    let over = false;
    peer.ended().then(() => (over = true), () => {});
    for (let lines = 0; lines < 2000 && !over; lines += 1) {
      await new Promise((resolve) => peer.socket.write(line, resolve));
    }
    await peer.ended();
    await serves(t, server);
  });

  test("a target as long as a book", async (t) => {
    // Not by `fetch`: it would give the connection, which is about to be cut, to the next test.
    const peer = await tcp(t, server);
    peer.write(`GET /socket.io/?EIO=4&transport=polling&x=${"x".repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await peer.ended();
    const [, status = "cut"] = peer.text().match(/^HTTP\/1.1 (\d+)/) ?? [];
    assert.ok(status === "cut" || status >= 400, status);
  });

  test("sids and parameters of any content", async (t) => {
    const sids = ["%00", "%ff%fe", "..%2F..%2Fetc", "x".repeat(5000), "%F0%9F%98%80", "&sid=b", "%", "%zz"];
    for (const sid of sids) {
      for (const method of ["GET", "POST"]) {
        const target = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
        assert.ok((await request(server, target, { method })).status >= 400);
      }
    }
    await serves(t, server);
  });

  test("a post that is no UTF-8", async (t) => {
    const session = await Session.open(server, { path: "/engine" });
    const { status } = await session.post(Buffer.from([0x34, 0xff, 0xfe, 0x1e, 0x34, 0x61]));
    assert.ok([200, 400].includes(status));
    await serves(t, server);
  });

  test("base64 that is none", async (t) => {
    const session = await Session.open(server, { path: "/engine" });
    assert.ok([200, 400].includes((await session.post("b!!!not base64!!!")).status));
    await serves(t, server);
  });

  test("a payload of very many packets", async (t) => {
    for (const packet of ["4a", "6", "4"]) {
      const session = await Session.open(server, { path: "/engine" });
      const count = Math.floor(99_999 / (packet.length + 1));
      const { status } = await session.post(Array(count).fill(packet).join(SEPARATOR));
      assert.ok([200, 400, 413].includes(status), status);
    }
    await serves(t, server);
  });

  test("separators only", async (t) => {
    const session = await Session.open(server);
    assert.ok([200, 400].includes((await session.post(SEPARATOR.repeat(50_000))).status));
    await serves(t, server);
  });

  test("JSON nested beyond reason", async (t) => {
    const healthy = await Healthy.join(t, server);
    const nested = (depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
    const peer = await webSocketSession(t, server);
    peer.send("40");
    await peer.inbox.take("message", 2);
    peer.send(`42["message",${nested(1000)}]`);
    assert.equal(await peer.next(), `42["message-back",${nested(1000)}]`);
    // The reference's handler would not survive the echo of this one: only the parser is asked.
    peer.send(`42["nobody listens",${nested(45_000)}]`);
    peer.send(`40/custom,{"a":${nested(45_000)}`);
    if (!server.isReference) {
      const brave = await webSocketSession(t, server);
      brave.send("40");
      await brave.inbox.take("message", 2);
      brave.send(`42["message",${nested(45_000)}]`);
      await brave.inbox.first(["message", "close"]);
    }
    await healthy.isServed();
  });

  test("packets cut off at every byte", async (t) => {
    const healthy = await Healthy.join(t, server);
    const packet = '4512-/custom,17["message",{"_placeholder":true,"num":0},"\\ud83d\\ude00"]';
    for (let length = 1; length < packet.length; length += 1) {
      const peer = await webSocketSession(t, server);
      peer.send(packet.slice(0, length));
      await closed(peer);
    }
    await healthy.isServed();
  });

  test("random packets", async (t) => {
    const healthy = await Healthy.join(t, server);
    for (let round = 0; round < 100; round += 1) {
      const { ws, inbox } = webSocket(t, server, TARGET);
      await inbox.next("open");
      ws.send("40");
      const text = randomBytes(60).toString("latin1");
      ws.send(round % 2 === 0 ? `4${text}` : `42${text}`);
      ws.send(randomBytes(60));
      await inbox.next("close");
    }
    await healthy.isServed();
  });

  test("attachments that never come", async (t) => {
    const healthy = await Healthy.join(t, server);
    const { sockets } = await healthy.ctl("fetchSockets");
    const peers = await Promise.all(Array.from({ length: 50 }, () => webSocketSession(t, server)));
    for (const peer of peers) {
      peer.send("40");
      peer.send('4510-["message"]');
      for (let count = 0; count < 9; count += 1) peer.send(Buffer.alloc(1000));
    }
    await healthy.isServed();
    for (const peer of peers) peer.ws.terminate();
    await until("sockets are left over", async () => {
      const left = (await healthy.ctl("fetchSockets")).sockets;
      return left.length === sockets.length;
    });
  });

  test("attachments that exceed the limit together", async (t) => {
    const healthy = await Healthy.join(t, server);
    const peer = await webSocketSession(t, server);
    peer.send("40");
    await peer.inbox.take("message", 2);
    peer.send(`45${10}-["nobody listens"${',{"_placeholder":true,"num":0}'.repeat(10)}]`);
    for (let count = 0; count < 10; count += 1) peer.send(Buffer.alloc(90_000));
    // Taken or refused: what counts is that it is decided.
    peer.send('42["message"]');
    await peer.inbox.first(["message", "close"]);
    await healthy.isServed();
  });

  test("tiny fragments without end", async (t) => {
    const healthy = await Healthy.join(t, server);
    for (const payload of ["", "x"]) {
      const peer = await rawJoined(t);
      let over = false;
      peer.ended().then(() => (over = true), () => {});
      peer.write(frame("text", "4", { fin: false }));
      const many = Buffer.concat(Array.from({ length: 2000 }, () => frame("continuation", payload, { fin: false })));
      for (let round = 0; round < 200 && !over; round += 1) {
        await Promise.race([new Promise((resolve) => peer.socket.write(many, resolve)), peer.ended()]);
      }
      await peer.ended();
    }
    await healthy.isServed();
  });

  test("pings without end", async (t) => {
    const healthy = await Healthy.join(t, server);
    const peer = await rawJoined(t);
    const many = Buffer.concat(Array.from({ length: 5000 }, () => frame("ping", "x".repeat(100))));
    for (let round = 0; round < 10; round += 1) peer.write(many);
    await healthy.isServed();
  });

  test("a frame without mask", async (t) => {
    const peer = await rawJoined(t);
    peer.write(frame("text", "42[\"message\"]", { masked: false }));
    assert.equal(await peer.closeCode(), 1002);
    await serves(t, server);
  });

  test("a length that is a lie", async (t) => {
    const peer = await rawJoined(t);
    peer.write(frame("binary", "", { length: 50_000_000 }));
    assert.equal(await peer.closeCode(), 1009);
    await serves(t, server);
  });

  test("fragments that exceed the limit together", async (t) => {
    const peer = await rawJoined(t);
    peer.write(frame("text", "4", { fin: false }));
    for (let count = 0; count < 11; count += 1) peer.write(frame("continuation", "x".repeat(10_000), { fin: false }));
    assert.equal(await peer.closeCode(), 1009);
    await serves(t, server);
  });

  test("text that is no UTF-8", async (t) => {
    const peer = await rawJoined(t);
    peer.write(frame("text", Buffer.from([0x34, 0x32, 0xc0, 0x80])));
    assert.equal(await peer.closeCode(), 1007);
    await serves(t, server);
  });

  test("frames cut off at every byte", async (t) => {
    const whole = frame("text", '42["message","x"]');
    for (let length = 1; length < whole.length; length += 1) {
      const peer = await rawWebSocket(t, server, TARGET);
      peer.write(whole.subarray(0, length));
      peer.socket.destroy();
    }
    await serves(t, server);
  });

  test("names of any length and content", async (t) => {
    const healthy = await Healthy.join(t, server);
    for (const name of [`/${"x".repeat(50_000)}`, "/\u0000", "/é😀", "/a?b#c", "//", "/../.."]) {
      const peer = await webSocketSession(t, server);
      peer.send(`40${name},`);
      await peer.inbox.first(["message", "close"]);
    }
    const peer = await webSocketSession(t, server);
    peer.send("40");
    await peer.inbox.take("message", 2);
    peer.send(`421["ctl:join",{"rooms":["${"r".repeat(50_000)}"]}]`);
    peer.send(`422["${"e".repeat(50_000)}"]`);
    peer.send('42["message"]');
    await peer.inbox.first(["message", "close"]);
    await healthy.isServed();
  });

  test("control events with parameters of the wrong kind", async (t) => {
    const healthy = await Healthy.join(t, server);
    const ops = ["join", "leave", "emit", "emitAck", "fetchSockets", "socketsJoin", "selfAck", "journal", "disconnectSockets"];
    const peer = await webSocketSession(t, server);
    peer.send("40/custom,");
    await peer.inbox.take("message", 2);
    for (const op of ops) peer.send(`42/custom,["ctl:${op}",{"target":{"to":["nobody"]},"rooms":[],"event":"x"}]`);
    await healthy.isServed();
  });
});

const impatient = { PING_INTERVAL: "500", PING_TIMEOUT: "1000", CONNECT_TIMEOUT: "3000" };

onEveryTarget("clients that do nothing", { env: impatient, concurrency: 1 }, (server) => {
  const test = (name, run) => scenario(server, name, run);

  test("one that never reads is cut off, the others get everything", async (t) => {
    const [sender, listener] = [await Healthy.join(t, server), await Healthy.join(t, server)];
    const stalled = await rawWebSocket(t, server, TARGET);
    stalled.write(frame("text", "40"));
    await stalled.has('"auth"');
    const id = stalled.text().match(/40\{"sid":"([^"]+)"/)[1];
    stalled.socket.pause();
    await sender.ctl("socketsJoin", { target: { to: [id, listener.sid] }, rooms: ["stalled"] });
    await until("nobody is in the room", async () => {
      return (await sender.ctl("fetchSockets", { target: { to: ["stalled"] } })).sockets.length === 2;
    });
    const text = "x".repeat(100_000);
    const count = 200;
    for (let number = 0; number < count; number += 1) {
      await sender.ctl("emit", { target: { to: ["stalled"] }, event: "news", args: [number, text] });
    }
    for (let number = 0; number < count; number += 1) {
      assert.ok((await listener.packet()).startsWith(`42["news",${number},`));
    }
    const reason = await sender.reasonOf(id);
    assert.ok(["ping timeout", "transport close", "transport error", "forced close"].includes(reason), reason);
    await sender.isServed();
  });

  test("one that never answers is cut off", async (t) => {
    const healthy = await Healthy.join(t, server);
    const silent = await webSocketSession(t, server);
    silent.send("40");
    const [answer] = await silent.inbox.take("message", 2);
    await closed(silent);
    assert.equal(await healthy.reasonOf(JSON.parse(answer.slice(2)).sid), "ping timeout");
  });

  test("three thousand half-open handshakes", async (t) => {
    const healthy = await Healthy.join(t, server);
    const connections = [];
    t.after(() => connections.forEach(({ socket }) => socket.destroy()));
    const halves = [
      "",
      "G",
      "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n",
      `GET ${TARGET} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`,
      "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4",
    ];
    const open = async (index) => {
      const peer = await tcp(undefined, server);
      connections.push(peer);
      const half = halves[index % halves.length];
      if (half !== "") peer.write(half);
    };
    for (let start = 0; start < 3000; start += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => open(start + index)));
    }
    assert.equal(connections.length, 3000);
    await healthy.isServed();
    await serves(t, server);
  });

  test("three thousand sessions without CONNECT are forgotten in time", async (t) => {
    const healthy = await Healthy.join(t, server);
    for (let start = 0; start < 3000; start += 50) {
      const handshakes = Array.from({ length: 50 }, () => request(server, "/socket.io/?EIO=4&transport=polling"));
      for (const { status } of await Promise.all(handshakes)) assert.equal(status, 200);
    }
    await healthy.isServed();
    await until(
      "sessions are left over",
      async () => (await healthy.ctl("info")).clientsCount <= 2,
      20_000,
    );
  });

  test("five hundred websockets without CONNECT are closed in time", async (t) => {
    const healthy = await Healthy.join(t, server);
    const peers = await Promise.all(Array.from({ length: 500 }, () => webSocketSession(t, server)));
    for (const peer of peers) peer.ws.on("message", (data) => data.toString() === "2" && peer.send("3"));
    await healthy.isServed();
    await within(Promise.all(peers.map(closed)), () => "websockets are left over", 20_000);
  });
});
