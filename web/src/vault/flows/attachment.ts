/** The bytes of an attachment (spec/attachment.md): each MiB has the sum that its author signed. */

import { type Bytes, equal, sha256Large } from "../bytes.ts";
import { isAttachment, openManifest, sumSize } from "../chart/content.ts";
import { type Content as Cipher, chunkSize, openChunk } from "../envelope/chunks.ts";
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

const most = 512 << 20; // bytes that a browser is given at once
const chunksAtOnce = 16;

export async function bytesOf(s: Session, section: SectionName, entry: number): Promise<Blob> {
  const log = logOf(s, section);
  const e = log.entries[entry];
  if (e?.says.kind !== "append") return fail("not-shared", "there is no record");
  const kept = (await fetchRecords(s, log.log, [e])).kept[0] ?? fail("not-shared", "nobody has the record");
  const h = headerOf(s.genesis.network, e, kept.header);
  if (h.compressed) return fail("invalid", "the record is no attachment");
  if (h.padded > most) return fail("invalid", `an attachment of more than ${most} bytes`);
  const why = withheld(s, e);
  if (why) return fail(why, "the record was not released");
  const { cipher } = await cipherOf(await openerOf(s, section), h, closed(s, e, kept));
  const plain = kept.blob ? await openBlob(h, cipher, kept.blob) : await openLarge(s, h, cipher);
  if (!isAttachment(plain[0])) return fail("invalid", "the record is no attachment");
  const manifest = kept.blob ? tailManifest(plain) : await manifestOf(s, h, cipher);
  const m = await openManifest(manifest ?? fail("invalid", "the record is no attachment"), (e.says as Recorded).record);
  const bytes = plain.slice(1, 1 + m.size);
  for (const [i, sum] of m.sums.entries())
    if (!equal(await sha256Large(bytes.slice(i * sumSize, (i + 1) * sumSize)), sum))
      return fail("altered", "an attachment without its author's sums");
  const said = JSON.parse(m.items[0]!.json) as { contentType?: string };
  return new Blob([bytes], { type: said.contentType ?? "application/octet-stream" });
}

/** The padded plaintext, chunk by chunk: H(blob) is not compared, the author's sums are. */
async function openLarge(s: Session, h: Header, c: Cipher): Promise<Bytes> {
  const out = new Uint8Array(h.padded);
  const n = Math.ceil(h.padded / chunkSize);
  const sealed = chunkSize + 16;
  for (let i = 0; i < n; i += chunksAtOnce) {
    const part = await range(s, h, i, Math.min(n, i + chunksAtOnce));
    for (let at = i; at < Math.min(n, i + chunksAtOnce); at++) {
      const chunk = part.slice((at - i) * sealed, (at - i + 1) * sealed);
      out.set(await openChunk(c, at, at === n - 1, chunk), at * chunkSize);
    }
    s.progress({ step: "records", done: Math.min(n, i + chunksAtOnce), of: n });
  }
  return out;
}
