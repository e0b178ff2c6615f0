// Where the servers of the tests listen.

import { createServer } from "node:net";

export const HOST = "127.0.0.1";

/**
 * A port below the range that the kernel hands out to outgoing connections, so that none of them can take it, and above
 * 10080, the highest of those that `fetch` refuses to connect to.
 */
export async function freePort() {
  for (;;) {
    const port = 11_000 + Math.floor(Math.random() * 19_000);
    const isFree = await new Promise((resolve) => {
      const probe = createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, HOST, () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
