// CORS headers and preflight requests.

import assert from "node:assert/strict";
import { onEveryTarget, scenario } from "../harness/index.mjs";
import { request, Session } from "./wire.mjs";

const ALLOWED = ["https://one.example", "https://two.example:8443"];

onEveryTarget("cors", { env: { CORS_ORIGIN: ALLOWED.join(",") } }, (server) => {
  const test = (name, run) => scenario(server, name, run);
  const target = "/socket.io/?EIO=4&transport=polling";

  for (const origin of ALLOWED) {
    test(`${origin} is allowed with credentials`, async () => {
      const { status, headers } = await request(server, target, { headers: { origin } });
      assert.equal(status, 200);
      assert.equal(headers.get("access-control-allow-origin"), origin);
      assert.equal(headers.get("access-control-allow-credentials"), "true");
      assert.match(headers.get("vary"), /origin/i);
    });
  }

  test("another origin is served without the header", async () => {
    const { status, headers } = await request(server, target, { headers: { origin: "https://evil.example" } });
    assert.equal(status, 200);
    assert.equal(headers.get("access-control-allow-origin"), null);
  });

  test("polls, posts and refusals have the headers too", async () => {
    const headers = { origin: ALLOWED[0] };
    const session = await Session.open(server);
    const answers = [
      await session.post("40", headers),
      await session.get({ headers }),
      await request(server, "/socket.io/?EIO=4&transport=abc", { headers }),
      await request(server, `${target}&sid=unknown`, { headers }),
    ];
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 400, 400]);
    for (const answer of answers) {
      assert.equal(answer.headers.get("access-control-allow-origin"), ALLOWED[0]);
      assert.equal(answer.headers.get("access-control-allow-credentials"), "true");
    }
  });

  test("a preflight is answered without a session", async () => {
    const { status, headers, text } = await request(server, target, {
      method: "OPTIONS",
      headers: {
        origin: ALLOWED[1],
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-custom, content-type",
      },
    });
    assert.deepEqual([status, text], [204, ""]);
    assert.equal(headers.get("access-control-allow-origin"), ALLOWED[1]);
    assert.equal(headers.get("access-control-allow-credentials"), "true");
    assert.equal(headers.get("access-control-allow-methods"), "GET,HEAD,PUT,PATCH,POST,DELETE");
    assert.equal(headers.get("access-control-allow-headers"), "x-custom, content-type");
  });

  test("a preflight of another origin gets no permission", async () => {
    const { headers } = await request(server, target, {
      method: "OPTIONS",
      headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    });
    assert.equal(headers.get("access-control-allow-origin"), null);
  });
});
