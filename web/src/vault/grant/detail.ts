/** What the patient is told of an access (spec/access.md): who, in which role, for which purpose, why. */

import { type Bytes, concat, hex, unhex } from "../bytes.ts";
import { type Signer, verify } from "../crypto/ed25519.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import type { Genesis } from "../ledger/genesis.ts";
import { reader, sum, writer } from "../wire.ts";
import { limits, openMessage, readLine, readLines, readPurpose, readVersion, sealMessage, splitSignature, writeVersion } from "./sealed.ts";

const info = "vitalog/v1/detail";

/** Stands in the place of the member's number for a person who reads with keys of their own. */
export const noMember = 65535;

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

export async function openDetail(own: Decapsulator, g: Genesis, u: Use, sealed: Bytes): Promise<Detail> {
  const plain = await openMessage(own, info, concat(g.network, u.log, u.session, u.grantee), sealed);
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
  const by = d.member === noMember ? u.grantee : g.members[d.member]?.sign;
  if (!by || !(await verify(by, digest, signature))) return fail("altered", "an access detail that its reader did not sign");
  return d;
}

/** What a proxy tells, signed with the grantee key that signs the access, to the owner's exchange key of the log. */
export async function sealDetail(to: Bytes, by: Signer, network: Bytes, u: Use, d: Detail): Promise<Bytes> {
  const w = writeVersion().text(d.practitioner).text(d.name).text(d.role).u16(d.member).text(d.organisation).text(d.purpose).text(d.reason);
  const unsigned = w.fixed(unhex(d.request, 16)).flag(d.machine).done();
  const signature = await by.sign(sum(info, network, u.log, u.session, u.grantee, unsigned));
  return sealMessage(to, info, concat(network, u.log, u.session, u.grantee), writer().fixed(unsigned).fixed(signature).done());
}
