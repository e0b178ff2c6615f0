// What is in deploy/ besides nginx.conf (tests/nginx drives that): each file is read by a tool that knows its kind, and what
// it says about the program is compared with the program.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { within } from "../harness/wait.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DEPLOY = join(ROOT, "deploy");
const VENV = join(ROOT, "tests/clients/python/.venv/bin");
const PROGRAM = join(ROOT, "target/debug/greenroom");

const read = (name) => readFileSync(join(DEPLOY, name), "utf8");

/** What a command says and how it ends. */
function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd: ROOT, ...options }, (err, stdout, stderr) => {
      if (err && typeof err.code !== "number") return reject(err);
      resolve({ code: err?.code ?? 0, said: `${stdout}${stderr}` });
    });
  });
}

/** A file with this name and text, for as long as the test runs. */
function temporary(t, name, text) {
  const folder = mkdtempSync(join(tmpdir(), "greenroom-deploy-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** A tool is content with a file as it is, and would not be if this were in it. */
async function reads(t, name, command, argsFor, [found, replaced]) {
  const { code, said } = await run(command, argsFor(join(DEPLOY, name)));
  assert.equal(code, 0, said);
  const text = read(name);
  assert.ok(text.includes(found), `${found} is not in ${name}`);
  const spoilt = await run(command, argsFor(temporary(t, name, text.replace(found, replaced))));
  assert.notEqual(spoilt.code, 0, `${command} takes anything`);
}

test("the Dockerfile is one", async (t) => {
  const args = (file) => ["--failure-threshold", "info", file];
  await reads(t, "Dockerfile", join(VENV, "hadolint"), args, ["FROM rust:1.95-alpine", "FROM rust:latest"]);
});

test("the Compose file is one", async (t) => {
  const args = (file) => ["--max-warnings", "0", file];
  const dclint = join(ROOT, "tests/node_modules/.bin/dclint");
  await reads(t, "compose.yml", dclint, args, ["depends_on:", "depends_upon:"]);
});

test("the manifests are those of Kubernetes", async (t) => {
  const args = (file) => ["--strict", "-k", "1.30", file];
  await reads(t, "kubernetes.yaml", join(VENV, "kubernetes-validate"), args, ["httpGet:", "httpGets:"]);
});

test("the unit is one of systemd", async (t) => {
  // It wants the program where it will be.
  const unit = read("greenroom.service").replaceAll("/usr/local/bin/greenroom", PROGRAM);
  const verify = async (text) => {
    const file = temporary(t, "greenroom.service", text);
    const { code, said } = await run("systemd-analyze", ["verify", "--man=no", file]);
    return { code, said: said.split("\n").filter((line) => line.includes("greenroom.service")) };
  };
  assert.deepEqual(await verify(unit), { code: 0, said: [] });
  const { said } = await verify(unit.replace("WatchdogSec", "WatchcatSec"));
  assert.match(said.join("\n"), /Unknown key .*'WatchcatSec'/);
});

test("what the image is built of is enough", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "greenroom-image-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const copied = [...read("Dockerfile").matchAll(/^COPY (?!--)(.+) (\S+)$/gm)].map(([, from, to]) => [from.split(" "), to]);
  const ignored = read("Dockerfile.dockerignore").split("\n");
  for (const [names, to] of copied) {
    for (const name of names) {
      const top = name.split("/")[0];
      assert.ok(ignored.includes(`!${top}`), `${top} is hidden from the builder`);
      if (!name.startsWith("static")) cpSync(join(ROOT, name), join(folder, to === "./" ? name : to), { recursive: true });
    }
  }
  const { CARGO_TARGET_DIR = join(ROOT, "target") } = process.env;
  const env = { ...process.env, CARGO_TARGET_DIR };
  const { code, said } = await run("cargo", ["check", "--locked", "--bin", "greenroom"], { cwd: folder, env });
  assert.equal(code, 0, said);
});

test("the settings in all of them are settings", async (t) => {
  const env = {};
  for (const name of ["Dockerfile", "compose.yml", "kubernetes.yaml"]) {
    for (const [, key] of read(name).matchAll(/^(?!#).*?(GREENROOM_\w+__\w+)/gm)) env[key] = null;
  }
  assert.ok(Object.keys(env).length >= 4);
  const values = {
    GREENROOM_REDIS__URI: "redis://127.0.0.1:1",
    GREENROOM_REDIS__NODE: "a",
    GREENROOM_SERVER__INTERNAL_HOST: "127.0.0.1",
    GREENROOM_SERVER__INTERNAL_PORT: "0",
  };
  for (const key of Object.keys(env)) assert.ok(key in values, `no value to try ${key} with`);
  const server = spawn(PROGRAM, [], { cwd: ROOT, env: { PATH: process.env.PATH, ...values, HOST: "127.0.0.1", PORT: "0" } });
  t.after(() => server.kill("SIGKILL"));
  let said = "";
  await within(
    new Promise((resolve, reject) => {
      server.on("exit", (code) => reject(new Error(`it ends with ${code}: ${said}`)));
      for (const stream of [server.stdout, server.stderr]) {
        stream.on("data", (data) => (said += data).includes("listening on") && resolve());
      }
    }),
    () => `it does not listen: ${said}`,
  );
});

test("the addresses that Compose replaces are those of nginx.conf", () => {
  const replaced = [...read("compose.yml").matchAll(/s\/([\d.:]+)\/(node-\w):3000\//g)].map(([, address]) => address);
  const nodes = new Set([...read("nginx.conf").matchAll(/server (127[\d.:]+)/g)].map(([, address]) => address));
  assert.deepEqual(new Set(replaced), nodes);
});

test("all of them name the version of the program", () => {
  const [, version] = readFileSync(join(ROOT, "Cargo.toml"), "utf8").match(/^version = "(.+)"$/m);
  const [, rust] = readFileSync(join(ROOT, "Cargo.toml"), "utf8").match(/^rust-version = "(.+)"$/m);
  assert.match(read("kubernetes.yaml"), new RegExp(`image: greenroom:${version}\\n`));
  assert.match(read("Dockerfile"), new RegExp(`FROM rust:${rust}-alpine`));
});

test("whoever ends the program waits longer than a drain may take", () => {
  const config = readFileSync(join(ROOT, "config.toml"), "utf8");
  const [, section] = config.match(/\[shutdown\]([^]*?)\n\[/);
  const drain = Number(section.match(/^timeout = "(\d+)s"$/m)[1]);
  const seconds = (name, pattern) => [...read(name).matchAll(pattern)].map(([, n]) => Number(n));
  const waits = [
    ...seconds("greenroom.service", /^TimeoutStopSec=(\d+)$/gm),
    ...seconds("compose.yml", /stop_grace_period: (\d+)s/g),
    ...seconds("kubernetes.yaml", /terminationGracePeriodSeconds: (\d+)/g),
  ];
  assert.equal(waits.length, 4);
  for (const wait of waits) assert.ok(wait > drain, `${wait} s`);
});
