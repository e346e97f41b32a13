/** What a reader asks a holder of the network key, and what comes back (spec/release.md). */

import { type Bytes, concat } from "../bytes.ts";
import { open } from "../crypto/hpke.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import { reader, times, u32 } from "../wire.ts";
import { readVersion, writeVersion } from "./sealed.ts";

const info = "vitalog/v1/partials";
const [maxGroups, maxEntries, partSize] = [16, 1000, 48];

/** A committed access, and what it was made with. */
export interface Asking {
  log: Bytes;
  entry: number; // of the access
  hash: Bytes; // of that entry
  session: Decapsulator;
  detail: Bytes;
}

/** Asks for the parts of records that the access names, ascending. */
export function encodeRelease(a: Asking, entries: number[]): Bytes {
  const w = writeVersion().fixed(a.log).u64(a.entry).fixed(a.session.public).bytes(a.detail).u32(entries.length);
  for (const n of entries) w.u64(n);
  return w.done();
}

/** A member's parts by entry, of one generation and set of shares; empty where it has none of them. */
export async function openRelease(a: Asking, generation: number, set: number, member: number, reply: Bytes): Promise<Map<number, Bytes>> {
  const r = reader(reply, "release reply");
  readVersion(r);
  const groups = times(r.u8(), () => ({ generation: r.u32(), set: r.u32(), sealed: r.bytes(1 << 20) }));
  r.end();
  if (groups.length > maxGroups) return fail("altered", `release reply: ${groups.length} generations`);
  const mine = groups.find((g) => g.generation === generation && g.set === set);
  if (!mine) return new Map();
  const aad = concat(a.hash, u32(generation), u32(set), u32(member));
  const given = reader(await open(a.session, info, aad, mine.sealed), "release reply");
  const parts = times(given.count(maxEntries, 8 + partSize), () => [given.count64(), given.fixed(partSize)] as const);
  given.end();
  return new Map(parts);
}
