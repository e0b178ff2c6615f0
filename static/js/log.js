// The list of messages of the conversation in view.

import { $, bytesText, el, icon, paintFace, setText, sync } from "./dom.js";
import { addressOf } from "./image.js";

const GROUP_MS = 5 * 60 * 1000;
const NEAR_PX = 60;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const dayName = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const PICTURES_ONLY = /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\s){1,12}$/u;

export class Log {
  #shown = null;
  #stuck = true;
  #firstKey = "";
  #lastKey = "";

  /** `actions`: retry(message), earlier(), fetch(message) -> bytes, drop(message). */
  constructor(store, actions) {
    this.store = store;
    this.actions = actions;
    this.scroll = $("scroll");
    this.list = $("log");
    this.scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    $("newer").addEventListener("click", () => this.toEnd());
    $("earlier").addEventListener("click", () => actions.earlier());
    const keep = new ResizeObserver(() => this.#stuck && this.#bottom());
    keep.observe(this.scroll);
    keep.observe(this.list);
    this.seen = new IntersectionObserver((entries) => this.#load(entries), { root: this.scroll, rootMargin: "300px" });
  }

  toEnd() {
    this.#stuck = true;
    this.#bottom();
    $("newer").hidden = true;
  }

  /** Bytes that came with a live message become the address of its image. */
  receive(message) {
    if (!message.bytesIn) return;
    message.url = addressOf(message.bytesIn);
    delete message.bytesIn;
  }

  render() {
    const conv = this.store.active;
    const switched = conv !== this.#shown;
    if (switched) {
      if (this.#shown) this.#shown.fromBottom = this.#stuck ? 0 : this.#fromBottom();
      this.list.replaceChildren();
      this.#shown = conv;
    }
    $("earlier").hidden = !conv?.more;
    this.#empty(conv);
    if (!conv) return;
    const before = { top: this.scroll.scrollTop, fromBottom: this.#fromBottom() };
    const items = rows(conv.messages);
    sync(this.list, items, (item) => item.key, (item) => this.#make(item), (node, item) => this.#update(node, item));
    const first = conv.messages[0]?.key ?? "";
    const last = conv.messages.at(-1);
    const appended = !switched && last && last.key !== this.#lastKey;
    const prepended = !switched && first !== this.#firstKey && !appended;
    this.#firstKey = first;
    this.#lastKey = last?.key ?? "";
    if (switched) {
      this.#stuck = conv.fromBottom <= NEAR_PX;
      this.scroll.scrollTop = this.scroll.scrollHeight - this.scroll.clientHeight - conv.fromBottom;
    } else if (this.#stuck || (appended && last.mine && last.state !== "sent")) this.toEnd();
    else if (prepended) this.scroll.scrollTop = this.scroll.scrollHeight - this.scroll.clientHeight - before.fromBottom;
    else this.scroll.scrollTop = before.top;
    if (this.#stuck) $("newer").hidden = true;
    else if (appended) $("newer").hidden = false;
  }

  #empty(conv) {
    const empty = $("empty");
    empty.hidden = Boolean(conv && (conv.messages.length > 0 || !conv.joined));
    if (empty.hidden) return;
    setText($("empty-head"), !conv ? "You are in no room" : conv.room ? "Nothing said yet" : "Just the two of you");
    setText(
      $("empty-text"),
      !conv ? "Pick one from the list, or name a new one." : conv.room ? "Say hello, or send the link of this room to a friend." : "What you write here only the two of you can read.",
    );
  }

  #make(item) {
    if (item.day) return el("li", { class: "day" }, el("span", { text: item.day }));
    const { message } = item;
    const time = el("time", { text: clock.format(message.at) });
    const node = el(
      "li",
      { class: "msg" },
      message.mine ? null : el("span", { class: "face", "aria-hidden": "true" }),
      el(
        "div",
        { class: "body" },
        el("p", { class: "who" }, el("span", { class: "name" }), message.mine ? null : time),
        el("div", { class: "bubble" }),
        el("p", { class: "meta" }, message.mine ? time : null, el("span", { class: "state" })),
      ),
    );
    const bubble = node.querySelector(".bubble");
    if (message.image) bubble.append(this.#picture(message));
    if (message.text) bubble.append(el("p", { class: "text", dir: "auto", text: message.text }));
    if (!message.image && PICTURES_ONLY.test(message.text) && /\p{Extended_Pictographic}/u.test(message.text)) node.classList.add("emoji");
    return node;
  }

  #update(node, item) {
    if (item.day) return;
    const { message } = item;
    node.classList.toggle("mine", Boolean(message.mine));
    node.classList.toggle("first", item.first);
    node.classList.toggle("last", item.last);
    node.dataset.state = message.state ?? "";
    const name = this.store.nameOf(message.from);
    setText(node.querySelector(".name"), message.mine ? "You" : name);
    const face = node.querySelector(".face");
    if (face) paintFace(face, { id: message.from.id, name });
    const time = node.querySelector("time");
    setText(time, clock.format(message.at));
    const iso = new Date(message.at).toISOString();
    if (time.dateTime !== iso) {
      time.dateTime = iso;
      time.title = fullTime.format(message.at);
    }
    if (message.mine) this.#state(node.querySelector(".meta"), message);
  }

  #state(meta, message) {
    const [sign, text] = stateOf(message);
    const state = meta.querySelector(".state");
    if (state.dataset.text !== text) {
      state.dataset.text = text;
      state.replaceChildren(icon(sign), text);
    }
    const retry = meta.querySelector("button");
    if (message.state === "failed" && !retry) {
      meta.append(
        el("button", { type: "button", class: "retry", text: "Retry", onclick: () => this.actions.retry(message) }),
        el("button", { type: "button", class: "retry", text: "Discard", onclick: () => this.actions.drop(message) }),
      );
    } else if (message.state !== "failed" && retry) for (const button of meta.querySelectorAll("button")) button.remove();
  }

  #picture(message) {
    const box = el("div", { class: "pic" });
    box.message = message;
    if (message.url) this.#show(box, message);
    else if (message.image.gone) box.append(el("span", { text: "The image is no longer kept." }));
    else {
      box.append(el("span", { text: `Image, ${bytesText(message.image.size)}` }));
      this.seen.observe(box);
    }
    return box;
  }

  async #load(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.seen.unobserve(target);
      const { message } = target;
      try {
        message.url ??= addressOf(await this.actions.fetch(message));
        this.#show(target, message);
      } catch (error) {
        const again = el("button", { type: "button", class: "retry", text: "Load the image" });
        again.addEventListener("click", () => {
          target.replaceChildren(el("span", { text: "Loading…" }));
          this.seen.observe(target);
        });
        target.replaceChildren(error.reply?.code === "gone" ? el("span", { text: error.message }) : again);
      }
    }
  }

  #show(box, message) {
    if (!message.url) {
      box.replaceChildren(el("span", { text: "This image cannot be shown." }));
      return;
    }
    const alt = message.text ? `Image: ${message.text}` : `Image from ${message.mine ? "you" : this.store.nameOf(message.from)}`;
    const image = el("img", { src: message.url, alt, onerror: () => box.replaceChildren(el("span", { text: "This image cannot be shown." })) });
    box.replaceChildren(
      el("button", { type: "button", "aria-label": `Enlarge. ${alt}`, onclick: () => enlarge(message.url, alt) }, image),
    );
  }

