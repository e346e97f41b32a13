/** The key that the members hold together, as the validators signed it. */

import { type Bytes, equal } from "../bytes.ts";
import { fail } from "../failure.ts";
import { reader, sum, times } from "../wire.ts";
import type { Session } from "./session.ts";
import { proofOf } from "./sync.ts";

const maxMembers = 128;

export interface NetworkKey {
  generation: number;
  set: number; // of shares: grows when they are dealt anew
  needed: number; // parts that make a record's key
  holders: number[]; // members; the holder at i has share i + 1
  polynomial: Bytes[]; // its first point is the public key
}

/**
 * The newest network key, which the state of a receipt commits to: to a key that the home member made up it would read without a trace what it has a
 * grant for. `log` is any that is there.
 */
export async function networkKey(s: Session, log: Bytes): Promise<NetworkKey> {
  const { before, encoded } = await s.home.networkKey();
  const proof = await proofOf(s, log, 0);
  if (!equal(sum("vitalog/v1/state/keys", before, encoded), proof.state.keys))
    return fail("altered", "the home member shows a network key that is not the one which the validators signed");
  const r = reader(encoded, "network key");
  const [generation, set, needed] = [r.u32(), r.u32(), r.u16()];
  const holders = times(r.count(maxMembers, 2), () => r.u16());
  const polynomial = times(r.count(maxMembers, 96), () => r.fixed(96));
  r.end();
  return polynomial.length > 0 ? { generation, set, needed, holders, polynomial } : fail("altered", "a network key without a polynomial");
}
