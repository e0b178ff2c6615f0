// Bare requests, sessions and sockets for the protocol cases: nothing here corrects what is sent.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { WebSocket } from "ws";
import { Inbox, until, within } from "../harness/index.mjs";

export const SEPARATOR = "\u001e";

/** One HTTP request and its answer, the body as text. */
export async function request(server, target, options = {}) {
  const { headers, method, body, signal } = options;
  const answer = await within(
    fetch(`${server.url}${target}`, { headers, method, body, signal }),
    () => `no answer to ${method ?? "GET"} ${target}`,
  );
  const bytes = Buffer.from(await answer.arrayBuffer());
  return { status: answer.status, headers: answer.headers, bytes, text: bytes.toString() };
}

/** The payload inside of a JSONP call; any other text as it is. */
export function unwrapped(text) {
  const call = text.match(/^___eio\[\d+\]\((.*)\);$/s);
  return call ? JSON.parse(call[1]) : text;
}

/** A polling session, driven request by request. */
export class Session {
  constructor(server, path, eio, query) {
    Object.assign(this, { server, base: `${path}/?EIO=${eio}&transport=polling${query}` });
  }

  static async open(server, { path = server.path, eio = 4, query = "" } = {}) {
    const session = new Session(server, path, eio, query);
    session.opening = await request(server, session.base);
    assert.equal(session.opening.status, 200, session.opening.text);
    const [json] = unwrapped(session.opening.text).match(/\{.*\}/);
    session.handshake = JSON.parse(json);
    session.sid = session.handshake.sid;
    session.target = `${session.base}&sid=${encodeURIComponent(session.sid)}`;
    return session;
  }

  /** The query that a WebSocket needs to take over. */
  get webSocketTarget() {
    return this.target.replace("transport=polling", "transport=websocket");
  }

  get(options) {
    return request(this.server, this.target, options);
  }

  post(body, headers = { "content-type": "text/plain;charset=UTF-8" }) {
    return request(this.server, this.target, { method: "POST", body, headers });
  }

  async send(...packets) {
    const { status, text } = await this.post(packets.join(SEPARATOR));
    assert.deepEqual([status, text], [200, "ok"]);
  }

  /** The packets of one poll (protocol 4). */
  async poll() {
    const { status, text } = await this.get();
    assert.equal(status, 200, text);
    return text.split(SEPARATOR);
  }

  /** Polls until `count` packets have come that are no pings. */
  async packets(count) {
    const packets = [];
    while (packets.length < count) packets.push(...(await this.poll()).filter((packet) => packet !== "2"));
    assert.equal(packets.length, count, packets.join(" "));
    return packets;
  }

  /**
   * Starts a poll, posts the packet, and gives the answer of the poll. The post may overtake the poll, which then finds
   * the session closed: `null`.
   */
  async polledWhile(packet) {
    const poll = this.get();
    assert.equal((await this.post(packet)).text, "ok");
    const { status, text } = await poll;
    if (status === 400 && JSON.parse(text).code === 1) return null;
    assert.equal(status, 200, text);
    return text;
  }

  /** Asserts that the server has closed the session: it no longer knows the id. */
  async isGone() {
    const { status, text } = await this.post("4x");
    assert.equal(status, 400);
    assert.deepEqual(JSON.parse(text), { code: 1, message: "Session ID unknown" });
  }
}

/** A well-behaved WebSocket; everything it hears is in `inbox` under `message` and `close`. */
export function webSocket(t, server, target, options) {
  const ws = new WebSocket(`${server.wsUrl}${target}`, options);
  const inbox = new Inbox();
  ws.on("open", () => inbox.put("open"));
  ws.on("message", (data, isBinary) => inbox.put("message", isBinary ? data : data.toString()));
  ws.on("ping", (data) => inbox.put("ping", data));
  ws.on("pong", (data) => inbox.put("pong", data));
  ws.on("close", (code, reason) => inbox.put("close", { code, reason: reason.toString() }));
  ws.on("unexpected-response", (_, answer) => {
    let body = "";
    answer.on("data", (chunk) => (body += chunk));
    answer.on("end", () => inbox.put("refused", { status: answer.statusCode, body, headers: answer.headers }));
  });
  ws.on("error", (err) => inbox.put("error", err));
  t.after(() => ws.terminate());
  return { ws, inbox, next: () => inbox.next("message"), send: (data) => ws.send(data) };
}

