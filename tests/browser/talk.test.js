// People talk: transports, losses and returns, retries, images, rooms, private messages.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { ChatServer, dial, eventually, launch, message, offer, person, profile, say, sees, state, tab, takeComplaints, texts, upgraded, welcomed } from "./helper.js";

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

const names = (page) => page.locator("#people .name").allTextContents();

for (const [transport, shown] of [["auto", "websocket"], ["polling", "polling"], ["websocket", "websocket"]]) {
  test(`two people talk, transport ${transport}`, async () => {
    const ada = await person(browser, server, "Ada", { transport });
    const sockets = [];
    ada.on("websocket", (socket) => sockets.push(socket.url()));
    const bob = await person(browser, server, "Bob", { transport });
    await eventually(() => ada.textContent("#line-text"), shown);
    await eventually(() => names(ada), ["Ada", "Bob"]);
    await say(ada, "hello Bob");
    await sees(bob, "hello Bob");
    await state(ada, "hello Bob", "received by 1");
    await say(bob, "hello Ada");
    await sees(ada, "hello Ada");
    await state(bob, "hello Ada", "received by 1");
    assert.deepEqual(await texts(ada), await texts(bob));
    if (transport === "polling") assert.deepEqual(sockets, []);
  });
}

test("one talks over polling and the other over websocket, in both directions with an image", async () => {
  const ada = await person(browser, server, "Ada", { transport: "polling" });
  const bob = await person(browser, server, "Bob", { transport: "websocket" });
  for (const [from, to] of [[ada, bob], [bob, ada]]) {
    const before = await to.locator(".pic img").count();
    await offer(from, "paste", { side: 300 });
    await from.locator("#staged:not([hidden])").waitFor();
    await from.press("#text", "Enter");
    await eventually(() => to.locator(".pic img").count(), before + 1);
    const width = () => to.locator(".pic img").last().evaluate((image) => image.naturalWidth);
    await eventually(width, 300);
  }
});

test("one is cut and comes back: what was missed is there, what was written goes out, nothing doubles", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  await eventually(() => ada.textContent("#line-text"), "websocket");
  await say(ada, "before");
  await sees(bob, "before");
  await ada.click("#line");
  await ada.click("#cut");
  await ada.locator("#line[data-phase=waiting]").waitFor();
  assert.match(await ada.textContent("#line-text"), /^reconnecting in [1-5] s$/u);
  await ada.keyboard.press("Escape");
  await say(bob, "missed one");
  await say(bob, "missed two");
  await say(ada, "written while away");
  await state(ada, "written while away", "waiting for the connection");
  await ada.locator("#line[data-phase=online]").waitFor();
  await sees(ada, "missed two");
  await sees(bob, "written while away");
  await state(ada, "written while away", "received by 1");
  const all = ["before", "missed one", "missed two", "written while away"];
  assert.deepEqual(await texts(ada), all);
  assert.deepEqual(await texts(bob), all);
  await ada.click("#line");
  assert.match(await ada.textContent("#fact-return"), /^recovered after \d+ s, 2 missed messages replayed$/u);
});

test("one that was cut and returns within the grace never seemed to have left", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  await eventually(() => names(ada), ["Ada", "Bob"]);
  await ada.evaluate(() => {
    window.removals = 0;
    new MutationObserver((changes) => changes.forEach((change) => (window.removals += change.removedNodes.length))).observe(document.querySelector("#people"), { childList: true });
  });
  await bob.reload();
  await bob.locator("#line[data-phase=online]").waitFor();
  await say(bob, "here again");
  await sees(ada, "here again");
  assert.equal(await ada.evaluate(() => window.removals), 0);
  await bob.context().close();
  await eventually(() => names(ada), ["Ada"]);
});

test("the server is killed and starts again: both return, a message of the meantime arrives once", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  await say(ada, "before");
  await sees(bob, "before");
  await server.kill();
  await ada.locator("#line[data-phase=waiting]").waitFor();
  await say(ada, "during");
  await server.run();
  await ada.locator("#away-now").click({ timeout: 500 }).catch(() => {}); // it may have returned already
  await ada.locator("#line[data-phase=online]").waitFor({ timeout: 30000 });
  await bob.locator("#line[data-phase=online]").waitFor({ timeout: 30000 });
  await sees(bob, "during");
  await say(bob, "after");
  await sees(ada, "after");
  assert.deepEqual(await texts(ada), ["before", "during", "after"]);
  assert.deepEqual(await texts(bob), ["before", "during", "after"]);
  assert.match(await ada.textContent("#fact-return"), /^new session/u);
});

