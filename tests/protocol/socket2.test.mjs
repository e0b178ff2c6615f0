// Packets of Socket.IO 2 clients (Engine.IO 3) on the bare wire.

import assert from "node:assert/strict";
import { onEveryTarget, scenario } from "../harness/index.mjs";
import { closed, Session, webSocketSession } from "./wire.mjs";

onEveryTarget("socket.io 2", { env: { ALLOW_EIO3: "1" } }, (server) => {
  const test = (name, run) => scenario(server, name, run);

  /** A session whose CONNECT and first event of `/` have been read: old clients are joined without asking. */
  async function joined(t, options = {}) {
    const peer = await webSocketSession(t, server, { eio: 3, ...options });
    assert.equal(await peer.next(), "40");
    assert.equal(await peer.next(), '42["auth",{}]');
    return peer;
  }

  test("the main namespace is joined at once", async (t) => {
    const peer = await joined(t);
    peer.send('421["ctl:info"]');
    const [info] = JSON.parse((await peer.next()).slice(3));
    assert.equal(info.protocol, 3);
    // The original's id is the session's; ours keeps that one secret.
    assert.equal(info.id === peer.handshake.sid, server.isReference);
  });

  test("over polling the joined namespace comes with the handshake or the first poll", async () => {
    const session = await Session.open(server, { eio: 3, query: "&b64=1" });
    const rest = session.opening.text.includes("2:40") ? "" : (await session.get()).text;
    assert.ok((session.opening.text + rest).includes('2:4013:42["auth",{}]'), session.opening.text + rest);
  });

  test("a namespace takes its auth from its query", async (t) => {
    const peer = await joined(t);
    peer.send("40/custom?a=1&b=two%20words,");
    assert.equal(await peer.next(), "40/custom,");
    assert.equal(await peer.next(), '42/custom,["auth",{"a":"1","b":"two words"}]');
    peer.send('42/custom,1["ctl:info"]');
    const [info] = JSON.parse((await peer.next()).slice("43/custom,1".length));
    assert.equal(info.id === `/custom#${peer.handshake.sid}`, server.isReference);
    assert.equal(info.nsp, "/custom");
  });

  test("an unknown namespace is refused with a message", async (t) => {
    const peer = await joined(t);
    peer.send("40/random");
    assert.equal(await peer.next(), '44/random,{"message":"Invalid namespace"}');
  });

  test("a middleware refuses with its data alone", async (t) => {
    const peer = await joined(t);
    peer.send("40/auth?token=wrong");
    assert.equal(await peer.next(), '44/auth,{"code":"E_AUTH"}');
    peer.send("40/auth?token=secret");
    assert.equal(await peer.next(), "40/auth,");
    assert.equal(await peer.next(), '42/auth,["auth",{"token":"secret"}]');
  });

  test("a middleware sees the query of the session", async (t) => {
    const peer = await joined(t, { query: "&token=secret" });
    peer.send("40/auth");
    assert.equal(await peer.next(), "40/auth,");
  });

  test("events, acks and binary pass", async (t) => {
    const peer = await joined(t);
    peer.send('42["message","é 😀",{"z":1,"a":null}]');
    assert.equal(await peer.next(), '42["message-back","é 😀",{"z":1,"a":null}]');
    peer.send('427["message-with-ack",1]');
    assert.equal(await peer.next(), "437[1]");
    peer.send('451-["message",{"_placeholder":true,"num":0}]');
    peer.send(Buffer.from([4, 1, 2]));
    assert.equal(await peer.next(), '451-["message-back",{"_placeholder":true,"num":0}]');
    assert.deepEqual(await peer.next(), Buffer.from([4, 1, 2]));
  });

  test("binary passes over polling, in text and in binary payloads", async () => {
    for (const query of ["&b64=1", ""]) {
      const session = await Session.open(server, { eio: 3, query });
      const head = '451-["message",{"_placeholder":true,"num":0}]';
      const posted = await session.post(`${head.length}:${head}6:b4AQI=`);
      assert.deepEqual([posted.status, posted.text], [200, "ok"]);
      let received = "";
      while (!received.includes("message-back")) {
        const { status, bytes } = await session.get();
        received += bytes.toString("latin1");
        assert.equal(status, 200, received);
      }
      assert.ok(received.includes(query === "" ? "\u0004\u0001\u0002" : "6:b4AQI="), received);
    }
  });

  test("CONNECT is not needed in time, broken packets close", async (t) => {
    const peer = await joined(t);
    peer.send("42{}");
    await closed(peer);
  });
});
