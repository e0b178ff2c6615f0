// Starts the chat server and people with browsers of their own.
//
// CHAT_CMD is the server's command line (default: target/debug/greenroom), run in the root of the repository with
// HOST and PORT set. CHROMIUM is the browser; left out, it is the Chromium without windows if there is one, which is twice as fast.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const COMMAND = process.env.CHAT_CMD ?? "target/debug/greenroom";
const WITHOUT_WINDOWS = "/usr/bin/chromium-headless-shell";
const BROWSER = process.env.CHROMIUM ?? (existsSync(WITHOUT_WINDOWS) ? WITHOUT_WINDOWS : "/usr/bin/chromium");
const DEADLINE_MS = 10000;
const { io } = createRequire(`${ROOT}/static/package.json`)("socket.io-client");

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

export class ChatServer {
  static async start() {
    const server = new ChatServer();
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}/`;
    await server.run();
    return server;
  }

  async run() {
    const env = { ...process.env, HOST: "127.0.0.1", PORT: String(this.port) };
    // "exec": the signal must reach the server, not a shell around it.
    this.process = spawn(`exec ${COMMAND}`, { shell: true, cwd: ROOT, env, stdio: ["ignore", "ignore", "inherit"] });
    this.ended = once(this.process, "exit");
    const end = Date.now() + DEADLINE_MS;
    while (!(await this.answers())) {
      assert.equal(this.process.exitCode, null, `${COMMAND} ended at once`);
      assert.ok(Date.now() < end, `${COMMAND} does not answer on port ${this.port}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async answers() {
    try {
      return (await fetch(this.url)).ok;
    } catch {
      return false;
    }
  }

  /** Ends the server as a crash would. */
  async kill() {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill("SIGKILL");
    await this.ended;
  }
}

/** Waits for an event of a client of ours; gives its arguments. */
export const next = (socket, event, fits = () => true) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} came`)), 8000);
    const listen = (...args) => {
      if (!fits(...args)) return;
      clearTimeout(timer);
      socket.off(event, listen);
      resolve(args);
    };
    socket.on(event, listen);
  });

/** A client of ours without a page. */
export function dial(server, auth) {
  return io(server.url, { forceNew: true, reconnection: false, transports: ["websocket"], auth });
}

/** The person a client has become. */
export async function welcomed(socket) {
  const [welcome] = await next(socket, "welcome");
  const ask = (event, ...args) => socket.timeout(5000).emitWithAck(event, ...args);
  return { socket, ask, welcome, me: welcome.you };
}

export function launch() {
  return chromium.launch({
    executablePath: BROWSER,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** What went wrong in any page since the last call: script errors and violations of the Content-Security-Policy. */
const complaints = [];
export function takeComplaints() {
  return complaints.splice(0);
}

/** A browser profile with a name of its own, not yet on a page. Options: transport, and those of newContext. */
export async function profile(browser, name, { transport, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1240, height: 800 }, ...options });
  context.setDefaultTimeout(DEADLINE_MS);
  await context.exposeBinding("tellViolation", (_, text) => complaints.push(`${name}: ${text}`));
  await context.addInitScript(
    ([person, mode]) => {
      if (location.protocol !== "http:") return; // the blank page before
      if (!localStorage.getItem("greenroom.name")) localStorage.setItem("greenroom.name", person);
      if (mode && !sessionStorage.getItem("greenroom.mode")) sessionStorage.setItem("greenroom.mode", mode);
      document.addEventListener("securitypolicyviolation", (event) => window.tellViolation(`${event.violatedDirective} ${event.blockedURI}`));
    },
    [name, transport],
  );
  context.on("weberror", (error) => complaints.push(`${name}: ${error.error()}`));
  context.on("console", (message) => /content security policy/iu.test(message.text()) && complaints.push(`${name}: ${message.text()}`));
  return context;
}

/** Opens the chat in a profile and waits until it is connected and has joined. */
export async function tab(context, server, hash = "") {
  const page = await context.newPage();
  await page.goto(server.url + hash);
  await page.locator("#line[data-phase=online]").waitFor();
  await page.locator("#people li").first().waitFor({ state: "attached" });
  return page;
}

/** Waits for the upgrade, before which volatile events may get lost. */
export async function upgraded(...pages) {
  for (const page of pages) await eventually(() => page.textContent("#line-text"), "websocket");
}

/** A person with one tab. */
export async function person(browser, server, name, { hash = "", ...options } = {}) {
  return tab(await profile(browser, name, options), server, hash);
}

export async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

export const message = (page, text) => page.locator(".msg", { has: page.getByText(text, { exact: true }) });

export async function sees(page, text) {
  await message(page, text).first().waitFor();
}

export async function texts(page) {
  return page.locator(".msg .text").allTextContents();
}

/** Waits until a question has the answer, and fails with the last answer it gave. */
export async function eventually(ask, expected, ms = DEADLINE_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    try {
      assert.deepEqual(answer, expected);
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

export async function state(page, text, expected) {
  await eventually(() => message(page, text).locator(".state").textContent(), expected);
}

/** Pastes or drops a file made in the page: an image of noise that compresses badly, of about so many bytes. */
export async function offer(page, kind, { side = 40, name = "noise.png", type = "image/png", text } = {}) {
  await page.evaluate(
    async ([kind, side, name, type, text]) => {
      let blob;
      if (text === undefined) {
        const canvas = new OffscreenCanvas(side, side);
        const context = canvas.getContext("2d");
        const image = context.createImageData(side, side);
        for (let at = 0; at < image.data.length; at += 65536) crypto.getRandomValues(image.data.subarray(at, at + 65536));
        for (let at = 3; at < image.data.length; at += 4) image.data[at] = 255;
        context.putImageData(image, 0, 0);
        blob = await canvas.convertToBlob({ type });
      } else blob = new Blob([text]);
      const transfer = new DataTransfer();
      transfer.items.add(new File([blob], name, { type }));
      if (kind === "paste") document.querySelector("#text").dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
      else document.querySelector("#talk").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    },
    [kind, side, name, type, text],
  );
}
