/**
 * Opens records with the owner lock: no network key, no trace; or, of somebody else's chart, with what was released. The header is held against the entry, the ciphertext against its hash, the content against
 * its author's signature and the author against the genesis. A record that fails, fails alone.
 */

import type { Failure } from "../api.ts";
import { type Bytes, equal, hex } from "../bytes.ts";
import { type Content, isAttachment, openContent, openManifest } from "../chart/content.ts";
import { type Content as Cipher, chunkSize, openChunk, sealedSize } from "../envelope/chunks.ts";
import { openBlob } from "../envelope/envelope.ts";
import type { Header } from "../envelope/header.ts";
import { fail, kindOf } from "../failure.ts";
import type { Recorded } from "../ledger/entry.ts";
import type { SectionName } from "../names.ts";
import { times } from "../wire.ts";
import { blobOf } from "./blobs.ts";
import { cipherOf, fetchRecords, headerOf, type Kept, nameOf } from "./kept.ts";
import { each, type Session } from "./session.ts";
import type { Placed, ProvenLog } from "./sync.ts";

export interface Opened {
  section: SectionName;
  entry: Placed;
  content: Content;
}

export interface Unopened {
  section: SectionName;
  entry: Placed;
  why: Failure | "unknown-author";
}

const [atOnce, batchSize, told] = [3, 128, 64];
const overlapping = 8; // records of a batch: while the browser decrypts one, others go on

export const placeOfEntry = (e: { log: Bytes; number: number }): string => `${hex(e.log)}/${e.number}`;

export const recordsOf = (l: ProvenLog): Placed[] => l.entries.filter((e) => e.says.kind === "append");

/** Opens what is not open yet of the logs' records, or of those of them that are wanted. Who can't be reached for one is not asked for the others. */
export async function openRecords(
  s: Session,
  logs: ProvenLog[],
  wanted: (e: Placed) => boolean = () => true,
): Promise<{ opened: Opened[]; unopened: Unopened[] }> {
  const all = logs.map((l) => ({ section: l.section, log: l.log, entries: recordsOf(l).filter(wanted) }));
  const batches = all.flatMap(({ entries, ...of }) => {
    const closed = entries.filter((e) => !s.opened.has(placeOfEntry(e)));
    return times(Math.ceil(closed.length / batchSize), (i) => ({ ...of, entries: closed.slice(i * batchSize, (i + 1) * batchSize) }));
  });
  const unopened: Unopened[] = [];
  const of = batches.reduce((n, b) => n + b.entries.length, 0);
  let done = 0;
  await each(batches, atOnce, async ({ section, log, entries }) => {
    const kept = await fetchRecords(s, log, entries);
    const learnt: [string, Kept][] = [];
    await each([...entries.entries()], overlapping, async ([i, entry]) => {
      const k = kept[i];
      const known = k?.secret;
      const why = await openInto(s, section, entry, k);
      if (why) unopened.push({ section, entry, why });
      else if (k?.secret && !known) learnt.push([nameOf(entry), k]); // of what doesn't open nothing is kept
      if (++done % told === 0 || done === of) s.progress({ step: "records", done, of });
    });
    await s.store.cache("records", learnt);
  });
  const opened = all.flatMap(({ entries }) => entries.flatMap((e) => s.opened.get(placeOfEntry(e)) ?? []));
  return { opened, unopened };
}

/** Opens one record, or tells why it doesn't open. */
async function openInto(s: Session, section: SectionName, entry: Placed, kept: Kept | undefined): Promise<Unopened["why"] | null> {
  try {
    const content = await openOne(s, section, entry, kept ?? fail("not-shared", "nobody has the record"));
    if (!content) return "unknown-author";
    s.opened.set(placeOfEntry(entry), { section, entry, content });
    return null;
  } catch (e) {
    if (["unreachable", "busy", "damaged", "internal"].includes(kindOf(e))) throw e;
    return kindOf(e);
  }
}

