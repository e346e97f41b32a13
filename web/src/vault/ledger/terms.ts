/** What a grant says, and ranges of entries, in their only canonical form (spec/operations.md). */

import type { Bytes } from "../bytes.ts";
import { fail } from "../failure.ts";
import { type Reader, times, type Writer } from "../wire.ts";

export interface Range {
  from: bigint;
  to: bigint; // excluded; forever: without end
}

export const forever = 2n ** 64n - 1n;
const maxRanges = 64;
const allRights = 31;
export const readRight = 2;

export interface Terms {
  key: Bytes;
  rights: number;
  ranges: Range[];
  from: bigint;
  until: bigint; // 0: until it is revoked
  uses: number; // 0: any number
  parent: bigint; // entry of the grant that it was cut from; 0: the owner's
}

/** Not empty, ascending and apart. */
function checkOrdered(ranges: Range[], what: string): void {
  ranges.forEach((r, i) => {
    if (r.from >= r.to || (i > 0 && r.from <= ranges[i - 1]!.to)) fail("altered", `${what}: ranges that are empty, touch or don't ascend`);
  });
}

const readRange = (r: Reader): Range => ({ from: r.u64(), to: r.u64() });

export function readRanges(r: Reader, what: string): Range[] {
  const n = r.u8();
  if (n > maxRanges) fail("altered", `${what}: ${n} ranges, at most ${maxRanges}`);
  const ranges = times(n, () => readRange(r));
  checkOrdered(ranges, what);
  return ranges;
}

/** Ranges of a head, which has more of them. */
export function readManyRanges(r: Reader, limit: number, what: string): Range[] {
  const ranges = times(r.count(limit, 16), () => readRange(r));
  checkOrdered(ranges, what);
  return ranges;
}

export function writeRanges(w: Writer, ranges: Range[]): Writer {
  w.u8(ranges.length);
  for (const x of ranges) w.u64(x.from).u64(x.to);
  return w;
}

export const countEntries = (ranges: Range[]): bigint => ranges.reduce((n, r) => n + (r.to - r.from), 0n);

/** The entries of ranges that name at most a thousand. */
export const entriesIn = (ranges: Range[]): number[] => ranges.flatMap((r) => times(Number(r.to - r.from), (i) => Number(r.from) + i));

export const covers = (ranges: Range[], entry: number): boolean => ranges.some((r) => r.from <= BigInt(entry) && BigInt(entry) < r.to);

export function readTerms(r: Reader, what: string): Terms {
  const key = r.fixed(32);
  const rights = r.u8();
  if (rights === 0 || rights > allRights) fail("altered", `${what}: rights ${rights}`);
  const ranges = readRanges(r, what);
  const t = { key, rights, ranges, from: r.u64(), until: r.u64(), uses: r.u32(), parent: r.u64() };
  if (t.until !== 0n && t.until <= t.from) fail("altered", `${what}: a period that ends before it begins`);
  if (((rights & readRight) !== 0) !== ranges.length > 0) fail("altered", `${what}: entries without the right to read, or the reverse`);
  return t;
}

export function writeTerms(w: Writer, t: Terms): Writer {
  w.fixed(t.key).u8(t.rights);
  writeRanges(w, t.ranges);
  return w.u64(t.from).u64(t.until).u32(t.uses).u64(t.parent);
}

/** Ranges with some entries more. */
export function including(ranges: Range[], entries: number[]): Range[] {
  const one = entries.map((e) => ({ from: BigInt(e), to: BigInt(e) + 1n }));
  const out: Range[] = [];
  for (const r of [...ranges, ...one].sort((a, b) => Number(a.from - b.from))) {
    const last = out.at(-1);
    if (!last || r.from > last.to) out.push({ ...r });
    else if (r.to > last.to) last.to = r.to;
  }
  return out.length <= maxRanges ? out : fail("invalid", `more than ${maxRanges} ranges`);
}

/** Ranges without some entries; a grant has at most 64. */
export function without(ranges: Range[], entries: number[]): Range[] {
  const out = entries.reduce<Range[]>((left, e) => {
    const [at, next] = [BigInt(e), BigInt(e) + 1n];
    return left.flatMap((r) => {
      if (at < r.from || at >= r.to) return [r];
      return [
        { from: r.from, to: at },
        { from: next, to: r.to },
      ].filter((x) => x.from < x.to);
    });
  }, ranges);
  return out.length <= maxRanges ? out : fail("invalid", `more than ${maxRanges} ranges`);
}