/** A WebSocket session of Engine.IO 4, its open packet already read. */
export async function webSocketSession(t, server, { path = server.path, eio = 4, query = "", ...options } = {}) {
  const peer = webSocket(t, server, `${path}/?EIO=${eio}&transport=websocket${query}`, options);
  peer.handshake = JSON.parse((await peer.next()).slice(1));
  return peer;
}

/** Resolves when the other side has closed, and gives the close code. */
export async function closed(peer) {
  return (await peer.inbox.next("close")).code;
}

/** A TCP connection; `text()` is what has come, `ended` resolves when the other side is done. */
export async function tcp(t, server) {
  const socket = connect(server.port, "127.0.0.1");
  const chunks = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  const ended = new Promise((resolve) => {
    socket.on("end", resolve);
    socket.on("close", resolve);
  });
  socket.on("error", () => {});
  t?.after(() => socket.destroy());
  await within(new Promise((resolve) => socket.once("connect", resolve)), () => "no TCP connection");
  const text = () => Buffer.concat(chunks).toString("latin1");
  return {
    socket,
    text,
    ended: () => within(ended, () => `the connection is still open: ${text().slice(0, 200)}`),
    has: (part) => until(`no "${part}" in ${text().slice(0, 200)}`, () => text().includes(part)),
    write: (data) => socket.write(data),
  };
}

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** One frame as a client sends it. Everything can be spoilt. */
export function frame(kind, payload = "", { fin = true, masked = true, rsv = 0, opcode = OPCODES[kind], length } = {}) {
  const data = Buffer.from(payload);
  const announced = length ?? data.length;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const maskBit = masked ? 0x80 : 0;
  let size = Buffer.alloc(0);
  if (announced < 126) head.push(maskBit | announced);
  else if (announced < 65_536) {
    head.push(maskBit | 126);
    size = Buffer.alloc(2);
    size.writeUInt16BE(announced);
  } else {
    head.push(maskBit | 127);
    size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(announced));
  }
  if (!masked) return Buffer.concat([Buffer.from(head), size, data]);
  const mask = randomBytes(4);
  const hidden = data.map((byte, index) => byte ^ mask[index % 4]);
  return Buffer.concat([Buffer.from(head), size, mask, hidden]);
}

/** A WebSocket handshake by hand; afterwards `frames` collects what the server sends. */
export async function rawWebSocket(t, server, target) {
  const peer = await tcp(t, server);
  peer.write(
    `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
  );
  await peer.has("\r\n\r\n");
  assert.match(peer.text(), /^HTTP\/1\.1 101 /);
  return { ...peer, frames: () => framesOf(peer.text()), closeCode: () => closeCode(peer) };
}

/** The frames of a server, which are never masked. */
function framesOf(text) {
  let rest = Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1");
  const frames = [];
  while (rest.length >= 2) {
    let [length, start] = [rest[1] & 0x7f, 2];
    if (length === 126) [length, start] = [rest.readUInt16BE(2), 4];
    else if (length === 127) [length, start] = [Number(rest.readBigUInt64BE(2)), 10];
    if (rest.length < start + length) break;
    frames.push({ opcode: rest[0] & 0x0f, fin: rest[0] >= 0x80, payload: rest.subarray(start, start + length) });
    rest = rest.subarray(start + length);
  }
  return frames;
}

/** Waits for the end of the connection and gives the code of the close frame before it. */
async function closeCode(peer) {
  await peer.ended();
  const close = framesOf(peer.text()).find(({ opcode }) => opcode === OPCODES.close);
  assert.ok(close, "the connection ended without a close frame");
  return close.payload.length >= 2 ? close.payload.readUInt16BE(0) : 1005;
}