  #scrolled() {
    this.#stuck = this.#fromBottom() <= NEAR_PX;
    if (this.#stuck) $("newer").hidden = true;
  }

  #fromBottom() {
    return this.scroll.scrollHeight - this.scroll.clientHeight - this.scroll.scrollTop;
  }

  #bottom() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }
}

function stateOf(message) {
  switch (message.state) {
    case "waiting":
      return ["clock", "waiting for the connection"];
    case "sending":
      return ["clock", "sending"];
    case "failed":
      return ["alert", `not sent. ${message.error}`];
    default:
      if (!message.of) return ["one", "sent"];
      return message.got === 0 ? ["one", "sent, received by nobody yet"] : ["two", `received by ${message.got}${message.got < message.of ? ` of ${message.of}` : ""}`];
  }
}

/** Messages with a line for every new day, and the first and last of what one person said in a row. */
function rows(messages) {
  const items = [];
  let previous = null;
  let item = null;
  for (const message of messages) {
    const day = new Date(message.at).toDateString();
    const newDay = !previous || new Date(previous.at).toDateString() !== day;
    if (newDay) items.push({ key: `day ${day}`, day: dayText(message.at) });
    const joins = !newDay && previous.from.id === message.from.id && message.at - previous.at < GROUP_MS;
    if (item) item.last = !joins;
    item = { key: message.key, message, first: !joins, last: true };
    items.push(item);
    previous = message;
  }
  return items;
}

function dayText(at) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86400000);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : dayName.format(at);
}

function enlarge(url, alt) {
  $("picture-img").src = url;
  $("picture-img").alt = alt;
  $("picture").showModal();
}
