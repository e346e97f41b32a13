/** The head of a log: what execution knows of it beside the entries (spec/log.md). Who holds it knows that nothing is missing. */

import { type Bytes, compare } from "../bytes.ts";
import { fail } from "../failure.ts";
import { reader, sum, times } from "../wire.ts";
import { type Range, readManyRanges, readTerms, type Terms } from "./terms.ts";

export interface Granted {
  entry: number;
  terms: Terms;
  used: number;
  revoked: boolean;
}

/** Entries that are destroyed everywhere but at their author, who keeps its copy until a moment. */
export interface Kept {
  key: Bytes; // the author's
  from: bigint;
  to: bigint; // excluded
  until: number; // ledger clock, ms: the first moment no more
}

export interface Head {
  number: number; // its place in the array of heads
  log: Bytes;
  owners: Bytes[];
  epoch: number;
  epochKey: Bytes;
  size: number;
  root: Bytes;
  grants: Granted[];
  erased: Range[];
  kept: Kept[]; // ascending, no entry twice
}

export const maxHead = 2 << 20;
const [version, maxOwners, maxGrants, maxErased, maxKept] = [1, 8, 1024, 4096, 4096];

export const headHash = (log: Bytes, encoded: Bytes): Bytes => sum("vitalog/v1/head", log, encoded);

export function decodeHead(b: Bytes): Head {
  const bad = (why: string): never => fail("altered", `head: ${why}`);
  const r = reader(b, "head");
  const v = r.u8();
  if (v !== version) bad(`format version ${v}, this program reads ${version}`);
  const number = r.count64();
  const log = r.fixed(32);
  const n = r.u8();
  if (n === 0 || n > maxOwners) bad(`${n} owners`);
  const owners = times(n, () => r.fixed(32));
  const [epoch, epochKey, size, root] = [r.u32(), r.fixed(32), r.count64(), r.fixed(32)];
  const bucket = (): void => void [r.u32(), r.u64(), r.u64()];
  const grants = times(r.count(maxGrants, 100), () => {
    const g = { entry: r.count64(), terms: readTerms(r, "head") };
    if (r.fixed(32).some((x) => x !== 0)) bad(`grant ${g.entry} carries a message`);
    const granted = { ...g, used: r.u32(), revoked: r.flag() };
    bucket();
    r.u64(); // the last hour in which the key was refused, and how often
    r.u32();
    return granted;
  });
  const erased = readManyRanges(r, maxErased, "head");
  const kept = times(r.count(maxKept, 56), () => ({ key: r.fixed(32), from: r.u64(), to: r.u64(), until: r.count64() }));
  kept.forEach((x, i) => {
    const last = kept[i - 1];
    const joins = last && last.to === x.from && last.until === x.until && compare(last.key, x.key) === 0;
    if (x.from >= x.to || (last && last.to > x.from) || joins) bad("kept entries that are empty, out of order or in pieces");
  });
  bucket();
  r.end();
  return { number, log, owners, epoch, epochKey, size, root, grants, erased, kept };
}
