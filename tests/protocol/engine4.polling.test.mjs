// Engine.IO 4 over HTTP long-polling, on the raw echo endpoint.

import assert from "node:assert/strict";
import { onEveryTarget, scenario, until, within } from "../harness/index.mjs";
import { request, SEPARATOR, Session, tcp } from "./wire.mjs";

const path = "/engine";
const env = { EIO_PATH: path, MAX_PAYLOAD: "100000" };

onEveryTarget("polling", { env }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const open = () => Session.open(server, { path });

  test("a message is answered in a poll", async () => {
    const session = await open();
    const { status, text, headers } = await session.post("4hello €");
    assert.deepEqual([status, text], [200, "ok"]);
    assert.match(headers.get("content-type"), /^text\/html/);
    const poll = await session.get();
    assert.equal(poll.text, "4hello €");
    assert.equal(poll.headers.get("content-type"), "text/plain; charset=UTF-8");
    assert.equal(poll.headers.get("content-length"), String(Buffer.byteLength("4hello €")));
    assert.equal(poll.headers.get("cache-control"), "no-store");
  });

  test("a waiting poll is answered when there is something", async () => {
    const session = await open();
    const poll = session.poll();
    await session.send("4late");
    assert.deepEqual(await poll, ["4late"]);
  });

  test("the packets of one payload are answered in one payload", async () => {
    const session = await open();
    const packets = ["4one", "bAQIDBA==", "4two", "4", "b"];
    await session.send(...packets.slice(0, 3));
    assert.deepEqual(await session.poll(), packets.slice(0, 3));
  });

  test("text and binary of any content pass", async () => {
    const session = await open();
    const texts = ["ünïcode 😀", "b", "bAAAA", '{"a":1}', "\r\n\t ", "0", "x".repeat(50_000)];
    for (const text of texts) {
      await session.send(`4${text}`);
      assert.deepEqual(await session.poll(), [`4${text}`]);
    }
    const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("base64");
    await session.send(`b${binary}`);
    assert.deepEqual(await session.poll(), [`b${binary}`]);
  });

  test("the content type of a post does not matter, unless it is binary", async () => {
    const session = await open();
    for (const type of ["text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      assert.equal((await session.post("4a", { "content-type": type })).text, "ok");
      assert.deepEqual(await session.poll(), ["4a"]);
    }
    const { status } = await session.post("4a", { "content-type": "application/octet-stream" });
    assert.equal(status, 400);
    await session.isGone();
  });

  test("a chunked post is joined", async (t) => {
    const session = await open();
    const { write, has } = await tcp(t, server);
    write(`POST ${session.target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n4a\r\n`);
    write("3\r\nbcd\r\n0\r\n\r\n");
    await has("\r\n\r\nok");
    assert.deepEqual(await session.poll(), ["4abcd"]);
  });

  test("order is kept over many posts and polls", async () => {
    const session = await open();
    const sent = [];
    for (let round = 0; round < 20; round += 1) {
      const packets = Array.from({ length: 5 }, (_, index) => `4${round}-${index}`);
      sent.push(...packets);
      await session.send(...packets);
    }
    assert.deepEqual(await session.packets(sent.length), sent);
  });

  const bad = { "an unknown type": "abc", "an empty body": "", "an empty packet": `4a${SEPARATOR}${SEPARATOR}4b` };
  for (const [what, body] of Object.entries(bad)) {
    test(`${what} closes the session`, async () => {
      const session = await open();
      await session.post(body);
      await session.isGone();
    });
  }

  test("a ping from the client closes the session", async () => {
    const session = await open();
    await session.post("2");
    await session.isGone();
  });

  test("a close packet ends a waiting poll with noop and closes the session", async () => {
    const answer = await until("the close overtakes every poll", async () => {
      const session = await open();
      const text = await session.polledWhile("1");
      await session.isGone();
      return text;
    });
    assert.equal(answer, "6");
  });

  test("a second poll closes the session", async () => {
    const session = await open();
    const answers = await Promise.all([session.get(), session.get()]);
    answers.sort((a, b) => a.status - b.status);
    assert.deepEqual([answers[0].status, answers[0].text], [200, "1"]);
    assert.ok([400, 500].includes(answers[1].status));
    await session.isGone();
  });

  test("a second post while one is under way closes the session", async (t) => {
    const session = await open();
    const { write, ended } = await tcp(t, server);
    write(`POST ${session.target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4unfinished`);
    await until("the first post is not seen", async () => {
      const { status } = await session.post("4second");
      return status === 400;
    });
    await ended();
    await session.isGone();
  });

  test("a poll that the client gives up closes the session", async () => {
    const session = await open();
    const abort = new AbortController();
    const poll = session.get({ signal: abort.signal }).catch((err) => err.name);
    await session.send("40");
    await poll;
    const second = session.get({ signal: abort.signal }).catch((err) => err.name);
    // The post on another connection shows that the server has had time to take the poll.
    await session.send("6");
    abort.abort();
    assert.equal(await second, "AbortError");
    await until("the session lives on", async () => (await session.post("6")).status === 400);
    await session.isGone();
  });

  test("a post that the client gives up closes the session", async (t) => {
    const session = await open();
    const { socket, write } = await tcp(t, server);
    write(`POST ${session.target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n`);
    await within(new Promise((resolve) => socket.once("data", resolve)), () => "no 100-continue");
    write("4unfinished");
    socket.destroy();
    await until("the session lives on", async () => (await session.get()).status === 400);
    await session.isGone();
  });

  test("a post above the limit is refused, the session stays open", async (t) => {
    const session = await open();
    assert.equal((await session.post(`4${"x".repeat(100_000)}`)).status, 413);
    await session.send("4small");
    assert.deepEqual(await session.poll(), ["4small"]);

    const chunked = await tcp(t, server);
    chunked.write(`POST ${session.target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
    chunked.write(`1FFFF\r\n4${"x".repeat(0x1ffff - 1)}\r\n`);
    await chunked.has(" 413 ");
    await session.send("4again");
    assert.deepEqual(await session.poll(), ["4again"]);
  });

  test("a post of exactly the limit passes", async () => {
    const session = await open();
    const packet = `4${"x".repeat(99_999)}`;
    await session.send(packet);
    assert.deepEqual(await session.poll(), [packet]);
  });
});

onEveryTarget("polling compression", { env: {} }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const LONG = "compressible ".repeat(200);

  /** The raw answer of a poll: Node's fetch would undo the encoding. */
  async function polled(session, accepted, event) {
    await session.send(`42["ctl:self",${JSON.stringify(event)}]`);
    const { headers, text } = await request(server, session.target, { headers: { "accept-encoding": accepted } });
    assert.ok(text.includes(event.args[0]), text.slice(0, 100));
    return headers.get("content-encoding");
  }

  async function joined() {
    const session = await Session.open(server);
    await session.send("40");
    await session.packets(2);
    return session;
  }

  test("a long answer is compressed as the client accepts", async () => {
    const session = await joined();
    const event = { event: "news", args: [LONG] };
    assert.equal(await polled(session, "gzip", event), "gzip");
    assert.equal(await polled(session, "deflate", event), "deflate");
    assert.equal(await polled(session, "gzip, deflate, br", event), "gzip");
    assert.equal(await polled(session, "identity", event), null);
    assert.equal(await polled(session, "br", event), null);
    assert.equal(await polled(session, "gzip;q=0, deflate", event), "deflate");
  });

  test("a short answer is not compressed", async () => {
    assert.equal(await polled(await joined(), "gzip", { event: "news", args: ["short"] }), null);
  });

  test("an answer of packets without the compress flag is not compressed", async () => {
    const event = { event: "news", args: [LONG], compress: false };
    assert.equal(await polled(await joined(), "gzip", event), null);
  });
});
