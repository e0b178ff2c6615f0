// What a test file imports: a group of scenarios on every target, each group with a server of its own.

import { after, before, describe, it } from "node:test";
import { Server, targetNames } from "./server.mjs";

export { DEADLINE_MS, Inbox, until, within } from "./wait.mjs";

/** No scenario takes longer; one that hangs names itself. */
const SCENARIO_MS = 60_000;

/**
 * Runs `define(server)` once per target. `options`: `env` and `ready` of the server, and `concurrency`, how many of
 * the groups directly inside run at the same time.
 */
export function onEveryTarget(title, { concurrency = 1, ...options }, define) {
  for (const target of targetNames()) {
    describe(`${target}: ${title}`, { concurrency }, () => {
      const server = new Server(target, options);
      before(() => server.start());
      after(() => server.stop());
      define(server);
    });
  }
}

/** A group inside; its scenarios run one after the other. */
export function group(title, define) {
  describe(title, { concurrency: 1 }, define);
}

/** One scenario; when it fails, the end of the server's log comes with the error. */
export function scenario(server, title, run) {
  it(title, { timeout: SCENARIO_MS }, async (t) => {
    try {
      await run(t);
    } catch (err) {
      if (server.port) err.message += `\n${server.log()}`;
      throw err;
    }
  });
}

let names = 0;

/** A name that no other scenario uses: groups on one server run side by side. */
export function unique(prefix) {
  names += 1;
  return `${prefix}-${process.pid}-${names}`;
}
