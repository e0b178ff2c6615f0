// The connection: one Socket.IO socket, its transport, its way back after a loss, and requests with acks.
//
// The client's own reconnection is off and done here instead, because the page shows the seconds that remain.

const ACK_MS = 6000;
const FIRST_DELAY_MS = 1000;
const LAST_DELAY_MS = 15000;
const MODES = { auto: ["polling", "websocket"], polling: ["polling"], websocket: ["websocket"] };

/** Why a request did not succeed. `kind`: "offline", "timeout", or "refused" with the server's reply. */
export class RequestError extends Error {
  constructor(kind, reply) {
    super(reply?.message ?? (kind === "timeout" ? "The server did not answer." : "Not connected."));
    this.kind = kind;
    this.reply = reply;
  }
}

/** Events: "state" (something the connection line shows has changed), "up" (welcome may be awaited), "down". */
export class Link extends EventTarget {
  phase = "connecting"; // connecting | online | waiting | refused
  transport = "";
  reason = "";
  retryAt = 0;
  rttMs = null;
  returned = ""; // how the last return went, in words
  #attempt = 0;
  #timer = 0;
  #nextDelay = null;
  #downAt = 0;
  #replayed = 0;

  constructor(io, mode, auth) {
    super();
    this.mode = mode in MODES ? mode : "auto";
    this.socket = io({
      autoConnect: false,
      reconnection: false,
      transports: MODES[this.mode],
      timeout: 10000,
      auth: (give) => give(auth()),
    });
    this.socket.on("connect", () => this.#up());
    this.socket.on("disconnect", (reason) => this.#down(reason));
    this.socket.on("connect_error", (error) => this.#failed(error));
    addEventListener("online", () => this.phase === "waiting" && this.now());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.phase === "waiting" && this.#nextDelay === null) this.now();
    });
  }

  get online() {
    return this.phase === "online";
  }

  /** Seconds until the next attempt, at least 1 while waiting. */
  get secondsLeft() {
    return Math.max(1, Math.ceil((this.retryAt - Date.now()) / 1000));
  }

  /** Tries to connect at once. */
  now() {
    clearTimeout(this.#timer);
    this.#nextDelay = null;
    this.#set("connecting");
    this.socket.connect();
  }

  /** Uses these transports from now on; a live connection is replaced. */
  setMode(mode) {
    this.mode = mode;
    this.socket.io.opts.transports = MODES[mode];
    if (this.online) this.cut(0);
    else if (this.phase === "waiting") this.now();
  }

  /** Ends the connection and stays away for so long. */
  cut(ms) {
    if (!this.online) return;
    this.#nextDelay = ms;
    this.socket.io.engine.close();
  }

  /** Sends an event and gives its reply. A reply that says no is thrown. */
  async request(event, ...args) {
    if (!this.socket.connected) throw new RequestError("offline");
    const begin = performance.now();
    let reply;
    try {
      reply = await this.socket.timeout(ACK_MS).emitWithAck(event, ...args);
    } catch {
      throw new RequestError(this.socket.connected ? "timeout" : "offline");
    }
    this.rttMs = performance.now() - begin;
    this.#changed();
    if (!reply?.ok) throw new RequestError("refused", reply ?? { message: "The server sent an empty answer." });
    return reply;
  }

  /** Counts a message that arrived between a loss and the welcome after it: it was replayed. */
  countReplayed() {
    if (this.#downAt !== 0) this.#replayed += 1;
  }

  /** Called with the welcome, which follows whatever was replayed. */
  settle() {
    if (this.#downAt === 0) return;
    const away = Math.max(1, Math.round((Date.now() - this.#downAt) / 1000));
    const n = this.#replayed;
    this.returned = this.socket.recovered
      ? `recovered after ${away} s, ${n === 0 ? "nothing was missed" : n === 1 ? "1 missed message replayed" : `${n} missed messages replayed`}`
      : `new session after ${away} s, caught up from the history`;
    this.#downAt = 0;
    this.#replayed = 0;
    this.dispatchEvent(new Event("returned"));
    this.#changed();
  }

  #up() {
    this.#attempt = 0;
    this.reason = "";
    const engine = this.socket.io.engine;
    this.transport = engine.transport.name;
    engine.on("upgrade", (transport) => {
      this.transport = transport.name;
      this.#changed();
    });
    this.#set("online");
    this.dispatchEvent(new Event("up"));
  }

  #down(reason) {
    if (this.#downAt === 0) this.#downAt = Date.now();
    this.reason = reason;
    this.#wait();
    this.dispatchEvent(new Event("down"));
  }

  #failed(error) {
    if (error.data?.code) {
      this.reason = error.data.message ?? error.message;
      this.#set("refused");
      return;
    }
    this.reason = error.message;
    this.#wait();
  }

  #wait() {
    const full = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt);
    // Jitter, so that a thousand pages do not come back in the same moment.
    const delay = this.#nextDelay ?? full * (0.75 + Math.random() / 2);
    if (this.#nextDelay === null) this.#attempt += 1;
    this.retryAt = Date.now() + delay;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), delay);
    this.#set("waiting");
  }

  #set(phase) {
    this.phase = phase;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("state"));
  }
}
