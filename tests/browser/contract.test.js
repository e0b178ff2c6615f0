// What the chat handler accepts and refuses, asked by the official client without a page.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { ChatServer, dial, next, welcomed } from "./helper.js";

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]);

let server;
let clients = [];
before(async () => (server = await ChatServer.start()));
after(() => server.kill());
afterEach(() => {
  for (const client of clients) client.disconnect();
  clients = [];
});

let counter = 0;
const fresh = (word) => `${word}-${process.pid}-${(counter += 1)}`;

function connect(auth) {
  const socket = dial(server, auth);
  clients.push(socket);
  return socket;
}

async function enter(name = fresh("P"), token = fresh("token-of-sixteen")) {
  return { token, ...(await welcomed(connect({ token, name }))) };
}

const code = async (promise) => (await promise).code ?? "ok";

test("the welcome announces person, limits, rooms and server", async () => {
  const { welcome } = await enter("Ada");
  assert.equal(welcome.you.name, "Ada");
  assert.match(welcome.you.id, /^[A-Za-z0-9_-]{12}$/u);
  assert.deepEqual(welcome.limits, {
    name_chars: 24,
    room_chars: 32,
    text_chars: 2000,
    image_bytes: 700000,
    image_types: ["image/png", "image/jpeg", "image/gif", "image/webp"],
    history: 50,
    rooms_per_tab: 20,
    rooms: 500,
  });
  assert.ok(welcome.rooms.some((room) => room.name === "lobby"));
  assert.deepEqual(welcome.private, []);
  assert.ok(welcome.server.name && welcome.server.version);
});

test("a connection without a good token is refused with code and message", async () => {
  for (const auth of [undefined, {}, { token: 5 }, { token: "short" }, { token: "x".repeat(65) }, { token: "with space in it!!" }]) {
    const [error] = await next(connect(auth), "connect_error");
    assert.equal(error.data.code, "bad_auth");
    assert.ok(error.data.message);
  }
});

test("names: bad ones are replaced at connect and refused later, taken ones numbered and refused", async () => {
  const name = fresh("Nora");
  const one = await enter(`  ${name}\t `);
  assert.equal(one.me.name, name);
  const two = await enter(name.toUpperCase());
  assert.equal(two.me.name, `${name.toUpperCase()} 2`);
  for (const bad of [undefined, 7, "", "   ", "x".repeat(25), "a\u0000b", "a\u202eb"]) {
    const guest = await enter(bad);
    assert.notEqual(guest.me.name.trim(), "");
    assert.notEqual(guest.me.name, bad);
    guest.socket.disconnect();
    if (bad !== undefined) assert.equal(await code(one.ask("name", bad)), "bad_name");
  }
  assert.equal((await one.ask("name", "x".repeat(25))).limit, 24);
  assert.equal(await code(one.ask("name", two.me.name.toLowerCase())), "name_taken");
  assert.equal((await one.ask("name", "🎭".repeat(24))).name, "🎭".repeat(24));
});

test("rooms: names are checked and lower-cased, joining twice is joining once", async () => {
  const { ask } = await enter();
  for (const bad of ["", "x".repeat(33), "a b", "-a", "a/b", "<b>", "@id", "user:x"]) assert.equal(await code(ask("join", bad)), "bad_room", bad);
  for (const bad of [null, 5, {}, ["a"]]) assert.equal(await code(ask("join", bad)), "bad_request");
  const reply = await ask("join", "Ünder-Stage_9");
  assert.equal(reply.room, "ünder-stage_9");
  assert.equal(reply.people.length, 1);
  assert.deepEqual([reply.messages, reply.more, reply.gap], [[], false, false]);
  assert.equal((await ask("join", "ünder-stage_9")).people.length, 1);
  assert.equal(await code(ask("leave", "ünder-stage_9")), "ok");
  assert.equal(await code(ask("leave", "ünder-stage_9")), "ok");
});

test("a tab can be in twenty rooms", async () => {
  const { ask } = await enter();
  for (let i = 0; i < 20; i += 1) assert.equal(await code(ask("join", fresh("many"))), "ok");
  const reply = await ask("join", fresh("many"));
  assert.deepEqual([reply.ok, reply.code, reply.limit], [false, "too_many_rooms", 20]);
});

