// The connection line and its panel: transport, countdown, how the last return went, and the demonstration buttons.

import { $, bytesText, el, setText, speak } from "./dom.js";

const WIRE_LINES = 80;
const CUT_MS = 5000;

export class Line {
  #spoken = "";
  #wire = [];

  constructor(store, link, onmode) {
    this.store = store;
    this.link = link;
    link.addEventListener("state", () => this.render());
    setInterval(() => link.phase === "waiting" && this.render(), 250);
    for (const input of $("modes").querySelectorAll("input")) {
      input.checked = input.value === link.mode;
      input.addEventListener("change", () => {
        onmode(input.value);
        link.setMode(input.value);
      });
    }
    $("cut").addEventListener("click", () => link.cut(CUT_MS));
    $("away-now").addEventListener("click", () => link.now());
    link.socket.onAny((event, ...args) => this.#note("in", event, args));
    link.socket.onAnyOutgoing((event, ...args) => this.#note("out", event, args));
    $("wire").addEventListener("toggle", () => this.#paintWire());
  }

  render() {
    const { link } = this;
    const line = $("line");
    line.dataset.phase = link.phase;
    const text = words(link);
    setText($("line-text"), link.phase === "online" ? link.transport : text);
    $("away").hidden = link.phase === "online" || (link.phase === "connecting" && !link.returned && !link.reason);
    setText($("away-text"), sentence(link));
    $("away-now").hidden = link.phase === "connecting";
    $("cut").disabled = !link.online;
    setText($("fact-state"), text);
    setText($("fact-transport"), link.online ? link.transport : "none");
    setText($("fact-rtt"), link.rttMs === null ? "not measured yet" : `${link.rttMs < 10 ? link.rttMs.toFixed(1) : Math.round(link.rttMs)} ms`);
    setText($("fact-return"), link.returned || "none yet");
    const { server } = this.store;
    setText($("fact-server"), server ? `${server.name} ${server.version}` : "unknown");
    // The countdown is for the eyes; ears get the changes only.
    const spoken = link.phase === "waiting" ? "Connection lost, reconnecting" : link.phase === "online" ? `Connected over ${link.transport}` : link.phase === "refused" ? link.reason : "";
    if (spoken && spoken !== this.#spoken) {
      if (this.#spoken) speak(spoken);
      this.#spoken = spoken;
    }
  }

  #note(way, event, args) {
    this.#wire.unshift({ way, event, args: args.filter((arg) => typeof arg !== "function").map(short).join(", ") });
    this.#wire.length = Math.min(this.#wire.length, WIRE_LINES);
    this.#paintWire();
  }

  #paintWire() {
    if (!$("wire").open) return;
    $("wire-log").replaceChildren(
      ...this.#wire.map(({ way, event, args }) => el("li", { class: way }, el("b", { text: `${way === "in" ? "←" : "→"} ${event}` }), ` ${args}`)),
    );
  }
}

function words(link) {
  switch (link.phase) {
    case "online":
      return "connected";
    case "waiting":
      return `reconnecting in ${link.secondsLeft} s`;
    case "refused":
      return "refused";
    default:
      return "connecting";
  }
}

function sentence(link) {
  switch (link.phase) {
    case "waiting":
      return `No connection. Reconnecting in ${link.secondsLeft} s. What you write now is sent then.`;
    case "refused":
      return `The server refused the connection: ${link.reason}`;
    default:
      return "Connecting…";
  }
}

function short(arg) {
  if (arg instanceof ArrayBuffer || ArrayBuffer.isView(arg)) return `<${bytesText(arg.byteLength)}>`;
  const text = JSON.stringify(arg) ?? "";
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
