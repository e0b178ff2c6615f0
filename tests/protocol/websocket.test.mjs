// RFC 6455 on the raw echo: frames, fragments, control frames, close codes, UTF-8, permessage-deflate.

import assert from "node:assert/strict";
import { onEveryTarget, scenario, until } from "../harness/index.mjs";
import { closed, frame, rawWebSocket, tcp, webSocket } from "./wire.mjs";

const path = "/echo";

onEveryTarget("raw websocket", { env: { WS_ECHO_PATH: path } }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const raw = (t) => rawWebSocket(t, server, path);
  const echoed = (peer, count = 1) =>
    until("no echo", () => {
      const frames = peer.frames();
      return frames.length >= count && frames;
    });

  test("text and binary come back with their type, of any length class", async (t) => {
    const { ws, next, inbox } = webSocket(t, server, path);
    await inbox.next("open");
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000]) {
      ws.send("x".repeat(length));
      assert.equal(await next(), "x".repeat(length));
      ws.send(Buffer.alloc(length, 0x80));
      assert.ok((await next()).equals(Buffer.alloc(length, 0x80)));
    }
  });

  test("a message of 16 MiB comes back", async (t) => {
    const { ws, next, inbox } = webSocket(t, server, path, { maxPayload: 0 });
    await inbox.next("open");
    ws.send(Buffer.alloc(16 * 1024 * 1024, 1));
    assert.equal((await next()).length, 16 * 1024 * 1024);
  });

  test("a message in 20,000 fragments comes back whole", async (t) => {
    const peer = await raw(t);
    const fragments = [frame("text", "a", { fin: false })];
    for (let index = 0; index < 20_000; index += 1) fragments.push(frame("continuation", "b", { fin: false }));
    fragments.push(frame("continuation", "c"));
    peer.write(Buffer.concat(fragments));
    const whole = await until("no echo", () => {
      const frames = peer.frames();
      return frames.at(-1)?.fin && Buffer.concat(frames.map(({ payload }) => payload)).toString();
    });
    assert.equal(whole, `a${"b".repeat(20_000)}c`);
  });

  test("a frame that arrives byte by byte is taken", async (t) => {
    const peer = await raw(t);
    peer.socket.setNoDelay(true);
    for (const byte of frame("text", "slowly €")) {
      await new Promise((resolve) => peer.socket.write(Buffer.from([byte]), resolve));
    }
    const [{ opcode, payload }] = await echoed(peer);
    assert.deepEqual([opcode, payload.toString()], [1, "slowly €"]);
  });

  test("control frames between fragments are answered at once", async (t) => {
    const peer = await raw(t);
    peer.write(frame("text", "one ", { fin: false }));
    peer.write(frame("ping", "between"));
    const [pong] = await echoed(peer);
    assert.deepEqual([pong.opcode, pong.payload.toString()], [10, "between"]);
    peer.write(frame("pong", "unasked"));
    peer.write(frame("continuation", "two"));
    const frames = await echoed(peer, 2);
    assert.equal(frames[1].payload.toString(), "one two");
  });

  const violations = {
    "a frame without mask": [1002, frame("text", "a", { masked: false })],
    "a reserved bit": [1002, frame("text", "a", { rsv: 4 })],
    "another reserved bit": [1002, frame("text", "a", { rsv: 1 })],
    "an unknown opcode": [1002, frame("text", "a", { opcode: 3 })],
    "an unknown control opcode": [1002, frame("ping", "a", { opcode: 11 })],
    "a continuation of nothing": [1002, frame("continuation", "a")],
    "a new message within a message": [1002, frame("text", "a", { fin: false }), frame("text", "b")],
    "a fragmented ping": [1002, frame("ping", "a", { fin: false })],
    "a long ping": [1002, frame("ping", "a".repeat(126))],
    "a close frame of one byte": [1002, frame("close", Buffer.from([3]))],
    "a close code of nobody": [1002, frame("close", Buffer.from([0x03, 0xec]))],
    "a close code out of range": [1002, frame("close", Buffer.from([0x00, 0x01]))],
    "a close reason that is no UTF-8": [1007, frame("close", Buffer.from([0x03, 0xe8, 0xff]))],
    "text that is no UTF-8": [1007, frame("text", Buffer.from([0x61, 0xff]))],
    "text with a surrogate": [1007, frame("text", Buffer.from([0xed, 0xa0, 0x80]))],
    "text that ends within a character": [1007, frame("text", Buffer.from([0xe2, 0x82]))],
  };
  for (const [what, [code, ...frames]] of Object.entries(violations)) {
    test(`${what} closes with ${code}`, async (t) => {
      const peer = await raw(t);
      peer.write(Buffer.concat(frames));
      assert.equal(await peer.closeCode(), code);
    });
  }

  test("a character may be split over fragments", async (t) => {
    const peer = await raw(t);
    peer.write(frame("text", Buffer.from([0xe2]), { fin: false }));
    peer.write(frame("continuation", Buffer.from([0x82]), { fin: false }));
    peer.write(frame("continuation", Buffer.from([0xac])));
    assert.equal((await echoed(peer))[0].payload.toString(), "€");
  });

  test("a length beyond all limits closes at once", async (t) => {
    const peer = await raw(t);
    const head = frame("binary", "", { length: 126 });
    head[1] = 0xff;
    peer.write(Buffer.concat([head.subarray(0, 2), Buffer.from("7fffffffffffffff", "hex"), Buffer.alloc(20)]));
    assert.ok([1002, 1009].includes(await peer.closeCode()));
  });

  test("a close is answered with its code", async (t) => {
    for (const [code, expected] of [[1000, 1000], [3000, 3000], [4999, 4999]]) {
      const { ws, inbox } = webSocket(t, server, path);
      await inbox.next("open");
      ws.close(code, "reason");
      assert.equal((await inbox.next("close")).code, expected);
    }
  });

  test("what follows a close frame is ignored", async (t) => {
    const peer = await raw(t);
    peer.write(Buffer.concat([frame("close", Buffer.from([0x03, 0xe8])), frame("text", "too late")]));
    assert.equal(await peer.closeCode(), 1000);
    assert.deepEqual(peer.frames().map(({ opcode }) => opcode), [8]);
  });

  test("frames that come with the handshake are read", async (t) => {
    const peer = await tcp(t, server);
    const head =
      `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n";
    peer.write(Buffer.concat([Buffer.from(head), frame("text", "early")]));
    await peer.has("early");
  });

  test("the answer to the handshake is the one of the key", async (t) => {
    const peer = await tcp(t, server);
    peer.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nupgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n` +
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await peer.has("\r\n\r\n");
    assert.match(peer.text(), /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
  });

  const headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
  const key = "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==";
  const broken = {
    "without key": headers,
    "with a broken key": [...headers, "Sec-WebSocket-Key: short"],
    "of an unknown version": [...headers.slice(0, 2), "Sec-WebSocket-Version: 99", key],
    "without version": [...headers.slice(0, 2), key],
  };
  for (const [what, lines] of Object.entries(broken)) {
    for (const target of [path, "/socket.io/?EIO=4&transport=websocket"]) {
      test(`a handshake ${what} on ${target} is refused`, async (t) => {
        const peer = await tcp(t, server);
        peer.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n${lines.join("\r\n")}\r\n\r\n`);
        await peer.has("\r\n\r\n");
        assert.match(peer.text(), /^HTTP\/1\.1 4(00|05|26) /);
      });
    }
  }

  test("without the option nothing is compressed", async (t) => {
    const { ws, inbox } = webSocket(t, server, path, { perMessageDeflate: true });
    await inbox.next("open");
    assert.equal(ws.extensions, "");
  });
});

const deflating = { PER_MESSAGE_DEFLATE: "1", WS_ECHO_PATH: path, EIO_PATH: "/engine" };

onEveryTarget("permessage-deflate", { env: deflating }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const targets = { [path]: path, "/engine": "/engine/?EIO=4&transport=websocket" };
  const offers = {
    plainly: true,
    "without context": { clientNoContextTakeover: true, serverNoContextTakeover: true },
    "with a small window, which a server may decline": { serverMaxWindowBits: 9 },
  };

  for (const [name, target] of Object.entries(targets)) {
    for (const [how, perMessageDeflate] of Object.entries(offers)) {
      test(`${name} speaks it, offered ${how}`, async (t) => {
        const { ws, inbox, next } = webSocket(t, server, target, { perMessageDeflate });
        await inbox.next("open");
        if (name !== path) await next();
        if (!how.includes("decline")) assert.match(ws.extensions, /^permessage-deflate/);
        const texts = ["4short", `4${"long and longer ".repeat(5_000)}`, `4${"é 😀".repeat(3_000)}`, "4"];
        for (const text of [...texts, ...texts]) {
          ws.send(text);
          assert.equal(await next(), text);
          const binary = Buffer.from(text);
          ws.send(binary);
          assert.ok(binary.equals(await next()));
        }
      });
    }

    test(`${name} does without, if the client does not offer it`, async (t) => {
      const { ws, inbox } = webSocket(t, server, target, { perMessageDeflate: false });
      await inbox.next("open");
      assert.equal(ws.extensions, "");
    });
  }

  test("long messages really get shorter", async (t) => {
    const { ws, inbox, next } = webSocket(t, server, targets["/engine"], { perMessageDeflate: true });
    await inbox.next("open");
    await next();
    const before = ws._socket.bytesRead;
    ws.send(`4${"x".repeat(500_000)}`);
    await next();
    assert.ok(ws._socket.bytesRead - before < 50_000, `${ws._socket.bytesRead - before} bytes`);
  });

  test("broken compressed data closes the connection", async (t) => {
    const { ws, inbox } = webSocket(t, server, path, { perMessageDeflate: true });
    await inbox.next("open");
    ws._socket.write(frame("text", Buffer.from([0xff, 0xff, 0xff, 0xff]), { rsv: 4 }));
    await inbox.first(["close", "error"]);
  });
});

onEveryTarget("a compressed bomb", { env: { PER_MESSAGE_DEFLATE: "1", MAX_PAYLOAD: "100000" } }, (server) => {
  scenario(server, "is measured by what it becomes", async (t) => {
    const target = "/socket.io/?EIO=4&transport=websocket";
    const peer = webSocket(t, server, target, { perMessageDeflate: { threshold: 0 } });
    await peer.inbox.next("message");
    peer.send(`4${"x".repeat(5_000_000)}`);
    assert.equal(await closed(peer), 1009);
  });
});
