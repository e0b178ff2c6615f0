// One nginx with the shipped configuration, on a free port, in a folder of its own, in front of nodes named a, b and so on.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until, within } from "../harness/index.mjs";
import { freePort, HOST } from "../harness/ports.mjs";

export const SHIPPED = readFileSync(new URL("../../deploy/nginx.conf", import.meta.url), "utf8");

const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

const running = new Set();
process.on("exit", () => running.forEach((nginx) => nginx.kill("SIGKILL")));

export class Nginx {
  #child;
  #exit;
  #ended = false;

  /** `nodes`: the ports of the nodes `a`, `b` and what others there are. `isSticky`: without it, requests go to the nodes by turns. */
  constructor(nodes, { isSticky = true } = {}) {
    Object.assign(this, { nodes, isSticky, path: "/socket.io" });
  }

  get url() {
    return `http://${HOST}:${this.port}`;
  }

  /** The address of an Engine.IO request. */
  engine(query = "") {
    return `${this.url}${this.path}/?EIO=4&transport=polling${query}`;
  }

  async start() {
    this.port = await freePort();
    this.folder = mkdtempSync(join(tmpdir(), "greenroom-nginx-"));
    // A master that runs as root has workers that do not.
    chmodSync(this.folder, 0o755);
    const file = join(this.folder, "nginx.conf");
    writeFileSync(file, this.#configuration());
    const main = `daemon off; pid ${this.folder}/nginx.pid;`;
    this.#child = spawn("nginx", ["-p", this.folder, "-c", file, "-e", this.#errorLog, "-g", main], {
      detached: true,
      // Where Debian has it, and not everybody looks.
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      stdio: ["ignore", "ignore", "inherit"],
    });
    running.add(this);
    this.#exit = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("exit", (code, signal) => {
        this.#ended = true;
        running.delete(this);
        resolve(code ?? signal);
      });
    });
    this.#exit.catch(() => {});
    const listens = until("nginx does not listen", async () => {
      if (this.#ended) throw new Error(`nginx has ended\n${this.log()}`);
      return fetch(this.url).then(
        () => true,
        () => false,
      );
    });
    await Promise.race([listens, this.#exit.then((status) => assert.fail(`nginx ends with ${status}\n${this.log()}`))]);
    return this;
  }

  get #errorLog() {
    return join(this.folder, "error.log");
  }

  /** The shipped text with the addresses and folders of this test. */
  #configuration() {
    let text = Object.keys(this.nodes).slice(2).reduce((text, name) => this.#withNode(text, name), SHIPPED);
    const replace = (from, to) => {
      assert.ok(text.includes(from), `deploy/nginx.conf has no ${from}`);
      text = text.replaceAll(from, to);
    };
    replace("listen 80;", `listen ${HOST}:${this.port};`);
    replace("127.0.0.1:3001", `${HOST}:${this.nodes.a}`);
    replace("127.0.0.1:3002", `${HOST}:${this.nodes.b}`);
    replace("/var/log/nginx/", `${this.folder}/`);
    replace("\nhttp {\n", `\nhttp {\n${TEMPORARY.map((name) => `${name}_temp_path ${this.folder}/${name};\n`).join("")}`);
    if (!this.isSticky) {
      replace('"~^a\\."', "#");
      replace('"~^b\\."', "#");
      // By turns: who asks one after the other would always find the same node least busy.
      replace("least_conn;", "");
    }
    return text;
  }

  /** One node more: its three places in the file are those of `b`. */
  #withNode(text, name) {
    const own = (part) => part.replaceAll("_b", `_${name}`).replace("^b", `^${name}`).replace("127.0.0.1:3002", `${HOST}:${this.nodes[name]}`);
    return [/^ *server 127.0.0.1:3002 max_fails.*\n/m, /^ *upstream greenroom_b \{[^}]*\}\n/m, /^ *"~\^b.*\n/m].reduce((text, place) => {
      assert.match(text, place);
      return text.replace(place, (part) => part + own(part));
    }, text);
  }

  kill(signal) {
    try {
      process.kill(-this.#child.pid, signal);
    } catch (err) {
      if (err.code !== "ESRCH") throw err;
    }
  }

  async stop() {
    if (this.#child === undefined) return;
    if (!this.#ended) {
      this.kill("SIGTERM");
      await within(this.#exit, () => "nginx ignores SIGTERM").finally(() => this.kill("SIGKILL"));
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  log() {
    return existsSync(this.#errorLog) ? `--- log of nginx\n${readFileSync(this.#errorLog, "utf8")}` : "";
  }

  accesses() {
    return readFileSync(join(this.folder, "access.log"), "utf8");
  }
}
