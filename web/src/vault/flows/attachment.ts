/** The bytes of an attachment (spec/attachment.md), a part at a time: each MiB has the sum that its author signed. */

import { type Bytes, concat, equal, sha256Large } from "../bytes.ts";
import { isAttachment, openManifest, sumSize } from "../chart/content.ts";
import { type Content as Cipher, chunkSize, openChunk, sealedSize } from "../envelope/chunks.ts";
import { openBlob } from "../envelope/envelope.ts";
import type { Header } from "../envelope/header.ts";
import { fail } from "../failure.ts";
import type { Recorded } from "../ledger/entry.ts";
import type { SectionName } from "../names.ts";
import { cipherOf, headerOf, tailManifest } from "../opening.ts";
import { closed, fetchRecords, openerOf, withheld } from "./kept.ts";
import { manifestOf, range } from "./open.ts";
import type { Session } from "./session.ts";
import { logOf } from "./sync.ts";

const partSize = 4 * sumSize;

interface Opened {
  size: number;
  type: string;
  sums: Bytes[];
  /** The plaintext from ≤ i < to, not yet held against the sums. */
  plain(from: number, to: number): Promise<Bytes>;
}

/** All bytes. They lie in parts, which the browser may put on its disk. */
export async function bytesOf(s: Session, section: SectionName, entry: number): Promise<Blob> {
  const a = await opened(s, section, entry);
  const parts: Blob[] = [];
  for (let from = 0; from < a.size; from += partSize) {
    parts.push(new Blob([await part(a, from)]));
    s.progress({ step: "records", done: Math.min(a.size, from + partSize), of: a.size });
  }
  return new Blob(parts, { type: a.type });
}

/** The bytes from a place on, which is 0 or where the part before ended, and how many there are in all. */
export async function partOf(s: Session, section: SectionName, entry: number, from: number): Promise<{ bytes: Blob; size: number }> {
  const a = await opened(s, section, entry);
  if (from % partSize !== 0 || from < 0 || from >= a.size) return fail("invalid", `no part begins at ${from} of ${a.size} bytes`);
  return { bytes: new Blob([await part(a, from)], { type: a.type }), size: a.size };
}

async function part(a: Opened, from: number): Promise<Bytes> {
  const bytes = await a.plain(1 + from, 1 + Math.min(a.size, from + partSize));
  for (let at = 0; at < bytes.length; at += sumSize)
    if (!equal(await sha256Large(bytes.slice(at, at + sumSize)), a.sums[(from + at) / sumSize]!))
      return fail("altered", "an attachment without its author's sums");
  return bytes;
}

async function opened(s: Session, section: SectionName, entry: number): Promise<Opened> {
  const log = logOf(s, section);
  const e = log.entries[entry];
  if (e?.says.kind !== "append" || log.destroyed.has(entry)) return fail("not-shared", "there is no record");
  const kept = (await fetchRecords(s, log.log, [e])).kept[0] ?? fail("not-shared", "nobody has the record");
  const h = headerOf(s.genesis.network, e, kept.header);
  if (h.compressed) return fail("invalid", "the record is no attachment");
  const why = withheld(s, e);
  if (why) return fail(why, "the record was not released");
  const { cipher } = await cipherOf(await openerOf(s, section), h, closed(s, e, kept));
  const whole = kept.blob ? await openBlob(h, cipher, kept.blob) : null; // a small one came along
  const manifest = !whole ? await manifestOf(s, h, cipher) : isAttachment(whole[0]) ? tailManifest(whole) : null;
  const m = await openManifest(manifest ?? fail("invalid", "the record is no attachment"), (e.says as Recorded).record);
  const said = JSON.parse(m.items[0]!.json) as { contentType?: string };
  return {
    size: m.size,
    type: said.contentType ?? "application/octet-stream",
    sums: m.sums,
    plain: async (from, to) => whole?.slice(from, to) ?? chunks(s, h, cipher, from, to),
  };
}

/** Plaintext, chunk by chunk: H(blob) is not compared, the author's sums are. */
async function chunks(s: Session, h: Header, c: Cipher, from: number, to: number): Promise<Bytes> {
  const [first, end] = [Math.floor(from / chunkSize), Math.ceil(to / chunkSize)];
  const last = Math.ceil(h.padded / chunkSize) - 1;
  const sealed = await range(s, h, first, end);
  const plain: Bytes[] = [];
  for (let i = first; i < end; i++)
    plain.push(await openChunk(c, i, i === last, sealed.slice((i - first) * sealedSize, (i - first + 1) * sealedSize)));
  return concat(...plain).slice(from - first * chunkSize, to - first * chunkSize);
}
