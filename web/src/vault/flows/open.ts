/**
 * Opens records with the owner lock: no network key, no trace; or, of somebody else's chart, with what was released. The header is held against the entry, the ciphertext against its hash, the content against
 * its author's signature and the author against the genesis. A record that fails, fails alone.
 */

import type { Failure } from "../api.ts";
import { type Bytes, equal, hex } from "../bytes.ts";
import { type Content, type Item, isAttachment, openManifest } from "../chart/content.ts";
import { type Decapsulator, pairOf } from "../crypto/xwing.ts";
import { type Content as Cipher, chunkSize, openChunk, sealedSize } from "../envelope/chunks.ts";
import type { Header } from "../envelope/header.ts";
import { fail, kindOf } from "../failure.ts";
import type { Ask } from "../helpers.ts";
import type { Recorded } from "../ledger/entry.ts";
import type { SectionName } from "../names.ts";
import { alone, type Closed, cipherOf, contentOf, headerOf, type Opener, type Outcome, readable } from "../opening.ts";
import { times } from "../wire.ts";
import { blobOf } from "./blobs.ts";
import { closed, fetchRecords, fits, type Kept, nameOf, openerOf, withheld } from "./kept.ts";
import { each, type Session } from "./session.ts";
import type { Placed, ProvenLog } from "./sync.ts";

export interface Opened {
  section: SectionName;
  entry: Placed;
  content: Content<Item>;
}

export interface Unopened {
  section: SectionName;
  entry: Placed;
  why: Failure | "unknown-author";
}

const [atOnce, batchSize, partSize, few] = [4, 128, 32, 8];

export const placeOfEntry = (e: { log: Bytes; number: number }): string => `${hex(e.log)}/${e.number}`;

export const recordsOf = (l: ProvenLog): Placed[] => l.entries.filter((e) => e.says.kind === "append");

/** Without those that were destroyed, of which nothing is left to open. */
export const standing = (l: ProvenLog): Placed[] => recordsOf(l).filter((e) => !l.destroyed.has(e.number));

/** Opens what is not open yet of the logs' records, or of those of them that are wanted. Who can't be reached for one is not asked for the others. */
export async function openRecords(
  s: Session,
  logs: ProvenLog[],
  wanted: (e: Placed) => boolean = () => true,
): Promise<{ opened: Opened[]; unopened: Unopened[] }> {
  const all = logs.map((l) => ({ section: l.section, log: l.log, entries: standing(l).filter(wanted) }));
  const batches = all.flatMap(({ entries, ...of }) =>
    chunked(
      entries.filter((e) => !s.opened.has(placeOfEntry(e))),
      batchSize,
    ).map((some) => ({ ...of, entries: some })),
  );
  const unopened: Unopened[] = [];
  const of = batches.reduce((n, b) => n + b.entries.length, 0);
  const ask = of < few ? alone : s.ask; // no helpers start for a few
  let done = 0;
  await each(batches, atOnce, async ({ section, log, entries }) => {
    const { kept, came } = await fetchRecords(s, log, entries);
    const keep: [string, Kept][] = [];
    const parts = chunked([...entries.entries()], partSize);
    await each(parts, parts.length, async (part) => {
      const outcomes = await openPart(
        s,
        ask,
        section,
        part.map(([i, entry]) => ({ entry, kept: kept[i] })),
      );
      for (const [n, [i, entry]] of part.entries()) {
        if (s.logs.get(section)?.destroyed.has(entry.number)) continue; // meanwhile
        const [o, k] = [outcomes[n]!, kept[i]];
        const why = "why" in o ? o.why : settle(s, section, entry, o.content);
        if (why) unopened.push({ section, entry, why });
        // Of somebody else's record what opens it isn't kept: each look is released anew.
        if (k && "secret" in o && o.secret) keep.push([nameOf(entry), { ...k, secret: s.reads ? null : o.secret }]);
        else if (k && why === "no-lock" && came.has(i) && (await fits(s, entry, k))) keep.push([nameOf(entry), k]);
      }
      done += part.length;
      s.progress({ step: "records", done, of });
    });
    await s.store.cache("records", keep);
  });
  const opened = all.flatMap(({ entries }) => entries.flatMap((e) => s.opened.get(placeOfEntry(e)) ?? []));
  return { opened, unopened };
}

const chunked = <T>(all: T[], size: number): T[][] => times(Math.ceil(all.length / size), (i) => all.slice(i * size, (i + 1) * size));

/** Takes over what opened, if its author is a member or the writer of the entry: a device or the patient, of whom nothing else that is said counts. */
function settle(s: Session, section: SectionName, entry: Placed, content: Content<Item>): "unknown-author" | null {
  const a = content.author;
  const own = equal(a.key, entry.signer);
  if (!own && !s.genesis.members.some((m) => equal(m.sign, a.key) && m.name === a.member)) return "unknown-author";
  const author = own ? { key: a.key, member: "", practitioner: "", name: "", role: "" } : a;
  s.opened.set(placeOfEntry(entry), { section, entry, content: { ...content, author } });
  return null;
}

/** Opens some records: those that came along at once, where there are helpers for it, and large ones one by one. */
async function openPart(s: Session, ask: Ask, section: SectionName, part: { entry: Placed; kept: Kept | undefined }[]): Promise<Outcome[]> {
  const by = await openerOf(s, section);
  const small = part.flatMap(({ entry, kept: k }) => (k?.blob && !withheld(s, entry) ? [{ ...closed(s, entry, k), blob: k.blob }] : []));
  const outcomes = small.length > 0 ? await ask("records", { by: { ...by, owner: pairOf(by.owner) }, closed: small }) : [];
  const out: Outcome[] = [];
  for (const { entry, kept: k } of part) {
    const why = withheld(s, entry);
    out.push(
      why ? { why } : !k ? { why: "not-shared" } : k.blob ? outcomes.shift()! : await openLarge(s, by, closed(s, entry, k)).catch(whyNot),
    );
  }
  return out;
}

function whyNot(e: unknown): Outcome {
  const why = kindOf(e);
  if (["unreachable", "busy", "damaged", "internal"].includes(why)) throw e;
  return { why };
}

/** One whose ciphertext didn't come along: of an attachment only the end is fetched. */
async function openLarge(s: Session, by: Opener & { owner: Decapsulator }, c: Omit<Closed, "blob">): Promise<Outcome> {
  const h = headerOf(by.network, c.entry, c.header);
  const { cipher, secret } = await cipherOf(by, h, c);
  const manifest = !h.compressed && h.padded > chunkSize ? await manifestOf(s, h, cipher) : null;
  const { record, blob } = c.entry.says as Recorded;
  const content = manifest ? await openManifest(manifest, record) : await contentOf(h, cipher, await blobOf(s, blob), record);
  return { content: readable(content, c.entry), secret };
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
