// What the page knows: me, people, rooms, conversations and their messages. No DOM and no network in here.

const KEPT = 400; // messages held per conversation; older ones can be fetched again

/** The key of a conversation from anything that carries `room` or `person`. */
export const keyOf = (conv) => (conv.room === undefined ? `@${conv.person}` : conv.room);

export class Conversation {
  messages = []; // sorted: those with a seq by it, then the unsent ones in the order they were written
  byId = new Map();
  people = new Map(); // who is here, of a room
  typing = new Map(); // person id -> { name, until }
  lastSeq = 0;
  unread = 0;
  more = false;
  wanted = undefined; // the reader wants to be in it: true or false, undefined as long as nobody asked
  joined = false; // the server knows that, on this connection
  entered = false; // its history is here up to `lastSeq`
  entering = false;
  draft = "";
  picture = null; // an image that waits for its caption
  fromBottom = 0; // where the reader was, counted from the end

  constructor(conv) {
    this.room = conv.room;
    this.person = conv.person;
    this.key = keyOf(conv);
  }

  /** `{ room }` or `{ person }`, as the server wants it. */
  get address() {
    return this.room === undefined ? { person: this.person } : { room: this.room };
  }

  /** Takes a message in once, whoever brings it: live, replayed, from the history or as our own. */
  add(message) {
    const id = `${message.mine ? "me" : message.from.id}/${message.id}`;
    const known = this.byId.get(id);
    if (known) {
      if (message.seq && !known.seq) this.number(known, message.seq, message.at);
      return null;
    }
    message.key = id;
    this.byId.set(id, message);
    this.messages.push(message);
    if (message.seq) this.lastSeq = Math.max(this.lastSeq, message.seq);
    this.#sort();
    return message;
  }

  /** A message of ours got its place from the server. */
  number(message, seq, at) {
    message.seq = seq;
    message.at = at;
    if (message.state !== "sent") message.state = "sent";
    this.lastSeq = Math.max(this.lastSeq, seq);
    this.#sort();
  }

  /** Takes back a message that was never sent. */
  drop(message) {
    this.messages = this.messages.filter((one) => one !== message);
    this.byId.delete(message.key);
    if (message.url) URL.revokeObjectURL(message.url);
  }

  /** Forgets everything the server has (after a gap), and keeps what it has not got yet. */
  clear() {
    this.messages = this.messages.filter((message) => !message.seq);
    this.byId = new Map(this.messages.map((message) => [message.key, message]));
  }

  trim() {
    while (this.messages.length > KEPT && this.messages[0].seq) {
      const message = this.messages.shift();
      this.byId.delete(message.key);
      if (message.url) URL.revokeObjectURL(message.url);
      this.more = true;
    }
  }

  #sort() {
    this.messages.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || a.order - b.order || 0);
  }
}

/** Emits "change" once per turn, however much changed in it. */
export class Store extends EventTarget {
  me = { id: "", name: "" };
  limits = null;
  server = null;
  rooms = new Map(); // name -> number of people
  people = new Map(); // id -> { id, name, online }
  convs = new Map();
  active = null;
  #queued = false;

  conv(address) {
    const key = keyOf(address);
    let conv = this.convs.get(key);
    if (!conv) this.convs.set(key, (conv = new Conversation(address)));
    return conv;
  }

  know(person) {
    const known = this.people.get(person.id);
    if (known) Object.assign(known, person);
    else this.people.set(person.id, { online: true, ...person });
  }

  nameOf(person) {
    return this.people.get(person.id)?.name ?? person.name;
  }

  titleOf(conv) {
    return conv.room ?? this.people.get(conv.person)?.name ?? "Somebody";
  }

  changed() {
    if (this.#queued) return;
    this.#queued = true;
    // Not requestAnimationFrame: a tab in the background must count unread messages too.
    queueMicrotask(() => {
      this.#queued = false;
      this.dispatchEvent(new Event("change"));
    });
  }
}
