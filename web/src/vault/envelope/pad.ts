/** Padmé (Nikitin et al., PETS 2019): a length tells O(log log n) bits. The mark 80 ends the content, zeros follow. */

import type { Bytes } from "../bytes.ts";
import { fail } from "../failure.ts";

export const maxPadded = 2 ** 40;
const mark = 0x80;

/** The least Padmé length of at least n bytes. */
export function padme(n: number): number {
  if (n < 2) return n;
  const e = Math.floor(Math.log2(n));
  const s = Math.floor(Math.log2(e)) + 1;
  const unit = 2 ** Math.max(0, e - s);
  return Math.ceil(n / unit) * unit;
}

export const isPadme = (n: number): boolean => padme(n) === n;

export function pad(content: Uint8Array): Bytes {
  const out = new Uint8Array(padme(content.length + 1));
  out.set(content);
  out[content.length] = mark;
  return out;
}

/** Takes mark and zeros off, and refuses padding that is missing or longer than needed. */
export function unpad(padded: Bytes): Bytes {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  if (end < 0 || padded[end] !== mark || padme(end + 1) !== padded.length) return fail("altered", "padding that is not canonical");
  return padded.subarray(0, end);
}
