// Writes the golden tables of src/http: what the npm packages that the reference uses do with these inputs.
//
//     node tests/golden/http.cjs

const { writeFileSync } = require("node:fs");
const http = require("node:http");
const { join } = require("node:path");
const accepts = require("accepts");
const { serialize } = require("cookie");
const cors = require("cors");

const write = (name, rows) =>
  writeFileSync(join(__dirname, name), rows.map((row) => JSON.stringify(row) + "\n").join(""));

/** A sequence that looks random and is the same on every run. */
function dice(seed) {
  return (n) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >>> 8) % n;
  };
}

// Accept-Encoding: [header, chosen among gzip and deflate, or false]

const encodings = [
  "", "gzip", "deflate", "gzip, deflate", "deflate, gzip", "gzip, deflate, br", "br", "*", "identity", "gzip;q=0",
  "gzip;q=0, *", "*;q=0", "gzip;q=0.5, deflate", "gzip;q=0.5, deflate;q=0.5", "deflate;q=0.5, gzip;q=0.5",
  "identity;q=1, gzip;q=0.1", "*, gzip;q=0", "*;q=0.5, deflate;q=0.1", "GZIP", "gzip;level=9;q=0.2, deflate;q=0.3",
  "gzip;q=abc", "gzip;q=", "gzip;q=abc, deflate;q=0.1", "gzip;q", "gzip ; q=0.4 , deflate;q=0.5", "x-gzip", ",,gzip",
  ";q=1", "gzip;q=2, deflate;q=1", "gzip;q=-1", "gzip;Q=0", "gzip; q=0.0", "gzip;q=1e-1, deflate;q=0.2",
  "deflate, gzip, deflate;q=0", "gzip;q=.5, deflate;q=.6", "gzip;q=0.5x, deflate;q=0.4", "gz ip",
  "*;q=0.2, *;q=0.9, gzip;q=0.3", "gzip;q=0.3, gzip;q=0.8, deflate;q=0.5", "gzip;q = 0", "gzip;q=+0.5, deflate;q=0.4",
  "gzip;q=0.5=3, deflate;q=0.4", "*;q=abc, gzip;q=0.1",
];
const roll = dice(1);
const pick = (list) => list[roll(list.length)];
for (let i = 0; i < 400; i++) {
  const specs = Array.from({ length: 1 + roll(4) }, () => {
    const q = pick(["", "", ";q=0", ";q=0.1", ";q=0.5", ";q=0.9", ";q=1", "; q=0.5", ";x=1;q=0.9", ";q=x"]);
    return pick(["gzip", "deflate", "*", "identity", "br", "Deflate"]) + q;
  });
  encodings.push(specs.join(pick([",", ", ", " , "])));
}
write("accept-encoding.jsonl", encodings.map((header) => {
  return [header, accepts({ headers: { "accept-encoding": header } }).encodings(["gzip", "deflate"])];
}));

// Cookies: [options, header]

const cookie = { name: "io", path: "/", httpOnly: true, sameSite: "lax" };
const cookies = [
  {}, { name: "NAME" }, { path: "" }, { httpOnly: false }, { sameSite: "strict" }, { sameSite: "none", secure: true },
  { maxAge: 3600.9 }, { maxAge: 0 }, { domain: "example.com" },
  { name: "all", maxAge: 60, domain: "example.com", path: "/live", secure: true, sameSite: "strict" },
];
write("cookie.jsonl", cookies.map((changes) => {
  const options = { ...cookie, ...changes };
  return [options, serialize(options.name, "node1-Ab_-9", options)];
}));

// CORS: [options, method, request headers, headers already set, status or "next", response headers]

const origins = [false, "*", true, "https://a.example", ["https://a.example", "https://b.example"]];
const rest = [
  {},
  {
    methods: ["GET", "POST"],
    allowedHeaders: ["X-A", "X-B"],
    exposedHeaders: ["X-C", "X-D"],
    credentials: true,
    maxAge: 600,
    optionsSuccessStatus: 200,
  },
  { credentials: true, maxAge: 0 },
];
const preflight = { "access-control-request-method": "POST" };
const requests = [
  ["GET", {}, {}],
  ["GET", { origin: "https://a.example" }, {}],
  ["POST", { origin: "https://c.example" }, { vary: "Accept-Encoding" }],
  ["POST", { origin: "https://b.example" }, { vary: "accept-encoding, origin" }],
  ["GET", { origin: "https://b.example" }, { vary: "*" }],
  ["OPTIONS", {}, {}],
  ["OPTIONS", { origin: "https://a.example", ...preflight }, {}],
  ["OPTIONS", { origin: "https://c.example", ...preflight, "access-control-request-headers": "x-one,x-two" }, {}],
  ["OPTIONS", { origin: "null", ...preflight, "access-control-request-headers": "x-one" }, { vary: "Accept-Encoding" }],
];

/** Runs a request through the middleware, on a real server. */
function answer(options, method, headers, set) {
  return new Promise((resolve) => {
    const server = http.createServer((req, res) => {
      for (const name in set) res.setHeader(name, set[name]);
      cors(options)(req, res, () => res.writeHead(299).end());
    });
    server.listen(0, "127.0.0.1", () => {
      http.request({ port: server.address().port, method, headers, agent: false }, (res) => {
        res.resume().on("end", () => server.close());
        const kept = Object.entries(res.headers).filter(([name]) => !/^(date|connection|transfer-encoding)$/.test(name));
        resolve([res.statusCode === 299 ? "next" : res.statusCode, Object.fromEntries(kept.sort())]);
      }).end();
    });
  });
}

(async () => {
  const rows = [];
  for (const origin of origins) {
    for (const others of rest) {
      const options = { origin, ...others };
      for (const request of requests) rows.push([options, ...request, ...(await answer(options, ...request))]);
    }
  }
  write("cors.jsonl", rows);
})();
