/** A member's word that a grantee key is its own (spec/grant.md): on the ledger the key has no name. */

import { type Bytes, utf8 } from "../bytes.ts";
import { verify } from "../crypto/ed25519.ts";
import { fail } from "../failure.ts";
import type { Genesis } from "../ledger/genesis.ts";
import { type Reader, reader, sum, type Writer, writer } from "../wire.ts";
import { readPurpose, readVersion, writeVersion } from "./sealed.ts";

export interface Introduction {
  member: number;
  log: Bytes;
  purpose: string;
  grantee: Bytes;
  signature: Bytes;
}

export const introductionSize = 2 + 32 + 5 + 32 + 64; // at the least

export function readIntroduction(r: Reader): Introduction {
  return { member: r.u16(), log: r.fixed(32), purpose: readPurpose(r), grantee: r.fixed(32), signature: r.fixed(64) };
}

export function decodeIntroduction(b: Bytes): Introduction {
  const r = reader(b, "introduction");
  readVersion(r);
  const i = readIntroduction(r);
  r.end();
  return i;
}

const write = (w: Writer, i: Introduction): Writer => w.u16(i.member).fixed(i.log).text(i.purpose).fixed(i.grantee).fixed(i.signature);

export const encodeIntroduction = (i: Introduction): Bytes => write(writeVersion(), i).done();

/** Refuses an introduction that the member of the genesis did not sign. */
export async function checkIntroduction(i: Introduction, g: Genesis): Promise<void> {
  const by = g.members[i.member];
  const digest = sum("vitalog/v1/introduction", g.network, writer().u16(i.member).done(), i.log, utf8(i.purpose), i.grantee);
  if (!by || !(await verify(by.sign, digest, i.signature))) fail("altered", "an introduction that the member did not sign");
}
