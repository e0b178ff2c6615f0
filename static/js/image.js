// Images on their way out: from paste, drop or file, checked against the server's limit, made smaller on request.

import { bytesText } from "./dom.js";

/** The first image in what was pasted or dropped. */
export function imageIn(transfer) {
  return [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;
}

const typeNames = (types) => types.map((type) => type.replace("image/", "").toUpperCase()).join(", ");

/**
 * Checks a file against the limits of the server.
 * Gives `{ picture }`, or `{ problem, smaller? }` where `smaller` is true if a smaller copy could be sent.
 */
export async function take(file, limits) {
  const name = file.name || "The image";
  if (!limits.image_types.includes(file.type)) {
    return { problem: `${name} is ${file.type.replace("image/", "").toUpperCase() || "of an unknown kind"}. Images can be ${typeNames(limits.image_types)}.` };
  }
  if (file.size > limits.image_bytes) {
    return { problem: `${name} is ${bytesText(file.size)}. The limit for an image is ${bytesText(limits.image_bytes)}.`, smaller: true };
  }
  return { picture: await picture(file) };
}

async function picture(blob) {
  return { bytes: await blob.arrayBuffer(), type: blob.type, url: URL.createObjectURL(blob) };
}

/** A copy that fits: smaller sides first, then less quality. `null` if the browser cannot read the image. */
export async function shrink(file, limit) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  let scale = Math.min(1, 2000 / Math.max(bitmap.width, bitmap.height));
  for (let round = 0; round < 8; round += 1) {
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((give) => canvas.toBlob(give, "image/webp", 0.85));
    if (blob && blob.size <= limit) return picture(blob);
    scale *= 0.7;
  }
  return null;
}

const SIGNS = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
  ["image/webp", [0x52, 0x49, 0x46, 0x46]],
];

/** An address for received bytes; their kind is read from them, whatever the sender says. */
export function addressOf(bytes) {
  const head = new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength));
  const sign = SIGNS.find(([, first]) => first.every((byte, i) => head[i] === byte));
  return sign ? URL.createObjectURL(new Blob([bytes], { type: sign[0] })) : null;
}
