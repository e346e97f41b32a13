/** What a patient who claims a chart says to the custodian (spec/claim.md): the claim with its answer, and the wish for owner locks. */

import { type Bytes, concat, isZero, sha256, unhex, wipe } from "../bytes.ts";
import { type Signer, verify } from "../crypto/ed25519.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import { reader, sum, times, writer } from "../wire.ts";
import type { ClaimCard } from "./card.ts";
import { openMessage, readVersion, sealMessage, splitSignature, writeVersion } from "./sealed.ts";

const info = { claim: "vitalog/v1/claim", answer: "vitalog/v1/claim/answer", locks: "vitalog/v1/claim/locks" };
const maxLock = 4096;
export const maxLocks = 100; // records in one wish

const outcomes = ["handed", "card-not-good", "card-used", "card-later"] as const;

const chartBytes = (chart: string): Bytes => unhex(chart.replaceAll("-", ""), 16);
const numberOf = (member: number): Bytes => writer().u16(member).done();

/** Seals a claim to the custodian. The answer is bound to it. */
export function sealClaim(network: Bytes, card: ClaimCard, custodian: Bytes, reply: Bytes): Promise<Bytes> {
  const plain = writeVersion().fixed(chartBytes(card.chart)).fixed(card.secret).fixed(reply).done();
  return sealMessage(custodian, info.claim, concat(network, numberOf(card.member)), plain);
}

/** The root in custody, or a failure that says why there is none. */
export async function openAnswer(network: Bytes, sign: Bytes, reply: Decapsulator, claim: Bytes, sealed: Bytes): Promise<Bytes> {
  const digest = sha256(claim);
  const plain = await openMessage(reply, info.answer, concat(network, digest), sealed);
  const { unsigned, signature } = splitSignature(plain);
  if (!(await verify(sign, sum(info.answer, network, digest, unsigned), signature)))
    return fail("altered", "an answer that the custodian did not sign");
  const r = reader(unsigned, "answer to a claim");
  readVersion(r);
  const [outcome, root] = [outcomes[r.u8()] ?? fail("altered", "an outcome that is not known"), r.fixed(32)];
  r.end();
  wipe(plain, unsigned);
  if ((outcome === "handed") === isZero(root)) return fail("altered", "an outcome and its root don't go together");
  return outcome === "handed" ? root : fail(outcome, "the custodian hands nothing over");
}

/** Asks a member for owner locks of entries, ascending, made for the log's exchange key. */
export async function signLocks(
  network: Bytes,
  member: number,
  owner: Signer,
  l: { chart: string; log: Bytes; exchange: Bytes; at: number; entries: number[] },
): Promise<Bytes> {
  const w = writeVersion().fixed(chartBytes(l.chart)).fixed(l.log).fixed(l.exchange).u64(l.at).u8(l.entries.length);
  for (const e of l.entries) w.u64(e);
  const unsigned = w.done();
  return concat(unsigned, await owner.sign(sum(info.locks, network, numberOf(member), unsigned)));
}

/** The locks in the order of the entries; empty: the record did not open. */
export function decodeGiven(b: Bytes, entries: number): Bytes[] {
  const r = reader(b, "owner locks");
  readVersion(r);
  if (r.u8() !== entries) return fail("altered", "owner locks of other records");
  const locks = times(entries, () => r.bytes(maxLock));
  r.end();
  return locks;
}
