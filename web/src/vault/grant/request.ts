/** A member's wish for a grant, posted to the patient's inbox (spec/grant.md). */

import { type Bytes, compare, concat, equal, hex } from "../bytes.ts";
import { verify } from "../crypto/ed25519.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import type { Genesis } from "../ledger/genesis.ts";
import type { SectionName } from "../names.ts";
import { reader, sum, times } from "../wire.ts";
import { checkIntroduction, type Introduction, introductionSize, readIntroduction } from "./introduction.ts";
import { limits, openMessage, readLine, readLines, readPurpose, readSections, readVersion, splitSignature } from "./sealed.ts";

const info = "vitalog/v1/request";
const maxIntroductions = 32;

export interface Wish {
  id: string; // hex
  member: number;
  purpose: string;
  rights: number;
  sections: SectionName[];
  introductions: Introduction[];
  from: bigint; // the care that the wished data is from, ms; 0: open
  until: bigint;
  lasts: bigint; // ms; 0: until revoked
  uses: number; // 0: any number
  practitioner: string;
  name: string;
  role: string;
  organisation: string;
  reason: string;
}

/** Opens a request that was posted to the inbox, and checks its signature and each introduction's. */
export async function openRequest(by: Decapsulator, g: Genesis, inbox: Bytes, sealed: Bytes): Promise<Wish> {
  const plain = await openMessage(by, info, concat(g.network, inbox), sealed);
  const { unsigned, signature } = splitSignature(plain);
  const q = decode(unsigned, g.network, inbox);
  const member = g.members[q.member];
  if (!member || !(await verify(member.sign, sum(info, unsigned), signature))) return fail("altered", "a request that no member signed");
  for (const i of q.introductions) await checkIntroduction(i, g);
  return q;
}

function decode(unsigned: Bytes, network: Bytes, inbox: Bytes): Wish {
  const bad = (why: string): never => fail("altered", `request: ${why}`);
  const r = reader(unsigned, "request");
  readVersion(r);
  const id = hex(r.fixed(16));
  if (!equal(r.fixed(32), network) || !equal(r.fixed(32), inbox)) bad("it was written for another inbox");
  const [member, purpose, rights] = [r.u16(), readPurpose(r), r.u8()];
  if (rights === 0 || rights > 31) bad(`rights ${rights}`);
  const sections = readSections(r);
  if (sections.length === 0) bad("no section is asked for");
  const introductions = times(r.count(maxIntroductions, introductionSize), () => readIntroduction(r));
  introductions.forEach((i, n) => {
    if (i.member !== member || i.purpose !== purpose) bad("an introduction by another member or for another purpose");
    if (n > 0 && compare(introductions[n - 1]!.log, i.log) >= 0) bad("introductions out of order");
  });
  const [from, until, lasts, uses] = [r.u64(), r.u64(), r.u64(), r.u32()];
  if (until !== 0n && until <= from) bad("a period that ends before it begins");
  const who = {
    practitioner: readLine(r, limits.id),
    name: readLine(r, limits.name),
    role: readLine(r, limits.name),
    organisation: readLine(r, limits.name),
    reason: readLines(r, limits.reason),
  };
  r.end();
  return { id, member, purpose, rights, sections, introductions, from, until, lasts, uses, ...who };
}
