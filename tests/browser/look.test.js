// The page itself: text stays text, the policy holds, keyboard, screen reader, dark, phone, and what is missing is said.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { ChatServer, eventually, launch, person, profile, say, sees, takeComplaints, texts, upgraded } from "./helper.js";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true };

let browser;
let server;
before(async () => (browser = await launch()));
after(() => browser.close());
beforeEach(async () => (server = await ChatServer.start()));
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await server.kill();
  assert.deepEqual(takeComplaints(), []);
});

async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  assert.deepEqual(found, [], where);
}

test("the policy is strict, in the header and in the page", async () => {
  const response = await fetch(server.url);
  const header = response.headers.get("content-security-policy") ?? "";
  const html = await response.text();
  const meta = /http-equiv="Content-Security-Policy" content="([^"]+)"/u.exec(html)?.[1] ?? "";
  for (const policy of [header, meta]) {
    const rules = new Map(policy.split(";").map((rule) => rule.trim().split(" ")).map(([name, ...values]) => [name, values.join(" ")]));
    assert.equal(rules.get("default-src"), "'none'");
    assert.equal(rules.get("script-src"), "'self'");
    assert.equal(rules.get("style-src"), "'self'");
    assert.equal(rules.get("base-uri"), "'none'");
    assert.equal(rules.get("form-action"), "'none'");
    assert.doesNotMatch(policy, /unsafe|https?:|\*/u);
  }
  assert.match(header, /frame-ancestors 'none'/u);
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  assert.doesNotMatch(html, /<script(?![^>]+src=)|<style|\sstyle=|\son[a-z]+=/u);
});

test("nothing comes from another host, and nothing private of the folder is served", async () => {
  const context = await profile(browser, "Ada");
  const hosts = new Set();
  context.on("request", (request) => !request.url().startsWith("blob:") && hosts.add(new URL(request.url()).host));
  const page = await context.newPage();
  await page.goto(server.url);
  await page.locator("#line[data-phase=online]").waitFor();
  assert.deepEqual([...hosts], [new URL(server.url).host]);
  for (const path of ["package.json", "package-lock.json", "node_modules/socket.io-client/package.json", "../config.toml", "%2e%2e/config.toml"]) {
    assert.equal((await fetch(server.url + path)).status, 404, path);
  }
});

test("text stays text, wherever it comes from", async () => {
  const evil = `<img src=x onerror="document.title='pwned'"><script>window.pwned=1</script>`;
  const ada = await person(browser, server, "<b>Ada</b><svg onload=1>");
  const bob = await person(browser, server, "Bob", { hash: "#lobby" });
  await say(ada, evil);
  await sees(bob, evil);
  await say(ada, "javascript:alert(1) &lt;i&gt; \u202e abc");
  await eventually(async () => (await texts(bob)).length, 2);
  for (const page of [ada, bob]) {
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.doesNotMatch(await page.title(), /pwned/u);
    assert.ok(await page.evaluate(() => [...document.querySelectorAll(".text, .name")].every((node) => [...node.childNodes].every((child) => child.nodeType === 3))));
    assert.equal(await page.locator(".log img, .log script, #people b").count(), 0);
  }
  assert.equal(await bob.locator("#people .name").nth(1).textContent(), "<b>Ada</b><svg onload=1>");
});

test("a server without the client file says so in one line", async () => {
  const context = await profile(browser, "Ada");
  await context.route(/\/socket\.io\/socket\.io.*\.js/u, (route) => route.fulfill({ status: 404, body: "" }));
  const page = await context.newPage();
  await page.goto(server.url);
  await page.locator("#stop:not([hidden])").waitFor();
  const text = await page.textContent("#stop");
  assert.match(text, /make run/u);
  assert.match(text, /npm ci --prefix static/u);
  assert.doesNotMatch(text, /\n/u);
});

test("everything can be done with the keyboard alone", async () => {
  const bob = await person(browser, server, "Bob");
  const ada = await person(browser, server, "Ada");
  const focused = () => ada.evaluate(() => document.activeElement.id);
  await ada.evaluate(() => document.activeElement.blur());
  await ada.keyboard.press("Tab");
  assert.equal(await focused(), "skip");
  await ada.keyboard.press("Enter");
  assert.equal(await focused(), "text");
  await ada.keyboard.type("by keys");
  await ada.keyboard.press("Shift+Enter");
  await ada.keyboard.type("alone");
  await ada.keyboard.press("Enter");
  await eventually(() => texts(bob), ["by keys\nalone"]);
  assert.equal(await focused(), "text");

  // From the top: skip link, search, rooms, name, theme.
  await ada.evaluate(() => document.querySelector("#skip").focus());
  await ada.keyboard.press("Tab");
  assert.equal(await focused(), "find-text");
  await ada.keyboard.type("backstage");
  await ada.keyboard.press("Enter");
  await eventually(() => ada.textContent("#title"), "backstage");
  assert.equal(await focused(), "text");
  await ada.keyboard.press("Alt+ArrowDown");
  await eventually(() => ada.textContent("#title"), "lobby");

  await ada.locator("#rename-open").focus();
  await ada.keyboard.press("Enter");
  assert.equal(await focused(), "rename-text");
  await ada.keyboard.type("Countess");
  await ada.keyboard.press("Enter");
  await ada.locator("#rename:not([open])").waitFor({ state: "attached" });
  assert.equal(await focused(), "rename-open");

  await ada.locator("#line").focus();
  await ada.keyboard.press("Enter");
  await ada.locator("#line-panel").waitFor();
  await ada.keyboard.press("Tab");
  await ada.keyboard.press("ArrowRight");
  await eventually(() => ada.textContent("#line-text"), "polling");
  await ada.keyboard.press("Escape");
  await ada.locator("#line-panel").waitFor({ state: "hidden" });
  assert.equal(await focused(), "line");

  await ada.locator("#people a").first().focus();
  await ada.keyboard.press("Enter");
  await eventually(() => ada.textContent("#title"), "Bob");
});