test("a message whose ack is lost fails, is retried with its id, and does not double", async () => {
  const context = await profile(browser, "Ada", { transport: "websocket" });
  let swallow = false;
  await context.routeWebSocket(/\/socket\.io\//u, (ws) => {
    const upstream = ws.connectToServer();
    ws.onMessage((data) => upstream.send(data));
    upstream.onMessage((data) => {
      if (swallow && typeof data === "string" && /^43\d/u.test(data)) return;
      // The delivery report says the same as the ack, so it has to be lost too.
      if (swallow && typeof data === "string" && data.includes('"delivery"')) return;
      ws.send(data);
    });
  });
  const ada = await tab(context, server);
  const bob = await person(browser, server, "Bob");
  swallow = true;
  await say(ada, "once only");
  await sees(bob, "once only");
  await state(ada, "once only", "not sent. The server did not answer.");
  swallow = false;
  await message(ada, "once only").getByRole("button", { name: "Retry" }).click();
  await state(ada, "once only", "sent");
  await say(ada, "the next");
  await sees(bob, "the next");
  assert.deepEqual(await texts(ada), ["once only", "the next"]);
  assert.deepEqual(await texts(bob), ["once only", "the next"]);
  const late = await person(browser, server, "Late");
  await sees(late, "the next");
  assert.deepEqual(await texts(late), ["once only", "the next"]);
});

test("a message above the rate is refused with the reason, and the retry brings it", async () => {
  const ada = await person(browser, server, "Ada");
  // In the page: with a call of the driver for each, a busy machine is too slow to be too fast.
  await ada.evaluate(() => {
    for (let i = 0; i < 40; i += 1) {
      document.querySelector("#text").value = `line ${i}`;
      document.querySelector("#compose").requestSubmit();
    }
  });
  const failed = ada.locator(".msg[data-state=failed]");
  await failed.first().waitFor();
  assert.match(await failed.first().locator(".state").textContent(), /Too fast\. Try again in \d+ s/u);
  const text = await failed.first().locator(".text").textContent();
  await eventually(async () => {
    const retry = message(ada, text).getByRole("button", { name: "Retry" });
    if (await retry.count()) await retry.click();
    return message(ada, text).getAttribute("data-state");
  }, "sent");
});

test("two tabs of one person are one, and show the same", async () => {
  const context = await profile(browser, "Ada");
  const one = await tab(context, server);
  const two = await tab(context, server);
  const bob = await person(browser, server, "Bob");
  await eventually(() => names(bob), ["Bob", "Ada"]);
  await eventually(() => bob.locator("#rooms-mine .count").first().evaluate((node) => node.dataset.n), "2");
  await say(one, "from the first tab");
  await sees(two, "from the first tab");
  await sees(bob, "from the first tab");
  await state(one, "from the first tab", "received by 1");
  assert.ok(await message(two, "from the first tab").evaluate((node) => node.classList.contains("mine")));
  await one.close();
  await say(two, "from the second");
  await sees(bob, "from the second");
  assert.deepEqual(await names(bob), ["Bob", "Ada"]);
});

test("a newcomer sees the last 50, and earlier ones on request", async () => {
  // Three, as none may say so much.
  const people = ["Ada", "Bob", "Cleo"].map((name) => dial(server, { token: `${name}-has-a-long-token`, name }));
  const asks = [];
  for (const { ask } of await Promise.all(people.map(welcomed))) {
    assert.ok((await ask("join", "lobby")).ok);
    asks.push(ask);
  }
  for (let i = 0; i < 60; i += 1) {
    assert.ok((await asks[i % 3]("say", { room: "lobby", id: `message-${i}`, text: `number ${i}` })).ok);
  }
  const late = await person(browser, server, "Late");
  await sees(late, "number 59");
  assert.deepEqual(await texts(late), Array.from({ length: 50 }, (_, i) => `number ${i + 10}`));
  await late.click("#earlier");
  await sees(late, "number 0");
  assert.deepEqual(await texts(late), Array.from({ length: 60 }, (_, i) => `number ${i}`));
  assert.ok(await late.locator("#earlier").isHidden());
  for (const socket of people) socket.disconnect();
});

test("rooms: create, counts, deep link, unread, leave", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  await ada.fill("#find-text", "Stage Door");
  await ada.press("#find-text", "Enter");
  await eventually(() => ada.textContent("#title"), "stage-door");
  assert.equal(new URL(ada.url()).hash, "#stage-door");
  const listed = bob.locator("#rooms-more a", { hasText: "stage-door" });
  await listed.waitFor();
  await eventually(() => listed.locator(".count").evaluate((node) => node.dataset.n), "1");
  await listed.click();
  await eventually(() => names(ada), ["Ada", "Bob"]);
  await say(bob, "found it");
  await sees(ada, "found it");
  await bob.locator("#rooms-mine a", { hasText: "lobby" }).click();
  await eventually(() => bob.textContent("#title"), "lobby");
  assert.deepEqual(await texts(bob), []);
  await say(ada, "psst");
  const badge = bob.locator("#rooms-mine a", { hasText: "stage-door" }).locator(".badge");
  await eventually(async () => (await badge.textContent()).trim(), "1 unread,");
  assert.match(await bob.title(), /^\(1\) lobby/u);
  const cleo = await person(browser, server, "Cleo", { hash: "#stage-door" });
  await sees(cleo, "psst");
  await cleo.locator("#rooms-mine li", { hasText: "stage-door" }).getByRole("button", { name: "Leave stage-door" }).click({ force: true });
  await eventually(() => names(ada), ["Ada", "Bob"]);
  assert.equal(await cleo.textContent("#title"), "Greenroom");
});

