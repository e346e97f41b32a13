/** What the patient tells grantees: the grant message with reader seeds, the mailbox of a new epoch, and answers to requests (spec/grant.md). */

import { type Bytes, base64url, concat, unhex, wipe } from "../bytes.ts";
import type { Signer } from "../crypto/ed25519.ts";
import { exchangeHash, type Patient, type SectionKeys } from "../keys.ts";
import { type Terms, writeTerms } from "../ledger/terms.ts";
import { type SectionName, sectionNumber } from "../names.ts";
import { sum, writer } from "../wire.ts";
import { sealMessage, writeSections, writeVersion } from "./sealed.ts";

const info = { message: "vitalog/v1/grant", answer: "vitalog/v1/answer" };

/** Where requests to the patient go. */
export async function handleOf(p: Patient): Promise<{ inbox: Bytes; key: Bytes }> {
  const inbox = await p.section("inbox");
  return { inbox: inbox.log, key: exchangeHash(inbox.exchange.public) };
}

/** The handle as a card carries it: it tells no name, and who has it can ask, not read. */
export async function handleText(p: Patient): Promise<string> {
  const h = await handleOf(p);
  return `vitalog:${base64url(concat(h.inbox, h.key))}`;
}

/** Seals a grant message to a grantee's exchange key, with the reader seeds of the epochs, ascending. */
export async function sealGrant(
  p: Patient,
  k: SectionKeys,
  to: Bytes,
  m: { purpose: string; label: string; terms: Terms; epochs: number[] },
): Promise<Bytes> {
  const handle = await handleOf(p);
  const w = writeVersion().fixed(p.network).fixed(k.log).u8(sectionNumber(k.section)).text(m.purpose).text(p.chart);
  w.fixed(k.exchange.public).flag(false).fixed(handle.inbox).fixed(handle.key).text(m.label);
  writeTerms(w, m.terms).u32(m.epochs.length);
  for (const e of m.epochs) w.u32(e).fixed(await k.readerSeed(e));
  const plain = w.done();
  const sealed = await sealMessage(to, info.message, concat(p.network, k.log, m.terms.key), plain);
  wipe(plain);
  return sealed;
}

export function encodeMailbox(letters: { key: Bytes; sealed: Bytes }[]): Bytes {
  const w = writeVersion().u32(letters.length);
  for (const l of letters) w.fixed(l.key).bytes(l.sealed);
  return w.done();
}

export interface Given {
  section: SectionName;
  log: Bytes;
  entry: number;
}

/** Seals the answer to a request to the asking member: what is given, ascending by section, and what is not. */
export async function sealAnswer(
  network: Bytes,
  inbox: Bytes,
  owner: Signer,
  to: Bytes,
  a: { request: string; given: Given[]; denied: SectionName[]; note: string },
): Promise<Bytes> {
  const w = writeVersion().fixed(unhex(a.request, 16)).u8(a.given.length);
  for (const g of a.given) w.u8(sectionNumber(g.section)).fixed(g.log).u64(g.entry);
  const unsigned = writeSections(w, a.denied).text(a.note).done();
  const signature = await owner.sign(sum(info.answer, network, inbox, unsigned));
  return sealMessage(to, info.answer, concat(network, inbox), writer().fixed(unsigned).fixed(signature).done());
}
