// The frame around the talk: drawers on narrow screens, theme, name dialog, share link, finding rooms, keys.

import { $, forever, stored, toast } from "./dom.js";
import { explain } from "./outbox.js";

export function frame(link, store) {
  const drawers = [drawer("side"), drawer("here")];
  const close = () => drawers.forEach((one) => one.set(false));
  $("shade").addEventListener("click", close);
  theme();
  rename(link, store);

  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("text").focus();
  });

  $("share").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      toast("The link to this room is copied.");
    } catch {
      toast(location.href);
    }
  });

  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    const input = $("find-text");
    const room = input.value.trim().replace(/^#/u, "").replace(/\s+/gu, "-").normalize("NFC").toLowerCase();
    if (!room) return input.focus();
    input.value = "";
    location.hash = `#${encodeURIComponent(room)}`;
    store.changed();
    $("text").focus();
  });

  $("picture-close").addEventListener("click", () => $("picture").close());
  $("picture").addEventListener("click", (event) => event.target === event.currentTarget && $("picture").close());

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      if (document.querySelector("dialog[open]")) return;
      close();
    }
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      step(event.key === "ArrowUp" ? -1 : 1);
    }
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, dialog")) {
      event.preventDefault();
      $("text").focus();
    }
  });
  return { close };
}

/** Alt with up or down goes through my conversations. */
function step(by) {
  const links = [...document.querySelectorAll("#rooms-mine a, #people-mine a")];
  const at = links.findIndex((link) => link.hasAttribute("aria-current"));
  links[(at + by + links.length) % links.length]?.click();
}

/** A panel that lies beside the talk on wide screens, and slides over it on narrow ones. */
function drawer(id) {
  const panel = $(id);
  const opener = $(`${id}-open`);
  const narrow = matchMedia(id === "side" ? "(max-width: 760px)" : "(max-width: 1020px)");
  let open = false;
  const apply = () => {
    panel.classList.toggle("open", open && narrow.matches);
    panel.inert = narrow.matches && !open;
    opener.setAttribute("aria-expanded", String(open && narrow.matches));
    $("shade").hidden = !document.querySelector(".side.open, .here.open");
    $("talk").inert = !$("shade").hidden;
  };
  const set = (value) => {
    if (open === value) return;
    open = value;
    const focused = panel.contains(document.activeElement);
    apply();
    if (open) $(`${id}-close`).focus();
    else if (focused && narrow.matches) opener.focus();
  };
  opener.addEventListener("click", () => set(!open));
  $(`${id}-close`).addEventListener("click", () => set(false));
  narrow.addEventListener("change", () => {
    open = false;
    apply();
  });
  apply();
  return { set };
}

function theme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  $("theme").addEventListener("click", () => {
    const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    // Back to what the system says: nothing to remember.
    if ((next === "dark") === dark.matches) delete root.dataset.theme;
    else root.dataset.theme = next;
    stored(forever, "greenroom.theme", root.dataset.theme ?? "");
  });
}

function rename(link, store) {
  const dialog = $("rename");
  $("rename-open").addEventListener("click", () => {
    $("rename-text").value = store.me.name;
    $("rename-error").textContent = "";
    dialog.showModal();
    $("rename-text").select();
  });
  $("rename-cancel").addEventListener("click", () => dialog.close());
  $("rename-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { name } = await link.request("name", $("rename-text").value);
      store.me.name = name;
      store.know(store.me);
      stored(forever, "greenroom.name", name);
      store.changed();
      dialog.close();
      toast(`Your name is ${name} now.`);
    } catch (error) {
      $("rename-error").textContent = explain(error);
    }
  });
}