test("a name the server refuses and a room it refuses are explained", async () => {
  const ada = await person(browser, server, "Ada", { hash: "#no!room" });
  assert.match(await ada.textContent("#toast"), /letters/u);
  assert.equal(await ada.textContent("#title"), "lobby");
  await ada.click("#rename-open");
  await ada.fill("#rename-text", "x".repeat(200));
  await ada.press("#rename-text", "Enter");
  await eventually(async () => /24/u.test(await ada.textContent("#rename-error")), true);
  await ada.fill("#rename-text", "Countess");
  await ada.press("#rename-text", "Enter");
  await eventually(() => names(ada), ["Countess"]);
  await ada.reload();
  await eventually(() => names(ada), ["Countess"]);
  const bob = await person(browser, server, "Countess");
  await eventually(() => names(bob), ["Countess 2", "Countess"]);
});

test("private messages reach one person only, and survive a reload", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  const cleo = await person(browser, server, "Cleo");
  await ada.locator("#people a", { hasText: "Bob" }).click();
  await eventually(() => ada.textContent("#title"), "Bob");
  await say(ada, "for your eyes");
  await state(ada, "for your eyes", "received by 1");
  const link = bob.locator("#people-mine a", { hasText: "Ada" });
  await eventually(async () => (await link.locator(".badge").textContent()).trim(), "1 unread,");
  await link.click();
  await sees(bob, "for your eyes");
  await say(bob, "and for yours");
  await sees(ada, "and for yours");
  await say(cleo, "anything going on?");
  await bob.locator("#rooms-mine a").click();
  await sees(bob, "anything going on?");
  assert.deepEqual(await texts(cleo), ["anything going on?"]);
  assert.ok(await cleo.locator("#private").isHidden());
  await ada.reload();
  await sees(ada, "and for yours");
  assert.deepEqual(await texts(ada), ["for your eyes", "and for yours"]);
});

test("typing is shown to the others and ends", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  await upgraded(ada, bob);
  await ada.locator("#text").pressSequentially("so");
  await eventually(() => bob.textContent("#typing-text"), "Ada is typing");
  assert.equal(await ada.textContent("#typing-text"), "");
  await ada.fill("#text", "");
  await eventually(() => bob.textContent("#typing-text"), "");
  await ada.locator("#text").pressSequentially("again");
  await eventually(() => bob.textContent("#typing-text"), "Ada is typing");
  await ada.press("#text", "Enter");
  await sees(bob, "again");
  await eventually(() => bob.textContent("#typing-text"), "");
});

test("an image by paste, drop and file arrives, and is fetched from the history after a reload", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  await offer(ada, "paste", { side: 50 });
  await ada.locator("#staged:not([hidden])").waitFor();
  await say(ada, "pasted");
  await offer(ada, "drop", { side: 60, name: "dropped.webp", type: "image/webp" });
  await ada.locator("#staged:not([hidden])").waitFor();
  await say(ada, "dropped");
  const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");
  await ada.setInputFiles("#file", { name: "dot.gif", mimeType: "image/gif", buffer: gif });
  await ada.locator("#staged:not([hidden])").waitFor();
  await ada.press("#text", "Enter");
  const widths = () => bob.locator(".pic img").evaluateAll((images) => images.map((image) => image.naturalWidth));
  await eventually(widths, [50, 60, 1]);
  await bob.reload();
  await eventually(widths, [50, 60, 1]);
});

test("an image over the limit is refused by name of the limit, and a smaller copy can be sent", async () => {
  const ada = await person(browser, server, "Ada");
  const bob = await person(browser, server, "Bob");
  await offer(ada, "paste", { side: 800, name: "large.png" });
  await ada.locator("#warn:not([hidden])").waitFor();
  assert.match(await ada.textContent("#warn-text"), /^large\.png is [\d.]+ MB\. The limit for an image is 700 kB\.$/u);
  assert.ok(await ada.locator("#staged").isHidden());
  await ada.getByRole("button", { name: "Send a smaller copy" }).click();
  await ada.locator("#staged:not([hidden])").waitFor({ timeout: 20000 });
  await ada.press("#text", "Enter");
  await bob.locator(".pic img").waitFor();
  await offer(ada, "paste", { name: "drawing.svg", type: "image/svg+xml", text: "<svg/>" });
  await eventually(() => ada.textContent("#warn-text"), "drawing.svg is SVG+XML. Images can be PNG, JPEG, GIF, WEBP.");
});

test("the server looks into an image: what only claims to be one is refused", async () => {
  const ada = await person(browser, server, "Ada");
  await offer(ada, "paste", { name: "liar.png", type: "image/png", text: "<script>alert(1)</script>" });
  await ada.locator("#staged:not([hidden])").waitFor();
  await say(ada, "trust me");
  await eventually(async () => /not sent\. .*PNG/u.test(await message(ada, "trust me").locator(".state").textContent()), true);
  await ada.getByRole("button", { name: "Discard" }).click();
  assert.deepEqual(await texts(ada), []);
});