test("a screen reader hears messages, private ones, and changes of the connection", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  const heard = (text) => ada.locator("#say p", { hasText: text }).first().waitFor({ state: "attached" });
  assert.equal(await ada.getAttribute("#say", "aria-live"), "polite");
  await heard("Bob is here");
  await say(bob, "can you hear me?");
  await heard("Bob: can you hear me?");
  await bob.locator("#people a").first().click();
  await eventually(() => bob.textContent("#title"), "Ada");
  await say(bob, "secret");
  await heard("Private message from Bob");
  await ada.click("#line");
  await ada.click("#cut");
  await heard("Connection lost, reconnecting");
  await ada.click("#away-now", { force: true });
  await heard(/^Connected over (?:polling|websocket)$/u);
});

test("light, dark and the toggle, which is remembered", async () => {
  const ada = await person(browser, server, "Ada", { colorScheme: "dark" });
  const brightness = () => ada.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/gu).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3);
  assert.ok((await brightness()) < 60);
  await ada.click("#theme");
  assert.ok((await brightness()) > 200);
  await ada.reload();
  await ada.locator("#line[data-phase=online]").waitFor();
  assert.ok((await brightness()) > 200);
  await ada.click("#theme");
  assert.ok((await brightness()) < 60);
});

test("the page moves while somebody types, and not at rest", async () => {
  const [ada, bob] = [await person(browser, server, "Ada"), await person(browser, server, "Bob")];
  await upgraded(ada, bob);
  const moving = () => ada.evaluate(() => document.getAnimations().length > 0);
  await eventually(moving, false);
  await bob.locator("#text").pressSequentially("typ");
  await eventually(moving, true);
  await say(bob, "moved");
  await sees(ada, "moved");
  await eventually(moving, false);
});

test("reduced motion moves nothing", async () => {
  const ada = await person(browser, server, "Ada", { reducedMotion: "reduce" });
  const bob = await person(browser, server, "Bob");
  await upgraded(ada, bob);
  await bob.locator("#text").pressSequentially("typ");
  await eventually(() => ada.textContent("#typing-text"), "Bob is typing");
  await say(bob, "still");
  await sees(ada, "still");
  assert.equal(await ada.evaluate(() => document.getAnimations().length), 0);
});

test("a phone: nothing overflows, the drawers open, close and give the focus back", async () => {
  const ada = await person(browser, server, "Ada", PHONE);
  const bob = await person(browser, server, "Bob");
  await say(bob, `a${"very".repeat(80)}longword`);
  await eventually(async () => (await texts(ada)).length, 1);
  assert.ok(await ada.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  assert.ok(await ada.evaluate(() => [...document.querySelectorAll(".bubble")].every((node) => node.getBoundingClientRect().right <= innerWidth)));
  assert.ok(await ada.evaluate(() => document.querySelector("#side").inert && document.querySelector("#here").inert));
  const focused = () => ada.evaluate(() => document.activeElement.id);
  await ada.tap("#side-open");
  assert.equal(await focused(), "side-close");
  assert.equal(await ada.getAttribute("#side-open", "aria-expanded"), "true");
  await ada.keyboard.press("Escape");
  assert.equal(await focused(), "side-open");
  await ada.tap("#here-open");
  await ada.locator("#people a", { hasText: "Bob" }).tap();
  await eventually(() => ada.textContent("#title"), "Bob");
  await ada.locator("#here.open").waitFor({ state: "detached" });
  await say(ada, "from the phone");
  await bob.locator("#people-mine .badge:not([hidden])").waitFor();
});

for (const [where, options] of [["light", {}], ["dark", { colorScheme: "dark" }], ["phone", PHONE]]) {
  test(`axe finds nothing, ${where}`, async () => {
    const ada = await person(browser, server, "Ada", { reducedMotion: "reduce", ...options });
    const bob = await person(browser, server, "Bob", { hash: "#other" });
    await say(bob, "elsewhere");
    await bob.evaluate(() => (location.hash = "#lobby"));
    await eventually(() => ada.locator("#people li").count(), 2);
    await say(bob, "hello there");
    await say(ada, "hello yourself");
    await sees(ada, "hello there");
    await upgraded(ada, bob);
    await bob.locator("#text").pressSequentially("mm");
    await eventually(() => ada.textContent("#typing-text"), "Bob is typing");
    await accessible(ada, "the talk");
    await ada.click("#line");
    await ada.click("#wire summary");
    await accessible(ada, "the connection panel");
    await ada.click("#cut");
    await ada.locator("#line[data-phase=waiting]").waitFor();
    await ada.keyboard.press("Escape");
    await say(ada, "waiting");
    await accessible(ada, "without connection");
    await ada.click("#away-now");
    await ada.locator("#line[data-phase=online]").waitFor();
    if (where === "phone") {
      await ada.click("#side-open");
      await accessible(ada, "the rooms");
      await ada.click("#rename-open");
    } else await ada.click("#rename-open");
    await accessible(ada, "the name dialog");
  });
}
