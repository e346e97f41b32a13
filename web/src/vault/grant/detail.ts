/** What the patient is told of an access (spec/access.md): who, in which role, for which purpose, why. */

import { type Bytes, concat, hex } from "../bytes.ts";
import { verify } from "../crypto/ed25519.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import type { Genesis } from "../ledger/genesis.ts";
import { reader, sum } from "../wire.ts";
import { limits, openMessage, readLine, readLines, readPurpose, readVersion, splitSignature } from "./sealed.ts";

const info = "vitalog/v1/detail";

export interface Detail {
  practitioner: string; // "" for a machine
  name: string;
  role: string;
  member: number;
  organisation: string;
  purpose: string;
  reason: string;
  request: string; // hex, zeros: none led to the grant
  machine: boolean;
}

/** The access that a detail belongs to, and can't be moved from. */
export interface Use {
  log: Bytes;
  session: Bytes;
  grantee: Bytes;
}

export async function openDetail(by: Decapsulator, g: Genesis, u: Use, sealed: Bytes): Promise<Detail> {
  const plain = await openMessage(by, info, concat(g.network, u.log, u.session, u.grantee), sealed);
  const { unsigned, signature } = splitSignature(plain);
  const r = reader(unsigned, "access detail");
  readVersion(r);
  const d: Detail = {
    practitioner: readLine(r, limits.id),
    name: readLine(r, limits.name),
    role: readLine(r, limits.name),
    member: r.u16(),
    organisation: readLine(r, limits.name),
    purpose: readPurpose(r),
    reason: readLines(r, limits.reason),
    request: hex(r.fixed(16)),
    machine: r.flag(),
  };
  r.end();
  if (d.machine === (d.practitioner !== "")) return fail("altered", "access detail: a machine with a practitioner, or neither");
  const digest = sum(info, g.network, u.log, u.session, u.grantee, unsigned);
  const member = g.members[d.member];
  if (!member || !(await verify(member.sign, digest, signature))) return fail("altered", "an access detail that the member did not sign");
  return d;
}
