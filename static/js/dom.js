// Small tools for the DOM. Text always becomes a text node; there is no way in here to hand over markup.

export const $ = (id) => document.getElementById(id);

/** Makes an element: `on…` are listeners, `class` and `text` as one expects, the rest attributes. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Sets text only where it differs, so that nothing is announced or painted twice. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Brings the children of `list` in line with `items`, keeping the nodes (and with them the focus) of
 * those that stay. `make(item)` creates a node once, `update(node, item, index)` runs every time.
 */
export function sync(list, items, key, make, update) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const keys = new Set(items.map(key));
  const old = new Map();
  for (const node of [...list.children]) {
    if (keys.has(node.dataset.key)) old.set(node.dataset.key, node);
    else node.remove();
  }
  let here = list.firstElementChild;
  items.forEach((item, index) => {
    const k = key(item);
    const node = old.get(k) ?? make(item);
    node.dataset.key = k;
    update(node, item, index);
    if (node === here) here = here.nextElementSibling;
    else list.insertBefore(node, here);
  });
  // Moving a node takes its focus away.
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

/** A person's round sign: initials on a colour made of the id. */
export function paintFace(node, person) {
  const words = person.name.trim().split(/\s+/u);
  const letters = words.length > 1 ? [...words[0]][0] + [...words.at(-1)][0] : [...words[0]].slice(0, 2).join("");
  setText(node, letters.toLocaleUpperCase());
  let sum = 0;
  for (const unit of person.id) sum = (sum * 31 + unit.codePointAt(0)) >>> 0;
  node.style.setProperty("--hue", String((sum % 24) * 15));
}

export function bytesText(n) {
  if (n < 1000) return `${n} bytes`;
  if (n < 1e6) return `${Math.round(n / 1000)} kB`;
  return `${(n / 1e6).toFixed(1).replace(/\.0$/u, "")} MB`;
}

let toastTimer = 0;
/** A short note, also heard by screen readers: shown first and filled then, as they expect of a status. */
export function toast(text) {
  const node = $("toast");
  node.hidden = false;
  node.textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (node.hidden = true), 4000);
}

/** Tells a screen reader, politely. Lines said in the same moment are all heard. */
export function speak(text) {
  const region = $("say");
  const line = el("p", { text });
  region.append(line);
  setTimeout(() => line.remove(), 6000);
}

/** Local storage that may be forbidden. */
export function stored(area, key, value) {
  try {
    if (value === undefined) return area().getItem(key);
    area().setItem(key, value);
  } catch {
    // Private windows refuse storage; everything works without it, only shorter.
  }
  return null;
}
export const forever = () => localStorage;
export const thisTab = () => sessionStorage;

/** `n` random bytes as base64url. Works on plain http as well, where crypto.randomUUID does not exist. */
export function randomId(n) {
  const bytes = crypto.getRandomValues(new Uint8Array(n));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
