// `greenroom bench` against the original server and ours: what it counts has to be exact, and a stall has to show.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { DEADLINE_MS, onEveryTarget, scenario, until, within } from "../../harness/index.mjs";
import { freePort, HOST } from "../../harness/ports.mjs";
import { Server } from "../../harness/server.mjs";
import { CLIENTS } from "./clients.mjs";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAM = process.env.PROGRAM ?? join(ROOT, "target/debug/greenroom");
const PATHS = { echo: ["--event", "echo"], broadcast: ["--event", "publish-all"], rooms: ["--event", "publish", "--join-event", "join"] };

/** A run that is on its way. */
class Run {
  constructor(t, words, { program = PROGRAM, before = [] } = {}) {
    this.output = { stdout: "", stderr: "" };
    this.child = spawn(program, [...before, ...words.map(String)], { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] });
    for (const name of ["stdout", "stderr"]) this.child[name].on("data", (data) => (this.output[name] += data));
    this.end = new Promise((resolve) => this.child.on("close", resolve));
    t.after(() => this.child.kill("SIGKILL"));
  }

  /** Exit code, what it printed, and that as JSON if it is. */
  async ended() {
    const code = await within(this.end, () => `the run does not end: ${JSON.stringify(this.output)}`, 4 * DEADLINE_MS);
    const { stdout, stderr } = this.output;
    return { code, stdout, stderr, json: stdout.startsWith("{") ? JSON.parse(stdout) : undefined };
  }
}

function bench(t, words, options) {
  return new Run(t, ["bench", ...words, "--json"], options).ended();
}

/** A run of a second of ten clients, with ten messages per second. */
function short(mode, server, ...more) {
  const events = more.includes("--event") ? [] : PATHS[mode];
  return [mode, server.url, "-n", 10, "--connect-rate", 1000, "--warm-up", "500ms", "--duration", "1s", ...events, ...more];
}

/** A client that asks the server how it is. */
async function control(t, server) {
  const socket = CLIENTS[0].io(server.url, { forceNew: true, transports: ["websocket"] });
  t.after(() => socket.disconnect());
  await within(new Promise((resolve) => socket.on("connect", resolve)), () => "the control client is not connected");
  const ask = (op, params = {}) => socket.timeout(DEADLINE_MS).emitWithAck(`ctl:${op}`, params);
  return Object.assign(ask, { socket });
}

/** Waits until the clients of a run are there, besides the one that asks. The last may not have heard of it yet. */
function arrived(ask, n) {
  return until(`${n} clients are not there`, async () => (await ask("fetchSockets", { target: {} })).sockets.length === n + 1);
}

/** What lets clients of a run emit something that is answered and that the one who asks hears too. */
function beat(ask) {
  return ["--event", "ctl:emit", "--args", JSON.stringify([{ target: { to: [ask.socket.id] }, event: "beat", args: [] }])];
}

/** Waits until the one who asks has heard so many. */
async function heard(ask, name, n) {
  let count = 0;
  await within(new Promise((resolve) => ask.socket.on(name, () => ++count === n && resolve())), () => `of ${n} ${name} came ${count}`);
}

const whole = (n, each = 1) => ({ due: n, sent: n, unsent: 0, expected: n * each, received: n * each, missing: 0, surplus: 0, repeated: 0 });