test("what is said reaches the others once, with the same number the ack gave", async () => {
  const room = fresh("talk");
  const ada = await enter();
  const bob = await enter();
  await ada.ask("join", room);
  await bob.ask("join", room);
  const heard = next(bob.socket, "message");
  bob.socket.on("receipt", (_, answer) => answer(bob.me.id));
  const report = next(ada.socket, "delivery");
  const id = fresh("message");
  const ack = await ada.ask("say", { room, id, text: "  hello\n\tyou  " });
  const [message] = await heard;
  assert.deepEqual(message, { seq: ack.seq, id, at: ack.at, from: ada.me, text: "hello\n\tyou", room });
  assert.equal(ack.duplicate, false);
  assert.deepEqual((await report)[0], { room, seq: ack.seq, id, got: 1, of: 1 });
  const repeats = [];
  bob.socket.on("message", (again) => repeats.push(again.text));
  assert.deepEqual(await ada.ask("say", { room, id, text: "hello again" }), { ok: true, seq: ack.seq, at: ack.at, duplicate: true });
  // Listening before it can come: the ack and the delivery may arrive in one piece.
  const delivered = next(ada.socket, "delivery");
  await ada.ask("say", { room, id: fresh("message"), text: "the next" });
  await delivered;
  assert.deepEqual(repeats, ["the next"]);
  assert.deepEqual((await bob.ask("join", room)).messages.map((one) => one.text), ["hello\n\tyou", "the next"]);
});

test("wrong words are refused by name", async () => {
  const room = fresh("strict");
  const { ask } = await enter();
  const say = (body) => code(ask("say", body));
  const id = () => fresh("message");
  assert.equal(await say({ room, id: id(), text: "x" }), "not_in_room");
  await ask("join", room);
  assert.equal(await say({ room, id: id(), text: " \n " }), "empty");
  assert.equal(await say({ room, id: id(), text: "x".repeat(2001) }), "too_long");
  assert.equal(await say({ room, id: id(), text: "🎭".repeat(2000) }), "ok");
  assert.equal((await ask("say", { room, id: id(), text: "x".repeat(2001) })).limit, 2000);
  assert.equal(await say({ room, id: id(), text: "a\u0007b" }), "bad_request");
  assert.equal(await say({ room, id: "short", text: "x" }), "bad_id");
  assert.equal(await say({ room, id: "x".repeat(41), text: "x" }), "bad_id");
  assert.equal(await say({ person: "nobody", id: id(), text: "x" }), "no_such_person");
  for (const body of [undefined, null, 5, "text", []]) assert.notEqual(await say(body), "ok");
  assert.equal(await say({ room, id: id(), text: 5 }), "bad_request");
  assert.equal(await code(ask("history", { room: fresh("other"), before: 1 })), "not_in_room");
});

test("pictures: kinds by their first bytes, the limit, live bytes and bytes from the history", async () => {
  const room = fresh("gallery");
  const ada = await enter();
  const bob = await enter();
  await ada.ask("join", room);
  await bob.ask("join", room);
  const show = (bytes, text = "") => ada.ask("show", { room, id: fresh("message"), text }, bytes);
  assert.equal(await code(show(Buffer.from("<svg/>"))), "image_type");
  const refused = await show(Buffer.concat([PNG, Buffer.alloc(700000)]));
  assert.deepEqual([refused.code, refused.limit], ["image_too_large", 700000]);
  assert.equal(await code(show("text")), "bad_request");
  assert.equal(await code(show(Buffer.alloc(0))), "bad_request");
  const live = next(bob.socket, "message");
  const ack = await show(PNG, "caption");
  assert.ok(ack.ok, ack.message);
  const [message, bytes] = await live;
  assert.deepEqual(message.image, { mime: "image/png", size: PNG.length });
  assert.deepEqual(Buffer.from(bytes), PNG);
  const history = await bob.ask("join", room);
  assert.deepEqual(history.messages[0], { ...message });
  const reply = await bob.ask("picture", { room, seq: ack.seq });
  assert.equal(reply.mime, "image/png");
  assert.deepEqual(Buffer.from(reply.bytes), PNG);
  assert.equal(await code(bob.ask("picture", { room, seq: ack.seq + 1 })), "gone");
});

