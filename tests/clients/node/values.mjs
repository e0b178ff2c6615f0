// Arguments that must come back as they went.

export const JSON_VALUES = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e21,
  -2.5e-7,
  Number.MAX_SAFE_INTEGER,
  "",
  "text",
  "äöü ß € 😀 \u{10ffff}",
  'quotes " \\ / \b\f\n\r\t \u0000 \u001f \u007f \u2028',
  "\u001e separators : , [ 42",
  "x".repeat(70_000),
  [],
  {},
  [[[[]]], [null, [1, "2", { three: [3] }]]],
  { z: 1, a: { "": null, "key with \" quote": [] }, m: [{}, []] },
  { type: 2, nsp: "/other", data: ["event"], id: 7 },
];

export const bytes = (...values) => Buffer.from(values);

/** Binary at several depths, empty, with every byte, and twice the same. */
export function binaryArguments() {
  const all = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  const twice = bytes(1, 2, 3);
  return [
    bytes(0x1e, 0x34, 0xff),
    { list: ["text", all, { deep: [{ er: twice }, null, twice] }], empty: bytes() },
    "between",
    [[bytes(4)]],
  ];
}