onEveryTarget("bench", {}, (server) => {
  for (const transport of ["websocket", "polling"]) {
    scenario(server, `connections over ${transport}`, async (t) => {
      const words = ["connect", server.url, "-n", 40, "--rate", 400, "--duration", "300ms", "--transport", transport, "--pid", server.pid];
      const { code, json } = await bench(t, words);
      assert.equal(code, 0, JSON.stringify(json));
      const { connections } = json;
      assert.deepEqual([json.ok, json.transport, connections.wanted, connections.connected, connections.dropped], [true, transport, 40, 40, 0]);
      assert.deepEqual(connections.failures, {});
      assert.ok(connections.latency_ms.p50 > 0 && connections.latency_ms.p50 <= connections.latency_ms.max);
      // The last was due 97.5 ms after the first.
      assert.ok(connections.seconds >= 0.0975, connections.seconds);
      assert.ok(json.server.rss_before_bytes > 1e6 && json.server.rss_connected_bytes > 1e6);
      assert.equal(typeof json.server.bytes_per_connection, "number");
      assert.equal(json.messages, null);
    });

    scenario(server, `acks over ${transport} are counted exactly`, async (t) => {
      const { code, json } = await bench(t, short("echo", server, "--rate", 10, "--transport", transport, "--size", 2000));
      assert.equal(code, 0, JSON.stringify(json));
      assert.deepEqual(json.messages.measured, whole(100));
      assert.deepEqual(json.messages.warm_up, whole(50));
      assert.equal(json.messages.other_answers, 0);
      const { p50, p90, p99, max } = json.messages.latency_ms;
      assert.ok(0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= max);
      assert.ok(json.latency_over_time_ms.length > 20);
    });

    scenario(server, `broadcasts over ${transport} reach everybody once`, async (t) => {
      const { code, json } = await bench(t, short("broadcast", server, "--rate", 10, "--senders", 2, "--transport", transport));
      assert.equal(code, 0, JSON.stringify(json));
      assert.deepEqual(json.messages.measured, whole(20, 10));
      assert.deepEqual(json.messages.warm_up, whole(10, 10));
    });

    scenario(server, `rooms over ${transport} hear what is theirs`, async (t) => {
      // Each client is in two of four rooms: 10 clients are 20 members. 2 senders in each room.
      const more = ["--rate", 10, "--rooms", 4, "--rooms-per-client", 2, "--senders", 2, "--threads", 3, "--transport", transport];
      const { code, json } = await bench(t, short("rooms", server, ...more));
      assert.equal(code, 0, JSON.stringify(json));
      assert.deepEqual(json.messages.measured, whole(80, 5));
      assert.deepEqual(json.messages.warm_up, whole(40, 5));
    });
  }

  scenario(server, "a server that stalls shows, though each client waits for its answer", async (t) => {
    const ask = await control(t, server);
    const words = ["echo", server.url, "-n", 10, "--connect-rate", 1000, "--warm-up", "0s", "--duration", "3s", "--rate", 20, ...beat(ask)];
    const run = new Run(t, ["bench", ...words, "--json"]);
    await heard(ask, "beat", 40);
    await server.freeze();
    const thawed = new Promise((resolve) => setTimeout(resolve, 500)).finally(() => server.kill("SIGCONT"));
    const { code, json } = await run.ended();
    await thawed;
    assert.equal(code, 0, JSON.stringify(json));
    assert.deepEqual(json.messages.measured, whole(600));
    // A sixth of the messages was due while the server stood. A client that begins to count when it sends would have had one slow
    // message each: 10 of 500.
    const { p50, p90, p99, max } = json.messages.latency_ms;
    assert.ok(p90 > 100 && p99 > 400 && max >= 450, JSON.stringify(json.messages.latency_ms));
    assert.ok(p50 < 100, `${p50}`);
    const slow = json.latency_over_time_ms.filter((piece) => piece.max > 100);
    assert.ok(slow.length >= 8, JSON.stringify(json.latency_over_time_ms));
  });

  scenario(server, "any number of events may be unanswered, if that is asked for", async (t) => {
    const ask = await control(t, server);
    const words = ["echo", server.url, "-n", 5, "--connect-rate", 1000, "--warm-up", "0s", "--duration", "1s", "--rate", 100, "--in-flight", 0, ...beat(ask)];
    const run = new Run(t, ["bench", ...words, "--json"]);
    await heard(ask, "beat", 40);
    await server.freeze();
    const thawed = new Promise((resolve) => setTimeout(resolve, 300)).finally(() => server.kill("SIGCONT"));
    const { code, json } = await run.ended();
    await thawed;
    assert.equal(code, 0, JSON.stringify(json));
    assert.deepEqual(json.messages.measured, whole(500));
    assert.ok(json.messages.latency_ms.max >= 250, JSON.stringify(json.messages.latency_ms));
  });

  scenario(server, "who is not let in is told why", async (t) => {
    const few = (...more) => ["connect", server.url, "-n", 3, "--rate", 1000, "--duration", "0s", ...more];
    const refused = async (...more) => {
      const { code, json, stderr } = await bench(t, few(...more));
      assert.deepEqual([code, json.ok, json.connections.connected], [1, false, 0]);
      assert.match(stderr, /not all clients were served/);
      return json.connections.failures;
    };
    assert.deepEqual(await refused("--namespace", "/nowhere"), { "the namespace was refused: Invalid namespace": 3 });
    const [[reason, n]] = Object.entries(await refused("--namespace", "/auth"));
    assert.match(reason, /unauthorized.*E_AUTH/);
    assert.equal(n, 3);
    assert.deepEqual(await refused("--path", "/nothing", "--transport", "polling").then(Object.values), [3]);
    const { code } = await bench(t, few("--namespace", "/auth", "--auth", '{"token":"secret"}'));
    assert.equal(code, 0);
    const url = `${server.url}/?token=secret`;
    assert.equal((await bench(t, ["connect", url, "-n", 3, "--duration", "0s", "--nsp", "/auth"])).code, 0);
  });

  scenario(server, "answers that are others, and messages that come too often, are told", async (t) => {
    const { code, json } = await bench(t, short("echo", server, "--rate", 10, "--event", "join"));
    assert.equal(code, 0);
    assert.deepEqual([json.messages.other_answers, json.messages.other_answer], [150, "true"]);

    const more = await bench(t, short("broadcast", server, "--rate", 10, "--without-sender"));
    assert.deepEqual([more.code, more.json.ok], [1, false]);
    assert.ok(more.json.messages.measured.surplus > 0, more.stdout);

    const none = await bench(t, short("echo", server, "--rate", 10, "--event", "unheard-of", "--timeout", "100ms"));
    assert.deepEqual([none.code, none.json.messages.measured.received], [1, 0]);
    // Each client waits for the answer to its first event, and for nothing else.
    assert.deepEqual([none.json.messages.warm_up.missing, none.json.messages.measured.unsent], [10, 100]);
  });

  scenario(server, "a client that is interrupted tells what it has", async (t) => {
    const ask = await control(t, server);
    const endless = (mode, ...more) => new Run(t, ["bench", mode, server.url, "-n", 5, "--duration", "1h", ...more, "--json"]);
    const holding = endless("connect");
    await arrived(ask, 5);
    holding.child.kill("SIGINT");
    const held = await holding.ended();
    assert.deepEqual([held.code, held.json.interrupted, held.json.ok, held.json.connections.dropped], [0, true, true, 0]);
    assert.ok(held.json.connections.connected >= 4, held.stdout);
    await arrived(ask, 0);

    const saying = endless("broadcast", "--rate", 100, "--warm-up", "100ms", ...PATHS.broadcast);
    await heard(ask, "msg", 20);
    saying.child.kill("SIGINT");
    const { code, json: said } = await saying.ended();
    assert.deepEqual([code, said.interrupted, said.ok], [0, true, true]);
    const { due, received } = said.messages.measured;
    assert.ok(due >= 1, `${due}`);
    assert.equal(received, 5 * due);
    await arrived(ask, 0);

    // In the middle of connecting: 5000 s would be left.
    const run = new Run(t, ["bench", "connect", server.url, "-n", 5000, "--rate", 10, "--json"]);
    await until("nobody comes", async () => (await ask("info")).clientsCount > 3);
    run.child.kill("SIGINT");
    const { json } = await run.ended();
    assert.equal(json.interrupted, true);
    assert.ok(json.connections.connected >= 1 && json.connections.connected < 100, `${json.connections.connected}`);
    assert.deepEqual(json.connections.failures, {});
  });

  scenario(server, "the report for people has it all, the picture too", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "greenroom-bench-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const svg = join(folder, "a.svg");
    const words = ["bench", ...short("echo", server, "--rate", 20, "--svg", svg, "--pid", server.pid)].join(" ");
    // On a terminal of its own, it says how far it is.
    const { code, stdout } = await new Run(t, ["-qec", `${PROGRAM} ${words}`, "/dev/null"], { program: "script" }).ended();
    assert.equal(code, 0, stdout);
    for (const part of [/measuring: 1 s left, sent \d+, received/, /connections +10 of 10/, /messages +200 sent in 1.00 s, 200 per second/, /answered +200 of 200/]) {
      assert.match(stdout, part);
    }
    for (const part of [/latency +p50 .* ms, p90 .* ms, p99 .*, p99.9 .*, max/, /server memory +.* MB before/, /server time/, /│.*█/]) {
      assert.match(stdout, part);
    }
    const parsed = 'import sys, xml.dom.minidom as m; print(len(m.parse(sys.argv[1]).getElementsByTagName("polyline")))';
    const xml = await new Run(t, ["-c", parsed, svg], { program: "python3" }).ended();
    assert.deepEqual([xml.code, xml.stdout], [0, "4\n"], xml.stderr);
    assert.ok(readFileSync(svg, "utf8").includes(`echo ${server.url} websocket namespace /`));
  });
});

