// Sending: every message has an id from its birth, is tried until the server has numbered it, and never doubles,
// because the server answers a known id with the number it already gave.

import { bytesText, randomId } from "./dom.js";

let order = 0;

export class Outbox {
  constructor(store, link) {
    this.store = store;
    this.link = link;
    this.onstray = () => {};
  }

  /** Writes a message into a conversation and begins to send it. */
  post(conv, text, picture) {
    const message = {
      id: randomId(12),
      order: (order += 1),
      at: Date.now(),
      from: this.store.me,
      mine: true,
      text,
      state: "sending",
    };
    if (picture) {
      message.bytes = picture.bytes;
      message.url = picture.url;
      message.image = { mime: picture.type, size: picture.bytes.byteLength };
    }
    conv.add(message);
    this.#try(conv, message);
    return message;
  }

  /** The retry button: the same message, the same id. */
  retry(conv, message) {
    this.#try(conv, message);
  }

  /** After the connection is back and the conversation joined: what waited goes out, in order. */
  flush(conv) {
    for (const message of conv.messages) if (message.state === "waiting") this.#try(conv, message);
  }

  async #try(conv, message) {
    if (!this.link.online || !conv.joined) {
      message.state = "waiting";
      this.store.changed();
      return;
    }
    message.state = "sending";
    message.error = "";
    this.store.changed();
    const body = { ...conv.address, id: message.id, text: message.text };
    try {
      const reply = message.bytes
        ? await this.link.request("show", body, message.bytes)
        : await this.link.request("say", body);
      conv.number(message, reply.seq, reply.at);
      message.bytes = null;
    } catch (error) {
      const stray = error.reply?.code === "not_in_room" && !message.strayed;
      if (error.kind === "offline" || stray) message.state = "waiting";
      else if (!message.seq) {
        message.state = "failed";
        message.error = explain(error);
      }
      if (stray) {
        // The server forgot that we are in; the room is joined again, once.
        message.strayed = true;
        this.onstray(conv);
      }
    }
    this.store.changed();
  }
}

/** A sentence about a refusal, with the limit that was exceeded. */
export function explain(error) {
  const reply = error.reply;
  if (!reply) return error.message;
  if (reply.code === "rate") return `Too fast. Try again in ${Math.max(1, Math.ceil(reply.retry_after_ms / 1000))} s.`;
  if (reply.code === "image_too_large") return `The limit for an image is ${bytesText(reply.limit)}.`;
  return reply.message ?? "The server refused it.";
}
