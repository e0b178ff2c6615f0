// The message box: text, images by paste, drop or file, the limit's counter, and saying that one is typing.

import { $, bytesText, toast } from "./dom.js";
import { imageIn, shrink, take } from "./image.js";

const TYPING_EVERY_MS = 2500;
const COUNT_FROM = 200; // characters left when the counter appears

export class Compose {
  #typingAt = 0;

  /** `actions`: post(text, picture), typing(on). */
  constructor(store, actions) {
    this.store = store;
    this.actions = actions;
    this.text = $("text");
    this.text.addEventListener("input", () => this.#typed());
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#submit();
      }
    });
    $("compose").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    $("attach").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => {
      const [file] = $("file").files;
      if (file) this.take(file);
      $("file").value = "";
    });
    $("staged-drop").addEventListener("click", () => this.#drop());
    $("warn-close").addEventListener("click", () => this.warn(""));
    document.addEventListener("paste", (event) => {
      const file = imageIn(event.clipboardData);
      if (!file) return;
      event.preventDefault();
      this.take(file);
    });
    const talk = $("talk");
    for (const kind of ["dragenter", "dragover"]) {
      talk.addEventListener(kind, (event) => {
        if (![...event.dataTransfer.types].includes("Files")) return;
        event.preventDefault();
        talk.classList.add("dropping");
      });
    }
    talk.addEventListener("dragleave", (event) => !talk.contains(event.relatedTarget) && talk.classList.remove("dropping"));
    talk.addEventListener("drop", (event) => {
      talk.classList.remove("dropping");
      event.preventDefault();
      const file = imageIn(event.dataTransfer);
      if (file) this.take(file);
      else this.warn("Only images can be dropped here.");
    });
  }

  /** Puts the draft of the conversation in view into the box. */
  show(conv) {
    this.text.value = conv?.draft ?? "";
    this.warn("");
    this.#stage();
    this.#fit();
    this.#count();
  }

  async take(file) {
    const conv = this.store.active;
    if (!conv || !this.store.limits) return;
    this.warn("");
    const { picture, problem, smaller } = await take(file, this.store.limits);
    if (!picture) {
      this.warn(problem, smaller && "Send a smaller copy", async () => {
        const copy = await shrink(file, this.store.limits.image_bytes);
        if (copy) this.#picked(conv, copy);
        else this.warn("This image could not be made small enough.");
      });
      return;
    }
    this.#picked(conv, picture);
  }

  warn(text, action, run) {
    $("warn").hidden = !text;
    $("warn-text").textContent = text;
    $("warn-do").hidden = !action;
    $("warn-do").textContent = action || "";
    $("warn-do").onclick = () => {
      this.warn("");
      run();
    };
  }

  #picked(conv, picture) {
    if (conv.picture) URL.revokeObjectURL(conv.picture.url);
    conv.picture = picture;
    this.warn("");
    this.#stage();
    this.text.focus();
  }

  #drop() {
    const conv = this.store.active;
    if (conv?.picture) URL.revokeObjectURL(conv.picture.url);
    conv.picture = null;
    this.#stage();
    this.text.focus();
  }

  #stage() {
    const picture = this.store.active?.picture;
    $("staged").hidden = !picture;
    if (!picture) {
      $("staged-img").removeAttribute("src");
      return;
    }
    $("staged-img").src = picture.url;
    $("staged-text").textContent = `${bytesText(picture.bytes.byteLength)}. Add a line, or just send.`;
  }

  #typed() {
    const conv = this.store.active;
    if (!conv) return;
    conv.draft = this.text.value;
    this.#fit();
    this.#count();
    const now = Date.now();
    if (!this.text.value) this.#still();
    else if (now - this.#typingAt > TYPING_EVERY_MS) {
      this.#typingAt = now;
      this.actions.typing(true);
    }
  }

  #still() {
    if (this.#typingAt === 0) return;
    this.#typingAt = 0;
    this.actions.typing(false);
  }

  #count() {
    const limit = this.store.limits?.text_chars ?? Infinity;
    const left = limit - [...this.text.value.trim()].length;
    $("left").hidden = left > COUNT_FROM;
    $("left").textContent = left < 0 ? `${-left} too many` : `${left} left`;
    $("left").classList.toggle("over", left < 0);
    return left;
  }

  #fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 180)}px`;
  }

  #submit() {
    const conv = this.store.active;
    const text = this.text.value.trim();
    if (!conv || (!text && !conv.picture)) return;
    if (this.#count() < 0) {
      toast(`A message has at most ${this.store.limits.text_chars} characters.`);
      return;
    }
    const { picture } = conv;
    conv.draft = "";
    conv.picture = null;
    this.text.value = "";
    this.#typingAt = 0;
    this.#stage();
    this.#fit();
    this.#count();
    this.actions.post(text, picture);
    this.text.focus();
  }
}
