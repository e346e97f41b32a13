/**
 * Opens records with the owner lock: no network key, no trace. The header is held against the entry, the ciphertext against its hash, the content against
 * its author's signature and the author against the genesis. A record that fails, fails alone.
 */

import type { Failure } from "../api.ts";
import { type Bytes, equal, hex } from "../bytes.ts";
import { type Content, isAttachment, openContent, openManifest } from "../chart/content.ts";
import { type Content as Cipher, chunkSize, openChunk, sealedSize } from "../envelope/chunks.ts";
import { byOwner, openBlob } from "../envelope/envelope.ts";
import { checkHeader, decodeHeader, type Header } from "../envelope/header.ts";
import { fail, kindOf } from "../failure.ts";
import type { Recorded } from "../ledger/entry.ts";
import type { SectionName } from "../names.ts";
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

const atOnce = 6;

export const placeOfEntry = (e: { log: Bytes; number: number }): string => `${hex(e.log)}/${e.number}`;

export const recordsOf = (l: ProvenLog): Placed[] => l.entries.filter((e) => e.says.kind === "append");

/** Opens what is not open yet of the logs' records. Who can't be reached for one is not asked for the others. */
export async function openRecords(s: Session, logs: ProvenLog[]): Promise<{ opened: Opened[]; unopened: Unopened[] }> {
  const all = logs.flatMap((l) => recordsOf(l).map((entry) => ({ section: l.section, entry })));
  const unopened: Unopened[] = [];
  let done = 0;
  await each(all, atOnce, async ({ section, entry }) => {
    const at = placeOfEntry(entry);
    if (!s.opened.has(at)) {
      try {
        const content = await openOne(s, section, entry);
        if (content) s.opened.set(at, { section, entry, content });
        else unopened.push({ section, entry, why: "unknown-author" });
      } catch (e) {
        if (["unreachable", "busy", "damaged", "internal"].includes(kindOf(e))) throw e;
        unopened.push({ section, entry, why: kindOf(e) });
      }
    }
    s.progress({ step: "records", done: ++done, of: all.length });
  });
  const opened = all.flatMap(({ entry }) => s.opened.get(placeOfEntry(entry)) ?? []);
  return { opened, unopened };
}

/** The content, or null if its author is neither a member nor the writer of the entry. */
async function openOne(s: Session, section: SectionName, e: Placed): Promise<Content | null> {
  const rec = e.says as Recorded;
  const keys = await s.patient.section(section);
  const header = await headerOf(s, e, rec);
  const cipher = await byOwner(header, keys.exchange);
  const content = await contentOf(s, header, cipher, rec);
  const a = content.author;
  // A device or the patient, who are no members: nothing else that is said of the author counts.
  if (equal(a.key, e.signer)) return { ...content, author: { key: a.key, member: "", practitioner: "", name: "", role: "" } };
  return s.genesis.members.some((m) => equal(m.sign, a.key) && m.name === a.member) ? content : null;
}

async function contentOf(s: Session, h: Header, c: Cipher, rec: Recorded): Promise<Content> {
  if (!h.compressed && h.padded > chunkSize) {
    const manifest = await manifestOf(s, h, c);
    if (manifest) return openManifest(manifest, rec.record);
  }
  const plain = await openBlob(h, c, await blobOf(s, rec.blob));
  if (!h.compressed && isAttachment(plain[0])) {
    const n = plain.length - 4 >= 0 ? new DataView(plain.buffer, plain.byteOffset + plain.length - 4, 4).getUint32(0) : 0;
    return openManifest(plain.slice(Math.max(0, plain.length - 4 - n), Math.max(0, plain.length - 4)), rec.record);
  }
  return openContent(plain, rec.record);
}

/** The header from the cache or the home member, which is the one that the ledger committed to. */
async function headerOf(s: Session, e: Placed, rec: Recorded): Promise<Header> {
  const key = hex(rec.record);
  const committed = { log: e.log, record: rec.record, writer: e.signer, core: rec.core, blob: rec.blob };
  const kept = await s.store.get<Bytes>("headers", key);
  const b = kept ?? (await s.home.header(e.log, rec.record));
  const h = decodeHeader(b);
  checkHeader(h, s.genesis.network, committed);
  if (!kept) await s.store.put("headers", key, b);
  return h;
}

/** Ciphertext and sealed messages by their hash, from the cache or the home member. */
export async function blobOf(s: Session, hash: Bytes): Promise<Bytes> {
  const kept = await s.store.get<Bytes>("blobs", hex(hash));
  if (kept) return kept;
  const b = await s.home.blob(hash);
  await s.store.put("blobs", hex(hash), b);
  return b;
}

/** The manifest of an attachment, out of its last chunks and not gigabytes; null if the record is none. */
async function manifestOf(s: Session, h: Header, c: Cipher): Promise<Bytes | null> {
  const chunks = Math.ceil(h.padded / chunkSize);
  const first = await range(s, h, 0, 1);
  if (!isAttachment((await openChunk(c, 0, chunks === 1, first))[0])) return null;
  let tail = new Uint8Array(0) as Bytes;
  for (let i = chunks - 1; i >= 0; i--) {
    const chunk = await openChunk(c, i, i === chunks - 1, await range(s, h, i, i + 1));
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

/** The sealed bytes of chunks from ≤ i < to. They are verified by who opens them. */
async function range(s: Session, h: Header, from: number, to: number): Promise<Bytes> {
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
