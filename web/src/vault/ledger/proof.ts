/** From an entry to the app hash (spec/log.md): what a receipt carries. */

import { type Bytes, equal } from "../bytes.ts";
import { fail } from "../failure.ts";
import { type Reader, sum, times, u64 } from "../wire.ts";
import { decodeEntry, type Entry, entryHash, maxEntry } from "./entry.ts";
import { decodeHead, type Head, headHash, maxHead } from "./head.ts";
import { checkInclusion, maxPath } from "./merkle.ts";

export interface State {
  heads: Bytes;
  count: number;
  clock: number;
  keys: Bytes; // hash over the network keys
  rest: Bytes;
}

export interface Proof {
  height: number;
  entry: Bytes;
  entryPath: Bytes[];
  head: Bytes;
  headPath: Bytes[];
  state: State;
}

export const stateHash = (s: State): Bytes => sum("vitalog/v1/state", s.heads, u64(s.count), u64(s.clock), s.keys, s.rest);

export function readPath(r: Reader): Bytes[] {
  const n = r.u8();
  if (n > maxPath) fail("altered", `a path of ${n} hashes`);
  return times(n, () => r.fixed(32));
}

export function readProof(r: Reader): Proof {
  return {
    height: r.count64(),
    entry: r.bytes(maxEntry),
    entryPath: readPath(r),
    head: r.bytes(maxHead),
    headPath: readPath(r),
    state: { heads: r.fixed(32), count: r.count64(), clock: r.count64(), keys: r.fixed(32), rest: r.fixed(32) },
  };
}

/** Follows the proof for entry number of log. Whether the state is the network's is for the receipt to tell. */
export function checkProof(p: Proof, log: Bytes, number: number): { entry: Entry; head: Head } {
  const entry = decodeEntry(log, number, p.entry);
  const head = decodeHead(p.head);
  if (!equal(head.log, log)) fail("altered", "the proof has another log's head");
  checkInclusion(head.root, head.size, number, entryHash(log, number, p.entry), p.entryPath, `entry ${number}`);
  checkInclusion(p.state.heads, p.state.count, head.number, headHash(log, p.head), p.headPath, "head");
  return { entry, head };
}
