/** What the patient tells grantees: the grant message with reader seeds, the mailbox of a new epoch, and answers to requests (spec/grant.md). */

import { type Bytes, base64url, concat, equal, unhex, wipe } from "../bytes.ts";
import type { Signer } from "../crypto/ed25519.ts";
import { type Decapsulator, publicSize } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import { exchangeHash, type Patient, type SectionKeys } from "../keys.ts";
import { readTerms, type Terms, writeTerms } from "../ledger/terms.ts";
import { type SectionName, sectionNumber } from "../names.ts";
import { reader, sum, times, writer } from "../wire.ts";
import {
  limits,
  maxSealed,
  openMessage,
  readLine,
  readPurpose,
  readSection,
  readVersion,
  sealMessage,
  writeSections,
  writeVersion,
} from "./sealed.ts";

const [maxSeeds, maxLetters] = [4096, 1024];

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

/** A grant message as its grantee opens it: what details are sealed to, and the seeds of the epochs' reader keys. */
export interface Message {
  section: SectionName;
  purpose: string;
  owner: Bytes;
  seeds: Map<number, Bytes>;
}

/** Opens the message of a grant to a key in a log. */
export async function openGrant(by: Decapsulator, network: Bytes, log: Bytes, key: Bytes, sealed: Bytes): Promise<Message> {
  const plain = await openMessage(by, info.message, concat(network, log, key), sealed);
  const r = reader(plain, "grant message");
  readVersion(r);
  const [inNetwork, inLog, section, purpose] = [r.fixed(32), r.fixed(32), readSection(r), readPurpose(r)];
  readLine(r, limits.id);
  const owner = r.fixed(publicSize);
  r.flag();
  r.fixed(64);
  readLine(r, limits.label);
  const terms = readTerms(r, "grant message");
  const seeds = new Map<number, Bytes>();
  let last = 0;
  times(r.count(maxSeeds, 36), () => {
    const epoch = r.u32();
    if (epoch <= last) fail("altered", "grant message: epochs out of order");
    last = epoch;
    seeds.set(epoch, r.fixed(32));
  });
  r.end();
  wipe(plain);
  if (!equal(inNetwork, network) || !equal(inLog, log) || !equal(terms.key, key)) return fail("altered", "a grant message for another key");
  return { section, purpose, owner, seeds };
}

/** The letter in a mailbox for a key, if there is one. */
export function letterFor(mailbox: Bytes, key: Bytes): Bytes | undefined {
  const r = reader(mailbox, "mailbox");
  readVersion(r);
  const letters = times(r.count(maxLetters, 36), () => ({ key: r.fixed(32), sealed: r.bytes(maxSealed) }));
  r.end();
  return letters.find((l) => equal(l.key, key))?.sealed;
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
