// What every client can do over every transport.

import assert from "node:assert/strict";
import { group, Inbox, onEveryTarget, scenario, unique } from "../../harness/index.mjs";
import { alsoIn, attempt, connect, endOf, journalled, MATRIX } from "./clients.mjs";
import { binaryArguments, bytes, JSON_VALUES } from "./values.mjs";

const TOKEN = { token: "secret" };

onEveryTarget("every client over every transport", { env: { ALLOW_EIO3: "1" }, concurrency: 4 }, (server) => {
  for (const { client, mode, title } of MATRIX) {
    group(title, () => {
      const test = (name, run) => scenario(server, name, run);
      const open = (t, options) => connect(t, server, client, mode, options);
      // Clients 1 and 2 have no auth payload: they say the same in the query of the namespace.
      const credentials = (token) => (client.protocol === 4 ? { auth: token } : { query: token });

      test("the server knows transport, protocol and id", async (t) => {
        const peer = await open(t);
        const info = await peer.ctl("info");
        assert.equal(info.transport, mode === "polling" ? "polling" : "websocket");
        assert.equal(info.protocol, client.protocol);
        assert.equal(info.nsp, "/");
        assert.equal(info.recovered, false);
        assert.ok(info.clientsCount >= 1);
      });

      test("the auth payload comes back in the first event", async (t) => {
        const auth = { token: "secret", list: [1, { two: 2 }] };
        const peer = await open(t, client.protocol === 4 ? { auth } : {});
        assert.deepEqual(await peer.next("auth"), [client.protocol === 4 ? auth : {}]);
        assert.equal(peer.inbox.order.find((name) => name !== "connect"), "auth");
      });

      test("the socket id is public, the session id is not", async (t) => {
        const peer = await open(t);
        const { id } = await peer.ctl("info");
        if (client.protocol === 4) {
          assert.equal(id, peer.id);
          assert.notEqual(id, peer.engine.id);
        } else if (server.isReference) {
          assert.equal(id, peer.engine.id);
        } else {
          // Old clients are not told their id and take the session's for it; ours gives that one to nobody.
          assert.notEqual(id, peer.engine.id);
        }
      });

      test("the handshake has query, headers and address", async (t) => {
        const extraHeaders = { "X-Custom": "one", Cookie: "a=b; c=d" };
        const peer = await open(t, { query: { name: "value with space & more" }, extraHeaders });
        const { handshake } = await peer.ctl("handshake");
        assert.equal(handshake.query.name, "value with space & more");
        assert.equal(handshake.query.EIO, String(client.protocol));
        assert.equal(handshake.headers["x-custom"], "one");
        assert.equal(handshake.headers.cookie, "a=b; c=d");
        assert.match(handshake.headers.host, /^127\.0\.0\.1:/);
        assert.match(handshake.address, /127\.0\.0\.1$/);
        assert.equal(handshake.secure, false);
        assert.ok(handshake.url.startsWith(`${server.path}/?`));
      });

      test("a middleware accepts the right token", async (t) => {
        const peer = await open(t, { nsp: "/auth", ...credentials(TOKEN) });
        assert.equal((await peer.ctl("info")).nsp, "/auth");
        const [auth] = await peer.next("auth");
        assert.equal(auth.token, "secret");
      });

      test("a middleware refuses with message and data", async (t) => {
        const peer = attempt(t, server, client, mode, { nsp: "/auth", ...credentials({ token: "wrong" }) });
        const err = await peer.next("refused");
        if (client.protocol === 4) {
          assert.equal(err.message, "unauthorized");
          assert.deepEqual(err.data, { code: "E_AUTH" });
        } else {
          assert.deepEqual(err, { code: "E_AUTH" });
        }
        assert.ok(!peer.socket.connected);
      });

      test("an unknown namespace is refused, the connection goes on", async (t) => {
        const peer = await open(t);
        const refused = alsoIn(t, peer, "/nobody");
        const err = await refused.next("refused");
        assert.equal(err.message, "Invalid namespace");
        assert.deepEqual(await peer.ask("message-with-ack", 1), [1]);
      });

      test("static and dynamic namespaces share one connection", async (t) => {
        const main = await open(t);
        const custom = await alsoIn(t, main, "/custom").connected();
        const dynamic = await alsoIn(t, main, "/dyn-x_1").connected();
        const infos = await Promise.all([main, custom, dynamic].map((peer) => peer.ctl("info")));
        assert.deepEqual(infos.map(({ nsp }) => nsp), ["/", "/custom", "/dyn-x_1"]);
        assert.equal(new Set(infos.map(({ id }) => id)).size, 3);

        custom.emit("message", "in custom");
        dynamic.emit("message", "in dynamic");
        assert.deepEqual(await custom.next("message-back"), ["in custom"]);
        assert.deepEqual(await dynamic.next("message-back"), ["in dynamic"]);
        assert.deepEqual(main.inbox.left("message-back"), []);

        custom.socket.disconnect();
        assert.equal(await endOf(main, infos[1].id), "client namespace disconnect");
        assert.deepEqual(await dynamic.ask("message-with-ack", "still here"), ["still here"]);
      });

      test("every JSON type comes back", async (t) => {
        const peer = await open(t);
        for (const value of JSON_VALUES) {
          peer.emit("message", value);
          assert.deepEqual(await peer.next("message-back"), [value]);
        }
        peer.emit("message", ...JSON_VALUES);
        assert.deepEqual(await peer.next("message-back"), JSON_VALUES);
        peer.emit("message");
        assert.deepEqual(await peer.next("message-back"), []);
      });

      test("the order of keys is kept", async (t) => {
        const peer = await open(t);
        const [back] = await peer.ask("message-with-ack", { z: 1, a: 2, m: { y: 1, b: 2 } });
        assert.equal(JSON.stringify(back), '{"z":1,"a":2,"m":{"y":1,"b":2}}');
      });

      test("binary comes back from any depth", async (t) => {
        const peer = await open(t);
        peer.emit("message", ...binaryArguments());
        assert.deepEqual(await peer.next("message-back"), binaryArguments());
        const ten = Array.from({ length: 10 }, (_, index) => bytes(index));
        peer.emit("message", ten);
        assert.deepEqual(await peer.next("message-back"), [ten]);
      });

      test("acks carry any arguments to the client", async (t) => {
        const peer = await open(t);
        assert.deepEqual(await peer.ask("message-with-ack"), []);
        assert.deepEqual(await peer.ask("message-with-ack", ...JSON_VALUES), JSON_VALUES);
        assert.deepEqual(await peer.ask("message-with-ack", ...binaryArguments()), binaryArguments());
      });

      test("acks carry any arguments to the server", async (t) => {
        const peer = await open(t);
        for (const args of [[], JSON_VALUES, binaryArguments()]) {
          const asked = new Promise((resolve) => {
            peer.socket.once("emit-with-ack", (...request) => {
              const ack = request.pop();
              resolve(request);
              ack("answer", ...request);
            });
          });
          peer.emit("emit-with-ack", ...args);
          assert.deepEqual(await asked, args);
          // The first entry is the request itself (its last argument is the ack function), the second the answer.
          await peer.next("emit-with-ack");
          assert.deepEqual(await peer.next("emit-with-ack"), ["answer", ...args]);
        }
      });

      test("a server waits for an ack until its time-out", async (t) => {
        const peer = await open(t);
        peer.socket.on("question", (value, ack) => ack(value + 1, "and more"));
        const { args } = await peer.ctl("selfAck", { event: "question", args: [41] });
        assert.deepEqual(args, [42, "and more"]);
        const [reply] = await peer.ask("ctl:selfAck", { event: "unheard", timeout: 50 });
        assert.equal(reply.ok, false);
        assert.match(reply.error, /timeout/);
      });

      test("many emits keep their order, also while the transport changes", async (t) => {
        const peer = attempt(t, server, client, mode);
        await peer.next("connect");
        const numbers = Array.from({ length: 300 }, (_, index) => index);
        for (const number of numbers) peer.emit("message", number);
        const back = await peer.inbox.take("message-back", numbers.length);
        assert.deepEqual(back.map(([number]) => number), numbers);
      });

      test("an ack does not overtake what was emitted before it", async (t) => {
        const peer = await open(t);
        const room = unique("room");
        await peer.ctl("join", { rooms: [room] });
        const seen = new Inbox();
        peer.socket.on("news", (number) => seen.put(`news ${number}`));
        const numbers = Array.from({ length: 50 }, (_, number) => number);
        for (const number of numbers) {
          const params = { target: { to: [room] }, event: "news", args: [number] };
          peer.socket.emit("ctl:emit", params, () => seen.put(`ack ${number}`));
        }
        await seen.next(`ack ${numbers.at(-1)}`);
        const expected = numbers.flatMap((number) => [`news ${number}`, `ack ${number}`]);
        assert.deepEqual(seen.order, expected);
      });

      test("payloads close to the limit pass both ways", async (t) => {
        const peer = await open(t);
        // Over polling the old clients encode text as UTF-8 twice: four bytes each.
        const text = "é".repeat(client.protocol === 4 ? 400_000 : 200_000);
        assert.deepEqual(await peer.ask("message-with-ack", text), [text]);
        const binary = Buffer.alloc(600_000, 7);
        const [back] = await peer.ask("message-with-ack", binary);
        assert.ok(binary.equals(back));
      });

      test("a volatile event arrives while the client keeps up", async (t) => {
        const peer = await open(t);
        // Over polling there are moments without a pending request, and then it may be dropped: that is its meaning.
        for (let tries = 0; peer.inbox.left("news").length === 0; tries += 1) {
          assert.ok(tries < 100, "100 volatile events, none arrived");
          await peer.ctl("self", { event: "news", args: ["volatile", bytes(1)], volatile: true });
          await peer.ask("message-with-ack");
        }
        assert.deepEqual(await peer.next("news"), ["volatile", bytes(1)]);
      });

      test("the client leaves", async (t) => {
        const [peer, observer] = [await open(t), await open(t)];
        const { id } = await peer.ctl("info");
        await journalled(observer, id, (entry) => entry.type === "connect" && entry.nsp === "/");
        peer.socket.disconnect();
        assert.equal(await peer.next("disconnect"), "io client disconnect");
        assert.equal(await endOf(observer, id), "client namespace disconnect");
      });

      test("the client's connection ends", async (t) => {
        const [peer, observer] = [await open(t), await open(t)];
        const { id } = await peer.ctl("info");
        peer.engine.close();
        assert.equal(await endOf(observer, id), "transport close");
      });

      test("the server ends the socket", async (t) => {
        const [peer, observer] = [await open(t), await open(t)];
        const { id } = await peer.ctl("info");
        await peer.ctl("disconnectSelf");
        assert.equal(await peer.next("disconnect"), "io server disconnect");
        assert.equal(await endOf(observer, id), "server namespace disconnect");
      });

      test("the server ends all sockets of the session", async (t) => {
        const [peer, observer] = [await open(t), await open(t)];
        const custom = await alsoIn(t, peer, "/custom").connected();
        const ids = [(await peer.ctl("info")).id, (await custom.ctl("info")).id];
        await peer.ctl("disconnectSelf", { close: true });
        await Promise.all([peer.next("disconnect"), custom.next("disconnect")]);
        for (const id of ids) assert.equal(await endOf(observer, id), "server namespace disconnect");
      });

      test("the server drops the transport, the client reconnects", async (t) => {
        const observer = await open(t);
        const peer = await open(t, { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 40 });
        const { id } = await peer.ctl("info");
        await peer.ctl("dropTransport");
        assert.equal(await peer.next("disconnect"), "transport close");
        assert.equal(await endOf(observer, id), "forced close");
        await peer.next("connect");
        assert.deepEqual(await peer.ask("message-with-ack", "again"), ["again"]);
        assert.notEqual((await peer.ctl("info")).id, id);
      });
    });
  }
});
