// One server process under test: started by command on a free port, configured by environment, killed with its group.

import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, HOST } from "./ports.mjs";
import { until, within } from "./wait.mjs";

/** Where commands run. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COMMANDS = JSON.parse(readFileSync(new URL("targets.json", import.meta.url), "utf8"));
const READY_MS = 15_000;
const EXIT_MS = 5_000;
const LOG_TAIL_LINES = 40;

/** The targets that `TARGETS` names; a name that does not exist is an error. */
export function targetNames() {
  const names = (process.env.TARGETS || "reference,subject").split(",");
  for (const name of names) {
    if (!(name in COMMANDS)) throw new Error(`TARGETS: there is no target "${name}"`);
  }
  return names;
}

/** The shell command that starts a target. */
export const commandOf = (target) => COMMANDS[target];

/** What a server inherits; everything else it is told explicitly. */
const INHERITED = ["PATH", "HOME", "TMPDIR", "SUBJECT", "PROGRAM", "RUST_LOG", "RUST_BACKTRACE"];

let logFolder;
const running = new Set();
process.on("exit", () => running.forEach((server) => server.kill("SIGKILL")));
// Without these a signal would end the process with nothing of the kind: the servers would stay.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Server {
  #child;
  #exit;
  #logFile;

  /** `env`: the variables of the fixture contract; `ready`: the status that says the server listens. */
  constructor(target, { env = {}, ready = 200 } = {}) {
    this.target = target;
    this.env = env;
    this.path = env.SIO_PATH ?? "/socket.io";
    this.readyStatus = ready;
  }

  get isReference() {
    return this.target === "reference";
  }

  get url() {
    return `http://${HOST}:${this.port}`;
  }

  get wsUrl() {
    return `ws://${HOST}:${this.port}`;
  }

  get pid() {
    return this.#child.pid;
  }

  get exited() {
    return this.#exit;
  }

  async start(port) {
    this.status = undefined;
    this.port = port ?? (await freePort());
    logFolder ??= mkdtempSync(join(tmpdir(), "greenroom-tests-"));
    this.#logFile = join(logFolder, `${this.target}-${this.port}.log`);
    const log = openSync(this.#logFile, "a");
    this.#child = spawn("sh", ["-c", `exec ${COMMANDS[this.target]}`], {
      cwd: ROOT,
      detached: true,
      env: { ...inherited(), HOST, PORT: String(this.port), ...this.env },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    running.add(this);
    this.#exit = new Promise((resolve) => {
      this.#child.on("exit", (code, signal) => {
        this.status = code ?? signal;
        running.delete(this);
        resolve(this.status);
      });
    });
    await until(`${this.target} is not ready\n${this.log()}`, () => this.#isReady(), READY_MS);
    return this;
  }

  async #isReady() {
    if (this.status !== undefined) throw new Error(`${this.target} ended with ${this.status}\n${this.log()}`);
    try {
      const handshake = `${this.url}${this.path}/?EIO=4&transport=polling`;
      const answer = await fetch(handshake, { signal: AbortSignal.timeout(1000) });
      const body = await answer.text();
      if (answer.status !== this.readyStatus) return false;
      if (answer.status === 200) {
        const { sid } = JSON.parse(body.slice(1));
        await fetch(`${handshake}&sid=${encodeURIComponent(sid)}`, { method: "POST", body: "1" });
      }
      return true;
    } catch (err) {
      if (err instanceof SyntaxError) throw err;
      return false;
    }
  }

  kill(signal) {
    if (this.#child === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch (err) {
      if (err.code !== "ESRCH") throw err;
    }
  }

  /** Stops the process until it gets SIGCONT. The signal alone only asks for it: a busy thread goes on for a while. */
  async freeze() {
    this.kill("SIGSTOP");
    const folder = `/proc/${this.pid}/task`;
    // The state follows the name, which is in parentheses.
    const isStopped = (thread) => /.*\) T/.test(readFileSync(`${folder}/${thread}/stat`, "utf8"));
    await until(`${this.target} does not freeze`, () => readdirSync(folder).every(isStopped), EXIT_MS);
  }

  /** `kill -9`, and waits for the end. What ended on purpose is no failure, and may be started again. */
  async crash() {
    this.kill("SIGKILL");
    await within(this.#exit, () => `${this.target} survives SIGKILL`, EXIT_MS);
    this.#child = undefined;
  }

  /** Ends the server. One that died before, does not obey, or has panicked, is a failure. */
  async stop() {
    if (this.#child === undefined) return;
    const died = this.status !== undefined;
    if (!died) {
      // A frozen process would take no other signal.
      this.kill("SIGCONT");
      this.kill("SIGTERM");
      await within(this.#exit, () => `${this.target} ignores SIGTERM`, EXIT_MS).finally(() => this.kill("SIGKILL"));
    }
    const log = readFileSync(this.#logFile, "utf8");
    const panic = log.split("\n").find((line) => /panicked at|UnhandledPromiseRejection|^Uncaught/.test(line));
    if (died) throw new Error(`${this.target} ended by itself with ${this.status}\n${this.log()}`);
    this.#child = undefined;
    if (panic) throw new Error(`${this.target} panicked: ${panic}\n${this.log()}`);
  }

  /** All lines the server printed. */
  lines() {
    return readFileSync(this.#logFile, "utf8").trimEnd().split("\n");
  }

  /** The last lines the server printed. */
  log() {
    const lines = this.lines();
    return `--- log of ${this.target} (${this.#logFile})\n${lines.slice(-LOG_TAIL_LINES).join("\n")}`;
  }
}

function inherited() {
  return Object.fromEntries(INHERITED.filter((name) => name in process.env).map((name) => [name, process.env[name]]));
}