/** The content, or null if its author is neither a member nor the writer of the entry. */
async function openOne(s: Session, section: SectionName, e: Placed, k: Kept): Promise<Content | null> {
  const rec = e.says as Recorded;
  const header = headerOf(s, e, k.header);
  const content = await contentOf(s, header, await cipherOf(s, section, header, rec.record, k), rec, k.blob);
  const a = content.author;
  // A device or the patient, who are no members: nothing else that is said of the author counts.
  if (equal(a.key, e.signer)) return { ...content, author: { key: a.key, member: "", practitioner: "", name: "", role: "" } };
  return s.genesis.members.some((m) => equal(m.sign, a.key) && m.name === a.member) ? content : null;
}

async function contentOf(s: Session, h: Header, c: Cipher, rec: Recorded, blob: Bytes | null): Promise<Content> {
  if (!blob && !h.compressed && h.padded > chunkSize) {
    const manifest = await manifestOf(s, h, c);
    if (manifest) return openManifest(manifest, rec.record);
  }
  const plain = await openBlob(h, c, blob ?? (await blobOf(s, rec.blob)));
  return !h.compressed && isAttachment(plain[0]) ? openManifest(tailManifest(plain), rec.record) : openContent(plain, rec.record);
}

/** The manifest at the end of an attachment's plaintext, without padding. */
export function tailManifest(plain: Bytes): Bytes {
  const end = plain.length - 4;
  if (end < 1) return fail("altered", "an attachment without a manifest");
  const n = new DataView(plain.buffer, plain.byteOffset + end, 4).getUint32(0);
  return plain.slice(Math.max(0, end - n), end);
}

/** The manifest of an attachment, out of its last chunks and not gigabytes; null if the record is none. */
export async function manifestOf(s: Session, h: Header, c: Cipher): Promise<Bytes | null> {
  const chunks = Math.ceil(h.padded / chunkSize);
  const first = await keptChunk(s, h, 0);
  if (!isAttachment((await openChunk(c, 0, chunks === 1, first))[0])) return null;
  let tail = new Uint8Array(0) as Bytes;
  for (let i = chunks - 1; i >= 0; i--) {
    const chunk = await openChunk(c, i, i === chunks - 1, await keptChunk(s, h, i));
    const more = new Uint8Array(chunk.length + tail.length);
    more.set(chunk);
    more.set(tail, chunk.length);
    tail = more;
    if (tail.length < 5) continue;
    const n = new DataView(tail.buffer, tail.length - 5, 4).getUint32(0);
    if (n > 1 << 20) return fail("altered", "a manifest that is too long");
    if (tail.length >= n + 5) return tail.slice(tail.length - 5 - n, tail.length - 5);
  }
  return fail("altered", "an attachment without a manifest");
}

/** A sealed chunk, which the browser keeps: the chart opens without asking for what tells of an attachment. */
async function keptChunk(s: Session, h: Header, i: number): Promise<Bytes> {
  const key = `${hex(h.blob)}/${i}`;
  const kept = await s.store.get<Bytes>("blobs", key);
  if (kept) return kept;
  const b = await range(s, h, i, i + 1);
  await s.store.cache("blobs", [[key, b]]);
  return b;
}

/** The sealed bytes of chunks from ≤ i < to. They are verified by who opens them. */
export async function range(s: Session, h: Header, from: number, to: number): Promise<Bytes> {
  const total = h.padded + 16 * Math.ceil(h.padded / chunkSize);
  const [start, end] = [from * sealedSize, Math.min(to * sealedSize, total)];
  const out = new Uint8Array(end - start);
  for (let at = 0; at < out.length; ) {
    const part = await s.home.part(h.blob, start + at);
    if (part.length === 0) return fail("altered", "an attachment that breaks off");
    const take = part.subarray(0, out.length - at);
    out.set(take, at);
    at += take.length;
  }
  return out;
}