test("private messages go to both people's tabs and to nobody else", async () => {
  const ada = await enter();
  const adaToo = await enter("ignored", ada.token);
  const bob = await enter();
  const cleo = await enter();
  assert.deepEqual(adaToo.me, ada.me);
  const strangers = [];
  cleo.socket.onAny((event, ...args) => ["message", "receipt", "delivery", "typing"].includes(event) && strangers.push([event, ...args]));
  const heard = [next(adaToo.socket, "message"), next(bob.socket, "message")];
  assert.deepEqual((await ada.ask("open", bob.me.id)).person, { ...bob.me, online: true });
  const ack = await ada.ask("say", { person: bob.me.id, id: fresh("message"), text: "for you" });
  for (const one of heard) {
    const [message] = await one;
    assert.deepEqual([message.text, message.to, message.room, message.seq], ["for you", bob.me.id, undefined, ack.seq]);
  }
  assert.deepEqual((await bob.ask("open", ada.me.id)).messages.map((one) => one.text), ["for you"]);
  assert.deepEqual((await cleo.ask("open", ada.me.id)).messages, []);
  assert.equal(await code(ada.ask("open", ada.me.id)), "no_such_person");
  assert.deepEqual(strangers, []);
  const again = await enter("ignored", bob.token);
  assert.deepEqual(again.welcome.private, [{ person: { ...ada.me, online: true }, seq: ack.seq }]);
});

test("a client above the rate is told when to try again", async () => {
  const room = fresh("flood");
  const { ask } = await enter();
  await ask("join", room);
  const replies = await Promise.all(Array.from({ length: 40 }, () => ask("say", { room, id: fresh("message"), text: "x" })));
  const refused = replies.filter((reply) => !reply.ok);
  assert.ok(refused.length >= 10);
  for (const reply of refused) {
    assert.equal(reply.code, "rate");
    assert.ok(reply.retry_after_ms > 0 && reply.retry_after_ms <= 1000);
  }
});

test("history: fifty on join, those after a number, and the earlier ones", async () => {
  const room = fresh("long");
  const people = [await enter(), await enter(), await enter()];
  for (const one of people) await one.ask("join", room);
  const seqs = [];
  for (let i = 0; i < 60; i += 1) {
    const reply = await people[i % 3].ask("say", { room, id: fresh("message"), text: `n${i}` });
    assert.ok(reply.ok, reply.message);
    seqs.push(reply.seq);
  }
  assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b));
  const { ask } = await enter();
  const all = await ask("join", room);
  assert.deepEqual(all.messages.map((one) => one.seq), seqs.slice(10));
  assert.deepEqual([all.more, all.gap], [true, false]);
  const some = await ask("join", room, { after: seqs[49] });
  assert.deepEqual([some.messages.map((one) => one.seq), some.gap], [seqs.slice(50), false]);
  assert.equal((await ask("join", room, { after: seqs[0] })).gap, true);
  const earlier = await ask("history", { room, before: seqs[10] });
  assert.deepEqual([earlier.messages.map((one) => one.seq), earlier.more], [seqs.slice(0, 10), false]);
});

test("live counts, people by joined and left, and leaving is at once", async () => {
  const room = fresh("count");
  const ada = await enter();
  const bob = await enter();
  const bobToo = await enter("ignored", bob.token);
  await ada.ask("join", room);
  const joined = next(ada.socket, "joined", (event) => event.person.id === bob.me.id);
  const two = next(ada.socket, "room", (event) => event.name === room && event.people === 2);
  await bob.ask("join", room);
  await bobToo.ask("join", room);
  assert.deepEqual((await joined)[0], { room, person: bob.me });
  await two;
  const left = next(ada.socket, "left");
  const one = next(ada.socket, "room", (event) => event.name === room && event.people === 1);
  await bob.ask("leave", room);
  await bobToo.ask("leave", room);
  assert.deepEqual((await left)[0], { room, id: bob.me.id });
  await one;
});

test("events without a name of ours and acks nobody asked for do no harm", async () => {
  const { socket, ask } = await enter();
  socket.emit("nonsense", 1, { a: [] });
  socket.emit("say");
  socket.emit("typing", 5);
  socket.emit("typing", { room: "lobby" });
  socket.emit("join", "lobby");
  assert.equal(await code(ask("join", "lobby")), "ok");
});
