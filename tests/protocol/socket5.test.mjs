// Socket.IO 5 packets on the bare wire, over websocket and polling.

import assert from "node:assert/strict";
import { onEveryTarget, scenario, until } from "../harness/index.mjs";
import { closed, Session, webSocketSession } from "./wire.mjs";

const payloadOf = (packet) => JSON.parse(packet.slice(packet.search(/[[{]/)));

/** A websocket session that is connected to `/`, its answer and its `auth` event read. */
async function joined(t, server, connect = "40") {
  const peer = await webSocketSession(t, server);
  peer.send(connect);
  peer.answer = await peer.next();
  peer.auth = await peer.next();
  return peer;
}

/** Asks an observer for the server's journal of one socket. */
async function reasonOf(t, server, id) {
  const observer = await joined(t, server);
  let number = 0;
  return until(`the end of ${id} is not in the journal`, async () => {
    number += 1;
    observer.send(`42${number}["ctl:journal",{"type":"disconnect","id":"${id}"}]`);
    const [{ entries }] = payloadOf(await observer.next());
    return entries[0]?.reason;
  });
}

onEveryTarget("socket.io 5", { env: {} }, (server) => {
  const test = (name, run) => scenario(server, name, run);

  test("CONNECT is answered with exactly a sid, then comes the first event", async (t) => {
    const { answer, auth, handshake } = await joined(t, server);
    assert.match(answer, /^40\{/);
    assert.deepEqual(Object.keys(payloadOf(answer)), ["sid"]);
    assert.notEqual(payloadOf(answer).sid, handshake.sid);
    assert.equal(auth, '42["auth",{}]');
  });

  test("CONNECT over polling is answered the same way", async () => {
    const session = await Session.open(server);
    await session.send('40{"token":1}');
    const [answer, auth] = await session.packets(2);
    assert.match(answer, /^40\{"sid":"[^"]+"\}$/);
    assert.equal(auth, '42["auth",{"token":1}]');
  });

  test("CONNECT to another namespace leaves the main one alone", async (t) => {
    const peer = await joined(t, server, '40/custom,{"a":[1,2]}');
    assert.match(peer.answer, /^40\/custom,\{"sid":/);
    assert.equal(peer.auth, '42/custom,["auth",{"a":[1,2]}]');
    peer.send("42[\"message\"]");
    await closed(peer);
  });

  test("several namespaces share a session", async (t) => {
    const peer = await joined(t, server);
    peer.send("40/custom,");
    assert.match(await peer.next(), /^40\/custom,/);
    assert.equal(await peer.next(), '42/custom,["auth",{}]');
    peer.send("40/dyn-one,");
    assert.match(await peer.next(), /^40\/dyn-one,/);
    assert.equal(await peer.next(), '42/dyn-one,["auth",{}]');
    peer.send('42/custom,["message",1]');
    assert.equal(await peer.next(), '42/custom,["message-back",1]');
    peer.send("41/custom,");
    peer.send('42/dyn-one,["message",2]');
    assert.equal(await peer.next(), '42/dyn-one,["message-back",2]');
    peer.send("40/custom,");
    assert.match(await peer.next(), /^40\/custom,\{"sid":/);
  });

  for (const name of ["/random", "/dyn-", "/dyn-a-b", "/custom/", "/Custom", "/dyn-a/b"]) {
    test(`CONNECT to ${name} is refused, the session goes on`, async (t) => {
      const peer = await webSocketSession(t, server);
      peer.send(`40${name},`);
      assert.equal(await peer.next(), `44${name},{"message":"Invalid namespace"}`);
      peer.send("40");
      assert.match(await peer.next(), /^40\{/);
    });
  }

  test("a middleware refuses with message and data, and may be asked again", async (t) => {
    const peer = await webSocketSession(t, server);
    peer.send('40/auth,{"token":"wrong"}');
    assert.equal(await peer.next(), '44/auth,{"message":"unauthorized","data":{"code":"E_AUTH"}}');
    peer.send('40/auth,{"token":"secret"}');
    assert.match(await peer.next(), /^40\/auth,\{"sid":/);
    assert.equal(await peer.next(), '42/auth,["auth",{"token":"secret"}]');
  });

  test("a token in the query of the session is as good", async (t) => {
    const peer = await webSocketSession(t, server, { query: "&token=secret" });
    peer.send("40/auth,");
    assert.match(await peer.next(), /^40\/auth,\{"sid":/);
  });

  test("events and acks come back as they went", async (t) => {
    const peer = await joined(t, server);
    const lists = ["", ",1,\"2\",{\"3\":[true]}", ',{"z":1,"a":{"__proto__":[]}}', ',"\\ud800"', ',null,-0.5', ',"é 😀"'];
    for (const list of lists) {
      peer.send(`42["message"${list}]`);
      assert.equal(await peer.next(), `42["message-back"${list}]`);
      peer.send(`42456["message-with-ack"${list}]`);
      assert.equal(await peer.next(), `43456[${list.slice(1)}]`);
    }
  });

  test("ack ids of any size are kept", async (t) => {
    const peer = await joined(t, server);
    for (const id of [0, 1, 10, 4_294_967_296, Number.MAX_SAFE_INTEGER]) {
      peer.send(`42${id}["message-with-ack"]`);
      assert.equal(await peer.next(), `43${id}[]`);
    }
  });

  test("binary events and acks are reassembled and split", async (t) => {
    const peer = await joined(t, server);
    const [one, two] = [Buffer.from([1, 2, 3]), Buffer.from([0x1e])];
    const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;
    const body = `{"a":${placeholder(0)},"b":[${placeholder(1)}]}`;
    peer.send(`452-["message",${body}]`);
    peer.send(one);
    peer.send(two);
    assert.equal(await peer.next(), `452-["message-back",${body}]`);
    assert.deepEqual([await peer.next(), await peer.next()], [one, two]);
    peer.send(`451-7["message-with-ack",${placeholder(0)}]`);
    peer.send(two);
    assert.equal(await peer.next(), `461-7[${placeholder(0)}]`);
    assert.deepEqual(await peer.next(), two);
  });

  test("binary over polling is base64 after its packet", async () => {
    const session = await Session.open(server);
    await session.send("40");
    await session.packets(2);
    await session.send('451-["message",{"_placeholder":true,"num":0}]', "bAQIDBA==");
    const expected = ['451-["message-back",{"_placeholder":true,"num":0}]', "bAQIDBA=="];
    assert.deepEqual(await session.packets(2), expected);
  });

  test("the server asks, the client answers, with text and binary", async (t) => {
    const peer = await joined(t, server);
    peer.send('42["emit-with-ack",1,{"a":2}]');
    const asked = await peer.next();
    assert.match(asked, /^42\d+\["emit-with-ack",1,\{"a":2\}\]$/);
    const id = asked.match(/^42(\d+)/)[1];
    peer.send(`43${id}["answer",3]`);
    assert.equal(await peer.next(), '42["emit-with-ack","answer",3]');
    peer.send(`43${id}["answered twice"]`);
    peer.send("43999999[1]");
    peer.send('42["emit-with-ack"]');
    const second = (await peer.next()).match(/^42(\d+)\["emit-with-ack"\]$/)[1];
    peer.send(`461-${second}[{"_placeholder":true,"num":0}]`);
    peer.send(Buffer.from([9]));
    assert.equal(await peer.next(), '451-["emit-with-ack",{"_placeholder":true,"num":0}]');
    assert.deepEqual(await peer.next(), Buffer.from([9]));
  });

  test("an event without listener is ignored", async (t) => {
    const peer = await joined(t, server);
    peer.send('42["nobody listens",1]');
    peer.send('42["message"]');
    assert.equal(await peer.next(), '42["message-back"]');
  });

  test("a packet without payload is ignored", async (t) => {
    const peer = await joined(t, server);
    peer.send("42");
    peer.send('42["message"]');
    assert.equal(await peer.next(), '42["message-back"]');
  });

  test("DISCONNECT ends the socket; the session stays", async (t) => {
    const peer = await joined(t, server);
    peer.send("41");
    assert.equal(await reasonOf(t, server, payloadOf(peer.answer).sid), "client namespace disconnect");
    peer.send("40");
    assert.match(await peer.next(), /^40\{"sid":/);
  });

  test("the server's DISCONNECT says so on the wire", async (t) => {
    const peer = await joined(t, server, "40/custom,");
    peer.send('42/custom,1["ctl:disconnectSelf"]');
    assert.equal(await peer.next(), '43/custom,1[{"ok":true}]');
    assert.equal(await peer.next(), "41/custom,");
    peer.send("40/custom,");
    assert.match(await peer.next(), /^40\/custom,/);
  });

  test("the end of a session by the server says DISCONNECT, then closes", async (t) => {
    const peer = await joined(t, server);
    peer.send('421["ctl:disconnectSelf",{"close":true}]');
    assert.equal(await peer.next(), '431[{"ok":true}]');
    assert.equal(await peer.next(), "41");
    await closed(peer);
  });

  const violations = {
    "a second CONNECT": "40",
    "an unknown packet type": "49",
    "no packet type": "4",
    "a letter as type": "4abc",
    "an object as event": "42{}",
    "an empty list as event": "42[]",
    "an event without list": '42"message"',
    "broken JSON": '42["message"',
    "text before the list": '42abc["message"]',
    "text after the list": '42["message"]x',
    "an object as event name": "42[{}]",
    "null as event name": "42[null]",
    "the reserved event connect": '42["connect"]',
    "the reserved event connect_error": '42["connect_error"]',
    "the reserved event disconnect": '42["disconnect"]',
    "an event of a foreign namespace": '42/custom,["message"]',
    "an ack of a foreign namespace": "43/custom,1[]",
    "an ack that is no list": "431{}",
    "a CONNECT_ERROR of the client": '44{"message":"no"}',
    "a CONNECT with a list": "40/custom,[]",
    "a CONNECT with text": '40/custom,"text"',
    "a DISCONNECT with payload": '41{"a":1}',
    "no number of attachments": '45["message"]',
    "a broken number of attachments": '45x-["message"]',
    "a negative number of attachments": '45-1-["message"]',
    "half an attachment": '450.5-["message"]',
    "more than ten attachments": '4511-["message"]',
    "an attachment of no packet": Buffer.from([1]),
  };
  for (const [what, packet] of Object.entries(violations)) {
    test(`${what} closes the session`, async (t) => {
      const peer = await joined(t, server);
      peer.send(packet);
      await closed(peer);
      assert.equal(await reasonOf(t, server, payloadOf(peer.answer).sid), "forced close");
    });
  }

  test("a packet in the wrong state closes a polling session although no poll waits", async (t) => {
    const session = await Session.open(server);
    await session.send("40");
    const [answer] = await session.packets(2);
    await session.send("40");
    assert.equal(await reasonOf(t, server, payloadOf(answer).sid), "forced server close");
    assert.equal((await session.poll()).at(-1), "1");
    await session.isGone();
  });

  test("an event before CONNECT closes the session", async (t) => {
    const peer = await webSocketSession(t, server);
    peer.send('42["message"]');
    await closed(peer);
  });

  test("text in the middle of attachments closes the session", async (t) => {
    const peer = await joined(t, server);
    peer.send('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    peer.send(Buffer.from([1]));
    peer.send('42["message"]');
    await closed(peer);
  });

  for (const num of ["5", "-1", '"0"', "null", "1e9"]) {
    test(`a placeholder with number ${num} closes the session`, async (t) => {
      const peer = await joined(t, server);
      peer.send(`451-["message",{"_placeholder":true,"num":${num}}]`);
      peer.send(Buffer.from([1]));
      await closed(peer);
    });
  }

  test("reasons of the transport are journalled", async (t) => {
    const gone = await joined(t, server);
    gone.ws.close();
    assert.equal(await reasonOf(t, server, payloadOf(gone.answer).sid), "transport close");
    const cut = await joined(t, server);
    cut.ws.terminate();
    assert.equal(await reasonOf(t, server, payloadOf(cut.answer).sid), "transport close");
    const unknown = await joined(t, server);
    unknown.send("x");
    assert.equal(await reasonOf(t, server, payloadOf(unknown.answer).sid), "parse error");
    const pinging = await joined(t, server);
    pinging.send("2");
    assert.equal(await reasonOf(t, server, payloadOf(pinging.answer).sid), "transport error");
    const closing = await joined(t, server);
    closing.send("1");
    closing.ws.close();
    assert.equal(await reasonOf(t, server, payloadOf(closing.answer).sid), "transport close");
  });
});

onEveryTarget("volatile on the wire", { env: {} }, (server) => {
  scenario(server, "a volatile event for nobody who waits is dropped, the others are kept", async () => {
    const session = await Session.open(server);
    await session.send("40");
    await session.packets(2);
    // No poll is waiting now.
    await session.send('421["ctl:self",{"event":"news","args":["dropped"],"volatile":true}]');
    await session.send('422["ctl:self",{"event":"news","args":["kept"]}]');
    const packets = await session.packets(3);
    assert.deepEqual(packets.sort(), ['42["news","kept"]', '431[{"ok":true}]', '432[{"ok":true}]']);
  });
});

onEveryTarget("connect time-out", { env: { CONNECT_TIMEOUT: "300" }, concurrency: 3 }, (server) => {
  scenario(server, "a session without CONNECT is closed in time", async (t) => {
    const start = performance.now();
    const peer = await webSocketSession(t, server);
    await closed(peer);
    assert.ok(performance.now() - start >= 285);
  });

  scenario(server, "a refused CONNECT does not count", async (t) => {
    const peer = await webSocketSession(t, server);
    peer.send("40/random,");
    assert.match(await peer.next(), /^44\/random,/);
    await closed(peer);
  });

  scenario(server, "a session with a namespace stays", async (t) => {
    const stays = await joined(t, server);
    const goes = await webSocketSession(t, server);
    await closed(goes);
    stays.send('42["message"]');
    assert.equal(await stays.next(), '42["message-back"]');
  });

  scenario(server, "a polling session without CONNECT is closed in time", async () => {
    const session = await Session.open(server);
    assert.deepEqual(await session.poll(), ["1"]);
    await session.isGone();
  });
});

onEveryTarget("ping time-out", { env: { PING_INTERVAL: "200", PING_TIMEOUT: "200" } }, (server) => {
  scenario(server, "is a reason of its own", async (t) => {
    const peer = await joined(t, server);
    await closed(peer);
    assert.equal(await reasonOf(t, server, payloadOf(peer.answer).sid), "ping timeout");
  });
});