onEveryTarget("bench and a server that goes", {}, (server) => {
  scenario(server, "its clients are counted as dropped, and its messages as missing", async (t) => {
    const ask = await control(t, server);
    const words = ["echo", server.url, "-n", 8, "--warm-up", "0s", "--duration", "4s", "--rate", 50, "--timeout", "200ms", ...beat(ask)];
    const run = new Run(t, ["bench", ...words, "--json", "--pid", server.pid]);
    await heard(ask, "beat", 40);
    await server.crash();
    const { code, json } = await run.ended();
    assert.deepEqual([code, json.ok, json.connections.connected, json.connections.dropped], [1, false, 8, 8]);
    assert.equal(Object.values(json.connections.failures).reduce((sum, n) => sum + n), 8);
    const { due, sent, unsent } = json.messages.measured;
    assert.deepEqual([due, sent + unsent], [1600, 1600]);
    assert.ok(unsent > 0);
    assert.equal(json.server.rss_after_bytes, null);
  });
});

const GUIDE = readFileSync(join(ROOT, "docs/load-testing.md"), "utf8");

describe("bench as in its guide", { concurrency: 1 }, () => {
  const chat = new Server("program", { env: { RUST_LOG: "warn" } });
  before(() => chat.start());
  after(() => chat.stop());

  scenario(chat, "the chat of the program takes connections and echoes as they come", async (t) => {
    const connected = await bench(t, ["connect", chat.url, "-n", 50, "--rate", 500, "--duration", "0s"]);
    assert.equal(connected.code, 0, connected.stdout);
    const { code, json } = await bench(t, ["echo", chat.url, "-n", 20, "--connect-rate", 500, "--warm-up", "0s", "--duration", "1s"]);
    assert.equal(code, 0, JSON.stringify(json));
    assert.deepEqual(json.messages.measured, whole(20));
    assert.equal(json.messages.other_answers, 20);
    assert.match(json.messages.other_answer, /bad_request/);
  });

  scenario(chat, "the conversation of the guide is one", async (t) => {
    const [, command] = GUIDE.match(/```sh\ngreenroom (bench rooms .*?)```/s);
    const words = `exec "$0" ${command.trim()} ${chat.url} --warm-up 500ms --duration 2s --json`;
    const { code, json } = await new Run(t, ["-c", words, PROGRAM], { program: "sh" }).ended();
    assert.equal(code, 0, JSON.stringify(json));
    assert.deepEqual(json.messages.measured, whole(8, 9));
  });

  scenario(chat, "the server of the guide takes all of it, with no options", async (t) => {
    const [, code] = GUIDE.match(/```js\n(.*?)```/s);
    const port = await freePort();
    const node = spawn(process.execPath, ["--input-type=module", "-e", code], {
      cwd: join(ROOT, "tests"),
      env: { PATH: process.env.PATH, PORT: String(port) },
      stdio: ["ignore", "inherit", "inherit"],
    });
    t.after(() => node.kill("SIGKILL"));
    const url = `http://${HOST}:${port}`;
    await until("the server of the guide does not listen", () => fetch(url).then(() => true, () => false));
    for (const [mode, n, each] of [["echo", 100, 1], ["broadcast", 10, 100], ["rooms", 10, 10]]) {
      const run = await bench(t, [mode, url, "--connect-rate", 1000, "--warm-up", "100ms", "--duration", "1s"]);
      assert.equal(run.code, 0, run.stdout);
      assert.deepEqual(run.json.messages.measured, whole(n, each), mode);
    }
  });

  scenario(chat, "nobody there", async (t) => {
    const url = `http://${HOST}:${await freePort()}`;
    for (const transport of ["websocket", "polling"]) {
      const { code, json } = await bench(t, ["echo", url, "-n", 4, "--rate", 10, "--transport", transport]);
      assert.equal(code, 1);
      const [[reason, n]] = Object.entries(json.connections.failures);
      assert.match(reason, /not connected: Connection refused/);
      assert.deepEqual([n, json.messages.measured.due], [4, 0]);
    }
  });

  scenario(chat, "what cannot be done is said before anything is", async (t) => {
    for (const [words, told] of [
      [["connect", "127.0.0.1:3000"], /is not the URL of a server/],
      [["connect", "http://127.0.0.1/chat"], /the namespace is --namespace/],
      [["connect", "-n", "0"], /--connections: from 1 to/],
      [["connect", "--rate", "0"], /a number of times per second/],
      [["connect", "--duration", "soon"], /is no time: 10s/],
      [["connect", "--auth", "[]"], /--auth is no JSON object/],
      [["connect", "--header", "x"], /is not NAME: VALUE/],
      [["connect", "--namespace", "chat"], /--namespace begins with \//],
      [["connect", "--pid", "4000000000"], /the process 4000000000 cannot be looked at/],
      [["connect", "--svg", "/nowhere/a.svg"], /cannot write \/nowhere\/a.svg/],
      [["echo", "--args", "{}"], /--args is no JSON array/],
      [["broadcast", "--size", "38"], /--size: from 39/],
      [["broadcast", "--args", "[]"], /without \{payload\}/],
      [["broadcast", "--senders", "0"], /--senders: at least 1/],
      [["rooms", "-n", "3", "--rooms", "4"], /--rooms: at least 1/],
      [["rooms", "--rooms-per-client", "0"], /--rooms-per-client: at least 1/],
      [["echo", "--rate", "1000000", "--duration", "1h"], /messages: at most/],
      [["chat"], /unrecognized subcommand/],
    ]) {
      const { code, stdout, stderr } = await new Run(t, ["bench", ...words]).ended();
      assert.deepEqual([code, stdout], [2, ""], `${words}`);
      assert.match(stderr, told, `${words}`);
    }
  });

  scenario(chat, "the help has all gaps", async (t) => {
    const { code, stdout } = await new Run(t, ["bench", "rooms", "--help"]).ended();
    assert.equal(code, 0);
    const help = stdout.replace(/\s+/g, " ");
    assert.match(help, /in which \{client\}, \{room\}, \{id\} and \{payload\} are filled \[default: \["\{room\}","\{payload\}"\]\]/);
    assert.match(help, /in which \{client\} is the number of the client/);
  });

  scenario(chat, "the limit of open files is raised as far as it may be", async (t) => {
    const limited = (limit, n) => {
      const words = ["bench", "connect", chat.url, "-n", n, "--rate", 1000, "--duration", "0s", "--threads", 1];
      return new Run(t, ["-c", `ulimit ${limit}; exec "$0" "$@"`, PROGRAM, ...words], { program: "bash" }).ended();
    };
    const raised = await limited("-Sn 64", 100);
    assert.equal(raised.code, 0, raised.stderr);
    assert.match(raised.stderr, /raised the limit of open files from 64 to 172/);
    assert.match(raised.stdout, /100 of 100/);
    const refused = await limited("-n 64", 100);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /172 files have to be open .* may have 64: raise the limit/);
  });
});
