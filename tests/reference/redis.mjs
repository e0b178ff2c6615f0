// The classic adapter, as the environment describes it.

import { createAdapter } from "@socket.io/redis-adapter";
import { createClient, createCluster } from "redis";

/** How long a client waits before it dials again, ms. */
const RECONNECT_MS = 100;
const CLUSTER = "redis+cluster://";

function clientOf(url) {
  const socket = { reconnectStrategy: RECONNECT_MS };
  if (!url.startsWith(CLUSTER)) return createClient({ url, socket });
  const rootNodes = url.slice(CLUSTER.length).split(",").map((address) => ({ url: `redis://${address}` }));
  return createCluster({ rootNodes, defaults: { socket } });
}

/** Connects, and gives what the option `adapter` of a server takes. */
export async function redisAdapter({ url, ...options }) {
  const publisher = clientOf(url);
  const subscriber = clientOf(url);
  for (const client of [publisher, subscriber]) {
    client.on("error", (err) => console.error(`redis: ${err.message}`));
    await client.connect();
  }
  return createAdapter(publisher, subscriber, options);
}
