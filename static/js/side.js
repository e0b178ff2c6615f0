// The lists: my rooms, private conversations, other rooms, and who is here.

import { $, el, icon, paintFace, setText, sync } from "./dom.js";

export const hashOf = (conv) => `#${conv.room === undefined ? `@${conv.person}` : encodeURIComponent(conv.room)}`;

export class Side {
  /** `actions`: leave(conv), close(conv). */
  constructor(store, actions) {
    this.store = store;
    this.actions = actions;
    $("find-text").addEventListener("input", () => this.render());
  }

  render() {
    const { store } = this;
    const wanted = [...store.convs.values()].filter((conv) => conv.wanted);
    const find = $("find-text").value.trim().toLowerCase();
    const matches = (name) => name.toLowerCase().includes(find);
    const mine = wanted.filter((conv) => conv.room !== undefined && matches(conv.room)).sort(byTitle(store));
    const people = wanted.filter((conv) => conv.person !== undefined && matches(store.titleOf(conv))).sort(byTitle(store));
    const more = [...store.rooms]
      .filter(([name]) => matches(name) && !store.convs.get(name)?.wanted)
      .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
      .map(([room]) => ({ room, key: room }));
    this.#convs($("rooms-mine"), mine, true);
    this.#convs($("people-mine"), people, true);
    this.#convs($("rooms-more"), more.slice(0, 200), false);
    $("private").hidden = people.length === 0;
    $("more").hidden = more.length === 0;
    setText($("me-name"), store.me.name || "…");
    if (store.me.id) paintFace($("me-face"), store.me);
    const unread = wanted.reduce((sum, conv) => sum + conv.unread, 0);
    $("elsewhere").hidden = unread === 0;
    this.#here();
    this.#head(unread);
  }

  #convs(list, convs, mine) {
    sync(
      list,
      convs,
      (conv) => conv.key,
      (conv) => {
        const link = el(
          "a",
          { href: hashOf(conv) },
          conv.room === undefined ? el("span", { class: "face", "aria-hidden": "true" }) : el("span", { class: "hash", "aria-hidden": "true", text: "#" }),
          el("span", { class: "name" }),
          el("span", { class: "badge", hidden: true }),
          el("span", { class: "count" }),
        );
        const leave = mine ? el("button", { type: "button", class: "icon leave", onclick: () => this.actions.leave(conv) }, icon("close")) : null;
        return el("li", {}, link, leave);
      },
      (node, conv) => {
        const title = conv.room ?? this.store.titleOf(conv);
        const link = node.firstChild;
        setText(link.querySelector(".name"), title);
        if (conv === this.store.active) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
        const badge = link.querySelector(".badge");
        badge.hidden = !conv.unread;
        if (conv.unread) badge.replaceChildren(String(Math.min(conv.unread, 99)), el("span", { class: "sr", text: " unread," }));
        const count = link.querySelector(".count");
        if (conv.room === undefined) {
          const person = this.store.people.get(conv.person);
          paintFace(link.querySelector(".face"), { id: conv.person, name: title });
          node.classList.toggle("offline", person?.online === false);
          setText(count, person?.online === false ? "away" : "");
        } else {
          const n = this.store.rooms.get(conv.room) ?? 0;
          if (count.dataset.n !== String(n)) {
            count.dataset.n = String(n);
            count.replaceChildren(String(n), el("span", { class: "sr", text: n === 1 ? " person here" : " people here" }));
          }
        }
        node.querySelector(".leave")?.setAttribute("aria-label", conv.room === undefined ? `Close the conversation with ${title}` : `Leave ${title}`);
      },
    );
  }

  #here() {
    const { store } = this;
    const conv = store.active;
    const people = !conv ? [] : conv.room === undefined ? [store.me, store.people.get(conv.person)].filter(Boolean) : [...conv.people.keys()].map((id) => store.people.get(id)).filter(Boolean);
    people.sort((a, b) => Number(b.id === store.me.id) - Number(a.id === store.me.id) || a.name.localeCompare(b.name));
    sync(
      $("people"),
      people,
      (person) => person.id,
      (person) => {
        const face = el("span", { class: "face", "aria-hidden": "true" });
        const name = el("span", { class: "name" });
        const note = el("span", { class: "note" });
        if (person.id === store.me.id) return el("li", {}, el("div", { class: "person" }, face, name, note));
        return el("li", {}, el("a", { class: "person", href: `#@${person.id}` }, face, el("span", { class: "sr", text: "Talk in private to " }), name, note));
      },
      (node, person) => {
        const me = person.id === store.me.id;
        paintFace(node.querySelector(".face"), person);
        setText(node.querySelector(".name"), person.name);
        const note = node.querySelector(".note");
        const typing = conv.typing.has(person.id);
        note.classList.toggle("typing", typing);
        setText(note, me ? "you" : typing ? "•••" : person.online === false ? "away" : "");
        node.classList.toggle("offline", person.online === false);
      },
    );
    setText($("here-title"), conv?.room === undefined ? "Only you two" : "Who is here");
    $("here-hint").hidden = conv?.room === undefined || people.length < 2;
  }

  #head(unread) {
    const { store } = this;
    const conv = store.active;
    const title = conv ? store.titleOf(conv) : "Greenroom";
    setText($("title"), title);
    $("title").classList.toggle("room", conv?.room !== undefined);
    let subtitle = "";
    if (conv?.room !== undefined) {
      const n = conv.people.size || (store.rooms.get(conv.room) ?? 0);
      subtitle = n === 1 ? "only you so far" : `${n} people here`;
      if (!conv.entered) subtitle = "not joined yet";
    } else if (conv) subtitle = store.people.get(conv.person)?.online === false ? "private, away now" : "private, here now";
    setText($("subtitle"), subtitle);
    $("share").hidden = conv?.room === undefined;
    document.title = `${unread ? `(${unread}) ` : ""}${title === "Greenroom" ? "" : `${title} · `}Greenroom`;
    $("text").placeholder = conv ? `Message ${conv.room === undefined ? title : `#${title}`}` : "Pick a room first";
    $("text").disabled = !conv;
  }
}

const byTitle = (store) => (a, b) => store.titleOf(a).localeCompare(store.titleOf(b));
