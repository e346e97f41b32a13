/**
 * Raw DEFLATE (RFC 1951), strictly: the browsers' own streams don't all tell when bytes follow the end, which a reader of envelopes must refuse, and
 * have no limit. Codes are decoded bit by bit from counts per length, as in Adler's puff.
 */

import type { Bytes } from "../bytes.ts";
import { fail } from "../failure.ts";

interface Code {
  counts: Uint16Array; // of codes by length
  symbols: Uint16Array; // in the order of their codes
}

const lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385,
  24577,
];
const distanceExtra = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const codeOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const maxBits = 15;

const bad = (): never => fail("altered", "content that does not inflate");

function codeOf(lengths: number[], mayBeIncomplete: boolean): Code {
  const counts = new Uint16Array(maxBits + 1);
  for (const n of lengths) counts[n]!++;
  let left = 1;
  const offsets = new Uint16Array(maxBits + 2);
  for (let n = 1; n <= maxBits; n++) {
    left = left * 2 - counts[n]!;
    if (left < 0) bad();
    offsets[n + 1] = offsets[n]! + counts[n]!;
  }
  const single = counts[0]! >= lengths.length - 1;
  if (left > 0 && !(mayBeIncomplete && single)) bad();
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((n, symbol) => {
    if (n > 0) symbols[offsets[n]!++] = symbol;
  });
  counts[0] = 0;
  return { counts, symbols };
}

const fixedLengths = codeOf([...fill(144, 8), ...fill(112, 9), ...fill(24, 7), ...fill(8, 8)], false);
const fixedDistances = codeOf(fill(32, 5), false);

function fill(n: number, x: number): number[] {
  return new Array<number>(n).fill(x);
}

/** Inflates all of src, at most limit bytes. */
export function inflate(src: Uint8Array, limit: number): Bytes {
  let out = new Uint8Array(Math.min(limit, Math.max(1024, src.length * 4)));
  let size = 0;
  let at = 0;
  let held = 0;
  let bits = 0;

  const take = (n: number): number => {
    while (bits < n) {
      if (at >= src.length) bad();
      held |= src[at++]! << bits;
      bits += 8;
    }
    const x = held & ((1 << n) - 1);
    held >>>= n;
    bits -= n;
    return x;
  };
  const symbol = ({ counts, symbols }: Code): number => {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let n = 1; n <= maxBits; n++) {
      code |= take(1);
      const count = counts[n]!;
      if (code - count < first) return symbols[index + (code - first)]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return bad();
  };
  const room = (n: number): void => {
    if (size + n > limit) fail("altered", `content of more than ${limit} bytes`);
    if (size + n <= out.length) return;
    const more = new Uint8Array(Math.min(limit, Math.max(size + n, out.length * 2)));
    more.set(out.subarray(0, size));
    out.fill(0);
    out = more;
  };
  const stored = (): void => {
    held = bits = 0;
    if (at + 4 > src.length) bad();
    const n = src[at]! | (src[at + 1]! << 8);
    if ((src[at + 2]! | (src[at + 3]! << 8)) !== (~n & 0xffff) || at + 4 + n > src.length) bad();
    room(n);
    out.set(src.subarray(at + 4, at + 4 + n), size);
    at += 4 + n;
    size += n;
  };
  const codes = (lengths: Code, distances: Code): void => {
    for (let s = symbol(lengths); s !== 256; s = symbol(lengths)) {
      if (s < 256) {
        room(1);
        out[size++] = s;
        continue;
      }
      const l = s - 257;
      if (l >= 29) bad();
      const n = lengthBase[l]! + take(lengthExtra[l]!);
      const d = symbol(distances);
      if (d >= 30) bad();
      const back = distanceBase[d]! + take(distanceExtra[d]!);
      if (back > size) bad();
      room(n);
      for (let i = 0; i < n; i++, size++) out[size] = out[size - back]!;
    }
  };
  const dynamic = (): [Code, Code] => {
    const [nl, nd, nc] = [take(5) + 257, take(5) + 1, take(4) + 4];
    if (nl > 286 || nd > 30) bad();
    const own = fill(19, 0);
    for (let i = 0; i < nc; i++) own[codeOrder[i]!] = take(3);
    const by = codeOf(own, false);
    const all: number[] = [];
    while (all.length < nl + nd) {
      const s = symbol(by);
      if (s < 16) {
        all.push(s);
        continue;
      }
      if (s === 16 && all.length === 0) bad();
      const x = s === 16 ? all[all.length - 1]! : 0;
      all.push(...fill(s === 18 ? 11 + take(7) : 3 + take(s === 16 ? 2 : 3), x));
    }
    if (all.length > nl + nd || all[256] === 0) bad();
    return [codeOf(all.slice(0, nl), true), codeOf(all.slice(nl), true)];
  };

  for (let last = 0; last === 0; ) {
    last = take(1);
    const kind = take(2);
    if (kind === 0) stored();
    else if (kind === 1) codes(fixedLengths, fixedDistances);
    else if (kind === 2) codes(...dynamic());
    else bad();
  }
  if (at !== src.length) fail("altered", "bytes after the compressed content");
  const content = out.slice(0, size);
  out.fill(0);
  return content;
}
