// The program with a backend over HTTP: the one of docs/backends.md, as it stands there.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, describe } from "node:test";
import { Inbox, scenario, within } from "../../harness/index.mjs";
import { Server } from "../../harness/server.mjs";
import { CLIENTS } from "./clients.mjs";

const GUIDE = readFileSync(new URL("../../../docs/backends.md", import.meta.url), "utf8");
const SECRET = "s3cret";

/** The program in the guide. */
class Backend {
  async start() {
    const [, code] = GUIDE.match(/```python\n(.*?)```/s);
    this.child = spawn("python3", ["-c", code], {
      env: { PATH: process.env.PATH, PORT: "0", SECRET },
      stdio: ["ignore", "pipe", "inherit"],
    });
    process.on("exit", () => this.child.kill("SIGKILL"));
    this.exit = new Promise((resolve) => this.child.on("exit", resolve));
    const lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    const { value } = await within(lines.next(), () => "the backend does not listen");
    [this.url] = value.match(/http:\S+/);
  }

  async stop() {
    this.child.kill("SIGKILL");
    await this.exit;
  }
}

/** A client and all it hears. */
class Person {
  constructor(t, server, auth, options = {}) {
    this.inbox = new Inbox();
    this.socket = CLIENTS[0].io(server.url, { auth, forceNew: true, reconnection: false, ...options });
    this.socket.onAny((name, ...args) => this.inbox.put(name, args));
    for (const name of ["connect", "connect_error"]) this.socket.on(name, (...args) => this.inbox.put(name, args));
    t.after(() => this.socket.disconnect());
  }

  static async joined(...args) {
    const person = new Person(...args);
    await person.inbox.next("connect");
    return person;
  }
}

describe("a backend over HTTP", { concurrency: 1 }, () => {
  const backend = new Backend();
  let server;

  before(async () => {
    await backend.start();
    server = new Server("program", {
      env: {
        GREENROOM_BACKENDS: `[{ url = "${backend.url}", connect = true, disconnect = true, timeout = "10s" }]`,
        GREENROOM_WEBHOOKS__SECRET: SECRET,
        // It would add an offset to what is said.
        GREENROOM_RECOVERY__ENABLED: "false",
      },
    });
    await server.start();
  });
  after(async () => {
    await server?.stop();
    await backend.stop();
  });

  const of = { get port() { return server?.port; }, log: () => server.log() };

  scenario(of, "it refuses who has no name, and says why", async (t) => {
    const nobody = new Person(t, server, {});
    const [err] = await nobody.inbox.next("connect_error");
    assert.equal(err.message, "who are you?");
    assert.deepEqual(err.data, { code: "nameless" });
  });

  scenario(of, "it hears what is said and lets the others hear it", async (t) => {
    const ada = await Person.joined(t, server, { name: "Ada" }, { transports: ["websocket"] });
    const bob = await Person.joined(t, server, { name: "Bob" }, { transports: ["polling"] });
    assert.deepEqual(await ada.inbox.next("joined"), ["Bob"]);
    assert.equal(await ada.socket.timeout(10_000).emitWithAck("say", "héllo"), 5);
    assert.deepEqual(await bob.inbox.next("said"), ["Ada", "héllo"]);
    assert.deepEqual(await bob.socket.timeout(10_000).emitWithAck("sing"), { error: "unknown event" });
    bob.socket.disconnect();
    assert.deepEqual(await ada.inbox.next("left"), ["Bob"]);
    assert.deepEqual(ada.inbox.left("said"), []);
  });

  scenario(of, "many at once get their own answers, in order", async (t) => {
    const names = Array.from({ length: 20 }, (_, n) => `p${n}`);
    const people = await Promise.all(names.map((name) => Person.joined(t, server, { name })));
    const asks = people.flatMap(({ socket }, n) =>
      Array.from({ length: 30 }, (_, i) => socket.timeout(30_000).emitWithAck("say", "x".repeat(n * 30 + i))),
    );
    assert.deepEqual(await Promise.all(asks), Array.from({ length: 600 }, (_, n) => n));
    // All heard all that one of them said in the order in which it was said.
    const heard = (await people[0].inbox.take("said", 570)).filter(([name]) => name === "p7").map(([, said]) => said.length);
    assert.deepEqual(heard, Array.from({ length: 30 }, (_, i) => 210 + i));
  });

  scenario(of, "who is there is told when it is away, and who wants in too", async (t) => {
    const ada = await Person.joined(t, server, { name: "Ada" });
    await backend.stop();
    const answer = await ada.socket.timeout(10_000).emitWithAck("say", "anybody?");
    assert.deepEqual(answer, { error: "the backend is not reachable" });
    const [err] = await new Person(t, server, { name: "Bob" }).inbox.next("connect_error");
    assert.equal(err.message, "the backend is not reachable");
    assert.deepEqual(err.data, { code: "backend_unreachable" });
  });
});
