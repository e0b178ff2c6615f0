// The chat page. This file starts it, listens to the server, and knows which conversation is in view;
// the events it speaks are those of the chat handler.

import { Compose } from "./js/compose.js";
import { $, forever, randomId, speak, stored, thisTab, toast } from "./js/dom.js";
import { friendlyName } from "./js/names.js";
import { Line } from "./js/line.js";
import { Link } from "./js/link.js";
import { Log } from "./js/log.js";
import { Outbox, explain } from "./js/outbox.js";
import { frame } from "./js/frame.js";
import { Side, hashOf } from "./js/side.js";
import { Store } from "./js/store.js";

const CLIENT = "/socket.io/socket.io.esm.min.js";
const TYPING_MS = 4000;

async function main() {
  let io;
  try {
    ({ io } = await import(CLIENT));
  } catch {
    const stop = $("stop");
    stop.textContent = "The Socket.IO client is missing on this server: start it with `make run`, or run `npm ci --prefix static` and start it again.";
    stop.hidden = false;
    $("app").inert = true;
    return;
  }
  start(io);
}

function start(io) {
  const store = new Store();
  const token = stored(forever, "greenroom.token") ?? randomId(24);
  stored(forever, "greenroom.token", token);
  store.me.name = stored(forever, "greenroom.name") ?? friendlyName();
  const link = new Link(io, stored(thisTab, "greenroom.mode") ?? "auto", () => ({ token, name: store.me.name }));
  const { socket } = link;
  const outbox = new Outbox(store, link);
  const line = new Line(store, link, (mode) => stored(thisTab, "greenroom.mode", mode));
  const panels = frame(link, store);

  const log = new Log(store, {
    retry: (message) => outbox.retry(store.active, message),
    drop: (message) => {
      store.active.drop(message);
      store.changed();
    },
    fetch: (message) => link.request("picture", { ...store.active.address, seq: message.seq }).then((reply) => reply.bytes),
    earlier,
  });
  const side = new Side(store, { leave });
  const compose = new Compose(store, {
    post: (text, picture) => outbox.post(store.active, text, picture),
    typing: (on) => link.online && store.active && socket.volatile.emit("typing", { ...store.active.address, on }),
  });

  store.addEventListener("change", () => {
    side.render();
    log.render();
    renderTyping();
  });

  // The conversation in view follows the address: `#room`, or `#@person` for a private one.

  function addressInHash() {
    let text = "";
    try {
      text = decodeURIComponent(location.hash.slice(1)).normalize("NFC").trim();
    } catch {
      // Not an encoded text: treated as none.
    }
    if (!text) return null;
    return text.startsWith("@") ? { person: text.slice(1) } : { room: text.toLowerCase() };
  }

  function follow() {
    const address = addressInHash();
    if (!address && store.me.id && ![...store.convs.values()].some((conv) => conv.wanted)) {
      view(null);
      return;
    }
    const conv = store.conv(address ?? { room: "lobby" });
    if (!address) history.replaceState(null, "", hashOf(conv));
    view(conv);
  }

  function view(conv) {
    const switched = store.active !== conv;
    store.active = conv;
    if (conv) {
      conv.unread = 0;
      conv.wanted = true;
      remember();
      if (!conv.joined) enter(conv);
    }
    if (switched) compose.show(conv);
    panels.close();
    store.changed();
  }

  function go(conv) {
    if (conv) location.hash = hashOf(conv);
    else {
      history.replaceState(null, "", location.pathname + location.search);
      view(null);
    }
  }

  function remember() {
    const rooms = [...store.convs.values()].filter((conv) => conv.wanted && conv.room !== undefined).map((conv) => conv.room);
    stored(thisTab, "greenroom.rooms", JSON.stringify(rooms));
  }

  // Joining, leaving, catching up.

  async function enter(conv) {
    if (!link.online || !store.limits || conv.entering) return;
    conv.entering = true;
    const since = conv.entered ? { after: conv.lastSeq } : {};
    try {
      const reply = conv.room === undefined ? await link.request("open", conv.person, since) : await link.request("join", conv.room, since);
      conv.entering = false;
      conv.joined = true;
      if (reply.room !== undefined && reply.room !== conv.room) return moved(conv, reply.room);
      if (reply.gap) conv.clear();
      if (!conv.entered || reply.gap) conv.more = reply.more;
      if (reply.person) store.know(reply.person);
      if (reply.people) {
        conv.people = new Map(reply.people.map((person) => [person.id, true]));
        for (const person of reply.people) store.know({ ...person, online: true });
      }
      const fresh = conv.entered;
      conv.entered = true;
      for (const message of reply.messages) take(conv, message, undefined, fresh);
      outbox.flush(conv);
    } catch (error) {
      conv.entering = false;
      if (error.kind === "refused" && error.reply.code !== "rate") {
        conv.wanted = false;
        remember();
        toast(explain(error));
        if (conv === store.active) go(store.conv({ room: "lobby" }));
      } else if (error.kind !== "offline") setTimeout(() => conv.wanted && !conv.joined && enter(conv), 2000);
    }
    store.changed();
  }

  /** The server keeps the room under another spelling. */
  function moved(conv, room) {
    store.convs.delete(conv.key);
    const other = store.conv({ room });
    other.wanted = true;
    if (conv === store.active) go(other);
    else enter(other);
    remember();
  }

  async function leave(conv) {
    conv.wanted = false;
    conv.unread = 0;
    remember();
    if (conv === store.active) go([...store.convs.values()].find((other) => other.wanted) ?? null);
    store.changed();
    if (conv.room === undefined) return;
    store.convs.delete(conv.key);
    try {
      await link.request("leave", conv.room);
    } catch {
      // Not connected: the room is not joined again, which is the same.
    }
  }

  async function earlier() {
    const conv = store.active;
    const before = conv.messages[0]?.seq;
    if (!before) return;
    try {
      const reply = await link.request("history", { ...conv.address, before });
      conv.more = reply.more;
      for (const message of reply.messages) take(conv, message, undefined, false);
      $("scroll").focus({ preventScroll: true });
    } catch (error) {
      toast(explain(error));
    }
    store.changed();
  }

  /** Takes a message in. `fresh`: it is news to the reader. */
  function take(conv, message, bytes, fresh) {
    message.mine = message.from.id === store.me.id;
    if (bytes && message.image) message.bytesIn = bytes;
    const added = conv.add(message);
    if (!added) return;
    log.receive(message);
    if (!fresh || message.mine) return;
    conv.trim();
    conv.typing.delete(message.from.id);
    const name = store.nameOf(message.from);
    const inView = conv === store.active && document.visibilityState === "visible";
    if (!inView) conv.unread += 1;
    if (conv === store.active) speak(`${name}: ${message.text || "an image"}`);
    else if (conv.person !== undefined) speak(`Private message from ${name}`);
  }

  // What the server says.

  socket.on("welcome", (hello) => {
    store.me = { ...hello.you, online: true };
    store.limits = hello.limits;
    store.server = hello.server;
    store.rooms = new Map(hello.rooms.map((room) => [room.name, room.people]));
    store.know(store.me);
    stored(forever, "greenroom.name", store.me.name);
    for (const { person, seq } of hello.private ?? []) {
      store.know(person);
      const conv = store.conv({ person: person.id });
      if (conv.wanted === undefined || (conv.entered && seq > conv.lastSeq)) conv.wanted = true;
    }
    link.settle();
    for (const conv of store.convs.values()) {
      if (!conv.wanted) continue;
      if (socket.recovered && conv.entered) {
        conv.joined = true;
        outbox.flush(conv);
      } else if (conv.room !== undefined || conv.entered || conv === store.active) enter(conv);
    }
    store.changed();
  });

  socket.on("message", (message, bytes) => {
    link.countReplayed();
    const conv = store.conv(message.room === undefined ? { person: message.from.id === store.me.id ? message.to : message.from.id } : { room: message.room });
    store.know({ ...message.from, online: true });
    if (conv.room !== undefined && !conv.wanted) return;
    conv.wanted = true;
    take(conv, message, bytes instanceof ArrayBuffer ? bytes : undefined, true);
    if (!conv.entered) enter(conv);
    store.changed();
  });

  socket.on("receipt", ({ seq, ...address }, answer) => {
    const conv = store.convs.get(address.room ?? `@${address.person}`);
    answer(conv?.messages.some((message) => message.seq === seq) ? store.me.id : null);
  });

  socket.on("delivery", ({ seq, id, got, of, ...address }) => {
    const conv = store.convs.get(address.room ?? `@${address.person}`);
    const message = conv?.messages.findLast((one) => one.mine && one.id === id);
    if (!message) return;
    if (!message.seq) conv.number(message, seq, message.at);
    Object.assign(message, { got, of, state: "sent" });
    store.changed();
  });

  socket.on("room", ({ name, people, gone }) => {
    if (gone) store.rooms.delete(name);
    else store.rooms.set(name, people);
    store.changed();
  });

  socket.on("joined", ({ room, person }) => {
    store.know({ ...person, online: true });
    const conv = store.convs.get(room);
    if (!conv || conv.people.has(person.id)) return;
    conv.people.set(person.id, true);
    if (conv === store.active && conv.people.size <= 12 && person.id !== store.me.id) speak(`${person.name} is here`);
    store.changed();
  });

  socket.on("left", ({ room, id }) => {
    const conv = store.convs.get(room);
    if (conv?.people.delete(id) && conv === store.active && conv.people.size <= 12) speak(`${store.people.get(id)?.name ?? "Somebody"} has left`);
    conv?.typing.delete(id);
    store.changed();
  });

  socket.on("person", (person) => {
    store.know(person);
    if (person.id === store.me.id) {
      store.me.name = person.name;
      stored(forever, "greenroom.name", person.name);
    }
    store.changed();
  });

  socket.on("typing", ({ from, on, ...address }) => {
    const conv = store.convs.get(address.room ?? `@${address.person}`);
    if (!conv) return;
    if (on) conv.typing.set(from.id, { name: from.name, until: Date.now() + TYPING_MS });
    else conv.typing.delete(from.id);
    store.changed();
  });

  setInterval(() => {
    const now = Date.now();
    for (const conv of store.convs.values()) {
      for (const [id, { until }] of conv.typing) {
        if (until > now) continue;
        conv.typing.delete(id);
        store.changed();
      }
    }
  }, 1000);

  function renderTyping() {
    const names = [...(store.active?.typing.values() ?? [])].map((one) => one.name);
    const text = names.length === 0 ? "" : names.length === 1 ? `${names[0]} is typing` : names.length === 2 ? `${names[0]} and ${names[1]} are typing` : `${names.length} people are typing`;
    if ($("typing-text").textContent !== text) $("typing-text").textContent = text;
    $("typing").classList.toggle("on", text !== "");
  }

  link.addEventListener("down", () => {
    for (const conv of store.convs.values()) {
      conv.joined = false;
      conv.entering = false;
      conv.typing.clear();
    }
    store.changed();
  });
  link.addEventListener("returned", () => toast(`Back: ${link.returned}.`));

  outbox.onstray = (conv) => {
    conv.joined = false;
    enter(conv);
  };

  addEventListener("hashchange", follow);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible" || !store.active?.unread) return;
    store.active.unread = 0;
    store.changed();
  });

  for (const room of rememberedRooms()) store.conv({ room }).wanted = true;
  follow();
  line.render();
  link.now();
}

function rememberedRooms() {
  try {
    const rooms = JSON.parse(stored(thisTab, "greenroom.rooms") ?? "[]");
    return Array.isArray(rooms) ? rooms.filter((room) => typeof room === "string").slice(0, 19) : [];
  } catch {
    return [];
  }
}

main();
